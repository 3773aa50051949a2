#pragma once

#include <memory>
#include <string>
#include <utility>

#include "app/tui/tune/tune_screen.h"
#include "app/tui/tune/tune_work.h"
#include "core/space/space_index.h"
#include "kernels/kernel.h"
#include "tests/app/lab_fixture.h"
#include "tuner/session/model_tuning.h"

namespace tilewright {

inline Problem small_gemm(int64_t m = 512) {
  return find_kernel("gemm").problem(
      {.sizes = {{"m", m}, {"n", 1024}, {"k", 1024}}, .dtype = "", .layout = ""});
}

/// A session with made-up times: every `step`-th config of the searched space, some of them cut
/// early, one failed.
inline TuneRecorder made_up_session(int64_t tries = 60, int problems = 1) {
  const Machine machine = load_machine("ascend-910b2:datasheet");
  TuneView header;
  header.run = 12;
  header.label = "made up";
  header.command = "tilewright tune gemm --shape m=512,n=1024,k=1024 --budget evaluations=200";
  header.machine = "ascend-910b2:datasheet";
  header.evaluator = "sim/1/detailed";
  header.strategy = "portfolio";
  header.budget = 200;
  header.phase = TunePhase::kRunning;
  TuneRecorder recorder(std::move(header), [machine](const Problem& problem) {
    const TuneProblem tune = kernel_problem(problem, machine);
    return facts_of(problem, machine, &tune.space);
  });
  recorder.note("run 12 begins: portfolio, budget 200 configs each", 0);
  for (int i = 0; i < problems; ++i) {
    const Problem problem = small_gemm(512 << i);
    recorder.expect(problem.text(), "", 200);
    const SpaceIndex space(kernel_problem(problem, machine).space);
    for (int64_t n = 0; n < tries; ++n) {
      const Config config = space.config(n * (space.size() / tries));
      TuneEvent event;
      event.problem = &problem;
      event.config = &config;
      event.proposer = "portfolio";
      event.planned = 200;
      Measurement measurement;
      measurement.time_us = 20 + 400.0 / static_cast<double>(config.at("tile_m")) +
                            900.0 / static_cast<double>(config.at("tile_n")) +
                            static_cast<double>(n % 7);
      if (n == 9) {
        measurement = Measurement();
        measurement.status = AttemptStatus::kRuntime;
        measurement.reason = "exit \x1b[31m status 7";
      }
      event.measurement = &measurement;
      event.screened = n % 5 == 4;
      event.baseline_us = 60;
      event.best_us = measurement.time_us;
      event.kind = n == 0 ? TuneEventKind::kProblemBegin : TuneEventKind::kTrial;
      if (n == 0) recorder.take(event, 0.1);
      event.kind = TuneEventKind::kTrial;
      recorder.take(event, 0.1 * static_cast<double>(n));
    }
  }
  return recorder;
}

inline JobSnapshot tune_news(int64_t job, JobResult result, JobPhase phase = JobPhase::kRunning) {
  return {.id = job, .title = "tune", .phase = phase, .failure = {}, .result = std::move(result)};
}

/// The workbench at its Tune screen, without a session.
inline State tune_state(int width = 120, int height = 40) {
  State state = test_state(width, height);
  state.machine = named_machine("ascend-910b2:datasheet");
  press(state, "4");
  return state;
}

/// The same with a session at work that has shown a view.
inline State tuning_state(TuneRecorder& recorder, int width = 120, int height = 40) {
  State state = tune_state(width, height);
  press(state, "Enter");
  Effects effects;
  update(state, tune_news(state.tune.job, std::make_shared<const TuneView>(recorder.view(6.0))),
         effects);
  return state;
}

/// Does the small jobs of effects at once.
inline void do_small_jobs(State& state, Effects effects) {
  for (int round = 0; round < 5 && !effects.empty(); ++round) {
    Effects next;
    for (const Effect& effect : effects) {
      const auto* submitted = std::get_if<SubmitEffect>(&effect);
      if (!submitted) continue;
      const JobProgress progress({}, [](double) {});
      JobResult result;
      if (const auto* matters = std::get_if<TuneMattersJob>(&submitted->request)) {
        result = matters_of(*matters);
      } else if (const auto* fit = std::get_if<TuneFitJob>(&submitted->request)) {
        result =
            std::make_shared<const TuneFit>(fit_of(fit->problem, *fit->spaces, fit->plane, [] {}));
      } else if (const auto* reason = std::get_if<CellReasonJob>(&submitted->request)) {
        result = std::make_shared<const CellReason>(
            reason_of(reason->problem, *reason->spaces, reason->cell));
      } else {
        continue;
      }
      update(state, tune_news(submitted->id, std::move(result), JobPhase::kDone), next);
    }
    effects = std::move(next);
  }
}

}  // namespace tilewright
