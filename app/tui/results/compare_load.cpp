// Two runs side by side: what `tilewright diff` computes, as the rows of a pane.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "app/cli/report_diff.h"
#include "app/tui/progress_sink.h"
#include "app/tui/results/results_load.h"
#include "app/tui/results/results_state.h"
#include "core/base/text.h"
#include "db/store.h"

namespace tilewright {

namespace {

/// A change with its sign; empty where it would only say "new".
ComparedRow row_of(const std::string& unit, const ReportDiffRow& row) {
  ComparedRow compared;
  compared.name = row.name;
  compared.a = row.in_a ? shown_amount(unit, row.a) : "-";
  compared.b = row.in_b ? shown_amount(unit, row.b) : "-";
  compared.change = relative_change(row);
  if (!row.in_a || !row.in_b) return compared;
  if (!is_change(unit, row)) {
    compared.change = "=";
    compared.verdict = ComparedRow::Verdict::kEqual;
  } else if (!unit.empty()) {
    compared.verdict =
        row.change() < 0 ? ComparedRow::Verdict::kBetter : ComparedRow::Verdict::kWorse;
  }
  return compared;
}

/// Of what both runs have: what is only in one moved elsewhere, or is another problem.
double gained(const ReportDiffSection& section) {
  double sum = 0;
  for (const ReportDiffRow& row : section.rows) {
    if (row.in_a && row.in_b) sum += std::max(0.0, -row.change());
  }
  return sum;
}

ComparedSection section_of(const ReportDiffSection& section) {
  ComparedSection compared;
  compared.title = section.title + (section.unit == "cycles" ? ", in cycles" : "");
  const double gain = gained(section);
  for (const ReportDiffRow& row : section.rows) {
    ComparedRow& line = compared.rows.emplace_back(row_of(section.unit, row));
    if (line.verdict == ComparedRow::Verdict::kBetter && gain > 0) {
      line.share = -row.change() / gain;
    }
    compared.only_a += row.in_a && !row.in_b ? 1 : 0;
    compared.only_b += row.in_b && !row.in_a ? 1 : 0;
  }
  return compared;
}

/// "config: tile_m=64 -> tile_m=128": of texts with as many parts those that differ.
std::string text_of(const ReportDifference& difference) {
  const char separator = difference.what == "config" ? ',' : ' ';
  const std::vector<std::string_view> a = split(difference.a, separator);
  const std::vector<std::string_view> b = split(difference.b, separator);
  std::vector<std::string> only_a;
  std::vector<std::string> only_b;
  for (size_t i = 0; a.size() == b.size() && i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    only_a.emplace_back(a[i]);
    only_b.emplace_back(b[i]);
  }
  if (only_a.empty()) {
    return fmt::format("{}: {} -> {}", difference.what, difference.a, difference.b);
  }
  const std::string between(1, separator);
  return fmt::format("{}: {} -> {}", difference.what, join(only_a, between), join(only_b, between));
}

}  // namespace

std::shared_ptr<const ComparedRuns> compare_runs(const CompareRunsJob& job,
                                                 const JobProgress& progress) {
  Store store = Store::open(job.db, OpenMode::kReadOnly);
  const auto report_of = [&](int64_t run, const JobProgress& part) {
    return read_report(store, std::to_string(run), nullptr, [&part](const Launch& launch) {
      return std::make_unique<ProgressSink>(part, launch);
    });
  };
  RunReport a = report_of(job.a, progress.part(0, 0.5));
  progress.at(0.5);
  RunReport b = report_of(job.b, progress.part(0.5, 1));
  const ReportDiff diff = diff_of(std::move(a), std::move(b));
  auto compared = std::make_shared<ComparedRuns>();
  compared->a = job.a;
  compared->b = job.b;
  if (diff.a.run.label == diff.b.run.label) {
    compared->facts.push_back("both: " + diff.a.run.label);
  }
  for (const ReportDifference& each : diff.different) {
    compared->facts.push_back(text_of(each));
  }
  compared->total = row_of(diff.a.unit, {diff.a.unit == "cycles" ? "time, in cycles" : "time", true,
                                         true, diff.a.total, diff.b.total});
  std::vector<ReportDiffSection> sections = diff.sections;
  // What tunings are compared for comes before how they went.
  std::stable_partition(sections.begin(), sections.end(),
                        [](const ReportDiffSection& section) { return section.key == "winners"; });
  for (const ReportDiffSection& section : sections) {
    if (!section.rows.empty()) compared->sections.push_back(section_of(section));
  }
  return compared;
}

}  // namespace tilewright
