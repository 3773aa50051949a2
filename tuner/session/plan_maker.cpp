#include "tuner/session/plan_maker.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/space/problem.h"

namespace tilewright {

namespace {

/// A table to be, with everything that its winners share.
struct Draft {
  PlanTable table;
  std::vector<DType> types;
  std::vector<TunedRow> rows;
};

Problem matrix_problem(const Winner& winner) {
  Problem problem = parse_problem(winner.problem);
  const bool is_matrix = problem.sizes.size() == 3 && problem.has("m") && problem.has("n") &&
                         problem.has("k") && problem.size("m") >= 1 && !problem.types.empty();
  if (!is_matrix) {
    throw Error(ErrorKind::kFailed,
                fmt::format("a plan holds problems sized by m, n and k, and '{}' "
                            "is not one",
                            printable(winner.problem, 160)));
  }
  return problem;
}

/// The config of a winner, which other tools may have of other values than whole numbers.
Config whole_numbers(const Run& run, const Winner& winner) {
  try {
    return parse_config(winner.config);
  } catch (const Error& error) {
    throw Error(
        ErrorKind::kFailed,
        fmt::format("run {}: the winner of {} in the database has a config that no plan can "
                    "hold: {}; tune it again, or export the run as t4 or csv",
                    run.id, printable(winner.problem, 160), error.message()));
  }
}

/// An epilogue without its dequantisation.
std::string epilogue_of_fusion(const std::string& epilogue) {
  const size_t plus = epilogue.rfind('+');
  return plus == std::string::npos ? epilogue : epilogue.substr(plus + 1);
}

/// What a reader of the plan looks a table up by.
auto lookup_key(const PlanTable& table) {
  return std::tie(table.kernel, table.dtype, table.n, table.k, table.epilogue);
}

Draft& draft_of(std::vector<Draft>& drafts, const Winner& winner, const Problem& problem) {
  Draft fresh;
  fresh.types = problem.types;
  fresh.table = {winner.kernel,
                 winner.kernel_revision,
                 problem.types[0],
                 problem.size("n"),
                 problem.size("k"),
                 problem.epilogue,
                 problem.layouts,
                 {},
                 {}};
  for (Draft& draft : drafts) {
    if (lookup_key(draft.table) != lookup_key(fresh.table)) continue;
    if (draft.types == fresh.types && draft.table.layouts == fresh.table.layouts &&
        draft.table.revision == fresh.table.revision) {
      return draft;
    }
    throw Error(ErrorKind::kFailed,
                fmt::format("the run tuned {} n={} k={} twice, with different types, layouts or "
                            "revisions; a plan can hold one of them",
                            winner.kernel, fresh.table.n, fresh.table.k));
  }
  return drafts.emplace_back(std::move(fresh));
}

/// Where the winners of fused launches ("gate_up+silu_mul") hold: the rows from the tuned m before,
/// with or without a fusion, up to their own.
std::vector<PlanFusion> fusions_of(const std::vector<Draft>& drafts) {
  std::vector<PlanFusion> fusions;
  for (const Draft& draft : drafts) {
    for (const std::string& ops : draft.table.ops) {
      const size_t plus = ops.find('+');
      if (plus == std::string::npos) continue;
      std::set<int64_t> tuned;  // fused or not
      std::set<int64_t> fused;
      for (const Draft& other : drafts) {
        const bool is_apart =
            std::ranges::find(other.table.ops, ops.substr(0, plus)) != other.table.ops.end();
        for (const TunedRow& row : other.rows) {
          if (is_apart || &other == &draft) tuned.insert(row.m);
          if (&other == &draft) fused.insert(row.m);
        }
      }
      PlanFusion fusion{ops, epilogue_of_fusion(draft.table.epilogue), {}};
      int64_t before = 0;
      for (const int64_t m : tuned) {
        if (fused.contains(m)) {
          const bool goes_on = !fusion.ranges.empty() && fusion.ranges.back().m_max == before;
          if (!goes_on) fusion.ranges.push_back({before + 1, m});
          fusion.ranges.back().m_max = m;
        }
        before = m;
      }
      fusions.push_back(std::move(fusion));
    }
  }
  return fusions;
}

}  // namespace

std::string why_no_plan(const Winner& winner) {
  try {
    matrix_problem(winner);
    parse_config(winner.config);
    return "";
  } catch (const Error& error) {
    return error.message();
  }
}

Plan make_plan(const Run& run, std::span<const Winner> winners) {
  if (winners.empty()) {
    throw Error(ErrorKind::kNotFound, fmt::format("run {} has no winners to export", run.id));
  }
  std::vector<Draft> drafts;
  for (const Winner& winner : winners) {
    const Problem problem = matrix_problem(winner);
    Draft& draft = draft_of(drafts, winner, problem);
    for (const std::string& op : winner.ops) {
      std::vector<std::string>& ops = draft.table.ops;
      if (std::ranges::find(ops, op) == ops.end()) ops.push_back(op);
    }
    const int64_t m = problem.size("m");
    if (std::ranges::find(draft.rows, m, &TunedRow::m) != draft.rows.end()) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("two winners of run {} are of {} n={} k={} at m={}; a plan can hold "
                              "one of them",
                              run.id, printable(winner.kernel), draft.table.n, draft.table.k, m));
    }
    draft.rows.push_back({m, whole_numbers(run, winner), winner.time_us});
  }
  Plan plan;
  plan.machine_name = run.machine_name;
  plan.machine_fingerprint = run.machine_fingerprint;
  plan.model = run.model;
  plan.workload_class = run.workload;
  plan.fusions = fusions_of(drafts);
  for (Draft& draft : drafts) {
    plan.tables.push_back(make_table(std::move(draft.table), draft.rows));
  }
  plan.provenance.push_back({run.id, run.date, run.tool});
  return plan;
}

}  // namespace tilewright
