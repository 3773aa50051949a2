#include "core/graph/hlo_computation.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/base/text.h"
#include "core/graph/hlo_attributes.h"
#include "core/graph/hlo_reader.h"
#include "core/graph/topological_order.h"

namespace tilewright {
namespace {

/// An operand as text: "%x", or "f32[2]{0} %x".
struct OperandText {
  std::string_view shape;
  std::string_view name;
};

/// An op of which others are only known by name.
struct OpText {
  std::string_view name;
  std::vector<OperandText> operands = {};
  std::vector<std::string_view> control_predecessors = {};
  std::vector<std::string_view> callees = {};
};

std::string_view name_in(const HloCursor& cursor, std::string_view part, std::string_view what) {
  HloCursor inner = cursor.within(part);
  const std::string_view name = inner.name(what);
  inner.expect_end("an operand");
  return name;
}

std::vector<OperandText> read_operands(HloCursor& cursor) {
  std::vector<OperandText> operands;
  while (cursor.peek() != ')') {
    const std::string_view text = cursor.balanced("an operand or ')'");
    const size_t blank = text.find_last_of(" \t");
    const size_t name = blank == std::string_view::npos ? 0 : blank + 1;
    operands.push_back(
        {trim(text.substr(0, name)), name_in(cursor, text.substr(name), "the name of an operand")});
    if (!cursor.accept(',')) break;
  }
  return operands;
}

/// "%a", or "{%a, %b}".
std::vector<std::string_view> read_names(HloCursor cursor, std::string_view what) {
  std::vector<std::string_view> names;
  if (!cursor.accept('{')) {
    names.push_back(cursor.name(what));
  } else {
    while (cursor.peek() != '}') {
      names.push_back(cursor.name(what));
      if (!cursor.accept(',')) break;
    }
    cursor.expect('}', "',' or '}' behind a name");
  }
  cursor.expect_end("a list of names");
  return names;
}

/// Number of computations that an op of that opcode must call; none where it may be any.
std::optional<size_t> callees_needed(HloOpcode opcode) {
  switch (opcode) {
    case HloOpcode::kAsyncDone:
    case HloOpcode::kAsyncUpdate:
    case HloOpcode::kConditional:
    case HloOpcode::kCustomCall:
    case HloOpcode::kUnknown:
      return std::nullopt;
    default:
      return called_statements(opcode).size();
  }
}

std::vector<std::string_view> read_callees(HloStatements& statements, HloOpcode opcode,
                                           const HloCursor& place) {
  std::vector<std::string_view> callees;
  for (const std::string_view name : called_statements(opcode)) {
    const auto value = statements.take(name);
    if (!value) continue;
    const std::vector<std::string_view> names = read_names(*value, "the name of a computation");
    callees.insert(callees.end(), names.begin(), names.end());
  }
  const auto needed = callees_needed(opcode);
  if ((needed && callees.size() != *needed) ||
      (opcode == HloOpcode::kConditional && callees.empty())) {
    const std::vector<std::string_view> names = called_statements(opcode);
    place.fail(fmt::format("{} needs {}, and names {} computations", name_of(opcode),
                           fmt::join(names, " and "), callees.size()));
  }
  return callees;
}

/// Reads the ops of one computation, then puts indices for names.
class BodyReader {
 public:
  BodyReader(HloCursor& cursor, HloShapeReader& shapes, int64_t& op_count)
      : cursor_(cursor), shapes_(shapes), op_count_(op_count) {}

  void read(HloComputation& result) {
    cursor_.expect('{', "'{' before the ops of a computation");
    while (cursor_.peek() != '}') read_op();
    if (ops_.empty()) cursor_.fail("the computation has no ops");
    cursor_.accept('}');
    link();
    number_parameters(result.computation);
    put_in_order(result);
  }

 private:
  void read_op() {
    if (++op_count_ > kMaxHloOps) cursor_.fail("the module has more than 500,000 ops");
    const HloCursor start = cursor_;
    if (cursor_.accept_word("ROOT")) {
      if (root_) start.fail("the computation has a second ROOT");
      root_ = static_cast<int32_t>(ops_.size());
    }
    Op op;
    op.line = cursor_.line();
    const std::string_view name = cursor_.name("the name of an op, or '}'");
    const auto index = static_cast<int32_t>(ops_.size());
    if (!index_of_.emplace(name, index).second) {
      cursor_.fail_at(name, fmt::format("the op '{}' is defined twice", printable(name)));
    }
    op.name = name;
    texts_.push_back({.name = name});
    cursor_.expect('=', "'=' behind the name of an op");
    op.shape = shapes_.read(cursor_);
    read_right_side(op, texts_.back());
    ops_.push_back(std::move(op));
  }

  void read_right_side(Op& op, OpText& text) {
    cursor_.peek();
    const HloCursor place = cursor_;
    const std::string_view opcode = cursor_.name("an opcode");
    op.opcode = parse_opcode(opcode);
    cursor_.expect('(', "'(' behind the opcode");
    if (op.opcode == HloOpcode::kParameter) {
      op.attributes = ParameterNumber{cursor_.integer("the number of a parameter", 0, kMaxHloOps)};
    } else if (op.opcode == HloOpcode::kConstant) {
      op.attributes = read_literal(cursor_, op.shape);
    } else {
      text.operands = read_operands(cursor_);
    }
    cursor_.expect(')', "',' or ')' behind an operand");
    HloStatements statements(cursor_);
    if (op.opcode == HloOpcode::kUnknown) {
      op.attributes = UnknownOpcode{std::string(opcode)};
    } else if (op.opcode != HloOpcode::kParameter && op.opcode != HloOpcode::kConstant) {
      op.attributes = read_attributes(statements, op.opcode);
    }
    text.callees = read_callees(statements, op.opcode, place);
    if (const auto predecessors = statements.take("control-predecessors")) {
      text.control_predecessors = read_names(*predecessors, "a control predecessor");
    }
    op.notes = statements.rest();
  }

  int32_t find(std::string_view name) const {
    const auto at = index_of_.find(name);
    if (at != index_of_.end()) return at->second;
    cursor_.fail_at(name, fmt::format("the computation has no op '{}'", printable(name)));
  }

  void link() {
    for (size_t i = 0; i < ops_.size(); ++i) {
      for (const OperandText& operand : texts_[i].operands) {
        ops_[i].operands.push_back(find(operand.name));
        check_stated_shape(operand, ops_[static_cast<size_t>(ops_[i].operands.back())]);
      }
      for (const std::string_view name : texts_[i].control_predecessors) {
        ops_[i].control_predecessors.push_back(find(name));
      }
    }
  }

  void check_stated_shape(const OperandText& text, const Op& operand) const {
    if (text.shape.empty()) return;
    HloCursor cursor = cursor_.within(text.shape);
    const Shape stated = HloShapeReader().read(cursor);
    cursor.expect_end("the shape of an operand");
    if (!same_value_shape(stated, operand.shape)) {
      cursor_.fail_at(
          text.shape,
          fmt::format("operand '{}' is stated as {}, and is {}", printable(operand.name),
                      printable(to_text(stated, false)), printable(to_text(operand.shape, false))));
    }
  }

  void number_parameters(Computation& computation) const {
    std::vector<int32_t>& parameters = computation.parameters;
    for (size_t i = 0; i < ops_.size(); ++i) {
      if (ops_[i].opcode == HloOpcode::kParameter) parameters.push_back(static_cast<int32_t>(i));
    }
    const auto number = [&](int32_t op) {
      return ops_[static_cast<size_t>(op)].get<ParameterNumber>().number;
    };
    std::stable_sort(parameters.begin(), parameters.end(),
                     [&](int32_t a, int32_t b) { return number(a) < number(b); });
    for (size_t i = 0; i < parameters.size(); ++i) {
      const int64_t found = number(parameters[i]);
      if (found == static_cast<int64_t>(i)) continue;
      const std::string_view place = texts_[static_cast<size_t>(parameters[i])].name;
      cursor_.fail_at(place, fmt::format("parameter number {} comes where {} is expected: they are "
                                         "numbered from 0, each once",
                                         found, i));
    }
  }

  void put_in_order(HloComputation& result) {
    std::vector<std::vector<int32_t>> depends_on;
    for (const Op& op : ops_) {
      depends_on.push_back(op.operands);
      std::vector<int32_t>& all = depends_on.back();
      all.insert(all.end(), op.control_predecessors.begin(), op.control_predecessors.end());
    }
    const TopologicalOrder sorted = topological_order(depends_on);
    if (!sorted.cycle.empty()) fail_in_circle(sorted.cycle);
    std::vector<int32_t> place(ops_.size());
    for (size_t i = 0; i < ops_.size(); ++i) {
      place[static_cast<size_t>(sorted.order[i])] = static_cast<int32_t>(i);
    }
    const auto move = [&](int32_t& index) { index = place[static_cast<size_t>(index)]; };
    Computation& computation = result.computation;
    for (const int32_t from : sorted.order) {
      Op& op = computation.ops.emplace_back(std::move(ops_[static_cast<size_t>(from)]));
      std::for_each(op.operands.begin(), op.operands.end(), move);
      std::for_each(op.control_predecessors.begin(), op.control_predecessors.end(), move);
      for (const std::string_view callee : texts_[static_cast<size_t>(from)].callees) {
        result.calls.push_back({static_cast<int32_t>(computation.ops.size() - 1), callee});
      }
    }
    std::for_each(computation.parameters.begin(), computation.parameters.end(), move);
    // Without a mark the last op is the root.
    computation.root = root_.value_or(static_cast<int32_t>(ops_.size() - 1));
    move(computation.root);
  }

  [[noreturn]] void fail_in_circle(const std::vector<int32_t>& cycle) const {
    std::string names;
    for (size_t i = 0; i < std::min<size_t>(cycle.size(), 5); ++i) {
      const std::string_view name = texts_[static_cast<size_t>(cycle[i])].name;
      names += fmt::format("{}'{}'", i == 0 ? "" : ", ", printable(name, 40));
    }
    const std::string_view first = texts_[static_cast<size_t>(cycle.front())].name;
    cursor_.fail_at(first, fmt::format("{} ops wait for each other in a circle: {}{}", cycle.size(),
                                       names, cycle.size() > 5 ? ", ..." : ""));
  }

  HloCursor& cursor_;
  HloShapeReader& shapes_;
  int64_t& op_count_;
  std::vector<Op> ops_ = {};
  std::vector<OpText> texts_ = {};  ///< of the same ops
  std::unordered_map<std::string_view, int32_t> index_of_ = {};
  std::optional<int32_t> root_ = {};
};

}  // namespace

HloComputation HloComputationReader::read(HloCursor& cursor) {
  HloComputation result;
  result.entry = cursor.accept_word("ENTRY");
  cursor.peek();
  result.computation.line = cursor.line();
  result.name = cursor.name("the name of a computation");
  result.computation.name = result.name;
  if (cursor.peek() == '(') {
    cursor.group("the parameters of a computation");
    if (!cursor.accept("->")) cursor.fail("expected '->' and the shape of the result");
    cursor.peek();
    result.result_place = cursor.rest();
    result.result = shapes_.read(cursor);
  }
  BodyReader(cursor, shapes_, ops_).read(result);
  result.computation.notes = HloStatements(cursor).rest();
  return result;
}

}  // namespace tilewright
