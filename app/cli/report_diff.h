#pragma once

#include <string>
#include <vector>

#include "app/cli/run_report.h"

namespace tilewright {

/// A row of both runs, or of one alone.
struct ReportDiffRow {
  std::string name;
  bool in_a = false;
  bool in_b = false;
  double a = 0;
  double b = 0;
  double change() const { return b - a; }
};

/// Something that identifies the runs and is not the same in both.
struct ReportDifference {
  std::string what;
  std::string a;
  std::string b;
};

/// A section of both reports.
struct ReportDiffSection {
  std::string key;  ///< of the JSON
  std::string title;
  std::string unit;                 ///< "cycles", "us", or empty: the names of the rows say it
  std::vector<ReportDiffRow> rows;  ///< largest change first
};

/// What changed from one run to another of its kind.
struct ReportDiff {
  RunReport a;
  RunReport b;
  std::vector<ReportDifference> different;
  std::vector<ReportDiffSection> sections;
};

/// Compares two reports, section by section. Error (usage) for runs of different kinds.
ReportDiff diff_of(RunReport a, RunReport b);

/// An amount of a section as people read it.
std::string shown_amount(const std::string& unit, double value);
/// "+1.5 %", "new", "gone"; empty where there is nothing to relate to.
std::string relative_change(const ReportDiffRow& row);
/// Whether a row is worth a line: what rounds to nothing is not.
bool is_change(const std::string& unit, const ReportDiffRow& row);

}  // namespace tilewright
