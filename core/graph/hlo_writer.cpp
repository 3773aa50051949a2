#include "core/graph/hlo_writer.h"

#include <fmt/format.h>

#include <iterator>

#include "core/graph/hlo_attribute_text.h"
#include "core/graph/hlo_attributes.h"

namespace tilewright {
namespace {

void append_notes(std::string& text, const std::vector<Note>& notes) {
  for (const Note& note : notes) text += ", " + note.name + '=' + note.value;
}

void append_ops(std::string& text, const Computation& computation,
                const std::vector<int32_t>& ops) {
  for (size_t i = 0; i < ops.size(); ++i) {
    text += (i == 0 ? "%" : ", %") + computation.op(ops[i]).name;
  }
}

/// "{%a, %b}".
void append_computations(std::string& text, const OpGraph& graph, const Op& op) {
  text += '{';
  for (size_t i = 0; i < op.called.size(); ++i) {
    text += (i == 0 ? "%" : ", %") + graph.computation(op.called[i]).name;
  }
  text += '}';
}

void append_called(std::string& text, const OpGraph& graph, const Computation& computation,
                   const Op& op) {
  if (op.called.empty()) return;
  std::vector<std::string_view> names = called_statements(op.opcode);
  if (op.opcode == HloOpcode::kCustomCall || op.opcode == HloOpcode::kUnknown) {
    text += ", called_computations=";
    append_computations(text, graph, op);
    return;
  }
  if (op.opcode == HloOpcode::kConditional &&
      computation.operand(op, 0).shape.type != ElementType::kPred) {
    text += ", branch_computations=";
    append_computations(text, graph, op);
    return;
  }
  for (size_t i = 0; i < op.called.size(); ++i) {
    fmt::format_to(std::back_inserter(text), ", {}=%{}", names[i],
                   graph.computation(op.called[i]).name);
  }
}

void append_op(std::string& text, const OpGraph& graph, const Computation& computation,
               const Op& op) {
  text += '%' + op.name + " = ";
  append_text(text, op.shape);
  text += ' ';
  if (const auto* unknown = std::get_if<UnknownOpcode>(&op.attributes)) {
    text += unknown->name;
  } else {
    text += name_of(op.opcode);
  }
  text += '(';
  if (const auto* number = std::get_if<ParameterNumber>(&op.attributes)) {
    text += fmt::to_string(number->number);
  } else if (const auto* literal = std::get_if<Literal>(&op.attributes)) {
    append_literal(text, *literal, op.shape);
  } else {
    append_ops(text, computation, op.operands);
  }
  text += ')';
  append_attributes(text, op.attributes);
  append_called(text, graph, computation, op);
  if (!op.control_predecessors.empty()) {
    text += ", control-predecessors={";
    append_ops(text, computation, op.control_predecessors);
    text += '}';
  }
  append_notes(text, op.notes);
}

void append_computation(std::string& text, const OpGraph& graph, int32_t index) {
  const Computation& computation = graph.computation(index);
  text += index == graph.entry ? "\nENTRY %" : "\n%";
  text += computation.name + " (";
  for (size_t i = 0; i < computation.parameters.size(); ++i) {
    const Op& parameter = computation.op(computation.parameters[i]);
    text += (i == 0 ? "" : ", ") + parameter.name + ": ";
    append_text(text, parameter.shape, false);
  }
  text += ") -> ";
  append_text(text, computation.root_op().shape, false);
  text += " {\n";
  for (size_t i = 0; i < computation.ops.size(); ++i) {
    text += static_cast<int32_t>(i) == computation.root ? "  ROOT " : "  ";
    append_op(text, graph, computation, computation.ops[i]);
    text += '\n';
  }
  text += '}';
  append_notes(text, computation.notes);
  text += '\n';
}

void append_aliases(std::string& text, const std::vector<Alias>& aliases) {
  if (aliases.empty()) return;
  text += ", input_output_alias={";
  for (size_t i = 0; i < aliases.size(); ++i) {
    text += i == 0 ? " " : ", ";
    append_integers(text, aliases[i].output);
    fmt::format_to(std::back_inserter(text), ": ({}, ", aliases[i].parameter);
    append_integers(text, aliases[i].parameter_index);
    text += aliases[i].must ? ", must-alias)" : ", may-alias)";
  }
  text += " }";
}

}  // namespace

std::string to_hlo(const OpGraph& graph) {
  std::string text = "HloModule " + graph.name;
  append_aliases(text, graph.input_output_alias);
  append_notes(text, graph.notes);
  text += '\n';
  for (size_t i = 0; i < graph.computations.size(); ++i) {
    append_computation(text, graph, static_cast<int32_t>(i));
  }
  return text;
}

std::string to_hlo_line(const OpGraph& graph, const Computation& computation, const Op& op) {
  std::string text;
  append_op(text, graph, computation, op);
  return text;
}

}  // namespace tilewright
