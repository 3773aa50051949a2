#include "core/graph/hlo_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/graph/hlo_attributes.h"
#include "core/graph/hlo_computation.h"
#include "core/graph/infer_shape.h"
#include "core/graph/topological_order.h"

namespace tilewright {
namespace {

/// "FileNames" and its like: numbered lines about the framework's source, which say nothing about
/// the program.
void skip_tables(HloCursor& cursor) {
  while (cursor.accept_word("FileNames") || cursor.accept_word("FunctionNames") ||
         cursor.accept_word("FileLocations") || cursor.accept_word("StackFrames")) {
    while (cursor.peek() >= '0' && cursor.peek() <= '9') {
      cursor.integer("the number of a line");
      cursor.balanced("a line of a table");
    }
  }
}

/// Joins the computations of a module.
class Linker {
 public:
  Linker(const HloCursor& cursor, std::vector<HloComputation>& parts)
      : cursor_(cursor), parts_(parts) {}

  void link(OpGraph& graph) {
    for (size_t i = 0; i < parts_.size(); ++i) {
      const std::string_view name = parts_[i].name;
      if (!index_of_.emplace(name, static_cast<int32_t>(i)).second) {
        cursor_.fail_at(name,
                        fmt::format("the computation '{}' is defined twice", printable(name)));
      }
    }
    int32_t entry = find_entry();
    call();
    const std::vector<int32_t> order = callees_first();
    std::vector<int32_t> place(parts_.size());
    for (size_t i = 0; i < order.size(); ++i) {
      place[static_cast<size_t>(order[i])] = static_cast<int32_t>(i);
    }
    for (const int32_t from : order) {
      Computation& computation =
          graph.computations.emplace_back(std::move(parts_[static_cast<size_t>(from)].computation));
      for (Op& op : computation.ops) {
        for (int32_t& callee : op.called) callee = place[static_cast<size_t>(callee)];
      }
    }
    graph.entry = place[static_cast<size_t>(entry)];
  }

 private:
  /// The one that is marked, or else the last.
  int32_t find_entry() const {
    int32_t entry = -1;
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (!parts_[i].entry) continue;
      if (entry >= 0) cursor_.fail_at(parts_[i].name, "the module has a second ENTRY");
      entry = static_cast<int32_t>(i);
    }
    return entry >= 0 ? entry : static_cast<int32_t>(parts_.size()) - 1;
  }

  void call() {
    for (HloComputation& part : parts_) {
      for (const HloComputation::Call& call : part.calls) {
        const auto at = index_of_.find(call.callee);
        if (at == index_of_.end()) {
          cursor_.fail_at(call.callee, fmt::format("the module has no computation '{}'",
                                                   printable(call.callee)));
        }
        part.computation.ops[static_cast<size_t>(call.op)].called.push_back(at->second);
      }
    }
  }

  std::vector<int32_t> callees_first() const {
    std::vector<std::vector<int32_t>> calls;
    for (const HloComputation& part : parts_) {
      std::vector<int32_t>& callees = calls.emplace_back();
      for (const Op& op : part.computation.ops) {
        callees.insert(callees.end(), op.called.begin(), op.called.end());
      }
    }
    TopologicalOrder sorted = topological_order(calls);
    if (sorted.cycle.empty()) return std::move(sorted.order);
    const auto name_of_part = [&](size_t i) {
      return parts_[static_cast<size_t>(sorted.cycle[i % sorted.cycle.size()])].name;
    };
    cursor_.fail_at(
        name_of_part(0),
        fmt::format("{} computations call each other in a circle, '{}' the next one '{}'",
                    sorted.cycle.size(), printable(name_of_part(0)), printable(name_of_part(1))));
  }

  const HloCursor& cursor_;
  std::vector<HloComputation>& parts_;
  std::unordered_map<std::string_view, int32_t> index_of_ = {};
};

void check_result(const HloCursor& cursor, const HloComputation& part) {
  const Shape& root = part.computation.root_op().shape;
  if (!part.result || same_value_shape(*part.result, root)) return;
  cursor.fail_at(part.result_place,
                 fmt::format("the computation '{}' is stated to give {}, its root gives {}",
                             printable(part.name), printable(to_text(*part.result, false)),
                             printable(to_text(root, false))));
}

/// Whether `path` leads to a part of `shape`.
bool leads_to_part(const std::vector<int64_t>& path, const Shape& shape) {
  const Shape* at = &shape;
  for (const int64_t step : path) {
    if (!at->is_tuple() || step < 0 || step >= static_cast<int64_t>(at->parts.size())) return false;
    at = &at->parts[static_cast<size_t>(step)];
  }
  return true;
}

void check_aliases(const HloCursor& place, const OpGraph& graph) {
  const Computation& entry = graph.entry_computation();
  for (const Alias& alias : graph.input_output_alias) {
    const auto count = static_cast<int64_t>(entry.parameters.size());
    if (alias.parameter >= count) {
      place.fail(fmt::format("input_output_alias names parameter {}, the entry has {}",
                             alias.parameter, count));
    }
    const Op& parameter = entry.op(entry.parameters[static_cast<size_t>(alias.parameter)]);
    if (!leads_to_part(alias.output, entry.root_op().shape) ||
        !leads_to_part(alias.parameter_index, parameter.shape)) {
      place.fail(fmt::format("input_output_alias of parameter {} leads outside of the shapes",
                             alias.parameter));
    }
  }
}

/// "{(f32[2]{0}, s32[])->f32[2]{0}}" must fit the entry.
void check_entry_layout(HloCursor cursor, const OpGraph& graph) {
  const HloCursor place = cursor;
  const Computation& entry = graph.entry_computation();
  const auto check = [&](const Shape& stated, const Op& op) {
    if (same_value_shape(stated, op.shape)) return;
    place.fail(fmt::format("entry_computation_layout states {} for '{}', which is {}",
                           printable(to_text(stated, false)), printable(op.name),
                           printable(to_text(op.shape, false))));
  };
  cursor.expect('{', "'{' before the layout of the entry");
  HloShapeReader shapes;
  const Shape parameters = shapes.read(cursor);
  if (!parameters.is_tuple() || parameters.parts.size() != entry.parameters.size()) {
    place.fail(fmt::format("entry_computation_layout does not have the {} parameters of the entry",
                           entry.parameters.size()));
  }
  for (size_t i = 0; i < entry.parameters.size(); ++i) {
    check(parameters.parts[i], entry.op(entry.parameters[i]));
  }
  if (!cursor.accept("->")) cursor.fail("expected '->' and the shape of the result");
  check(shapes.read(cursor), entry.root_op());
}

}  // namespace

OpGraph parse_hlo(std::string_view text, const std::string& source) {
  if (static_cast<int64_t>(text.size()) > kMaxHloBytes) {
    throw Error(ErrorKind::kFailed, fmt::format("{}: {} bytes of HLO text; at most 64 MiB are read",
                                                source, text.size()));
  }
  HloCursor cursor(text, source);
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    cursor.fail_at(text.substr(zero), "a zero byte, which is no HLO text");
  }
  OpGraph graph = {.name = {}, .source = source};
  if (!cursor.accept_word("HloModule")) cursor.fail("expected HloModule, the start of HLO text");
  graph.name = cursor.name("the name of the module");
  HloStatements statements(cursor);
  const auto aliases = statements.take("input_output_alias");
  if (aliases) {
    HloCursor at = *aliases;
    graph.input_output_alias = read_aliases(at);
  }
  graph.notes = statements.rest();
  const auto layout = statements.take("entry_computation_layout");
  skip_tables(cursor);
  std::vector<HloComputation> parts;
  HloComputationReader reader;
  do {
    parts.push_back(reader.read(cursor));
    check_result(cursor, parts.back());
  } while (!cursor.at_end());
  Linker(cursor, parts).link(graph);
  if (aliases) check_aliases(*aliases, graph);
  if (layout) check_entry_layout(*layout, graph);
  check_shapes(graph);
  return graph;
}

OpGraph read_hlo(const std::string& path) {
  return parse_hlo(read_file(path, kMaxHloBytes), path);
}

}  // namespace tilewright
