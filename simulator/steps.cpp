#include "simulator/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/error.h"

namespace tilewright {

namespace {

const std::vector<Instruction>& section_of(const Template& body, size_t section) {
  return section == 0 ? body.prologue : section == 1 ? body.body : body.epilogue;
}

template <typename Visit>
void for_each_size(const Instruction& instruction, Visit visit) {
  for (const Tile* tile : {&instruction.a, &instruction.b, &instruction.dst}) {
    if (!tile->used()) continue;
    visit(tile->rows);
    visit(tile->cols);
  }
}

MemoryClient client_of(const Instruction& instruction) {
  switch (instruction.opcode) {
    case Opcode::kLoad:
      return instruction.dst.space == Memory::kL1 ? MemoryClient::kL1Load : MemoryClient::kUbLoad;
    case Opcode::kFixpipe:
      return MemoryClient::kFixpipeStore;
    default:
      return MemoryClient::kUbStore;
  }
}

bool moves_gm(const Instruction& instruction) {
  return instruction.opcode == Opcode::kLoad || instruction.opcode == Opcode::kStore ||
         instruction.opcode == Opcode::kFixpipe;
}

}  // namespace

StepCache::StepCache(const Launch& launch, const Machine& machine)
    : launch_(launch), machine_(machine) {
  for (size_t t = 0; t < launch.templates.size(); ++t) {
    TemplateInfo info;
    info.first_name = static_cast<int32_t>(names_.size());
    std::set<int> slots;
    for (size_t s = 0; s < 3; ++s) {
      const auto& list = section_of(launch.templates[t], s);
      for (size_t i = 0; i < list.size(); ++i) {
        names_.push_back(
            describe(launch, static_cast<int>(t), static_cast<int>(s), static_cast<int>(i)));
        for_each_size(list[i], [&](const Expr& expr) {
          expr.for_each_slot([&](int slot) { slots.insert(slot); });
        });
      }
    }
    info.size_slots.assign(slots.begin(), slots.end());
    templates_.push_back(std::move(info));
  }
}

OperandSizes StepCache::sizes(const Instruction& instruction, std::span<const int64_t> bindings,
                              int64_t index) const {
  OperandSizes sizes;
  const auto value = [&](const Expr& expr) { return expr.at(bindings, launch_.tables, index); };
  if (instruction.a.used()) {
    sizes.a_rows = value(instruction.a.rows);
    sizes.a_cols = value(instruction.a.cols);
  }
  if (instruction.b.used()) {
    sizes.b_rows = value(instruction.b.rows);
    sizes.b_cols = value(instruction.b.cols);
  }
  sizes.dst_rows = value(instruction.dst.rows);
  sizes.dst_cols = value(instruction.dst.cols);
  return sizes;
}

Step StepCache::make_step(const Instruction& instruction, std::span<const int64_t> bindings,
                          int32_t name) {
  Step step;
  step.source = &instruction;
  step.pipe = instruction.pipe();
  step.is_memory = moves_gm(instruction);
  step.client = client_of(instruction);
  step.bindings = static_cast<int32_t>(bindings.size());
  step.name = name;
  const auto step_flag = [&](const FlagUse& use) {
    const uint8_t when = use.when == When::kAlways  ? kIsAny
                         : use.when == When::kFirst ? kIsFirst
                                                    : kIsLast;
    const auto flag = static_cast<size_t>(use.flag);
    const FlagScope scope = launch_.flags[flag].scope;
    const bool local = scope == FlagScope::kCore || (!is_local_.empty() && is_local_[flag]);
    return StepFlag{static_cast<int16_t>(use.flag), when, local, scope,
                    static_cast<int16_t>(use.chip)};
  };
  for (const FlagUse& use : instruction.waits) {
    if (use.flag >= 0) step.waits[step.wait_count++] = step_flag(use);
  }
  for (const FlagUse& use : instruction.sets) {
    if (use.flag >= 0) step.sets[step.set_count++] = step_flag(use);
  }
  for_each_size(instruction, [&](const Expr& expr) {
    if (!expr.is_loop_invariant() || expr.table_id() >= 0) step.varies = true;
  });
  const bool has_banks = machine_.vector.bank_conflict_cycles > 0;
  if (instruction.opcode == Opcode::kVector && instruction.a.used() && has_banks) {
    for (const Tile* tile : {&instruction.a, &instruction.b, &instruction.dst}) {
      if (tile->used() && !tile->offset.is_constant()) step.may_conflict = true;
    }
  }
  if (step.is_memory && !step.varies) {
    const Tile& tile = instruction.opcode == Opcode::kLoad ? instruction.a : instruction.dst;
    step.gm_rows = tile.rows.at(bindings, launch_.tables, 0);
    step.gm_cols = tile.cols.at(bindings, launch_.tables, 0);
  }
  if (!step.varies) {
    const OperandSizes operand_sizes = sizes(instruction, bindings, 0);
    step.cost = local_cost(machine_, instruction, operand_sizes);
    step.flops = flops_of(instruction, operand_sizes);
    if (step.may_conflict) {
      step.conflicts = static_cast<int32_t>(conflicts_.size());
      conflicts_.emplace_back();
    } else {
      step.cost.conflict = bank_conflict_ticks(instruction, bindings, 0);
    }
  }
  if (instruction.opcode == Opcode::kLoad && !step.varies) {
    const Tensor& tensor = launch_.tensors[static_cast<size_t>(instruction.a.tensor)];
    const OperandSizes operand_sizes = sizes(instruction, bindings, 0);
    step.ahead = burst_bytes(tensor, operand_sizes.a_rows, operand_sizes.a_cols) >=
                 machine_.mte2.lookahead_burst_bytes;
  }
  return step;
}

std::array<int64_t, 3> StepCache::places_of(const Instruction& instruction,
                                            std::span<const int64_t> bindings,
                                            int64_t index) const {
  const auto place = [&](const Tile& tile) {
    return tile.used() ? tile.offset.at(bindings, launch_.tables, index) : -1;
  };
  return {place(instruction.a), place(instruction.b), place(instruction.dst)};
}

int64_t StepCache::bank_conflict_ticks(const Instruction& instruction,
                                       std::span<const int64_t> bindings, int64_t index) const {
  if (instruction.opcode != Opcode::kVector || machine_.vector.bank_conflict_cycles <= 0) return 0;
  return bank_conflict_cost(machine_, instruction, sizes(instruction, bindings, index),
                            places_of(instruction, bindings, index));
}

LocalCost StepCache::cost(const Step& step, std::span<const int64_t> bindings, int64_t index) {
  LocalCost cost = step.cost;
  if (step.varies) {
    cost = local_cost(machine_, *step.source, sizes(*step.source, bindings, index));
    cost.conflict = bank_conflict_ticks(*step.source, bindings, index);
    return cost;
  }
  const std::array<int64_t, 3> places = places_of(*step.source, bindings, index);
  std::array<Conflict, kPlaces>& known = conflicts_[static_cast<size_t>(step.conflicts)];
  for (const Conflict& conflict : known) {
    const auto& at = conflict.places;
    if (at[0] != places[0] || at[1] != places[1] || at[2] != places[2]) continue;
    cost.conflict = conflict.ticks;
    return cost;
  }
  cost.conflict = bank_conflict_ticks(*step.source, bindings, index);
  std::copy_backward(known.begin(), known.end() - 1, known.end());
  known[0] = {places, cost.conflict};
  return cost;
}

int64_t StepCache::flops(const Step& step, std::span<const int64_t> bindings, int64_t index) const {
  if (!step.varies) return step.flops;
  return flops_of(*step.source, sizes(*step.source, bindings, index));
}

const ResolvedTemplate& StepCache::resolve(int template_id, std::span<const int64_t> bindings) {
  TemplateInfo& info = templates_[static_cast<size_t>(template_id)];
  const auto same = [&](const Resolved& resolved) {
    for (size_t i = 0; i < info.size_slots.size(); ++i) {
      if (resolved.key[i] != bindings[static_cast<size_t>(info.size_slots[i])]) return false;
    }
    return true;
  };
  const auto found = std::find_if(info.resolved.begin(), info.resolved.end(), same);
  if (found != info.resolved.end()) return *found->steps;

  Resolved resolved;
  for (int slot : info.size_slots) resolved.key.push_back(bindings[static_cast<size_t>(slot)]);
  resolved.steps = std::make_unique<ResolvedTemplate>();
  const Template& body = launch_.templates[static_cast<size_t>(template_id)];
  int32_t name = info.first_name;
  for (size_t s = 0; s < 3; ++s) {
    for (const Instruction& instruction : section_of(body, s)) {
      resolved.steps->sections[s].push_back(make_step(instruction, bindings, name++));
    }
  }
  info.resolved.push_back(std::move(resolved));
  return *info.resolved.back().steps;
}

void StepCache::check_inside(const Step& step, const GmAccess& access) const {
  const Tensor& tensor = launch_.tensors[static_cast<size_t>(access.tensor)];
  const bool inside = access.row >= 0 && access.col >= 0 && access.rows > 0 && access.cols > 0 &&
                      access.row + access.rows <= tensor.rows &&
                      access.col + access.cols <= tensor.cols;
  if (!inside) {
    throw Error(
        ErrorKind::kFailed,
        fmt::format("launch {}: {}: touches rows {}+{}, columns {}+{} of tensor {}, which "
                    "has {} x {}",
                    launch_.name, names_[static_cast<size_t>(step.name)], access.row, access.rows,
                    access.col, access.cols, tensor.name, tensor.rows, tensor.cols));
  }
}

GmAccess StepCache::access(const Step& step, std::span<const int64_t> bindings,
                           int64_t index) const {
  const Instruction& instruction = *step.source;
  const Tile& tile = instruction.opcode == Opcode::kLoad ? instruction.a : instruction.dst;
  const auto value = [&](const Expr& expr) { return expr.at(bindings, launch_.tables, index); };
  const GmAccess access{tile.tensor, value(tile.row), value(tile.col),
                        step.varies ? value(tile.rows) : step.gm_rows,
                        step.varies ? value(tile.cols) : step.gm_cols};
  check_inside(step, access);
  return access;
}

GmAccess StepCache::access(const Step& step, std::span<const int64_t> bindings, int64_t first,
                           int64_t count) const {
  GmAccess merged = access(step, bindings, first);
  if (count == 1) return merged;
  // Side by side: all but the first follow it at one stride along rows or along columns.
  const Tile& tile = step.source->a;
  merged.count = count;
  merged.each_rows = merged.rows;
  merged.each_cols = merged.cols;
  merged.rows += tile.row.step() * (count - 1);
  merged.cols += tile.col.step() * (count - 1);
  TW_CHECK(merged.rows * merged.cols == count * merged.each_rows * merged.each_cols,
           "loads lie side by side");
  check_inside(step, merged);
  return merged;
}

}  // namespace tilewright
