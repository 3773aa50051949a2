// Two runs side by side: what `tilewright diff` computes, as the rows of a pane.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/cli/run_diff.h"
#include "app/tui/results/results_load.h"
#include "app/tui/results/results_state.h"
#include "db/store.h"

namespace tilewright {

namespace {

/// A change with its sign; empty where it would only say "new".
ComparedRow row_of(const std::string& unit, const DiffRow& row) {
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
double gained(const DiffSection& section) {
  double sum = 0;
  for (const DiffRow& row : section.rows) {
    if (row.in_a && row.in_b) sum += std::max(0.0, -row.change());
  }
  return sum;
}

ComparedSection section_of(const DiffSection& section) {
  ComparedSection compared;
  compared.title = section.title;
  const double gain = gained(section);
  for (const DiffRow& row : section.rows) {
    ComparedRow& line = compared.rows.emplace_back(row_of(section.unit, row));
    if (line.verdict == ComparedRow::Verdict::kBetter && gain > 0) {
      line.share = -row.change() / gain;
    }
    compared.only_a += row.in_a && !row.in_b ? 1 : 0;
    compared.only_b += row.in_b && !row.in_a ? 1 : 0;
  }
  return compared;
}

}  // namespace

std::shared_ptr<const ComparedRuns> compare_runs(const CompareRunsJob& job,
                                                 const JobProgress& progress) {
  Store store = Store::open(job.db, OpenMode::kReadOnly);
  RunReport a = read_report(store, std::to_string(job.a));
  progress.at(0.5);
  RunReport b = read_report(store, std::to_string(job.b));
  const RunDiff diff = diff_of(std::move(a), std::move(b));
  auto compared = std::make_shared<ComparedRuns>();
  compared->a = job.a;
  compared->b = job.b;
  compared->what_a = diff.a.run.label;
  compared->what_b = diff.b.run.label;
  for (const Difference& each : diff.different) {
    compared->different.push_back(fmt::format("{}: {} -> {}", each.what, each.a, each.b));
  }
  compared->total = row_of(diff.a.unit, {"time", true, true, diff.a.total, diff.b.total});
  for (const DiffSection& section : diff.sections) {
    if (!section.rows.empty()) compared->sections.push_back(section_of(section));
  }
  return compared;
}

}  // namespace tilewright
