#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/op_attributes.h"
#include "core/graph/opcode.h"
#include "core/graph/shape.h"

namespace tilewright {

/// A program as a graph of tensor ops, in the terms of XLA HLO. Ops name each other by their index
/// in their computation, computations by their index in the graph. Invariants, which the reader
/// establishes and every transformation keeps:
/// - the operands and control predecessors of an op come before it;
/// - the computations that an op calls come before the one it is in; the entry is among them;
/// - parameters are numbered 0, 1, ... without gaps; names are unique in a computation;
/// - every op holds the attributes of its opcode, and its shape is what infer_shape says.

/// A statement of HLO text that has no meaning here ("metadata={...}") and is written back as read.
struct Note {
  std::string name;
  std::string value;
  bool operator==(const Note&) const = default;
};

struct Op {
  std::string name;
  HloOpcode opcode = HloOpcode::kUnknown;
  Shape shape = {};
  std::vector<int32_t> operands = {};
  std::vector<int32_t> control_predecessors = {};
  /// Computations it calls: while has condition, body; conditional its branches (true, false for a
  /// pred); select-and-scatter select, scatter; the others one, or any number for custom-call.
  std::vector<int32_t> called = {};
  Attributes attributes = {};
  std::vector<Note> notes = {};
  int32_t line = 0;  ///< of the source, from 1; 0 without one

  /// Everything but `line`.
  bool operator==(const Op& other) const;

  /// The attributes of its opcode; the wrong type is a broken invariant.
  template <class T>
  const T& get() const {
    return std::get<T>(attributes);
  }
};

struct Computation {
  std::string name;
  std::vector<Op> ops = {};
  std::vector<int32_t> parameters = {};  ///< ops, by parameter number
  int32_t root = 0;                      ///< the op whose value the computation gives
  std::vector<Note> notes = {};
  int32_t line = 0;

  bool operator==(const Computation& other) const;

  const Op& root_op() const { return ops[static_cast<size_t>(root)]; }
  const Op& op(int32_t index) const { return ops[static_cast<size_t>(index)]; }
  const Op& operand(const Op& op, size_t number) const { return this->op(op.operands[number]); }
};

/// An output of the entry that reuses the memory of a parameter. Indices are paths into tuples.
struct Alias {
  std::vector<int64_t> output = {};
  int64_t parameter = 0;
  std::vector<int64_t> parameter_index = {};
  bool must = false;
  bool operator==(const Alias&) const = default;
};

struct OpGraph {
  std::string name;
  std::vector<Computation> computations = {};
  int32_t entry = 0;
  std::vector<Alias> input_output_alias = {};
  std::vector<Note> notes = {};  ///< of the module
  std::string source = {};       ///< the file, for messages; empty without one

  /// Everything but `source` and lines.
  bool operator==(const OpGraph& other) const;

  const Computation& computation(int32_t index) const {
    return computations[static_cast<size_t>(index)];
  }
  const Computation& entry_computation() const { return computation(entry); }
};

/// Who reads what: the ops of a computation that have an op as an operand, each once, ascending.
class Users {
 public:
  explicit Users(const Computation& computation);
  std::span<const int32_t> of(int32_t op) const;

 private:
  std::vector<int32_t> first_;  ///< into readers_; one more than there are ops
  std::vector<int32_t> readers_;
};

/// The value of a note, or "" when there is none.
std::string_view find_note(std::span<const Note> notes, std::string_view name);

/// Where the framework says that an op comes from (op_name of its metadata), or "".
std::string_view origin_of(const Op& op);

/// "file:line: op 'name'": the place of an op in messages.
std::string place_of(const OpGraph& graph, const Op& op);

/// Ops of all computations.
int64_t op_count(const OpGraph& graph);

}  // namespace tilewright
