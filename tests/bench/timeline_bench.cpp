// The queries behind one frame of the Timeline screen over more than a million events, and what it
// costs to keep the events at all.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/timeline/timeline_area.h"
#include "core/timeline/timeline_cells.h"
#include "core/timeline/timeline_index.h"
#include "core/timeline/timeline_path.h"
#include "core/timeline/timeline_search.h"
#include "simulator/timing.h"
#include "tests/bench/launches.h"

namespace tilewright {
namespace {

/// More than a million instructions.
const Launch& long_launch() {
  static const Launch launch = gemm_launch(9216, "f16");
  return launch;
}

const TimelineIndex& long_index() {
  static const TimelineIndex index = [] {
    TimelineIndex events;
    time_detailed(long_launch(), bench_machine(), &events);
    return events;
  }();
  return index;
}

void count_events(benchmark::State& state) {
  const TimelineIndex& index = long_index();
  state.counters["events"] = static_cast<double>(index.event_count());
  state.counters["lanes"] = static_cast<double>(index.lanes().size());
  state.counters["bytes/event"] =
      static_cast<double>(index.memory_bytes()) / static_cast<double>(index.event_count());
}

void TimelineSimulateWithoutEvents(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(time_detailed(long_launch(), bench_machine()).ticks);
  }
}
BENCHMARK(TimelineSimulateWithoutEvents)->Unit(benchmark::kMillisecond);

void TimelineSimulateIntoIndex(benchmark::State& state) {
  for (auto _ : state) {
    TimelineIndex index;
    benchmark::DoNotOptimize(time_detailed(long_launch(), bench_machine(), &index).ticks);
  }
}
BENCHMARK(TimelineSimulateIntoIndex)->Unit(benchmark::kMillisecond);

void TimelineBuildIndex(benchmark::State& state) {
  Timeline events;
  time_detailed(long_launch(), bench_machine(), &events);
  for (auto _ : state) {
    TimelineIndex index;
    index.begin(events.lanes);
    for (const TimelineEvent& event : events.events) index.add(event);
    index.finish();
    benchmark::DoNotOptimize(index.event_count());
  }
  count_events(state);
}
BENCHMARK(TimelineBuildIndex)->Unit(benchmark::kMillisecond);

/// Everything on a screen of 120x40: the overview, 40 lanes, the folded rest, loads and stores; in
/// a window of 1/zoom of the launch.
void TimelineFrame(benchmark::State& state) {
  const TimelineIndex& index = long_index();
  const int64_t width = index.end() / state.range(0);
  const int64_t from = (index.end() - width) / 2;
  const CellRange overview(0, index.end(), 118);
  const CellRange window(from, from + width, 100);
  const std::vector<int> all = index.all_lanes();
  for (auto _ : state) {
    benchmark::DoNotOptimize(group_cells(index, all, overview));
    for (size_t lane = 0; lane < 40; ++lane) {
      benchmark::DoNotOptimize(lane_cells(index.lanes()[lane].events, window));
    }
    benchmark::DoNotOptimize(group_cells(index, all, window));
    benchmark::DoNotOptimize(byte_rates(index, index.load_lanes(), window));
    benchmark::DoNotOptimize(byte_rates(index, index.store_lanes(), window));
  }
  count_events(state);
}
BENCHMARK(TimelineFrame)->RangeMultiplier(100)->Range(1, 1'000'000)->Unit(benchmark::kMicrosecond);

void TimelineAreaOfEverything(benchmark::State& state) {
  const TimelineArea area = TimelineArea::whole(long_index());
  for (auto _ : state) benchmark::DoNotOptimize(area_statistics(long_index(), area));
  count_events(state);
}
BENCHMARK(TimelineAreaOfEverything)->Unit(benchmark::kMillisecond);

void TimelineGroupsOfEverything(benchmark::State& state) {
  const TimelineArea area = TimelineArea::whole(long_index());
  const auto by = static_cast<GroupBy>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(group_area(long_index(), area, by));
}
BENCHMARK(TimelineGroupsOfEverything)
    ->DenseRange(static_cast<int>(GroupBy::kInstruction), static_cast<int>(GroupBy::kCause))
    ->Unit(benchmark::kMillisecond);

void TimelineCriticalPath(benchmark::State& state) {
  size_t steps = 0;
  for (auto _ : state) {
    const TimelinePath path = critical_path(long_index());
    steps = path.steps().size();
  }
  state.counters["steps"] = static_cast<double>(steps);
}
BENCHMARK(TimelineCriticalPath)->Unit(benchmark::kMillisecond);

/// The name with the fewest events, from both ends: the search passes most others.
std::string rarest_name(const TimelineIndex& index) {
  std::map<int32_t, int64_t> counts;
  for (const TimelineLane& lane : index.lanes()) {
    for (const LaneEvents::KindCount& entry : lane.events.kinds()) {
      counts[entry.kind.name()] += entry.count;
    }
  }
  const auto rarest =
      std::ranges::min_element(counts, {}, [](const auto& entry) { return entry.second; });
  return index.names().names[static_cast<size_t>(rarest->first)];
}

void TimelineFindRarest(benchmark::State& state) {
  const std::string name = rarest_name(long_index());
  int64_t matches = 0;
  for (auto _ : state) {
    const TimelineSearch search(long_index(), name);
    benchmark::DoNotOptimize(search.next(-1));
    benchmark::DoNotOptimize(search.previous(-1));
    matches = search.count();
  }
  state.counters["matches"] = static_cast<double>(matches);
}
BENCHMARK(TimelineFindRarest)->Unit(benchmark::kMicrosecond);

/// The only match is the first of a million events of one lane, and the search comes from its end.
void TimelineFindFarthest(benchmark::State& state) {
  TimelineLanes lanes;
  lanes.cores = {"AIC 0.0"};
  lanes.names = {"wanted", "other"};
  TimelineIndex index;
  index.begin(lanes);
  for (int64_t id = 0; id < 1'000'000; ++id) {
    TimelineEvent event;
    event.id = id;
    event.start = id * 100;
    event.end = event.start + 70;
    event.name = id == 0 ? 0 : 1;
    index.add(event);
  }
  index.finish();
  for (auto _ : state) benchmark::DoNotOptimize(TimelineSearch(index, "wanted").previous(-1));
}
BENCHMARK(TimelineFindFarthest)->Unit(benchmark::kMicrosecond);

void TimelineWhyNotEarlier(benchmark::State& state) {
  const TimelineIndex& index = long_index();
  int64_t id = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(index.why_not_earlier(id));
    id = (id + 7919) % index.event_count();
  }
}
BENCHMARK(TimelineWhyNotEarlier)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tilewright
