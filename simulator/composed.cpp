#include "simulator/composed.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

/// Records of the critical path that are kept before they are folded into sums.
constexpr size_t kComposedLogCapacity = size_t{1} << 12;

/// The pipe that sets each flag.
std::vector<Pipe> setters_of(const Launch& launch) {
  std::vector<Pipe> setters(launch.flags.size(), Pipe::kScalar);
  for (const Template& body : launch.templates) {
    for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
      for (const Instruction& instruction : *list) {
        for (const FlagUse& use : instruction.sets) {
          if (use.flag >= 0) setters[static_cast<size_t>(use.flag)] = instruction.pipe();
        }
      }
    }
  }
  return setters;
}

PathLog::Parts operator*(const PathLog::Parts& parts, int64_t factor) {
  return {parts.l2 * factor, parts.hbm * factor, parts.conflict * factor};
}

PathLog::Parts operator-(const PathLog::Parts& a, const PathLog::Parts& b) {
  return {a.l2 - b.l2, a.hbm - b.hbm, a.conflict - b.conflict};
}

}  // namespace

ComposedTiming::ComposedTiming(const Launch& launch, const Machine& machine,
                               std::vector<FlagRole> roles, int64_t merge)
    : launch_(launch),
      machine_(machine),
      merge_(merge),
      cache_(launch, machine),
      launch_ticks_(launch_ticks_of(machine)),
      log_(launch_ticks_, kComposedLogCapacity),
      flag_ticks_(to_ticks(machine.sync.flag_cycles)),
      roles_(std::move(roles)),
      flag_setters_(setters_of(launch)),
      cores_(launch.cores.size()),
      last_end_(launch_ticks_) {
  memory_.emplace(launch, machine, merged_grids());
  for (size_t c = 0; c < cores_.size(); ++c) {
    Core& core = cores_[c];
    core.id = static_cast<int>(c);
    core.program = &launch.cores[c];
    core.counters.kind = core.program->kind;
    core.counters.end_ticks = launch_ticks_;
    core.load_free = core.drain_free = launch_ticks_;
    core.state.free.fill(launch_ticks_);
    core.state.flags.resize(launch.flags.size());
    for (size_t f = 0; f < launch.flags.size(); ++f) {
      for (int i = 0; i < launch.flags[f].initial; ++i) core.state.flags[f].push(launch_ticks_);
    }
  }
}

ComposedTiming::ResolvedSections& ComposedTiming::sections_of(const Core& core) {
  const CoreProgram::Task& task = core.program->tasks[core.task];
  const ResolvedTemplate& steps =
      cache_.resolve(task.template_id, bindings_of(launch_, *core.program, core.task));
  for (const auto& known : resolved_) {
    if (known->steps == &steps) return *known;
  }
  auto resolved = std::make_unique<ResolvedSections>();
  resolved->steps = &steps;
  for (size_t s = 0; s < 3; ++s) {
    Section& section = resolved->sections[s];
    for (const Step& step : steps.sections[s]) {
      if (step.source->opcode == Opcode::kLoad) section.loads.push_back(&step);
      if (step.source->opcode == Opcode::kFixpipe) section.drains.push_back(&step);
    }
    section.block = LocalBlock(steps.sections[s], roles_, flag_ticks_, machine_.scalar.queue_depth);
  }
  resolved_.push_back(std::move(resolved));
  return *resolved_.back();
}

bool ComposedTiming::can_merge(const Template& body, std::span<const int64_t> bindings) {
  const auto at = [&](const Expr& expr, int64_t index) {
    return expr.at(bindings, launch_.tables, index);
  };
  for (const Instruction& instruction : body.body) {
    if (instruction.opcode != Opcode::kLoad) continue;
    // Side by side along one dimension, each as wide as a sector.
    const Tile& tile = instruction.a;
    const Tensor& tensor = launch_.tensors[static_cast<size_t>(tile.tensor)];
    if (!tile.row.is_affine() || !tile.col.is_affine()) return false;
    const int64_t down = at(tile.row, 1) - at(tile.row, 0);
    const int64_t right = at(tile.col, 1) - at(tile.col, 0);
    const bool by_rows = right == 0 && down == at(tile.rows, 0) && down == tensor.sector_rows;
    const bool by_cols = down == 0 && right == at(tile.cols, 0) && right == tensor.sector_cols;
    if (!by_rows && !by_cols) return false;
  }
  return true;
}

std::vector<SectorGrid> ComposedTiming::merged_grids() {
  std::vector<SectorGrid> grids = sector_grids(launch_);
  for (size_t t = 0; t < launch_.templates.size() && merge_ > 1; ++t) {
    const CoreProgram& core = launch_.cores[0];
    const auto task = std::find_if(core.tasks.begin(), core.tasks.end(), [&](const auto& entry) {
      return entry.template_id == static_cast<int32_t>(t);
    });
    if (task == core.tasks.end()) continue;
    const Template& body = launch_.templates[t];
    const auto bindings =
        bindings_of(launch_, core, static_cast<size_t>(task - core.tasks.begin()));
    if (!can_merge(body, bindings)) {
      merge_ = 1;
      return sector_grids(launch_);
    }
    coarsen(body, bindings, grids);
  }
  return grids;
}

void ComposedTiming::coarsen(const Template& body, std::span<const int64_t> bindings,
                             std::vector<SectorGrid>& grids) const {
  // Sectors end where groups end. The first group is the short one, so that what follows the loop
  // has sectors of its own.
  const int64_t count = body.count.at(bindings, launch_.tables, 0);
  const int64_t cut = (merge_ - count % merge_) % merge_;
  for (const Instruction& instruction : body.body) {
    if (instruction.opcode != Opcode::kLoad) continue;
    const Expr& row = instruction.a.row;
    SectorGrid& grid = grids[static_cast<size_t>(instruction.a.tensor)];
    if (row.at(bindings, launch_.tables, 1) != row.at(bindings, launch_.tables, 0)) {
      grid.cut_rows = cut * grid.rows;
      grid.rows *= merge_;
    } else {
      grid.cut_cols = cut * grid.cols;
      grid.cols *= merge_;
    }
  }
}

bool ComposedTiming::enter_next_group(Core& core) {
  for (;;) {
    if (!core.sections) {
      if (core.task == core.program->tasks.size()) return false;
      core.sections = &sections_of(core);
      const Template& body =
          launch_.templates[static_cast<size_t>(core.program->tasks[core.task].template_id)];
      core.count = body.count.at(bindings_of(launch_, *core.program, core.task), launch_.tables, 0);
      core.section = 0;
      core.first = 0;
      core.iterations = 1;
    } else if (core.section == 1 && core.first + core.iterations < core.count) {
      core.first += core.iterations;
      core.iterations = merge_;
    } else if (core.section == 0) {
      core.section = 1;
      core.first = 0;
      core.iterations =
          core.count % merge_ != 0 ? core.count % merge_ : std::min(merge_, core.count);
    } else if (core.section == 1) {
      core.section = 2;
      core.first = 0;
      core.iterations = 1;
    } else {
      core.sections = nullptr;
      ++core.task;
      continue;
    }
    const Section& section = section_of(core);
    const bool empty = section.loads.empty() && section.drains.empty() && section.block.empty();
    if (core.iterations > 0 && !empty) return true;
  }
}

uint8_t ComposedTiming::when_of(const Core& core, int64_t iteration) const {
  uint8_t when = kIsAny;
  const bool body = core.section == 1;
  if (!body || iteration == 0) when |= kIsFirst;
  if (!body || iteration + 1 == core.count) when |= kIsLast;
  return when;
}

void ComposedTiming::start_next_group(Core& core) {
  while (!stuck_ && enter_next_group(core)) {
    const Section& section = section_of(core);
    if (section.loads.empty()) {
      for (int64_t i = 0; i < core.iterations; ++i) {
        run_block(core, when_of(core, core.first + i), launch_ticks_);
      }
      log_stretches(core);
      run_drains(core);
      continue;
    }
    // The loads start when they are issued and the first of them has room.
    int64_t start = std::max(core.load_free, core.issued);
    const uint8_t when = when_of(core, core.first);
    for (const Step* step : section.loads) {
      for (uint8_t i = 0; i < step->wait_count; ++i) {
        if ((step->waits[i].when & when) == 0) continue;
        const TimeQueue& queue = core.state.flags[static_cast<size_t>(step->waits[i].flag)];
        stuck_ = stuck_ || queue.count == 0;
        if (queue.count > 0) start = std::max(start, queue.at(0));
      }
    }
    turns_.push({start, core.id, nullptr, core.task});
    return;
  }
}

void ComposedTiming::take_turn(const Turn& turn) {
  Core& core = cores_[static_cast<size_t>(turn.core)];
  if (!turn.drain) {
    if (core.load == 0) {
      core.load_start = turn.time;
      core.parts = {};
    }
    stream_load(core, turn.time);
    return;
  }
  const GmAccess access =
      cache_.access(*turn.drain, bindings_of(launch_, *core.program, turn.task), 0);
  const int32_t transfer = memory_->request(access, turn.drain->client, turn.time);
  core.counters.store_bytes += memory_->bytes_of_transfer(transfer);
  set_owner(transfer, -1);
  memory_->stream(transfer, turn.time);
}

void ComposedTiming::set_owner(int32_t transfer, int32_t core) {
  if (static_cast<size_t>(transfer) >= owners_.size()) {
    owners_.resize(static_cast<size_t>(transfer) + 1);
  }
  owners_[static_cast<size_t>(transfer)] = core;
}

int32_t ComposedTiming::request_load(Core& core, size_t load, int64_t now) {
  const Step& step = *section_of(core).loads[load];
  const GmAccess access = cache_.access(step, bindings_of(launch_, *core.program, core.task),
                                        core.first, core.iterations);
  // A load that is requested ahead goes out with the load before it, or with the one before that
  // when that is not: its latency passes while they run.
  int64_t lead = 0;
  int64_t hidden = 0;
  if (step.ahead && core.load_ticks.size() == section_of(core).loads.size()) {
    if (load > 0) lead = core.load_ticks[load - 1];
    hidden = std::accumulate(core.load_ticks.begin(), core.load_ticks.end(), int64_t{0});
  }
  const int32_t transfer = memory_->request(access, step.client, now, lead, hidden);
  core.counters.load_bytes += memory_->bytes_of_transfer(transfer);
  most_merged_ = std::max(most_merged_, core.iterations);
  set_owner(transfer, core.id);
  return transfer;
}

void ComposedTiming::stream_load(Core& core, int64_t now) {
  const int32_t transfer =
      core.ahead >= 0 ? std::exchange(core.ahead, -1) : request_load(core, core.load, now);
  core.stream_start = now;
  memory_->stream(transfer, now);
  const std::vector<const Step*>& loads = section_of(core).loads;
  const size_t next = core.load + 1;
  if (next < loads.size() && loads[next]->ahead) core.ahead = request_load(core, next, now);
}

void ComposedTiming::load_done(Core& core, const MemorySystem::Done& done) {
  if (core.load >= core.load_ticks.size()) core.load_ticks.resize(core.load + 1);
  core.load_ticks[core.load] = (done.end - core.stream_start) / core.iterations;
  core.parts.l2 += done.l2_ticks;
  core.parts.hbm += done.hbm_ticks;
  core.parts.conflict += done.conflict_ticks;
  const auto& brought = memory_->brought_by(done.transfer);
  core.brought.insert(core.brought.end(), brought.begin(), brought.end());
  if (++core.load < section_of(core).loads.size()) {
    turns_.push({done.end, core.id, nullptr, core.task});
    return;
  }
  core.load = 0;
  loads_done(core, done.end - core.load_start);
}

void ComposedTiming::loads_done(Core& core, int64_t total) {
  const int64_t count = core.iterations;
  const int64_t begin = core.load_start;
  // Shared out evenly; the first iteration takes what is left over.
  core.each_ticks = total / count;
  core.each_parts = {core.parts.l2 / count, core.parts.hbm / count, core.parts.conflict / count};
  for (int64_t i = 0; i < count && !stuck_; ++i) {
    const uint8_t when = when_of(core, core.first + i);
    if (i == 0) {
      load_iteration(core, when, total - core.each_ticks * (count - 1),
                     core.parts - core.each_parts * (count - 1));
    } else {
      load_iteration(core, when, core.each_ticks, core.each_parts);
    }
    run_block(core, when, core.load_free + flag_ticks_);
    i += repeat_iterations(core, i + 1);
  }
  if (core.load_free > begin + total) {
    // The core had no room in time: what it brings for others arrives later, too.
    for (int32_t sector : core.brought) memory_->delay(sector, core.load_free);
  }
  core.brought.clear();
  log_stretches(core);
  if (log_.full()) compact_log();
  run_drains(core);
  start_next_group(core);
}

int64_t ComposedTiming::like_the_last(const Core& core, int64_t next) const {
  const LocalBlock& block = section_of(core).block;
  if (stuck_ || !block.rests_within(kIsAny, core.each_ticks - flag_ticks_)) return 0;
  // Not the first nor the last of a loop.
  const int64_t until = std::min(core.iterations, core.count - 1 - core.first);
  if (until <= next || core.first + next < 2 || core.issued > core.load_free) return 0;
  for (const Step* step : section_of(core).loads) {
    for (uint8_t i = 0; i < step->wait_count; ++i) {
      const TimeQueue& queue = core.state.flags[static_cast<size_t>(step->waits[i].flag)];
      if (queue.count == 0 || queue.at(0) > core.load_free) return 0;
    }
  }
  return until - next;
}

int64_t ComposedTiming::repeat_iterations(Core& core, int64_t next) {
  const int64_t count = like_the_last(core, next);
  if (count == 0) return 0;
  // The loads set the pace: moves and products of each iteration are done before its successor's
  // data arrive, and their slots are free in time.
  const Section& section = section_of(core);
  const int64_t begin = core.load_free;
  const int64_t cube_free = core.state.free[kCube];
  const int64_t moves_free = core.state.free[kMte1];
  BlockRun run;
  for (int64_t i = next; i < next + count; ++i) {
    for (const Step* step : section.loads) {
      for (uint8_t w = 0; w < step->wait_count; ++w) {
        int64_t time = 0;
        if ((step->waits[w].when & kIsAny) == 0) continue;
        stuck_ = stuck_ || !core.state.flags[static_cast<size_t>(step->waits[w].flag)].pop(time);
      }
    }
    core.load_free += core.each_ticks;
    run = section.block.repeat(core.state, core.load_free + flag_ticks_);
    stuck_ = stuck_ || run.stuck;
  }
  core.issued = run.issued;
  if (!core.loading.open) core.loading = {true, begin, begin, 0, core.loaded, false, 0, {}};
  core.loading.end = core.load_free;
  core.loading.parts.l2 += core.each_parts.l2 * count;
  core.loading.parts.hbm += core.each_parts.hbm * count;
  core.loading.parts.conflict += core.each_parts.conflict * count;
  core.counters.busy_ticks[kMte2] += core.load_free - begin;
  core.counters.instructions[kMte2] += count * static_cast<int64_t>(section.loads.size());
  account_repeats(core, run, count, moves_free, cube_free);
  return count;
}

void ComposedTiming::load_iteration(Core& core, uint8_t when, int64_t ticks,
                                    const PathLog::Parts& parts) {
  int64_t start = std::max(core.load_free, core.issued);
  for (const Step* step : section_of(core).loads) {
    for (uint8_t i = 0; i < step->wait_count; ++i) {
      if ((step->waits[i].when & when) == 0) continue;
      int64_t time = 0;
      if (!core.state.flags[static_cast<size_t>(step->waits[i].flag)].pop(time)) {
        stuck_ = true;
        return;
      }
      start = std::max(start, time);
    }
    ++core.counters.instructions[kMte2];
  }
  if (start > core.load_free) {
    // Room came with the moves of an iteration before, which ended before its products.
    log_stretches(core);
    PathLog::Moment from = core.loaded;
    for (PathLog::Moment moment : {core.worked_before, core.worked}) {
      if (log_.time_of(moment) <= start && log_.time_of(moment) > log_.time_of(from)) from = moment;
    }
    core.loading = {true, start, start, 0, from, false, 0, {}};
  } else if (!core.loading.open) {
    core.loading = {true, start, start, 0, core.loaded, false, 0, {}};
  }
  core.loading.end = start + ticks;
  core.loading.parts.l2 += parts.l2;
  core.loading.parts.hbm += parts.hbm;
  core.loading.parts.conflict += parts.conflict;
  core.counters.busy_ticks[kMte2] += ticks;
  core.counters.wait_ticks[kMte2] += start - core.load_free;
  core.load_free = start + ticks;
  core.counters.end_ticks = std::max(core.counters.end_ticks, core.load_free);
}

void ComposedTiming::run_block(Core& core, uint8_t when, int64_t data) {
  LocalBlock& block = core.sections->sections[core.section].block;
  if (block.empty()) return;
  const std::array<int64_t, kPipeCount> before = core.state.free;
  const BlockRun run = block.run(core.state, when, data);
  if (run.stuck) {
    stuck_ = true;
    return;
  }
  core.issued = run.issued;
  for (size_t pipe : {kMte1, kCube}) {
    // Heads are part of what the pipe was busy with; they are the rest of the block's own time.
    core.counters.instructions[pipe] += block.instructions()[pipe];
  }
  core.counters.busy_ticks[kMte1] += block.busy()[kMte1];
  core.counters.wait_ticks[kMte1] += core.state.free[kMte1] - before[kMte1] - block.busy()[kMte1];
  core.counters.flops += block.flops();
  if (run.work_start < 0) return;
  account_block(core, run, before[kCube]);
  extend_working(core, run, data >= before[kMte1], before[kCube]);
  core.counters.end_ticks = std::max(core.counters.end_ticks, run.work_end);
}

void ComposedTiming::run_drains(Core& core) {
  if (stuck_) return;
  for (const Step* step : section_of(core).drains) {
    int64_t start = core.drain_free;
    PathLog::Moment from = core.drained;
    for (uint8_t i = 0; i < step->wait_count; ++i) {
      int64_t time = 0;
      if (!core.state.flags[static_cast<size_t>(step->waits[i].flag)].pop(time)) {
        stuck_ = true;
        return;
      }
      if (time > start) {
        start = time;
        from = core.worked;
      }
    }
    const GmAccess access = cache_.access(*step, bindings_of(launch_, *core.program, core.task), 0);
    const int64_t ticks = std::max(step->cost.busy, memory_->alone(access, step->client));
    const int32_t record = log_.begin(start, from, Cause::issue(), Pipe::kFixp);
    log_.end(record, start + ticks);
    core.drained = PathLog::end_of(record);
    core.counters.busy_ticks[kFixp] += ticks;
    core.counters.wait_ticks[kFixp] += start - core.drain_free;
    ++core.counters.instructions[kFixp];
    core.drain_free = start + ticks;
    core.counters.end_ticks = std::max(core.counters.end_ticks, core.drain_free);
    for (uint8_t i = 0; i < step->set_count; ++i) {
      const auto flag = static_cast<size_t>(step->sets[i].flag);
      if (!core.state.flags[flag].push(core.drain_free + flag_ticks_)) stuck_ = true;
    }
    ended(core.drained, core.drain_free);
    turns_.push({start, core.id, step, core.task});
  }
}

std::optional<TimingResult> ComposedTiming::run() {
  for (Core& core : cores_) start_next_group(core);
  while (!stuck_) {
    const int64_t memory_time = memory_->next_event();
    const int64_t turn_time = turns_.empty() ? SharedPort::kNever : turns_.front().time;
    if (memory_time == SharedPort::kNever && turn_time == SharedPort::kNever) break;
    if (memory_time > turn_time) {
      take_turn(turns_.pop());
      continue;
    }
    const MemorySystem::Done done = memory_->process();
    if (done.transfer < 0) continue;
    const int32_t owner = owners_[static_cast<size_t>(done.transfer)];
    if (owner < 0) {
      drain_end_ = std::max(drain_end_, done.end);
    } else {
      load_done(cores_[static_cast<size_t>(owner)], done);
    }
  }
  if (stuck_) return std::nullopt;
  return result();
}

}  // namespace tilewright
