#include "app/tui/timeline/timeline_data.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "app/cli/problem_arguments.h"
#include "app/tui/progress_sink.h"
#include "kernels/kernel.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

/// Of the pipes that compute the busier one, else the busiest of all: by the mean of its lanes.
Pipe find_main_pipe(const TimelineIndex& index) {
  std::array<double, kPipeCount> busy{};
  for (int pipe = 0; pipe < kPipeCount; ++pipe) {
    const std::vector<int> lanes = index.lanes_of({static_cast<Pipe>(pipe)});
    double& sum = busy[static_cast<size_t>(pipe)];
    for (const int lane : lanes) {
      const LaneEvents& events = index.lane(lane).events;
      sum += static_cast<double>(events.busy(0, events.size()));
    }
    if (!lanes.empty()) sum /= static_cast<double>(lanes.size());
  }
  const double cube = busy[static_cast<size_t>(Pipe::kCube)];
  const double vec = busy[static_cast<size_t>(Pipe::kVec)];
  if (cube + vec > 0) return cube >= vec ? Pipe::kCube : Pipe::kVec;
  return static_cast<Pipe>(std::ranges::max_element(busy) - busy.begin());
}

/// Where the launch begins to work at full width, and where it ceases to.
void find_phases(TimelineData& data) {
  data.fill_end = data.end();
  data.tail_begin = data.end();
  for (const int lane : data.main_lanes) {
    const LaneEvents& events = data.index.lane(lane).events;
    data.fill_end = std::min(data.fill_end, events.start(0));
    data.tail_begin = std::min(data.tail_begin, events.end(events.size() - 1));
  }
  data.tail_begin = std::max(data.tail_begin, data.fill_end);
}

/// The path's steps as events, cut to the time that the path is on them.
TimelineIndex index_of_path(const TimelineIndex& index, const TimelinePath& path) {
  TimelineLanes lanes;
  lanes.cores = {"path"};
  lanes.names = {"step"};
  lanes.ticks_per_us = index.names().ticks_per_us;
  TimelineIndex steps;
  steps.begin(lanes);
  int64_t id = 0;
  for (const PathStep& step : path.steps()) {
    const TimelineEvent on = index.event(step.id);
    TimelineEvent event;
    event.id = id++;
    event.start = on.start;
    event.end = on.start + step.busy;
    event.pipe = on.pipe;
    steps.add(event);
  }
  steps.finish();
  return steps;
}

struct FirstEvents {
  std::vector<int64_t> of_share;
  std::vector<int64_t> of_wait;
};

/// The first event of each row of the path's summary.
FirstEvents first_events(const TimelineData& data) {
  const TimelinePath& path = data.path;
  FirstEvents first{std::vector<int64_t>(path.shares().size(), -1),
                    std::vector<int64_t>(path.waits().size(), -1)};
  const auto note = [](std::vector<int64_t>& list, auto place, int64_t id) {
    int64_t& event = list[static_cast<size_t>(place)];
    if (event < 0) event = id;
  };
  for (const PathStep& step : path.steps()) {
    const TimelineEvent event = data.index.event(step.id);
    const auto share = std::ranges::find_if(path.shares(), [&](const PathShare& one) {
      return one.pipe == event.pipe && one.name == event.name;
    });
    note(first.of_share, share - path.shares().begin(), step.id);
    if (step.waited == 0) continue;
    const bool is_first = &step == &path.steps().front();
    const IdleCause cause = is_first ? IdleCause::kLaunch : idle_cause(event.reason);
    const auto wait = std::ranges::find_if(path.waits(), [&](const PathWait& one) {
      return one.cause == cause && (cause != IdleCause::kFlag || one.flag == event.flag);
    });
    note(first.of_wait, wait - path.waits().begin(), step.id);
  }
  return first;
}

std::vector<PathRow> rows_of_path(const TimelineData& data) {
  const TimelineLanes& names = data.index.names();
  const FirstEvents first = first_events(data);
  std::vector<PathRow> rows;
  for (size_t i = 0; i < data.path.shares().size(); ++i) {
    const PathShare& share = data.path.shares()[i];
    rows.push_back({std::string(name_of(share.pipe)), names.names[static_cast<size_t>(share.name)],
                    share.count, share.ticks, first.of_share[i]});
  }
  for (size_t i = 0; i < data.path.waits().size(); ++i) {
    const PathWait& wait = data.path.waits()[i];
    std::string what = "until " + std::string(name_of(wait.cause));
    if (wait.cause == IdleCause::kFlag) what += " " + names.flags[static_cast<size_t>(wait.flag)];
    rows.push_back({"-", what, wait.count, wait.ticks, first.of_wait[i]});
  }
  std::ranges::stable_sort(rows, std::greater(), &PathRow::ticks);
  return rows;
}

}  // namespace

bool TimelineData::is_on_path(int lane, int64_t first, int64_t last) const {
  const std::vector<int64_t>& positions = path_positions[static_cast<size_t>(lane)];
  const auto at = std::ranges::lower_bound(positions, first);
  return at != positions.end() && *at < last;
}

std::shared_ptr<const TimelineData> make_timeline(KernelRequest request, std::string name,
                                                  TimelineIndex index) {
  auto data = std::make_shared<TimelineData>();
  data->request = std::move(request);
  data->name = std::move(name);
  data->index = std::move(index);
  data->path = critical_path(data->index);
  data->path_positions.resize(data->index.lanes().size());
  for (const PathStep& step : data->path.steps()) {
    const EventPlace place = data->index.place(step.id);
    data->path_positions[static_cast<size_t>(place.lane)].push_back(place.position);
  }
  data->main_pipe = find_main_pipe(data->index);
  data->main_lanes = data->index.lanes_of({data->main_pipe});
  find_phases(*data);
  data->path_index = index_of_path(data->index, data->path);
  data->path_rows = rows_of_path(*data);
  const Machine& machine = data->request.machine->machine;
  const double ticks_per_second = machine.cores.clock_mhz * 1e6 * kTicksPerCycle;
  data->cube_flops_per_tick = machine.peak_flops(data->request.problem.types.at(0)) /
                              static_cast<double>(machine.cores.aic) / ticks_per_second;
  return data;
}

std::shared_ptr<const TimelineData> load_timeline(const KernelRequest& request,
                                                  const JobProgress& progress) {
  const Machine& machine = request.machine->machine;
  const Kernel& kernel = find_kernel(request.problem.kernel);
  const Launch launch = build_launch(kernel, request.problem, request.config, machine);
  TimelineIndex index;
  ProgressSink watch(progress, launch);
  TeeSink both(index, watch);
  progress.at(0);
  time_detailed(launch, machine, &both);
  return make_timeline(request, launch.name, std::move(index));
}

std::string_view name_of(AreaGrouping grouping) {
  constexpr std::array<std::string_view, kAreaGroupings> kNames = {"pipe", "instruction", "task",
                                                                   "cause"};
  return kNames[static_cast<size_t>(grouping)];
}

std::shared_ptr<const AreaData> area_data(const TimelineIndex& index, TimelineArea area,
                                          AreaGrouping grouping) {
  auto data = std::make_shared<AreaData>();
  data->pipes = area_statistics(index, area);
  if (grouping == AreaGrouping::kInstruction) {
    data->groups = group_area(index, area, GroupBy::kInstruction);
  } else if (grouping == AreaGrouping::kTask) {
    data->groups = group_area(index, area, GroupBy::kTask);
  } else if (grouping == AreaGrouping::kCause) {
    data->groups = group_area(index, area, GroupBy::kCause);
  }
  data->area = std::move(area);
  data->grouping = grouping;
  return data;
}

int64_t events_in(const TimelineIndex& index, const TimelineArea& area) {
  int64_t count = 0;
  for (const int lane : area.lanes) {
    const LaneEvents& events = index.lane(lane).events;
    count += events.first_from(area.to) - events.first_from(area.from);
  }
  return count;
}

}  // namespace tilewright
