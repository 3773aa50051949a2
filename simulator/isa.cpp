#include "simulator/isa.h"

namespace tilewright {

std::string_view name_of(CoreKind kind) {
  return kind == CoreKind::kAic ? "AIC" : "AIV";
}

std::string_view name_of(Layout layout) {
  constexpr std::string_view kNames[] = {"nd", "zn", "zz", "nz"};
  return kNames[static_cast<int>(layout)];
}

std::string_view name_of(Opcode opcode) {
  constexpr std::string_view kNames[] = {"load", "move", "mmad", "fixpipe", "vector", "store"};
  return kNames[static_cast<int>(opcode)];
}

Pipe pipe_of(Opcode opcode) {
  constexpr Pipe kPipes[] = {Pipe::kMte2, Pipe::kMte1, Pipe::kCube,
                             Pipe::kFixp, Pipe::kVec,  Pipe::kMte3};
  return kPipes[static_cast<int>(opcode)];
}

}  // namespace tilewright
