// The requests of a serving run with what each did over time, and the steps of one of them.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "app/tui/serve/serve_requests.h"
#include "app/tui/serve/serve_update.h"
#include "app/tui/serve/serve_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array<std::string_view, kRequestSorts> kSortNames = {"age", "TTFT",  "TPOT",
                                                                    "E2E", "stall", "state"};

std::vector<Column> request_columns() {
  return {{"id", 8},           {"state", 9},       {"TTFT", 5, true},   {"TPOT", 5, true},
          {"E2E", 5, true},    {"stall", 5, true}, {"prompt", 7, true}, {"out", 6, true},
          {"cached", 6, true}, {"pre", 3, true}};
}

/// Of those columns, how many there is room for beside a chart worth its place; and where the
/// chart begins.
struct TableShape {
  std::vector<Column> columns;
  int chart_x = 0;
  int chart = 0;  ///< columns; 0: none
};

TableShape shape_of(int width) {
  constexpr int kLeastChart = 20;
  constexpr size_t kLeastColumns = 6;
  TableShape shape{request_columns()};
  const auto taken = [&] {
    int sum = 0;
    for (const Column& column : shape.columns) sum += column.columns + 1;
    return sum;
  };
  while (shape.columns.size() > kLeastColumns && taken() + kLeastChart > width) {
    shape.columns.pop_back();
  }
  shape.chart_x = taken() + 1;
  shape.chart = width - shape.chart_x;
  if (shape.chart < kLeastChart) shape.chart = 0;
  return shape;
}

Role role_of_phase(RequestPhase phase) {
  switch (phase) {
    case RequestPhase::kPreempted:
    case RequestPhase::kRejected:
      return Role::kBad;
    case RequestPhase::kAborted:
    case RequestPhase::kWaiting:
      return Role::kWarn;
    default:
      return Role::kText;
  }
}

struct SpanSign {
  char32_t glyph;
  Role role;
};

SpanSign sign_of(RequestSpan::Kind kind) {
  switch (kind) {
    case RequestSpan::Kind::kPrefill:
      return {U'=', Role::kMte2};
    case RequestSpan::Kind::kDecode:
      return {U'-', Role::kCube};
    case RequestSpan::Kind::kStall:
      return {U'x', Role::kBad};
    case RequestSpan::Kind::kWait:
      break;
  }
  return {U'.', Role::kWait};
}

struct ChartTime {
  int64_t from_ns = 0;
  int64_t to_ns = 1;
  int x = 0;
  int cells = 0;

  /// Below 0 or not below `cells` where it is outside.
  int cell_of(int64_t ns) const {
    const auto length = static_cast<double>(std::max<int64_t>(1, to_ns - from_ns));
    const double cell = std::floor(static_cast<double>(ns - from_ns) / length * cells);
    return static_cast<int>(std::clamp(cell, -1.0, static_cast<double>(cells)));
  }
};

/// Each span has at least one cell, so that what is short is seen, too; a later one never hides a
/// shorter one before it.
void draw_spans(Canvas& canvas, int y, const ChartTime& time, const ServeRequest& request) {
  for (const RequestSpan& span : request.spans) {
    const int first = std::max(0, time.cell_of(span.from_ns));
    const int last = std::min(time.cells - 1, time.cell_of(span.to_ns));
    const SpanSign sign = sign_of(span.kind);
    for (int cell = first; cell <= last; ++cell)
      canvas.put(time.x + cell, y, sign.glyph, sign.role);
  }
  // Waiting and prompts are often shorter than a cell, and decodes, drawn behind them, hide them.
  for (const RequestSpan& span : request.spans) {
    if (span.kind == RequestSpan::Kind::kDecode) continue;
    const int cell = time.cell_of(span.from_ns);
    const SpanSign sign = sign_of(span.kind);
    if (cell >= 0 && cell < time.cells) canvas.put(time.x + cell, y, sign.glyph, sign.role);
  }
}

/// The time that all shown requests have.
ChartTime time_of(const State& state, int first, int rows, const TableShape& shape) {
  const ServeView& view = *state.serve.view;
  ChartTime time{INT64_MAX, INT64_MIN, shape.chart_x, shape.chart};
  for (int row = first; row < first + rows && row < std::ssize(state.serve.rows); ++row) {
    const ServeRequest& request = view.requests[state.serve.rows[static_cast<size_t>(row)]];
    if (request.spans.empty()) continue;
    time.from_ns = std::min(time.from_ns, request.spans.front().from_ns);
    time.to_ns = std::max(time.to_ns, request.spans.back().to_ns);
  }
  if (time.to_ns <= time.from_ns) {
    time.from_ns = 0;
    time.to_ns = std::max<int64_t>(1, view.end_ns);
  }
  return time;
}

void draw_chart_head(const State& state, Canvas& canvas, const ChartTime& time) {
  const auto text = [](int64_t ns) { return format_us(static_cast<double>(ns) * 1e-3); };
  canvas.text(time.x, 0, text(time.from_ns), Role::kDim);
  canvas.text_right(time.x + time.cells, 0, text(time.to_ns), Role::kDim);
  const std::optional<size_t> step = shown_serve_step(state);
  if (!step || !state.serve.step) return;
  const int cell = time.cell_of(state.serve.view->record.steps[*step].start_ns);
  if (cell >= 0 && cell < time.cells) {
    canvas.put(time.x + cell, 0, canvas.glyphs().marker, Role::kMatch);
  }
}

void draw_list(const State& state, Canvas& canvas) {
  const ServeView& view = *state.serve.view;
  const std::vector<size_t>& order = state.serve.rows;
  if (order.empty()) {
    canvas.text(0, 0,
                state.serve.filter.empty()
                    ? "no request has arrived yet"
                    : fmt::format("no request matches \"{}\"; Esc shows all", state.serve.filter),
                Role::kDim);
    return;
  }
  const TableShape shape = shape_of(canvas.width());
  const int first = first_request_row(state, canvas.height());
  const ChartTime time = time_of(state, first, canvas.height() - 1, shape);
  const bool has_focus = state.pane().pane == kServeRequests;
  draw_table_head(canvas, 0, shape.columns);
  if (shape.chart > 0) draw_chart_head(state, canvas, time);
  for (int y = 1; y < canvas.height() && first + y - 1 < std::ssize(order); ++y) {
    const int row = first + y - 1;
    const ServeRequest& request = view.requests[order[static_cast<size_t>(row)]];
    draw_table_row(
        canvas, y, shape.columns,
        {fmt::format("r{:04}", request.id), std::string(name_of(request.phase)),
         brief_ms(request.ttft_ms), brief_ms(request.tpot_ms), brief_ms(request.e2el_ms),
         brief_ms(request.stall_ms), format_count(request.prompt), format_count(request.output),
         format_count(request.cached), format_count(request.preemptions)},
        role_of_phase(request.phase));
    const bool is_chosen = row == state.serve.requests.row && has_focus;
    if (is_chosen) canvas.restyle({0, y, std::max(1, shape.chart_x - 1), 1}, Role::kCursor);
    if (shape.chart > 0) draw_spans(canvas, y, time, request);
  }
}

/// What the log says of a request in steps.
std::string event_text(const ServeView& view, const StepRecord& step, int64_t id) {
  std::string text;
  const std::vector<StepEvent>& events = view.record.events;
  auto next = std::ranges::lower_bound(events, step.first_step, {}, &StepEvent::step);
  for (; next != events.end() && next->step < step.first_step + step.count; ++next) {
    const StepEvent& event = *next;
    if (event.request != id) continue;
    if (!text.empty()) text += ", ";
    switch (event.kind) {
      case StepEvent::Kind::kPreemption:
        text += fmt::format("preempted for r{:04}", event.needed_by);
        break;
      case StepEvent::Kind::kCacheHit:
        text += fmt::format("{} tokens cached",
                            format_count(event.shared_tokens + event.copied_tokens));
        break;
      case StepEvent::Kind::kRefusal:
        text += fmt::format("refused: {}", name_of(event.cause));
        break;
    }
  }
  return text;
}

/// Tokens that the request got in the steps of a record.
int64_t tokens_in(const RequestRecord& request, const StepRecord& step) {
  int64_t tokens = 0;
  for (const TokenRun& run : request.token_runs) {
    const int64_t first = std::max(run.first_step, step.first_step);
    const int64_t end = std::min(run.first_step + run.count, step.first_step + step.count);
    if (end > first) tokens += (end - first) * run.tokens;
  }
  return tokens;
}

std::string step_number(const StepRecord& step) {
  return step.count > 1 ? fmt::format("{}..{}", step.first_step, step.first_step + step.count - 1)
                        : std::to_string(step.first_step);
}

void draw_steps(const State& state, Canvas& canvas) {
  const ServeView& view = *state.serve.view;
  const ServeRequest& request = *chosen_serve_request(state);
  const std::vector<size_t> steps = opened_steps(state);
  if (steps.empty()) {
    canvas.text(0, 0, "it was in no step; Esc goes back", Role::kDim);
    return;
  }
  TableView table;
  table.columns = fit_columns({{"step", 12},
                               {"begins", 10, true},
                               {"each", 10, true},
                               {"tokens", 6, true},
                               {"what happened", 24},
                               {"decodes", 7, true},
                               {"prefill", 7, true},
                               {"wait", 5, true}},
                              4, canvas.width());
  table.rows = static_cast<int>(steps.size());
  table.chosen = std::min(state.serve.steps.row, table.rows - 1);
  table.has_focus = state.pane().pane == kServeRequests;
  draw_table(canvas, table, [&](int row) {
    const StepRecord& step = view.record.steps[steps[static_cast<size_t>(row)]];
    const int64_t tokens = tokens_in(view.record.requests[request.place], step);
    return TableRow{{step_number(step), format_us(static_cast<double>(step.start_ns) * 1e-3),
                     format_us(step_ns(step) * 1e-3), format_count(tokens),
                     event_text(view, step, request.id), format_count(step.decodes),
                     format_count(step.prefill_tokens), format_count(step.waiting)}};
  });
}

}  // namespace

int first_request_row(const State& state, int height) {
  return first_row(state.serve.requests.row, static_cast<int>(state.serve.rows.size()), height - 1);
}

std::string requests_title(const State& state) {
  const ServeState& serve = state.serve;
  if (!serve.view) return "Requests";
  if (const ServeRequest* request = serve.opened ? chosen_serve_request(state) : nullptr) {
    return fmt::format("Request r{:04} {}: {} prompt, {} out; its steps", request->id,
                       name_of(request->phase), format_count(request->prompt),
                       format_count(request->output));
  }
  std::string title = fmt::format("Requests  {}  by {}{}", format_count(std::ssize(serve.rows)),
                                  kSortNames[static_cast<size_t>(serve.sort)],
                                  serve.is_reversed ? ", reversed" : "");
  if (!serve.filter.empty()) title += fmt::format("  filter \"{}\"", printable(serve.filter));
  return title;
}

std::string requests_legend(const State&, const Rect& inside) {
  return inside.width >= 90 ? ". waits  = prompt  - decodes  x preempted; times in ms" : "";
}

void draw_requests(const State& state, Canvas canvas) {
  if (!state.serve.view) {
    draw_wrapped(canvas, 0, 0, "each request: state, latencies, and when it waited and ran",
                 Role::kDim);
    return;
  }
  if (state.serve.opened && chosen_serve_request(state)) return draw_steps(state, canvas);
  draw_list(state, canvas);
}

}  // namespace tilewright
