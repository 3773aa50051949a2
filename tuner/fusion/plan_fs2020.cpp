#include <algorithm>
#include <memory>

#include "tuner/fusion/patterns.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

namespace {

constexpr size_t kMostPatterns = 3;
constexpr size_t kBeam = 3;
/// Larger sets are not looked at: a kernel of more ops saves no more than two.
constexpr size_t kMostNodes = 400;

/// A partial plan of the beam: its last pattern, and what came before.
struct Chain {
  std::shared_ptr<const Chain> before = {};
  const Pattern* pattern = nullptr;
};

struct Partial {
  std::shared_ptr<const Chain> chain = {};
  std::vector<bool> taken = {};  ///< by op
  double score = 0;
};

class PatternPlanner {
 public:
  PatternPlanner(RegionCost& cost, const PlanOptions& options)
      : cost_(cost), graph_(cost.graph()), options_(options) {
    order_ = graph_.nodes();
    std::erase_if(order_, [&](int32_t op) { return !graph_.is_fusible(op); });
    std::ranges::sort(order_, {}, [&](int32_t op) { return graph_.rank(op); });
  }

  PlannedRegion run();

 private:
  /// Code generation exchanges values inside a core only: no barrier.
  std::optional<double> score(const std::vector<int32_t>& nodes);
  void find_patterns();
  std::vector<Partial> beam() const;
  Groups groups_of(const Partial& partial) const;
  double time_of(const Groups& groups);

  RegionCost& cost_;
  const FusionGraph& graph_;
  const PlanOptions& options_;
  std::vector<int32_t> order_;                  // fusible nodes, producers first
  std::vector<std::vector<Pattern>> patterns_;  // by op
  int64_t candidates_ = 0;
};

std::optional<double> PatternPlanner::score(const std::vector<int32_t>& nodes) {
  ++candidates_;
  if (nodes.size() > kMostNodes) return std::nullopt;
  if (nodes.size() == 1) return 0.0;
  if (!is_convex(graph_, nodes)) return std::nullopt;
  const FusedOps kernel = kernel_of(graph_, nodes);
  if (!why_illegal_kernel(graph_, kernel).empty()) return std::nullopt;
  const KernelFigures& figures = cost_.figures(kernel);
  if (!figures.is_feasible() || figures.barriers > 0) return std::nullopt;
  return cost_.delta_us(nodes);
}

/// Consumers first, each op's list from those of its consumers.
void PatternPlanner::find_patterns() {
  patterns_.resize(static_cast<size_t>(graph_.size()));
  for (size_t i = order_.size(); i-- > 0;) {
    const int32_t op = order_[i];
    std::vector<std::vector<Pattern>> consumers;
    for (const int32_t reader : graph_.readers(op)) {
      if (graph_.is_fusible(reader)) consumers.push_back(patterns_[static_cast<size_t>(reader)]);
    }
    patterns_[static_cast<size_t>(op)] =
        reduce_patterns(op, consumers, kMostPatterns,
                        [&](const std::vector<int32_t>& nodes) { return score(nodes); });
  }
}

std::vector<Partial> PatternPlanner::beam() const {
  std::vector<Partial> beam(1);
  beam[0].taken.assign(static_cast<size_t>(graph_.size()), false);
  struct Choice {
    double score;
    size_t partial;
    const Pattern* pattern;
  };
  for (const int32_t op : order_) {
    std::vector<Choice> choices;
    for (size_t i = 0; i < beam.size(); ++i) {
      choices.push_back({beam[i].score, i, nullptr});
      if (beam[i].taken[static_cast<size_t>(op)]) continue;
      for (const Pattern& pattern : patterns_[static_cast<size_t>(op)]) {
        const bool is_free = std::ranges::none_of(
            pattern.nodes, [&](int32_t node) { return beam[i].taken[static_cast<size_t>(node)]; });
        if (is_free && pattern.score > 0) {
          choices.push_back({beam[i].score + pattern.score, i, &pattern});
        }
      }
    }
    if (choices.size() == beam.size()) continue;
    std::ranges::stable_sort(choices,
                             [](const Choice& a, const Choice& b) { return a.score > b.score; });
    if (choices.size() > kBeam) choices.resize(kBeam);
    std::vector<Partial> next;
    for (const Choice& choice : choices) {
      Partial partial = beam[choice.partial];
      if (choice.pattern) {
        partial.score = choice.score;
        partial.chain = std::make_shared<const Chain>(Chain{partial.chain, choice.pattern});
        for (const int32_t node : choice.pattern->nodes) {
          partial.taken[static_cast<size_t>(node)] = true;
        }
      }
      next.push_back(std::move(partial));
    }
    beam = std::move(next);
  }
  return beam;
}

/// The patterns of a plan, less those that would make a cycle with better ones; then remote fusion:
/// patterns that are near in the order and not adjacent.
Groups PatternPlanner::groups_of(const Partial& partial) const {
  std::vector<const Pattern*> patterns;
  for (const Chain* at = partial.chain.get(); at; at = at->before.get()) {
    patterns.push_back(at->pattern);
  }
  std::ranges::stable_sort(patterns,
                           [](const Pattern* a, const Pattern* b) { return a->score > b->score; });
  Groups taken;
  for (const Pattern* pattern : patterns) taken.push_back(pattern->nodes);
  std::optional<Clusters> clusters = Clusters::of(graph_, taken);
  if (!clusters) {
    taken.clear();
    for (const Pattern* pattern : patterns) {
      taken.push_back(pattern->nodes);
      if (!Clusters::of(graph_, taken)) taken.pop_back();
    }
    clusters = Clusters::of(graph_, taken);
  }
  std::vector<int32_t> list = clusters->clusters();
  std::erase_if(list, [&](int32_t cluster) { return !clusters->is_fusible(cluster); });
  for (size_t i = 0; i + 1 < list.size(); ++i) {
    const int32_t a = clusters->cluster_of(list[i]);
    const int32_t b = clusters->cluster_of(list[i + 1]);
    if (a != b && !clusters->before(b).contains(a)) clusters->merge(a, b);
  }
  return clusters->groups();
}

double PatternPlanner::time_of(const Groups& groups) {
  constexpr double kImpossible = 1e12;
  double us = 0;
  for (const std::vector<int32_t>& group : groups) {
    us += cost_.estimated_us(kernel_of(graph_, group)).value_or(kImpossible);
  }
  return us;
}

PlannedRegion PatternPlanner::run() {
  find_patterns();
  Groups best;
  double best_us = 0;
  for (const Partial& partial : beam()) {
    const Groups groups =
        feasible_groups(cost_, constrained_groups(cost_, groups_of(partial), options_));
    const double us = time_of(groups);
    if (!best.empty() && us >= best_us) continue;
    best = groups;
    best_us = us;
  }
  PlannedRegion result;
  result.plan = plan_of(graph_, best);
  result.candidates = candidates_;
  return result;
}

}  // namespace

PlannedRegion plan_fs2020(RegionCost& cost, const PlanOptions& options) {
  return PatternPlanner(cost, options).run();
}

}  // namespace tilewright
