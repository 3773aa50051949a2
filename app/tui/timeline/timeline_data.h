#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/tui/jobs.h"
#include "app/tui/kernel_request.h"
#include "core/timeline/timeline_area.h"
#include "core/timeline/timeline_index.h"
#include "core/timeline/timeline_path.h"

namespace tilewright {

/// A line of the critical path's summary: time on an instruction, or between instructions.
struct PathRow {
  std::string pipe;  ///< "-" for waits
  std::string what;
  int64_t count = 0;
  int64_t ticks = 0;
  int64_t first_event = -1;  ///< the first on the path that the row counts
};

/// Everything that the Timeline shows of one launch. Never changed once it is made.
struct TimelineData {
  KernelRequest request;
  std::string name;  ///< of the launch
  TimelineIndex index;
  TimelinePath path{index, -1};    ///< critical: to the event that ends last
  std::vector<PathRow> path_rows;  ///< longest first; their ticks sum to the end of the launch
  /// Positions of the path's events on each lane, ascending.
  std::vector<std::vector<int64_t>> path_positions;
  TimelineIndex path_index;        ///< the path alone, as one core with a lane for each pipe
  Pipe main_pipe = Pipe::kCube;    ///< that computes most: cube or vector unit
  std::vector<int> main_lanes;     ///< of that pipe on all cores
  int64_t fill_end = 0;            ///< when the main pipe first starts on some core
  int64_t tail_begin = 0;          ///< when the first core's main pipe is done
  double cube_flops_per_tick = 0;  ///< peak of one core for the problem's operands

  int64_t end() const { return index.end(); }
  bool is_on_path(int lane, int64_t first, int64_t last) const;
};

/// Adds to an index of events what the screen shows beside them.
std::shared_ptr<const TimelineData> make_timeline(KernelRequest request, std::string name,
                                                  TimelineIndex index);

/// Simulates a kernel in detail and indexes its events. Error (usage, failed) as build_launch and
/// TimelineIndex; JobCancelled.
std::shared_ptr<const TimelineData> load_timeline(const KernelRequest& request,
                                                  const JobProgress& progress);

/// How the statistics of an area are listed.
enum class AreaGrouping : uint8_t { kPipe, kInstruction, kTask, kCause };
constexpr int kAreaGroupings = 4;
/// "pipe", "instruction", "task", "cause".
std::string_view name_of(AreaGrouping grouping);

/// Statistics of an area: what an AreaJob finds.
struct AreaData {
  TimelineArea area;
  AreaGrouping grouping = AreaGrouping::kPipe;
  std::vector<PipeStatistics> pipes;
  std::vector<EventGroup> groups;  ///< empty when listed by pipe
};

/// Costs up to some 100 ns an event of the area.
std::shared_ptr<const AreaData> area_data(const TimelineIndex& index, TimelineArea area,
                                          AreaGrouping grouping);

/// Events that start in an area.
int64_t events_in(const TimelineIndex& index, const TimelineArea& area);

}  // namespace tilewright
