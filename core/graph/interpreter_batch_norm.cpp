#include <cmath>

#include "core/base/error.h"
#include "core/graph/interpreter_ops.h"
#include "core/graph/number_format.h"
#include "core/graph/strided.h"

namespace tilewright {
namespace {

/// An array seen as [before][features][after].
struct Features {
  int64_t before = 1;
  int64_t count = 1;
  int64_t after = 1;

  /// Elements of one feature.
  int64_t samples() const { return before * after; }

  /// Calls visit(index of an element) for all of one feature, in row-major order.
  template <class Visit>
  void each(int64_t feature, const Visit& visit) const {
    for (int64_t b = 0; b < before; ++b) {
      const int64_t begin = (b * count + feature) * after;
      for (int64_t i = begin; i < begin + after; ++i) visit(i);
    }
  }
};

Features features_of(const OpCall& call) {
  const std::span<const int64_t> dims = call.operands[0].shape().dims;
  const auto index = static_cast<size_t>(call.op.get<BatchNorm>().feature_index);
  return {count_of(dims.first(index)), dims[index], count_of(dims.subspan(index + 1))};
}

/// Results are rounded to their types once: these ops are formulas, not steps.
void put(const OpCall& call, Value& result, int64_t index, double value) {
  const bool rounds = call.arithmetic == Arithmetic::kStated;
  const double kept = rounds ? round_to(result.shape().type, value) : value;
  result.writable()[static_cast<size_t>(index)] = element_of(kept);
}

void need_floats(const OpCall& call) {
  for (const Value& operand : call.operands) {
    if (!is_float(operand.shape().type)) refuse(call, "of other than floats");
  }
}

/// y = (x - mean) / sqrt(variance + epsilon) * scale + offset, for one feature.
void normalise(const OpCall& call, const Features& features, int64_t feature, double mean,
               double variance, Value& result) {
  const double factor =
      call.operands[1].number(feature) / std::sqrt(variance + call.op.get<BatchNorm>().epsilon);
  const double offset = call.operands[2].number(feature);
  features.each(feature, [&](int64_t i) {
    put(call, result, i, (call.operands[0].number(i) - mean) * factor + offset);
  });
}

}  // namespace

Value evaluate_batch_norm_inference(const OpCall& call) {
  need_floats(call);
  const Features features = features_of(call);
  Value result(call.shape());
  for (int64_t f = 0; f < features.count; ++f) {
    normalise(call, features, f, call.operands[3].number(f), call.operands[4].number(f), result);
  }
  return result;
}

Value evaluate_batch_norm_training(const OpCall& call) {
  need_floats(call);
  const Features features = features_of(call);
  const auto samples = static_cast<double>(features.samples());
  Value result(call.shape().parts[0]);
  Value means(call.shape().parts[1]);
  Value variances(call.shape().parts[2]);
  const Value& x = call.operands[0];
  for (int64_t f = 0; f < features.count; ++f) {
    double sum = 0;
    features.each(f, [&](int64_t i) { sum += x.number(i); });
    const double mean = sum / samples;
    double squares = 0;
    features.each(f, [&](int64_t i) { squares += (x.number(i) - mean) * (x.number(i) - mean); });
    put(call, means, f, mean);
    put(call, variances, f, squares / samples);
    normalise(call, features, f, mean, squares / samples, result);
  }
  return Value(std::vector<Value>{std::move(result), std::move(means), std::move(variances)});
}

Value evaluate_batch_norm_grad(const OpCall& call) {
  need_floats(call);
  const Features features = features_of(call);
  const auto samples = static_cast<double>(features.samples());
  Value grad_x(call.shape().parts[0]);
  Value grad_scale(call.shape().parts[1]);
  Value grad_offset(call.shape().parts[2]);
  const Value& x = call.operands[0];
  const Value& grad_y = call.operands[4];
  for (int64_t f = 0; f < features.count; ++f) {
    const double mean = call.operands[2].number(f);
    const double inverse =
        1 / std::sqrt(call.operands[3].number(f) + call.op.get<BatchNorm>().epsilon);
    double sum = 0;
    double with_x = 0;
    features.each(f, [&](int64_t i) {
      sum += grad_y.number(i);
      with_x += grad_y.number(i) * (x.number(i) - mean) * inverse;
    });
    put(call, grad_scale, f, with_x);
    put(call, grad_offset, f, sum);
    const double factor = call.operands[1].number(f) * inverse;
    features.each(f, [&](int64_t i) {
      const double normal = (x.number(i) - mean) * inverse;
      put(call, grad_x, i, factor * (grad_y.number(i) - (sum + normal * with_x) / samples));
    });
  }
  return Value(
      std::vector<Value>{std::move(grad_x), std::move(grad_scale), std::move(grad_offset)});
}

}  // namespace tilewright
