#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/machine/machine.h"
#include "simulator/cost.h"
#include "simulator/launch.h"
#include "simulator/memory.h"

namespace tilewright {

/// Sets of moments in the run of a template, as bits: when a flag's use applies.
enum WhenBits : uint8_t { kIsFirst = 1, kIsLast = 2, kIsAny = 4 };

/// Use of a flag by a step.
struct StepFlag {
  int16_t flag = -1;
  uint8_t when = kIsAny;  ///< WhenBits
  bool local = true;      ///< the flag lives in the waiting core's own list
  FlagScope scope = FlagScope::kCore;
  int16_t chip = -1;  ///< of a set of a peer's flag: its chip
};

/// An instruction of a template with everything worked out that does not change between iterations
/// and tasks of equal sizes.
struct Step {
  std::array<StepFlag, Instruction::kMaxFlags> waits{};
  std::array<StepFlag, Instruction::kMaxFlags> sets{};
  uint8_t wait_count = 0;
  uint8_t set_count = 0;
  Pipe pipe = Pipe::kScalar;
  bool is_memory = false;     ///< goes over the shared memory
  bool varies = false;        ///< its local cost depends on the loop index or on a table
  bool may_conflict = false;  ///< a vector instruction whose operands' places change: UB banks
  bool ahead = false;         ///< a load that is requested while the one before runs
  MemoryClient client = MemoryClient::kL1Load;
  LocalCost cost;
  int64_t flops = 0;
  int64_t gm_rows = 0;  ///< of a transfer that does not vary
  int64_t gm_cols = 0;
  const Instruction* source = nullptr;
  int32_t bindings = 0;    ///< number of bindings of its template
  int32_t conflicts = -1;  ///< of may_conflict without varies: place among the remembered conflicts
  int32_t name = 0;        ///< number of the instruction in the launch, counting through templates
};

/// A template for one combination of the bindings that its sizes depend on.
struct ResolvedTemplate {
  std::array<std::vector<Step>, 3> sections;  ///< prologue, body, epilogue
};

/// Resolves templates and keeps the results: a launch has few different tile sizes.
class StepCache {
 public:
  StepCache(const Launch& launch, const Machine& machine);

  /// Marks flags between cores that live in the waiting core's own list, by flag. Before the first
  /// resolve().
  void set_local_flags(std::vector<char> is_local) { is_local_ = std::move(is_local); }

  const ResolvedTemplate& resolve(int template_id, std::span<const int64_t> bindings);

  OperandSizes sizes(const Instruction& instruction, std::span<const int64_t> bindings,
                     int64_t index) const;
  /// The rectangle of GM that a load, store or fixpipe moves; Error (failed) when it is empty or
  /// leaves the tensor.
  GmAccess access(const Step& step, std::span<const int64_t> bindings, int64_t index) const;
  /// Those of `count` iterations in a row as one, for a load whose rectangles lie side by side.
  GmAccess access(const Step& step, std::span<const int64_t> bindings, int64_t first,
                  int64_t count) const;
  /// Cost of a step that varies or may conflict.
  LocalCost cost(const Step& step, std::span<const int64_t> bindings, int64_t index);
  int64_t flops(const Step& step, std::span<const int64_t> bindings, int64_t index) const;

  /// "template[section i] opcode" by Step::name.
  const std::vector<std::string>& names() const { return names_; }

 private:
  struct Resolved {
    std::vector<int64_t> key;
    std::unique_ptr<ResolvedTemplate> steps;
  };
  struct TemplateInfo {
    std::vector<int> size_slots;  // bindings that sizes depend on
    int32_t first_name = 0;
    std::vector<Resolved> resolved;
  };

  Step make_step(const Instruction& instruction, std::span<const int64_t> bindings, int32_t name);
  /// Bytes in UB at which a, b and dst begin; -1 for what is not there.
  std::array<int64_t, 3> places_of(const Instruction& instruction,
                                   std::span<const int64_t> bindings, int64_t index) const;
  void check_inside(const Step& step, const GmAccess& access) const;
  int64_t bank_conflict_ticks(const Instruction& instruction, std::span<const int64_t> bindings,
                              int64_t index) const;

  const Launch& launch_;
  const Machine& machine_;
  std::vector<char> is_local_;
  /// Operands of an instruction take few places: the slots of rings.
  struct Conflict {
    std::array<int64_t, 3> places{-2, -2, -2};
    int64_t ticks = 0;
  };
  static constexpr size_t kPlaces = 4;
  std::vector<std::array<Conflict, kPlaces>> conflicts_;
  std::vector<TemplateInfo> templates_;
  std::vector<std::string> names_;
};

}  // namespace tilewright
