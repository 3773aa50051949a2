#include "kernels/native/row_math.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/integers.h"

namespace tilewright {

namespace {

using Packet = Eigen::internal::packet_traits<float>::type;
constexpr int64_t kLanes = Eigen::internal::packet_traits<float>::size;
static_assert(kLanes <= 16, "softmax_row() says how far it writes");

using Eigen::internal::padd;
using Eigen::internal::pdiv;
using Eigen::internal::pexp;
using Eigen::internal::ploadu;
using Eigen::internal::pmul;
using Eigen::internal::pset1;
using Eigen::internal::pstoreu;
using Eigen::internal::psub;

double mean_of_squares(const float* x, int64_t count) {
  constexpr int64_t kParts = 8;
  double parts[kParts] = {};
  const int64_t whole = count / kParts * kParts;
  for (int64_t i = 0; i < whole; i += kParts) {
    for (int64_t p = 0; p < kParts; ++p) {
      const double value = static_cast<double>(x[i + p]);
      parts[p] += value * value;
    }
  }
  double sum = 0;
  for (const double part : parts) sum += part;
  for (int64_t i = whole; i < count; ++i) {
    sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return sum / static_cast<double>(count);
}

}  // namespace

void rms_norm_row(const float* x, const float* weight, double eps, int64_t count, float* out) {
  const auto scale = static_cast<float>(1 / std::sqrt(mean_of_squares(x, count) + eps));
  for (int64_t i = 0; i < count; ++i) out[i] = x[i] * scale * weight[i];
}

void softmax_row(float* row, int64_t count) {
  const int64_t padded = round_up(count, kLanes);
  std::fill(row + count, row + padded, -std::numeric_limits<float>::infinity());
  Packet largest = ploadu<Packet>(row);
  for (int64_t i = kLanes; i < padded; i += kLanes) {
    largest = Eigen::internal::pmax(largest, ploadu<Packet>(row + i));
  }
  const Packet top = pset1<Packet>(Eigen::internal::predux_max(largest));
  Packet sums = pset1<Packet>(0);
  for (int64_t i = 0; i < padded; i += kLanes) {
    const Packet power = pexp(psub(ploadu<Packet>(row + i), top));
    sums = padd(sums, power);
    pstoreu(row + i, power);
  }
  const Packet share = pset1<Packet>(1 / Eigen::internal::predux(sums));
  for (int64_t i = 0; i < padded; i += kLanes)
    pstoreu(row + i, pmul(ploadu<Packet>(row + i), share));
}

void silu_mul_row(const float* gate, const float* up, int64_t count, float* out) {
  const Packet one = pset1<Packet>(1);
  for (int64_t i = 0; i < count; i += kLanes) {
    const Packet value = ploadu<Packet>(gate + i);
    const Packet bottom = padd(one, pexp(Eigen::internal::pnegate(value)));
    pstoreu(out + i, pmul(pdiv(value, bottom), ploadu<Packet>(up + i)));
  }
}

void rotate_head(float* head, const float* cosines, const float* sines, int64_t width) {
  const int64_t half = width / 2;
  for (int64_t i = 0; i < half; ++i) {
    const float first = head[i];
    const float second = head[i + half];
    head[i] = first * cosines[i] - second * sines[i];
    head[i + half] = second * cosines[i] + first * sines[i];
  }
}

}  // namespace tilewright
