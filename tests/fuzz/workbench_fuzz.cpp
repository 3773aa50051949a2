// Any row of keys, clicks and sizes, with results of real runs between them, leaves a screen that
// can be drawn and a focus that exists.

#include <memory>

#include "app/tui/job_work.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/screen.h"
#include "app/tui/timeline/timeline_data.h"
#include "kernels/kernel.h"
#include "tests/app/tui_fixture.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

namespace {

KernelRequest small_request() {
  const MachineRef machine = test_state().machine;
  const Kernel& kernel = find_kernel("gemm");
  const Problem problem =
      kernel.problem({.sizes = {{"m", 256}, {"n", 256}, {"k", 256}}, .dtype = "", .layout = ""});
  return {machine, problem, kernel.default_config(problem, machine->machine)};
}

/// What a job would find, without doing it each time.
JobResult result_of(const JobRequest& request) {
  static const JobProgress progress({}, [](double) {});
  static const JobResult run =
      do_job(RunKernelJob{.request = small_request(), .db = "", .keeps = false}, progress);
  static const JobResult timeline = do_job(IndexTimelineJob{small_request()}, progress);
  if (std::holds_alternative<RunKernelJob>(request)) return run;
  if (std::holds_alternative<IndexTimelineJob>(request)) return timeline;
  if (std::holds_alternative<AreaJob>(request)) return do_job(request, progress);
  return {};
}

void finish_jobs(State& state, const Effects& effects) {
  for (const Effect& effect : effects) {
    const auto* submitted = std::get_if<SubmitEffect>(&effect);
    if (!submitted) continue;
    JobSnapshot job;
    job.id = submitted->id;
    job.phase = JobPhase::kDone;
    job.result = result_of(submitted->request);
    Effects more;
    update(state, job, more);
    finish_jobs(state, more);
  }
}

InputEvent event_of(FuzzInput& input) {
  const int64_t kind = input.below(16);
  const auto number = [&](int64_t bound) { return static_cast<int>(input.below(bound)); };
  if (kind == 0) {
    const int width = number(250);
    return ResizeEvent{width, number(90)};
  }
  if (kind < 3) {
    const auto button = static_cast<MouseEvent::Kind>(number(5));
    const int x = number(250);
    return MouseEvent{button, x, number(90)};
  }
  if (kind < 6) return Key{keys::kEnter.code + static_cast<char32_t>(number(15))};
  return Key{static_cast<char32_t>(1 + number(0x17F))};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const State begin = test_state();
  State state = begin;
  FuzzInput input(data, size);
  for (int step = 0; step < 200 && !input.empty(); ++step) {
    Effects effects;
    update(state, event_of(input), effects);
    finish_jobs(state, effects);
    const Grid grid = draw(state);
    TW_CHECK(grid.width() == state.width && grid.height() == state.height, "the screen is whole");
    TW_CHECK(state.pane().pane < static_cast<int>(info_of(state.screen).panes.size()),
             "the focus is on a pane");
  }
  return 0;
}
