#include "tuner/advice/group_clock.h"

#include <algorithm>
#include <numeric>

#include "simulator/cost.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

/// Iterations of a loop that are played before its period is taken, and those it is taken over: the
/// rings of the kernels hold up to four slots.
constexpr int64_t kWarmIterations = 4;
constexpr int64_t kPeriodIterations = 4;
/// A task behind another one of the same kinds is played so often.
constexpr int64_t kPlayedRepeats = 2;
/// Instructions of a group with hand-over that are played; the rest takes as long for each.
constexpr int64_t kMostInstructions = 20000;

constexpr size_t index_of(Pipe pipe) {
  return static_cast<size_t>(pipe);
}

}  // namespace

GroupClock::GroupClock(const Launch& launch, const Machine& machine, const LaunchTraffic& traffic,
                       StepCache& steps, const MemoryShares& shares)
    : launch_(launch), machine_(machine), traffic_(traffic), steps_(steps), shares_(shares) {}

void GroupClock::Use::add(const Use& more, double times) {
  reading += more.reading * times;
  fetching += more.fetching * times;
  writing += more.writing * times;
}

GroupClock::Use GroupClock::Use::since(const Use& before) const {
  return {reading - before.reading, fetching - before.fetching, writing - before.writing};
}

GroupClock::TaskInfo GroupClock::task_of(const CoreClock& core) const {
  TaskInfo task;
  const int id = core.program->tasks[core.task].template_id;
  task.bindings = bindings_of(launch_, *core.program, core.task);
  task.steps = &steps_.resolve(id, task.bindings);
  task.count =
      launch_.templates[static_cast<size_t>(id)].count.at(task.bindings, launch_.tables, 0);
  task.misses = traffic_.misses[core.core][core.task];
  task.sharers = &traffic_.sharers[static_cast<size_t>(id)];
  return task;
}

void GroupClock::begin(std::span<const size_t> cores) {
  const int64_t launched = launch_ticks_of(machine_);
  cores_.assign(cores.size(), {});
  for (size_t i = 0; i < cores.size(); ++i) {
    CoreClock& core = cores_[i];
    core.core = cores[i];
    core.program = &launch_.cores[cores[i]];
    core.issue = core.end = launched;
    core.load_starts = {launched, launched};
    core.last_ready = launched;
    core.flags.resize(launch_.flags.size());
    core.waits.resize(launch_.flags.size());
    for (size_t f = 0; f < launch_.flags.size(); ++f) {
      if (launch_.flags[f].scope != FlagScope::kCore) continue;
      core.flags[f].assign(static_cast<size_t>(launch_.flags[f].initial), 0);
    }
    for (PipeClock& pipe : core.pipes) {
      pipe.free = launched;
      pipe.starts.resize(static_cast<size_t>(machine_.scalar.queue_depth));
    }
  }
}

GroupClock::Result GroupClock::play(std::span<const size_t> cores) {
  begin(cores);
  if (cores_.size() == 1) {
    play_alone(cores_[0]);
  } else {
    play_together();
  }
  Result result;
  double loaders = 0, storers = 0;
  const int64_t launched = launch_ticks_of(machine_);
  for (const CoreClock& core : cores_) {
    result.end = std::max(result.end, core.end);
  }
  const auto whole = static_cast<double>(std::max<int64_t>(1, result.end - launched));
  for (const CoreClock& core : cores_) {
    result.reading += core.use.reading / whole;
    result.fetching += core.use.fetching / whole;
    result.writing += core.use.writing / whole;
    loaders += core.use.reading > 0 ? 1 : 0;
    storers += core.use.writing > 0 ? 1 : 0;
  }
  result.reading /= std::max(1.0, loaders);
  result.fetching /= std::max(1.0, loaders);
  result.writing /= std::max(1.0, storers);
  return result;
}

void GroupClock::shift(CoreClock& core, int64_t ticks) {
  for (PipeClock& pipe : core.pipes) {
    pipe.free += ticks;
    for (int64_t& start : pipe.starts) start += ticks;
  }
  for (std::vector<int64_t>& flag : core.flags) {
    for (int64_t& time : flag) time += ticks;
  }
  for (int64_t& start : core.load_starts) start += ticks;
  core.last_ready += ticks;
  core.issue += ticks;
  core.end += ticks;
}

void GroupClock::play_alone(CoreClock& core) {
  std::map<std::pair<TaskKind, TaskKind>, Repeats> repeats;
  TaskKind before{};
  for (; core.task < core.program->tasks.size(); ++core.task) {
    const TaskInfo task = task_of(core);
    const TaskKind kind{task.steps, task.count, task.misses};
    Repeats& known = repeats[{before, kind}];
    before = kind;
    if (known.played >= kPlayedRepeats) {
      shift(core, known.advance);
      core.use.add(known.use, 1);
      continue;
    }
    const int64_t end = core.end;
    const Use use = core.use;
    play_task(core, task);
    known.use = core.use.since(use);
    known.advance = core.end - end;
    ++known.played;
  }
}

void GroupClock::play_task(CoreClock& core, const TaskInfo& task) {
  core.load = 0;
  play_section(core, task, 0, 0);
  const size_t first_load = core.load;
  constexpr int64_t kPlayed = kWarmIterations + kPeriodIterations;
  int64_t warm_end = 0;
  Use warm_use;
  for (int64_t i = 0; i < task.count; ++i) {
    if (i == kWarmIterations) {
      warm_end = core.end;
      warm_use = core.use;
    }
    if (i == kPlayed && i + 1 < task.count) {
      const int64_t left = task.count - 1 - i;
      shift(core, (core.end - warm_end) * left / kPeriodIterations);
      core.use.add(core.use.since(warm_use), static_cast<double>(left) / kPeriodIterations);
      i = task.count - 1;
    }
    core.load = first_load;
    play_section(core, task, 1, i);
  }
  play_section(core, task, 2, 0);
}

void GroupClock::play_section(CoreClock& core, const TaskInfo& task, size_t section,
                              int64_t iteration) {
  core.section = section;
  for (const Step& step : task.steps->sections[section]) {
    run_step(core, task, step, iteration);
  }
}

void GroupClock::play_together() {
  int64_t total = 0;
  for (const CoreClock& core : cores_) total += launch_.instruction_count(*core.program);
  for (bool moved = true; moved;) {
    moved = false;
    int64_t played = 0;
    for (CoreClock& core : cores_) {
      moved = advance(core) || moved;
      played += core.played;
    }
    if (played >= kMostInstructions) break;
  }
  int64_t played = 0;
  for (const CoreClock& core : cores_) played += core.played;
  if (played == 0 || played >= total) return;
  const int64_t launched = launch_ticks_of(machine_);
  const double factor = static_cast<double>(total) / static_cast<double>(played);
  for (CoreClock& core : cores_) {
    core.end = launched + static_cast<int64_t>(static_cast<double>(core.end - launched) * factor);
    core.use.add(core.use, factor - 1);
  }
}

bool GroupClock::advance(CoreClock& core) {
  constexpr int64_t kSlice = 2000;
  const int64_t before = core.played;
  while (core.task < core.program->tasks.size()) {
    const TaskInfo task = task_of(core);
    while (core.section < 3) {
      const std::vector<Step>& steps = task.steps->sections[core.section];
      const int64_t times = core.section == 1 ? task.count : 1;
      if (core.iteration == 0 && core.position == 0) core.section_load = core.load;
      while (core.iteration < times) {
        if (core.position == 0) core.load = core.section_load;
        for (; core.position < steps.size(); ++core.position) {
          if (!run_step(core, task, steps[core.position], core.iteration)) {
            return core.played > before;
          }
        }
        core.position = 0;
        ++core.iteration;
      }
      core.iteration = 0;
      ++core.section;
    }
    core.section = 0;
    core.load = 0;
    ++core.task;
    if (core.played - before >= kSlice) break;
  }
  return core.played > before;
}

uint8_t GroupClock::when_of(const TaskInfo& task, size_t section, int64_t iteration) {
  uint8_t when = kIsAny;
  if (section != 1 || iteration == 0) when |= kIsFirst;
  if (section != 1 || iteration + 1 == task.count) when |= kIsLast;
  return when;
}

/// The time of the set that a core waits for next; -1 when it has not happened.
int64_t GroupClock::shared_set(const CoreClock& core, const StepFlag& use) const {
  const auto flag = static_cast<size_t>(use.flag);
  const Flag& info = launch_.flags[flag];
  const int64_t number = core.waits[flag] - info.initial;
  if (number < 0) return 0;
  // Of a flag of the whole launch only this group's sets are known; the others are taken to be in
  // step with it.
  const bool everywhere = info.scope == FlagScope::kLaunch;
  int64_t time = 0;
  int producers = 0;
  for (const CoreClock& other : cores_) {
    if (static_cast<int64_t>(other.flags[flag].size()) <= number) continue;
    time = std::max(time, other.flags[flag][static_cast<size_t>(number)]);
    ++producers;
  }
  return producers >= info.producers || everywhere ? time : -1;
}

bool GroupClock::flags_ready(CoreClock& core, const Step& step, uint8_t when, int64_t& time) {
  for (uint8_t i = 0; i < step.wait_count; ++i) {
    const StepFlag& use = step.waits[i];
    if ((use.when & when) == 0) continue;
    const auto flag = static_cast<size_t>(use.flag);
    if (use.scope != FlagScope::kCore) {
      const int64_t set = shared_set(core, use);
      if (set < 0) return false;
      time = std::max(time, set);
    } else if (!core.flags[flag].empty()) {
      time = std::max(time, core.flags[flag].front());
    }
  }
  for (uint8_t i = 0; i < step.wait_count; ++i) {
    const StepFlag& use = step.waits[i];
    if ((use.when & when) == 0) continue;
    const auto flag = static_cast<size_t>(use.flag);
    if (use.scope != FlagScope::kCore) {
      ++core.waits[flag];
    } else if (!core.flags[flag].empty()) {
      core.flags[flag].erase(core.flags[flag].begin());
    }
  }
  return true;
}

bool GroupClock::run_step(CoreClock& core, const TaskInfo& task, const Step& step,
                          int64_t iteration) {
  const uint8_t when = when_of(task, core.section, iteration);
  int64_t ready = 0;  // by issue and flags
  if (!flags_ready(core, step, when, ready)) return false;
  ++core.played;
  PipeClock& pipe = core.pipes[index_of(step.pipe)];
  int64_t& slot = pipe.starts[static_cast<size_t>(pipe.count) % pipe.starts.size()];
  if (pipe.count >= static_cast<int64_t>(pipe.starts.size())) {
    core.issue = std::max(core.issue, slot);
  }
  core.issue += to_ticks(machine_.scalar.issue_cycles);
  ready = std::max(ready, core.issue);
  const int64_t start = std::max(pipe.free, ready);
  const bool was_idle = pipe.count == 0 || start > pipe.free;
  slot = start;
  ++pipe.count;
  int64_t end = start;
  int64_t tail = 0;
  if (step.source->opcode == Opcode::kLoad) {
    end = end_of_load(core, task, step, iteration, start, ready);
  } else if (step.is_memory) {
    end = end_of_store(core, task, step, iteration, start);
  } else {
    const LocalCost cost =
        step.varies || step.may_conflict ? steps_.cost(step, task.bindings, iteration) : step.cost;
    end = start + cost.busy + cost.conflict + (was_idle ? cost.head : 0);
    tail = cost.tail;
  }
  pipe.free = end;
  core.end = std::max(core.end, end);
  for (uint8_t i = 0; i < step.set_count; ++i) {
    const StepFlag& use = step.sets[i];
    if ((use.when & when) == 0) continue;
    const double way = use.scope == FlagScope::kCore    ? machine_.sync.flag_cycles
                       : use.scope == FlagScope::kGroup ? machine_.sync.handover_cycles
                                                        : machine_.sync.barrier_cycles;
    core.flags[static_cast<size_t>(use.flag)].push_back(end + tail + to_ticks(way));
  }
  return true;
}

/// A load that asks ahead does so when the one before it starts; when that one does not ask ahead
/// itself, already when the one before that starts, as soon as both may start.
int64_t GroupClock::asked_ahead(const CoreClock& core, int64_t start, int64_t ready) {
  const int64_t at = core.last_ahead ? std::max(core.load_starts[0], ready)
                                     : std::max({core.load_starts[1], core.last_ready, ready});
  return std::min(at, start);
}

int64_t GroupClock::end_of_load(CoreClock& core, const TaskInfo& task, const Step& step,
                                int64_t iteration, int64_t start, int64_t ready) {
  const GmAccess access = steps_.access(step, task.bindings, iteration);
  const Tensor& tensor = launch_.tensors[static_cast<size_t>(access.tensor)];
  const bool to_l1 = step.client == MemoryClient::kL1Load;
  const double own = to_l1 ? machine_.mte2.l1_bytes_per_cycle : machine_.mte2.ub_bytes_per_cycle;
  const int64_t stream =
      to_ticks(static_cast<double>(stream_bytes(machine_, tensor, access)) / (own * shares_.read));
  const size_t load = core.load++;
  const double sharers = load < task.sharers->size() ? (*task.sharers)[load] : 1;
  int64_t end = start + stream;
  if (load < 64 && (task.misses >> load & 1) != 0) {
    const int64_t asked = step.ahead ? asked_ahead(core, start, ready) : start;
    const auto bytes = static_cast<double>(access.rows * access.cols * bytes_of(tensor.type));
    const double burst = static_cast<double>(std::max<int64_t>(1, burst_bytes(tensor, access)));
    const double fetched = bytes * (1 + machine_.hbm.burst_overhead_bytes / burst);
    const double latency = machine_.hbm.read_latency_cycles;
    const double outstanding =
        latency > 0 ? static_cast<double>(machine_.mte2.outstanding_bytes) / latency : fetched;
    const double cycles = std::max(fetched / outstanding, fetched * shares_.hbm_cores / sharers /
                                                              hbm_bytes_per_cycle(machine_));
    end = std::max(end, asked + to_ticks(cycles + latency));
  }
  core.use.reading += static_cast<double>(stream);
  core.use.fetching += static_cast<double>(end - start);
  // Of the cores that load the same bytes in a step half come before this one, and about half of
  // those at the same moment.
  end += to_ticks(machine_.mte2.fixed_cycles + machine_.l2.same_address_cycles * (sharers - 1) / 4);
  core.load_starts = {start, core.load_starts[0]};
  core.last_ready = ready;
  core.last_ahead = step.ahead;
  return end;
}

int64_t GroupClock::end_of_store(CoreClock& core, const TaskInfo& task, const Step& step,
                                 int64_t iteration, int64_t start) {
  const GmAccess access = steps_.access(step, task.bindings, iteration);
  const Tensor& tensor = launch_.tensors[static_cast<size_t>(access.tensor)];
  const bool drains = step.client == MemoryClient::kFixpipeStore;
  const double own = drains ? machine_.fixpipe.bytes_per_cycle : machine_.mte3.bytes_per_cycle;
  const int64_t stream =
      to_ticks(static_cast<double>(stream_bytes(machine_, tensor, access)) / (own * shares_.write));
  core.use.writing += static_cast<double>(stream);
  const int64_t fixed = drains ? 0 : to_ticks(machine_.mte3.fixed_cycles);
  return start + std::max(stream + fixed, step.cost.busy);
}

}  // namespace tilewright
