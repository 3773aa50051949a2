#include "core/graph/op_axes.h"

#include <algorithm>

namespace tilewright {

namespace {

using Match = AxisMap::Match;

/// Dimension i of the operand is dimension `place[i]` of the result; below 0: it is none.
std::vector<Match> match_dims(const std::vector<int64_t>& place, int operand_array,
                              int result_array) {
  std::vector<Match> matches;
  for (size_t i = 0; i < place.size(); ++i) {
    if (place[i] < 0) continue;
    matches.push_back(
        {{{operand_array, static_cast<int>(i)}}, {{result_array, static_cast<int>(place[i])}}});
  }
  return matches;
}

std::vector<int64_t> counted(int64_t rank) {
  std::vector<int64_t> place(static_cast<size_t>(rank));
  for (size_t i = 0; i < place.size(); ++i) place[i] = static_cast<int64_t>(i);
  return place;
}

/// Where the operand's dimensions are in the result of a reduction over `reduced`.
std::vector<int64_t> kept_dims(int64_t rank, const std::vector<int64_t>& reduced) {
  std::vector<int64_t> place(static_cast<size_t>(rank), -1);
  int64_t next = 0;
  for (int64_t i = 0; i < rank; ++i) {
    const bool kept = std::ranges::find(reduced, i) == reduced.end();
    if (kept) place[static_cast<size_t>(i)] = next++;
  }
  return place;
}

/// Where the dimensions of a gather's indices are in its result; the one along which the parts of
/// an index lie is nowhere.
std::vector<int64_t> gathered_dims(const Op& op, int64_t rank) {
  const auto& dims = op.get<GatherDimensions>();
  std::vector<int64_t> place(static_cast<size_t>(rank), -1);
  int64_t next = 0;
  for (int64_t i = 0; i < rank; ++i) {
    if (i == dims.index_vector_dim) continue;
    while (std::ranges::find(dims.offset_dims, next) != dims.offset_dims.end()) ++next;
    place[static_cast<size_t>(i)] = next++;
  }
  return place;
}

}  // namespace

std::optional<std::vector<Match>> reshape_matches(const Shape& operand, const Shape& result,
                                                  int operand_array, int result_array) {
  if (element_count(operand) != element_count(result)) return std::nullopt;
  std::vector<Match> matches;
  size_t i = 0, j = 0;
  while (i < operand.dims.size() || j < result.dims.size()) {
    Match match;
    int64_t left = 1, right = 1;
    do {
      // The side that has listed fewer elements lists one dimension more.
      if (j == result.dims.size() || (i < operand.dims.size() && left <= right)) {
        match.left.push_back({operand_array, static_cast<int>(i)});
        left *= operand.dims[i++];
      } else {
        match.right.push_back({result_array, static_cast<int>(j)});
        right *= result.dims[j++];
      }
    } while (left != right && (i < operand.dims.size() || j < result.dims.size()));
    if (left > 1) matches.push_back(std::move(match));
  }
  return matches;
}

std::optional<std::vector<Match>> axis_matches(const Computation& computation, const Op& op,
                                               size_t operand, int operand_array,
                                               int result_array) {
  const Shape& from = computation.operand(op, operand).shape;
  if (from.is_scalar() && is_array(op.shape.type)) return std::vector<Match>{};
  const bool takes_bits =
      op.opcode == HloOpcode::kBitcastConvert && same_dims(from, op.shape);
  if (is_elementwise(op.opcode) || takes_bits) {
    return match_dims(counted(from.rank()), operand_array, result_array);
  }
  switch (op.opcode) {
    case HloOpcode::kBroadcast:
      return match_dims(op.get<Dimensions>().dims, operand_array, result_array);
    case HloOpcode::kTranspose: {
      const std::vector<int64_t>& source = op.get<Dimensions>().dims;
      std::vector<int64_t> place(source.size());
      for (size_t i = 0; i < source.size(); ++i) {
        place[static_cast<size_t>(source[i])] = static_cast<int64_t>(i);
      }
      return match_dims(place, operand_array, result_array);
    }
    case HloOpcode::kReduce:
      if (op.shape.is_tuple()) return std::nullopt;
      return match_dims(kept_dims(from.rank(), op.get<Dimensions>().dims), operand_array,
                        result_array);
    case HloOpcode::kGather:
      if (operand != 1) return std::nullopt;
      return match_dims(gathered_dims(op, from.rank()), operand_array, result_array);
    case HloOpcode::kReshape:
    case HloOpcode::kBitcast:
      return reshape_matches(from, op.shape, operand_array, result_array);
    default:
      return std::nullopt;
  }
}

}  // namespace tilewright
