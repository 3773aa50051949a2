#include "db/result_check.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/space/problem.h"
#include "core/space/space.h"

namespace tilewright {

namespace {

constexpr int kMaxOfAKind = 5;

/// A rule of the results: a query for the rows that break it (one text column names each), and the
/// sentence about them, with {} for the name.
struct Rule {
  const char* broken;
  const char* sentence;
};

constexpr Rule kRules[] = {
    {"WITH fastest AS (SELECT * FROM (SELECT problem_id, kernel, kernel_revision, machine, "
     "  evaluator, id, time_us, row_number() OVER (PARTITION BY problem_id, kernel, "
     "  kernel_revision, machine, evaluator ORDER BY time_us, config) AS place "
     "  FROM measurement WHERE status = 'ok') WHERE place = 1) "
     "SELECT problem_id FROM (SELECT problem_id, kernel, kernel_revision, machine, evaluator, id, "
     "  time_us FROM fastest EXCEPT SELECT * FROM best) "
     "UNION SELECT problem_id FROM (SELECT * FROM best EXCEPT SELECT problem_id, kernel, "
     "  kernel_revision, machine, evaluator, id, time_us FROM fastest)",
     "the best config of problem {} is not the fastest that was measured"},
    {"SELECT run_id FROM trial GROUP BY run_id HAVING min(place) <> 0 OR max(place) >= count(*)",
     "run {} misses some of what it tried"},
    {"SELECT id FROM measurement WHERE repetitions > (SELECT count(*) FROM attempt "
     "WHERE measurement_id = measurement.id AND attempt.status = measurement.status)",
     "measurement {} has fewer attempts than it was made of"},
    {"SELECT winner.id FROM winner JOIN run ON run.id = run_id WHERE NOT EXISTS ("
     "SELECT 1 FROM measurement AS m WHERE m.problem_id = winner.problem_id "
     "AND m.config = winner.config AND m.kernel = winner.kernel "
     "AND m.kernel_revision = winner.kernel_revision AND m.machine = run.machine "
     "AND m.evaluator = winner.evaluator AND m.status = 'ok')",
     "winner {} was not measured"},
};

void check_rule(Database& database, const Rule& rule, std::vector<std::string>& findings) {
  Statement broken(database, rule.broken);
  for (int count = 0; broken.step(); ++count) {
    if (count == kMaxOfAKind) {
      findings.push_back(
          fmt::format("... and more: {}", fmt::format(fmt::runtime(rule.sentence), "other rows")));
      return;
    }
    findings.push_back(fmt::format(fmt::runtime(rule.sentence), broken.text(0)));
  }
}

/// The columns of a problem say again what its text says.
std::string contradiction(const Statement& row) {
  try {
    const Problem problem = parse_problem(row.text(1));
    std::vector<std::string> types;
    for (const DType type : problem.types) types.emplace_back(name_of(type));
    const auto size_differs = [&](int column, const char* name) {
      if (row.is_null(column) || !problem.has(name))
        return row.is_null(column) == problem.has(name);
      return row.integer(column) != problem.size(name);
    };
    const bool agrees = row.text(2) == problem.kernel && row.text(3) == join(types, " ") &&
                        row.text(4) == join(problem.layouts, " ") &&
                        row.text(5) == problem.epilogue &&
                        row.text(6) == (types.empty() ? "" : types[0]) && !size_differs(7, "m") &&
                        !size_differs(8, "n") && !size_differs(9, "k");
    return agrees ? "" : "its columns say something else than its text";
  } catch (const Error& error) {
    return error.message();
  }
}

void check_problems(Database& database, std::vector<std::string>& findings) {
  Statement row(database,
                "SELECT id, text, kernel, types, layouts, epilogue, dtype, m, n, k FROM problem");
  for (int count = 0; count < kMaxOfAKind && row.step();) {
    const std::string finding = contradiction(row);
    if (finding.empty()) continue;
    findings.push_back(fmt::format("problem {}: {}", row.integer(0), finding));
    ++count;
  }
}

/// Columns: the number of a row, its config.
void check_configs(Database& database, const char* table, const char* rows,
                   std::vector<std::string>& findings) {
  Statement row(database, rows);
  for (int count = 0; count < kMaxOfAKind && row.step();) {
    try {
      check_config(database, table, row.integer(0), row.text(1));
    } catch (const DamagedError& error) {
      findings.push_back(error.finding());
      ++count;
    }
  }
}

}  // namespace

void check_config(const Database& database, std::string_view table, int64_t id,
                  std::string_view config) {
  // Values of other tools' parameters are texts, too (Space::text), and a text may be empty.
  if (config.empty()) return;
  for (const std::string_view part : split(config, ',')) {
    const size_t equals = part.find('=');
    if (equals != std::string_view::npos && equals > 0 &&
        part.find('=', equals + 1) == std::string_view::npos) {
      continue;
    }
    throw DamagedError(database.path(), fmt::format("{} {}: config '{}': '{}' is not NAME=VALUE",
                                                    table, id, printable(config), printable(part)));
  }
}

std::vector<std::string> check_results(Database& database) {
  std::vector<std::string> findings;
  for (const Rule& rule : kRules) check_rule(database, rule, findings);
  check_problems(database, findings);
  check_configs(database, "measurement", "SELECT id, config FROM measurement", findings);
  check_configs(database, "winner", "SELECT id, baseline_config FROM winner", findings);
  return findings;
}

}  // namespace tilewright
