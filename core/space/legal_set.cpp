#include "core/space/legal_set.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// The group of each parameter: the least parameter that rules connect it with.
std::vector<size_t> groups_of(size_t parameters, std::span<const Rule* const> rules) {
  std::vector<size_t> parent(parameters);
  std::iota(parent.begin(), parent.end(), size_t{0});
  const auto root = [&](size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (const Rule* rule : rules) {
    for (const size_t input : rule->inputs) {
      const size_t a = root(rule->inputs.front());
      const size_t b = root(input);
      parent[std::max(a, b)] = std::min(a, b);
    }
  }
  for (size_t i = 0; i < parameters; ++i) parent[i] = root(i);
  return parent;
}

std::vector<const Rule*> pointers_to(const std::vector<Rule>& rules) {
  std::vector<const Rule*> pointers;
  for (const Rule& rule : rules) pointers.push_back(&rule);
  return pointers;
}

/// Whether a config that is given by values satisfies all constraints other than lists of rows.
bool satisfies(const Space& space, const std::vector<int64_t>& values) {
  return std::ranges::all_of(space.constraints(), [&](const Constraint& constraint) {
    if (constraint.rows) return true;
    std::vector<int64_t> inputs;
    for (const std::string& name : constraint.parameters) {
      const auto at = std::ranges::find(space.parameters(), name, &Parameter::name);
      inputs.push_back(values[static_cast<size_t>(at - space.parameters().begin())]);
    }
    return constraint.holds(inputs);
  });
}

/// The places of a row of values; none when one is not in its parameter's list.
std::vector<uint32_t> places_of(const Space& space, const std::vector<int64_t>& row) {
  std::vector<uint32_t> places;
  for (size_t i = 0; i < row.size(); ++i) {
    const std::vector<int64_t>& values = space.parameters()[i].values;
    const auto found = std::ranges::lower_bound(values, row[i]);
    if (found == values.end() || *found != row[i]) return {};
    places.push_back(static_cast<uint32_t>(found - values.begin()));
  }
  return places;
}

}  // namespace

LegalSet::LegalSet(const Space& space, const std::function<bool()>& stop) {
  const bool listed = std::ranges::any_of(space.constraints(),
                                          [](const Constraint& c) { return c.rows != nullptr; });
  if (listed) {
    list(space);
  } else {
    const std::vector<Rule> rules = rules_of(space);
    connect(space, pointers_to(rules), stop);
  }
  count();
}

LegalSet::LegalSet(const Space& space, std::span<const Rule* const> rules,
                   const std::function<bool()>& stop) {
  connect(space, rules, stop);
  count();
}

void LegalSet::connect(const Space& space, std::span<const Rule* const> rules,
                       const std::function<bool()>& stop) {
  for (const Parameter& parameter : space.parameters()) {
    axes_.push_back({std::ssize(parameter.values)});
  }
  const bool empty = std::ranges::any_of(rules, [](const Rule* rule) { return rule->never; }) ||
                     std::ranges::any_of(axes_, [](const Axis& axis) { return axis.values == 0; });
  if (empty) return add({}, listed_diagram(0, {}));
  const std::vector<size_t> groups = groups_of(axes_.size(), rules);
  for (size_t group = 0; group < axes_.size(); ++group) {
    std::vector<const Rule*> own;
    std::ranges::copy_if(rules, std::back_inserter(own),
                         [&](const Rule* rule) { return groups[rule->inputs.front()] == group; });
    if (own.empty()) continue;
    std::vector<size_t> parameters;
    for (size_t i = group; i < axes_.size(); ++i) {
      if (groups[i] == group) parameters.push_back(i);
    }
    add(parameters, diagram_of(space, parameters, own, stop));
  }
}

void LegalSet::list(const Space& space) {
  std::vector<std::vector<uint32_t>> legal;
  std::vector<const Constraint*> lists;
  for (const Constraint& constraint : space.constraints()) {
    if (constraint.rows) lists.push_back(&constraint);
  }
  for (const std::vector<int64_t>& row : *lists.front()->rows) {
    const bool everywhere =
        std::ranges::all_of(lists, [&](const Constraint* other) { return other->holds(row); });
    std::vector<uint32_t> places = places_of(space, row);
    if (everywhere && places.size() == row.size() && satisfies(space, row)) {
      legal.push_back(std::move(places));
    }
  }
  std::vector<size_t> parameters(space.parameters().size());
  std::iota(parameters.begin(), parameters.end(), size_t{0});
  for (const Parameter& parameter : space.parameters()) {
    axes_.push_back({std::ssize(parameter.values)});
  }
  add(parameters, listed_diagram(parameters.size(), legal));
}

void LegalSet::add(std::span<const size_t> parameters, Diagram diagram) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    Axis& axis = axes_[parameters[i]];
    axis.diagram = static_cast<uint32_t>(diagrams_.size());
    axis.first = i == 0;
    if (i + 1 < parameters.size()) axis.next = static_cast<uint32_t>(parameters[i + 1]);
  }
  diagrams_.push_back(std::move(diagram));
}

void LegalSet::count() {
  std::vector<int64_t> factors;
  for (const Diagram& diagram : diagrams_) factors.push_back(diagram.count(diagram.root()));
  for (const Axis& axis : axes_) {
    if (axis.diagram == kNone) factors.push_back(axis.values);
  }
  size_ = 1;
  if (std::ranges::count(factors, int64_t{0}) > 0) {
    size_ = 0;
    return;
  }
  for (const int64_t factor : factors) {
    const bool fits = size_ != kTooMany && factor != kTooMany &&
                      !__builtin_mul_overflow(size_, factor, &size_) && size_ <= kMost;
    if (!fits) size_ = kTooMany;
  }
}

int64_t LegalSet::bytes() const {
  int64_t bytes = std::ssize(axes_) * static_cast<int64_t>(sizeof(Axis));
  for (const Diagram& diagram : diagrams_) bytes += diagram.bytes();
  return bytes;
}

/// The place of a parameter that is not reached yet holds the node of its diagram.
uint32_t LegalSet::node_at(size_t axis, std::span<const int> nodes) const {
  return axes_[axis].first ? diagrams_[axes_[axis].diagram].root()
                           : static_cast<uint32_t>(nodes[axis]);
}

void LegalSet::places(int64_t rank, std::span<int> out) const {
  // `left`: legal configs with the places chosen so far. Those with a given next place are the
  // continuations of its diagram times what is left of the other diagrams.
  int64_t left = size_;
  for (size_t i = 0; i < axes_.size(); ++i) {
    const Axis& axis = axes_[i];
    if (axis.diagram == kNone) {
      left /= axis.values;
      out[i] = static_cast<int>(rank / left);
      rank %= left;
      continue;
    }
    const Diagram& diagram = diagrams_[axis.diagram];
    const uint32_t node = node_at(i, out);
    const int64_t others = left / diagram.count(node);
    const Diagram::Step step = diagram.step_to(node, rank / others);
    out[i] = static_cast<int>(step.place);
    if (axis.next != kNone) out[axis.next] = static_cast<int>(step.child);
    rank -= step.before * others;
    left = diagram.count(step.child) * others;
  }
}

std::optional<int64_t> LegalSet::rank_of(std::span<const int> places) const {
  constexpr size_t kFew = 64;
  std::array<int, kFew> few;
  std::vector<int> many(axes_.size() > kFew ? axes_.size() : 0);
  const std::span<int> nodes =
      many.empty() ? std::span<int>(few).first(axes_.size()) : std::span<int>(many);
  int64_t left = size_;
  int64_t rank = 0;
  if (left == 0) return std::nullopt;
  for (size_t i = 0; i < axes_.size(); ++i) {
    const Axis& axis = axes_[i];
    if (places[i] < 0 || places[i] >= axis.values) return std::nullopt;
    if (axis.diagram == kNone) {
      left /= axis.values;
      rank += places[i] * left;
      continue;
    }
    const Diagram& diagram = diagrams_[axis.diagram];
    const uint32_t node = node_at(i, nodes);
    const int64_t others = left / diagram.count(node);
    Diagram::Step step;
    if (!diagram.step_through(node, static_cast<uint32_t>(places[i]), step)) return std::nullopt;
    if (axis.next != kNone) nodes[axis.next] = static_cast<int>(step.child);
    rank += step.before * others;
    left = diagram.count(step.child) * others;
  }
  return rank;
}

void LegalSet::walk(size_t i, std::vector<int>& nodes, std::vector<int>& places,
                    const std::function<void(std::span<const int>)>& visit) const {
  if (i == axes_.size()) return visit(places);
  const Axis& axis = axes_[i];
  if (axis.diagram == kNone) {
    for (int place = 0; place < axis.values; ++place) {
      places[i] = place;
      walk(i + 1, nodes, places, visit);
    }
    return;
  }
  const Diagram& diagram = diagrams_[axis.diagram];
  diagram.each_step(node_at(i, nodes), [&](const Diagram::Step& step) {
    places[i] = static_cast<int>(step.place);
    if (axis.next != kNone) nodes[axis.next] = static_cast<int>(step.child);
    walk(i + 1, nodes, places, visit);
  });
}

void LegalSet::each(const std::function<void(std::span<const int>)>& visit) const {
  if (size_ == 0) return;
  std::vector<int> nodes(axes_.size());
  std::vector<int> places(axes_.size());
  walk(0, nodes, places, visit);
}

}  // namespace tilewright
