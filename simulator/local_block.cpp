#include "simulator/local_block.h"

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// States that a block remembers: those at rest, and the steady ones of products that set the pace.
constexpr size_t kMetStates = 6;

enum Side : uint8_t { kLoadSide = 1, kLocalSide = 2, kDrainSide = 4 };

Side side_of(Opcode opcode) {
  if (opcode == Opcode::kLoad) return kLoadSide;
  return opcode == Opcode::kFixpipe ? kDrainSide : kLocalSide;
}

FlagRole role_of(uint8_t setters, uint8_t waiters) {
  if (setters == 0 && waiters == 0) return FlagRole::kUnused;
  // A flag that nobody sets: the run will find itself stuck.
  if (setters == 0) return waiters == kLoadSide ? FlagRole::kSpace : FlagRole::kInternal;
  if (setters == kLocalSide && waiters == kLocalSide) return FlagRole::kInternal;
  if (setters == kLoadSide && waiters == kLocalSide) return FlagRole::kData;
  if (setters == kLocalSide && waiters == kLoadSide) return FlagRole::kSpace;
  if (setters == kLocalSide && waiters == kDrainSide) return FlagRole::kFull;
  return FlagRole::kDrained;
}

bool known_role(uint8_t setters, uint8_t waiters) {
  return setters == 0 || role_of(setters, waiters) != FlagRole::kDrained ||
         (setters == kDrainSide && waiters == kLocalSide);
}

bool is_fixed(const Tile& tile) {
  if (!tile.used()) return true;
  for (const Expr* expr : {&tile.rows, &tile.cols}) {
    if (!expr->is_loop_invariant() || expr->table_id() >= 0) return false;
  }
  return true;
}

/// Whether every local instruction depends on the first one, which alone waits for loads.
bool hangs_together(const std::vector<Instruction>& list, const std::vector<FlagRole>& roles) {
  std::vector<Pipe> pipes;
  std::vector<int> set;
  bool first = true;
  for (const Instruction& instruction : list) {
    if (side_of(instruction.opcode) != kLocalSide) continue;
    bool depends = std::find(pipes.begin(), pipes.end(), instruction.pipe()) != pipes.end();
    for (const FlagUse& use : instruction.waits) {
      if (use.flag < 0) continue;
      const bool data = roles[static_cast<size_t>(use.flag)] == FlagRole::kData;
      if (data && (!first || use.when != When::kAlways)) return false;
      depends = depends || (use.when == When::kAlways &&
                            std::find(set.begin(), set.end(), use.flag) != set.end());
    }
    if (!first && !depends) return false;
    for (const FlagUse& use : instruction.sets) {
      if (use.flag >= 0 && use.when == When::kAlways) set.push_back(use.flag);
    }
    pipes.push_back(instruction.pipe());
    first = false;
  }
  return true;
}

void add_once(std::vector<int16_t>& list, int16_t flag) {
  if (std::find(list.begin(), list.end(), flag) == list.end()) list.push_back(flag);
}

}  // namespace

std::optional<std::vector<FlagRole>> roles_of_flags(const Launch& launch) {
  std::vector<uint8_t> setters(launch.flags.size(), 0);
  std::vector<uint8_t> waiters(launch.flags.size(), 0);
  for (const CoreProgram& core : launch.cores) {
    if (core.kind != CoreKind::kAic) return std::nullopt;
  }
  bool loops = false;
  for (const Template& body : launch.templates) {
    for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
      for (const Instruction& instruction : *list) {
        const Side side = side_of(instruction.opcode);
        const bool in_loop = list == &body.body;
        if (in_loop && side == kDrainSide) return std::nullopt;
        loops = loops || (in_loop && side == kLoadSide);
        for (const Tile* tile :
             {&instruction.a, &instruction.b, &instruction.bias, &instruction.dst}) {
          if (!is_fixed(*tile)) return std::nullopt;
        }
        for (const FlagUse& use : instruction.waits) {
          if (use.flag >= 0) waiters[static_cast<size_t>(use.flag)] |= side;
        }
        for (const FlagUse& use : instruction.sets) {
          if (use.flag >= 0) setters[static_cast<size_t>(use.flag)] |= side;
        }
      }
    }
  }
  if (!loops) return std::nullopt;
  std::vector<FlagRole> roles;
  for (size_t f = 0; f < launch.flags.size(); ++f) {
    if (launch.flags[f].scope != FlagScope::kCore || !known_role(setters[f], waiters[f])) {
      return std::nullopt;
    }
    roles.push_back(role_of(setters[f], waiters[f]));
  }
  for (const Template& body : launch.templates) {
    for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
      if (!hangs_together(*list, roles)) return std::nullopt;
    }
  }
  return roles;
}

LoopNature nature_of_loop(const Launch& launch, const Machine& machine) {
  StepCache cache(launch, machine);
  LoopNature nature;
  for (const CoreProgram& core : launch.cores) {
    if (core.tasks.empty()) continue;
    // Tasks of a launch are alike; the first one stands for all.
    const CoreProgram::Task& task = core.tasks[0];
    const std::span<const int64_t> bindings = bindings_of(launch, core, 0);
    int64_t products = 0;
    for (const Step& step : cache.resolve(task.template_id, bindings).sections[1]) {
      nature.looks_ahead = nature.looks_ahead || step.ahead;
      if (step.pipe == Pipe::kCube) products += step.cost.busy;
    }
    nature.hides_latency = products > to_ticks(machine.hbm.read_latency_cycles);
    break;
  }
  return nature;
}

LocalBlock::LocalBlock(const std::vector<Step>& steps, const std::vector<FlagRole>& roles,
                       int64_t flag_ticks, int64_t queue_depth) {
  for (const Step& step : steps) {
    if (!step.is_memory) add_op(step, roles, flag_ticks);
  }
  mark_room(queue_depth);
  for (const Op& op : ops_) {
    if (std::find(pipes_.begin(), pipes_.end(), op.pipe) == pipes_.end()) pipes_.push_back(op.pipe);
    const auto note = [&](const StepFlag& use) {
      const FlagRole role = roles[static_cast<size_t>(use.flag)];
      if (role == FlagRole::kData) return;
      if (role == FlagRole::kSpace || role == FlagRole::kFull) {
        add_once(output_flags_, use.flag);
        return;
      }
      for (uint8_t when = 0; when < 4; ++when) {
        if ((use.when & (when | kIsAny)) != 0) add_once(state_flags_[when], use.flag);
      }
    };
    for (uint8_t i = 0; i < op.wait_count; ++i) note(op.waits[i]);
    for (uint8_t i = 0; i < op.set_count; ++i) note(op.sets[i]);
  }
}

void LocalBlock::add_op(const Step& step, const std::vector<FlagRole>& roles, int64_t flag_ticks) {
  const auto pipe = static_cast<size_t>(step.pipe);
  busy_[pipe] += step.cost.busy;
  ++instructions_[pipe];
  flops_ += step.flops;
  // Two in a row on one pipe with nothing between that others could see are one.
  if (!ops_.empty() && ops_.back().pipe == step.pipe && ops_.back().set_count == 0 &&
      step.wait_count == 0) {
    Op& before = ops_.back();
    before.busy += step.cost.busy;
    ++before.instructions;
    before.set_count = step.set_count;
    before.sets = step.sets;
    before.set_delay = step.cost.tail + flag_ticks;
    return;
  }
  Op op;
  op.pipe = step.pipe;
  op.busy = step.cost.busy;
  op.head = step.cost.head;
  op.set_delay = step.cost.tail + flag_ticks;
  for (uint8_t i = 0; i < step.wait_count; ++i) {
    if (roles[static_cast<size_t>(step.waits[i].flag)] == FlagRole::kData) {
      op.waits_for_data = true;
    } else {
      op.waits[op.wait_count++] = step.waits[i];
    }
  }
  op.set_count = step.set_count;
  op.sets = step.sets;
  ops_.push_back(op);
}

void LocalBlock::mark_room(int64_t queue_depth) {
  std::array<int64_t, kPipeCount> started{};
  for (Op& op : ops_) {
    const auto pipe = static_cast<size_t>(op.pipe);
    const int64_t before = started[pipe];
    started[pipe] += op.instructions;
    const int64_t room = instructions_[pipe] - queue_depth;  // must have started
    op.makes_room = before < room && room <= started[pipe];
  }
}

BlockRun LocalBlock::work_out(LocalState& state, uint8_t when, int64_t data) const {
  BlockRun run;
  int64_t longest = 0;
  for (const Op& op : ops_) {
    int64_t& free = state.free[static_cast<size_t>(op.pipe)];
    bool& ran = state.ran[static_cast<size_t>(op.pipe)];
    int64_t start = free;
    int32_t reason = -1;
    if (op.waits_for_data) start = std::max(start, data);
    for (uint8_t i = 0; i < op.wait_count; ++i) {
      if ((op.waits[i].when & when) == 0) continue;
      int64_t time = 0;
      if (!state.flags[static_cast<size_t>(op.waits[i].flag)].pop(time)) {
        run.stuck = true;
        return run;
      }
      if (time <= start) continue;
      start = time;
      reason = op.waits[i].flag;
    }
    if (op.makes_room) run.issued = std::max(run.issued, start);
    const bool idle = !ran || start > free;
    if (op.pipe == Pipe::kCube) {
      if (run.work_start < 0) {
        run.work_start = start;
        run.reason = reason;
      } else if (start > free) {
        run.waited += start - free;
        if (start - free > longest) {
          longest = start - free;
          run.waited_for = reason;
        }
      }
    }
    free = start + op.busy + (idle ? op.head : 0);
    ran = true;
    if (op.pipe == Pipe::kCube) run.work_end = free;
    for (uint8_t i = 0; i < op.set_count; ++i) {
      if ((op.sets[i].when & when) == 0) continue;
      const auto flag = static_cast<size_t>(op.sets[i].flag);
      if (!state.flags[flag].push(free + op.set_delay)) run.stuck = true;
    }
  }
  return run;
}

int64_t LocalBlock::start_of_first(const LocalState& state, int64_t data) const {
  const int64_t free = state.free[static_cast<size_t>(ops_[0].pipe)];
  return ops_[0].waits_for_data ? std::max(free, data) : free;
}

size_t LocalBlock::key_of(const LocalState& state, uint8_t when, int64_t base, Key& key) const {
  // Before the first start nothing can happen: earlier times are all the same, but a pipe that has
  // stood still pays its head.
  size_t size = 0;
  for (Pipe pipe : pipes_) {
    const int64_t free = state.free[static_cast<size_t>(pipe)];
    const bool idle = free < base || !state.ran[static_cast<size_t>(pipe)];
    key[size++] = idle ? -1 : free - base;
  }
  for (int16_t flag : state_flags(when)) {
    const TimeQueue& queue = state.flags[static_cast<size_t>(flag)];
    if (size + 1 + queue.count > kMaxKey) return 0;
    key[size++] = queue.count;
    for (uint32_t i = 0; i < queue.count; ++i) {
      key[size++] = std::max<int64_t>(0, queue.at(i) - base);
    }
  }
  return size;
}

BlockRun LocalBlock::apply(const Met& met, LocalState& state, int64_t base) const {
  bool full = false;
  size_t at = 0;
  for (Pipe pipe : pipes_) {
    state.free[static_cast<size_t>(pipe)] = base + met.after[at++];
    state.ran[static_cast<size_t>(pipe)] = true;
  }
  for (int16_t flag : state_flags(met.when)) {
    TimeQueue& queue = state.flags[static_cast<size_t>(flag)];
    queue.count = 0;
    for (int64_t left = met.after[at++]; left > 0; --left) queue.push(base + met.after[at++]);
  }
  for (uint32_t i = 0; i < met.set_count; ++i) {
    const auto flag = static_cast<size_t>(met.sets[i].first);
    if (!state.flags[flag].push(base + met.sets[i].second)) full = true;
  }
  BlockRun run = met.run;
  run.stuck = full;
  if (run.work_start >= 0) run.work_start += base;
  if (run.issued > 0) run.issued += base;
  run.work_end += base;
  return run;
}

void LocalBlock::remember(uint8_t when, const Key& before, size_t size, int64_t base,
                          const LocalState& state, const Counts& counts, const BlockRun& run) {
  if (met_.size() < kMetStates) {
    next_met_ = met_.size();
    met_.emplace_back();
  }
  Met& met = met_[next_met_];
  met.size = 0;  // until it is whole
  met.when = when;
  met.before = before;
  met.run = run;
  if (met.run.work_start >= 0) met.run.work_start -= base;
  // 0 stays free for "none"; the first instruction never makes room.
  if (met.run.issued > 0) met.run.issued = std::max<int64_t>(1, met.run.issued - base);
  met.run.work_end -= base;
  size_t at = 0;
  met.span = 0;
  const auto add = [&](int64_t value, bool is_time) {
    if (is_time) met.span = std::max(met.span, value);
    met.after[at++] = value;
  };
  for (Pipe pipe : pipes_) add(state.free[static_cast<size_t>(pipe)] - base, true);
  for (int16_t flag : state_flags(when)) {
    const TimeQueue& queue = state.flags[static_cast<size_t>(flag)];
    if (at + 1 + queue.count > kMaxKey) return;
    add(queue.count, false);
    for (uint32_t i = 0; i < queue.count; ++i) add(queue.at(i) - base, true);
  }
  met.set_count = 0;
  for (size_t f = 0; f < output_flags_.size(); ++f) {
    const TimeQueue& queue = state.flags[static_cast<size_t>(output_flags_[f])];
    for (uint32_t i = counts[f]; i < queue.count; ++i) {
      if (met.set_count == kMaxSets) return;
      met.sets[met.set_count++] = {output_flags_[f], queue.at(i) - base};
      met.span = std::max(met.span, queue.at(i) - base);
    }
  }
  met.at_rest = is_at_rest(when, before);
  met.size = size;
  last_met_ = next_met_;
  last_is_met_ = true;
  next_met_ = (next_met_ + 1) % kMetStates;
}

bool LocalBlock::is_at_rest(uint8_t when, const Key& before) const {
  size_t at = 0;
  for (size_t pipe = 0; pipe < pipes_.size(); ++pipe) {
    if (before[at++] >= 0) return false;
  }
  for (size_t flag = 0; flag < state_flags(when).size(); ++flag) {
    const int64_t count = before[at++];
    for (int64_t i = 0; i < count; ++i) {
      if (before[at++] > 0) return false;
    }
  }
  return true;
}

BlockRun LocalBlock::run(LocalState& state, uint8_t when, int64_t data) {
  if (ops_.empty()) return {};
  const int64_t base = start_of_first(state, data);
  // Data that arrive while products are under way find them at any point: hardly ever the same.
  const bool recurs = base != data || state.free[static_cast<size_t>(Pipe::kCube)] <= base;
  Key key;
  const size_t size =
      recurs && output_flags_.size() <= kMaxSets ? key_of(state, when, base, key) : 0;
  for (size_t i = 0; size > 0 && i < met_.size(); ++i) {
    size_t candidate = last_met_ + i;
    if (candidate >= met_.size()) candidate -= met_.size();
    const Met& met = met_[candidate];
    if (met.when != when || met.size != size || met.before[1] != key[1]) continue;
    if (!std::equal(key.begin(), key.begin() + static_cast<ptrdiff_t>(size), met.before.begin())) {
      continue;
    }
    last_met_ = candidate;
    last_is_met_ = true;
    return apply(met, state, base);
  }
  Counts counts{};
  for (size_t f = 0; size > 0 && f < output_flags_.size(); ++f) {
    counts[f] = state.flags[static_cast<size_t>(output_flags_[f])].count;
  }
  last_is_met_ = false;
  const BlockRun run = work_out(state, when, data);
  if (size > 0 && !run.stuck) remember(when, key, size, base, state, counts, run);
  return run;
}

}  // namespace tilewright
