#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "app/export/export_source.h"
#include "db/store.h"

namespace tilewright {

/// What is written, and what there is to say of it.
struct ExportText {
  std::string text;
  int64_t results = 0;  ///< of formats that hold measurements
  size_t tables = 0;    ///< of a plan
  size_t ranges = 0;    ///< of a plan
  int64_t problem = 0;  ///< of formats that hold one of several: its number, as --problem has it
  std::vector<std::string> notes;  ///< what was left out
};

/// Which problem of a run a format gets that holds one.
struct ProblemChoice {
  int64_t number = 0;              ///< from 1; 0: that of the winner, or else the only one
  const Winner* winner = nullptr;  ///< null: none was chosen
};

/// The plan of some winners of a run. Errors as make_plan().
ExportText plan_text(const Run& run, const std::vector<Winner>& winners);

/// What a run measured, in one of the formats that hold that. Error (usage) where one of several
/// problems is to be chosen, (not found) where there is nothing.
ExportText results_text(Store& store, const Run& run, const std::string& format,
                        const ProblemChoice& choice);

/// Whether a format holds the measurements of one problem.
bool holds_one_problem(const std::string& format);

/// What became of a file.
struct WrittenExport {
  bool is_unchanged = false;  ///< it held just that already
  std::string backup = {};    ///< where the file that was there is kept; empty: there was none
};

/// Replaces a file in one go; what was there is kept as PATH.bak. Errors as write_file().
WrittenExport write_export(const std::string& path, const std::string& text);

}  // namespace tilewright
