#include "simulator/detailed.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// Records of the critical path that are kept before they are folded into sums: 4 MiB.
constexpr size_t kLogCapacity = size_t{1} << 17;

Cause cause_of(FlagScope scope) {
  switch (scope) {
    case FlagScope::kCore:
      return Cause::issue();
    case FlagScope::kGroup:
      return Cause::handover();
    case FlagScope::kLaunch:
      return Cause::barrier();
    case FlagScope::kPeer:
      return Cause::link();
  }
  return Cause::issue();
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

DetailedTiming::DetailedTiming(const Launch& launch, const Machine& machine, TimelineSink* sink)
    : launch_(launch),
      machine_(machine),
      sink_(sink),
      cache_(launch, machine),
      memory_(launch, machine),
      launch_ticks_(launch_ticks_of(machine)),
      log_(launch_ticks_, kLogCapacity),
      issue_ticks_(to_ticks(machine.scalar.issue_cycles)),
      depth_(static_cast<uint16_t>(machine.scalar.queue_depth)),
      flag_ticks_{to_ticks(machine.sync.flag_cycles), to_ticks(machine.sync.handover_cycles),
                  to_ticks(machine.sync.barrier_cycles), to_ticks(machine.sync.flag_cycles)},
      cores_(launch.cores.size()),
      last_end_(launch_ticks_) {
  set_up_cores();
  set_up_flags();
  if (sink_) {
    open_events_.resize(cores_.size());
    event_of_record_ = {-1};
    sink_->begin(lanes());
  }
}

void DetailedTiming::set_up_cores() {
  static constexpr std::array kAic = {Pipe::kMte2, Pipe::kMte1, Pipe::kCube, Pipe::kFixp};
  static constexpr std::array kAiv = {Pipe::kMte2, Pipe::kVec, Pipe::kMte3};
  queues_.resize(cores_.size() * kAic.size() * depth_);
  local_flags_.resize(cores_.size() * launch_.flags.size());
  Entry* queue = queues_.data();
  for (size_t c = 0; c < cores_.size(); ++c) {
    Core& core = cores_[c];
    core.id = static_cast<int>(c);
    core.program = &launch_.cores[c];
    core.group = static_cast<size_t>(core.program->chip * machine_.cores.aic + core.program->group);
    core.flags = local_flags_.data() + c * launch_.flags.size();
    core.counters.kind = core.program->kind;
    core.counters.end_ticks = launch_ticks_;
    core.issue_time = launch_ticks_;
    core.work = work_pipe(launch_, *core.program);
    const bool aic = core.program->kind == CoreKind::kAic;
    for (Pipe used : aic ? std::span<const Pipe>(kAic) : std::span<const Pipe>(kAiv)) {
      core.pipes[static_cast<size_t>(used)].queue = queue;
      queue += depth_;
    }
    for (PipeState& pipe : core.pipes) pipe.free_time = launch_ticks_;
  }
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
  const std::span<const int64_t> bindings =
      tilewright::bindings_of(launch_, *core.program, core.task);
  core.steps = &cache_.resolve(task.template_id, bindings);
  core.count = body.count.at(bindings, launch_.tables, 0);
  if (core.count < 0) {
    throw Error(ErrorKind::kFailed, fmt::format("launch {}: {}: its body runs {} times",
                                                launch_.name, body.name, core.count));
  }
  core.section = 0;
  core.iteration = 0;
  return true;
}

void DetailedTiming::enter_iteration(Core& core, int64_t iteration) {
  const std::vector<Step>& steps = core.steps->sections[core.section];
  core.next = steps.data();
  core.section_end = core.next + steps.size();
  core.iteration = iteration;
  core.when = kIsAny;
  const bool body = core.section == 1;
  if (!body || iteration == 0) core.when |= kIsFirst;
  if (!body || iteration + 1 == core.count) core.when |= kIsLast;
}

bool DetailedTiming::enter_next_section(Core& core) {
  for (;;) {
    if (core.steps && core.section == 1 && core.iteration + 1 < core.count) {
      enter_iteration(core, core.iteration + 1);
    } else if (core.steps && core.section < 2) {
      ++core.section;
      enter_iteration(core, 0);
      if (core.section == 1 && core.count == 0) core.next = core.section_end;
    } else if (enter_next_task(core)) {
      enter_iteration(core, 0);
    } else {
      return false;
    }
    if (core.next != core.section_end) return true;
  }
}

void DetailedTiming::issue(Core& core) {
  for (;;) {
    if (core.next == core.section_end && !enter_next_section(core)) {
      core.may_issue = false;
      return;
    }
    const Step& step = *core.next;
    PipeState& pipe = core.pipes[static_cast<size_t>(step.pipe)];
    if (pipe.count == depth_) {
      core.may_issue = false;
      core.full = step.pipe;
      return;
    }
    uint32_t slot = uint32_t{pipe.head} + pipe.count;
    if (slot >= depth_) slot -= depth_;
    Entry& entry = pipe.queue[slot];
    if (entry.time > core.issue_time) {
      // The scalar unit stood still until the queue had room.
      core.issue_time = entry.time;
      core.issue_from = entry.from;
    }
    core.issue_time += issue_ticks_;
    entry.time = core.issue_time;
    entry.step = &step;
    entry.from = core.issue_from;
    entry.task = static_cast<int32_t>(core.task);
    entry.iteration = static_cast<int32_t>(core.iteration);
    entry.when = core.when;
    if (pipe.count++ == 0 && !pipe.in_flight) core.ready |= 1u << static_cast<unsigned>(step.pipe);
    ++core.next;
  }
}

bool DetailedTiming::find_start(Core& core, const Entry& entry, const PipeState& pipe,
                                Start& start) {
  const Step& step = *entry.step;
  start.time = pipe.free_time;
  start.from = pipe.last;
  if (entry.time > start.time) {
    start.time = entry.time;
    start.from = entry.from;
    start.reason = StartReason::kIssue;
  }
  for (uint8_t i = 0; i < step.wait_count; ++i) {
    const StepFlag& use = step.waits[i];
    if ((use.when & entry.when) == 0) continue;
    const FlagSet* set = find_set(core, use);
    if (!set) {
      core.flags[use.flag].wait(1u << static_cast<unsigned>(step.pipe));
      return false;
    }
    if (set->time > start.time) {
      start.time = set->time;
      start.from = set->from;
      start.gap = cause_of(use.scope);
      start.reason = StartReason::kFlag;
      start.flag = use.flag;
      start.setter = set->setter;
    }
  }
  return true;
}

void DetailedTiming::account_gap(Core& core, PipeState& pipe, Pipe id, const Start& start) {
  const int64_t gap = start.time - pipe.free_time;
  if (gap == 0) return;
  pipe.waited += gap;
  if (id != core.work) return;
  if (!pipe.ran()) {
    core.engine[Cause::fill().id()] += gap;
    return;
  }
  if (start.flag < 0) {
    core.engine[Cause::issue().id()] += gap;
    return;
  }
  const Flag& flag = launch_.flags[static_cast<size_t>(start.flag)];
  int64_t waited = gap;
  if (flag.scope != FlagScope::kCore) {
    // From a peer it took as long as from the end of what set the flag until now.
    const int64_t way = flag.scope == FlagScope::kPeer
                            ? start.time - log_.time_of(start.from)
                            : flag_ticks_[static_cast<size_t>(flag.scope)];
    const int64_t crossing = std::min(gap, way);
    core.engine[cause_of(flag.scope).id()] += crossing;
    waited -= crossing;
  }
  const Cause cause = flag.meaning == FlagMeaning::kSpace ? Cause::wait_space(flag.space)
                                                          : Cause::wait_data(start.setter);
  core.engine[cause.id()] += waited;
}

void DetailedTiming::take_flags(Core& core, const Entry& entry) {
  for (uint8_t i = 0; i < entry.step->wait_count; ++i) {
    const StepFlag& use = entry.step->waits[i];
    if ((use.when & entry.when) == 0) continue;
    if (use.local) {
      core.flags[use.flag].pop();
    } else {
      shared_flag(core, use).pop(core.id);
    }
  }
}

void DetailedTiming::set_flags(Core& core, const Entry& entry, int64_t end, int32_t record,
                               int64_t tail) {
  const Step& step = *entry.step;
  for (uint8_t i = 0; i < step.set_count; ++i) {
    const StepFlag& use = step.sets[i];
    if ((use.when & entry.when) == 0) continue;
    const int64_t time = end + tail + flag_ticks_[static_cast<size_t>(use.scope)];
    if (use.scope != FlagScope::kCore) {
      set_far_flag(core, step, use, {time, PathLog::end_of(record), step.pipe});
      continue;
    }
    LocalFlag& flag = core.flags[use.flag];
    if (flag.full()) report_full_flag(core, step, use);
    flag.push(time, PathLog::end_of(record), step.pipe);
    core.ready |= flag.wake();
  }
}

bool DetailedTiming::try_start(Core& core, Pipe pipe_id) {
  PipeState& pipe = core.pipes[static_cast<size_t>(pipe_id)];
  if (pipe.count == 0 || pipe.in_flight) return false;
  Entry& entry = pipe.queue[pipe.head];
  Start start;
  if (!find_start(core, entry, pipe, start)) return false;
  if (log_.full()) {
    compact_log();
    // The moment that the start refers to has a new number.
    start = {};
    find_start(core, entry, pipe, start);
  }
  account_gap(core, pipe, pipe_id, start);
  const bool was_idle = !pipe.ran() || start.time > pipe.free_time;
  const int32_t record = log_.begin(start.time, start.from, start.gap, pipe_id);
  entry.time = start.time;
  entry.from = PathLog::start_of(record);
  if (++pipe.head == depth_) pipe.head = 0;
  --pipe.count;
  if (core.full == pipe_id) {
    core.full = Pipe::kScalar;
    core.may_issue = true;
  }
  take_flags(core, entry);
  if (sink_) begin_event(entry, core, pipe_id, start, record);
  if (entry.step->is_memory) {
    pipe.in_flight = true;
    pipe.streaming = false;
    pipe.current = entry;
    pipe.start = start.time;
    pipe.record = record;
    turns_.push({start.time, core.id, pipe_id, false});
    return true;
  }
  run_local(core, pipe_id, entry, record, start.time, was_idle);
  return true;
}

void DetailedTiming::run_local(Core& core, Pipe pipe_id, const Entry& entry, int32_t record,
                               int64_t start, bool was_idle) {
  const Step& step = *entry.step;
  LocalCost cost = step.cost;
  int64_t flops = step.flops;
  if (step.varies || step.may_conflict) {
    const std::span<const int64_t> bindings = bindings_of(core, entry);
    cost = cache_.cost(step, bindings, entry.iteration);
    flops = cache_.flops(step, bindings, entry.iteration);
  }
  const int64_t end = start + cost.busy + cost.conflict + (was_idle ? cost.head : 0);
  core.counters.flops += flops;
  if (cost.conflict == 0) {
    log_.end(record, end);
  } else {
    log_.end(record, end, {0, 0, cost.conflict});
    if (pipe_id == core.work) {
      core.engine[Cause::conflict().id()] += cost.conflict;
      core.engine[Cause::busy(pipe_id).id()] -= cost.conflict;
    }
  }
  account_end(core, pipe_id, record, start, end);
  if (sink_) end_event(core, pipe_id, end, 0, flops, {0, 0, cost.conflict});
  set_flags(core, entry, end, record, cost.tail);
}

void DetailedTiming::account_end(Core& core, Pipe pipe_id, int32_t record, int64_t start,
                                 int64_t end) {
  PipeState& pipe = core.pipes[static_cast<size_t>(pipe_id)];
  pipe.free_time = end;
  pipe.last = PathLog::end_of(record);
  pipe.busy += end - start;
  ++pipe.instructions;
  if (end > core.counters.end_ticks) core.counters.end_ticks = end;
  if (end > last_end_) {
    last_end_ = end;
    last_ = pipe.last;
  }
}

const DetailedTiming::Entry& DetailedTiming::queued(const PipeState& pipe, uint32_t number) const {
  const uint32_t slot = uint32_t{pipe.head} + number;
  return pipe.queue[slot >= depth_ ? slot - depth_ : slot];
}

void DetailedTiming::look_ahead(int core_id) {
  Core& core = cores_[static_cast<size_t>(core_id)];
  PipeState& pipe = core.pipes[static_cast<size_t>(Pipe::kMte2)];
  if (!pipe.in_flight || !pipe.streaming || pipe.count == 0 || pipe.ahead_pending ||
      pipe.ahead >= 0) {
    return;
  }
  // Long contiguous bursts keep requests going: the next load's, or that of the one behind it.
  uint32_t number = 0;
  if (!queued(pipe, 0).step->ahead) number = 1;
  if (pipe.count <= number || !queued(pipe, number).step->ahead) return;
  // What it waited for may be older than the moment in which it is noticed, when a full queue of
  // another pipe held the core's issue up: memory is not asked in the past.
  int64_t time = std::max(pipe.start, now_);
  for (uint32_t i = 0; i <= number; ++i) {
    const Entry& entry = queued(pipe, i);
    if (!flags_are_set(core, entry)) return;
    time = std::max(time, entry.time);
    for (uint8_t w = 0; w < entry.step->wait_count; ++w) {
      const StepFlag& use = entry.step->waits[w];
      if ((use.when & entry.when) != 0) time = std::max(time, find_set(core, use)->time);
    }
  }
  pipe.ahead_pending = true;
  pipe.ahead_in = static_cast<int32_t>(number) + 1;
  turns_.push({time, core_id, Pipe::kMte2, true});
}

int32_t DetailedTiming::request(const Turn& turn, const Entry& entry) {
  const Core& core = cores_[static_cast<size_t>(turn.core)];
  const GmAccess access = cache_.access(*entry.step, bindings_of(core, entry), entry.iteration);
  const int32_t transfer =
      memory_.request(core.program->chip, access, entry.step->client, turn.time);
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
    const auto number = static_cast<uint32_t>(pipe.ahead_in - 1);
    const bool still_waiting = pipe.in_flight && pipe.streaming && pipe.count > number;
    if (still_waiting) pipe.ahead = request(turn, queued(pipe, number));
    return;
  }
  const bool requested = pipe.ahead >= 0 && --pipe.ahead_in == 0;
  pipe.transfer = requested ? std::exchange(pipe.ahead, -1) : request(turn, pipe.current);
  pipe.streaming = true;
  pipe.bytes = memory_.bytes_of_transfer(pipe.transfer);
  memory_.stream(pipe.transfer, turn.time);
  look_ahead(turn.core);
}

void DetailedTiming::transfer_done(const MemorySystem::Done& done) {
  const Owner owner = owners_[static_cast<size_t>(done.transfer)];
  Core& core = cores_[static_cast<size_t>(owner.core)];
  PipeState& pipe = core.pipes[static_cast<size_t>(owner.pipe)];
  const Entry entry = pipe.current;
  // A fixpipe drains L0C at its own pace when GM takes the bytes faster.
  const int64_t pace = entry.step->cost.busy;
  const int64_t end = std::max(done.end, pipe.start + pace);
  const int64_t slack = end - done.end;
  const PathLog::Parts parts{std::max<int64_t>(0, done.l2_ticks - slack), done.hbm_ticks,
                             done.conflict_ticks, done.link_ticks};
  if (parts.link > 0 && owner.pipe == core.work) {
    core.engine[Cause::link().id()] += parts.link;
    core.engine[Cause::busy(owner.pipe).id()] -= parts.link;
  }
  pipe.in_flight = false;
  pipe.streaming = false;
  core.ready |= 1u << static_cast<unsigned>(owner.pipe);
  (owner.pipe == Pipe::kMte2 ? core.counters.load_bytes : core.counters.store_bytes) += pipe.bytes;
  log_.end(pipe.record, end, parts);
  account_end(core, owner.pipe, pipe.record, pipe.start, end);
  if (sink_) end_event(core, owner.pipe, end, pipe.bytes, 0, parts);
  set_flags(core, entry, end, pipe.record, 0);
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
    if (core.may_issue) issue(core);
    while (core.ready != 0) {
      const auto pipe = static_cast<Pipe>(std::countr_zero(core.ready));
      core.ready &= core.ready - 1;
      while (try_start(core, pipe)) {
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
    const int64_t turn_time = turns_.empty() ? SharedPort::kNever : turns_.front().time;
    if (memory_time == SharedPort::kNever && turn_time == SharedPort::kNever) break;
    now_ = std::min(memory_time, turn_time);
    if (memory_time <= turn_time) {
      const MemorySystem::Done done = memory_.process();
      if (done.transfer >= 0) transfer_done(done);
    } else {
      take_turn(turns_.pop());
    }
  }
  return result();
}

}  // namespace tilewright
