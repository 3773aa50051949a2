#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "simulator/detailed.h"
#include "simulator/serial_order.h"

// What leaves the timing model: events, the result, the report of a deadlock; and the upkeep of the
// log that the critical path is read from.

namespace tilewright {

void DetailedTiming::compact_log() {
  std::vector<PathLog::Moment*> live = {&last_};
  std::vector<int32_t*> open;
  for (Core& core : cores_) {
    live.push_back(&core.issue_from);
    for (PipeState& pipe : core.pipes) {
      live.push_back(&pipe.last);
      if (pipe.in_flight) open.push_back(&pipe.record);
    }
  }
  const auto add = [&](PathLog::Moment& moment) { live.push_back(&moment); };
  for (Entry& entry : queues_) add(entry.from);
  for (LocalFlag& flag : local_flags_) flag.for_each_moment(add);
  for (auto& groups : shared_) {
    for (SharedFlag& flag : groups) flag.for_each_moment(add);
  }
  const std::vector<int32_t> old_numbers = log_.compact(live, open);
  if (!sink_) return;
  std::vector<int64_t> events;
  for (int32_t record : old_numbers)
    events.push_back(event_of_record_[static_cast<size_t>(record)]);
  event_of_record_ = std::move(events);
}

TimelineLanes DetailedTiming::lanes() const {
  TimelineLanes lanes;
  const int chips = chip_count(launch_);
  for (size_t c = 0; c < cores_.size(); ++c) {
    const CoreProgram& program = *cores_[c].program;
    const std::string chip = chips > 1 ? fmt::format("chip {} ", program.chip) : "";
    lanes.cores.push_back(fmt::format("{}{} {}.{}", chip, name_of(program.kind), program.group, c));
  }
  lanes.names = cache_.names();
  for (const Flag& flag : launch_.flags) lanes.flags.push_back(flag.name);
  lanes.ticks_per_us = static_cast<double>(kTicksPerCycle) * machine_.cores.clock_mhz;
  return lanes;
}

void DetailedTiming::begin_event(const Entry& entry, const Core& core, Pipe pipe,
                                 const Start& start, int32_t record) {
  TimelineEvent event;
  event.id = events_++;
  event.start = start.time;
  event.core = core.id;
  event.pipe = pipe;
  event.reason = start.reason;
  event.flag = start.flag;
  event.predecessor = event_of_record_[static_cast<size_t>(PathLog::record_of(start.from))];
  if (event.predecessor < 0 && start.reason == StartReason::kPipe) {
    event.reason = StartReason::kLaunch;
  }
  event.name = entry.step->name;
  event.task = entry.task;
  event.iteration = entry.iteration;
  open_events_[static_cast<size_t>(core.id)][static_cast<size_t>(pipe)] = event;
  TW_CHECK(static_cast<size_t>(record) == event_of_record_.size(), "records come in order");
  event_of_record_.push_back(event.id);
}

void DetailedTiming::end_event(const Core& core, Pipe pipe, int64_t end, int64_t bytes,
                               int64_t flops, const PathLog::Parts& parts) {
  TimelineEvent& event = open_events_[static_cast<size_t>(core.id)][static_cast<size_t>(pipe)];
  event.end = end;
  event.bytes = bytes;
  event.flops = flops;
  event.l2_ticks = parts.l2;
  event.hbm_ticks = parts.hbm;
  event.conflict_ticks = parts.conflict;
  event.link_ticks = parts.link;
  sink_->add(event);
}

void DetailedTiming::report_deadlock() const {
  // The serial order tells which instruction is stuck by itself and which only behind it.
  const std::vector<SerialStep> stuck = walk_in_order(launch_, [](const SerialStep&) {});
  if (stuck.empty()) {
    throw Error(
        ErrorKind::kFailed,
        fmt::format("launch {}: deadlock: its pipes wait for each other although its serial "
                    "order runs through",
                    launch_.name));
  }
  const SerialStep& step = stuck.front();
  std::string flags;
  for (const FlagUse& use : step.instruction->waits) {
    if (!step.applies(use)) continue;
    flags += (flags.empty() ? "" : ", ") + launch_.flags[static_cast<size_t>(use.flag)].name;
  }
  throw Error(ErrorKind::kFailed,
              fmt::format("launch {}: deadlock: core {} stands at {} of task {}, iteration {}, "
                          "waiting for flag {} that nobody sets",
                          launch_.name, step.core,
                          describe(launch_, step.template_id, step.section, step.position),
                          step.task, step.index, flags));
}

void DetailedTiming::add_engine(Core& core, TimingResult& result) const {
  const PipeState& pipe = core.pipes[static_cast<size_t>(core.work)];
  core.engine[Cause::launch().id()] += launch_ticks_;
  core.engine[Cause::busy(core.work).id()] += pipe.busy;
  core.engine[Cause::drain().id()] += core.counters.end_ticks - pipe.free_time;
  core.engine[Cause::tail().id()] += result.ticks - core.counters.end_ticks;
  int64_t sum = 0;
  for (size_t i = 0; i < core.engine.size(); ++i) {
    sum += core.engine[i];
    result.engine.ticks[i] += core.engine[i];
  }
  TW_CHECK(sum == result.ticks, "every cycle of the working pipe has one cause");
}

TimingResult DetailedTiming::result() {
  TimingResult result;
  // What was stored on other chips last may still be on its way.
  result.ticks = std::max(last_end_, memory_.last_arrival());
  result.chips = chip_count(launch_);
  result.memory = memory_.counters();
  const PathLog::Ticks path = log_.path_to(last_);
  std::copy(path.begin(), path.end(), result.critical_path.ticks.begin());
  result.critical_path.add(Cause::link(), result.ticks - last_end_);
  TW_CHECK(result.critical_path.total() == result.ticks, "the critical path sums to the time");

  int64_t working = 0;
  int64_t loaded = 0;
  int64_t stored = 0;
  for (Core& core : cores_) {
    for (size_t p = 0; p < core.pipes.size(); ++p) {
      const PipeState& pipe = core.pipes[p];
      if (pipe.count > 0) report_deadlock();
      core.counters.busy_ticks[p] = pipe.busy;
      core.counters.wait_ticks[p] = pipe.waited;
      core.counters.instructions[p] = pipe.instructions;
      TW_CHECK(launch_ticks_ + pipe.busy + pipe.waited == pipe.free_time,
               "a pipe is busy or waits");
    }
    loaded += core.counters.load_bytes;
    stored += core.counters.store_bytes;
    if (core.pipes[static_cast<size_t>(core.work)].ran()) {
      ++working;
      add_engine(core, result);
    }
    result.cores.push_back(core.counters);
  }
  TW_CHECK(loaded == result.memory.l2_read_bytes && stored == result.memory.l2_write_bytes,
           "what cores move is what the memory moves");
  memory_.check_conservation();
  for (int64_t& ticks : result.engine.ticks) ticks /= std::max<int64_t>(1, working);
  if (sink_) sink_->finish();
  return result;
}

}  // namespace tilewright
