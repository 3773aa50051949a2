#include "tuner/session/family.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "tuner/session/family_table.h"

namespace tilewright {

namespace {

constexpr int64_t kRowTile = 16;
constexpr int64_t kEveryTile = 256;
constexpr double kStep = 1.189207115002721;  // 2^(1/4)

int64_t m_of(const TunedProblem& tuned) {
  return tuned.problem->problem.size("m");
}

/// Candidates with their times, growing at both ends of where they are good enough.
class Unifier {
 public:
  Unifier(std::span<const size_t> members, const std::vector<TunedProblem>& tuned,
          double max_regret, const FamilyTimer& time)
      : members_(members), tuned_(tuned), max_regret_(max_regret), time_(time) {
    for (const size_t member : members) {
      const bool counts = !tuned[member].problem->limited;
      times_.limit_us.push_back(counts ? tuned[member].baseline_us : 0);
    }
  }

  void add(const Config& config, size_t member) {
    const auto [place, is_new] = places_.try_emplace(config.text(), configs_.size());
    if (is_new) {
      configs_.push_back(config);
      times_.time_us.emplace_back(members_.size(), 0.0);
      asked_.emplace_back(members_.size(), false);
    }
    wanted_.emplace(place->second, member);
  }

  /// False when stopped.
  bool measure() {
    while (!wanted_.empty()) {
      std::vector<FamilyTrial> trials;
      for (const auto& [candidate, member] : wanted_) {
        trials.push_back({members_[member], configs_[candidate]});
      }
      const std::vector<double> found = time_(trials);
      if (found.size() < trials.size()) return false;
      size_t i = 0;
      for (const auto& [candidate, member] : wanted_) {
        asked_[candidate][member] = true;
        times_.time_us[candidate][member] = found[i++];
      }
      want_neighbours();
    }
    return true;
  }

  const FamilyTimes& times() const { return times_; }
  const Config& config(size_t candidate) const { return configs_[candidate]; }

 private:
  /// A candidate that is good enough for a member is tried on the members beside it.
  void want_neighbours() {
    wanted_.clear();
    for (size_t candidate = 0; candidate < configs_.size(); ++candidate) {
      for (size_t member = 0; member < members_.size(); ++member) {
        if (!asked_[candidate][member]) continue;
        if (times_.regret(candidate, member) > max_regret_) continue;
        if (member > 0) want(candidate, member - 1);
        if (member + 1 < members_.size()) want(candidate, member + 1);
      }
    }
  }
  void want(size_t candidate, size_t member) {
    if (asked_[candidate][member]) return;
    if (!tuned_[members_[member]].problem->may_win(configs_[candidate])) return;
    wanted_.emplace(candidate, member);
  }

  std::span<const size_t> members_;
  const std::vector<TunedProblem>& tuned_;
  double max_regret_;
  const FamilyTimer& time_;
  std::vector<Config> configs_;
  std::map<std::string, size_t> places_;
  FamilyTimes times_;
  std::vector<std::vector<bool>> asked_;
  std::set<std::pair<size_t, size_t>> wanted_;
};

}  // namespace

std::vector<std::vector<size_t>> families_of(std::span<const TuneProblem> problems) {
  std::map<std::string, std::map<int64_t, size_t>> groups;  // by text without m, then m
  std::vector<std::string> order;
  for (size_t i = 0; i < problems.size(); ++i) {
    const Problem& problem = problems[i].problem;
    if (!problem.has("m")) continue;
    const std::string rest = problem.with("m", 0).text();
    const auto [group, is_new] = groups.try_emplace(rest);
    if (is_new) order.push_back(rest);
    group->second.try_emplace(problem.size("m"), i);
  }
  std::vector<std::vector<size_t>> families;
  for (const std::string& rest : order) {
    if (groups.at(rest).size() < 2) continue;
    std::vector<size_t>& family = families.emplace_back();
    for (const auto& [m, place] : groups.at(rest)) family.push_back(place);
  }
  return families;
}

std::vector<int64_t> family_members(int64_t m_min, int64_t m_max) {
  std::set<int64_t> members = {m_min, m_max};
  for (int64_t m = kRowTile; m <= kEveryTile; m += kRowTile) members.insert(m);
  for (auto m = static_cast<double>(kEveryTile); m < static_cast<double>(m_max); m *= kStep) {
    members.insert(std::llround(m / kRowTile) * kRowTile);
  }
  std::vector<int64_t> within;
  for (const int64_t m : members) {
    if (m >= m_min && m <= m_max) within.push_back(m);
  }
  return within;
}

FamilyTable unify(std::span<const size_t> members, const std::vector<std::vector<Config>>& near,
                  double max_regret, const FamilyTimer& time, std::vector<TunedProblem>& tuned) {
  Unifier unifier(members, tuned, max_regret, time);
  for (size_t i = 0; i < members.size(); ++i) {
    const TunedProblem& member = tuned[members[i]];
    if (!member.found) continue;
    for (const Config& config : near[members[i]]) unifier.add(config, i);
    if (!member.problem->limited) unifier.add(member.problem->baseline, i);
  }
  FamilyTable table;
  table.problem = tuned[members.front()].problem->problem;
  if (!unifier.measure()) return table;
  const FamilyTimes& times = unifier.times();
  int64_t m_min = 1;
  double sum = 0;
  size_t served = 0;
  for (const FamilyRange& range : smallest_table(times, max_regret)) {
    FamilyRangeResult& result = table.ranges.emplace_back();
    result.config = unifier.config(range.candidate);
    result.m_min = m_min;
    result.m_max = m_of(tuned[members[range.last]]);
    result.time_us = times.time_us[range.candidate][range.last];
    m_min = result.m_max + 1;
    for (size_t i = range.first; i <= range.last; ++i) {
      TunedProblem& member = tuned[members[i]];
      member.config = result.config;
      member.time_us = times.time_us[range.candidate][i];
      member.regret = times.regret(range.candidate, i);
      result.worst_regret = std::max(result.worst_regret, *member.regret);
      sum += *member.regret;
      ++served;
    }
    table.worst_regret = std::max(table.worst_regret, result.worst_regret);
  }
  if (served > 0) table.mean_regret = sum / static_cast<double>(served);
  table.members = served;
  return table;
}

}  // namespace tilewright
