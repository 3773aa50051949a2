// Convergence: every try, the best so far, and what limits or random draws would make of it.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/tui/tune/tune_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

constexpr int kLabels = 10;
constexpr int kDotColumns = 2;
constexpr int kDotRows = 4;

/// Where tries and times fall on the cells of a plot.
class ProgressPlot {
 public:
  ProgressPlot(int width, int height, int64_t last, double low, double high, bool is_linear)
      : width_(width),
        height_(height),
        last_(std::max<int64_t>(2, last)),
        low_(low),
        high_(high),
        is_linear_(is_linear) {}

  double y_of(double time_us) const {
    const double share = is_linear_ ? (time_us - low_) / (high_ - low_)
                                    : std::log(time_us / low_) / std::log(high_ / low_);
    return std::clamp(1 - share, 0.0, 1.0);
  }
  double time_at(double y) const {
    return is_linear_ ? low_ + (1 - y) * (high_ - low_) : low_ * std::pow(high_ / low_, 1 - y);
  }
  double x_of(int64_t number) const {
    return static_cast<double>(number - 1) / static_cast<double>(last_ - 1);
  }
  int column_of(int64_t number, int parts = 1) const {
    const int count = width_ * parts;
    return std::clamp(static_cast<int>(x_of(number) * (count - 1) + 0.5), 0, count - 1);
  }
  int row_of(double time_us, int parts = 1) const {
    const int count = height_ * parts;
    return std::clamp(static_cast<int>(y_of(time_us) * (count - 1) + 0.5), 0, count - 1);
  }
  /// The last try of a column.
  int64_t number_at(int column) const {
    return 1 +
           static_cast<int64_t>(static_cast<double>(last_ - 1) * column / std::max(1, width_ - 1));
  }
  int width() const { return width_; }
  int height() const { return height_; }
  int64_t last() const { return last_; }

 private:
  int width_;
  int height_;
  int64_t last_;
  double low_;
  double high_;
  bool is_linear_;
};

/// The span of the times that are shown, with the bound where it is near enough to be of use.
std::pair<double, double> span_of(const TuneProblemView& problem) {
  double low = problem.best_us;
  double high = problem.best_us;
  for (size_t row = 0; row < problem.trials.size(); ++row) {
    const double time_us = problem.trials.trial(row).time_us;
    if (time_us > 0) high = std::max(high, time_us);
  }
  constexpr double kFar = 3;
  if (problem.bound_us > 0 && problem.bound_us * kFar > low) low = std::min(low, problem.bound_us);
  constexpr double kLeastSpan = 1.02;
  return {low * 0.98, std::max(high, low * kLeastSpan) * 1.02};
}

void draw_scale(Canvas& canvas, const ProgressPlot& plot) {
  canvas.fill({kLabels - 1, 0, 1, plot.height()}, canvas.glyphs().vertical, Role::kDim);
  const int step = plot.height() >= 9 ? 2 : 1;
  for (int row = 0; row < plot.height(); row += step) {
    const double y = static_cast<double>(row) / std::max(1, plot.height() - 1);
    canvas.text_right(kLabels - 1, row, format_us(plot.time_at(y)), Role::kDim);
  }
  canvas.fill({kLabels - 1, plot.height(), canvas.width() - kLabels + 1, 1},
              canvas.glyphs().horizontal, Role::kDim);
  const std::string last = format_count(plot.last());
  canvas.text(kLabels, plot.height() + 1, "1", Role::kDim);
  canvas.text_right(canvas.width(), plot.height() + 1, last + " tries", Role::kDim);
  const std::string middle = format_count((plot.last() + 1) / 2);
  canvas.text(kLabels + plot.width() / 2, plot.height() + 1, middle, Role::kDim);
}

void draw_trials(const TuneProblemView& problem, const ProgressPlot& plot, Canvas& area) {
  std::vector<unsigned> dots(static_cast<size_t>(plot.width() * plot.height()));
  std::vector<bool> exact(dots.size());
  for (size_t i = 0; i < problem.trials.size(); ++i) {
    const SeenTrial& trial = problem.trials.trial(i);
    if (trial.time_us <= 0) continue;
    const int x = plot.column_of(trial.number, kDotColumns);
    const int y = plot.row_of(trial.time_us, kDotRows);
    const auto cell = static_cast<size_t>(y / kDotRows * plot.width() + x / kDotColumns);
    dots[cell] |= 1U << (x % kDotColumns * kDotRows + y % kDotRows);
    if (trial.is_exact()) exact[cell] = true;
  }
  for (int y = 0; y < plot.height(); ++y) {
    for (int x = 0; x < plot.width(); ++x) {
      const auto cell = static_cast<size_t>(y * plot.width() + x);
      if (dots[cell] == 0) continue;
      // Where there are no dots the best so far is told apart by its sign.
      const bool is_ascii = area.glyphs().set == GlyphSet::kAscii;
      area.put(x, y, is_ascii ? U'.' : area.glyphs().dots(dots[cell]),
               exact[cell] ? Role::kText : Role::kDim);
    }
  }
}

/// The best so far, column by column.
void draw_best(const TuneProblemView& problem, const ProgressPlot& plot, Canvas& area) {
  std::vector<double> best(static_cast<size_t>(plot.width()), 0);
  double so_far = 0;
  int column = 0;
  for (size_t i = 0; i < problem.trials.size(); ++i) {
    const SeenTrial& trial = problem.trials.trial(i);
    const int at = plot.column_of(trial.number);
    for (; column < at; ++column) best[static_cast<size_t>(column)] = so_far;
    if (trial.is_exact() && (so_far == 0 || trial.time_us < so_far)) so_far = trial.time_us;
    best[static_cast<size_t>(at)] = so_far;
    column = at;
  }
  for (int x = 0; x < plot.width(); ++x) {
    const double time_us = best[static_cast<size_t>(x)];
    if (time_us > 0) area.put(x, plot.row_of(time_us), U'o', Role::kGood);
  }
}

void draw_limits(const TuneProblemView& problem, const ProgressPlot& plot, Canvas& area) {
  if (problem.bound_us > 0 && problem.bound_us <= plot.time_at(0) &&
      problem.bound_us >= plot.time_at(1)) {
    const int row = plot.row_of(problem.bound_us);
    for (int x = 0; x < plot.width(); x += 2) {
      area.put(x, row, area.glyphs().horizontal, Role::kShared);
    }
    area.text_right(plot.width(), row, fmt::format(" bound {}", format_us(problem.bound_us)),
                    Role::kShared);
  }
  if (!problem.random) return;
  for (int x = 0; x < plot.width(); ++x) {
    const double expected = problem.random->expected_best(std::max<int64_t>(1, plot.number_at(x)));
    area.put(x, plot.row_of(expected), U'~', Role::kWarn);
  }
}

/// The end of the axis: the plan, unless that would leave next to nothing for what there is.
int64_t last_of(const TuneProblemView& problem) {
  if (problem.has_ended) return problem.tried;
  constexpr int64_t kSmallPart = 10;
  if (problem.planned > 0 && problem.planned <= kSmallPart * problem.tried) {
    return std::max(problem.planned, problem.tried);
  }
  int64_t last = 50;
  while (last < problem.tried) last *= 2;
  return last;
}

}  // namespace

std::string tune_progress_title(const State& state) {
  return fmt::format("Convergence  {} times", state.tune.is_linear ? "linear" : "log");
}

std::string tune_progress_legend(const State& state, const Rect& inside) {
  const TuneProblemView* problem = state.tune.shown();
  if (!problem) return "";
  std::string text = "o best  . try";
  if (problem->screened > 0) text += "  dim: cut early";
  if (problem->random && inside.width >= 60) text += "  ~ random draws, expected";
  return text;
}

void draw_tune_progress(const State& state, Canvas canvas) {
  if (draw_without_session(state, canvas)) return;
  const TuneProblemView& problem = *state.tune.shown();
  if (problem.best_us <= 0) {
    canvas.text(0, 0, "nothing worked yet", Role::kDim);
    return;
  }
  const auto [low, high] = span_of(problem);
  const int64_t last = last_of(problem);
  const ProgressPlot plot(canvas.width() - kLabels, canvas.height() - 2, last, low, high,
                          state.tune.is_linear);
  if (plot.width() < 10 || plot.height() < 3) return;
  draw_scale(canvas, plot);
  Canvas area = canvas.part({kLabels, 0, plot.width(), plot.height()});
  draw_trials(problem, plot, area);
  draw_limits(problem, plot, area);
  draw_best(problem, plot, area);
}

}  // namespace tilewright
