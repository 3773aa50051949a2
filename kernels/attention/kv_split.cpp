#include "kernels/attention/kv_split.h"

#include <algorithm>

#include "core/base/integers.h"
#include "kernels/attention/task_table.h"

namespace tilewright {

namespace {

std::vector<int64_t> parts_of_at_most(std::span<const int64_t> keys, int64_t longest,
                                      const KvSplitRule& rule) {
  std::vector<int64_t> parts;
  parts.reserve(keys.size());
  for (const int64_t count : keys) {
    const int64_t granules = std::max<int64_t>(1, ceil_div(count, rule.granule));
    parts.push_back(std::min({ceil_div(count, longest), granules, rule.limit}));
  }
  return parts;
}

int64_t makespan_of(std::span<const int64_t> keys, std::span<const int64_t> parts,
                    const KvSplitRule& rule) {
  std::vector<int64_t> loads;
  for (size_t unit = 0; unit < keys.size(); ++unit) {
    for (int64_t part = 0; part < parts[unit]; ++part) {
      const int64_t count = kv_part(keys[unit], parts[unit], part, rule.granule).count;
      loads.push_back(count + (parts[unit] > 1 ? rule.overhead : 0));
    }
  }
  return makespan(loads, assign_tasks(loads, rule.cores, Assignment::kGreedy));
}

}  // namespace

std::vector<int64_t> plan_kv_split(std::span<const int64_t> keys, const KvSplitRule& rule) {
  std::vector<int64_t> best(keys.size(), 1);
  if (rule.limit <= 1 || keys.empty()) return best;
  const int64_t longest = *std::max_element(keys.begin(), keys.end());
  int64_t least = makespan_of(keys, best, rule);
  for (int64_t p = 2; p <= rule.limit && least > rule.enough; ++p) {
    std::vector<int64_t> parts = parts_of_at_most(keys, ceil_div(longest, p), rule);
    const int64_t length = makespan_of(keys, parts, rule);
    if (length >= least) continue;
    least = length;
    best = std::move(parts);
  }
  return best;
}

KeyRange kv_part(int64_t keys, int64_t parts, int64_t part, int64_t granule) {
  const int64_t granules = ceil_div(keys, granule);
  const int64_t each = granules / parts;
  const int64_t longer = granules % parts;
  const int64_t first = (part * each + std::min(part, longer)) * granule;
  const int64_t count = (each + (part < longer ? 1 : 0)) * granule;
  return {first, std::min(count, keys - first)};
}

}  // namespace tilewright
