#include "simulator/detailed.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <span>
#include <tuple>

#include "core/base/error.h"
#include "simulator/serial_order.h"

namespace tilewright {

namespace {

Cause cause_of(FlagScope scope) {
  switch (scope) {
    case FlagScope::kCore:
      return Cause::issue();
    case FlagScope::kGroup:
      return Cause::handover();
    case FlagScope::kLaunch:
      return Cause::barrier();
  }
  return Cause::issue();
}

int64_t launch_ticks_of(const Machine& machine) {
  return to_ticks(machine.launch.launch_us * machine.cores.clock_mhz +
                  machine.launch.dispatch_cycles);
}

/// Pipes that run instructions on a core, in the order of the data's way.
std::span<const Pipe> pipes_of(CoreKind kind) {
  static constexpr Pipe kAic[] = {Pipe::kMte2, Pipe::kMte1, Pipe::kCube, Pipe::kFixp};
  static constexpr Pipe kAiv[] = {Pipe::kMte2, Pipe::kVec, Pipe::kMte3};
  return kind == CoreKind::kAic ? std::span<const Pipe>(kAic) : std::span<const Pipe>(kAiv);
}

/// The pipe that does the op's work on cores of this program: the cube, else the vector unit, else
/// the loads.
Pipe work_pipe(const Launch& launch, const CoreProgram& program) {
  bool vector = false;
  for (const CoreProgram::Task& task : program.tasks) {
    const Template& body = launch.templates[static_cast<size_t>(task.template_id)];
    for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
      for (const Instruction& instruction : *list) {
        if (instruction.opcode == Opcode::kMmad) return Pipe::kCube;
        vector = vector || instruction.opcode == Opcode::kVector;
      }
    }
    if (vector) return Pipe::kVec;
  }
  return Pipe::kMte2;
}

}  // namespace

DetailedTiming::DetailedTiming(const Launch& launch, const Machine& machine, Timeline* timeline)
    : launch_(launch),
      machine_(machine),
      timeline_(timeline),
      cache_(launch, machine),
      memory_(launch, machine),
      paths_(launch_ticks_of(machine)),
      launch_ticks_(launch_ticks_of(machine)),
      issue_ticks_(to_ticks(machine.scalar.issue_cycles)),
      flag_ticks_{to_ticks(machine.sync.flag_cycles), to_ticks(machine.sync.handover_cycles),
                  to_ticks(machine.sync.barrier_cycles)},
      cores_(launch.cores.size()),
      last_end_(launch_ticks_) {
  paths_.hold(0);
  const auto depth = static_cast<size_t>(machine.scalar.queue_depth);
  for (size_t c = 0; c < cores_.size(); ++c) {
    Core& core = cores_[c];
    core.program = &launch.cores[c];
    core.counters.kind = core.program->kind;
    core.counters.end_ticks = launch_ticks_;
    core.issue = {launch_ticks_, 0, Cause::issue()};
    core.work = work_pipe(launch, *core.program);
    core.flags.resize(launch.flags.size());
    for (PipeState& pipe : core.pipes) pipe.free_time = launch_ticks_;
    for (Pipe used : pipes_of(core.program->kind)) {
      PipeState& pipe = core.pipes[static_cast<size_t>(used)];
      pipe.queue.resize(depth);
      pipe.slot_free.assign(depth, {0, -1, Cause::issue()});
    }
  }
  set_up_flags();
}

bool DetailedTiming::enter_next_task(Core& core) {
  if (core.steps) ++core.task;
  if (core.task >= core.program->tasks.size()) {
    core.steps = nullptr;
    core.task = core.program->tasks.size();
    return false;
  }
  const CoreProgram::Task& task = core.program->tasks[core.task];
  const Template& body = launch_.templates[static_cast<size_t>(task.template_id)];
  const std::span<const int64_t> bindings(core.program->bindings.data() + task.first_binding,
                                          static_cast<size_t>(body.bindings));
  core.steps = &cache_.resolve(task.template_id, bindings);
  core.count = body.count.at(bindings, launch_.tables, 0);
  if (core.count < 0) {
    throw Error(ErrorKind::kFailed, fmt::format("launch {}: {}: its body runs {} times",
                                                launch_.name, body.name, core.count));
  }
  core.section = 0;
  core.position = 0;
  core.iteration = 0;
  return true;
}

void DetailedTiming::issue(int core_id) {
  Core& core = cores_[static_cast<size_t>(core_id)];
  for (;;) {
    // Find the next instruction in program order.
    while (!core.steps || core.position == core.steps->sections[core.section].size() ||
           (core.section == 1 && core.count == 0)) {
      if (core.steps && core.section == 1 && ++core.iteration < core.count) {
        core.position = 0;
      } else if (core.steps && core.section < 2) {
        ++core.section;
        core.position = 0;
        core.iteration = 0;
      } else if (!enter_next_task(core)) {
        core.may_issue = false;
        return;
      }
    }
    const Step& step = core.steps->sections[core.section][core.position];
    PipeState& pipe = core.pipes[static_cast<size_t>(step.pipe)];
    const auto depth = static_cast<uint32_t>(pipe.queue.size());
    if (pipe.count == depth) {
      core.may_issue = false;
      core.full = step.pipe;
      return;
    }

    PathPool::Stamp& freed = pipe.slot_free[pipe.issued];
    if (freed.time > core.issue.time) {
      // The scalar unit stood still until the queue had room.
      if (freed.node >= 0) {
        paths_.hold(freed.node);
        paths_.release(core.issue.node);
        core.issue = freed;
      } else {
        core.issue.time = freed.time;
      }
    }
    if (++pipe.issued == depth) pipe.issued = 0;
    core.issue.time += issue_ticks_;
    paths_.hold(core.issue.node);
    const bool body = core.section == 1;
    uint32_t slot = pipe.head + pipe.count;
    if (slot >= depth) slot -= depth;
    Entry& entry = pipe.queue[slot];
    entry.step = &step;
    entry.issued = core.issue;
    entry.task = static_cast<int32_t>(core.task);
    entry.iteration = static_cast<int32_t>(core.iteration);
    entry.first = !body || core.iteration == 0;
    entry.last = !body || core.iteration + 1 == core.count;
    if (pipe.count++ == 0 && !pipe.in_flight) core.ready |= 1u << static_cast<unsigned>(step.pipe);
    ++core.position;
  }
}

PathPool::Stamp DetailedTiming::start_of(int core, const Entry& entry, const PipeState& pipe,
                                         Reason& reason) {
  PathPool::Stamp start{pipe.free_time, pipe.free_node, Cause::issue()};
  if (entry.issued.time > start.time) start = entry.issued;
  for (uint8_t i = 0; i < entry.step->wait_count; ++i) {
    const StepFlag& use = entry.step->waits[i];
    if (!applies(use, entry)) continue;
    const FlagSet& set = *find_set(core, use);
    if (set.time + set.latency > start.time) {
      start = {set.time + set.latency, set.node, cause_of(use.scope)};
      reason = {use.flag, set.setter};
    }
  }
  return start;
}

void DetailedTiming::account_gap(Core& core, const PathPool::Stamp& start, int64_t pipe_free,
                                 const Reason& reason) {
  const int64_t gap = start.time - pipe_free;
  if (gap == 0) return;
  PipeState& pipe = core.pipes[static_cast<size_t>(core.work)];
  if (!pipe.ran) {
    core.engine[Cause::fill().id()] += gap;
    return;
  }
  if (reason.flag < 0) {
    core.engine[Cause::issue().id()] += gap;
    return;
  }
  const Flag& flag = launch_.flags[static_cast<size_t>(reason.flag)];
  int64_t waited = gap;
  if (flag.scope != FlagScope::kCore) {
    const int64_t crossing = std::min(gap, flag_ticks_[static_cast<size_t>(flag.scope)]);
    core.engine[cause_of(flag.scope).id()] += crossing;
    waited -= crossing;
  }
  const Cause cause = flag.meaning == FlagMeaning::kSpace ? Cause::wait_space(flag.space)
                                                          : Cause::wait_data(reason.setter);
  core.engine[cause.id()] += waited;
}

void DetailedTiming::pop_entry(PipeState& pipe, const PathPool::Stamp& start) {
  const auto depth = static_cast<uint32_t>(pipe.queue.size());
  paths_.release(pipe.queue[pipe.head].issued.node);
  PathPool::Stamp& freed = pipe.slot_free[pipe.popped];
  if (freed.node >= 0) paths_.release(freed.node);
  freed = start;
  if (pipe.count == depth) {
    paths_.hold(start.node);
  } else {
    freed.node = -1;
  }
  if (++pipe.popped == depth) pipe.popped = 0;
  if (++pipe.head == depth) pipe.head = 0;
  if (--pipe.count == 0) pipe.head = 0;
}

bool DetailedTiming::try_start(int core_id, Pipe pipe_id) {
  Core& core = cores_[static_cast<size_t>(core_id)];
  PipeState& pipe = core.pipes[static_cast<size_t>(pipe_id)];
  if (pipe.count == 0 || pipe.in_flight) return false;
  pipe.missing_flag = missing_flag(core_id, pipe.queue[pipe.head]);
  if (pipe.missing_flag >= 0) return false;
  const Entry entry = pipe.queue[pipe.head];
  Reason reason;
  const PathPool::Stamp start = start_of(core_id, entry, pipe, reason);
  if (pipe_id == core.work) account_gap(core, start, pipe.free_time, reason);
  paths_.hold(start.node);
  pop_entry(pipe, start);
  if (core.full == pipe_id) {
    core.full = Pipe::kScalar;
    core.may_issue = true;
  }
  take_flags(core_id, entry);
  if (entry.step->is_memory) {
    pipe.in_flight = true;
    pipe.streaming = false;
    pipe.current = entry;
    pipe.start = start;
    turns_.push({start.time, core_id, pipe_id, false});
    return true;
  }
  LocalCost cost = entry.step->cost;
  if (entry.step->varies) {
    cost = local_cost(machine_, *entry.step->source,
                      cache_.sizes(*entry.step->source, bindings_of(core, entry), entry.iteration));
  }
  const bool was_empty = !pipe.ran || start.time > pipe.free_time;
  finish(core_id, pipe_id, entry, start, start.time + cost.busy + (was_empty ? cost.head : 0), {});
  return true;
}

void DetailedTiming::finish(int core_id, Pipe pipe_id, const Entry& entry,
                            const PathPool::Stamp& start, int64_t end, const Waits& waits) {
  Core& core = cores_[static_cast<size_t>(core_id)];
  PipeState& pipe = core.pipes[static_cast<size_t>(pipe_id)];
  const int64_t duration = end - start.time;
  paths_.release(start.node);  // the hold of try_start; others keep the node alive until extended
  const int32_t node = paths_.extend(start, pipe.free_node);
  paths_.add(node, Cause::busy(pipe_id), duration - waits.l2_ticks - waits.hbm_ticks);
  if (waits.l2_ticks > 0) paths_.add(node, Cause::l2(), waits.l2_ticks);
  if (waits.hbm_ticks > 0) paths_.add(node, Cause::hbm(), waits.hbm_ticks);
  pipe.free_time = end;
  pipe.free_node = node;
  pipe.ran = true;

  core.counters.busy_ticks[static_cast<size_t>(pipe_id)] += duration;
  ++core.counters.instructions[static_cast<size_t>(pipe_id)];
  core.counters.end_ticks = std::max(core.counters.end_ticks, end);
  if (pipe_id == core.work) core.engine[Cause::busy(pipe_id).id()] += duration;
  const Step& step = *entry.step;
  const int64_t bytes = step.is_memory ? pipe.transfer_bytes : 0;
  (pipe_id == Pipe::kMte2 ? core.counters.load_bytes : core.counters.store_bytes) += bytes;
  int64_t flops = step.flops;
  if (step.varies && !step.is_memory) {
    flops = flops_of(*step.source,
                     cache_.sizes(*step.source, bindings_of(core, entry), entry.iteration));
  }
  core.counters.flops += flops;
  if (end > last_end_) {
    last_end_ = end;
    paths_.hold(node);
    paths_.release(last_node_);
    last_node_ = node;
  }
  if (timeline_) {
    timeline_->events.push_back(
        {start.time, end, core_id, pipe_id, step.name, entry.task, entry.iteration, bytes, flops});
  }
  set_flags(core_id, entry, end, node, step.cost.tail);
}

void DetailedTiming::look_ahead(int core_id) {
  const Core& core = cores_[static_cast<size_t>(core_id)];
  PipeState& pipe = cores_[static_cast<size_t>(core_id)].pipes[static_cast<size_t>(Pipe::kMte2)];
  if (!pipe.in_flight || !pipe.streaming || pipe.count == 0 || pipe.ahead_pending ||
      pipe.ahead >= 0) {
    return;
  }
  const Entry& next = pipe.queue[pipe.head];
  if (missing_flag(core_id, next) >= 0) return;
  const GmAccess access = cache_.access(*next.step, bindings_of(core, next), next.iteration);
  if (memory_.burst_bytes(access) < machine_.mte2.lookahead_burst_bytes) return;
  int64_t time = std::max(pipe.start.time, next.issued.time);
  for (uint8_t i = 0; i < next.step->wait_count; ++i) {
    const StepFlag& use = next.step->waits[i];
    if (!applies(use, next)) continue;
    const FlagSet& set = *find_set(core_id, use);
    time = std::max(time, set.time + set.latency);
  }
  pipe.ahead_pending = true;
  turns_.push({time, core_id, Pipe::kMte2, true});
}

int32_t DetailedTiming::request(const Turn& turn, const Entry& entry) {
  const Core& core = cores_[static_cast<size_t>(turn.core)];
  const GmAccess access = cache_.access(*entry.step, bindings_of(core, entry), entry.iteration);
  const int32_t transfer = memory_.request(access, entry.step->client, turn.time);
  if (static_cast<size_t>(transfer) >= owners_.size()) {
    owners_.resize(static_cast<size_t>(transfer) + 1);
  }
  owners_[static_cast<size_t>(transfer)] = {turn.core, turn.pipe};
  return transfer;
}

void DetailedTiming::take_turn(const Turn& turn) {
  Core& core = cores_[static_cast<size_t>(turn.core)];
  PipeState& pipe = core.pipes[static_cast<size_t>(turn.pipe)];
  if (turn.ahead) {
    pipe.ahead_pending = false;
    // The transfer may meanwhile have started by itself.
    const bool still_waiting = pipe.in_flight && pipe.streaming && pipe.count > 0;
    if (still_waiting) pipe.ahead = request(turn, pipe.queue[pipe.head]);
    return;
  }
  pipe.transfer = pipe.ahead >= 0 ? pipe.ahead : request(turn, pipe.current);
  pipe.ahead = -1;
  pipe.streaming = true;
  pipe.transfer_bytes = memory_.bytes_of_transfer(pipe.transfer);
  memory_.stream(pipe.transfer, turn.time);
  look_ahead(turn.core);
}

void DetailedTiming::transfer_done(const MemorySystem::Done& done) {
  const Owner owner = owners_[static_cast<size_t>(done.transfer)];
  PipeState& pipe = cores_[static_cast<size_t>(owner.core)].pipes[static_cast<size_t>(owner.pipe)];
  const Entry entry = pipe.current;
  // A fixpipe drains L0C at its own pace when GM takes the bytes faster.
  const int64_t end = std::max(done.end, pipe.start.time + entry.step->cost.busy);
  const int64_t slack = end - done.end;
  pipe.in_flight = false;
  pipe.streaming = false;
  cores_[static_cast<size_t>(owner.core)].ready |= 1u << static_cast<unsigned>(owner.pipe);
  finish(owner.core, owner.pipe, entry, pipe.start, end,
         {std::max<int64_t>(0, done.l2_ticks - slack), done.hbm_ticks});
  wake(owner.core);
}

void DetailedTiming::wake(int core) {
  if (cores_[static_cast<size_t>(core)].in_worklist) return;
  cores_[static_cast<size_t>(core)].in_worklist = true;
  worklist_.push_back(core);
}

void DetailedTiming::advance(int core_id) {
  Core& core = cores_[static_cast<size_t>(core_id)];
  while (core.may_issue || core.ready != 0) {
    if (core.may_issue) issue(core_id);
    while (core.ready != 0) {
      const auto pipe = static_cast<Pipe>(std::countr_zero(core.ready));
      core.ready &= core.ready - 1;
      while (try_start(core_id, pipe)) {
      }
    }
  }
  look_ahead(core_id);
}

void DetailedTiming::drain_worklist() {
  while (!worklist_.empty()) {
    const int core = worklist_.back();
    worklist_.pop_back();
    cores_[static_cast<size_t>(core)].in_worklist = false;
    advance(core);
  }
}

TimingResult DetailedTiming::run() {
  for (size_t c = cores_.size(); c-- > 0;) wake(static_cast<int>(c));
  for (;;) {
    drain_worklist();
    const int64_t memory_time = memory_.next_event();
    const int64_t turn_time = turns_.empty() ? SharedPort::kNever : turns_.top().time;
    if (memory_time == SharedPort::kNever && turn_time == SharedPort::kNever) break;
    if (memory_time <= turn_time) {
      const MemorySystem::Done done = memory_.process();
      if (done.transfer >= 0) transfer_done(done);
    } else {
      const Turn turn = turns_.top();
      turns_.pop();
      take_turn(turn);
    }
  }
  return result();
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

TimingResult DetailedTiming::result() {
  TimingResult result;
  result.ticks = last_end_;
  result.memory = memory_.counters();
  const auto& path = paths_.ticks_of(last_node_);
  std::copy(path.begin(), path.end(), result.critical_path.ticks.begin());
  TW_CHECK(result.critical_path.total() == result.ticks, "the critical path sums to the time");

  int64_t working = 0;
  for (Core& core : cores_) {
    for (const PipeState& pipe : core.pipes) {
      if (pipe.count > 0) report_deadlock();
    }
    result.cores.push_back(core.counters);
    const PipeState& pipe = core.pipes[static_cast<size_t>(core.work)];
    if (!pipe.ran) continue;
    ++working;
    core.engine[Cause::launch().id()] += launch_ticks_;
    core.engine[Cause::drain().id()] += core.counters.end_ticks - pipe.free_time;
    core.engine[Cause::tail().id()] += last_end_ - core.counters.end_ticks;
    int64_t sum = 0;
    for (size_t i = 0; i < core.engine.size(); ++i) {
      sum += core.engine[i];
      result.engine.ticks[i] += core.engine[i];
    }
    TW_CHECK(sum == last_end_, "every cycle of the working pipe has one cause");
  }
  for (int64_t& ticks : result.engine.ticks) ticks /= std::max<int64_t>(1, working);
  if (timeline_) {
    for (size_t c = 0; c < cores_.size(); ++c) {
      timeline_->core_names.push_back(
          fmt::format("{} {}.{}", name_of(cores_[c].program->kind), cores_[c].program->group, c));
    }
    timeline_->names = cache_.names();
    timeline_->ticks_per_us = static_cast<double>(kTicksPerCycle) * machine_.cores.clock_mhz;
    std::sort(timeline_->events.begin(), timeline_->events.end(),
              [](const TimelineEvent& a, const TimelineEvent& b) {
                return std::tie(a.end, a.core, a.pipe, a.start) <
                       std::tie(b.end, b.core, b.pipe, b.start);
              });
  }
  return result;
}

TimingResult time_detailed(const Launch& launch, const Machine& machine, Timeline* timeline) {
  validate(launch, machine);
  return DetailedTiming(launch, machine, timeline).run();
}

}  // namespace tilewright
