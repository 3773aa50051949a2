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

/// Units cut into parts of at most `wanted` keys; those that `stays` marks only where they must.
Candidate cut_to(std::span<const int64_t> keys, int64_t wanted, const std::vector<char>& stays,
                 const KvSplitRule& rule) {
  Candidate candidate;
  std::vector<int64_t> loads;
  int64_t longest = 0;
  bool cuts = false;
  for (size_t unit = 0; unit < keys.size(); ++unit) {
    const int64_t count = keys[unit];
    const int64_t granules = ceil_div(count, rule.granule);
    const int64_t free =
        stays[unit] != 0 ? 1 : std::min({ceil_div(count, wanted), granules, rule.limit});
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

/// Marks all units but the shortest that are left over when every core has had as many.
std::vector<char> all_but_the_rest(std::span<const int64_t> keys, int64_t cores) {
  std::vector<size_t> order(keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return keys[a] > keys[b]; });
  std::vector<char> stays(keys.size(), 0);
  const size_t whole = keys.size() / static_cast<size_t>(cores) * static_cast<size_t>(cores);
  for (size_t i = 0; i < whole; ++i) stays[order[i]] = 1;
  return stays;
}

}  // namespace

std::vector<int64_t> plan_kv_split(std::span<const int64_t> keys, const KvSplitRule& rule) {
  if (keys.empty()) return {};
  const int64_t longest = *std::max_element(keys.begin(), keys.end());
  const int64_t all = std::accumulate(keys.begin(), keys.end(), int64_t{0});
  const int64_t bound = std::max(rule.enough, ceil_div(all, rule.cores));
  const std::vector<char> none(keys.size(), 0);
  const std::vector<char> most = rule.cuts_rest ? all_but_the_rest(keys, rule.cores) : none;
  Candidate best = cut_to(keys, longest, none, rule);
  for (int64_t p = 2; p <= rule.limit && best.cost > bound + bound / 16; ++p) {
    const int64_t wanted = ceil_div(longest, p);
    Candidate rest = cut_to(keys, wanted, most, rule);
    if (rest.total > kMostPartsPerCore * rule.cores) break;
    if (rest.cost < best.cost) best = std::move(rest);
    Candidate next = cut_to(keys, wanted, none, rule);
    if (next.total > kMostPartsPerCore * rule.cores) continue;
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
