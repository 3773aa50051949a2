#pragma once

#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "simulator/launch.h"

namespace tilewright {

/// Something that can go wrong in a launch for some timing of its pipes.
struct Hazard {
  /// "read_before_write", "overwrite_while_read", "overwrite", "never_set", "outgrown",
  /// "misaligned".
  std::string kind;
  /// Both instructions, the buffer, the bytes and the missing flag.
  std::string message;
};

/// Finds hazards by happens-before, without values: an instruction comes after another one only
/// through the order of its pipe and through flags; program order alone orders nothing, since pipes
/// run ahead of each other. So what is found does not depend on the timing of one interleaving.
///
/// Tracked are the bytes of all on-chip buffers and of the tensors that the launch writes. At most
/// 100 hazards, one for each pair of instructions and buffer.
std::vector<Hazard> find_hazards(const Launch& launch, const Machine& machine);

}  // namespace tilewright
