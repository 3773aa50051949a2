#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/export/export_source.h"
#include "app/export/export_text.h"
#include "app/export/line_diff.h"
#include "app/tui/export/export_request.h"
#include "tuner/session/plan_checks.h"

namespace tilewright {

/// A tuning run that has winners.
struct ExportRun {
  int64_t id = 0;
  std::string label;
};

/// A tuning run as it is offered. Never changed after the worker made it.
struct ExportView {
  ExportSource source;               ///< run 0: there is no tuning yet
  std::vector<std::string> formats;  ///< that can hold it
  std::vector<ExportRun> runs;       ///< others, newest first, at most kMostExportRuns

  bool has_winners() const { return !source.winners.empty(); }
};
constexpr int kMostExportRuns = 50;

/// What the file would be.
struct ExportDraft {
  ExportRequest of;
  ExportText text;
  std::vector<PlanCheck> checks;  ///< those that take no time; of a plan
  LineDiff diff;                  ///< against the file that is there
  bool has_file = false;          ///< whether one is there
  std::string failure;            ///< why nothing can be written; empty when it can
};

/// How a check came out that takes its time.
struct ExportVerdict {
  enum class Kind : uint8_t { kNumerics, kReplay };
  Kind kind = Kind::kNumerics;
  ExportRequest of;
  PlanCheck check;
};

/// A file that was written.
struct WrittenPlan {
  std::string path;
  std::string what;  ///< "5 tables with 72 ranges"
  WrittenExport written;
};

}  // namespace tilewright
