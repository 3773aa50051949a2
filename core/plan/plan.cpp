#include "core/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "core/base/error.h"

namespace tilewright {

const PlanRange* Plan::find(std::string_view kernel, DType dtype, int64_t n, int64_t k,
                            std::string_view epilogue, int64_t m) const {
  const auto table = std::ranges::find_if(tables, [&](const PlanTable& candidate) {
    return candidate.n == n && candidate.k == k && candidate.dtype == dtype &&
           candidate.kernel == kernel && candidate.epilogue == epilogue;
  });
  if (table == tables.end() || table->ranges.empty()) return nullptr;
  const auto range = std::ranges::lower_bound(table->ranges, m, {}, &PlanRange::m_max);
  return range == table->ranges.end() ? &table->ranges.back() : &*range;
}

bool PlanFusion::covers(int64_t m) const {
  return std::ranges::any_of(
      ranges, [&](const Range& range) { return range.m_min <= m && m <= range.m_max; });
}

bool Plan::fuses(std::string_view ops, int64_t m) const {
  const auto fusion = std::ranges::find(fusions, ops, &PlanFusion::ops);
  return fusion != fusions.end() && fusion->covers(m);
}

void check_plan_machine(const Plan& plan, std::string_view machine_name,
                        std::string_view fingerprint, bool force) {
  if (force || plan.machine_fingerprint == fingerprint) return;
  throw Error(ErrorKind::kCheckFailed,
              fmt::format("the plan was made for machine {} (fingerprint {}), this one is {} "
                          "(fingerprint {}); tune for this machine, or use the plan all the same "
                          "with --force",
                          plan.machine_name, plan.machine_fingerprint, machine_name, fingerprint));
}

PlanTable make_table(PlanTable header, std::span<const TunedRow> rows) {
  std::vector<TunedRow> ordered(rows.begin(), rows.end());
  std::ranges::sort(ordered, {}, &TunedRow::m);
  header.ranges.clear();
  int64_t covered = 0;
  for (const TunedRow& row : ordered) {
    TW_CHECK(row.m > covered, "tuned rows have distinct positive m");
    if (!header.ranges.empty() && header.ranges.back().config == row.config) {
      header.ranges.back().m_max = row.m;
      header.ranges.back().time_us = row.time_us;
    } else {
      header.ranges.push_back({covered + 1, row.m, row.config, row.time_us});
    }
    covered = row.m;
  }
  return header;
}

}  // namespace tilewright
