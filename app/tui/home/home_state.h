#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tilewright {

/// A row of the list of runs.
struct RunRow {
  int64_t id = 0;
  std::string kind;
  std::string label;
  std::string status;
  std::string date;  ///< ISO 8601
  std::string machine;
  std::string command;
  std::string problem;  ///< canonical text, of a kernel run; empty for others
  std::string config;
  double time_us = 0;  ///< what it found; 0 where it has no time
};

/// A session of the workbench that can be restored.
struct SessionRow {
  std::string name;
  std::string date;
  std::string what;  ///< the screen and problem that it was left at
};

/// The best known config of a problem.
struct BestRow {
  std::string problem;
  std::string config;
  std::string machine;
  std::string evaluator;
  double time_us = 0;
};

/// What the results database holds, at one moment.
struct HomeData {
  std::vector<RunRow> runs;   ///< newest first that pass the filter, at most kRunsShown
  std::string filter;         ///< that the runs were read with, in lower case; empty: all
  std::vector<BestRow> best;  ///< of the newest problems, at most kBestShown
  bool has_more_best = false;
  std::vector<SessionRow> sessions;
  int64_t run_count = 0;
  int64_t measurement_count = 0;
  int64_t bytes = 0;  ///< of the file
  int schema_version = 0;
  bool exists = false;  ///< whether there is a database yet

  /// Whether every run is in the list.
  bool has_all_runs() const {
    return filter.empty() && static_cast<int64_t>(runs.size()) >= run_count;
  }
};

/// The row of a list that is chosen.
struct ListCursor {
  int row = 0;

  /// Moves within `count` rows.
  void move_to(int target, int count) { row = std::clamp(target, 0, std::max(0, count - 1)); }
};

struct HomeState {
  std::shared_ptr<const HomeData> data;  ///< null until it was read; shared with its worker
  ListCursor runs;
  ListCursor best;
  ListCursor sessions;
  ListCursor start;      ///< of the menu
  std::string filter;    ///< of the lists, in lower case
  int64_t load_job = 0;  ///< reads the database; 0: none
  std::string failure;   ///< why the last read failed; empty: it did not
};

}  // namespace tilewright
