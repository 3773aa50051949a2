#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/graph/elementwise.h"
#include "core/graph/op_graph.h"

namespace tilewright {

/// A computation on scalars (the body of a reduce, scatter, sort, map, ...) made ready to run for
/// many elements at once.
class ScalarProgram {
 public:
  /// Elements in one run.
  static constexpr size_t kLanes = 512;

  /// Error (usage) with the op when the computation is more than elementwise ops on scalars.
  ScalarProgram(const OpGraph& graph, int32_t computation, Arithmetic arithmetic);

  size_t parameter_count() const { return parameter_count_; }
  size_t result_count() const { return results_.size(); }
  /// Ops for one element.
  size_t length() const { return steps_.size(); }

  /// Runs for `lanes` <= kLanes elements; parameters[p] holds those of parameter p.
  void run(std::span<const Element* const> parameters, size_t lanes);
  /// What the last run gave for a result: valid until the next one, and as long as the parameters.
  const Element* result(size_t index) const { return registers_[results_[index]]; }

  /// The op, when the program is one binary op on its two parameters of one type, in this order or
  /// one whose order does not matter.
  std::optional<Elementwise> single_op() const;

 private:
  struct Step {
    Elementwise op;
    std::vector<size_t> operands;  ///< registers
    size_t result = 0;
  };
  /// One register for each op of the computation, of which a tuple has several.
  using Registers = std::vector<size_t>;

  Registers compile(const OpGraph& graph, int32_t computation,
                    const std::vector<size_t>& parameters, Arithmetic arithmetic);
  Registers compile_op(const OpGraph& graph, const Computation& computation, const Op& op,
                       const std::vector<Registers>& done, Arithmetic arithmetic);
  size_t add_step(const Elementwise& op, const Registers& operands);
  size_t add_constant(const Op& op);
  size_t new_register();

  size_t parameter_count_ = 0;
  size_t compiled_ops_ = 0;
  std::vector<Step> steps_;
  Registers results_;
  std::vector<const Element*> registers_;
  /// What a register owns; empty for parameters.
  std::vector<std::vector<Element>> storage_;
};

/// The op for elements of an op of the graph.
Elementwise elementwise_of(const Computation& computation, const Op& op, Arithmetic arithmetic);

/// Element `index` of a literal of an array type.
Element literal_element(const Literal& literal, ElementType type, size_t index);

}  // namespace tilewright
