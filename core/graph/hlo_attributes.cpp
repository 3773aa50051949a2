#include "core/graph/hlo_attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/text.h"
#include "core/graph/hlo_values.h"
#include "core/graph/hlo_window.h"

namespace tilewright {
namespace {

constexpr int64_t kMost = kMaxElements - 1;

/// The whole value of a statement, read by `read`.
template <class Read>
auto whole(HloCursor cursor, std::string_view what, const Read& read) {
  auto value = read(cursor);
  cursor.expect_end(what);
  return value;
}

std::vector<int64_t> integers_of(HloCursor cursor, std::string_view what) {
  return whole(cursor, what, [&](HloCursor& at) { return read_integers(at, what); });
}

/// Statements that give a list of integers, empty when they are absent.
std::vector<int64_t> optional_integers(HloStatements& from, std::string_view name) {
  const auto cursor = from.take(name);
  return cursor ? integers_of(*cursor, name) : std::vector<int64_t>{};
}

std::vector<int64_t> required_integers(HloStatements& from, std::string_view name) {
  return integers_of(from.require(name), name);
}

int64_t integer_of(HloCursor cursor, std::string_view what) {
  return whole(cursor, what, [&](HloCursor& at) { return at.integer(what, 0, kMost); });
}

int64_t required_integer(HloStatements& from, std::string_view name) {
  return integer_of(from.require(name), name);
}

int64_t optional_integer(HloStatements& from, std::string_view name, int64_t fallback) {
  const auto cursor = from.take(name);
  return cursor ? integer_of(*cursor, name) : fallback;
}

bool optional_boolean(HloStatements& from, std::string_view name, bool fallback = false) {
  const auto cursor = from.take(name);
  if (!cursor) return fallback;
  return whole(*cursor, name, [&](HloCursor& at) { return at.boolean(name); });
}

std::string required_word(HloStatements& from, std::string_view name) {
  return whole(from.require(name), name, [&](HloCursor& at) { return std::string(at.name(name)); });
}

/// The one number of "{1}".
int64_t single_dimension(HloStatements& from, std::string_view name) {
  const HloCursor cursor = from.require(name);
  const std::vector<int64_t> dims = integers_of(cursor, name);
  if (dims.size() != 1)
    cursor.fail(fmt::format("{} names {} dimensions, 1 is needed", name, dims.size()));
  return dims.front();
}

/// "{[0:4], [1:9:2]}".
SliceRanges read_slice(HloCursor& cursor) {
  SliceRanges slice;
  cursor.expect('{', "'{' before slice ranges");
  while (cursor.peek() != '}') {
    cursor.expect('[', "'[' before the range of a slice");
    slice.start.push_back(cursor.integer("the start of a slice", 0, kMost));
    cursor.expect(':', "':' behind the start of a slice");
    slice.limit.push_back(cursor.integer("the limit of a slice", 0, kMost));
    slice.stride.push_back(cursor.accept(':') ? cursor.integer("the stride of a slice", 1, kMost)
                                              : 1);
    cursor.expect(']', "']' behind the range of a slice");
    if (!cursor.accept(',')) break;
  }
  cursor.expect('}', "',' or '}' behind the range of a slice");
  return slice;
}

/// "0_0x1_2_1": low, high and, if stated, interior padding of each dimension.
Padding read_padding(HloCursor& cursor) {
  Padding padding;
  if (cursor.at_end()) return padding;
  do {
    padding.low.push_back(cursor.integer("padding", -kMost, kMost));
    cursor.expect('_', "'_' between low and high padding");
    padding.high.push_back(cursor.integer("padding", -kMost, kMost));
    padding.interior.push_back(cursor.accept('_') ? cursor.integer("interior padding", 0, kMost)
                                                  : 0);
  } while (cursor.accept('x'));
  return padding;
}

Window optional_window(HloStatements& from) {
  const auto cursor = from.take("window");
  return cursor ? whole(*cursor, "window", read_window) : Window{};
}

Convolution read_convolution(HloStatements& from) {
  Convolution convolution = {.window = optional_window(from)};
  read_dim_labels(from.require("dim_labels"), convolution);
  convolution.feature_groups = optional_integer(from, "feature_group_count", 1);
  convolution.batch_groups = optional_integer(from, "batch_group_count", 1);
  return convolution;
}

DotDimensions read_dot(HloStatements& from) {
  return {.lhs_batch = optional_integers(from, "lhs_batch_dims"),
          .rhs_batch = optional_integers(from, "rhs_batch_dims"),
          .lhs_contracting = optional_integers(from, "lhs_contracting_dims"),
          .rhs_contracting = optional_integers(from, "rhs_contracting_dims")};
}

GatherDimensions read_gather(HloStatements& from) {
  return {.offset_dims = required_integers(from, "offset_dims"),
          .collapsed_slice_dims = required_integers(from, "collapsed_slice_dims"),
          .start_index_map = required_integers(from, "start_index_map"),
          .operand_batching_dims = optional_integers(from, "operand_batching_dims"),
          .start_indices_batching_dims = optional_integers(from, "start_indices_batching_dims"),
          .index_vector_dim = required_integer(from, "index_vector_dim"),
          .slice_sizes = required_integers(from, "slice_sizes"),
          .indices_are_sorted = optional_boolean(from, "indices_are_sorted")};
}

ScatterDimensions read_scatter(HloStatements& from) {
  return {.update_window_dims = required_integers(from, "update_window_dims"),
          .inserted_window_dims = required_integers(from, "inserted_window_dims"),
          .scatter_dims_to_operand_dims = required_integers(from, "scatter_dims_to_operand_dims"),
          .input_batching_dims = optional_integers(from, "input_batching_dims"),
          .scatter_indices_batching_dims = optional_integers(from, "scatter_indices_batching_dims"),
          .index_vector_dim = required_integer(from, "index_vector_dim"),
          .indices_are_sorted = optional_boolean(from, "indices_are_sorted"),
          .unique_indices = optional_boolean(from, "unique_indices")};
}

Comparison read_comparison(HloStatements& from) {
  const HloCursor at = from.require("direction");
  const std::string word = whole(
      at, "direction", [](HloCursor& cursor) { return std::string(cursor.name("a direction")); });
  Comparison comparison;
  bool known = false;
  for (int i = 0; i < 6; ++i) {
    const auto direction = static_cast<CompareDirection>(i);
    if (name_of(direction) != word) continue;
    comparison.direction = direction;
    known = true;
  }
  if (!known)
    at.fail(fmt::format("expected EQ, NE, GE, GT, LE or LT, found '{}'", printable(word, 40)));
  // The other types (FLOAT, SIGNED, UNSIGNED) follow from the operands.
  if (const auto type = from.take("type")) {
    comparison.total_order = whole(*type, "type", [](HloCursor& cursor) {
      return cursor.name("a type of comparison") == "TOTALORDER";
    });
  }
  return comparison;
}

TriangularSolve read_triangular_solve(HloStatements& from) {
  TriangularSolve solve = {.left_side = optional_boolean(from, "left_side"),
                           .lower = optional_boolean(from, "lower"),
                           .unit_diagonal = optional_boolean(from, "unit_diagonal")};
  if (const auto transpose = from.take("transpose_a")) {
    solve.transpose_a = whole(*transpose, "transpose_a",
                              [](HloCursor& at) { return std::string(at.name("transpose_a")); });
  }
  return solve;
}

BatchNorm read_batch_norm(HloStatements& from) {
  const double epsilon =
      whole(from.require("epsilon"), "epsilon", [](HloCursor& at) { return at.number("epsilon"); });
  return {.epsilon = epsilon, .feature_index = required_integer(from, "feature_index")};
}

CollectiveDimension read_collective_dimension(HloStatements& from, bool required) {
  const auto cursor = from.take("dimensions");
  if (!cursor && !required) return {};
  if (!cursor) from.require("dimensions");
  const std::vector<int64_t> dims = integers_of(*cursor, "dimensions");
  if (dims.size() != 1) cursor->fail("a collective works on one dimension");
  return {.dimension = dims.front()};
}

std::string read_target(HloStatements& from) {
  return whole(from.require("custom_call_target"), "custom_call_target",
               [](HloCursor& at) { return at.quoted("the target of a custom call"); });
}

}  // namespace

HloStatements::HloStatements(HloCursor& cursor) : end_(cursor) {
  std::set<std::string_view> seen;
  while (cursor.accept(',')) {
    cursor.peek();
    const HloCursor at = cursor;
    const std::string_view name = cursor.name("the name of an attribute");
    if (!seen.insert(name).second) {
      at.fail(fmt::format("the attribute '{}' is stated twice", printable(name, 40)));
    }
    cursor.expect('=', "'=' behind the name of an attribute");
    // Padding of no dimension prints as nothing.
    const bool empty = cursor.rest().empty() || cursor.rest()[0] == '\n' || cursor.rest()[0] == ',';
    const std::string_view value = empty ? cursor.rest().substr(0, 0) : cursor.balanced(name);
    statements_.push_back({name, value});
  }
  end_ = cursor;
}

std::optional<HloCursor> HloStatements::take(std::string_view name) {
  for (Statement& statement : statements_) {
    if (statement.name != name) continue;
    statement.taken = true;
    return end_.within(statement.value);
  }
  return std::nullopt;
}

HloCursor HloStatements::require(std::string_view name) {
  const auto cursor = take(name);
  if (!cursor) end_.fail(fmt::format("expected ', {}=...' behind the operands", name));
  return *cursor;
}

std::vector<Note> HloStatements::rest() const {
  std::vector<Note> notes;
  for (const Statement& statement : statements_) {
    if (!statement.taken) {
      notes.push_back({std::string(statement.name), std::string(statement.value)});
    }
  }
  return notes;
}

Attributes read_attributes(HloStatements& from, HloOpcode opcode) {
  switch (opcode) {
    case HloOpcode::kBroadcast:
    case HloOpcode::kMap:
      return Dimensions{optional_integers(from, "dimensions")};
    case HloOpcode::kTranspose:
    case HloOpcode::kReduce:
    case HloOpcode::kReverse:
    case HloOpcode::kConcatenate:
    case HloOpcode::kGetDimensionSize:
    case HloOpcode::kSetDimensionSize:
      return Dimensions{required_integers(from, "dimensions")};
    case HloOpcode::kDot:
      return read_dot(from);
    case HloOpcode::kSlice:
      return whole(from.require("slice"), "slice", read_slice);
    case HloOpcode::kDynamicSlice:
      return SliceSizes{required_integers(from, "dynamic_slice_sizes")};
    case HloOpcode::kPad:
      return whole(from.require("padding"), "padding", read_padding);
    case HloOpcode::kGather:
      return read_gather(from);
    case HloOpcode::kScatter:
      return read_scatter(from);
    case HloOpcode::kReduceWindow:
    case HloOpcode::kSelectAndScatter:
      return optional_window(from);
    case HloOpcode::kConvolution:
      return read_convolution(from);
    case HloOpcode::kCompare:
      return read_comparison(from);
    case HloOpcode::kGetTupleElement:
      return TupleIndex{required_integer(from, "index")};
    case HloOpcode::kIota:
      // A scalar counts to nothing, along no dimension.
      return IotaDimension{optional_integer(from, "iota_dimension", 0)};
    case HloOpcode::kCustomCall:
      return CustomCall{read_target(from)};
    case HloOpcode::kReducePrecision:
      return ReducePrecision{required_integer(from, "exponent_bits"),
                             required_integer(from, "mantissa_bits")};
    case HloOpcode::kRng:
      return RandomMethod{required_word(from, "distribution")};
    case HloOpcode::kRngBitGenerator:
      return RandomMethod{required_word(from, "algorithm")};
    case HloOpcode::kFft:
      return Fft{required_word(from, "fft_type"), required_integers(from, "fft_length")};
    case HloOpcode::kSort:
      return SortOrder{single_dimension(from, "dimensions"), optional_boolean(from, "is_stable")};
    case HloOpcode::kCholesky:
      return Cholesky{optional_boolean(from, "lower")};
    case HloOpcode::kTriangularSolve:
      return read_triangular_solve(from);
    case HloOpcode::kBatchNormGrad:
    case HloOpcode::kBatchNormInference:
    case HloOpcode::kBatchNormTraining:
      return read_batch_norm(from);
    case HloOpcode::kFusion:
      return FusionKind{required_word(from, "kind")};
    case HloOpcode::kTopk:
      return TopK{required_integer(from, "k"), optional_boolean(from, "largest", true)};
    case HloOpcode::kAllGather:
    case HloOpcode::kAllGatherStart:
    case HloOpcode::kReduceScatter:
      return read_collective_dimension(from, true);
    case HloOpcode::kAllToAll:
      return read_collective_dimension(from, false);
    default:
      return std::monostate{};
  }
}

std::vector<std::string_view> called_statements(HloOpcode opcode) {
  switch (opcode) {
    case HloOpcode::kWhile:
      return {"condition", "body"};
    case HloOpcode::kConditional:
      return {"true_computation", "false_computation", "branch_computations"};
    case HloOpcode::kSelectAndScatter:
      return {"select", "scatter"};
    case HloOpcode::kFusion:
    case HloOpcode::kAsyncStart:
    case HloOpcode::kAsyncUpdate:
    case HloOpcode::kAsyncDone:
      return {"calls"};
    case HloOpcode::kCustomCall:
      return {"to_apply", "called_computations"};
    case HloOpcode::kUnknown:
      return {"to_apply", "calls", "called_computations"};
    case HloOpcode::kAllReduce:
    case HloOpcode::kAllReduceStart:
    case HloOpcode::kCall:
    case HloOpcode::kMap:
    case HloOpcode::kReduce:
    case HloOpcode::kReduceScatter:
    case HloOpcode::kReduceWindow:
    case HloOpcode::kScan:
    case HloOpcode::kScatter:
    case HloOpcode::kSort:
      return {"to_apply"};
    default:
      return {};
  }
}

std::vector<Alias> read_aliases(HloCursor& cursor) {
  std::vector<Alias> aliases;
  cursor.expect('{', "'{' before aliases");
  while (cursor.peek() != '}') {
    Alias alias;
    alias.output = read_integers(cursor, "the path to an output");
    cursor.expect(':', "':' behind the path to an output");
    cursor.expect('(', "'(' before an aliased parameter");
    alias.parameter = cursor.integer("an aliased parameter", 0, kMost);
    cursor.expect(',', "',' behind an aliased parameter");
    alias.parameter_index = read_integers(cursor, "the path into a parameter");
    if (cursor.accept(',')) {
      alias.must = cursor.accept_word("must-alias");
      if (!alias.must && !cursor.accept_word("may-alias")) {
        cursor.fail("expected may-alias or must-alias");
      }
    }
    cursor.expect(')', "')' behind an aliased parameter");
    aliases.push_back(std::move(alias));
    if (!cursor.accept(',')) break;
  }
  cursor.expect('}', "',' or '}' behind an alias");
  return aliases;
}

}  // namespace tilewright
