#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/graph/shape.h"

namespace tilewright {

/// What an op states beside its operands, one struct for each family of opcodes; the variant
/// Attributes of an op always holds the one that its opcode asks for.

/// broadcast: for each dimension of the operand the one of the result. transpose: for each
/// dimension of the result that of the operand. reduce, reverse, map, concatenate (one),
/// get-dimension-size and set-dimension-size (one), topk (none): those that the op works on.
struct Dimensions {
  std::vector<int64_t> dims = {};
  bool operator==(const Dimensions&) const = default;
};

/// dot: the result has the batch dimensions, then the free ones of the left side, then those of the
/// right side.
struct DotDimensions {
  std::vector<int64_t> lhs_batch = {};
  std::vector<int64_t> rhs_batch = {};
  std::vector<int64_t> lhs_contracting = {};
  std::vector<int64_t> rhs_contracting = {};
  bool operator==(const DotDimensions&) const = default;
};

/// slice: [start, limit) with stride, for each dimension.
struct SliceRanges {
  std::vector<int64_t> start = {};
  std::vector<int64_t> limit = {};
  std::vector<int64_t> stride = {};
  bool operator==(const SliceRanges&) const = default;
};

/// dynamic-slice: extents of the result.
struct SliceSizes {
  std::vector<int64_t> sizes = {};
  bool operator==(const SliceSizes&) const = default;
};

/// pad: elements before, after (both may be negative: cut away) and between, for each dimension.
struct Padding {
  std::vector<int64_t> low = {};
  std::vector<int64_t> high = {};
  std::vector<int64_t> interior = {};
  bool operator==(const Padding&) const = default;
};

struct GatherDimensions {
  std::vector<int64_t> offset_dims = {};
  std::vector<int64_t> collapsed_slice_dims = {};
  std::vector<int64_t> start_index_map = {};
  std::vector<int64_t> operand_batching_dims = {};
  std::vector<int64_t> start_indices_batching_dims = {};
  int64_t index_vector_dim = 0;
  std::vector<int64_t> slice_sizes = {};
  bool indices_are_sorted = false;
  bool operator==(const GatherDimensions&) const = default;
};

struct ScatterDimensions {
  std::vector<int64_t> update_window_dims = {};
  std::vector<int64_t> inserted_window_dims = {};
  std::vector<int64_t> scatter_dims_to_operand_dims = {};
  std::vector<int64_t> input_batching_dims = {};
  std::vector<int64_t> scatter_indices_batching_dims = {};
  int64_t index_vector_dim = 0;
  bool indices_are_sorted = false;
  bool unique_indices = false;
  bool operator==(const ScatterDimensions&) const = default;
};

/// How a window moves over one dimension.
struct WindowDimension {
  int64_t size = 1;
  int64_t stride = 1;
  int64_t pad_low = 0;
  int64_t pad_high = 0;
  int64_t base_dilation = 1;    ///< "lhs_dilate": elements of the base are that far apart
  int64_t window_dilation = 1;  ///< "rhs_dilate"
  bool reversed = false;
  bool operator==(const WindowDimension&) const = default;
};

/// reduce-window, select-and-scatter: one entry for each dimension of the operand.
struct Window {
  std::vector<WindowDimension> dims = {};
  bool operator==(const Window&) const = default;
};

/// Which dimension of a convolution's operand is what.
struct ConvolutionLabels {
  int64_t batch = 0;    ///< of input and output; output feature of the kernel
  int64_t feature = 0;  ///< of input and output; input feature of the kernel
  std::vector<int64_t> spatial = {};
  bool operator==(const ConvolutionLabels&) const = default;
};

/// convolution: the window has one entry for each spatial dimension.
struct Convolution {
  Window window = {};
  ConvolutionLabels input = {};
  ConvolutionLabels kernel = {};
  ConvolutionLabels output = {};
  int64_t feature_groups = 1;
  int64_t batch_groups = 1;
  bool operator==(const Convolution&) const = default;
};

enum class CompareDirection : uint8_t { kEq, kNe, kGe, kGt, kLe, kLt };

/// compare. A total order tells -0 from 0 and puts NaN at the ends.
struct Comparison {
  CompareDirection direction = CompareDirection::kEq;
  bool total_order = false;
  bool operator==(const Comparison&) const = default;
};

/// Values of a constant in row-major order, rounded to its type: `floats` for the float types, and
/// for complex ones with the real part before the imaginary one; `integers` for the others (pred 0
/// and 1; u64 keeps its bits). A tuple has one literal a part. Elided values ("{...}") are unknown.
struct Literal {
  std::vector<double> floats = {};
  std::vector<int64_t> integers = {};
  std::vector<Literal> parts = {};
  bool elided = false;
  /// Compares floats by their bits: NaN equals itself, 0 is not -0.
  bool operator==(const Literal& other) const;
};

/// get-tuple-element.
struct TupleIndex {
  int64_t index = 0;
  bool operator==(const TupleIndex&) const = default;
};

struct ParameterNumber {
  int64_t number = 0;
  bool operator==(const ParameterNumber&) const = default;
};

struct IotaDimension {
  int64_t dimension = 0;
  bool operator==(const IotaDimension&) const = default;
};

struct CustomCall {
  std::string target = {};
  bool operator==(const CustomCall&) const = default;
};

struct ReducePrecision {
  int64_t exponent_bits = 0;
  int64_t mantissa_bits = 0;
  bool operator==(const ReducePrecision&) const = default;
};

/// rng ("rng_uniform", "rng_normal") and rng-bit-generator ("rng_default", "rng_philox", ...).
struct RandomMethod {
  std::string method = {};
  bool operator==(const RandomMethod&) const = default;
};

struct Fft {
  std::string type = {};  ///< "FFT", "IFFT", "RFFT", "IRFFT"
  std::vector<int64_t> length = {};
  bool operator==(const Fft&) const = default;
};

struct SortOrder {
  int64_t dimension = 0;
  bool stable = false;
  bool operator==(const SortOrder&) const = default;
};

struct Cholesky {
  bool lower = false;
  bool operator==(const Cholesky&) const = default;
};

struct TriangularSolve {
  bool left_side = false;
  bool lower = false;
  bool unit_diagonal = false;
  std::string transpose_a = "NO_TRANSPOSE";
  bool operator==(const TriangularSolve&) const = default;
};

struct BatchNorm {
  double epsilon = 0;
  int64_t feature_index = 0;
  bool operator==(const BatchNorm&) const = default;
};

struct FusionKind {
  std::string kind = {};  ///< "kLoop", "kInput", "kOutput", "kCustom"
  bool operator==(const FusionKind&) const = default;
};

struct TopK {
  int64_t k = 0;
  bool largest = false;
  bool operator==(const TopK&) const = default;
};

/// all-gather, all-to-all, reduce-scatter: the dimension that grows, or is cut and joined. -1: none
/// is stated (the tuple form of all-to-all).
struct CollectiveDimension {
  int64_t dimension = -1;
  bool operator==(const CollectiveDimension&) const = default;
};

/// The opcode as HLO text spells it, where HloOpcode has no name for it.
struct UnknownOpcode {
  std::string name = {};
  bool operator==(const UnknownOpcode&) const = default;
};

using Attributes =
    std::variant<std::monostate, Dimensions, DotDimensions, SliceRanges, SliceSizes, Padding,
                 GatherDimensions, ScatterDimensions, Window, Convolution, Comparison, Literal,
                 TupleIndex, ParameterNumber, IotaDimension, CustomCall, ReducePrecision,
                 RandomMethod, Fft, SortOrder, Cholesky, TriangularSolve, BatchNorm, FusionKind,
                 TopK, CollectiveDimension, UnknownOpcode>;

/// "EQ", "NE", "GE", "GT", "LE", "LT".
std::string_view name_of(CompareDirection direction);

}  // namespace tilewright
