#include "kernels/attention/kv_split.h"

#include <algorithm>
#include <numeric>

#include "core/base/integers.h"
#include "kernels/attention/task_table.h"

namespace tilewright {

namespace {

constexpr int64_t kMostPartsPerCore = 8;

struct Candidate {
  std::vector<int64_t> parts;
  int64_t total = 0;  // parts of all units
  int64_t cost = 0;
};

Candidate cut_to(std::span<const int64_t> keys, int64_t wanted, const KvSplitRule& rule) {
  Candidate candidate;
  std::vector<int64_t> loads;
  int64_t longest = 0;
  bool cuts = false;
  for (const int64_t count : keys) {
    const int64_t granules = ceil_div(count, rule.granule);
    const int64_t free = std::min({ceil_div(count, wanted), granules, rule.limit});
    const int64_t parts = std::max(free, std::min(granules, ceil_div(count, rule.longest)));
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t length = kv_part(count, parts, part, rule.granule).count;
      loads.push_back(length + (parts > 1 ? rule.part_overhead : 0));
      longest = std::max(longest, loads.back());
    }
    cuts = cuts || parts > 1;
    candidate.parts.push_back(parts);
    candidate.total += parts;
  }
  const int64_t length = makespan(loads, assign_tasks(loads, rule.cores, Assignment::kGreedy));
  candidate.cost = std::max(length, rule.enough) + longest + (cuts ? rule.merge_overhead : 0);
  return candidate;
}

}  // namespace

std::vector<int64_t> plan_kv_split(std::span<const int64_t> keys, const KvSplitRule& rule) {
  if (keys.empty()) return {};
  const int64_t longest = *std::max_element(keys.begin(), keys.end());
  const int64_t all = std::accumulate(keys.begin(), keys.end(), int64_t{0});
  const int64_t bound = std::max(rule.enough, ceil_div(all, rule.cores));
  Candidate best = cut_to(keys, longest, rule);
  for (int64_t p = 2; p <= rule.limit && best.cost > bound + bound / 16; ++p) {
    Candidate next = cut_to(keys, ceil_div(longest, p), rule);
    if (next.total > kMostPartsPerCore * rule.cores) break;
    if (next.cost < best.cost) best = std::move(next);
  }
  return best.parts;
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
