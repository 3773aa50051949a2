// Latencies against their limits, and how they spread.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/tui/serve/serve_update.h"
#include "app/tui/serve/serve_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

const std::vector<Column>& table_columns() {
  static const std::vector<Column> kColumns = {
      {"ms", 4},        {"mean", 5, true}, {"p50", 5, true}, {"p90", 5, true},
      {"p99", 5, true}, {"SLO", 5, true},  {"ok", 6, true}};
  return kColumns;
}

void draw_rows(const ServeView& view, Canvas& canvas, int& y) {
  draw_table_head(canvas, y++, table_columns());
  for (const ServeLatency& latency : view.latencies) {
    const LatencySummary& summary = latency.summary;
    const bool has_any = summary.mean > 0;
    const auto cell = [&](double ms) { return has_any ? brief_ms(ms) : "-"; };
    const bool has_limit = latency.limit_ms.has_value();
    draw_table_row(canvas, y, table_columns(),
                   {latency.name, cell(summary.mean), cell(summary.median), cell(summary.p90),
                    cell(summary.p99), has_limit ? brief_ms(*latency.limit_ms) : "",
                    has_limit && has_any ? fmt::format("{:.1f}%", latency.kept * 100) : ""});
    if (has_limit && has_any) {
      // Nine in ten is what percentiles of SLOs are usually asked for.
      constexpr double kMostKeep = 0.9;
      canvas.restyle({35, y, 6, 1}, latency.kept >= 1           ? Role::kGood
                                    : latency.kept >= kMostKeep ? Role::kWarn
                                                                : Role::kBad);
    }
    ++y;
  }
}

int64_t count_of(const ServeView& view, RequestPhase phase) {
  return std::ranges::count(view.requests, phase, &ServeRequest::phase);
}

void draw_totals(const ServeView& view, Canvas& canvas, int& y) {
  const ServingMetrics& metrics = view.metrics;
  std::string goodput = fmt::format("{:.2f} req/s", metrics.request_throughput);
  if (metrics.request_goodput) {
    const double share =
        metrics.request_throughput > 0 ? *metrics.request_goodput / metrics.request_throughput : 0;
    goodput = fmt::format("{:.2f} req/s of {:.2f} ({})", *metrics.request_goodput,
                          metrics.request_throughput, format_share(share));
  }
  draw_fact(canvas, y++, metrics.request_goodput ? "goodput" : "requests", goodput);
  draw_fact(canvas, y++, "output",
            fmt::format("{} tok/s", format_count(std::llround(metrics.output_throughput))));
  std::string counts = fmt::format("{} done", format_count(metrics.completed));
  if (view.progress) {
    counts = fmt::format("{} of {} done, {} run, {} wait", view.progress->finished,
                         view.progress->requests, view.progress->running, view.progress->waiting);
  } else {
    for (const RequestPhase phase : {RequestPhase::kRejected, RequestPhase::kAborted}) {
      const int64_t count = count_of(view, phase);
      if (count > 0) counts += fmt::format(", {} {}", format_count(count), name_of(phase));
    }
  }
  if (view.preemptions > 0) counts += fmt::format(", {} preempted", view.preemptions);
  draw_fact(canvas, y++, "count", counts);
}

/// A histogram of `rows` rows; the bar of the limit stands out.
void draw_histogram(const ServeLatency& latency, Canvas& canvas, int y, int rows) {
  constexpr int kLabel = 5;
  const std::string end = latency.most_ms > 0 ? brief_ms(latency.most_ms) : "";
  canvas.text(0, y, latency.name, Role::kDim);
  const int cells = std::max(1, canvas.width() - kLabel - 7);
  const auto parts = static_cast<int64_t>(latency.histogram.size());
  std::vector<int64_t> counts;
  for (int cell = 0; cell < cells; ++cell) {
    const int64_t first = parts * cell / cells;
    const int64_t last = std::max(first + 1, parts * (cell + 1) / cells);
    int64_t sum = 0;
    for (int64_t i = first; i < last; ++i) sum += latency.histogram[static_cast<size_t>(i)];
    counts.push_back(sum);
  }
  const int64_t top = std::max<int64_t>(1, *std::ranges::max_element(counts));
  const int limit = latency.limit_ms && latency.most_ms > 0
                        ? static_cast<int>(*latency.limit_ms / latency.most_ms * cells)
                        : -1;
  for (int cell = 0; cell < cells; ++cell) {
    const int64_t count = counts[static_cast<size_t>(cell)];
    const double exact = static_cast<double>(count) / static_cast<double>(top) * 8 * rows;
    const int eighths = count > 0 ? std::max(1, static_cast<int>(std::lround(exact))) : 0;
    const bool is_late = limit >= 0 && cell >= limit;
    for (int row = 0; row < rows; ++row) {
      const int level = std::clamp(eighths - 8 * (rows - 1 - row), 0, 8);
      if (level > 0) {
        canvas.put(kLabel + cell, y + row, canvas.glyphs().level(level),
                   is_late ? Role::kBad : Role::kGood);
      } else if (cell == limit) {
        canvas.put(kLabel + cell, y + row, canvas.glyphs().vertical, Role::kWarn);
      }
    }
  }
  canvas.text_right(canvas.width(), y + rows - 1, end, Role::kDim);
}

void draw_histograms(const State& state, Canvas& canvas, int y) {
  const std::vector<ServeLatency>& latencies = state.serve.view->latencies;
  const int rows = canvas.height() - y;
  const int chosen = state.serve.histogram;
  if (chosen >= 0) {
    if (rows > 0) draw_histogram(latencies[static_cast<size_t>(chosen)], canvas, y, rows);
    return;
  }
  const int count = std::min(rows, static_cast<int>(latencies.size()));
  for (int i = 0; i < count; ++i) {
    const int height = rows / count;
    draw_histogram(latencies[static_cast<size_t>(i)], canvas, y + i * height, height);
  }
}

}  // namespace

std::string brief_ms(double ms) {
  if (ms < 0) return "-";
  if (ms < 9.995) return fmt::format("{:.2f}", ms);
  if (ms < 99.95) return fmt::format("{:.1f}", ms);
  if (ms < 9999.5) return fmt::format("{:.0f}", ms);
  if (ms < 99950) return fmt::format("{:.1f}k", ms / 1e3);
  if (ms < 9.9995e6) return fmt::format("{:.0f}k", ms / 1e3);
  return fmt::format("{:.0e}", ms);
}

std::string latency_title(const State& state) {
  const auto& view = state.serve.view;
  if (!view || !view->progress) return "Latency";
  return view->is_partial ? "Latency, of the last requests" : "Latency so far";
}

void draw_latency(const State& state, Canvas canvas) {
  const auto& view = state.serve.view;
  if (!view) {
    draw_wrapped(canvas, 0, 0, "TTFT, TPOT, ITL and E2E against their limits (the form's slo)",
                 Role::kDim);
    return;
  }
  constexpr int kTable = 43;
  constexpr int kBeside = 76;
  int y = 0;
  if (canvas.width() >= kBeside) {
    Canvas left = canvas.part({0, 0, kTable, canvas.height()});
    draw_rows(*view, left, y);
    Canvas right = canvas.part({kTable + 2, 0, canvas.width() - kTable - 2, canvas.height()});
    y = 0;
    draw_totals(*view, right, y);
    return draw_histograms(state, right, y);
  }
  draw_rows(*view, canvas, y);
  if (canvas.height() >= 9) ++y;
  draw_totals(*view, canvas, y);
  if (canvas.height() > y + 1) draw_histograms(state, canvas, y + 1);
}

}  // namespace tilewright
