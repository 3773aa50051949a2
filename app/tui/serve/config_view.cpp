// What a new run is made of, and how the shown one compares with the baseline.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/tui/serve/serve_command.h"
#include "app/tui/serve/serve_update.h"
#include "app/tui/serve/serve_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

bool is_compared(const State& state) {
  const ServeState& serve = state.serve;
  return serve.view && serve.baseline && serve.view->identity.run != serve.baseline->identity.run;
}

void draw_form(const State& state, Canvas& canvas) {
  draw_fields(canvas, state.serve.form.fields, state.serve.field,
              state.pane().pane == kServeConfig);
}

std::string measure_text(const ServeMeasure& measure) {
  if (measure.unit == ServeMeasure::Unit::kMs) return brief_ms(measure.value);
  if (measure.unit == ServeMeasure::Unit::kCount) {
    return format_count(std::llround(measure.value));
  }
  return measure.value < 99.95 ? fmt::format("{:.2f}", measure.value)
                               : format_count(std::llround(measure.value));
}

std::string differing(const std::vector<std::pair<std::string, std::string>>& parts) {
  std::vector<std::string> texts;
  for (const auto& [name, value] : parts) {
    texts.push_back(fmt::format("{} {}", name, value.empty() ? "-" : value));
  }
  return join(texts, ", ");
}

/// "baseline: limit 8; this run: limit 60"; empty for runs that were asked for alike.
std::string difference_of(const ServeIdentity& base, const ServeIdentity& now) {
  std::vector<std::pair<std::string, std::string>> before;
  std::vector<std::pair<std::string, std::string>> after;
  const auto compare = [&](std::string_view name, const std::string& a, const std::string& b) {
    if (a == b) return;
    before.emplace_back(name, a);
    after.emplace_back(name, b);
  };
  const ServeForm a = form_of(words_of_command(base.command));
  const ServeForm b = form_of(words_of_command(now.command));
  for (const FormField& field : b.fields) {
    compare(field.name == "more" ? "options" : field.name, a.value(field.name), field.value);
  }
  compare("machine", base.machine, now.machine);
  if (base.machine == now.machine) compare("parameters", base.fingerprint, now.fingerprint);
  if (before.empty()) return "";
  return fmt::format("baseline: {}; this run: {}", differing(before), differing(after));
}

void draw_comparison(const State& state, Canvas& whole) {
  const std::string difference =
      difference_of(state.serve.baseline->identity, state.serve.view->identity);
  const int top = difference.empty() ? 0 : draw_wrapped(whole, 0, 0, difference, Role::kWarn);
  Canvas canvas = whole.part({0, top, whole.width(), std::max(0, whole.height() - top)});
  const std::vector<ServeMeasure> now = measures_of(*state.serve.view);
  const std::vector<ServeMeasure> base = measures_of(*state.serve.baseline);
  const std::vector<Column> columns = fit_columns(
      {{"ms or as named", 14}, {"now", 7, true}, {"base", 7, true}, {"change", 8, true}}, 0,
      canvas.width());
  draw_table_head(canvas, 0, columns);
  int y = 1;
  for (const ServeMeasure& measure : now) {
    const auto other = std::ranges::find(base, measure.name, &ServeMeasure::name);
    if (other == base.end() || y >= canvas.height()) continue;
    const bool has_change = other->value > 0;
    const double change = has_change ? measure.value / other->value - 1 : 0;
    const bool is_better = measure.more_is_better ? change > 0 : change < 0;
    // Less than half of the last digit shown is no difference.
    const bool is_same = std::abs(change) < 5e-4;
    draw_table_row(canvas, y, columns,
                   {std::string(measure.name), measure_text(measure), measure_text(*other),
                    has_change ? fmt::format("{:+.1f} %", change * 100) : ""});
    if (has_change && !is_same) {
      canvas.restyle({canvas.width() - 8, y, 8, 1}, is_better ? Role::kGood : Role::kBad);
    }
    ++y;
  }
}

/// What the engine was told, of the shown run.
void draw_knobs(const State& state, Canvas& canvas, int y) {
  if (!state.serve.view) return;
  const ServeIdentity& identity = state.serve.view->identity;
  const auto fact = [&](std::string_view name, const std::string& value) {
    if (y >= canvas.height()) return;
    const int x = canvas.text(0, y, name, Role::kDim, canvas.width() / 2);
    canvas.text(std::max(x + 1, std::min(32, canvas.width() / 2)), y++, value);
  };
  fact("machine", fmt::format("{} {}", identity.machine, identity.fingerprint));
  fact("kv_blocks", format_count(identity.kv_blocks));
  for (const auto& [name, value] : identity.knobs) fact(name, value);
}

std::string failure_text(const State& state) {
  const std::string& failure = state.serve.failure;
  return failure.empty() ? "" : "failed: " + failure;
}

}  // namespace

int serve_failure_rows(const State& state, int width) {
  const std::string text = failure_text(state);
  return text.empty() ? 0 : static_cast<int>(wrapped(text, width).size()) + 1;
}

std::string serve_config_title(const State& state) {
  if (!state.serve.failure.empty()) return "Run  failed; r starts it again";
  if (is_compared(state) && state.pane().pane != kServeConfig) {
    return fmt::format("Run {} against baseline {}", state.serve.view->identity.run,
                       state.serve.baseline->identity.run);
  }
  if (state.serve.baseline) {
    return fmt::format("Run  (baseline {})", state.serve.baseline->identity.run);
  }
  return "Run  (what r starts)";
}

void draw_serve_config(const State& state, Canvas whole) {
  const int above = serve_failure_rows(state, whole.width());
  if (above > 0) draw_wrapped(whole, 0, 0, failure_text(state), Role::kBad);
  Canvas canvas = whole.part({0, above, whole.width(), std::max(0, whole.height() - above)});
  const bool has_focus = state.pane().pane == kServeConfig;
  const int form = static_cast<int>(state.serve.form.fields.size());
  const int width = canvas.width();
  const int height = canvas.height();
  // Room for both, side by side or one below the other.
  constexpr int kSideBySide = 84;
  if (is_compared(state) && !has_focus) return draw_comparison(state, canvas);
  if (is_compared(state) && width >= kSideBySide) {
    Canvas left = canvas.part({0, 0, width / 2 - 2, height});
    draw_form(state, left);
    Canvas right = canvas.part({width / 2, 0, width - width / 2, height});
    draw_comparison(state, right);
    draw_knobs(state, left, form + 1);
    return;
  }
  Canvas top = canvas.part({0, 0, width, std::min(form, height)});
  draw_form(state, top);
  int y = form + 1;
  if (is_compared(state) && height >= y + 4) {
    Canvas below = canvas.part({0, y, width, std::min(11, height - y)});
    draw_comparison(state, below);
    y += 12;
  }
  draw_knobs(state, canvas, y);
}

}  // namespace tilewright
