#include "app/cli/foreign_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "app/cli/tune_arguments.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/space/space_index.h"
#include "core/space/t1.h"
#include "db/formats/byte_source.h"
#include "tuner/evaluate/table_evaluator.h"
#include "tuner/session/space_limits.h"

namespace tilewright {

namespace {

constexpr const char* kProblemFormat = "t1";

/// Sizes beyond the third have no name, so they are left out.
std::vector<std::pair<std::string, int64_t>> named_sizes(const std::vector<int64_t>& sizes) {
  std::vector<std::pair<std::string, int64_t>> named;
  for (size_t i = 0; i < std::min(sizes.size(), kMostDimensions); ++i) {
    named.emplace_back(dimension_name(i), sizes[i]);
  }
  return named;
}

ValueKind kind_of(const Parameter& parameter) {
  if (parameter.labels.empty()) return ValueKind::kInteger;
  if (parameter.ordered) return ValueKind::kNumber;
  const bool is_boolean = std::ranges::all_of(parameter.labels, [](const std::string& label) {
    return label == "True" || label == "False";
  });
  return is_boolean ? ValueKind::kBoolean : ValueKind::kText;
}

/// Narrows the space as the command line says; Error (infeasible) when nothing is left.
void narrow(TuneProblem& problem, const SpaceLimits& limits, const std::function<bool()>& stop) {
  problem.limited = !limits.empty();
  if (problem.limited) problem.space = limited(problem.space, limits);
  refuse_empty_space(problem.space, problem.problem.text(), stop);
}

Config first_config(const Space& space) {
  return SpaceIndex(space).config(0);
}

/// The defaults of a T1 problem as a baseline, or the first legal config with a note why.
Config baseline_of(const T1Problem& t1, const Space& searched, std::vector<std::string>& notes) {
  std::string why;
  if (t1.defaults.values.size() < t1.space.parameters().size()) {
    why = "not every parameter has a default among its values";
  } else {
    why = t1.space.violation(t1.defaults);
  }
  if (why.empty()) return t1.defaults;
  Config first = first_config(searched);
  notes.push_back(fmt::format("the baseline is the first legal config, {}, since {}",
                              printable(searched.text(first), 300), printable(why, 300)));
  return first;
}

ForeignTarget t1_target(const std::string& path, const SpaceLimits& limits,
                        const std::function<bool()>& stop) {
  constexpr int64_t kMaxBytes = int64_t{64} << 20;
  const T1Problem t1 = read_t1(text_of_file(path, kMaxBytes), path);
  ForeignTarget target;
  target.path = path;
  ForeignProblem& foreign = target.problems.emplace_back();
  foreign.kernel = !t1.kernel.empty() ? t1.kernel : !t1.name.empty() ? t1.name : name_of_file(path);
  foreign.problem.problem.kernel = identifier_of(foreign.kernel);
  foreign.problem.problem.sizes = named_sizes(t1.sizes);
  foreign.problem.space = t1.space;
  for (const Parameter& parameter : t1.space.parameters()) {
    foreign.kinds.push_back(kind_of(parameter));
  }
  narrow(foreign.problem, limits, stop);
  foreign.problem.baseline = baseline_of(t1, foreign.problem.space, target.notes);
  return target;
}

ForeignTarget table_target(const std::string& path, const SpaceLimits& limits,
                           const std::function<bool()>& stop) {
  const ResultFile file = read_results(path);
  if (file.tables.empty()) {
    throw Error(ErrorKind::kUsage, fmt::format("{} has configs without times, so there is nothing "
                                               "to search in it",
                                               path));
  }
  ForeignTarget target;
  target.path = path;
  target.device = device_of(file);
  target.notes = file.notes;
  for (const ResultTable& table : file.tables) {
    ForeignProblem& foreign = target.problems.emplace_back();
    foreign.kernel = table.kernel;
    foreign.kinds = table.kinds;
    foreign.problem.problem = table.problem;
    foreign.problem.space = table_space(table);
    narrow(foreign.problem, limits, stop);
    foreign.problem.baseline = first_config(foreign.problem.space);
  }
  return target;
}

}  // namespace

bool is_foreign_file(const std::string& path) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return false;
  try {
    const std::string format = content_format(path);
    // Any text that is no JSON could be CSV.
    return !format.empty() &&
           (format != "csv" || path.ends_with(".csv") || path.ends_with(".csv.gz"));
  } catch (const Error&) {
    return false;
  }
}

bool is_table_file(const std::string& path) {
  return is_foreign_file(path) && content_format(path) != kProblemFormat;
}

ForeignTarget read_foreign_target(const Arguments& arguments, const std::function<bool()>& stop) {
  const std::string& path = arguments.positionals()[0];
  const SpaceLimits limits = read_limits(arguments);
  return content_format(path) == kProblemFormat ? t1_target(path, limits, stop)
                                                : table_target(path, limits, stop);
}

MeasurementKey foreign_key(const Problem& problem, const Config& config,
                           const std::string& fingerprint) {
  MeasurementKey key;
  key.kernel = problem.kernel;
  key.problem = problem.text();
  key.config = config.text();
  key.machine_fingerprint = fingerprint;
  return key;
}

}  // namespace tilewright
