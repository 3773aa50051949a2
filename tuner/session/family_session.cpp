#include "tuner/session/family_session.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>
#include <span>
#include <utility>

#include "core/base/error.h"
#include "tuner/session/trial_runner.h"

namespace tilewright {

namespace {

/// Members on either side whose configs are tried between two.
constexpr size_t kAround = 4;

int64_t m_of(const TuneProblem& member) {
  return member.problem.size("m");
}

/// Where the table is to be looked at, and with which configs; the first is the table's.
struct Probe {
  TuneProblem problem;
  std::vector<Config> configs;
};

/// The different configs of the members around the gap behind member i, the table's for it first.
std::vector<Config> configs_around(size_t i, const TuneResult& result) {
  std::vector<Config> configs = {result.problems[i + 1].config};
  const size_t first = i + 1 < kAround ? 0 : i + 1 - kAround;
  const size_t last = std::min(i + kAround, result.problems.size() - 1);
  for (size_t other = first; other <= last; ++other) {
    const TunedProblem& around = result.problems[other];
    const bool is_new = std::ranges::find(configs, around.config) == configs.end();
    if (around.found && is_new) configs.push_back(around.config);
  }
  return configs;
}

/// Of the configs, with the estimate's favourite and the default.
Probe probe_at(TuneProblem problem, const std::vector<Config>& configs) {
  Probe probe{std::move(problem), {configs.front()}};
  const auto add = [&](const Config& config) {
    const bool is_new = std::ranges::find(probe.configs, config) == probe.configs.end();
    if (is_new && probe.problem.may_win(config)) probe.configs.push_back(config);
  };
  for (const Config& config : configs) add(config);
  if (!probe.problem.seeds.empty()) add(probe.problem.seeds.front());
  if (!probe.problem.limited) add(probe.problem.baseline);
  return probe;
}

/// The rows between two members, of whole fractals or one more, at which the first config is
/// slowest beside the others by estimate: a few of those where it is by more than `regret`.
std::vector<int64_t> worst_between(int64_t after, int64_t before,
                                   const std::vector<Config>& configs, double regret,
                                   const FamilyMaker& maker, const std::set<int64_t>& probed) {
  constexpr int64_t kFractal = 16;
  constexpr size_t kMost = 3;
  std::vector<std::pair<double, int64_t>> expected;  // the worst has the least
  const auto look_at = [&](int64_t m) {
    if (m <= after || m >= before || probed.contains(m)) return;
    double best = std::numeric_limits<double>::infinity();
    for (const Config& config : configs) best = std::min(best, maker.estimate(m, config));
    const double slower = maker.estimate(m, configs.front()) / best - 1;
    if (slower > regret) expected.emplace_back(-slower, m);
  };
  for (int64_t m = after / kFractal * kFractal; m < before; m += kFractal) {
    look_at(m);
    look_at(m + 1);
  }
  std::ranges::sort(expected);
  std::vector<int64_t> worst;
  for (const auto& [slower, m] : expected) {
    const auto is_near = [m = m](int64_t other) { return std::abs(m - other) <= kFractal; };
    if (worst.size() < kMost && std::ranges::none_of(worst, is_near)) worst.push_back(m);
  }
  return worst;
}

/// Between any two members the one half way, and those where the estimates expect most regret.
std::vector<Probe> probes_between(const std::vector<TuneProblem>& members, const TuneResult& result,
                                  const FamilyMaker& maker, double regret,
                                  std::set<int64_t>& probed) {
  std::vector<Probe> probes;
  for (size_t i = 0; i + 1 < members.size(); ++i) {
    const int64_t after = m_of(members[i]);
    const int64_t before = m_of(members[i + 1]);
    if (after + 1 == before || !result.problems[i + 1].found) continue;
    const std::vector<Config> configs = configs_around(i, result);
    const auto probe = [&](int64_t m) {
      if (probed.insert(m).second) probes.push_back(probe_at(maker.member(m), configs));
    };
    probe((after + before) / 2);
    if (!maker.estimate) continue;
    for (const int64_t m : worst_between(after, before, configs, regret / 2, maker, probed)) {
      probe(m);
    }
  }
  return probes;
}

/// Whether the table's config, the first, is slower than another by more than the regret, or slower
/// than the default.
bool falls_short(const Probe& probe, std::span<const double> times, double max_regret) {
  double best = 0;
  for (const double time : times) {
    if (time > 0 && (best == 0 || time < best)) best = time;
  }
  if (best == 0) return false;
  const double own = times.front();
  if (own <= 0 || own / best - 1 > max_regret) return true;
  for (size_t i = 1; i < times.size(); ++i) {
    const bool is_default = !probe.problem.limited && probe.configs[i] == probe.problem.baseline;
    if (is_default && times[i] > 0 && own > times[i]) return true;
  }
  return false;
}

}  // namespace

TuneResult tune_family(std::vector<TuneProblem>& members, const FamilyMaker& maker,
                       const KeyMaker& key_of, EvaluationPool& pool, Store& store, int64_t run_id,
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
    if (!has_ended) {
      probes = probes_between(members, result, maker, *options.max_regret, probed);
    }

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
      const std::span<const double> own = std::span(times).subspan(at, probes[p].configs.size());
      if (!falls_short(probes[p], own, *options.max_regret)) continue;
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
