#include "tuner/fusion/choose_patterns.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "core/graph/topological_order.h"
#include "tuner/fusion/integer_program.h"

namespace tilewright {

namespace {

/// Nodes of a branch and bound.
constexpr int64_t kMostBranches = 500;
/// Rounds of cuts; after them patterns that are part of a cycle are given up.
constexpr int kMostRounds = 30;

class PatternChooser {
 public:
  PatternChooser(const FusionGraph& graph, const std::vector<Pattern>& patterns);
  ChosenPatterns run();

 private:
  using Columns = std::vector<int32_t>;

  void solve();
  void solve_part(size_t root);
  std::optional<size_t> best_alone(const std::vector<size_t>& columns) const;
  bool cut_cycles(bool gives_up);
  std::vector<Columns> cycles() const;
  std::vector<int32_t> taken() const;

  /// Columns that rows bind to each other, by one of them.
  size_t part_of(size_t column) {
    while (parent_[column] != column) column = parent_[column] = parent_[parent_[column]];
    return column;
  }
  void bind(const Columns& columns);

  const FusionGraph& graph_;
  const std::vector<Pattern>& patterns_;  // the columns
  std::vector<IntegerProgram::Row> rows_;
  std::vector<size_t> parent_;
  std::set<size_t> open_;  // columns of parts that are to be solved
  std::vector<bool> takes_;
  std::map<size_t, double> missing_;  // by part: how much more it might be worth
  int cuts_ = 0;
};

PatternChooser::PatternChooser(const FusionGraph& graph, const std::vector<Pattern>& patterns)
    : graph_(graph), patterns_(patterns), parent_(patterns.size()), takes_(patterns.size(), false) {
  std::iota(parent_.begin(), parent_.end(), size_t{0});
  std::map<int32_t, Columns> holders;  // by op
  for (size_t column = 0; column < patterns_.size(); ++column) {
    open_.insert(column);
    for (const int32_t op : patterns_[column].nodes) {
      holders[op].push_back(static_cast<int32_t>(column));
    }
  }
  for (auto& entry : holders) {
    bind(entry.second);
    if (entry.second.size() > 1) rows_.push_back({std::move(entry.second), 1});
  }
}

void PatternChooser::bind(const Columns& columns) {
  for (const int32_t column : columns) {
    const size_t a = part_of(static_cast<size_t>(columns.front()));
    const size_t b = part_of(static_cast<size_t>(column));
    parent_[std::max(a, b)] = std::min(a, b);
  }
}

/// The pattern that is worth as much as any choice of a part: all its ops together are worth no
/// more than the best share that each has of a pattern. So it is mostly where a kernel can hold
/// them all.
std::optional<size_t> PatternChooser::best_alone(const std::vector<size_t>& columns) const {
  std::map<int32_t, double> shares;  // by op
  size_t best = columns.front();
  for (const size_t column : columns) {
    const Pattern& pattern = patterns_[column];
    if (pattern.score > patterns_[best].score) best = column;
    const double share = pattern.score / static_cast<double>(pattern.nodes.size());
    for (const int32_t op : pattern.nodes) {
      double& most = shares[op];
      most = std::max(most, share);
    }
  }
  double bound = 0;
  for (const auto& entry : shares) bound += entry.second;
  constexpr double kRounding = 1e-9;
  if (bound <= patterns_[best].score * (1 + kRounding)) return best;
  return std::nullopt;
}

/// Solves one part by itself: no row binds it to another.
void PatternChooser::solve_part(size_t root) {
  std::vector<size_t> columns;
  std::map<size_t, int32_t> place;
  for (size_t column = 0; column < patterns_.size(); ++column) {
    if (part_of(column) != root) continue;
    place[column] = static_cast<int32_t>(columns.size());
    columns.push_back(column);
  }
  if (const std::optional<size_t> alone = best_alone(columns)) {
    for (const size_t column : columns) takes_[column] = column == *alone;
    missing_[root] = 0;
    return;
  }
  IntegerProgram program;
  for (const size_t column : columns) program.weights.push_back(patterns_[column].score);
  for (const IntegerProgram::Row& row : rows_) {
    if (part_of(static_cast<size_t>(row.columns.front())) != root) continue;
    IntegerProgram::Row own{{}, row.most};
    for (const int32_t column : row.columns) {
      own.columns.push_back(place.at(static_cast<size_t>(column)));
    }
    program.rows.push_back(std::move(own));
  }
  const std::optional<IntegerSolution> solution = maximize(program, kMostBranches);
  for (size_t i = 0; i < columns.size(); ++i) {
    takes_[columns[i]] = solution && solution->takes[i];
  }
  missing_[root] = solution ? solution->bound - solution->value
                            : std::accumulate(program.weights.begin(), program.weights.end(), 0.0);
}

void PatternChooser::solve() {
  std::set<size_t> parts;
  for (const size_t column : open_) parts.insert(part_of(column));
  open_.clear();
  for (const size_t part : parts) solve_part(part);
}

std::vector<int32_t> PatternChooser::taken() const {
  std::vector<int32_t> columns;
  for (size_t column = 0; column < takes_.size(); ++column) {
    if (takes_[column]) columns.push_back(static_cast<int32_t>(column));
  }
  return columns;
}

/// The patterns along cycles of what is taken, each pattern in at most one of the list.
std::vector<PatternChooser::Columns> PatternChooser::cycles() const {
  std::vector<Columns> found;
  std::set<int32_t> dropped;
  while (true) {
    std::vector<int32_t> unit_of(static_cast<size_t>(graph_.size()));
    std::iota(unit_of.begin(), unit_of.end(), 0);
    std::map<int32_t, int32_t> pattern_of;  // by unit
    for (const int32_t column : taken()) {
      if (dropped.contains(column)) continue;
      const std::vector<int32_t>& nodes = patterns_[static_cast<size_t>(column)].nodes;
      for (const int32_t op : nodes) unit_of[static_cast<size_t>(op)] = nodes.front();
      pattern_of[nodes.front()] = column;
    }
    const TopologicalOrder sorted = topological_order(links_of_units(graph_, unit_of));
    if (sorted.cycle.empty()) return found;
    Columns columns;
    for (const int32_t unit : sorted.cycle) {
      if (const auto at = pattern_of.find(unit); at != pattern_of.end()) {
        columns.push_back(at->second);
      }
    }
    std::ranges::sort(columns);
    dropped.insert(columns.begin(), columns.end());
    found.push_back(std::move(columns));
  }
}

/// Forbids the cycles of what is taken. False where there is none.
bool PatternChooser::cut_cycles(bool gives_up) {
  const std::vector<Columns> found = cycles();
  for (const Columns& columns : found) {
    if (gives_up) {
      const auto least = std::ranges::min_element(columns, {}, [&](int32_t column) {
        return patterns_[static_cast<size_t>(column)].score;
      });
      takes_[static_cast<size_t>(*least)] = false;
      continue;
    }
    bind(columns);
    open_.insert(static_cast<size_t>(columns.front()));
    rows_.push_back({columns, static_cast<int32_t>(columns.size()) - 1});
    ++cuts_;
  }
  return !found.empty();
}

ChosenPatterns PatternChooser::run() {
  solve();
  for (int round = 0; cut_cycles(round >= kMostRounds); ++round) solve();
  ChosenPatterns chosen;
  for (const int32_t column : taken()) chosen.patterns.push_back(static_cast<size_t>(column));
  for (const auto& entry : missing_) {
    if (part_of(entry.first) == entry.first) chosen.missing += entry.second;
  }
  chosen.cuts = cuts_;
  return chosen;
}

}  // namespace

ChosenPatterns choose_patterns(const FusionGraph& graph, const std::vector<Pattern>& patterns) {
  return PatternChooser(graph, patterns).run();
}

}  // namespace tilewright
