#include "simulator/roofline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "core/base/format.h"
#include "simulator/cost.h"
#include "simulator/memory.h"
#include "simulator/steps.h"

namespace tilewright {

namespace {

constexpr std::array kKinds = {CoreKind::kAic, CoreKind::kAiv};

Component component_of(Pipe pipe) {
  switch (pipe) {
    case Pipe::kCube:
      return Component::kCube;
    case Pipe::kVec:
      return Component::kVector;
    case Pipe::kScalar:
      return Component::kScalar;
    case Pipe::kMte1:
      return Component::kMteL1;
    case Pipe::kMte2:
      return Component::kMteGm;
    case Pipe::kMte3:
      return Component::kMteUb;
    case Pipe::kFixp:
      return Component::kFixp;
  }
  return Component::kScalar;
}

Pipe pipe_of(Component component) {
  constexpr Pipe kPipes[] = {Pipe::kCube, Pipe::kVec,  Pipe::kScalar, Pipe::kMte2,
                             Pipe::kMte1, Pipe::kMte3, Pipe::kFixp};
  return kPipes[static_cast<size_t>(component)];
}

bool computes(Component component) {
  return component == Component::kCube || component == Component::kVector ||
         component == Component::kScalar;
}

double cycles_as_ticks(double cycles) {
  return cycles * static_cast<double>(kTicksPerCycle);
}

/// Work of one run of an instruction: its path, amount and cycles at the path's peak.
struct Piece {
  std::string path;
  double amount = 0;
  double cycles = 0;
};

Piece cube_piece(const Machine& machine, const Instruction& instruction,
                 const OperandSizes& sizes) {
  const auto flops = static_cast<double>(flops_of(instruction, sizes));
  const double depth = static_cast<double>(machine.cube.fractal_k_bytes) /
                       static_cast<double>(bytes_of(instruction.a.type));
  const double step = 2.0 * static_cast<double>(machine.cube.fractal_m * machine.cube.fractal_n);
  const double slow = instruction.a.type == DType::kF32 ? machine.cube.f32_factor : 1.0;
  return {std::string(name_of(instruction.a.type)), flops,
          flops / (step * depth) * machine.cube.cycles_per_fractal * slow};
}

Piece vector_piece(const Machine& machine, const Instruction& instruction,
                   const OperandSizes& sizes) {
  int64_t width = bytes_of(instruction.dst.type);
  if (instruction.a.used()) width = std::max<int64_t>(width, bytes_of(instruction.a.type));
  const bool reduces = sizes.a_cols > sizes.dst_cols && instruction.vector_op != VectorOp::kGather;
  const auto elements =
      static_cast<double>(reduces ? sizes.a_rows * sizes.a_cols : sizes.dst_rows * sizes.dst_cols);
  const double repeats =
      elements * static_cast<double>(width) / static_cast<double>(machine.vector.repeat_bytes);
  return {std::string(name_of(instruction.vector_op)), elements,
          repeats * machine.vector.cost_of(instruction.vector_op, width <= 2).slope};
}

Piece transfer_piece(std::string_view path, const Tile& tile, int64_t rows, int64_t cols,
                     double bytes_per_cycle) {
  const auto bytes = static_cast<double>(rows * cols * bytes_of(tile.type));
  return {std::string(path), bytes, bytes / bytes_per_cycle};
}

Piece piece_of(const Machine& machine, const Instruction& instruction, const OperandSizes& sizes) {
  const Tile& dst = instruction.dst;
  switch (instruction.opcode) {
    case Opcode::kMmad:
      return cube_piece(machine, instruction, sizes);
    case Opcode::kVector:
      return vector_piece(machine, instruction, sizes);
    case Opcode::kMove:
      return dst.space == Memory::kL0A
                 ? transfer_piece("L1 to L0A", dst, sizes.dst_rows, sizes.dst_cols,
                                  machine.mte1.l0a_bytes_per_cycle)
                 : transfer_piece("L1 to L0B", dst, sizes.dst_rows, sizes.dst_cols,
                                  machine.mte1.l0b_bytes_per_cycle);
    case Opcode::kLoad:
      return dst.space == Memory::kL1
                 ? transfer_piece("GM to L1", instruction.a, sizes.a_rows, sizes.a_cols,
                                  machine.mte2.l1_bytes_per_cycle)
                 : transfer_piece("GM to UB", instruction.a, sizes.a_rows, sizes.a_cols,
                                  machine.mte2.ub_bytes_per_cycle);
    case Opcode::kFixpipe:
      return transfer_piece("L0C to GM", dst, sizes.dst_rows, sizes.dst_cols,
                            machine.fixpipe.bytes_per_cycle);
    case Opcode::kStore:
      return transfer_piece("UB to GM", dst, sizes.dst_rows, sizes.dst_cols,
                            machine.mte3.bytes_per_cycle);
  }
  return {};
}

/// Adds up the work of a launch. Tasks of equal sizes are looked at once.
class WorkCounter {
 public:
  WorkCounter(const Launch& launch, const Machine& machine)
      : launch_(launch), machine_(machine), cache_(launch, machine) {}

  std::vector<ComponentWork> count() {
    for (const CoreProgram& core : launch_.cores) {
      for (const CoreProgram::Task& task : core.tasks) add_task(core, task);
    }
    std::vector<ComponentWork> list;
    for (const auto& [key, work] : work_) list.push_back(work);
    return list;
  }

 private:
  using Key = std::tuple<Component, CoreKind, std::string>;

  void add_task(const CoreProgram& core, const CoreProgram::Task& task) {
    const Template& body = launch_.templates[static_cast<size_t>(task.template_id)];
    const std::span<const int64_t> bindings(core.bindings.data() + task.first_binding,
                                            static_cast<size_t>(body.bindings));
    const ResolvedTemplate& steps = cache_.resolve(task.template_id, bindings);
    const int64_t count = std::max<int64_t>(0, body.count.at(bindings, launch_.tables, 0));
    for (size_t section = 0; section < steps.sections.size(); ++section) {
      const int64_t times = section == 1 ? count : 1;
      for (const Step& step : steps.sections[section]) add_step(core.kind, step, bindings, times);
    }
  }

  void add_step(CoreKind kind, const Step& step, std::span<const int64_t> bindings, int64_t times) {
    const Instruction& instruction = *step.source;
    if (times == 0) return;
    const auto issue = static_cast<double>(times);
    add(kind, Pipe::kScalar, {"issue", 1, machine_.scalar.issue_cycles}, issue);
    if (!changes(instruction)) {
      const OperandSizes sizes = cache_.sizes(instruction, bindings, 0);
      add(kind, step.pipe, piece_of(machine_, instruction, sizes), static_cast<double>(times));
      return;
    }
    for (int64_t i = 0; i < times; ++i) {
      const OperandSizes sizes = cache_.sizes(instruction, bindings, i);
      add(kind, step.pipe, piece_of(machine_, instruction, sizes), 1);
    }
  }

  /// Whether its sizes differ between iterations.
  static bool changes(const Instruction& instruction) {
    for (const Tile* tile : {&instruction.a, &instruction.b, &instruction.dst}) {
      if (!tile->rows.is_loop_invariant() || !tile->cols.is_loop_invariant()) return true;
    }
    return false;
  }

  void add(CoreKind kind, Pipe pipe, const Piece& piece, double times) {
    const Component component = component_of(pipe);
    ComponentWork& work = work_[Key(component, kind, piece.path)];
    work.component = component;
    work.kind = kind;
    work.path = piece.path;
    work.amount += times * piece.amount;
    work.ideal_ticks += times * cycles_as_ticks(piece.cycles);
  }

  const Launch& launch_;
  const Machine& machine_;
  StepCache cache_;
  std::map<Key, ComponentWork> work_;
};

/// Of all chips of the launch.
double cores_of(const TimingResult& result, const Machine& machine, CoreKind kind) {
  const int64_t of_aic = kind == CoreKind::kAic ? 1 : machine.cores.aiv_per_aic;
  return static_cast<double>(result.chips * machine.cores.aic * of_aic);
}

/// Ticks that the memory which all cores of a chip share needs for a component's bytes, the mean
/// over the chips.
double shared_ticks(Component component, const TimingResult& result, const Machine& machine) {
  const MemoryCounters& memory = result.memory;
  const auto ticks = [&](int64_t bytes, double rate) {
    return cycles_as_ticks(static_cast<double>(bytes) / (rate * static_cast<double>(result.chips)));
  };
  if (component == Component::kMteGm) {
    return std::max(
        ticks(memory.l2_read_bytes, machine.l2.read_bytes_per_cycle),
        ticks(memory.hbm_read_bytes + memory.hbm_write_bytes, hbm_bytes_per_cycle(machine)));
  }
  if (component == Component::kMteUb || component == Component::kFixp) {
    return ticks(memory.l2_write_bytes, machine.l2.write_bytes_per_cycle);
  }
  return 0;
}

/// Sums over the cores of the kinds that have work for a component.
struct ComponentSums {
  double ideal = 0;   ///< ticks
  double active = 0;  ///< ticks
  double cores = 0;   ///< that the machine has
  double worked = 0;  ///< cores that were active
};

ComponentSums sums_of(Component component, const TimingResult& result,
                      const std::vector<ComponentWork>& work, const Machine& machine) {
  ComponentSums sums;
  for (const CoreKind kind : kKinds) {
    double of_kind = 0;
    for (const ComponentWork& each : work) {
      if (each.component == component && each.kind == kind) of_kind += each.ideal_ticks;
    }
    if (of_kind == 0) continue;
    sums.ideal += of_kind;
    sums.cores += cores_of(result, machine, kind);
    for (const CoreCounters& core : result.cores) {
      if (core.kind != kind) continue;
      const int64_t busy = core.busy_ticks[static_cast<size_t>(pipe_of(component))];
      sums.active += static_cast<double>(busy);
      sums.worked += busy > 0 ? 1 : 0;
    }
  }
  return sums;
}

ComponentUse use_of(Component component, const TimingResult& result,
                    const std::vector<ComponentWork>& work, const Machine& machine) {
  ComponentSums sums = sums_of(component, result, work, machine);
  ComponentUse use;
  use.component = component;
  const auto whole = static_cast<double>(result.ticks);
  if (component == Component::kScalar) {
    // It issues at its peak whenever it issues.
    sums.active = sums.ideal;
    sums.worked = sums.cores;
  }
  if (sums.active == 0) return use;
  const double shared = shared_ticks(component, result, machine);
  // Evictions of what others wrote take HBM time outside of this component's activity.
  use.efficiency = std::min(1.0, std::max(sums.ideal, shared * sums.worked) / sums.active);
  // Memory that is full leaves nothing to cores that do nothing.
  const bool is_full = shared > kBoundUse * whole;
  use.active_ratio = sums.active / (is_full ? sums.worked : sums.cores) / whole;
  return use;
}

/// "20 of 24 AIC cores worked", for the kinds of core that have work; "" when all did.
std::string idle_cores(const TimingResult& result, const Machine& machine) {
  std::string text;
  for (const CoreKind kind : kKinds) {
    int64_t worked = 0;
    for (const CoreCounters& core : result.cores) {
      worked += core.kind == kind &&
                std::ranges::any_of(core.instructions, [](int64_t count) { return count > 0; });
    }
    const auto all = static_cast<int64_t>(cores_of(result, machine, kind));
    if (worked == 0 || worked == all) continue;
    text += fmt::format("; {} of {} {} cores worked", worked, all, name_of(kind));
  }
  return text;
}

std::string numbers_of(const ComponentUse& use) {
  return fmt::format("{} is active {} of the time at {} of its peak", name_of(use.component),
                     format_share(use.active_ratio), format_share(use.efficiency));
}

void judge(Roofline& roofline, const TimingResult& result, const Machine& machine) {
  if (roofline.components.empty()) {
    roofline.reason = "the launch does nothing";
    return;
  }
  const ComponentUse& used =
      *std::ranges::max_element(roofline.components, {}, &ComponentUse::utilisation);
  if (used.utilisation() > kBoundUse) {
    roofline.verdict = computes(used.component) ? Verdict::kComputeBound : Verdict::kMemoryBound;
    roofline.reason =
        fmt::format("{}, used to {}", numbers_of(used), format_share(used.utilisation()));
    return;
  }
  const ComponentUse& active =
      *std::ranges::max_element(roofline.components, {}, &ComponentUse::active_ratio);
  if (active.active_ratio < kActiveEnough) {
    roofline.verdict = Verdict::kInsufficientParallelism;
    roofline.reason =
        fmt::format("the busiest, {}{}", numbers_of(active), idle_cores(result, machine));
    return;
  }
  roofline.verdict =
      computes(active.component) ? Verdict::kInefficientCompute : Verdict::kInefficientTransfer;
  roofline.reason = numbers_of(active);
}

}  // namespace

std::string_view name_of(Component component) {
  constexpr std::string_view kNames[] = {"Cube",   "Vector", "Scalar", "MTE-GM",
                                         "MTE-L1", "MTE-UB", "FIXP"};
  return kNames[static_cast<size_t>(component)];
}

std::string_view name_of(Verdict verdict) {
  constexpr std::string_view kNames[] = {"compute_bound", "memory_bound",
                                         "insufficient_parallelism", "inefficient_transfer",
                                         "inefficient_compute"};
  return kNames[static_cast<size_t>(verdict)];
}

std::vector<ComponentWork> work_of(const Launch& launch, const Machine& machine) {
  return WorkCounter(launch, machine).count();
}

Roofline component_roofline(const TimingResult& result, const std::vector<ComponentWork>& work,
                            const Machine& machine) {
  Roofline roofline;
  for (int id = 0; id < kComponentCount; ++id) {
    const auto component = static_cast<Component>(id);
    const bool has_work = std::ranges::any_of(work, [&](const ComponentWork& each) {
      return each.component == component && each.ideal_ticks > 0;
    });
    if (has_work) roofline.components.push_back(use_of(component, result, work, machine));
  }
  judge(roofline, result, machine);
  return roofline;
}

}  // namespace tilewright
