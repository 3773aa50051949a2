#include <algorithm>
#include <optional>

#include "core/graph/interpreter_ops.h"
#include "core/graph/scalar_program.h"
#include "core/graph/strided.h"

namespace tilewright {
namespace {

/// Where the element of a window lies in the base, over all dimensions.
class WindowPlaces {
 public:
  WindowPlaces(const Window& window, const std::vector<int64_t>& base_dims)
      : window_(window), base_dims_(base_dims), strides_(row_major_strides(base_dims)) {}

  std::vector<int64_t> extents() const {
    std::vector<int64_t> sizes;
    for (const WindowDimension& dim : window_.dims) sizes.push_back(dim.size);
    return sizes;
  }

  /// None for padding and for the holes of a dilated base.
  std::optional<int64_t> at(const std::vector<int64_t>& output,
                            const std::vector<int64_t>& element) const {
    int64_t offset = 0;
    for (size_t d = 0; d < base_dims_.size(); ++d) {
      const WindowDimension& dim = window_.dims[d];
      const int64_t place = output[d] * dim.stride + element[d] * dim.window_dilation - dim.pad_low;
      if (place < 0 || place % dim.base_dilation != 0) return std::nullopt;
      if (place / dim.base_dilation >= base_dims_[d]) return std::nullopt;
      offset += place / dim.base_dilation * strides_[d];
    }
    return offset;
  }

 private:
  const Window& window_;
  std::vector<int64_t> base_dims_;
  std::vector<int64_t> strides_;
};

/// Collects pairs (result, element) until there are enough for a run of the program.
class WindowReducer {
 public:
  WindowReducer(const OpCall& call, size_t count)
      : program_(call.graph, call.op.called[0], call.arithmetic), lanes_(2 * count) {
    for (std::vector<Element>& lane : lanes_) {
      lane.resize(ScalarProgram::kLanes);
      parameters_.push_back(lane.data());
    }
    for (size_t i = 0; i < count; ++i) {
      inputs_.push_back(call.operands[i].elements().data());
      results_.emplace_back(count == 1 ? call.shape() : call.shape().parts[i]);
      std::ranges::fill(results_.back().writable(), call.operands[count + i].elements()[0]);
      outputs_.push_back(results_.back().writable().data());
    }
  }

  void add(int64_t result, int64_t element) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      lanes_[i][places_.size()] = outputs_[i][result];
      lanes_[inputs_.size() + i][places_.size()] = inputs_[i][element];
    }
    places_.push_back(result);
    if (places_.size() == ScalarProgram::kLanes) flush();
  }

  void flush() {
    program_.run(parameters_, places_.size());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      for (size_t k = 0; k < places_.size(); ++k) outputs_[i][places_[k]] = program_.result(i)[k];
    }
    places_.clear();
  }

  std::vector<Value> take_results() { return std::move(results_); }

 private:
  ScalarProgram program_;
  std::vector<std::vector<Element>> lanes_;
  std::vector<const Element*> parameters_;
  std::vector<const Element*> inputs_;
  std::vector<Value> results_;
  std::vector<Element*> outputs_;
  std::vector<int64_t> places_;
};

/// Whether the program `select` keeps `chosen` rather than to take `other`.
bool keeps(ScalarProgram& select, Element chosen, Element other) {
  const Element* parameters[] = {&chosen, &other};
  select.run(parameters, 1);
  return *select.result(0) != 0;
}

}  // namespace

Value evaluate_reduce_window(const OpCall& call) {
  const size_t count = call.operands.size() / 2;
  const WindowPlaces places(call.op.get<Window>(), call.operands[0].shape().dims);
  WindowReducer reducer(call, count);
  const Shape& result_shape = count == 1 ? call.shape() : call.shape().parts[0];
  const Strided results = {row_major_strides(result_shape.dims)};
  // Windows outside, results inside: a batch never holds one result twice.
  for (StridedWalk<0> element(places.extents(), {}); !element.done(); element.next()) {
    for (StridedWalk<1> result(result_shape.dims, {results}); !result.done(); result.next()) {
      const auto place = places.at(result.index(), element.index());
      if (place) reducer.add(result.at(0), *place);
    }
    reducer.flush();
  }
  std::vector<Value> values = reducer.take_results();
  return count == 1 ? std::move(values[0]) : Value(std::move(values));
}

Value evaluate_select_and_scatter(const OpCall& call) {
  const Value& operand = call.operands[0];
  const Value& source = call.operands[1];
  const WindowPlaces places(call.op.get<Window>(), operand.shape().dims);
  ScalarProgram select(call.graph, call.op.called[0], call.arithmetic);
  ScalarProgram scatter(call.graph, call.op.called[1], call.arithmetic);
  Value result(call.shape());
  std::ranges::fill(result.writable(), call.operands[2].elements()[0]);
  Element* out = result.writable().data();
  const std::span<const Element> in = operand.elements();
  const Strided sources = {row_major_strides(source.shape().dims)};
  for (StridedWalk<1> place(source.shape().dims, {sources}); !place.done(); place.next()) {
    std::optional<int64_t> chosen;
    for (StridedWalk<0> element(places.extents(), {}); !element.done(); element.next()) {
      const auto other = places.at(place.index(), element.index());
      if (!other) continue;
      if (!chosen ||
          !keeps(select, in[static_cast<size_t>(*chosen)], in[static_cast<size_t>(*other)])) {
        chosen = other;
      }
    }
    if (!chosen) continue;
    const Element* parameters[] = {out + *chosen, source.elements().data() + place.at(0)};
    scatter.run(parameters, 1);
    out[*chosen] = *scatter.result(0);
  }
  return result;
}

}  // namespace tilewright
