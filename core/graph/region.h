#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/graph/op_graph.h"

namespace tilewright {

/// What an op of a program is to whoever plans its kernels.
enum class OpRole : uint8_t {
  kBoundary,  ///< parameter, tuple, element of one, constant: no kernel makes it
  kConstant,  ///< of constants alone, or an iota: made once, before the program runs
  kView,      ///< the same elements in the same order, such as a reshape: no work
  kLight,     ///< elementwise, an instruction or a few
  kHeavy,     ///< elementwise, many instructions: worth keeping rather than computing again
  kBroadcast,
  kReduce,
  kMove,     ///< takes elements from other places: transpose, slice, concatenate, pad, gather, ...
  kCompute,  ///< dot, convolution: a library kernel
  kOpaque,   ///< anything else: a kernel of its own that nothing joins
};
std::string_view name_of(OpRole role);

/// A fused kernel may hold it.
bool is_fusible(OpRole role);

/// A computation as kernels see it: who reads whose elements, past views, and what each op costs in
/// bytes and elements. Arrays are row-major, whatever layout the text states.
class Region {
 public:
  Region(const OpGraph& graph, int32_t computation);

  const OpGraph& graph() const { return *graph_; }
  const Computation& computation() const { return *computation_; }
  int32_t size() const { return static_cast<int32_t>(roles_.size()); }

  OpRole role(int32_t op) const { return roles_[static_cast<size_t>(op)]; }
  /// Elements and bytes of the result; of a tuple the bytes of its parts.
  int64_t elements(int32_t op) const { return elements_[static_cast<size_t>(op)]; }
  int64_t bytes(int32_t op) const { return bytes_[static_cast<size_t>(op)]; }
  /// The value of all elements where they are one known constant: such an array need not exist.
  std::optional<double> splat(int32_t op) const { return splats_[static_cast<size_t>(op)]; }
  /// The op whose elements a view shows; of other ops the op itself.
  int32_t base(int32_t op) const { return bases_[static_cast<size_t>(op)]; }

  /// What an op needs before it can run: the bases of its operands and control predecessors, each
  /// once, without arrays of one constant. Views have none.
  std::span<const int32_t> inputs(int32_t op) const { return inputs_.of(op); }
  /// The ops that have it as input, ascending.
  std::span<const int32_t> users(int32_t op) const { return users_.of(op); }
  /// Whether it must be in memory when the region ends: the root shows it.
  bool is_result(int32_t op) const { return is_result_[static_cast<size_t>(op)]; }

  /// Of a dynamic-update-slice that may write over its operand where that lies in memory: the op
  /// that the operand shows; of other ops -1. Nobody else reads that op, or it is an input whose
  /// memory the result takes (the same part of a loop's state, input_output_alias): then all others
  /// that read it have to come before, and none of them needs the result.
  int32_t in_place(int32_t op) const { return in_place_[static_cast<size_t>(op)]; }
  /// The input whose memory an op's result takes by the entry's input_output_alias, or -1.
  int32_t aliased_input(int32_t op) const { return aliased_inputs_[static_cast<size_t>(op)]; }

 private:
  /// Lists of ops, one behind the other.
  struct Lists {
    std::vector<int32_t> first = {0};
    std::vector<int32_t> ops = {};
    std::span<const int32_t> of(int32_t op) const {
      const auto at = static_cast<size_t>(op);
      return std::span(ops).subspan(static_cast<size_t>(first[at]),
                                    static_cast<size_t>(first[at + 1] - first[at]));
    }
  };

  void find_roles();
  void find_links();
  void find_results();
  void find_aliases();
  void find_updates();
  bool is_state_part(int32_t input, int32_t result) const;
  bool reaches_reader(int32_t op, int32_t input) const;

  const OpGraph* graph_;
  const Computation* computation_;
  std::vector<OpRole> roles_;
  std::vector<int64_t> elements_;
  std::vector<int64_t> bytes_;
  std::vector<std::optional<double>> splats_;
  std::vector<int32_t> bases_;
  std::vector<bool> is_result_;
  std::vector<int32_t> in_place_;
  std::vector<int32_t> aliased_inputs_;
  Lists inputs_;
  Lists users_;
};

}  // namespace tilewright
