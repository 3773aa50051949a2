#include "kernels/native/panel_product.h"

#include <Eigen/Core>
#include <algorithm>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

using Packet = Eigen::internal::packet_traits<float>::type;
constexpr int kLanes = Eigen::internal::packet_traits<float>::size;
constexpr int kPackets = static_cast<int>(kPanelWidth) / kLanes;
/// Rows whose sums fit into the registers: 8 x 2 of 32 (AVX-512), 2 x 4 of 16 (AVX2).
constexpr int kMostRows = kLanes >= 16 ? 8 : 2;

/// `Rows` rows times one panel.
template <int Rows>
void multiply_tile(const float* x, int64_t x_stride, const float* panel, int64_t depth,
                   const float* start, float* y, int64_t y_stride) {
  Packet sums[Rows][kPackets];
  for (int p = 0; p < kPackets; ++p) {
    const Packet first = start ? Eigen::internal::ploadu<Packet>(start + p * kLanes)
                               : Eigen::internal::pset1<Packet>(0);
    for (int r = 0; r < Rows; ++r) sums[r][p] = first;
  }
  for (int64_t k = 0; k < depth; ++k) {
    Packet weights[kPackets];
    for (int p = 0; p < kPackets; ++p) {
      weights[p] = Eigen::internal::ploadu<Packet>(panel + k * kPanelWidth + p * kLanes);
    }
    for (int r = 0; r < Rows; ++r) {
      const Packet input = Eigen::internal::pset1<Packet>(x[r * x_stride + k]);
      for (int p = 0; p < kPackets; ++p) {
        sums[r][p] = Eigen::internal::pmadd(input, weights[p], sums[r][p]);
      }
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int p = 0; p < kPackets; ++p) {
      Eigen::internal::pstoreu(y + r * y_stride + p * kLanes, sums[r][p]);
    }
  }
}

/// The last rows: fewer than kMostRows.
template <int Rows>
void multiply_rest(int64_t rows, const float* x, int64_t x_stride, const float* panel,
                   int64_t depth, const float* start, float* y, int64_t y_stride) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      multiply_tile<Rows>(x, x_stride, panel, depth, start, y, y_stride);
    } else {
      multiply_rest<Rows - 1>(rows, x, x_stride, panel, depth, start, y, y_stride);
    }
  }
}

}  // namespace

void multiply_panels(const RowsView& x, const PanelsView& panels, float* y, int64_t y_stride) {
  if (x.rows == 0) return;  // there may be no memory either
  for (int64_t j = 0; j < panels.count; ++j) {
    const float* panel = panels.data + j * panels.stride;
    const float* start = panels.start ? panels.start + j * kPanelWidth : nullptr;
    int64_t r = 0;
    for (; r + kMostRows <= x.rows; r += kMostRows) {
      multiply_tile<kMostRows>(x.data + r * x.stride, x.stride, panel, panels.depth, start,
                               y + r * y_stride + j * kPanelWidth, y_stride);
    }
    multiply_rest<kMostRows - 1>(x.rows - r, x.data + r * x.stride, x.stride, panel, panels.depth,
                                 start, y + r * y_stride + j * kPanelWidth, y_stride);
  }
}

PackedMatrix::PackedMatrix(int64_t outputs, int64_t inputs)
    : inputs_(inputs),
      panels_(ceil_div(outputs, kPanelWidth)),
      weights_(static_cast<size_t>(panels_ * kPanelWidth * inputs)),
      bias_() {}

void PackedMatrix::set_row(int64_t output, std::span<const float> weights) {
  TW_CHECK(std::ssize(weights) == inputs_, "a row has a weight for each input");
  float* panel = weights_.data() + output / kPanelWidth * kPanelWidth * inputs_;
  for (int64_t k = 0; k < inputs_; ++k) {
    panel[k * kPanelWidth + output % kPanelWidth] = weights[static_cast<size_t>(k)];
  }
}

void PackedMatrix::set_bias(int64_t output, float bias) {
  bias_.resize(static_cast<size_t>(padded_outputs()));
  bias_[static_cast<size_t>(output)] = bias;
}

void PackedMatrix::multiply(const RowsView& x, std::vector<float>& y) const {
  y.resize(std::max(y.size(), static_cast<size_t>(x.rows * padded_outputs())));
  const PanelsView panels{weights_.data(), kPanelWidth * inputs_, panels_, inputs_,
                          bias_.empty() ? nullptr : bias_.data()};
  multiply_panels(x, panels, y.data(), padded_outputs());
}

}  // namespace tilewright
