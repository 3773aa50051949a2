#include <algorithm>
#include <functional>
#include <numeric>

#include "core/base/error.h"
#include "core/graph/interpreter_ops.h"
#include "core/graph/number_format.h"
#include "core/graph/scalar_program.h"
#include "core/graph/strided.h"

namespace tilewright {
namespace {

/// Sorts stably by merging. A comparator from a file may contradict itself, with which
/// std::stable_sort may do anything; this one always ends with a permutation.
template <class Less>
void merge_sort(std::vector<int64_t>& items, std::vector<int64_t>& scratch, const Less& less) {
  const size_t count = items.size();
  scratch.resize(count);
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t begin = 0; begin < count; begin += 2 * width) {
      const size_t middle = std::min(begin + width, count);
      const size_t end = std::min(begin + 2 * width, count);
      size_t left = begin;
      size_t right = middle;
      for (size_t out = begin; out < end; ++out) {
        const bool take_right = right < end && (left == middle || less(items[right], items[left]));
        scratch[out] = items[take_right ? right++ : left++];
      }
    }
    items.swap(scratch);
  }
}

/// The lines of an array along one dimension.
struct Lines {
  std::vector<int64_t> dims;
  Strided starts;
  int64_t length;
  int64_t stride;
};

Lines lines_of(const Shape& shape, int64_t dimension) {
  const std::vector<int64_t> strides = row_major_strides(shape.dims);
  const std::vector<int64_t> along = {dimension};
  const std::vector<int64_t> others = all_but(shape.rank(), along);
  const auto d = static_cast<size_t>(dimension);
  return {picked(shape.dims, others), {picked(strides, others)}, shape.dims[d], strides[d]};
}

std::vector<int64_t> ascending(int64_t count) {
  std::vector<int64_t> items(static_cast<size_t>(count));
  std::iota(items.begin(), items.end(), 0);
  return items;
}

/// A number that orders the floats as XLA's top-k does: NaN above infinity, 0 above -0.
int64_t rank_of(ElementType type, Element element) {
  if (!is_float(type)) {
    // The top bit of u64 is no sign.
    return type == ElementType::kU64 ? integer_of(element ^ (Element{1} << 63))
                                     : integer_of(element);
  }
  const int64_t bits = integer_of(element);
  return bits < 0 ? bits ^ std::numeric_limits<int64_t>::max() : bits;
}

}  // namespace

Value evaluate_sort(const OpCall& call) {
  const Lines lines = lines_of(call.operands[0].shape(), call.op.get<SortOrder>().dimension);
  ScalarProgram less(call.graph, call.op.called[0], call.arithmetic);
  std::vector<Value> results;
  for (const Value& operand : call.operands) results.emplace_back(operand.shape());
  std::vector<const Element*> parameters(2 * results.size());
  std::vector<int64_t> scratch;
  for (StridedWalk<1> line(lines.dims, {lines.starts}); !line.done(); line.next()) {
    std::vector<int64_t> items = ascending(lines.length);
    merge_sort(items, scratch, [&](int64_t a, int64_t b) {
      for (size_t i = 0; i < results.size(); ++i) {
        const Element* elements = call.operands[i].elements().data() + line.at(0);
        parameters[2 * i] = elements + a * lines.stride;
        parameters[2 * i + 1] = elements + b * lines.stride;
      }
      less.run(parameters, 1);
      return *less.result(0) != 0;
    });
    for (size_t i = 0; i < results.size(); ++i) {
      const Element* from = call.operands[i].elements().data() + line.at(0);
      Element* to = results[i].writable().data() + line.at(0);
      for (size_t k = 0; k < items.size(); ++k) {
        to[static_cast<int64_t>(k) * lines.stride] = from[items[k] * lines.stride];
      }
    }
  }
  return results.size() == 1 ? std::move(results[0]) : Value(std::move(results));
}

Value evaluate_topk(const OpCall& call, int64_t k, bool largest) {
  const Value& operand = call.operands[0];
  const ElementType type = operand.shape().type;
  const bool fits = call.shape().is_tuple() && call.shape().parts.size() == 2 &&
                    operand.shape().rank() > 0 && !is_complex(type);
  if (!fits) refuse(call, "in this form");
  const int64_t length = operand.shape().dims.back();
  if (k < 0 || k > length || element_count(call.shape().parts[0]) * length != operand.size() * k) {
    refuse(call, "in this form");
  }
  Value values(call.shape().parts[0]);
  Value places(call.shape().parts[1]);
  Element* value = values.writable().data();
  Element* place = places.writable().data();
  std::vector<int64_t> scratch;
  for (int64_t begin = 0; k > 0 && begin < operand.size(); begin += length) {
    const Element* elements = operand.elements().data() + begin;
    std::vector<int64_t> items = ascending(length);
    merge_sort(items, scratch, [&](int64_t a, int64_t b) {
      const int64_t left = rank_of(type, elements[a]);
      const int64_t right = rank_of(type, elements[b]);
      return largest ? left > right : left < right;
    });
    for (int64_t i = 0; i < k; ++i) {
      *value++ = elements[items[static_cast<size_t>(i)]];
      *place++ = element_of(wrap_to(places.shape().type, items[static_cast<size_t>(i)]));
    }
  }
  return Value(std::vector<Value>{std::move(values), std::move(places)});
}

}  // namespace tilewright
