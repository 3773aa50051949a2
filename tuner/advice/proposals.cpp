#include "tuner/advice/proposals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/base/text.h"

namespace tilewright {

namespace {

/// A parameter with the values that it may take, its present one first.
struct Choice {
  size_t position = 0;
  std::vector<int64_t> values;
};

bool wanted(Direction direction, int64_t now, int64_t value) {
  switch (direction) {
    case Direction::kUp:
      return value > now;
    case Direction::kDown:
      return value < now;
    case Direction::kNear:
      return value != now && value <= 2 * now && 2 * value >= now;
    case Direction::kAny:
      return value != now;
  }
  return false;
}

std::vector<Choice> choices_of(const Space& space, const Config& from, const Move& move) {
  std::vector<Choice> choices;
  for (const Axis& axis : move.axes) {
    for (size_t i = 0; i < space.parameters().size(); ++i) {
      const Parameter& parameter = space.parameters()[i];
      if (parameter.name != axis.parameter) continue;
      const int64_t now = from.values[i].second;
      Choice choice{i, {now}};
      for (const int64_t value : parameter.values) {
        if (wanted(axis.direction, now, value)) choice.values.push_back(value);
      }
      if (choice.values.size() > 1) choices.push_back(std::move(choice));
    }
  }
  return choices;
}

/// Every combination of the choices, without the present one.
std::vector<Config> combinations(const Config& from, const std::vector<Choice>& choices) {
  std::vector<Config> list = {from};
  for (const Choice& choice : choices) {
    std::vector<Config> longer;
    for (const Config& config : list) {
      for (const int64_t value : choice.values) {
        longer.push_back(config);
        longer.back().values[choice.position].second = value;
      }
    }
    list = std::move(longer);
  }
  list.erase(list.begin());
  return list;
}

/// The values that are smaller than the present one, the largest first. Of one below zero, where
/// the sign is a direction (swizzle), those that are nearer to zero, and the same in the other one.
std::vector<int64_t> smaller(const std::vector<int64_t>& values, int64_t now) {
  std::vector<int64_t> list;
  for (const int64_t value : values) {
    if (now >= 0 ? value < now : value > now && value <= -now) list.push_back(value);
  }
  std::ranges::reverse(list);
  if (now < 0) {
    std::ranges::stable_sort(list, [](int64_t a, int64_t b) { return std::abs(a) > std::abs(b); });
  }
  return list;
}

/// The largest smaller value of one parameter that makes a config legal.
std::optional<Config> lowered(const Space& space, const Config& config, size_t position) {
  Config changed = config;
  for (const int64_t value :
       smaller(space.parameters()[position].values, config.values[position].second)) {
    changed.values[position].second = value;
    if (space.violation(changed).empty()) return changed;
  }
  return std::nullopt;
}

std::vector<size_t> positions_of(const Space& space, const std::vector<std::string>& names) {
  std::vector<size_t> positions;
  for (const std::string& name : names) {
    for (size_t i = 0; i < space.parameters().size(); ++i) {
      if (space.parameters()[i].name == name) positions.push_back(i);
    }
  }
  return positions;
}

/// Legal configs near an illegal one: one of the yielding parameters lowered; where none is enough,
/// two of them.
void make_room(const Space& space, const Config& config, const std::vector<size_t>& yields,
               std::vector<Config>& found) {
  const size_t before = found.size();
  for (const size_t position : yields) {
    if (auto fitting = lowered(space, config, position)) found.push_back(*fitting);
  }
  if (found.size() > before) return;
  for (size_t i = 0; i < yields.size(); ++i) {
    Config first = config;
    for (const int64_t value :
         smaller(space.parameters()[yields[i]].values, config.values[yields[i]].second)) {
      first.values[yields[i]].second = value;
      for (size_t j = i + 1; j < yields.size(); ++j) {
        const auto fitting = lowered(space, first, yields[j]);
        if (fitting) found.push_back(*fitting);
      }
    }
  }
}

/// How far apart two configs are: doublings of their values, added up.
double distance(const Config& a, const Config& b) {
  double sum = 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    const auto log = [](int64_t value) {
      const auto number = static_cast<double>(value);
      return std::copysign(std::log2(std::abs(number) + 1), number);
    };
    sum += std::abs(log(a.values[i].second) - log(b.values[i].second));
  }
  return sum;
}

}  // namespace

Proposals propose(const Space& space, const Config& from, const Move& move) {
  Proposals proposals;
  const std::vector<Config> moved = combinations(from, choices_of(space, from, move));
  const std::vector<size_t> yields = positions_of(space, move.yields);
  bool is_plain_legal = false;
  for (const Config& config : moved) {
    const std::string obstacle = space.violation(config);
    if (obstacle.empty()) {
      is_plain_legal = true;
      proposals.configs.push_back(config);
      continue;
    }
    if (!proposals.refused || distance(from, config) < distance(from, *proposals.refused)) {
      proposals.refused = config;
      proposals.obstacle = obstacle;
    }
    make_room(space, config, yields, proposals.configs);
  }
  if (is_plain_legal) {
    proposals.refused.reset();
    proposals.obstacle.clear();
  }
  // What yielded may be what moved.
  std::erase(proposals.configs, from);
  return proposals;
}

bool applies(const Space& space, const Move& move) {
  return std::ranges::any_of(move.axes, [&](const Axis& axis) {
    return std::ranges::any_of(space.parameters(), [&](const Parameter& parameter) {
      return parameter.name == axis.parameter;
    });
  });
}

std::string change_text(const Config& from, const Config& to) {
  std::vector<std::string> changes;
  for (size_t i = 0; i < from.values.size(); ++i) {
    if (from.values[i] == to.values[i]) continue;
    changes.push_back(fmt::format("{} {} -> {}", from.values[i].first, from.values[i].second,
                                  to.values[i].second));
  }
  return join(changes, ", ");
}

}  // namespace tilewright
