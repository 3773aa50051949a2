#include <algorithm>
#include <array>

#include "core/graph/interpreter_ops.h"
#include "core/graph/number_format.h"
#include "core/graph/scalar_program.h"
#include "core/graph/strided.h"

namespace tilewright {
namespace {

/// Elements at a time, so that a chunk of every operand stays in the first-level cache.
constexpr int64_t kChunk = 1024;

/// The physical order of a layout, the slowest dimension first.
std::vector<int64_t> memory_order(const Shape& shape) {
  std::vector<int64_t> order = shape.minor_to_major;
  if (order.empty()) {
    for (int64_t d = 0; d < shape.rank(); ++d) order.push_back(d);
    return order;
  }
  std::ranges::reverse(order);
  return order;
}

std::vector<int64_t> inverse(const std::vector<int64_t>& order) {
  std::vector<int64_t> result(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    result[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  }
  return result;
}

uint64_t bits_of(ElementType type, Element element) {
  if (is_float(type)) return bits_of_float(type, float_of(element));
  const int unused = 64 - width_of(type);
  return (element << unused) >> unused;
}

Element element_of_bits(ElementType type, uint64_t bits) {
  if (is_float(type)) return element_of(float_of_bits(type, bits));
  return element_of(wrap_to(type, static_cast<int64_t>(bits)));
}

/// The same bits as elements of another width, the lowest first.
Value rebitten(const Value& value, const Shape& shape) {
  const ElementType from = value.shape().type;
  const int from_width = width_of(from);
  const int to_width = width_of(shape.type);
  Value result(shape);
  const std::span<const Element> in = value.elements();
  const std::span<Element> out = result.writable();
  const auto ratio = static_cast<size_t>(std::max(from_width / to_width, to_width / from_width));
  if (from_width >= to_width) {
    for (size_t i = 0; i < out.size(); ++i) {
      const uint64_t bits = bits_of(from, in[i / ratio]);
      out[i] = element_of_bits(shape.type, bits >> (i % ratio * static_cast<size_t>(to_width)));
    }
    return result;
  }
  for (size_t i = 0; i < out.size(); ++i) {
    uint64_t bits = 0;
    for (size_t part = 0; part < ratio; ++part) {
      bits |= bits_of(from, in[i * ratio + part]) << (part * static_cast<size_t>(from_width));
    }
    out[i] = element_of_bits(shape.type, bits);
  }
  return result;
}

}  // namespace

Value evaluate_elementwise(const OpCall& call) {
  const Elementwise op = elementwise_of(call.computation, call.op, call.arithmetic);
  if (!can_apply(op)) refuse(call, "with these types");
  if (op.opcode == HloOpcode::kCopy || op.opcode == HloOpcode::kReal)
    return std::move(call.operands[0]);
  const int64_t count = element_count(call.shape());
  // A scalar condition or bound stands for a whole chunk of equal elements.
  std::array<std::vector<Element>, 3> spread;
  std::array<const Element*, 3> bases = {};
  for (size_t i = 0; i < call.operands.size(); ++i) {
    const Value& operand = call.operands[i];
    bases[i] = operand.elements().data();
    if (operand.size() == 1 && count != 1) {
      spread[i].assign(static_cast<size_t>(kChunk), operand.elements()[0]);
    }
  }
  Value result(call.shape());
  Element* out = result.writable().data();
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    std::array<const Element*, 3> chunk = {};
    for (size_t i = 0; i < call.operands.size(); ++i) {
      chunk[i] = spread[i].empty() ? bases[i] + begin : spread[i].data();
    }
    apply(op, chunk.data(), out + begin, static_cast<size_t>(std::min(kChunk, count - begin)));
  }
  return result;
}

Value evaluate_map(const OpCall& call) {
  ScalarProgram program(call.graph, call.op.called[0], call.arithmetic);
  Value result(call.shape());
  const std::span<Element> out = result.writable();
  std::vector<const Element*> parameters(call.operands.size());
  for (size_t begin = 0; begin < out.size(); begin += ScalarProgram::kLanes) {
    const size_t lanes = std::min(ScalarProgram::kLanes, out.size() - begin);
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i] = call.operands[i].elements().data() + begin;
    }
    program.run(parameters, lanes);
    std::copy_n(program.result(0), lanes, out.data() + begin);
  }
  return result;
}

Value evaluate_constant(const OpCall& call) {
  const auto& literal = call.op.get<Literal>();
  if (!call.shape().is_tuple()) {
    if (is_float(call.shape().type)) return {call.shape(), std::span(literal.floats)};
    if (is_complex(call.shape().type)) refuse(call, "of a complex type");
    return {call.shape(), std::span(literal.integers)};
  }
  refuse(call, "of a tuple type");
}

Value evaluate_iota(const OpCall& call) {
  const auto dimension = static_cast<size_t>(call.op.get<IotaDimension>().dimension);
  const ElementType type = call.shape().type;
  if (is_complex(type)) refuse(call, "of a complex type");
  Value result(call.shape());
  std::vector<int64_t> strides(call.shape().dims.size(), 0);
  strides[dimension] = 1;
  std::vector<Element> row(static_cast<size_t>(call.shape().dims[dimension]));
  for (size_t i = 0; i < row.size(); ++i) {
    const auto number = static_cast<double>(i);
    const bool rounds = call.arithmetic == Arithmetic::kStated;
    row[i] = is_float(type) ? element_of(rounds ? round_to(type, number) : number)
                            : element_of(wrap_to(type, static_cast<int64_t>(i)));
  }
  copy_block(call.shape().dims, row.data(), {strides}, result.writable().data(),
             {row_major_strides(call.shape().dims)});
  return result;
}

Value evaluate_bitcast(const OpCall& call) {
  const Shape& from = call.computation.operand(call.op, 0).shape;
  const Shape& to = call.shape();
  if (from.type != to.type && width_of(from.type) != width_of(to.type)) {
    refuse(call, "between types of different widths");
  }
  const std::vector<int64_t> to_order = memory_order(to);
  const Value in_memory = permuted(call.operands[0], memory_order(from));
  const Shape seen = array_shape(from.type, picked(to.dims, to_order));
  Value result = permuted(in_memory.reshaped(seen), inverse(to_order));
  return from.type == to.type ? result : rebitten(result, to);
}

Value evaluate_bitcast_convert(const OpCall& call) {
  if (is_complex(call.shape().type) || is_complex(call.operands[0].shape().type)) {
    refuse(call, "of complex numbers");
  }
  return rebitten(call.operands[0], call.shape());
}

}  // namespace tilewright
