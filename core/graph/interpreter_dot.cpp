#include <algorithm>
#include <array>
#include <optional>

#include "core/graph/interpreter_ops.h"
#include "core/graph/number_format.h"
#include "core/graph/strided.h"

namespace tilewright {
namespace {

template <class T>
T load(Element element) {
  if constexpr (std::is_same_v<T, uint64_t>) {
    return element;
  } else {
    return static_cast<T>(float_of(element));
  }
}

/// The sum of products as a element of the result's type.
template <class T>
Element store(T sum, ElementType type, Arithmetic arithmetic) {
  if constexpr (std::is_same_v<T, uint64_t>) {
    return element_of(wrap_to(type, static_cast<int64_t>(sum)));
  } else {
    const auto value = static_cast<double>(sum);
    return element_of(arithmetic == Arithmetic::kStated ? round_to(type, value) : value);
  }
}

/// The elements of a value with its dimensions in another order.
template <class T>
std::vector<T> packed(const Value& value, const std::vector<int64_t>& order) {
  std::vector<int64_t> dims = picked(value.shape().dims, order);
  Strided source = {picked(row_major_strides(value.shape().dims), order)};
  const int64_t run = dims.empty() ? 1 : dims.back();
  const int64_t stride = dims.empty() ? 1 : source.strides.back();
  if (!dims.empty()) {
    dims.pop_back();
    source.strides.pop_back();
  }
  std::vector<T> result(static_cast<size_t>(value.size()));
  T* to = result.data();
  for (StridedWalk<1> walk(dims, {source}); !walk.done(); walk.next(), to += run) {
    const Element* from = value.elements().data() + walk.at(0);
    for (int64_t i = 0; i < run; ++i) to[i] = load<T>(from[i * stride]);
  }
  return result;
}

struct GemmSize {
  int64_t m = 1;
  int64_t n = 1;
  int64_t k = 1;
};

/// A tile of the product: its sums stay in registers.
constexpr int64_t kRows = 4;
constexpr int64_t kColumns = 16;

template <class T>
using Tile = std::array<std::array<T, kColumns>, kRows>;

/// kColumns columns of b, with zeros beyond its edge, one row of kColumns after the other.
template <class T>
void pack_panel(const T* b, const GemmSize& size, int64_t column, std::vector<T>& panel) {
  const int64_t columns = std::min(kColumns, size.n - column);
  for (int64_t k = 0; k < size.k; ++k) {
    T* to = panel.data() + k * kColumns;
    std::copy_n(b + k * size.n + column, columns, to);
    std::fill(to + columns, to + kColumns, T{});
  }
}

/// sum[r][j] = sum over k, ascending, of rows[r][k] * panel[k][j]. The rows are spelled out, since
/// with a loop over them the compilers do not keep the sums in registers (3 GFLOP/s instead of 20
/// in f64 and 60 in f32).
template <class T>
Tile<T> multiply_tile(const std::array<const T*, kRows>& rows, int64_t k_count, const T* panel) {
  T first[kColumns] = {};
  T second[kColumns] = {};
  T third[kColumns] = {};
  T fourth[kColumns] = {};
  for (int64_t k = 0; k < k_count; ++k) {
    const T* b = panel + k * kColumns;
    const T a[] = {rows[0][k], rows[1][k], rows[2][k], rows[3][k]};
    for (int64_t j = 0; j < kColumns; ++j) {
      first[j] += a[0] * b[j];
      second[j] += a[1] * b[j];
      third[j] += a[2] * b[j];
      fourth[j] += a[3] * b[j];
    }
  }
  Tile<T> sums;
  std::copy_n(first, kColumns, sums[0].begin());
  std::copy_n(second, kColumns, sums[1].begin());
  std::copy_n(third, kColumns, sums[2].begin());
  std::copy_n(fourth, kColumns, sums[3].begin());
  return sums;
}

/// put(row, column, sum) for each element of a * b, both row-major. The sum of one element is
/// always in the order of k, so that its rounding does not depend on the tiles.
template <class T, class Put>
void gemm(const T* a, const T* b, const GemmSize& size, const Put& put) {
  std::vector<T> panel(static_cast<size_t>(size.k * kColumns));
  for (int64_t column = 0; column < size.n; column += kColumns) {
    pack_panel(b, size, column, panel);
    const int64_t columns = std::min(kColumns, size.n - column);
    for (int64_t row = 0; row < size.m; row += kRows) {
      // Beyond the last row it is computed again, and not put.
      std::array<const T*, kRows> rows;
      for (int64_t r = 0; r < kRows; ++r) {
        rows[static_cast<size_t>(r)] = a + std::min(row + r, size.m - 1) * size.k;
      }
      const Tile<T> sums = multiply_tile(rows, size.k, panel.data());
      for (int64_t r = 0; r < std::min(kRows, size.m - row); ++r) {
        for (int64_t j = 0; j < columns; ++j) {
          put(row + r, column + j, sums[static_cast<size_t>(r)][static_cast<size_t>(j)]);
        }
      }
    }
  }
}

std::vector<int64_t> joined(const std::vector<int64_t>& a, const std::vector<int64_t>& b,
                            const std::vector<int64_t>& c) {
  std::vector<int64_t> result = a;
  result.insert(result.end(), b.begin(), b.end());
  result.insert(result.end(), c.begin(), c.end());
  return result;
}

template <class T>
Value dot(const OpCall& call) {
  const auto& dims = call.op.get<DotDimensions>();
  const Value& lhs = call.operands[0];
  const Value& rhs = call.operands[1];
  const std::vector<int64_t> lhs_free =
      all_but(lhs.shape().rank(), joined(dims.lhs_batch, dims.lhs_contracting, {}));
  const std::vector<int64_t> rhs_free =
      all_but(rhs.shape().rank(), joined(dims.rhs_batch, dims.rhs_contracting, {}));
  const GemmSize size = {.m = count_of(picked(lhs.shape().dims, lhs_free)),
                         .n = count_of(picked(rhs.shape().dims, rhs_free)),
                         .k = count_of(picked(lhs.shape().dims, dims.lhs_contracting))};
  const int64_t batches = count_of(picked(lhs.shape().dims, dims.lhs_batch));
  const std::vector<T> a = packed<T>(lhs, joined(dims.lhs_batch, lhs_free, dims.lhs_contracting));
  const std::vector<T> b = packed<T>(rhs, joined(dims.rhs_batch, dims.rhs_contracting, rhs_free));
  Value result(call.shape());
  Element* out = result.writable().data();
  const ElementType type = call.shape().type;
  for (int64_t batch = 0; batch < batches; ++batch, out += size.m * size.n) {
    gemm<T>(a.data() + batch * size.m * size.k, b.data() + batch * size.k * size.n, size,
            [&](int64_t row, int64_t column, T sum) {
              out[row * size.n + column] = store<T>(sum, type, call.arithmetic);
            });
  }
  return result;
}

/// A convolution as products of patches of the input with the kernel, one group at a time.
template <class T>
class Convolver {
 public:
  explicit Convolver(const OpCall& call)
      : call_(call),
        attributes_(call.op.get<Convolution>()),
        input_dims_(call.operands[0].shape().dims),
        input_strides_(row_major_strides(input_dims_)),
        output_strides_(row_major_strides(call.shape().dims)) {
    for (const WindowDimension& dim : attributes_.window.dims) window_.push_back(dim.size);
    const ConvolutionLabels& kernel = attributes_.kernel;
    kernel_ = packed<T>(call.operands[1], joined(kernel.spatial, {kernel.feature}, {kernel.batch}));
    in_features_ = extent(call.operands[1].shape(), kernel.feature);
    out_features_ = extent(call.shape(), attributes_.output.feature);
    batches_ = extent(call.shape(), attributes_.output.batch);
  }

  Value run() {
    Value result(call_.shape());
    const int64_t groups = attributes_.feature_groups * attributes_.batch_groups;
    const std::vector<int64_t> spatial = picked(call_.shape().dims, attributes_.output.spatial);
    Element* out = result.writable().data();
    for (int64_t group = 0; group < groups; ++group) {
      const std::vector<T> kernel = kernel_of(group, groups);
      for (int64_t batch = 0; batch < batches_; ++batch) {
        StridedWalk<1> place(spatial, {output_places(batch, group, groups)});
        while (!place.done()) convolve_some(place, batch, group, kernel, groups, out);
      }
    }
    return result;
  }

 private:
  static int64_t extent(const Shape& shape, int64_t dimension) {
    return shape.dims[static_cast<size_t>(dimension)];
  }

  Strided output_places(int64_t batch, int64_t group, int64_t groups) const {
    const ConvolutionLabels& labels = attributes_.output;
    return {picked(output_strides_, labels.spatial),
            batch * stride_of(output_strides_, labels.batch) +
                group * (out_features_ / groups) * stride_of(output_strides_, labels.feature)};
  }

  static int64_t stride_of(const std::vector<int64_t>& strides, int64_t dimension) {
    return strides[static_cast<size_t>(dimension)];
  }

  /// The columns of the kernel that belong to a group.
  std::vector<T> kernel_of(int64_t group, int64_t groups) const {
    const int64_t columns = out_features_ / groups;
    const int64_t rows = count_of(window_) * in_features_;
    std::vector<T> result;
    result.reserve(static_cast<size_t>(rows * columns));
    for (int64_t row = 0; row < rows; ++row) {
      const T* from = kernel_.data() + row * out_features_ + group * columns;
      result.insert(result.end(), from, from + columns);
    }
    return result;
  }

  /// The next patches, as many as fit in a block.
  void convolve_some(StridedWalk<1>& place, int64_t batch, int64_t group,
                     const std::vector<T>& kernel, int64_t groups, Element* out) {
    constexpr size_t kPatches = 256;
    std::vector<int64_t> targets;
    std::vector<T> patches;
    for (; !place.done() && targets.size() < kPatches; place.next()) {
      targets.push_back(place.at(0));
      append_patch(place.index(), batch, group, patches);
    }
    const GemmSize size = {.m = static_cast<int64_t>(targets.size()),
                           .n = out_features_ / groups,
                           .k = count_of(window_) * in_features_};
    const int64_t stride = stride_of(output_strides_, attributes_.output.feature);
    gemm<T>(patches.data(), kernel.data(), size, [&](int64_t row, int64_t column, T sum) {
      out[targets[static_cast<size_t>(row)] + column * stride] =
          store<T>(sum, call_.shape().type, call_.arithmetic);
    });
  }

  /// What one output place sees of the input: for each element of the window all features of the
  /// group, zeros for padding and the holes of a dilated input.
  void append_patch(const std::vector<int64_t>& output, int64_t batch, int64_t group,
                    std::vector<T>& patches) const {
    const ConvolutionLabels& labels = attributes_.input;
    const int64_t feature_stride = stride_of(input_strides_, labels.feature);
    const bool by_batch = attributes_.batch_groups > 1;
    const int64_t own_batch = by_batch ? group * batches_ + batch : batch;
    const int64_t base = own_batch * stride_of(input_strides_, labels.batch) +
                         (by_batch ? 0 : group * in_features_ * feature_stride);
    const Element* elements = call_.operands[0].elements().data() + base;
    for (StridedWalk<0> element(window_, {}); !element.done(); element.next()) {
      const auto offset = input_offset(output, element.index());
      for (int64_t f = 0; f < in_features_; ++f) {
        patches.push_back(offset ? load<T>(elements[*offset + f * feature_stride]) : T{});
      }
    }
  }

  std::optional<int64_t> input_offset(const std::vector<int64_t>& output,
                                      const std::vector<int64_t>& element) const {
    int64_t offset = 0;
    for (size_t d = 0; d < window_.size(); ++d) {
      const WindowDimension& dim = attributes_.window.dims[d];
      const auto own = static_cast<size_t>(attributes_.input.spatial[d]);
      const int64_t step = dim.reversed ? dim.size - 1 - element[d] : element[d];
      const int64_t place = output[d] * dim.stride + step * dim.window_dilation - dim.pad_low;
      if (place < 0 || place % dim.base_dilation != 0) return std::nullopt;
      if (place / dim.base_dilation >= input_dims_[own]) return std::nullopt;
      offset += place / dim.base_dilation * input_strides_[own];
    }
    return offset;
  }

  const OpCall& call_;
  const Convolution& attributes_;
  std::vector<int64_t> input_dims_;
  std::vector<int64_t> input_strides_;
  std::vector<int64_t> output_strides_;
  std::vector<int64_t> window_;
  std::vector<T> kernel_;  ///< [window elements][input features of a group][output features]
  int64_t in_features_ = 0;
  int64_t out_features_ = 0;
  int64_t batches_ = 0;
};

enum class Accumulator : uint8_t { kF32, kF64, kInteger };

/// f32 for the types up to f32, f64 for f64 and whenever nothing is to be rounded.
Accumulator accumulator_of(const OpCall& call) {
  const ElementType lhs = call.operands[0].shape().type;
  const ElementType rhs = call.operands[1].shape().type;
  const ElementType result = call.shape().type;
  if (is_complex(result) || is_complex(lhs) || is_complex(rhs)) refuse(call, "of complex numbers");
  if (is_float(lhs) != is_float(rhs) || is_float(lhs) != is_float(result)) {
    refuse(call, "of floats with integers");
  }
  if (!is_float(result)) return Accumulator::kInteger;
  const bool f64 = lhs == ElementType::kF64 || rhs == ElementType::kF64 ||
                   result == ElementType::kF64 || call.arithmetic == Arithmetic::kExact;
  return f64 ? Accumulator::kF64 : Accumulator::kF32;
}

}  // namespace

Value evaluate_dot(const OpCall& call) {
  if (call.operands.size() != 2) refuse(call, "with sparse operands");
  switch (accumulator_of(call)) {
    case Accumulator::kF32:
      return dot<float>(call);
    case Accumulator::kF64:
      return dot<double>(call);
    case Accumulator::kInteger:
      return dot<uint64_t>(call);
  }
  return {};
}

Value evaluate_convolution(const OpCall& call) {
  switch (accumulator_of(call)) {
    case Accumulator::kF32:
      return Convolver<float>(call).run();
    case Accumulator::kF64:
      return Convolver<double>(call).run();
    case Accumulator::kInteger:
      return Convolver<uint64_t>(call).run();
  }
  return {};
}

}  // namespace tilewright
