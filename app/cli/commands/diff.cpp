// `tilewright diff`: what changed between two runs.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/report_diff.h"
#include "app/cli/timing_report.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kRowsShown = 12;

const char* status_of(const ReportDiffRow& row) {
  return row.in_a && row.in_b ? "both" : row.in_b ? "appeared" : "disappeared";
}

Json json_of(const std::vector<ReportDiffRow>& rows) {
  Json list = Json::array();
  for (const ReportDiffRow& row : rows) {
    list.push_back({{"name", row.name},
                    {"a", row.in_a ? Json(row.a) : Json(nullptr)},
                    {"b", row.in_b ? Json(row.b) : Json(nullptr)},
                    {"change", row.change()},
                    {"status", status_of(row)}});
  }
  return list;
}

Json json_of(const ReportDiff& diff) {
  const RunReport& a = diff.a;
  const RunReport& b = diff.b;
  Json json = output_object();
  json["a"] = identity_json(a.run);
  json["b"] = identity_json(b.run);
  json["unit"] = a.unit;
  json["total"] = {{"a", a.total}, {"b", b.total}, {"change", b.total - a.total}};
  Json& different = json["different"] = Json::array();
  for (const ReportDifference& each : diff.different) {
    different.push_back({{"what", each.what}, {"a", each.a}, {"b", each.b}});
  }
  if (a.kernel && b.kernel) {
    json["roofline"] = {{"a", json_of(a.kernel->roofline)}, {"b", json_of(b.kernel->roofline)}};
  }
  for (const ReportDiffSection& section : diff.sections) json[section.key] = json_of(section.rows);
  return json;
}

std::string line_of(const std::string& unit, const ReportDiffRow& row) {
  const std::string change = shown_amount(unit, row.change());
  // A long name has a line of its own.
  constexpr size_t kShortName = 32;
  const bool is_long = row.name.size() > kShortName;
  const std::string name = is_long ? "" : printable(row.name, kShortName);
  const std::string above = is_long ? fmt::format("  {}\n", printable(row.name, 74)) : "";
  return fmt::format("{}  {:<33}{:>11}{:>11}{:>12}{:>10}\n", above, name,
                     row.in_a ? shown_amount(unit, row.a) : "-",
                     row.in_b ? shown_amount(unit, row.b) : "-",
                     (row.change() > 0 ? "+" : "") + change, relative_change(row));
}

std::string text_of(Context& context, const ReportDiffSection& section) {
  std::string text =
      context.heading(section.title + (section.unit == "cycles" ? ", in cycles" : "")) + "\n";
  std::vector<ReportDiffRow> changed;
  for (const ReportDiffRow& row : section.rows) {
    if (is_change(section.unit, row)) changed.push_back(row);
  }
  const size_t shown_rows = std::min(kRowsShown, changed.size());
  for (const ReportDiffRow& row : std::span(changed).first(shown_rows)) {
    text += line_of(section.unit, row);
  }
  if (changed.size() > shown_rows) {
    text += fmt::format("  ... and {} more, see --json\n", changed.size() - shown_rows);
  }
  if (const size_t same = section.rows.size() - changed.size(); same > 0) {
    text += fmt::format("  {} unchanged\n", same);
  }
  return text;
}

std::string text_of(Context& context, const ReportDiff& diff) {
  const RunReport& a = diff.a;
  const RunReport& b = diff.b;
  std::string text =
      context.heading(fmt::format("run {} (A) and run {} (B)", a.run.id, b.run.id)) + "\n";
  const std::vector<ReportDifference>& different = diff.different;
  if (std::ranges::none_of(different, [](const ReportDifference& each) {
        return each.what == "problem" || each.what == "label";
      })) {
    text += labelled("both", a.run.label);
  }
  for (const ReportDifference& each : different) {
    text += each.what + "\n" + labelled("  A", each.a) + labelled("  B", each.b);
  }
  if (different.empty()) text += "problem, config and machine are the same\n";
  text += fmt::format("\n  {:<33}{:>11}{:>11}{:>12}\n", "", "A", "B", "change");
  text += line_of(a.unit, {"time", true, true, a.total, b.total});
  for (const ReportDiffSection& section : diff.sections) text += "\n" + text_of(context, section);
  if (!a.kernel || !b.kernel) return text;
  text += "\nA: " + text_of(context, a.kernel->roofline);
  return text + "\nB: " + text_of(context, b.kernel->roofline);
}

}  // namespace

int run_diff(Context& context) {
  const InterruptGuard guard;
  const InterruptExit exit;  // simulating again cannot be stopped, and nothing is written
  Store store = context.open_existing_store(OpenMode::kReadOnly);
  const auto report = [&](size_t which) {
    return read_report(store, context.arguments().positionals()[which], &context);
  };
  const ReportDiff diff = diff_of(report(0), report(1));
  if (context.globals().json) {
    context.print_json(json_of(diff));
  } else {
    context.print(text_of(context, diff));
  }
  return kExitOk;
}

}  // namespace tilewright
