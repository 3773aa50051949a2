#pragma once

#include <memory>
#include <string>
#include <utility>

#include "app/tui/serve/serve_run.h"
#include "app/tui/serve/serve_screen.h"
#include "app/tui/serve/serve_update.h"
#include "core/serving/engine.h"
#include "tests/app/tui_fixture.h"
#include "tests/core/serving_fakes.h"

namespace tilewright {

/// Fourteen requests on a device with room for few of them: some wait, some are preempted.
inline Workload serve_workload() {
  std::vector<Request> requests;
  for (int64_t i = 0; i < 14; ++i) {
    requests.push_back({i * 35'000'000, 40 + 37 * (i % 5), 6 + 11 * (i % 4)});
  }
  Workload workload = workload_of(std::move(requests));
  workload.name = "chat";
  return workload;
}

inline FakeExecutor serve_device() {
  FakeExecutor device;
  device.device = {.kv_blocks = 60, .block_size = 8, .max_model_len = 4096};
  device.device.peak_flops = 1000;
  device.device.peak_bytes_per_s = 1000;
  device.base_ns = 5'000'000;
  device.per_token_ns = 60'000;
  device.per_context_ns = 4'000;
  return device;
}

inline ServeIdentity serve_identity(int64_t run = 7) {
  ServeIdentity identity;
  identity.run = run;
  identity.command =
      "tilewright replay qwen2-7b --workload chat --limit 14 --slo ttft=60ms,tpot=20ms --machine "
      "ascend-910b2:datasheet";
  identity.model = "qwen2-7b";
  identity.workload = "chat";
  identity.machine = "ascend-910b2:datasheet";
  identity.status = "done";
  identity.knobs = {{"block_size", "8"}, {"policy", "vllm"}};
  identity.slo.ttft_ms = 60;
  identity.slo.tpot_ms = 20;
  identity.peak_flops = 1000;
  identity.peak_bytes_per_s = 1000;
  identity.kv_blocks = 60;
  return identity;
}

/// A run that is over. Its log is that of the real engine on a made-up device.
inline std::shared_ptr<const ServeView> finished_view(int64_t run = 7, int64_t slower_ns = 0) {
  FakeExecutor device = serve_device();
  device.base_ns += slower_ns;
  const ServingResult result = serve(serve_workload(), device, {.max_num_batched_tokens = 128});
  auto view = std::make_shared<ServeView>();
  view->identity = serve_identity(run);
  view->record = {result.requests, result.step_end_ns, result.steps, result.events, {}};
  for (const OpTime& op : result.by_op) view->record.ops.push_back(op.op);
  for (size_t i = 0; i < result.requests.size(); ++i) view->ids.push_back(static_cast<int64_t>(i));
  complete_view(*view);
  return view;
}

/// The same run behind so many steps, standing still.
inline std::shared_ptr<const ServeView> paused_view(int64_t steps, size_t most = SIZE_MAX) {
  FakeExecutor device = serve_device();
  auto view = std::make_shared<ServeView>();
  view->identity = serve_identity();
  view->identity.status = "running";
  bool is_over = false;
  ServingCallbacks callbacks;
  callbacks.stop = [&] { return is_over; };
  callbacks.most_repeated = [] { return 1; };
  callbacks.on_step = [&](const ServingSoFar& so_far) {
    const StepRecord& last = so_far.steps.back();
    if (is_over || last.first_step + last.count < steps) return;
    is_over = true;
    copy_so_far(so_far, most, *view);
    view->progress = {.now_ns = so_far.now_ns,
                      .finished = so_far.finished,
                      .requests = 14,
                      .running = so_far.running,
                      .waiting = so_far.waiting,
                      .is_paused = true,
                      .wall_seconds = 0.5,
                      .pace = 2};
  };
  serve(serve_workload(), device, {.max_num_batched_tokens = 128}, callbacks);
  complete_view(*view);
  return view;
}

inline State serve_state(int width = 120, int height = 40, GlyphSet glyphs = GlyphSet::kUnicode) {
  State state = test_state(width, height, glyphs);
  state.screen = Screen::kServe;
  return state;
}

/// A job's news: what it shows, or its end.
inline Effects tell(State& state, int64_t job, JobPhase phase, JobResult result,
                    std::string failure = {}) {
  Effects effects;
  update(state,
         JobSnapshot{.id = job,
                     .title = "job",
                     .phase = phase,
                     .failure = std::move(failure),
                     .result = std::move(result)},
         effects);
  return effects;
}

/// Shows a run as if it had been read from the database.
inline void show_run(State& state, std::shared_ptr<const ServeView> view) {
  Effects effects;
  open_serve_run(state, view->identity.run, effects);
  tell(state, state.serve.load_job, JobPhase::kDone, std::move(view));
}

/// The one job that effects submit; null when there is none.
template <typename Job>
const Job* submitted(const Effects& effects) {
  const auto* submit = effect_of<SubmitEffect>(effects);
  return submit ? std::get_if<Job>(&submit->request) : nullptr;
}

}  // namespace tilewright
