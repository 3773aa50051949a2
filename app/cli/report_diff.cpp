#include "app/cli/report_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

/// Rows with equal names are the same thing; largest change first.
std::vector<ReportDiffRow> compare(const ReportSection& a, const ReportSection& b) {
  std::vector<ReportDiffRow> rows;
  for (const ReportRow& row : a.rows) rows.push_back({row.name, true, false, row.value, 0});
  for (const ReportRow& row : b.rows) {
    auto found = std::ranges::find(rows, row.name, &ReportDiffRow::name);
    if (found == rows.end()) found = rows.insert(rows.end(), {row.name, false, false, 0, 0});
    found->in_b = true;
    found->b = row.value;
  }
  std::ranges::stable_sort(rows, std::greater(),
                           [](const ReportDiffRow& row) { return std::abs(row.change()); });
  return rows;
}

std::vector<ReportDifference> differences(const RunReport& a, const RunReport& b) {
  std::vector<ReportDifference> list;
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

}  // namespace

ReportDiff diff_of(RunReport a, RunReport b) {
  if (a.run.kind != b.run.kind) {
    throw Error(ErrorKind::kUsage,
                fmt::format("run {} is of kind {} and run {} of kind {}; compare runs of one kind",
                            a.run.id, name_of(a.run.kind), b.run.id, name_of(b.run.kind)));
  }
  ReportDiff diff;
  diff.different = differences(a, b);
  for (size_t i = 0; i < a.sections.size(); ++i) {
    const ReportSection& section = a.sections[i];
    diff.sections.push_back(
        {section.key, section.title, section.unit, compare(section, b.sections[i])});
  }
  diff.a = std::move(a);
  diff.b = std::move(b);
  return diff;
}

std::string shown_amount(const std::string& unit, double value) {
  if (unit == "us") return value < 0 ? "-" + format_us(-value) : format_us(value);
  if (unit == "cycles") return format_count(static_cast<int64_t>(value));
  return fmt::format("{:.5g}", value);
}

std::string relative_change(const ReportDiffRow& row) {
  if (!row.in_a) return "new";
  if (!row.in_b) return "gone";
  return row.a > 0 ? fmt::format("{:+.1f} %", 100 * (row.b / row.a - 1)) : "";
}

bool is_change(const std::string& unit, const ReportDiffRow& row) {
  return row.in_a != row.in_b || std::abs(row.change()) >= (unit == "cycles" ? 0.5 : 1e-9);
}

}  // namespace tilewright
