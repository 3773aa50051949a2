#include "core/space/diagram.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/space/column_expression.h"
#include "core/space/tuple_table.h"

namespace tilewright {

namespace {

constexpr uint32_t kEnd = 0;  // the node behind the last parameter
constexpr uint32_t kDead = std::numeric_limits<uint32_t>::max();
constexpr uint32_t kNone = kDead - 1;
constexpr size_t kWordsPerRun = 3;  // place, length, child
constexpr uint32_t kWordBits = 64;

/// Appends places that lead to the same child to the runs of a node.
void add_run(std::vector<uint32_t>& runs, const std::array<uint32_t, kWordsPerRun>& run) {
  const auto [place, length, child] = run;
  const size_t size = runs.size();
  const bool joins =
      size > 0 && runs[size - 1] == child && runs[size - 3] + runs[size - 2] == place;
  if (joins) {
    runs[size - 2] += length;
  } else {
    runs.insert(runs.end(), run.begin(), run.end());
  }
}

/// The same of a single place.
void add_place(std::vector<uint32_t>& runs, uint32_t place, uint32_t child) {
  add_run(runs, {place, 1, child});
}

/// a * b + c, or kTooMany.
int64_t saturated(int64_t a, int64_t b, int64_t c) {
  int64_t result = 0;
  const bool fits = a != Diagram::kTooMany && c != Diagram::kTooMany &&
                    !__builtin_mul_overflow(a, b, &result) &&
                    !__builtin_add_overflow(result, c, &result);
  return fits ? result : Diagram::kTooMany;
}

}  // namespace

/// Nodes of a diagram in the making, equal ones once.
class DiagramNodes {
 public:
  DiagramNodes() { nodes_.intern({}); }

  uint32_t add(std::span<const uint32_t> runs) {
    return runs.empty() ? kDead : nodes_.intern(runs).first;
  }
  size_t words() const { return nodes_.words() + 8 * nodes_.size(); }

  Diagram finish(uint32_t root) const {
    Diagram diagram;
    diagram.counts_ = {1};
    diagram.first_ = {0, 0};
    if (root == kDead) {
      diagram.counts_[0] = 0;
      return diagram;
    }
    for (uint32_t node = 1; node < nodes_.size(); ++node) {
      const std::span<const uint32_t> runs = nodes_[node];
      int64_t count = 0;
      for (size_t i = 0; i < runs.size(); i += kWordsPerRun) {
        diagram.edge_place_.push_back(runs[i]);
        diagram.edge_child_.push_back(runs[i + 2]);
        diagram.edge_before_.push_back(count);
        count = saturated(diagram.counts_[runs[i + 2]], runs[i + 1], count);
      }
      diagram.counts_.push_back(count);
      diagram.first_.push_back(static_cast<uint32_t>(diagram.edge_place_.size()));
    }
    diagram.root_ = root;
    return diagram;
  }

 private:
  TupleTable nodes_;
};

namespace {

/// Walks the product of some parameters, each combination of states of the rules once.
class RuleWalk {
 public:
  RuleWalk(const Space& space, std::span<const size_t> parameters,
           std::span<const Rule* const> rules, const std::function<bool()>& stop)
      : space_(space),
        parameters_(parameters),
        stop_(stop),
        levels_(parameters.size()),
        at_(parameters.size()) {
    for (size_t level = 0; level < parameters.size(); ++level) {
      levels_[level].values =
          static_cast<uint32_t>(space.parameters()[parameters[level]].values.size());
    }
    for (const Rule* rule : rules) {
      if (rule->is_table()) {
        add_table(*rule);
      } else {
        add_evaluated(*rule);
      }
    }
  }

  Diagram build() {
    prepare_leaves();
    const uint32_t root = node(0);
    return nodes_.finish(root);
  }

 private:
  struct Touch {
    size_t state;                      ///< in states_
    const std::vector<int32_t>* next;  ///< of the rule at this level
    int32_t before = 0;                ///< the state that the level began with
  };
  struct Stage {
    size_t expression;  ///< in evaluated_
    size_t stage;
  };
  /// A rule without a table that is an expression.
  struct Evaluated {
    StagedExpression staged;
    std::optional<ColumnExpression> columns = {};
    std::vector<size_t> levels = {};  ///< of its stages
    bool in_columns = false;          ///< the truth of its last stages is in `columns`
    // Points that were computed in columns, and those that the walk came to.
    int64_t computed = 0;
    int64_t needed = 0;
  };
  /// Nodes of the last level found before, by the places that are legal there.
  struct Leaves {
    std::vector<uint64_t> rows;  ///< one behind the other
    std::vector<uint32_t> made;  ///< the node of each; kNone: not there
  };
  struct Level {
    uint32_t values = 0;
    std::vector<Touch> touched;
    std::vector<Stage> stages;            ///< of expressions without a table
    std::vector<const Rule*> predicates;  ///< without a table, whose last parameter this is
    std::vector<size_t> live_states;      ///< of tables begun before and not done
    std::vector<size_t> live_places;      ///< levels that rules without a table look back at
    TupleTable seen;
    std::vector<uint32_t> made;  ///< the node of each tuple seen
    std::vector<uint32_t> key;
    std::vector<uint32_t> runs;
  };

  size_t level_of(size_t parameter) const {
    return static_cast<size_t>(std::ranges::lower_bound(parameters_, parameter) -
                               parameters_.begin());
  }

  void add_table(const Rule& rule) {
    const size_t state = states_.size();
    states_.push_back(0);
    for (size_t k = 0; k < rule.inputs.size(); ++k) {
      levels_[level_of(rule.inputs[k])].touched.push_back({state, &rule.next[k]});
    }
    const size_t last = level_of(rule.inputs.back());
    for (size_t level = level_of(rule.inputs.front()) + 1; level <= last; ++level) {
      levels_[level].live_states.push_back(state);
    }
  }

  void add_evaluated(const Rule& rule) {
    const size_t last = level_of(rule.inputs.back());
    std::vector<size_t> levels;
    for (size_t k = 0; k < rule.inputs.size(); ++k) {
      const size_t level = level_of(rule.inputs[k]);
      levels.push_back(level);
      if (rule.staged) levels_[level].stages.push_back({evaluated_.size(), k});
      for (size_t later = level + 1; later <= last; ++later) {
        levels_[later].live_places.push_back(level);
      }
    }
    if (rule.staged) {
      evaluated_.push_back({*rule.staged, ColumnExpression::of(*rule.staged), std::move(levels)});
    } else {
      levels_[last].predicates.push_back(&rule);
    }
    for (Level& level : levels_) {
      std::ranges::sort(level.live_places);
      level.live_places.erase(std::unique(level.live_places.begin(), level.live_places.end()),
                              level.live_places.end());
    }
  }

  bool holds(const Rule& rule) {
    arguments_.clear();
    for (const size_t input : rule.order) {
      const size_t parameter = rule.inputs[input];
      arguments_.push_back(space_.parameters()[parameter].values[at_[level_of(parameter)]]);
    }
    return rule.predicate->holds(arguments_);
  }

  bool is_last(const Stage& stage) const {
    return stage.stage + 1 == evaluated_[stage.expression].staged.stages();
  }
  bool is_in_columns(const Stage& stage) const {
    const Evaluated& rule = evaluated_[stage.expression];
    return rule.in_columns && stage.stage >= rule.columns->first_stage();
  }

  /// Gives an expression the value of one of its parameters; false when that refuses it.
  bool enter(const Stage& stage, uint32_t place) {
    Evaluated& rule = evaluated_[stage.expression];
    if (!is_in_columns(stage)) {
      rule.staged.set(stage.stage, place);
      return !is_last(stage) || rule.staged.holds();
    }
    if (!is_last(stage)) return true;
    ++rule.needed;
    return rule.columns->holds(point_before(rule) + place);
  }

  /// The point of the places in hand, with place 0 in the last stage.
  size_t point_before(const Evaluated& rule) const {
    size_t point = 0;
    for (size_t k = rule.columns->first_stage(); k + 1 < rule.levels.size(); ++k) {
      point += at_[rule.levels[k]] * rule.columns->stride(k);
    }
    return point;
  }

  /// Computes the columns that begin at a level. False when one of them refuses all that follows.
  bool compute_columns(const Level& level) {
    for (const Stage& stage : level.stages) {
      Evaluated& rule = evaluated_[stage.expression];
      if (!rule.columns || stage.stage != rule.columns->first_stage()) continue;
      // Where other rules leave little, few points are better evaluated one at a time.
      constexpr int64_t kGain = 32;
      constexpr int64_t kEnoughToTell = int64_t{1} << 16;
      rule.in_columns = rule.computed < kEnoughToTell || rule.needed * kGain >= rule.computed;
      if (!rule.in_columns) continue;
      rule.computed += static_cast<int64_t>(rule.columns->points());
      if (!rule.columns->evaluate(rule.staged)) {
        // It took as many points as there are to find that.
        rule.needed += static_cast<int64_t>(rule.columns->points());
        return false;
      }
    }
    return true;
  }

  /// The legal places of the last level, as bits.
  void find_leaves(Level& level) {
    leaf_.assign((level.values + kWordBits - 1) / kWordBits, ~uint64_t{0});
    if (level.values % kWordBits != 0) leaf_.back() >>= kWordBits - level.values % kWordBits;
    for (const Touch& touch : level.touched) {
      const size_t row = static_cast<size_t>(touch.before) * leaf_.size();
      const std::vector<uint64_t>& legal = leaf_tables_[touch.state];
      for (size_t i = 0; i < leaf_.size(); ++i) leaf_[i] &= legal[row + i];
    }
    bool alone = !level.predicates.empty();
    for (const Stage& stage : level.stages) {
      if (!is_in_columns(stage)) {
        alone = true;
        continue;
      }
      Evaluated& rule = evaluated_[stage.expression];
      for (const uint64_t word : leaf_) rule.needed += std::popcount(word);
      leaf_row_.resize(leaf_.size());
      rule.columns->row(point_before(rule), level.values, leaf_row_);
      for (size_t i = 0; i < leaf_.size(); ++i) leaf_[i] &= leaf_row_[i];
    }
    if (!alone) return;
    for (size_t i = 0; i < leaf_.size(); ++i) {
      for (uint64_t left = leaf_[i]; left != 0; left &= left - 1) {
        const auto bit = static_cast<uint32_t>(std::countr_zero(left));
        const uint32_t place = static_cast<uint32_t>(i * kWordBits) + bit;
        if (!enters_alone(level, place)) leaf_[i] &= ~(uint64_t{1} << bit);
      }
    }
  }

  /// Whether the rules of the last level that are neither tables nor columns allow a place.
  bool enters_alone(Level& level, uint32_t place) {
    at_.back() = place;
    for (const Stage& stage : level.stages) {
      if (!is_in_columns(stage) && !enter(stage, place)) return false;
    }
    return std::ranges::all_of(level.predicates, [&](const Rule* rule) { return holds(*rule); });
  }

  /// The node of the last level.
  uint32_t leaf(Level& level) {
    find_leaves(level);
    uint64_t hash = 0;
    for (const uint64_t word : leaf_) hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    const size_t slot = (hash >> 32) % leaves_.made.size();
    uint64_t* const row = leaves_.rows.data() + slot * leaf_.size();
    if (leaves_.made[slot] != kNone && std::equal(leaf_.begin(), leaf_.end(), row)) {
      return leaves_.made[slot];
    }
    level.runs.clear();
    for (uint32_t i = 0; i < leaf_.size(); ++i) {
      for (uint64_t left = leaf_[i]; left != 0;) {
        const auto begin = static_cast<uint32_t>(std::countr_zero(left));
        const auto length = static_cast<uint32_t>(std::countr_one(left >> begin));
        add_run(level.runs, {i * kWordBits + begin, length, kEnd});
        if (begin + length == kWordBits) break;
        left &= ~uint64_t{0} << (begin + length);
      }
    }
    const uint32_t made = nodes_.add(level.runs);
    std::ranges::copy(leaf_, row);
    leaves_.made[slot] = made;
    return made;
  }

  /// What leaf() needs of the last level.
  void prepare_leaves() {
    const Level& level = levels_.back();
    const size_t words = (level.values + kWordBits - 1) / kWordBits;
    leaf_tables_.resize(states_.size());
    for (const Touch& touch : level.touched) {
      const size_t states = touch.next->size() / level.values;
      std::vector<uint64_t>& legal = leaf_tables_[touch.state];
      legal.assign(states * words, 0);
      for (size_t i = 0; i < touch.next->size(); ++i) {
        const size_t place = i % level.values;
        const uint64_t bit = (*touch.next)[i] < 0 ? 0 : 1;
        legal[i / level.values * words + place / kWordBits] |= bit << place % kWordBits;
      }
    }
    constexpr size_t kWords = size_t{1} << 17;  // 1 MiB
    constexpr size_t kMostRows = 1024;
    const size_t rows = std::clamp<size_t>(kWords / words, 1, kMostRows);
    leaves_ = {std::vector<uint64_t>(rows * words), std::vector<uint32_t>(rows, kNone)};
  }

  /// Gives the parameter of a level a value; false when a rule refuses it.
  bool enter(Level& level, uint32_t place) {
    for (const Touch& touch : level.touched) {
      const size_t at = static_cast<size_t>(touch.before) * level.values + place;
      const int32_t to = (*touch.next)[at];
      if (to < 0) return false;
      states_[touch.state] = to;
    }
    for (const Stage& stage : level.stages) {
      if (!enter(stage, place)) return false;
    }
    return std::ranges::all_of(level.predicates, [&](const Rule* rule) { return holds(*rule); });
  }

  /// The node of the current states before a level.
  uint32_t node(size_t number) {
    if (number == levels_.size()) return kEnd;
    Level& level = levels_[number];
    // Prefixes that all differ for the rules are not looked up: each comes once.
    const bool looked_up = number > 0 && level.live_places.size() < number;
    uint32_t key = 0;
    if (looked_up) {
      level.key.clear();
      for (const size_t state : level.live_states) {
        level.key.push_back(static_cast<uint32_t>(states_[state]));
      }
      for (const size_t earlier : level.live_places) level.key.push_back(at_[earlier]);
      const auto [tuple, is_new] = level.seen.intern(level.key);
      if (!is_new) return level.made[tuple];
      key = tuple;
      level.made.push_back(kDead);
    }
    check_size(level.values);
    for (Touch& touch : level.touched) touch.before = states_[touch.state];
    if (!compute_columns(level)) return kDead;
    if (number + 1 == levels_.size()) {
      const uint32_t made = leaf(level);
      if (looked_up) level.made[key] = made;
      return made;
    }
    level.runs.clear();
    for (uint32_t place = 0; place < level.values; ++place) {
      at_[number] = place;
      if (!enter(level, place)) continue;
      const uint32_t child = node(number + 1);
      if (child != kDead) add_place(level.runs, place, child);
    }
    for (const Touch& touch : level.touched) states_[touch.state] = touch.before;
    const uint32_t made = nodes_.add(level.runs);
    if (looked_up) level.made[key] = made;
    return made;
  }

  void check_size(int64_t steps) {
    steps_ += steps;
    ++visits_;
    constexpr int64_t kStepsBetween = int64_t{1} << 20;  // a tenth of a second at most
    if (stop_ && steps_ >= next_stop_) {
      if (stop_()) throw Error(ErrorKind::kFailed, "interrupted");
      next_stop_ = steps_ + kStepsBetween;
    }
    // Counting the tables' words at each node would cost more than the node.
    constexpr int64_t kVisitsBetween = 4096;
    size_t words = 0;
    if (visits_ % kVisitsBetween == 0) {
      words = nodes_.words();
      for (const Level& level : levels_) words += level.seen.words() + 9 * level.seen.size();
    }
    const auto bytes = static_cast<int64_t>(words * sizeof(uint32_t));
    if (steps_ <= kMaxDiagramSteps && bytes <= kMaxDiagramBytes) return;
    std::vector<std::string> names;
    for (const size_t parameter : parameters_) names.push_back(space_.parameters()[parameter].name);
    throw Error(
        ErrorKind::kUsage,
        fmt::format("the space of {}, which constraints connect, takes more than {} to "
                    "number; give these parameters fewer values",
                    join(names, ", "),
                    bytes > kMaxDiagramBytes ? format_bytes(static_cast<double>(kMaxDiagramBytes))
                                             : format_count(kMaxDiagramSteps) + " checks"));
  }

  const Space& space_;
  std::span<const size_t> parameters_;
  const std::function<bool()>& stop_;
  std::vector<Level> levels_;
  std::vector<uint32_t> at_;  // place of each level's parameter
  std::vector<int32_t> states_;
  std::vector<Evaluated> evaluated_;
  std::vector<std::vector<uint64_t>> leaf_tables_;  // by state: legal places of the last level
  std::vector<uint64_t> leaf_;                      // legal places of the node in hand
  std::vector<uint64_t> leaf_row_;
  Leaves leaves_;
  std::vector<int64_t> arguments_;
  DiagramNodes nodes_;
  int64_t steps_ = 0;
  int64_t visits_ = 0;
  int64_t next_stop_ = 0;  ///< steps at which `stop_` is asked
};

/// The node of rows [begin, end), which agree before `level`.
uint32_t listed_node(const std::vector<std::vector<uint32_t>>& rows, size_t begin, size_t end,
                     size_t level, size_t levels, DiagramNodes& nodes) {
  if (level == levels) return kEnd;
  std::vector<uint32_t> runs;
  while (begin < end) {
    const uint32_t place = rows[begin][level];
    size_t same = begin;
    while (same < end && rows[same][level] == place) ++same;
    add_place(runs, place, listed_node(rows, begin, same, level + 1, levels, nodes));
    begin = same;
  }
  return nodes.add(runs);
}

}  // namespace

Diagram::Step Diagram::step_to(uint32_t node, int64_t continuation) const {
  const auto begin = edge_before_.begin() + first_[node];
  const auto end = edge_before_.begin() + first_[node + 1];
  const auto edge =
      static_cast<uint32_t>(std::upper_bound(begin, end, continuation) - edge_before_.begin() - 1);
  const uint32_t child = edge_child_[edge];
  const int64_t skipped = (continuation - edge_before_[edge]) / counts_[child];
  return {edge_place_[edge] + static_cast<uint32_t>(skipped), child,
          edge_before_[edge] + skipped * counts_[child]};
}

bool Diagram::step_through(uint32_t node, uint32_t place, Step& step) const {
  const auto begin = edge_place_.begin() + first_[node];
  const auto end = edge_place_.begin() + first_[node + 1];
  const auto found = std::upper_bound(begin, end, place);
  if (found == begin) return false;
  const auto edge = static_cast<uint32_t>(found - edge_place_.begin() - 1);
  const int64_t skipped = int64_t{place} - edge_place_[edge];
  if (skipped >= length(node, edge)) return false;
  const uint32_t child = edge_child_[edge];
  step = {place, child, edge_before_[edge] + skipped * counts_[child]};
  return true;
}

int64_t Diagram::bytes() const {
  return std::ssize(counts_) * static_cast<int64_t>(sizeof(uint32_t) + sizeof(int64_t)) +
         std::ssize(edge_place_) * static_cast<int64_t>(2 * sizeof(uint32_t) + sizeof(int64_t));
}

Diagram diagram_of(const Space& space, std::span<const size_t> parameters,
                   std::span<const Rule* const> rules, const std::function<bool()>& stop) {
  return RuleWalk(space, parameters, rules, stop).build();
}

Diagram listed_diagram(size_t parameters, const std::vector<std::vector<uint32_t>>& rows) {
  DiagramNodes nodes;
  const uint32_t root =
      rows.empty() ? kDead : listed_node(rows, 0, rows.size(), 0, parameters, nodes);
  return nodes.finish(root);
}

}  // namespace tilewright
