// Frames of the Timeline screen over more than a million events: a state becomes a grid of 120x40.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <string_view>

#include "app/tui/screen.h"
#include "app/tui/timeline/timeline_screen.h"
#include "simulator/timing.h"
#include "tests/bench/launches.h"

namespace tilewright {
namespace {

std::shared_ptr<const TimelineData> long_timeline() {
  constexpr int64_t kSize = 9216;
  static const std::shared_ptr<const TimelineData> data = [] {
    KernelRequest request;
    request.machine =
        std::make_shared<const NamedMachine>(NamedMachine{"ascend-910b2", bench_machine()});
    request.problem = gemm_cube(kSize, "f16");
    request.config = find_kernel("gemm").default_config(request.problem, bench_machine());
    TimelineIndex index;
    time_detailed(gemm_launch(kSize, "f16"), bench_machine(), &index);
    return make_timeline(std::move(request), "gemm", std::move(index));
  }();
  return data;
}

void press(State& state, char32_t key) {
  Effects effects;
  update(state, InputEvent(Key{key}), effects);
}

State long_state() {
  State state;
  state.width = 120;
  state.height = 40;
  state.look.glyphs = GlyphSet::kUnicode;
  state.machine = long_timeline()->request.machine;
  Effects effects;
  open_timeline(state, long_timeline()->request, effects);
  JobSnapshot done = state.jobs.front();
  done.phase = JobPhase::kDone;
  done.result = long_timeline();
  update(state, done, effects);
  return state;
}

/// After so many steps of zooming in at an event, with the critical path marked and all cores open,
/// which is the most that a screen can hold.
void TimelineScreenDraw(benchmark::State& bench) {
  State state = long_state();
  for (const char32_t key : U"]OC") {
    if (key != 0) press(state, key);
  }
  for (int64_t i = 0; i < bench.range(0); ++i) press(state, U'w');
  for (auto _ : bench) benchmark::DoNotOptimize(draw(state));
  bench.counters["events"] = static_cast<double>(long_timeline()->index.event_count());
}
BENCHMARK(TimelineScreenDraw)->DenseRange(0, 20, 4)->Unit(benchmark::kMillisecond);

/// The folded cores at the whole launch: the summary of the rest reads every lane.
void TimelineScreenDrawFolded(benchmark::State& bench) {
  const State state = long_state();
  for (auto _ : bench) benchmark::DoNotOptimize(draw(state));
}
BENCHMARK(TimelineScreenDrawFolded)->Unit(benchmark::kMillisecond);

/// A key that is held down: what it changes, and the frame that follows.
void TimelineScreenPan(benchmark::State& bench) {
  State state = long_state();
  for (int64_t i = 0; i < bench.range(0); ++i) press(state, U'w');
  bool to_right = true;
  for (auto _ : bench) {
    const TimeZoom before = state.timeline.zoom;
    press(state, to_right ? U'd' : U'a');
    if (state.timeline.zoom == before) to_right = !to_right;
    benchmark::DoNotOptimize(draw(state));
  }
}
BENCHMARK(TimelineScreenPan)->Arg(1)->Arg(4)->Arg(8)->Arg(16)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tilewright
