#include "tuner/fusion/patterns.h"

#include <algorithm>
#include <set>

namespace tilewright {

namespace {

std::vector<int32_t> joined(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  std::vector<int32_t> both;
  std::ranges::set_union(a, b, std::back_inserter(both));
  return both;
}

/// The best of some sets that can be kernels; sets of one score in the order of their nodes.
std::vector<Pattern> best_of(std::vector<std::vector<int32_t>> sets, size_t most,
                             const PatternScore& score) {
  std::ranges::sort(sets);
  sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
  std::vector<Pattern> patterns;
  for (std::vector<int32_t>& nodes : sets) {
    if (const std::optional<double> value = score(nodes)) {
      patterns.push_back({std::move(nodes), *value});
    }
  }
  std::ranges::stable_sort(patterns,
                           [](const Pattern& a, const Pattern& b) { return a.score > b.score; });
  if (patterns.size() > most) patterns.resize(most);
  return patterns;
}

}  // namespace

std::vector<Pattern> reduce_patterns(int32_t producer,
                                     const std::vector<std::vector<Pattern>>& consumers,
                                     size_t most, const PatternScore& score) {
  std::vector<std::vector<Pattern>> lists;
  for (size_t first = 0; first < consumers.size(); first += 2) {
    std::vector<std::vector<int32_t>> sets = {{producer}};
    for (size_t i = first; i < std::min(consumers.size(), first + 2); ++i) {
      const size_t before = sets.size();
      for (size_t at = 0; at < before; ++at) {
        for (const Pattern& pattern : consumers[i]) {
          sets.push_back(joined(sets[at], pattern.nodes));
        }
      }
    }
    lists.push_back(best_of(std::move(sets), most, score));
  }
  if (lists.empty()) return best_of({{producer}}, most, score);
  while (lists.size() > 1) {
    std::vector<std::vector<Pattern>> merged;
    for (size_t i = 0; i < lists.size(); i += 2) {
      if (i + 1 == lists.size()) {
        merged.push_back(std::move(lists[i]));
        break;
      }
      std::vector<std::vector<int32_t>> sets;
      for (const Pattern& a : lists[i]) {
        for (const Pattern& b : lists[i + 1]) sets.push_back(joined(a.nodes, b.nodes));
      }
      merged.push_back(best_of(std::move(sets), most, score));
    }
    lists = std::move(merged);
  }
  return std::move(lists.front());
}

std::vector<std::vector<int32_t>> links_of_units(const FusionGraph& graph,
                                                 const std::vector<int32_t>& unit_of) {
  std::vector<std::vector<int32_t>> links(unit_of.size());
  for (const int32_t op : graph.nodes()) {
    const int32_t unit = unit_of[static_cast<size_t>(op)];
    for (const int32_t earlier : graph.before(op)) {
      const int32_t other = unit_of[static_cast<size_t>(earlier)];
      if (other != unit) links[static_cast<size_t>(unit)].push_back(other);
    }
  }
  return links;
}

bool is_convex(const FusionGraph& graph, const std::vector<int32_t>& nodes) {
  int32_t last = 0;
  for (const int32_t op : nodes) last = std::max(last, graph.rank(op));
  std::set<int32_t> seen;
  std::vector<int32_t> todo;
  const auto visit = [&](int32_t op, bool is_inside) {
    for (const int32_t next : graph.after(op)) {
      if (graph.rank(next) > last) continue;
      if (std::ranges::binary_search(nodes, next)) {
        if (!is_inside) return false;
      } else if (seen.insert(next).second) {
        todo.push_back(next);
      }
    }
    return true;
  };
  for (const int32_t op : nodes) visit(op, true);
  while (!todo.empty()) {
    const int32_t op = todo.back();
    todo.pop_back();
    if (!visit(op, false)) return false;
  }
  return true;
}

}  // namespace tilewright
