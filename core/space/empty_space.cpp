#include "core/space/empty_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/base/format.h"
#include "core/base/text.h"
#include "core/space/legal_set.h"
#include "core/space/space_expression.h"

namespace tilewright {

namespace {

std::string count_text(int64_t count) {
  return count == LegalSet::kTooMany ? "more than 2^62" : format_count(count);
}

/// Counts legal configs under some of the constraints. Constraints that are lists of rows are not
/// among them: a space with a list is counted config by config.
class Counter {
 public:
  Counter(const Space& space, const std::function<bool()>& stop)
      : space_(space), stop_(stop), rules_(rules_of(space)) {}

  /// `chosen` has an element for each constraint.
  int64_t count(const std::vector<char>& chosen) const {
    const auto& constraints = space_.constraints();
    const auto listed =
        std::ranges::find_if(constraints, [](const Constraint& c) { return c.rows != nullptr; });
    if (listed != constraints.end() &&
        chosen[static_cast<size_t>(listed - constraints.begin())] != 0) {
      std::vector<Constraint> kept;
      for (size_t i = 0; i < constraints.size(); ++i) {
        if (chosen[i] != 0) kept.push_back(constraints[i]);
      }
      return LegalSet(Space(space_.parameters(), std::move(kept)), stop_).size();
    }
    std::vector<const Rule*> rules;
    for (const Rule& rule : rules_) {
      if (chosen[rule.constraint] != 0) rules.push_back(&rule);
    }
    return LegalSet(space_, rules, stop_).size();
  }

 private:
  const Space& space_;
  const std::function<bool()>& stop_;
  std::vector<Rule> rules_;
};

/// Leaves out of `chosen`, which empties the space, what is not needed for that.
std::vector<char> fewest(const Counter& counter, std::vector<char> chosen) {
  for (size_t i = chosen.size(); i-- > 0;) {
    if (chosen[i] == 0) continue;
    chosen[i] = 0;
    if (counter.count(chosen) > 0) chosen[i] = 1;
  }
  return chosen;
}

std::string shown(const Constraint& constraint) {
  return printable(constraint.name, 160);
}

std::string names_text(const Space& space, const std::vector<char>& chosen) {
  std::vector<std::string> names;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i] != 0) names.push_back(fmt::format("'{}'", shown(space.constraints()[i])));
  }
  if (names.size() < 2) return join(names, "");
  const std::string last = names.back();
  names.pop_back();
  return join(names, ", ") + " and " + last;
}

/// Where an expression has no value for the first values of its parameters, so that this may be why
/// it holds for none: " (it has no value for a=16: division by zero)".
std::string error_text(const Space& space, const Constraint& constraint) {
  if (!constraint.expression) return "";
  std::vector<int64_t> first;
  for (const std::string& name : constraint.parameters) {
    first.push_back(std::ranges::find(space.parameters(), name, &Parameter::name)->values.front());
  }
  const std::string error = constraint.expression->error(first);
  return error.empty() ? "" : fmt::format(" (it has {})", error);
}

}  // namespace

std::string why_empty(const Space& space, const std::function<bool()>& stop) {
  for (const Parameter& parameter : space.parameters()) {
    if (parameter.values.empty()) {
      return fmt::format("{} has no values", parameter.name);
    }
  }
  if (space.legal(stop)->size() > 0) return "";
  const Counter counter(space, stop);
  const size_t constraints = space.constraints().size();
  std::vector<char> all(constraints, 1);
  // The first constraint that leaves nothing, together with those before it.
  std::vector<char> before(constraints, 0);
  int64_t remaining = counter.count(before);
  size_t culprit = 0;
  for (;; ++culprit) {
    before[culprit] = 1;
    const int64_t left = counter.count(before);
    if (left == 0) break;
    remaining = left;
  }
  const std::string name = shown(space.constraints()[culprit]);
  std::string text =
      fmt::format("constraint '{}' leaves none of the {} that ", name, count_text(remaining));
  text += culprit == 0 ? "there are" : "remain";
  text += error_text(space, space.constraints()[culprit]);
  const std::vector<char> needed = fewest(counter, before);
  if (std::ranges::count(needed, 1) == 1) return text + ", whatever other constraints say";
  all[culprit] = 0;
  const int64_t without = counter.count(all);
  text += without > 0 ? fmt::format("; without it {} would be", count_text(without))
                      : "; without it others leave none either";
  return text + fmt::format(" ({} exclude each other)", names_text(space, needed));
}

}  // namespace tilewright
