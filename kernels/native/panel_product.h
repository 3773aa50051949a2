#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright {

/// Outputs that are computed together: a panel holds the weights of so many, one input after the
/// other, so that a product reads it from front to back.
inline constexpr int64_t kPanelWidth = 32;

/// Rows of floats, `stride` apart.
struct RowsView {
  const float* data = nullptr;
  int64_t stride = 0;
  int64_t rows = 0;
};

/// `count` panels of `depth` * kPanelWidth floats, `stride` apart.
struct PanelsView {
  const float* data = nullptr;
  int64_t stride = 0;
  int64_t count = 0;
  int64_t depth = 0;
  const float* start = nullptr;  ///< count * kPanelWidth values that the sums begin with, or none
};

/// y[r][32 j + i] = start[32 j + i] + sum over k of x[r][k] * panels[j][k][i], in f32 with fused
/// multiply-add, k ascending. A row's result depends on that row alone: whatever else is in the
/// batch, its bits are the same, which Eigen's own product does not promise (it chooses order of
/// sums and instructions by the sizes of all). That is why this one exists, and because weights
/// are packed once and not in every product. Rows of y are y_stride >= 32 * count apart.
void multiply_panels(const RowsView& x, const PanelsView& panels, float* y, int64_t y_stride);

/// A weight matrix [out, in], packed for multiply_panels(), with an optional bias.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  /// All zero.
  PackedMatrix(int64_t outputs, int64_t inputs);

  void set_row(int64_t output, std::span<const float> weights);
  void set_bias(int64_t output, float bias);

  int64_t inputs() const { return inputs_; }
  /// Floats in a row of the result: the outputs, rounded up to whole panels.
  int64_t padded_outputs() const { return panels_ * kPanelWidth; }

  /// y = x W^T + bias; rows of y are padded_outputs() apart.
  void multiply(const RowsView& x, std::vector<float>& y) const;

 private:
  int64_t inputs_ = 0;
  int64_t panels_ = 0;
  std::vector<float> weights_;
  std::vector<float> bias_;
};

}  // namespace tilewright
