#include "tuner/session/plan_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <vector>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/plan/plan.h"
#include "core/space/problem.h"
#include "kernels/kernel.h"
#include "tuner/session/plan_maker.h"

namespace tilewright {

namespace {

constexpr std::string_view kFit = "fit";
constexpr std::string_view kRanges = "ranges";
constexpr std::string_view kTables = "tables";
constexpr std::string_view kNumerics = "numerics";

/// Multiply-adds that a reduced problem may have: a fraction of a second, reference and all.
constexpr double kMostReducedWork = 1e9;

/// What of two plans is not the same.
class Differences {
 public:
  template <typename Value>
  void add(std::string_view what, const Value& a, const Value& b) {
    if (a == b) return;
    if (count_++ == 0) {
      first_ = fmt::format("{} '{}' is read as '{}'", what, printable(fmt::format("{}", a), 80),
                           printable(fmt::format("{}", b), 80));
    }
  }

  void add(const PlanTable& a, const PlanTable& b) {
    const std::string table =
        fmt::format("{} {} n={} k={}: ", printable(a.kernel, 40), name_of(a.dtype), a.n, a.k);
    add(table + "kernel", a.kernel, b.kernel);
    add(table + "revision", a.revision, b.revision);
    add(table + "type", name_of(a.dtype), name_of(b.dtype));
    add(table + "n", a.n, b.n);
    add(table + "k", a.k, b.k);
    add(table + "epilogue", a.epilogue, b.epilogue);
    add(table + "layouts", join(a.layouts, ","), join(b.layouts, ","));
    add(table + "ops", join(a.ops, ","), join(b.ops, ","));
    add(table + "number of ranges", a.ranges.size(), b.ranges.size());
    for (size_t i = 0; i < std::min(a.ranges.size(), b.ranges.size()); ++i) {
      const PlanRange& from = a.ranges[i];
      const PlanRange& to = b.ranges[i];
      const std::string rows = fmt::format("{}m={}..{}, ", table, from.m_min, from.m_max);
      add(rows + "first m", from.m_min, to.m_min);
      add(rows + "last m", from.m_max, to.m_max);
      add(rows + "config", from.config.text(), to.config.text());
      add(rows + "time in us", from.time_us, to.time_us);
    }
  }

  /// The first of them, and how many there are besides.
  std::string text() const {
    if (count_ == 0) return "its serving options";
    return count_ == 1 ? first_ : fmt::format("{}, and {} more", first_, count_ - 1);
  }

 private:
  std::string first_;
  int count_ = 0;
};

std::string text_of(const Winner& winner) {
  return printable(winner.problem, 160);
}

void tell(const CheckProgress& progress, size_t done, size_t all) {
  progress(static_cast<double>(done) / static_cast<double>(std::max<size_t>(1, all)));
}

/// The same kind of problem with sizes of a few tiles, with rows that do not fill the last one;
/// nothing where no small one has the config in its space.
std::optional<Problem> reduced(const Kernel& kernel, const Problem& problem, const Config& config,
                               const Machine& machine) {
  const auto tile = [&](const char* name) { return config.has(name) ? config.at(name) : 128; };
  constexpr int64_t kRagged = 3;
  constexpr std::array<int64_t, 5> kFew = {1, 2, 3, 4, 6};
  // An order of tiles is in the space only where there are enough of them to be ordered so.
  constexpr std::array<int64_t, 10> kMany = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
  const auto legal = [&](const Problem& candidate) {
    return kernel.work(candidate) <= kMostReducedWork &&
           kernel.space(candidate, machine).violation(config).empty();
  };
  for (const int64_t depth : kFew) {
    for (const int64_t columns : kMany) {
      for (const int64_t rows : kFew) {
        const int64_t m = std::max<int64_t>(1, rows * tile("tile_m") - kRagged);
        const int64_t k = depth * tile("tile_k") * (config.has("split_k") ? tile("split_k") : 1);
        Problem candidate = problem.with("m", std::min(problem.size("m"), m))
                                .with("n", std::min(problem.size("n"), columns * tile("tile_n")))
                                .with("k", std::min(problem.size("k"), k));
        if (legal(candidate)) return candidate;
      }
    }
  }
  if (legal(problem)) return problem;
  return std::nullopt;
}

/// What was computed, so far.
struct Numerics {
  size_t computed = 0;
  size_t too_large = 0;
  double max_error = 0;
  std::string failure = {};
};

void compute(const Winner& winner, const Machine& machine, std::set<std::string>& seen,
             Numerics& numerics) {
  if (const std::string reason = why_no_plan(winner); !reason.empty()) {
    throw Error(ErrorKind::kFailed, reason);
  }
  const Kernel& kernel = find_kernel(winner.kernel);
  const Problem problem = parse_problem(winner.problem);
  const Config config = parse_config(winner.config);
  const Problem kind = problem.with("m", 1).with("n", 1).with("k", 1);
  if (!seen.insert(kind.text() + " " + winner.config).second) return;
  const std::optional<Problem> small = reduced(kernel, problem, config, machine);
  if (!small) {
    ++numerics.too_large;
    return;
  }
  const CheckResult result = check_kernel(kernel, *small, config, machine, {0});
  ++numerics.computed;
  numerics.max_error = std::max(numerics.max_error, result.max_rel_err);
  if (!result.ok) {
    numerics.failure =
        fmt::format("{} with {}: {}", small->text(), winner.config, result.first_failure);
  }
}

PlanCheck outcome_of(const Numerics& numerics) {
  if (!numerics.failure.empty()) return {kNumerics, CheckStatus::kFailed, numerics.failure};
  if (numerics.computed == 0) {
    return {kNumerics, CheckStatus::kNotRun, "no config can be computed at a small size"};
  }
  std::string text = fmt::format("{} match{} the reference (max relative error {:.1e})",
                                 format_counted(static_cast<int64_t>(numerics.computed), "config"),
                                 numerics.computed == 1 ? "es" : "", numerics.max_error);
  if (numerics.too_large > 0) {
    text += fmt::format("; {} cannot be computed at a small size", numerics.too_large);
  }
  return {kNumerics, CheckStatus::kOk, std::move(text)};
}

/// What is wrong with the ranges of a table; empty when they begin at 1 and leave no gap.
std::string gap_in(const PlanTable& table) {
  int64_t covered = 0;
  for (const PlanRange& range : table.ranges) {
    if (range.m_min != covered + 1 || range.m_max < range.m_min) {
      return fmt::format("{} n={} k={}: rows {} to {} follow row {}", table.kernel, table.n,
                         table.k, range.m_min, range.m_max, covered);
    }
    covered = range.m_max;
  }
  return "";
}

}  // namespace

std::string_view name_of(CheckStatus status) {
  switch (status) {
    case CheckStatus::kOk:
      return "ok";
    case CheckStatus::kFailed:
      return "failed";
    case CheckStatus::kNotRun:
      return "not run";
    case CheckStatus::kNote:
      return "note";
  }
  TW_CHECK(false, "a status outside its enumeration");
  return "";
}

PlanCheck check_fit(std::span<const Winner> winners, const Machine& machine,
                    const CheckProgress& progress) {
  for (size_t i = 0; i < winners.size(); ++i) {
    tell(progress, i, winners.size());
    const Winner& winner = winners[i];
    try {
      const Kernel& kernel = find_kernel(winner.kernel);
      const Space space = kernel.space(parse_problem(winner.problem), machine);
      const std::string violation = space.violation(parse_config(winner.config));
      if (violation.empty()) continue;
      return {kFit, CheckStatus::kFailed, fmt::format("{}: {}", text_of(winner), violation)};
    } catch (const Error& error) {
      return {kFit, CheckStatus::kFailed, fmt::format("{}: {}", text_of(winner), error.message())};
    }
  }
  return {kFit, CheckStatus::kOk,
          fmt::format("every selected config fits {}", printable(machine.name))};
}

PlanCheck check_ranges(const Run& run, std::span<const Winner> winners) {
  try {
    const Plan plan = make_plan(run, winners);
    size_t ranges = 0;
    for (const PlanTable& table : plan.tables) {
      if (const std::string gap = gap_in(table); !gap.empty()) {
        return {kRanges, CheckStatus::kFailed, gap};
      }
      ranges += table.ranges.size();
    }
    return {
        kRanges, CheckStatus::kOk,
        fmt::format("no rows have two winners, and {} leave{} no gap",
                    format_counted(static_cast<int64_t>(ranges), "range"), ranges == 1 ? "s" : "")};
  } catch (const Error& error) {
    return {kRanges, CheckStatus::kFailed, error.message()};
  }
}

std::string plan_difference(const Plan& written, const Plan& read) {
  if (written == read) return "";
  Differences differences;
  differences.add("the machine's name", written.machine_name, read.machine_name);
  differences.add("the machine's fingerprint", written.machine_fingerprint,
                  read.machine_fingerprint);
  differences.add("the model", written.model, read.model);
  differences.add("the workload", written.workload_class, read.workload_class);
  differences.add("the number of tables", written.tables.size(), read.tables.size());
  for (size_t i = 0; i < std::min(written.tables.size(), read.tables.size()); ++i) {
    differences.add(written.tables[i], read.tables[i]);
  }
  differences.add("the number of runs", written.provenance.size(), read.provenance.size());
  for (size_t i = 0; i < std::min(written.provenance.size(), read.provenance.size()); ++i) {
    differences.add("the number of a run", written.provenance[i].run, read.provenance[i].run);
    differences.add("the date of a run", written.provenance[i].date, read.provenance[i].date);
    differences.add("the program of a run", written.provenance[i].tool, read.provenance[i].tool);
  }
  return differences.text();
}

PlanCheck check_tables(const Run& run, std::span<const Winner> winners) {
  try {
    const Plan plan = make_plan(run, winners);
    const std::string change = plan_difference(plan, parse_plan(write_plan(plan), "the plan"));
    if (!change.empty()) {
      return {kTables, CheckStatus::kFailed,
              "the plan is another one when it is read back: " + change};
    }
    for (const Winner& winner : winners) {
      const Problem problem = parse_problem(winner.problem);
      const PlanRange* range = plan.find(problem.kernel, problem.types.front(), problem.size("n"),
                                         problem.size("k"), problem.epilogue, problem.size("m"));
      if (range && range->config == parse_config(winner.config)) continue;
      return {
          kTables, CheckStatus::kFailed,
          fmt::format("a look-up of {} gives another config than its winner's", text_of(winner))};
    }
    return {kTables, CheckStatus::kOk,
            fmt::format("{}: a look-up gives each winner's config",
                        format_counted(std::ssize(plan.tables), "table"))};
  } catch (const Error& error) {
    return {kTables, CheckStatus::kFailed, error.message()};
  }
}

PlanCheck check_numerics(std::span<const Winner> winners, const Machine& machine,
                         const CheckProgress& progress) {
  Numerics numerics;
  std::set<std::string> seen;
  for (size_t i = 0; i < winners.size() && numerics.failure.empty(); ++i) {
    tell(progress, i, winners.size());
    try {
      compute(winners[i], machine, seen, numerics);
    } catch (const Error& error) {
      numerics.failure = fmt::format("{}: {}", text_of(winners[i]), error.message());
    }
  }
  return outcome_of(numerics);
}

}  // namespace tilewright
