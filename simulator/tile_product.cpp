#include "simulator/tile_product.h"

#include <Eigen/Core>
#include <algorithm>

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

/// kRows rows x kFractals fractal columns of sums. Pointers are to the block's first elements.
template <typename Scalar, int kLeftCols, int kRows, int kFractals>
void multiply_block(const TileProduct& product, const Scalar* left, const Scalar* right,
                    Scalar* sums) {
  using Eigen::internal::pload1;
  using Eigen::internal::ploadu;
  using Eigen::internal::pmadd;
  using Eigen::internal::pset1;
  using Eigen::internal::pstoreu;
  constexpr int kParts = kPackets<Scalar> * kFractals;
  constexpr int kLanes = static_cast<int>(kWidth) / kPackets<Scalar>;
  const int64_t right_step = round_up(product.depth, kFractalRows) * kWidth;
  const int64_t sum_step = product.sum_rows * kWidth;
  const auto part = [&](int p, int64_t step) {
    return p / kPackets<Scalar> * step + p % kPackets<Scalar> * kLanes;
  };
  Packet<Scalar> block[kRows][kParts];
  for (int r = 0; r < kRows; ++r) {
    for (int p = 0; p < kParts; ++p) {
      block[r][p] = product.add ? ploadu<Packet<Scalar>>(sums + part(p, sum_step) + r * kWidth)
                                : pset1<Packet<Scalar>>(Scalar{0});
    }
  }
  for (int64_t done = 0; done < product.depth; done += kLeftCols) {
    const int64_t count = std::min<int64_t>(kLeftCols, product.depth - done);
    for (int64_t k = 0; k < count; ++k) {
      Packet<Scalar> row[kParts];
      for (int p = 0; p < kParts; ++p) {
        row[p] = ploadu<Packet<Scalar>>(right + part(p, right_step));
      }
      right += kWidth;
      for (int r = 0; r < kRows; ++r) {
        const auto factor = pload1<Packet<Scalar>>(left + r * kLeftCols + k);
        for (int p = 0; p < kParts; ++p) block[r][p] = pmadd(factor, row[p], block[r][p]);
      }
    }
    left += kFractalRows * kLeftCols;
  }
  for (int r = 0; r < kRows; ++r) {
    for (int p = 0; p < kParts; ++p) {
      pstoreu(sums + part(p, sum_step) + r * kWidth, block[r][p]);
    }
  }
}

/// All rows of kFractals fractal columns, in blocks of at most kRows.
template <typename Scalar, int kLeftCols, int kRows, int kFractals>
void multiply_rows(const TileProduct& product, int64_t row, const Scalar* left, const Scalar* right,
                   Scalar* sums) {
  const int64_t fractal_row = round_up(product.depth, kLeftCols) * kFractalRows;
  for (; row + kRows <= product.rows; row += kRows) {
    multiply_block<Scalar, kLeftCols, kRows, kFractals>(
        product, left + row / kFractalRows * fractal_row + row % kFractalRows * kLeftCols, right,
        sums + row * kWidth);
  }
  if constexpr (kRows > 1) {
    if (row < product.rows) {
      multiply_rows<Scalar, kLeftCols, kRows / 2, kFractals>(product, row, left, right, sums);
    }
  }
}

template <typename Scalar, int kLeftCols>
void multiply_columns(const TileProduct& product, const Scalar* left, const Scalar* right,
                      Scalar* sums) {
  constexpr int kRows = kMaxRows<Scalar>;
  constexpr int kFractals = kMaxFractals<Scalar>;
  const int64_t right_step = round_up(product.depth, kFractalRows) * kWidth;
  const int64_t sum_step = product.sum_rows * kWidth;
  const int64_t columns = ceil_div(product.cols, kWidth);
  int64_t column = 0;
  for (; column + kFractals <= columns; column += kFractals) {
    multiply_rows<Scalar, kLeftCols, kRows, kFractals>(
        product, 0, left, right + column * right_step, sums + column * sum_step);
  }
  for (; column < columns; ++column) {
    multiply_rows<Scalar, kLeftCols, kRows, 1>(product, 0, left, right + column * right_step,
                                               sums + column * sum_step);
  }
}

}  // namespace

void multiply_tiles(const TileProduct& product, const float* left, const float* right,
                    float* sums) {
  if (product.left_cols == 8) return multiply_columns<float, 8>(product, left, right, sums);
  TW_CHECK(product.left_cols == 16, "f32 operands have 8 or 16 columns in a fractal");
  multiply_columns<float, 16>(product, left, right, sums);
}

void multiply_tiles(const TileProduct& product, const int32_t* left, const int32_t* right,
                    int32_t* sums) {
  TW_CHECK(product.left_cols == 32, "i8 operands have 32 columns in a fractal");
  multiply_columns<int32_t, 32>(product, left, right, sums);
}

}  // namespace tilewright
