#include "core/space/rule.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/space/space_expression.h"
#include "core/space/tuple_table.h"

namespace tilewright {

namespace {

using Table = std::vector<int32_t>;

/// Evaluations that making a table may take: of expressions, tens of nanoseconds each, and of
/// predicates, which may format a text each.
constexpr size_t kMostStagedEvaluations = size_t{1} << 22;
constexpr size_t kMostPredicateCalls = size_t{1} << 16;

/// Merges states with equal continuations and removes those without any. False when nothing is
/// left.
bool minimise(std::vector<Table>& next, std::span<const size_t> values) {
  std::vector<int32_t> merged = {0};  // of the states behind the level in hand
  for (size_t level = next.size(); level-- > 0;) {
    const size_t states = next[level].size() / values[level];
    TupleTable rows;
    std::vector<int32_t> numbers(states, -1);
    std::vector<uint32_t> row(values[level]);
    for (size_t state = 0; state < states; ++state) {
      bool alive = false;
      for (size_t place = 0; place < row.size(); ++place) {
        const int32_t to = next[level][state * row.size() + place];
        const int32_t number = to < 0 ? -1 : merged[static_cast<size_t>(to)];
        alive = alive || number >= 0;
        row[place] = static_cast<uint32_t>(number);
      }
      if (alive) numbers[state] = static_cast<int32_t>(rows.intern(row).first);
    }
    Table reduced;
    reduced.reserve(rows.words());
    for (uint32_t number = 0; number < rows.size(); ++number) {
      for (const uint32_t to : rows[number]) reduced.push_back(static_cast<int32_t>(to));
    }
    next[level] = std::move(reduced);
    merged = std::move(numbers);
  }
  return merged[0] >= 0;
}

/// Whether no state of a minimal automaton refuses anything.
bool always_holds(const std::vector<Table>& next) {
  return std::ranges::all_of(next, [](const Table& table) {
    return std::ranges::all_of(table, [](int32_t to) { return to == 0; });
  });
}

/// The automaton of an expression; states are what later stages need of earlier ones. Empty when
/// there are too many.
std::vector<Table> staged_tables(StagedExpression& staged) {
  std::vector<Table> next(staged.stages());
  size_t evaluations = 0;
  std::vector<uint32_t> words;
  TupleTable states;
  states.intern({});
  for (size_t stage = 0; stage < next.size(); ++stage) {
    const bool last = stage + 1 == next.size();
    TupleTable behind;
    evaluations += states.size() * staged.values(stage);
    if (evaluations > kMostStagedEvaluations) return {};
    for (uint32_t state = 0; state < states.size(); ++state) {
      if (stage > 0) staged.restore(stage - 1, states[state]);
      for (size_t place = 0; place < staged.values(stage); ++place) {
        staged.set(stage, place);
        if (last) {
          next[stage].push_back(staged.holds() ? 0 : -1);
        } else {
          staged.save(stage, words);
          next[stage].push_back(static_cast<int32_t>(behind.intern(words).first));
        }
      }
    }
    states = std::move(behind);
  }
  return next;
}

/// The automaton of a predicate: its truth table, before states are merged.
std::vector<Table> predicate_tables(const Rule& rule, const Space& space,
                                    std::span<const size_t> values) {
  size_t calls = 1;
  for (const size_t count : values) {
    calls *= count;
    if (calls > kMostPredicateCalls) return {};
  }
  std::vector<Table> next(values.size());
  size_t states = 1;
  for (size_t level = 0; level + 1 < values.size(); ++level) {
    states *= values[level];
    for (size_t to = 0; to < states; ++to) next[level].push_back(static_cast<int32_t>(to));
  }
  std::vector<int64_t> inputs(values.size());
  std::vector<int64_t> arguments(rule.order.size());
  for (size_t number = 0; number < calls; ++number) {
    size_t rest = number;
    for (size_t level = values.size(); level-- > 0; rest /= values[level]) {
      inputs[level] = space.parameters()[rule.inputs[level]].values[rest % values[level]];
    }
    for (size_t i = 0; i < arguments.size(); ++i) arguments[i] = inputs[rule.order[i]];
    next.back().push_back(rule.predicate->holds(arguments) ? 0 : -1);
  }
  return next;
}

/// Positions of a constraint's parameters, in its own order.
std::vector<size_t> positions_of(const Constraint& constraint, const Space& space) {
  std::vector<size_t> positions;
  for (const std::string& name : constraint.parameters) {
    const auto found = std::ranges::find(space.parameters(), name, &Parameter::name);
    positions.push_back(static_cast<size_t>(found - space.parameters().begin()));
  }
  return positions;
}

bool uses(const ExpressionProgram& program, size_t input) {
  return program.result == input || std::ranges::any_of(program.code, [&](const auto& instruction) {
           const auto& [op, out, a, b, c] = instruction;
           return a == input || b == input || (op == Operator::kSelect && c == input);
         });
}

/// `positions` are those of the expression's inputs; the rule gets those that `program` uses.
StagedExpression staged_of(const SpaceExpression& expression, const ExpressionProgram& program,
                           std::span<const size_t> positions, Rule& rule, const Space& space) {
  std::erase_if(rule.inputs, [&](size_t input) {
    const auto at = std::ranges::find(positions, input) - positions.begin();
    return !uses(program, static_cast<size_t>(at));
  });
  std::vector<size_t> order;  // which register each stage sets
  std::vector<std::vector<ExpressionValue>> domains;
  for (const size_t input : rule.inputs) {
    order.push_back(static_cast<size_t>(std::ranges::find(positions, input) - positions.begin()));
    std::vector<ExpressionValue> domain;
    for (const int64_t value : space.parameters()[input].values) {
      domain.push_back(expression.value(order.back(), value));
    }
    domains.push_back(std::move(domain));
  }
  return {program, order, std::move(domains)};
}

/// Turns a rule into its automaton where that is cheap. False for one that always holds.
bool prepare(Rule& rule, const Space& space) {
  std::vector<size_t> values;
  for (const size_t input : rule.inputs) values.push_back(space.parameters()[input].values.size());
  if (std::ranges::count(values, size_t{0}) > 0) return false;  // the space is empty anyway
  if (rule.inputs.empty()) {
    rule.never = rule.staged ? !rule.staged->holds() : !rule.predicate->holds({});
    return rule.never;
  }
  rule.next = rule.staged ? staged_tables(*rule.staged) : predicate_tables(rule, space, values);
  if (!rule.is_table()) return true;
  rule.staged.reset();
  rule.never = !minimise(rule.next, values);
  return rule.never || !always_holds(rule.next);
}

}  // namespace

std::vector<Rule> rules_of(const Space& space) {
  std::vector<Rule> rules;
  for (size_t i = 0; i < space.constraints().size(); ++i) {
    const Constraint& constraint = space.constraints()[i];
    if (constraint.rows) continue;
    const std::vector<size_t> positions = positions_of(constraint, space);
    Rule rule;
    rule.constraint = i;
    rule.inputs = positions;
    std::ranges::sort(rule.inputs);
    rule.inputs.erase(std::unique(rule.inputs.begin(), rule.inputs.end()), rule.inputs.end());
    if (!constraint.expression) {
      rule.predicate = &constraint;
      for (const size_t position : positions) {
        const auto input = std::ranges::lower_bound(rule.inputs, position);
        rule.order.push_back(static_cast<size_t>(input - rule.inputs.begin()));
      }
      if (prepare(rule, space)) rules.push_back(std::move(rule));
      continue;
    }
    for (const ExpressionProgram& part : constraint.expression->expression().conjuncts()) {
      Rule conjunct = rule;
      conjunct.staged = staged_of(*constraint.expression, part, positions, conjunct, space);
      if (prepare(conjunct, space)) rules.push_back(std::move(conjunct));
    }
  }
  return rules;
}

}  // namespace tilewright
