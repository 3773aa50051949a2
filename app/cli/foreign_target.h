#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/options.h"
#include "db/formats/import.h"
#include "tuner/session/session.h"

namespace tilewright {

/// A problem of another tool that `tune FILE` searches.
struct ForeignProblem {
  std::string kernel;  ///< as the file calls it
  TuneProblem problem;
  std::vector<ValueKind> kinds;  ///< of its parameters
};

/// What a file says that `tune FILE` can search: a T1 problem, or tables of results.
struct ForeignTarget {
  std::string path;
  std::vector<ForeignProblem> problems;
  /// Of tables: what they were measured on. A T1 problem does not say.
  std::optional<MachineRow> device = std::nullopt;
  std::vector<std::string> notes;  ///< whole sentences
};

/// Whether the argument of `tune` is such a file: one whose content says so.
bool is_foreign_file(const std::string& path);

/// Whether it has results, so that it can replay itself.
bool is_table_file(const std::string& path);

/// The problems of the file, narrowed by --pin, --ban and --constraint. The baseline is the
/// defaults of a T1 problem, where they are legal, otherwise the first legal config. Errors: those
/// of reading the file, (infeasible) with the constraint to blame when no config is left, (failed)
/// soon after `stop` says so while legal configs are counted.
ForeignTarget read_foreign_target(const Arguments& arguments,
                                  const std::function<bool()>& stop = {});

/// The key of a config of a foreign problem.
MeasurementKey foreign_key(const Problem& problem, const Config& config,
                           const std::string& fingerprint);

}  // namespace tilewright
