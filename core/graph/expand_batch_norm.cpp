#include "core/graph/expand_batch_norm.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "core/graph/rebuild.h"

namespace tilewright {

namespace {

/// Writes what stands for one op.
class Expansion {
 public:
  /// `sum`: the computation that adds two numbers of the type of the features.
  Expansion(Rebuild& rebuild, Op op, int32_t sum)
      : rebuild_(rebuild), op_(std::move(op)), sum_(sum) {
    dims_ = rebuild_.made(op_.operands[0]).shape.dims;
    type_ = rebuild_.made(op_.operands[1]).shape.type;
    feature_ = op_.get<BatchNorm>().feature_index;
    features_ = dims_[static_cast<size_t>(feature_)];
    samples_ = 1;
    for (size_t dim = 0; dim < dims_.size(); ++dim) {
      if (static_cast<int64_t>(dim) != feature_) samples_ *= static_cast<double>(dims_[dim]);
    }
  }

  int32_t inference() {
    const int32_t factor = multiply(operand(1), inverse_deviation(operand(4)));
    const int32_t result = normalised(operand(0), factor, operand(3));
    rebuild_.made(result).name = op_.name;
    return result;
  }

  int32_t training() {
    const int32_t x = operand(0);
    const int32_t mean = divide(sum(x), row(samples_));
    const int32_t square = divide(sum(multiply(x, x)), row(samples_));
    const int32_t variance = subtract(square, multiply(mean, mean));
    const int32_t factor = multiply(operand(1), inverse_deviation(variance));
    return tuple({normalised(x, factor, mean), mean, variance});
  }

  int32_t gradient() {
    const int32_t gradient = operand(4);
    const int32_t inverse = inverse_deviation(operand(3));
    const int32_t centered = subtract(operand(0), spread(operand(2)));
    const int32_t of_offset = sum(gradient);
    const int32_t product = sum(multiply(gradient, centered));
    // scale / deviation / n * (n * gradient - sum - centered * product / variance)
    const int32_t slope = multiply(multiply(inverse, inverse), product);
    const int32_t scaled = multiply(gradient, spread(row(samples_)));
    const int32_t rest =
        subtract(subtract(scaled, spread(of_offset)), multiply(centered, spread(slope)));
    const int32_t factor = divide(multiply(operand(1), inverse), row(samples_));
    const int32_t result = narrow(multiply(rest, spread(factor)));
    return tuple({result, multiply(product, inverse), of_offset});
  }

 private:
  /// In the type of the features.
  int32_t operand(size_t index) { return in_type(op_.operands[index], type_); }
  /// In the type of the result.
  int32_t narrow(int32_t array) {
    return in_type(array, rebuild_.made(op_.operands[0]).shape.type);
  }
  int32_t in_type(int32_t array, ElementType type) {
    if (rebuild_.made(array).shape.type == type) return array;
    const int32_t result =
        push(".convert", HloOpcode::kConvert, rebuild_.made(array).shape.dims, {array});
    rebuild_.made(result).shape.type = type;
    return result;
  }

  int32_t push(const char* suffix, HloOpcode opcode, std::vector<int64_t> dims,
               std::vector<int32_t> operands, Attributes attributes = {}) {
    Op op;
    op.name = rebuild_.unique_name(op_.name + suffix);
    op.opcode = opcode;
    op.shape = array_shape(type_, std::move(dims));
    op.operands = std::move(operands);
    op.attributes = std::move(attributes);
    op.line = op_.line;
    return rebuild_.push(std::move(op));
  }
  int32_t two(const char* suffix, HloOpcode opcode, int32_t a, int32_t b) {
    return push(suffix, opcode, rebuild_.made(a).shape.dims, {a, b});
  }
  int32_t add(int32_t a, int32_t b) { return two(".add", HloOpcode::kAdd, a, b); }
  int32_t subtract(int32_t a, int32_t b) { return two(".subtract", HloOpcode::kSubtract, a, b); }
  int32_t multiply(int32_t a, int32_t b) { return two(".multiply", HloOpcode::kMultiply, a, b); }
  int32_t divide(int32_t a, int32_t b) { return two(".divide", HloOpcode::kDivide, a, b); }

  int32_t scalar(double number) {
    return push(".constant", HloOpcode::kConstant, {}, {}, Literal{{number}, {}, {}, false});
  }
  /// A number for every feature.
  int32_t row(double number) {
    return push(".row", HloOpcode::kBroadcast, {features_}, {scalar(number)}, Dimensions{});
  }
  /// A row for every sample.
  int32_t spread(int32_t row) {
    return push(".spread", HloOpcode::kBroadcast, dims_, {row}, Dimensions{{feature_}});
  }
  int32_t inverse_deviation(int32_t variance) {
    const int32_t above = add(variance, row(op_.get<BatchNorm>().epsilon));
    return push(".rsqrt", HloOpcode::kRsqrt, {features_}, {above});
  }
  /// (x - mean) * factor + offset
  int32_t normalised(int32_t x, int32_t factor, int32_t mean) {
    const int32_t centered = subtract(x, spread(mean));
    return narrow(add(multiply(centered, spread(factor)), spread(operand(2))));
  }
  int32_t sum(int32_t array) {
    Dimensions others;
    for (int64_t dim = 0; dim < std::ssize(dims_); ++dim) {
      if (dim != feature_) others.dims.push_back(dim);
    }
    const int32_t result =
        push(".sum", HloOpcode::kReduce, {features_}, {array, scalar(0)}, std::move(others));
    rebuild_.made(result).called = {sum_};
    return result;
  }
  /// In the place of the op, with its name.
  int32_t tuple(std::vector<int32_t> parts) {
    Op op;
    op.name = op_.name;
    op.opcode = HloOpcode::kTuple;
    op.shape = op_.shape;
    op.operands = std::move(parts);
    op.line = op_.line;
    return rebuild_.push(std::move(op));
  }

  Rebuild& rebuild_;
  const Op op_;
  const int32_t sum_;
  ElementType type_ = ElementType::kF32;
  std::vector<int64_t> dims_;
  int64_t feature_ = 0;
  int64_t features_ = 1;
  double samples_ = 1;
};

bool is_batch_norm(const Op& op) {
  return op.opcode == HloOpcode::kBatchNormInference ||
         op.opcode == HloOpcode::kBatchNormTraining || op.opcode == HloOpcode::kBatchNormGrad;
}

Computation addition(ElementType type, std::string name) {
  Computation sum;
  sum.name = std::move(name);
  for (int64_t i = 0; i < 2; ++i) {
    Op parameter;
    parameter.name = i == 0 ? "a" : "b";
    parameter.opcode = HloOpcode::kParameter;
    parameter.shape = array_shape(type, {});
    parameter.attributes = ParameterNumber{i};
    sum.parameters.push_back(static_cast<int32_t>(i));
    sum.ops.push_back(std::move(parameter));
  }
  Op root;
  root.name = "sum";
  root.opcode = HloOpcode::kAdd;
  root.shape = array_shape(type, {});
  root.operands = {0, 1};
  sum.root = 2;
  sum.ops.push_back(std::move(root));
  return sum;
}

}  // namespace

OpGraph expand_batch_norm(const OpGraph& graph) {
  OpGraph expanded = graph;
  std::set<std::string> names;
  for (const Computation& computation : graph.computations) names.insert(computation.name);
  std::map<ElementType, int32_t> sums;
  const auto sum_of = [&](ElementType type) {
    const auto [entry, is_new] = sums.try_emplace(type, 0);
    if (is_new) {
      entry->second = static_cast<int32_t>(expanded.computations.size());
      std::string name = "batch_norm_sum_" + std::string(name_of(type));
      while (!names.insert(name).second) name += "_";
      expanded.computations.push_back(addition(type, std::move(name)));
    }
    return entry->second;
  };
  // Computations move when one is added: by number.
  for (size_t i = 0; i < graph.computations.size(); ++i) {
    if (std::ranges::none_of(graph.computations[i].ops, is_batch_norm)) continue;
    Computation computation = std::move(expanded.computations[i]);
    Rebuild rebuild(computation);
    rebuild.run([&](Op op) {
      if (!is_batch_norm(op) || !op.control_predecessors.empty()) {
        return rebuild.push(std::move(op));
      }
      const int32_t sum = sum_of(rebuild.made(op.operands[1]).shape.type);
      const HloOpcode opcode = op.opcode;
      Expansion expansion(rebuild, std::move(op), sum);
      return opcode == HloOpcode::kBatchNormInference  ? expansion.inference()
             : opcode == HloOpcode::kBatchNormTraining ? expansion.training()
                                                       : expansion.gradient();
    });
    expanded.computations[i] = std::move(computation);
  }
  return expanded;
}

}  // namespace tilewright
