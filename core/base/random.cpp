#include "core/base/random.h"

#include <cmath>
#include <numbers>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// g++ and clang both have it; -pedantic wants to hear that it is on purpose.
__extension__ using Wide = unsigned __int128;

uint64_t finish(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

uint64_t mix_bits(uint64_t seed, uint64_t index) {
  return finish(finish(seed + 0x9e3779b97f4a7c15u) + (index + 1) * 0x9e3779b97f4a7c15u);
}

uint64_t Random::bits() {
  state_ += 0x9e3779b97f4a7c15u;
  return finish(state_);
}

double Random::uniform() {
  return static_cast<double>(bits() >> 11) * 0x1p-53;
}

uint64_t Random::below(uint64_t bound) {
  TW_CHECK(bound > 0, "an empty range has no element");
  // Multiply-shift; the bias is below 2^-64 * bound.
  return static_cast<uint64_t>((static_cast<Wide>(bits()) * bound) >> 64);
}

double Random::normal() {
  const double radius = std::sqrt(2.0 * exponential());
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

double Random::exponential() {
  return -std::log1p(-uniform());
}

double Random::gamma(double shape) {
  TW_CHECK(shape > 0, "gamma needs a positive shape");
  if (shape < 1) {
    // Boost a gamma(shape + 1) variate; it has mean shape + 1, the result mean shape.
    const double boosted = gamma(shape + 1) * (shape + 1);
    return boosted * std::pow(1.0 - uniform(), 1.0 / shape) / shape;
  }
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal();
    const double v = std::pow(1.0 + c * x, 3);
    if (v <= 0) continue;
    const double u = 1.0 - uniform();
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v / shape;
  }
}

}  // namespace tilewright
