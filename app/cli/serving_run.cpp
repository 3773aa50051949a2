#include "app/cli/serving_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/clock.h"
#include "app/cli/serving_record.h"
#include "app/cli/tune_report.h"
#include "app/cli/workload_arguments.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/serving/run_totals.h"
#include "kernels/executor/step_sampler.h"

namespace tilewright {

namespace {

/// How far the times of steps are off, as shares of the simulated ones, ascending.
std::vector<double> audit(ModelExecutor& executor, const std::vector<Batch>& steps) {
  std::vector<double> errors;
  for (const Batch& step : steps) {
    const StepAudit audit = executor.audit(step);
    const auto simulated = static_cast<double>(audit.simulated_ns);
    errors.push_back(std::abs(static_cast<double>(audit.fast_ns) - simulated) / simulated);
  }
  std::ranges::sort(errors);
  return errors;
}

/// Error (infeasible) when a model and the one that drafts for it, which has as many KV blocks, do
/// not fit the memory together.
void check_memory_of_both(const ModelExecutor& model, const ModelExecutor& draft) {
  const MemoryBudget& large = model.memory();
  const MemoryBudget& small = draft.memory();
  // They run one after the other, so the larger activations are the peak of both.
  const int64_t fixed = large.weight_bytes + small.weight_bytes +
                        std::max(large.activation_bytes, small.activation_bytes);
  const int64_t kv = large.kv_bytes + small.kv_bytes;
  if (fixed + kv <= large.usable_bytes) return;
  const int64_t left = std::max<int64_t>(0, large.usable_bytes - fixed);
  const int64_t blocks = left / (kv / model.capacity().kv_blocks);
  throw Error(ErrorKind::kInfeasible,
              "the model and its draft model do not fit the memory together; " +
                  (blocks > 0 ? fmt::format("give --kv-blocks {} or fewer", blocks)
                              : std::string("take a smaller draft model")));
}

/// The smaller model that drafts, on the same chips; null without one.
std::unique_ptr<ModelExecutor> draft_model(const ServingSetup& setup, const ModelExecutor& model,
                                           ModelExecutorOptions options) {
  if (setup.draft_model.empty()) return nullptr;
  options.plan = nullptr;
  options.kv_blocks = model.capacity().kv_blocks;
  options.max_model_len = model.capacity().max_model_len;
  options.parallel.pp = 1;
  auto draft =
      std::make_unique<ModelExecutor>(load_model(setup.draft_model), setup.machine, options);
  check_memory_of_both(model, *draft);
  return draft;
}

void serve_one(const ServingSetup& setup, const MetricsOptions& measured,
               const ServingCallbacks& callbacks, Replay& replay) {
  const int64_t audited = setup.audited_steps;
  const double started = wall_seconds();
  ModelExecutorOptions options = setup.executor;
  options.plan = replay.plan;
  ModelExecutor executor(setup.model, setup.machine, options);
  StepSampler sampler(executor, std::max<int64_t>(1, audited));
  Executor& device = audited > 0 ? static_cast<Executor&>(sampler) : executor;
  const std::unique_ptr<ModelExecutor> draft = draft_model(setup, executor, options);
  replay.result = serve(setup.workload, device, setup.options, callbacks, draft.get());
  if (audited > 0 && !replay.result.interrupted)
    replay.audit_errors = audit(executor, sampler.samples());
  replay.memory = executor.memory();
  replay.metrics = compute_metrics(replay.result.requests, replay.result.step_end_ns, measured);
  replay.totals = totals_of(replay.result, executor.capacity());
  replay.totals.chips = options.parallel.tp * options.parallel.pp;
  replay.wall_seconds = wall_seconds() - started;
}

/// The GEMMs of a run's steps, so that the database can say which of them have no tuned config.
std::vector<ServedProblem> served_problems(const ServingSetup& setup, const ServingResult& served) {
  std::vector<ServedProblem> problems;
  const CallCounts calls =
      count_calls(setup.model, served.step_tokens, served.step_samples, setup.layout);
  for (const auto& [problem, count] : calls) problems.push_back({problem, count});
  return problems;
}

}  // namespace

Slo read_slo(const Arguments& arguments) {
  Slo slo;
  if (!arguments.has("slo")) return slo;
  const std::vector<std::string> known = {"ttft", "tpot", "e2el"};
  for (const auto& [name, value] : parse_assignments(arguments.text("slo"), "--slo")) {
    const std::string what = "--slo " + printable(name);
    const double limit = parse_ms(value, what);
    if (limit == 0)
      throw Error(ErrorKind::kUsage, fmt::format("{} {} is not above 0", what, value));
    if (name == known[0]) {
      slo.ttft_ms = limit;
    } else if (name == known[1]) {
      slo.tpot_ms = limit;
    } else if (name == known[2]) {
      slo.e2el_ms = limit;
    } else {
      throw Error(ErrorKind::kUsage, fmt::format("--slo has no '{}'{} (it has {})", printable(name),
                                                 did_you_mean(name, known), join(known, ", ")));
    }
  }
  return slo;
}

/// Errors say which plan was in use: its configs are only built when a step needs them.
void serve_replay(const ServingSetup& setup, const MetricsOptions& measured,
                  const ServingCallbacks& callbacks, Replay& replay) {
  try {
    serve_one(setup, measured, callbacks, replay);
  } catch (const Error& error) {
    if (!replay.plan) throw;
    throw error.in("with plan " + replay.label);
  }
}

std::unique_ptr<RunRecord> begin_replay(const Context& context, Store& store,
                                        const ServingSetup& setup, const Replay& replay) {
  // Runs of one trace are told apart by what was taken of it, and how fast.
  const std::string label =
      fmt::format("{} {}{} plan={}", setup.model.name, setup.workload.name,
                  workload_choices(context.arguments()), replay.plan ? replay.label : kNoPlan);
  return std::make_unique<RunRecord>(context, store, setup.machine,
                                     RunIdentity{.kind = RunKind::kServe,
                                                 .label = label,
                                                 .model = setup.model.name,
                                                 .workload = setup.workload.name});
}

void keep_replay(Store& store, RunRecord& record, const ServingSetup& setup, const Replay& replay) {
  store.save_served_problems(record.id(), served_problems(setup, replay.result));
  record.finish(replay.result.interrupted ? RunStatus::kInterrupted : RunStatus::kDone,
                to_json(replay, setup), log_tables(replay.result));
}

std::vector<std::string> notes_on(const std::vector<Replay>& replays, const ServingSetup& setup) {
  std::vector<std::string> notes;
  if (setup.executor.max_model_len > setup.model.max_positions) {
    notes.push_back(
        fmt::format("--max-model-len {} is beyond the {} positions that {} was trained for",
                    format_count(setup.executor.max_model_len),
                    format_count(setup.model.max_positions), setup.model.name));
  }
  for (const Replay& replay : replays) {
    std::string note = rejection_note(replay, setup);
    // Runs of one comparison reject the same requests.
    if (!note.empty() && (notes.empty() || notes.back() != note)) notes.push_back(std::move(note));
  }
  return notes;
}

}  // namespace tilewright
