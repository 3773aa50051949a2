// The op graph and its kernels.

#include "app/tui/fusion/fusion_views.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/fusion/fusion_cursor.h"
#include "app/tui/fusion/fusion_update.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Kernels one below the other differ in colour, and have their letters besides.
Role role_of_unit(const FusionUnit& unit) {
  if (unit.number < 0) return Role::kDim;
  return role_of(static_cast<Pipe>(unit.number % kPipeCount), (unit.number / kPipeCount) % 2 == 1);
}

void draw_no_plan(const State& state, Canvas& canvas) {
  const FusionState& fusion = state.fusion;
  if (is_planning_fusion(state)) {
    draw_wrapped(canvas, 0, 0, "planning ... K cancels", Role::kDim);
  } else if (!fusion.failure.empty()) {
    draw_wrapped(canvas, 0, 0, printable(fusion.failure, 600), Role::kBad);
  } else {
    draw_wrapped(canvas, 0, 0,
                 "Which ops of a graph share a kernel? The pane Plan says which graph: a layer of "
                 "a model, or an HLO module. r plans it.",
                 Role::kDim);
  }
}

/// How the op of the cursor hangs together with other rows: a line beside the list.
struct Rail {
  int first = 0;
  int last = 0;
  int cursor = 0;
  std::vector<int> ends;  ///< rows that it reads or that read it, ascending
};

/// The row of an op of a kernel that is not folded; -1 where the kernel does not hold it.
int row_in_unit(const FusionState& fusion, const FusionRow& row, const FusionUnit& unit,
                int32_t op) {
  const auto at = std::ranges::lower_bound(unit.ops, op);
  if (at == unit.ops.end() || *at != op || fusion.folded.contains(unit.op)) return -1;
  const auto first = std::ranges::lower_bound(fusion.rows, row.unit, {}, &FusionRow::unit);
  const auto heading = unit.ops.size() > 1 ? 1 : 0;
  return static_cast<int>(first - fusion.rows.begin() + heading + (at - unit.ops.begin()));
}

Rail rail_of(const FusionState& fusion) {
  Rail rail;
  rail.first = rail.last = rail.cursor = fusion.row.row;
  const FusionRow& row = fusion.rows[static_cast<size_t>(fusion.row.row)];
  const FusionUnit& unit = (*shown_units(fusion))[static_cast<size_t>(row.unit)];
  const FusionGraph& graph = fusion.program->region(fusion.region);
  const auto add = [&](int32_t other) {
    const int own = row_in_unit(fusion, row, unit, other);
    const int at = own >= 0 ? own : fusion.row_of[static_cast<size_t>(other)];
    if (at < 0 || at == rail.cursor) return;
    rail.ends.push_back(at);
    rail.first = std::min(rail.first, at);
    rail.last = std::max(rail.last, at);
  };
  // Of a heading: what the kernel takes from others and hands to others.
  const auto is_own = [&](int32_t op) {
    return row.op < 0 && std::ranges::binary_search(unit.ops, op);
  };
  for (const int32_t op : row.op < 0 ? unit.ops : std::vector<int32_t>{row.op}) {
    for (const int32_t input : graph.region().inputs(op)) {
      if (!is_own(input)) add(input);
    }
    for (const int32_t user : graph.region().users(op)) {
      if (!is_own(user)) add(user);
    }
  }
  std::ranges::sort(rail.ends);
  return rail;
}

void draw_rail(Canvas& canvas, int y, int row, const Rail& rail) {
  if (rail.ends.empty() || row < rail.first || row > rail.last) return;
  const Glyphs& glyphs = canvas.glyphs();
  if (row == rail.cursor) {
    canvas.put(0, y, glyphs.cursor, Role::kPath);
  } else if (std::ranges::binary_search(rail.ends, row)) {
    canvas.put(0, y, U'o', Role::kPath);
  } else {
    canvas.put(0, y, glyphs.vertical, Role::kDim);
  }
}

/// Where the columns of the list begin.
struct OpColumns {
  int name = 8;
  int role = 0;  ///< 0: there is no room for it
  int bytes = 0;
  int time = 0;
  int end = 0;
};

OpColumns op_columns(int width) {
  constexpr int kRole = 10;
  constexpr int kNumber = 10;
  constexpr int kRoomForRole = 52;
  OpColumns columns;
  columns.end = width;
  columns.time = width - kNumber;
  columns.bytes = columns.time - kNumber;
  columns.role = width >= kRoomForRole ? columns.bytes - kRole : 0;
  return columns;
}

/// What the table may have no room for.
std::string facts_of(const FusionUnit& unit) {
  const KernelFigures& figures = unit.cost.figures;
  const auto bytes = [](int64_t count) { return format_bytes(static_cast<double>(count)); };
  std::string text = fmt::format("{}: in {}, out {}", letter_of(unit), bytes(figures.read_bytes),
                                 bytes(figures.write_bytes));
  if (unit.unit.kernel < 0) return text;
  return text + fmt::format(", UB {}, {}", bytes(figures.peak_ub_bytes),
                            format_counted(figures.barriers, "barrier"));
}

std::string time_of(const FusionUnit& unit) {
  return unit.number < 0 ? "" : format_us(unit.cost.time_us);
}

void draw_op_row(const State& state, Canvas& canvas, int y, int index, const OpColumns& columns) {
  const FusionState& fusion = state.fusion;
  const FusionRow& row = fusion.rows[static_cast<size_t>(index)];
  const FusionUnit& unit = (*shown_units(fusion))[static_cast<size_t>(row.unit)];
  const FusionGraph& graph = fusion.program->region(fusion.region);
  const Role role = role_of_unit(unit);
  canvas.text_right(5, y, letter_of(unit), role);
  if (is_marked(fusion, row)) canvas.put(6, y, canvas.glyphs().pinned, Role::kMatch);
  const int name_end = (columns.role > 0 ? columns.role : columns.bytes) - 1;
  if (row.op < 0) {
    const bool is_folded = fusion.folded.contains(unit.op);
    const std::string size = format_counted(std::ssize(unit.ops), "op");
    const int size_begin = columns.time - 1 - columns_of(size);
    canvas.text(
        columns.name, y,
        fmt::format("{} kernel of {}", is_folded ? '+' : '-', printable(graph.name(unit.op), 200)),
        Role::kText, size_begin - 1 - columns.name);
    canvas.text(size_begin, y, size, Role::kDim);
    canvas.text_right(columns.end, y, time_of(unit));
  } else {
    const bool is_alone = unit.ops.size() == 1;
    if (!is_alone) canvas.put(columns.name, y, canvas.glyphs().vertical, role);
    const int x = columns.name + (is_alone ? 0 : 2);
    const bool is_found = !fusion.search.empty() &&
                          lower_case(graph.name(row.op)).find(fusion.search) != std::string::npos;
    canvas.text(x, y, printable(graph.name(row.op), 200), is_found ? Role::kMatch : Role::kText,
                name_end - x);
    if (columns.role > 0) {
      canvas.text(columns.role, y, name_of(graph.region().role(row.op)), Role::kDim);
    }
    canvas.text_right(columns.time - 1, y,
                      format_bytes(static_cast<double>(graph.region().bytes(row.op))), Role::kDim);
    if (is_alone) canvas.text_right(columns.end, y, time_of(unit));
  }
  if (index == fusion.row.row && state.pane().pane == kFusionGraph) {
    canvas.restyle({1, y, canvas.width() - 1, 1}, Role::kCursor);
  }
}

}  // namespace

std::string fusion_graph_title(const State& state) {
  const FusionState& fusion = state.fusion;
  const std::vector<FusionUnit>* units = shown_units(fusion);
  if (!units) return "Graph";
  const FusionGraph& graph = fusion.program->region(fusion.region);
  std::string title =
      fmt::format("{}  {} of {} ops", fusion.shown,
                  launches_text(std::ranges::count_if(
                      *units, [](const FusionUnit& unit) { return unit.number >= 0; })),
                  format_count(std::ssize(graph.nodes())));
  const size_t regions = fusion.program->asking.region_count();
  if (regions > 1) {
    title = fmt::format("{}  region {}/{} {} x{}", title, fusion.region + 1, regions,
                        printable(graph.region().computation().name, 40),
                        format_count(fusion.program->asking.runs(fusion.region)));
  }
  return title;
}

void draw_fusion_graph(const State& state, Canvas canvas) {
  const FusionState& fusion = state.fusion;
  if (!shown_units(fusion)) return draw_no_plan(state, canvas);
  if (fusion.rows.empty()) {
    draw_wrapped(canvas, 0, 0, "the region has no op that a kernel makes", Role::kDim);
    return;
  }
  const OpColumns columns = op_columns(canvas.width());
  canvas.text(columns.name, 0, "op", Role::kHeading);
  canvas.text_right(5, 0, "in", Role::kHeading);
  if (columns.role > 0) canvas.text(columns.role, 0, "role", Role::kHeading);
  canvas.text_right(columns.time - 1, 0, "result", Role::kHeading);
  canvas.text_right(columns.end, 0, "kernel", Role::kHeading);
  const int count = static_cast<int>(fusion.rows.size());
  const int visible = canvas.height() - 1;
  const int first = first_row(fusion.row.row, count, visible);
  const Rail rail = rail_of(fusion);
  for (int y = 0; y < visible && first + y < count; ++y) {
    draw_rail(canvas, y + 1, first + y, rail);
    draw_op_row(state, canvas, y + 1, first + y, columns);
  }
}

std::string fusion_graph_legend(const State& state, const Rect&) {
  return shown_units(state.fusion) ? "o reads, or is read by, the op of the cursor" : "";
}

std::string fusion_kernels_title(const State& state) {
  const FusionState& fusion = state.fusion;
  return shown_units(fusion) ? "Kernels of " + fusion.shown : "Kernels";
}

void draw_fusion_kernels(const State& state, Canvas canvas) {
  const FusionState& fusion = state.fusion;
  const std::vector<FusionUnit>* units = shown_units(fusion);
  if (!units) return;
  const FusionGraph& graph = fusion.program->region(fusion.region);
  TableView table;
  table.columns = fit_columns({{"", 3, true},
                               {"kernel of", 12},
                               {"ops", 4, true},
                               {"time", 9, true},
                               {"by", 3},
                               {"read", 9, true},
                               {"written", 9, true},
                               {"UB", 9, true},
                               {"barriers", 8, true}},
                              1, canvas.width());
  const bool has_facts = canvas.height() >= 6;
  const int rows = canvas.height() - (has_facts ? 1 : 0);
  table.rows = static_cast<int>(units->size());
  table.chosen = fusion.kernel.row;
  table.has_focus = state.pane().pane == kFusionKernels;
  Canvas list = canvas.part({0, 0, canvas.width(), rows});
  if (has_facts && !units->empty()) {
    const FusionUnit& chosen = (*units)[static_cast<size_t>(fusion.kernel.row)];
    canvas.text(0, rows, facts_of(chosen), Role::kDim, canvas.width());
  }
  draw_table(list, table, [&](int row) {
    const FusionUnit& unit = (*units)[static_cast<size_t>(row)];
    const KernelFigures& figures = unit.cost.figures;
    const bool is_kernel = unit.unit.kernel >= 0;
    const auto bytes = [](int64_t count) { return format_bytes(static_cast<double>(count)); };
    const bool is_on = is_marked(fusion, {row, unit.ops.size() > 1 ? -1 : unit.op});
    return TableRow{{letter_of(unit), (is_on ? "* " : "") + printable(graph.name(unit.op), 200),
                     std::to_string(unit.ops.size()), time_of(unit),
                     std::string(time_source(unit)),
                     bytes(figures.read_bytes), bytes(figures.write_bytes),
                     is_kernel ? bytes(figures.peak_ub_bytes) : "",
                     is_kernel ? std::to_string(figures.barriers) : ""},
                    is_kernel ? Role::kText : Role::kDim};
  });
}

}  // namespace tilewright
