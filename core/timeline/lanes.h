#pragma once

#include <cstdint>
#include <string_view>

namespace tilewright {

/// In-order queues of a core. An AIC has CUBE SCALAR MTE1 MTE2 FIXP, an AIV has VEC SCALAR MTE2
/// MTE3.
enum class Pipe : uint8_t { kCube, kVec, kScalar, kMte1, kMte2, kMte3, kFixp };
constexpr int kPipeCount = 7;
std::string_view name_of(Pipe pipe);

/// Where bytes can be.
enum class Memory : uint8_t {
  kGm,
  kL1,
  kL0A,
  kL0B,
  kL0C,
  kUb,
  kBt,  ///< bias table, which a product's sums may start from
  kFb,  ///< fixpipe buffer: a scale for each column of sums
};
constexpr int kMemoryCount = 8;
std::string_view name_of(Memory space);

}  // namespace tilewright
