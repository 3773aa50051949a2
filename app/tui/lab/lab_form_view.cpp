// The form of the Lab: its fields, what fits, and the short form of both above other panes.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/lab/lab_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Of the names of the fields, at least.
constexpr int kLabelColumns = 12;
/// A form that is at least so wide stands beside what fits, else above it.
constexpr int kSideBySide = 66;
constexpr int kFieldColumns = 36;
/// A canvas of fewer rows holds the short form.
constexpr int kShortRows = 6;

std::string bytes_text(int64_t bytes) {
  return format_bytes(static_cast<double>(bytes));
}

double use_fraction(const ResourceUse& use) {
  return use.capacity > 0 ? static_cast<double>(use.needed) / static_cast<double>(use.capacity) : 1;
}

/// What the form means, or would with the number that is being typed.
const LabCheck& shown_check(const LabState& lab) {
  return lab.preview ? *lab.preview : lab.check;
}

bool has_cursor(const State& state, int index) {
  return state.pane().pane == static_cast<int>(LabPane::kForm) && index == state.lab.field;
}

/// First field that is drawn when not all have a row.
int first_field(const LabState& lab, int rows) {
  const int count = static_cast<int>(lab.fields.size());
  return std::clamp(lab.field - rows / 2, 0, std::max(0, count - rows));
}

/// Where the values stand: behind the longest name, room for the cursor between.
int value_column(const LabState& lab) {
  int column = kLabelColumns;
  for (const LabField& field : lab.fields) column = std::max(column, columns_of(field.name) + 2);
  return column;
}

/// How many fields are out of sight when `rows` of them are drawn: "+3 above +2 below".
std::string hidden_text(const LabState& lab, int rows) {
  const int above = first_field(lab, rows);
  const int below = static_cast<int>(lab.fields.size()) - above - rows;
  std::string text = above > 0 ? fmt::format("+{} above", above) : "";
  if (below > 0) text += fmt::format("{}+{} below", text.empty() ? "" : " ", below);
  return text;
}

bool is_listed(const LabField& field) {
  return !field.is_number() || field.kind == LabField::Kind::kSize ||
         std::ranges::find(field.choices, field.value) != field.choices.end();
}

void draw_field(const State& state, Canvas& canvas, int y, int index) {
  const LabField& field = state.lab.fields[static_cast<size_t>(index)];
  const int column = value_column(state.lab);
  canvas.text(0, y, field.name, Role::kDim, column - 1);
  const std::string_view mark = field.is_chosen ? "*" : "";
  if (!has_cursor(state, index)) {
    int x = canvas.text(column, y, field.value, is_listed(field) ? Role::kField : Role::kBad);
    x = canvas.text(x, y, mark, Role::kDim);
    if (!is_listed(field)) canvas.put(x + 1, y, U'!', Role::kBad);
    return;
  }
  const std::string value = state.lab.typing ? *state.lab.typing + "_" : field.value;
  int x = canvas.text(column - 2, y, "< ", Role::kKey);
  x = canvas.text(x, y, value, Role::kCursor, canvas.width() - x - 2);
  x = canvas.text(x, y, mark, Role::kDim);
  x = canvas.text(x, y, " >", Role::kKey);
  if (!is_listed(field)) canvas.text(x, y, " !", Role::kBad);
  // What the field means, where there is room behind its value.
  if (columns_of(field.meaning) <= canvas.width() - x - 2) {
    canvas.text(x + 2, y, field.meaning, Role::kDim);
  }
}

void draw_fields(const State& state, Canvas canvas) {
  const int first = first_field(state.lab, canvas.height());
  const int count = static_cast<int>(state.lab.fields.size());
  for (int row = 0; row < canvas.height() && first + row < count; ++row) {
    draw_field(state, canvas, row, first + row);
  }
}

/// Between the fields and what fits: what the chosen field means, and how many have no row.
void draw_below_fields(const State& state, Canvas& canvas, int y) {
  const LabState& lab = state.lab;
  const std::string more = hidden_text(lab, y);
  canvas.text_right(canvas.width(), y, more, Role::kDim);
  if (state.pane().pane != static_cast<int>(LabPane::kForm)) return;
  const LabField& field = lab.fields[static_cast<size_t>(lab.field)];
  canvas.text(0, y, field.meaning, Role::kDim,
              canvas.width() - (more.empty() ? 0 : columns_of(more) + 1));
}

void draw_use(Canvas& canvas, int y, const ResourceUse& use) {
  constexpr int kBar = 5;
  constexpr int kNumbers = 20;  // "133.9 KiB / 192 KiB"
  const Role role = use.fits() ? Role::kGood : Role::kBad;
  canvas.text(0, y, use.name, Role::kText, kBar - 1);
  const int columns = std::max(4, canvas.width() - kBar - kNumbers - 2);
  canvas.bar(kBar, y, columns, std::min(1.0, use_fraction(use)), role);
  canvas.text_right(canvas.width() - 2, y,
                    fmt::format("{} / {}", bytes_text(use.needed), bytes_text(use.capacity)), role);
  if (!use.fits()) canvas.put(canvas.width() - 1, y, U'!', Role::kBad);
}

std::string tasks_text(const LabCheck& check) {
  if (check.tasks == 0) return "counted when it runs";
  return fmt::format("{} on {} of {} cores", format_count(check.tasks), check.cores,
                     check.available_cores);
}

std::string waves_text(const LabCheck& check) {
  return fmt::format("{:.1f}, last on {} of {}",
                     static_cast<double>(check.tasks) / static_cast<double>(check.cores),
                     check.full_cores, check.available_cores);
}

void draw_violation(const LabCheck& check, Canvas& canvas, int y) {
  // The name of the rule, unless the message says it.
  const bool is_named = check.wrong.find(check.broken) != std::string::npos;
  const std::string name = is_named ? "" : check.broken + ": ";
  draw_wrapped(canvas, 0, y, fmt::format("! {}{}", name, check.wrong), Role::kBad);
}

/// What a check of the numbers and a search for hazards found in the run that is shown, while the
/// form still says its problem.
void draw_findings(const State& state, Canvas& canvas, int y) {
  const LabRun* run = state.lab.shown_run();
  if (!run || run->outcome->request.problem != state.lab.check.problem) return;
  if (const auto& check = run->outcome->check) {
    draw_fact(canvas, y++, "check",
              check->ok ? fmt::format("right, max error {:.3g}", check->max_abs_err)
                        : "WRONG " + check->first_failure,
              check->ok ? Role::kGood : Role::kBad);
  }
  if (const auto& hazards = run->outcome->hazards) {
    draw_fact(canvas, y, "hazards", hazards->empty() ? "none" : hazards->front().message,
              hazards->empty() ? Role::kGood : Role::kBad);
  }
}

/// What fits and how the work spreads.
void draw_fit(const State& state, Canvas canvas) {
  const LabCheck& check = shown_check(state.lab);
  int y = 0;
  if (!check.uses.empty()) {
    canvas.text(0, y, state.lab.preview ? "would fit?" : "fits?", Role::kHeading);
    canvas.text_right(canvas.width() - 2, y++, "use / capacity", Role::kDim);
    for (const ResourceUse& use : check.uses) draw_use(canvas, y++, use);
  }
  if (!check.can_run()) return draw_violation(check, canvas, y);
  draw_fact(canvas, y++, "tasks", tasks_text(check), Role::kText);
  if (check.tasks > 0) draw_fact(canvas, y++, "waves", waves_text(check), Role::kText);
  draw_findings(state, canvas, y);
}

/// Rows that draw_fit takes in the narrow form, of which `findings` are for what a check of the
/// numbers and a search for hazards found.
int rows_of_fit(const LabCheck& check, int findings) {
  const int uses = check.uses.empty() ? 0 : static_cast<int>(check.uses.size()) + 1;
  return uses + (check.can_run() ? 2 + findings : 5);
}

int rows_of_findings(const LabState& lab) {
  const LabRun* run = lab.shown_run();
  if (!run) return 0;
  return (run->outcome->check ? 1 : 0) + (run->outcome->hazards ? 1 : 0);
}

/// How the rows of a form without a side are shared.
int rows_of_fields(const LabState& lab, int height) {
  const int count = static_cast<int>(lab.fields.size());
  return std::min(count, std::max(std::min(5, height),
                                  height - rows_of_fit(lab.check, rows_of_findings(lab)) - 1));
}

/// Rows of fields beside what fits; where not all have one the row below says so.
int rows_beside(const LabState& lab, int height) {
  const int count = static_cast<int>(lab.fields.size());
  return count <= height ? height : height - 1;
}

/// "L0C 128/128" in KiB.
std::string short_use(const ResourceUse& use) {
  const auto kib = [](int64_t bytes) {
    return fmt::format("{:.4g}", static_cast<double>(bytes) / 1024);
  };
  return fmt::format("{} {}/{}{}", use.name, kib(use.needed), kib(use.capacity),
                     use.fits() ? "" : " !");
}

std::string result_line(const State& state, int columns) {
  const LabState& lab = state.lab;
  const LabRun* run = lab.shown_run();
  if (!run) return "Enter runs it";
  const KernelOutcome& outcome = *run->outcome;
  constexpr int kColumnsForAll = 74;
  std::string line = run->name() + "  ";
  line += columns >= kColumnsForAll
              ? result_text(outcome)
              : fmt::format("{}, {} of {}", format_us(outcome.time_us),
                            format_share(peak_share(outcome)), peak_name(outcome));
  const LabRun* pinned = lab.pinned_run();
  if (pinned && pinned != run && are_comparable(*pinned->outcome, outcome)) {
    line += fmt::format("  pin {}: {}", pinned->short_name(),
                        change_percent(pinned->outcome->time_us, outcome.time_us));
  }
  return line;
}

void draw_short_uses(const LabCheck& check, Canvas& canvas, int y) {
  int x = 0;
  for (const ResourceUse& use : check.uses) {
    x = canvas.text(x, y, short_use(use), use.fits() ? Role::kText : Role::kBad) + 2;
  }
  canvas.text(x - 1, y, "KiB", Role::kDim);
}

/// Config, what fits, the result: three to five rows above another pane.
void draw_short_form(const State& state, Canvas canvas) {
  const LabCheck& check = state.lab.check;
  int y = 0;
  if (check.has_problem) {
    canvas.text(0, y++, named_config(state.lab.form.config), Role::kField);
  }
  if (!check.uses.empty()) draw_short_uses(check, canvas, y++);
  if (!check.can_run()) return draw_violation(check, canvas, y);
  canvas.text(0, y++, result_line(state, canvas.width()),
              state.lab.shown_run() ? Role::kText : Role::kDim);
  const std::string waves = check.tasks > 0 ? "   waves " + waves_text(check) : "";
  canvas.text(0, y, fmt::format("tasks {}{}", tasks_text(check), waves), Role::kDim);
}

}  // namespace

int rows_of_form(const LabState& lab) {
  return static_cast<int>(lab.fields.size()) + 1 + rows_of_fit(lab.check, kMostFindings);
}

int field_at(const State& state, int row, int width, int height) {
  const LabState& lab = state.lab;
  if (lab.fields.empty() || height < kShortRows) return -1;
  const int rows = width >= kSideBySide ? rows_beside(lab, height) : rows_of_fields(lab, height);
  const int index = first_field(lab, rows) + row;
  return row < 0 || row >= rows || index >= static_cast<int>(lab.fields.size()) ? -1 : index;
}

namespace {

/// The choices of a field; of many those around its value, which leaves room for what fits.
std::string choices_text(const LabField& field) {
  constexpr std::ptrdiff_t kAround = 4;
  const auto count = std::ssize(field.choices);
  if (count <= 3 * kAround) return join(field.choices, " ");
  const auto value = std::ranges::find(field.choices, field.value);
  const std::ptrdiff_t at = value == field.choices.end() ? 0 : value - field.choices.begin();
  const std::ptrdiff_t first = std::clamp<std::ptrdiff_t>(at - kAround, 0, count - 2 * kAround - 1);
  const std::ptrdiff_t last = first + 2 * kAround + 1;
  const std::vector<std::string> near(field.choices.begin() + first, field.choices.begin() + last);
  return fmt::format("{}{}{} ({} in all)", first > 0 ? "... " : "", join(near, " "),
                     last < count ? " ..." : "", count);
}

}  // namespace

void draw_lab_form(const State& state, Canvas canvas) {
  const LabState& lab = state.lab;
  if (lab.fields.empty()) return;
  if (canvas.height() < kShortRows) return draw_short_form(state, canvas);
  const Rect area = canvas.area();
  if (area.width >= kSideBySide) {
    const int rows = rows_beside(lab, area.height);
    draw_fields(state, canvas.part({0, 0, kFieldColumns, rows}));
    canvas.text(0, rows, hidden_text(lab, rows), Role::kDim);
    const int left = kFieldColumns + 2;
    Canvas right = canvas.part({left, 0, area.width - left, area.height});
    const LabField& field = lab.fields[static_cast<size_t>(lab.field)];
    int y = draw_wrapped(right, 0, 0, fmt::format("{}: {}", field.name, field.meaning), Role::kDim);
    y = draw_wrapped(right, 0, y, choices_text(field), Role::kDim) + 1;
    draw_fit(state, right.part({0, y, right.width(), area.height - y}));
    return;
  }
  const int rows = rows_of_fields(lab, area.height);
  draw_fields(state, canvas.part({0, 0, area.width, rows}));
  draw_below_fields(state, canvas, rows);
  draw_fit(state, canvas.part({0, rows + 1, area.width, area.height - rows - 1}));
}

bool draw_without_result(const State& state, Canvas& canvas) {
  if (state.lab.shown_run()) return false;
  const bool is_running = state.lab.job != 0;
  draw_wrapped(canvas, 0, 0,
               is_running ? "simulating ..." : "nothing was run yet: Enter runs what the form says",
               Role::kDim);
  return true;
}

}  // namespace tilewright
