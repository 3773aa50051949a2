#include "simulator/tile_product.h"

#include <Eigen/Core>
#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "simulator/layout.h"

namespace tilewright {

namespace {

/// Columns of a fractal of sums.
constexpr int64_t kWidth = kFractalRows;

template <typename Scalar>
using Packet = typename Eigen::internal::packet_traits<Scalar>::type;

/// Packets that hold a row of a fractal of sums.
template <typename Scalar>
constexpr int kPackets =
    static_cast<int>(kWidth) / Eigen::internal::unpacket_traits<Packet<Scalar>>::size;

/// How many rows and columns of fractals of sums are kept in registers at a time: with 512-bit
/// registers 8 x 2 (16 of 32 registers), with smaller ones 4 x 1.
template <typename Scalar>
constexpr int kMaxRows = kPackets<Scalar> == 1 ? 8 : 4;
template <typename Scalar>
constexpr int kMaxFractals = kPackets<Scalar> == 1 ? 2 : 1;

/// visit(0), visit(1), ... with constants, so that arrays indexed by them become registers.
template <int kCount, typename Visit>
void unrolled(Visit visit) {
  [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    (visit(std::integral_constant<int, kIndex>()), ...);
  }
  (std::make_integer_sequence<int, kCount>());
}

/// kRows rows x kFractals fractal columns of sums. Pointers are to the block's first elements.
template <typename Scalar, int kDepth, int kRows, int kFractals>
void multiply_block(const TileProduct& product, const Scalar* left, const Scalar* right,
                    Scalar* sums) {
  using Eigen::internal::pload1;
  using Eigen::internal::ploadu;
  using Eigen::internal::pmadd;
  using Eigen::internal::pset1;
  using Eigen::internal::pstoreu;
  constexpr int kParts = kPackets<Scalar> * kFractals;
  constexpr int kLanes = static_cast<int>(kWidth) / kPackets<Scalar>;
  constexpr int64_t kFractal = kWidth * kDepth;
  const int64_t fractal_row = ceil_div(product.cols, kWidth) * kFractal;
  const int64_t sum_step = product.sum_rows * kWidth;
  const auto part = [&](int p, int64_t step) {
    return p / kPackets<Scalar> * step + p % kPackets<Scalar> * kLanes;
  };
  const auto for_each_sum = [&](auto visit) {
    unrolled<kRows>([&](auto r) {
      unrolled<kParts>([&](auto p) { visit(r, p, sums + part(p, sum_step) + r * kWidth); });
    });
  };
  Packet<Scalar> block[kRows][kParts];
  for_each_sum([&](auto r, auto p, Scalar* at) {
    block[r][p] = product.add ? ploadu<Packet<Scalar>>(at) : pset1<Packet<Scalar>>(Scalar{0});
    __builtin_prefetch(at + kRows * kWidth, 1);  // the next block's sums
  });
  const auto step = [&](int64_t k) {
    Packet<Scalar> row[kParts];
    unrolled<kParts>(
        [&](auto p) { row[p] = ploadu<Packet<Scalar>>(right + part(p, kFractal) + k * kWidth); });
    unrolled<kRows>([&](auto r) {
      const auto factor = pload1<Packet<Scalar>>(left + r * kDepth + k);
      unrolled<kParts>([&](auto p) { block[r][p] = pmadd(factor, row[p], block[r][p]); });
    });
  };
  int64_t rest = product.depth;
  for (; rest >= kDepth; rest -= kDepth) {
    for (int64_t k = 0; k < kDepth; ++k) step(k);
    left += kFractal;
    right += fractal_row;
  }
  for (int64_t k = 0; k < rest; ++k) step(k);
  for_each_sum([&](auto r, auto p, Scalar* at) { pstoreu(at, block[r][p]); });
}

/// All rows of kFractals fractal columns, in blocks of at most kRows.
template <typename Scalar, int kDepth, int kRows, int kFractals>
void multiply_rows(const TileProduct& product, int64_t row, const Scalar* left, const Scalar* right,
                   Scalar* sums) {
  const int64_t fractal_row = round_up(product.depth, kDepth) * kFractalRows;
  for (; row + kRows <= product.rows; row += kRows) {
    multiply_block<Scalar, kDepth, kRows, kFractals>(
        product, left + row / kFractalRows * fractal_row + row % kFractalRows * kDepth, right,
        sums + row * kWidth);
  }
  if constexpr (kRows > 1) {
    if (row < product.rows) {
      multiply_rows<Scalar, kDepth, kRows / 2, kFractals>(product, row, left, right, sums);
    }
  }
}

template <typename Scalar, int kDepth>
void multiply_columns(const TileProduct& product, const Scalar* left, const Scalar* right,
                      Scalar* sums) {
  constexpr int kRows = kMaxRows<Scalar>;
  constexpr int kFractals = kMaxFractals<Scalar>;
  constexpr int64_t kFractal = kWidth * kDepth;
  const int64_t sum_step = product.sum_rows * kWidth;
  const int64_t columns = ceil_div(product.cols, kWidth);
  int64_t column = 0;
  for (; column + kFractals <= columns; column += kFractals) {
    multiply_rows<Scalar, kDepth, kRows, kFractals>(product, 0, left, right + column * kFractal,
                                                    sums + column * sum_step);
  }
  for (; column < columns; ++column) {
    multiply_rows<Scalar, kDepth, kRows, 1>(product, 0, left, right + column * kFractal,
                                            sums + column * sum_step);
  }
}

}  // namespace

void multiply_tiles(const TileProduct& product, const float* left, const float* right,
                    float* sums) {
  if (product.c0 == 8) return multiply_columns<float, 8>(product, left, right, sums);
  TW_CHECK(product.c0 == 16, "f32 operands have 8 or 16 steps of depth in a fractal");
  multiply_columns<float, 16>(product, left, right, sums);
}

void multiply_tiles(const TileProduct& product, const int32_t* left, const int32_t* right,
                    int32_t* sums) {
  TW_CHECK(product.c0 == 32, "i8 operands have 32 steps of depth in a fractal");
  multiply_columns<int32_t, 32>(product, left, right, sums);
}

}  // namespace tilewright
