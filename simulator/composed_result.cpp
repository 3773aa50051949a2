#include <algorithm>

#include "core/base/error.h"
#include "simulator/composed.h"

// What composed timing says of a run: the log of stretches of work that the critical path is read
// from, busy and waiting time by cause, and the result.

namespace tilewright {

void ComposedTiming::ended(PathLog::Moment moment, int64_t time) {
  if (time <= last_end_) return;
  last_end_ = time;
  last_ = moment;
}

void ComposedTiming::account_repeats(Core& core, const BlockRun& run, int64_t count,
                                     int64_t moves_free, int64_t cube_free) {
  const LocalBlock& block = section_of(core).block;
  for (size_t pipe : {kMte1, kCube}) {
    core.counters.instructions[pipe] += count * block.instructions()[pipe];
  }
  const int64_t moves = count * block.busy()[kMte1];
  core.counters.busy_ticks[kMte1] += moves;
  core.counters.wait_ticks[kMte1] += core.state.free[kMte1] - moves_free - moves;
  core.counters.flops += count * block.flops();
  if (run.work_start < 0) return;
  const int64_t busy = count * (run.work_end - run.work_start - run.waited);
  const int64_t waits = run.work_end - cube_free - busy;
  core.engine[cause_of(run.reason).id()] += waits - count * run.waited;
  core.engine[cause_of(run.waited_for).id()] += count * run.waited;
  core.counters.busy_ticks[kCube] += busy;
  core.counters.wait_ticks[kCube] += waits;
  core.counters.end_ticks = std::max({core.counters.end_ticks, run.work_end, core.load_free});
  extend_working(core, run, true, cube_free);
}

Cause ComposedTiming::cause_of(int32_t flag) const {
  if (flag < 0) return Cause::issue();
  const Flag& waited_for = launch_.flags[static_cast<size_t>(flag)];
  return waited_for.meaning == FlagMeaning::kSpace
             ? Cause::wait_space(waited_for.space)
             : Cause::wait_data(flag_setters_[static_cast<size_t>(flag)]);
}

void ComposedTiming::account_block(Core& core, const BlockRun& run, int64_t cube_free) {
  const int64_t gap = run.work_start - cube_free;
  const int64_t busy = run.work_end - run.work_start - run.waited;
  if (gap > 0) {
    const bool first = core.counters.busy_ticks[kCube] == 0;
    core.engine[(first ? Cause::fill() : cause_of(run.reason)).id()] += gap;
  }
  if (run.waited > 0) core.engine[cause_of(run.waited_for).id()] += run.waited;
  core.counters.busy_ticks[kCube] += busy;
  core.counters.wait_ticks[kCube] += gap + run.waited;
}

void ComposedTiming::extend_working(Core& core, const BlockRun& run, bool after_load,
                                    int64_t cube_free) {
  const int64_t products = run.work_end - run.work_start - run.waited;
  Stretch& working = core.working;
  if (run.work_start > cube_free) {
    const bool after_drain =
        run.reason >= 0 && roles_[static_cast<size_t>(run.reason)] == FlagRole::kDrained;
    if (after_drain) {
      log_stretches(core);
      working = {
          true, std::max(log_.time_of(core.drained), cube_free), 0, 0, core.drained, false, 0, {}};
    } else if (after_load) {
      // What the cube did before no longer matters.
      if (working.open) core.worked_before = core.worked;
      working = {true, std::max(core.load_free, cube_free), 0, 0, 0, true, core.load_free, {}};
    }
  }
  if (!working.open) working = {true, cube_free, 0, 0, core.worked, false, 0, {}};
  working.end = run.work_end;
  working.products += products;
}

void ComposedTiming::log_loading(Core& core, int64_t time) {
  Stretch& loading = core.loading;
  if (!loading.open || time <= loading.start) return;
  const int64_t whole = loading.end - loading.start;
  const int64_t part = time - loading.start;
  const auto of_part = [&](int64_t ticks) { return part == whole ? ticks : ticks * part / whole; };
  const PathLog::Parts parts{of_part(loading.parts.l2), of_part(loading.parts.hbm),
                             of_part(loading.parts.conflict)};
  const int32_t record =
      log_.begin(loading.start, loading.from, Cause::busy(Pipe::kMte1), Pipe::kMte2);
  log_.end(record, time, parts);
  core.loaded = PathLog::end_of(record);
  ended(core.loaded, time);
  loading.start = time;
  loading.from = core.loaded;
  loading.parts.l2 -= parts.l2;
  loading.parts.hbm -= parts.hbm;
  loading.parts.conflict -= parts.conflict;
  loading.open = time < loading.end;
}

void ComposedTiming::log_stretches(Core& core) {
  Stretch& working = core.working;
  if (working.open) {
    if (working.after_load) {
      log_loading(core, working.loaded_at);
      working.from = core.loaded;
    }
    // What is not the cube's own time until the end is the moves'.
    const int64_t middle = std::max(working.start, working.end - working.products);
    if (middle > working.start) {
      const int32_t moves = log_.begin(working.start, working.from, Cause::issue(), Pipe::kMte1);
      log_.end(moves, middle);
      working.from = PathLog::end_of(moves);
    }
    const int32_t record = log_.begin(middle, working.from, Cause::issue(), Pipe::kCube);
    log_.end(record, working.end);
    core.worked_before = core.worked;
    core.worked = PathLog::end_of(record);
    ended(core.worked, working.end);
    working.open = false;
  }
  log_loading(core, core.loading.end);
}

void ComposedTiming::compact_log() {
  std::vector<PathLog::Moment*> live = {&last_};
  for (Core& core : cores_) {
    live.insert(live.end(), {&core.loaded, &core.worked, &core.worked_before, &core.drained});
  }
  log_.compact(live, {});
}

TimingResult ComposedTiming::result() {
  TimingResult result;
  result.merged_iterations = most_merged_;
  result.memory = memory_->counters();
  const PathLog::Ticks path = log_.path_to(last_);
  std::copy(path.begin(), path.end(), result.critical_path.ticks.begin());
  // The last stores may have met others on the L2 port.
  result.ticks = std::max(last_end_, drain_end_);
  result.critical_path.add(Cause::l2(), result.ticks - last_end_);
  TW_CHECK(result.critical_path.total() == result.ticks, "the critical path sums to the time");

  int64_t working = 0;
  for (Core& core : cores_) {
    result.cores.push_back(core.counters);
    if (core.counters.busy_ticks[kCube] == 0) continue;
    ++working;
    core.engine[Cause::launch().id()] += launch_ticks_;
    core.engine[Cause::busy(Pipe::kCube).id()] += core.counters.busy_ticks[kCube];
    core.engine[Cause::drain().id()] += core.counters.end_ticks - core.state.free[kCube];
    core.engine[Cause::tail().id()] += result.ticks - core.counters.end_ticks;
    int64_t sum = 0;
    for (size_t i = 0; i < core.engine.size(); ++i) {
      sum += core.engine[i];
      result.engine.ticks[i] += core.engine[i];
    }
    TW_CHECK(sum == result.ticks, "every cycle of the cube has one cause");
  }
  for (int64_t& ticks : result.engine.ticks) ticks /= std::max<int64_t>(1, working);
  memory_->check_conservation();
  return result;
}

}  // namespace tilewright
