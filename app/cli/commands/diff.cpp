// `tilewright diff`: what changed between two runs.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/run_report.h"
#include "app/cli/timing_report.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kRowsShown = 12;

/// A row of both runs, or of one alone.
struct DiffRow {
  std::string name;
  bool in_a = false;
  bool in_b = false;
  double a = 0;
  double b = 0;
  double change() const { return b - a; }
};

/// Something that identifies the runs and is not the same in both.
struct Difference {
  std::string what;
  std::string a;
  std::string b;
};

/// Rows with equal names are the same thing; largest change first.
std::vector<DiffRow> compare(const ReportSection& a, const ReportSection& b) {
  std::vector<DiffRow> rows;
  for (const ReportRow& row : a.rows) rows.push_back({row.name, true, false, row.value, 0});
  for (const ReportRow& row : b.rows) {
    auto found = std::ranges::find(rows, row.name, &DiffRow::name);
    if (found == rows.end()) found = rows.insert(rows.end(), {row.name, false, false, 0, 0});
    found->in_b = true;
    found->b = row.value;
  }
  std::ranges::stable_sort(rows, std::greater(),
                           [](const DiffRow& row) { return std::abs(row.change()); });
  return rows;
}

std::vector<Difference> differences(const RunReport& a, const RunReport& b) {
  std::vector<Difference> list;
  const auto add = [&](const char* what, const std::string& x, const std::string& y) {
    if (x != y) list.push_back({what, x, y});
  };
  if (a.kernel && b.kernel) {
    add("problem", a.kernel->problem.text(), b.kernel->problem.text());
    add("config", a.kernel->config.text(), b.kernel->config.text());
  } else {
    add("label", a.run.label, b.run.label);
  }
  const auto machine = [](const Run& run) {
    return fmt::format("{} ({})", run.machine_name, run.machine_fingerprint);
  };
  if (a.run.machine_fingerprint != b.run.machine_fingerprint) {
    add("machine", machine(a.run), machine(b.run));
  }
  return list;
}

const char* status_of(const DiffRow& row) {
  return row.in_a && row.in_b ? "both" : row.in_b ? "appeared" : "disappeared";
}

Json json_of(const std::vector<DiffRow>& rows) {
  Json list = Json::array();
  for (const DiffRow& row : rows) {
    list.push_back({{"name", row.name},
                    {"a", row.in_a ? Json(row.a) : Json(nullptr)},
                    {"b", row.in_b ? Json(row.b) : Json(nullptr)},
                    {"change", row.change()},
                    {"status", status_of(row)}});
  }
  return list;
}

Json json_of(const RunReport& a, const RunReport& b) {
  Json json = output_object();
  json["a"] = identity_json(a.run);
  json["b"] = identity_json(b.run);
  json["unit"] = a.unit;
  json["total"] = {{"a", a.total}, {"b", b.total}, {"change", b.total - a.total}};
  Json& different = json["different"] = Json::array();
  for (const Difference& each : differences(a, b)) {
    different.push_back({{"what", each.what}, {"a", each.a}, {"b", each.b}});
  }
  if (a.kernel && b.kernel) {
    json["roofline"] = {{"a", json_of(a.kernel->roofline)}, {"b", json_of(b.kernel->roofline)}};
  }
  for (size_t i = 0; i < a.sections.size(); ++i) {
    json[a.sections[i].key] = json_of(compare(a.sections[i], b.sections[i]));
  }
  return json;
}

std::string shown(const std::string& unit, double value) {
  if (unit == "us") return value < 0 ? "-" + format_us(-value) : format_us(value);
  if (unit == "cycles") return format_count(std::llround(value));
  return fmt::format("{:.5g}", value);
}

std::string line_of(const std::string& unit, const DiffRow& row) {
  const std::string change = shown(unit, row.change());
  const std::string relative = !row.in_a   ? "new"
                               : !row.in_b ? "gone"
                               : row.a > 0 ? fmt::format("{:+.1f} %", 100 * (row.b / row.a - 1))
                                           : "";
  // A long name has a line of its own.
  constexpr size_t kShortName = 32;
  const bool is_long = row.name.size() > kShortName;
  const std::string name = is_long ? "" : printable(row.name, kShortName);
  const std::string above = is_long ? fmt::format("  {}\n", printable(row.name, 74)) : "";
  return fmt::format("{}  {:<33}{:>11}{:>11}{:>12}{:>10}\n", above, name,
                     row.in_a ? shown(unit, row.a) : "-", row.in_b ? shown(unit, row.b) : "-",
                     (row.change() > 0 ? "+" : "") + change, relative);
}

/// Whether a row is worth a line: what rounds to nothing is not.
bool is_change(const std::string& unit, const DiffRow& row) {
  return row.in_a != row.in_b || std::abs(row.change()) >= (unit == "cycles" ? 0.5 : 1e-9);
}

std::string text_of(Context& context, const ReportSection& section,
                    const std::vector<DiffRow>& rows) {
  std::string text =
      context.heading(section.title + (section.unit == "cycles" ? ", in cycles" : "")) + "\n";
  std::vector<DiffRow> changed;
  for (const DiffRow& row : rows) {
    if (is_change(section.unit, row)) changed.push_back(row);
  }
  const size_t shown_rows = std::min(kRowsShown, changed.size());
  for (const DiffRow& row : std::span(changed).first(shown_rows)) {
    text += line_of(section.unit, row);
  }
  if (changed.size() > shown_rows) {
    text += fmt::format("  ... and {} more, see --json\n", changed.size() - shown_rows);
  }
  if (const size_t same = rows.size() - changed.size(); same > 0) {
    text += fmt::format("  {} unchanged\n", same);
  }
  return text;
}

std::string text_of(Context& context, const RunReport& a, const RunReport& b) {
  std::string text =
      context.heading(fmt::format("run {} (A) and run {} (B)", a.run.id, b.run.id)) + "\n";
  const std::vector<Difference> different = differences(a, b);
  if (std::ranges::none_of(different, [](const Difference& each) {
        return each.what == "problem" || each.what == "label";
      })) {
    text += labelled("both", a.run.label);
  }
  for (const Difference& each : different) {
    text += each.what + "\n" + labelled("  A", each.a) + labelled("  B", each.b);
  }
  if (different.empty()) text += "problem, config and machine are the same\n";
  text += fmt::format("\n  {:<33}{:>11}{:>11}{:>12}\n", "", "A", "B", "change");
  text += line_of(a.unit, {"time", true, true, a.total, b.total});
  for (size_t i = 0; i < a.sections.size(); ++i) {
    text += "\n" + text_of(context, a.sections[i], compare(a.sections[i], b.sections[i]));
  }
  if (!a.kernel || !b.kernel) return text;
  text += "\nA: " + text_of(context, a.kernel->roofline);
  return text + "\nB: " + text_of(context, b.kernel->roofline);
}

}  // namespace

int run_diff(Context& context) {
  const InterruptGuard guard;
  const InterruptExit exit;  // simulating again cannot be stopped, and nothing is written
  Store store = context.open_existing_store(OpenMode::kReadOnly);
  const RunReport a = read_report(context, store, context.arguments().positionals()[0]);
  const RunReport b = read_report(context, store, context.arguments().positionals()[1]);
  if (a.run.kind != b.run.kind) {
    throw Error(ErrorKind::kUsage,
                fmt::format("run {} is of kind {} and run {} of kind {}; compare runs of one kind",
                            a.run.id, name_of(a.run.kind), b.run.id, name_of(b.run.kind)));
  }
  if (context.globals().json) {
    context.print_json(json_of(a, b));
  } else {
    context.print(text_of(context, a, b));
  }
  return kExitOk;
}

}  // namespace tilewright
