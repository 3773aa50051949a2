#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "core/machine/machine.h"

namespace tilewright {

/// Gives access to the value behind each MachineField, in the same order. For core/machine only.
using FieldPointer = std::variant<int64_t*, double*>;
using FieldAccess = FieldPointer (*)(Machine&);

struct FieldEntry {
  MachineField field;
  FieldAccess access = nullptr;  ///< null for the vector table, which is addressed by index
  int vector_op = -1;
  int vector_part = 0;  ///< 0 head, 1 slope, 2 tail
  /// Of vector.half_cost: where a file has no value, that of vector.cost holds.
  bool half = false;
  /// Of a group that a file may leave out as a whole; the machine's own defaults hold then.
  bool optional_group = false;
};

const std::vector<FieldEntry>& field_entries();
FieldPointer pointer_to(Machine& machine, const FieldEntry& entry);

}  // namespace tilewright
