#include <fmt/format.h>

#include <algorithm>

#include "app/tui/results/results_update.h"
#include "app/tui/results/results_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

Role role_of(ComparedRow::Verdict verdict) {
  switch (verdict) {
    case ComparedRow::Verdict::kBetter:
      return Role::kGood;
    case ComparedRow::Verdict::kWorse:
      return Role::kBad;
    case ComparedRow::Verdict::kEqual:
      return Role::kDim;
    case ComparedRow::Verdict::kOther:
      break;
  }
  return Role::kText;
}

/// Columns of the amounts, from the right end of the name.
constexpr int kAmount = 13;
constexpr int kChange = 10;
constexpr int kShare = 18;

int name_width(int width) {
  const int rest = width - 2 * kAmount - kChange;
  return rest - kShare >= 20 ? rest - kShare : std::max(8, rest);
}

void draw_row(const ComparedRow& row, Canvas& canvas, int y, Role name_role = Role::kText) {
  const int name = name_width(canvas.width());
  canvas.text(0, y, row.name, name_role, name - 1);
  canvas.text_right(name + kAmount - 1, y, row.a);
  canvas.text_right(name + 2 * kAmount - 1, y, row.b);
  canvas.text_right(name + 2 * kAmount + kChange - 1, y, row.change, role_of(row.verdict));
  const int x = name + 2 * kAmount + kChange + 1;
  if (x + kShare - 1 > canvas.width()) return;
  if (row.verdict == ComparedRow::Verdict::kWorse) {
    canvas.text(x, y, "worse", Role::kBad);
  } else if (row.share > 0) {
    canvas.bar(x, y, 8, row.share, Role::kGood);
    canvas.text_right(x + 8 + 8, y, format_share(row.share));
  }
}

std::string section_text(const ComparedSection& section) {
  std::string text = section.title;
  if (section.only_a > 0) text += fmt::format("  only in A: {}", section.only_a);
  if (section.only_b > 0) text += fmt::format("  only in B: {}", section.only_b);
  return text;
}

/// Draws the lines of the comparison from one on, below the heading.
class Lines {
 public:
  Lines(Canvas& canvas, int first) : canvas_(canvas), line_(-first) {}

  void text(std::string_view text, Role role) {
    if (is_seen()) canvas_.text(0, line_ + 1, text, role);
    ++line_;
  }
  void row(const ComparedRow& row, Role role = Role::kText) {
    if (is_seen()) draw_row(row, canvas_, line_ + 1, role);
    ++line_;
  }

 private:
  bool is_seen() const { return line_ >= 0 && line_ + 1 < canvas_.height(); }

  Canvas& canvas_;
  int line_;
};

void draw_nothing(const ResultsState& results, Canvas& canvas) {
  const auto mark = [](int64_t run) { return run == 0 ? "-" : fmt::format("run {}", run); };
  if (results.compare_job != 0) {
    draw_wrapped(canvas, 0, 0, "comparing; the runs of kernels are simulated again ...",
                 Role::kDim);
    return;
  }
  if (!results.compare_failure.empty()) {
    draw_wrapped(canvas, 0, 0,
                 fmt::format("A {}, B {} cannot be compared: {}", mark(results.mark_a),
                             mark(results.mark_b), results.compare_failure),
                 Role::kBad);
    return;
  }
  draw_wrapped(canvas, 0, 0,
               fmt::format("A {}, B {}: a marks the run of the result's row as the baseline, b the "
                           "one beside it; without such a row they ask for its number",
                           mark(results.mark_a), mark(results.mark_b)),
               Role::kDim);
}

}  // namespace

std::string comparison_title(const State& state) {
  const ResultsState& results = state.results;
  if (!results.compared) return "A/B";
  const ComparedRuns& compared = *results.compared;
  return fmt::format("A/B  run {} -> run {}", compared.a, compared.b);
}

void draw_comparison(const State& state, Canvas canvas) {
  const ResultsState& results = state.results;
  if (!results.compared || results.compare_job != 0) return draw_nothing(results, canvas);
  const ComparedRuns& compared = *results.compared;
  const ComparedRow head = {
      "",       fmt::format("A #{}", compared.a), fmt::format("B #{}", compared.b),
      "change", ComparedRow::Verdict::kOther,     0};
  draw_row(head, canvas, 0);
  canvas.restyle({0, 0, canvas.width(), 1}, Role::kHeading);
  Lines lines(canvas, results.compared_row);
  lines.row(compared.total, Role::kField);
  for (const std::string& each : compared.facts) lines.text(each, Role::kDim);
  for (const ComparedSection& section : compared.sections) {
    lines.text(section_text(section), Role::kHeading);
    for (const ComparedRow& row : section.rows) lines.row(row);
  }
}

}  // namespace tilewright
