#include "tuner/session/family_session.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "tuner/session/trial_runner.h"

namespace tilewright {

namespace {

/// Members on either side whose configs are tried between two.
constexpr size_t kAround = 2;

int64_t m_of(const TuneProblem& member) {
  return member.problem.size("m");
}

/// Where the table is to be looked at, and with which configs; the first is the table's.
struct Probe {
  TuneProblem problem;
  std::vector<Config> configs;
};

std::vector<Probe> probes_between(const std::vector<TuneProblem>& members, const TuneResult& result,
                                  const std::function<TuneProblem(int64_t)>& member,
                                  std::set<int64_t>& probed) {
  std::vector<Probe> probes;
  for (size_t i = 0; i + 1 < members.size(); ++i) {
    const int64_t middle = (m_of(members[i]) + m_of(members[i + 1])) / 2;
    const bool is_new = middle > m_of(members[i]) && probed.insert(middle).second;
    if (!is_new || !result.problems[i + 1].found) continue;
    Probe probe{member(middle), {result.problems[i + 1].config}};
    const size_t first = i + 1 < kAround ? 0 : i + 1 - kAround;
    const size_t last = std::min(i + kAround, members.size() - 1);
    for (size_t other = first; other <= last; ++other) {
      const Config& config = result.problems[other].config;
      const bool is_legal =
          result.problems[other].found && probe.problem.space.violation(config).empty();
      if (is_legal && std::ranges::find(probe.configs, config) == probe.configs.end()) {
        probe.configs.push_back(config);
      }
    }
    if (!probe.problem.seeds.empty()) probe.configs.push_back(probe.problem.seeds.front());
    probes.push_back(std::move(probe));
  }
  return probes;
}

}  // namespace

TuneResult tune_family(std::vector<TuneProblem>& members,
                       const std::function<TuneProblem(int64_t m)>& member, const KeyMaker& key_of,
                       EvaluationPool& pool, Store& store, int64_t run_id,
                       const TuneOptions& options, const TuneHooks& hooks) {
  TW_CHECK(options.max_regret.has_value(), "a family has a limit for its regret");
  std::set<int64_t> probed;
  TuneResult sums;
  TuneOptions later = options;
  const double started = hooks.seconds ? hooks.seconds() : 0;
  for (int round = 0;; ++round) {
    TuneResult result = tune(members, key_of, pool, store, run_id, later, hooks);
    sums.evaluations += result.evaluations;
    const bool has_ended = result.interrupted || result.out_of_time || round == kFamilyRounds;
    std::vector<Probe> probes;
    if (!has_ended) probes = probes_between(members, result, member, probed);

    std::vector<TuneProblem> problems;
    std::vector<AskedTrial> asked;
    for (const Probe& probe : probes) {
      for (const Config& config : probe.configs)
        asked.push_back({problems.size(), config, "probe"});
      problems.push_back(probe.problem);
    }
    std::vector<double> times;
    TrialRunner runner(problems, key_of, pool, store, run_id, hooks);
    runner.run(
        asked,
        [&](size_t, const Measurement& measurement, bool from_cache) {
          sums.evaluations += from_cache ? 0 : 1;
          times.push_back(measurement.time_us);
        },
        hooks.stop ? hooks.stop : [] { return false; });
    bool has_grown = false;
    for (size_t p = 0, at = 0; p < probes.size() && at + probes[p].configs.size() <= times.size();
         at += probes[p++].configs.size()) {
      double best = 0;
      for (size_t i = at; i < at + probes[p].configs.size(); ++i) {
        if (times[i] > 0 && (best == 0 || times[i] < best)) best = times[i];
      }
      if (best == 0 || (times[at] > 0 && times[at] / best - 1 <= *options.max_regret)) continue;
      members.push_back(std::move(probes[p].problem));
      has_grown = true;
    }
    if (!has_grown) {
      result.evaluations = sums.evaluations;
      return result;
    }
    std::ranges::sort(members, {}, m_of);
    later.resumed_run = 0;
    if (options.max_seconds > 0 && hooks.seconds) {
      constexpr double kLeastSeconds = 1e-9;  // 0 would be no limit
      later.max_seconds =
          std::max(options.max_seconds - (hooks.seconds() - started), kLeastSeconds);
    }
  }
}

}  // namespace tilewright
