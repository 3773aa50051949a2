#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/graph/hlo_cursor.h"
#include "core/graph/op_graph.h"

namespace tilewright {

/// The statements "name=value" behind something in HLO text, each taken once by who knows it.
class HloStatements {
 public:
  /// Reads ", name=value" as long as there are any. Error (failed) for a name twice.
  explicit HloStatements(HloCursor& cursor);

  /// Value of that statement, if it is there; it counts as taken.
  std::optional<HloCursor> take(std::string_view name);
  /// The same for one that must be there.
  HloCursor require(std::string_view name);
  /// What nobody took, in its order.
  std::vector<Note> rest() const;

 private:
  struct Statement {
    std::string_view name;
    std::string_view value;
    bool taken = false;
  };

  HloCursor end_;  ///< behind the statements, where one that is missing should be
  std::vector<Statement> statements_;
};

/// The attributes that statements give to an op of that opcode, but for what stands between its
/// parentheses (the number of a parameter, the value of a constant). Error (failed) with its place
/// for one that is missing or malformed; whether they fit the operands, infer_shape says.
Attributes read_attributes(HloStatements& statements, HloOpcode opcode);

/// The names under which the statements of an op give the computations that it calls, in the order
/// of Op::called.
std::vector<std::string_view> called_statements(HloOpcode opcode);

/// "{ {0}: (3, {}, may-alias) }".
std::vector<Alias> read_aliases(HloCursor& cursor);

}  // namespace tilewright
