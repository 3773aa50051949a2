#include "tuner/advice/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include "core/base/error.h"
#include "kernels/gemm/gemm.h"
#include "simulator/cost.h"
#include "simulator/timing.h"
#include "tuner/advice/evidence.h"
#include "tuner/advice/launch_estimate.h"
#include "tuner/advice/proposals.h"
#include "tuner/advice/rules.h"

namespace tilewright {

namespace {

const std::vector<AdviceFinder>& all_rules() {
  static const std::vector<AdviceFinder> kRules = [] {
    std::vector<AdviceFinder> rules;
    for (const auto& list : {cube_rules(), launch_rules(), vector_rules()}) {
      rules.insert(rules.end(), list.begin(), list.end());
    }
    return rules;
  }();
  return kRules;
}

/// Tasks of the launches whose estimates a move may cost: a few milliseconds.
constexpr int64_t kMostTasks = 50'000;

/// Turns findings into advice. An estimate is the measured time, changed as the first-order times
/// of both launches differ; what the launch itself takes stays. A GEMM has two of them, and the
/// change is their geometric mean: that of the launch knows how even its tasks are, that of the
/// config (gemm_estimate_us) which loads are on their way while others are waited for.
class Adviser {
 public:
  Adviser(const Kernel& kernel, const Evidence& evidence)
      : kernel_(kernel),
        evidence_(evidence),
        space_(kernel.space(evidence.problem, evidence.machine)),
        now_(evidence.us()),
        start_(evidence.machine.us_of_ticks(launch_ticks_of(evidence.machine))),
        first_order_(first_order(evidence.launch)) {}

  std::vector<Advice> advise() {
    std::vector<Advice> list;
    for (const AdviceFinder& rule : all_rules()) {
      const std::optional<Finding> finding = rule.find(evidence_);
      if (finding) add(rule, *finding, list);
    }
    std::ranges::stable_sort(list, [](const Advice& a, const Advice& b) {
      return std::tuple(!a.pays(), !a.is_feasible, -a.estimated_gain) <
             std::tuple(!b.pays(), !b.is_feasible, -b.estimated_gain);
    });
    merge_repeated(list);
    return list;
  }

 private:
  double first_order(const Launch& launch) const {
    const int64_t ticks =
        estimate_ticks(launch, evidence_.machine) - launch_ticks_of(evidence_.machine);
    return static_cast<double>(std::max<int64_t>(1, ticks));
  }

  /// Of a GEMM, by its config.
  double work_us(const Problem& problem, const Config& config) const {
    return gemm_estimate_us(problem, config, evidence_.machine) - start_;
  }

  double estimate(const Kernel& kernel, const Problem& problem, const Config& config) {
    const auto [known, is_new] = estimates_.try_emplace(problem.text() + config.text());
    if (is_new) {
      const Launch launch = kernel.build(problem, config, evidence_.machine);
      for (const CoreProgram& core : launch.cores) {
        tasks_ += static_cast<int64_t>(core.tasks.size());
      }
      double change = first_order(launch) / first_order_;
      if (kernel.name() == "gemm" && evidence_.problem.kernel == "gemm") {
        change = std::sqrt(change * work_us(problem, config) /
                           work_us(evidence_.problem, evidence_.config));
      }
      known->second = start_ + (now_ - start_) * change;
    }
    return known->second;
  }

  /// Advice with the words of a finding that asks for nothing yet.
  Advice worded(const AdviceFinder& rule, const Finding& finding) const {
    Advice advice;
    advice.rule = rule.info.name;
    advice.problem = finding.problem;
    advice.evidence = finding.evidence;
    advice.changed_problem = evidence_.problem;
    advice.changed_config = evidence_.config;
    advice.estimated_us = now_;
    return advice;
  }

  void add(const AdviceFinder& rule, const Finding& finding, std::vector<Advice>& list) {
    if (!finding.obstacle.empty()) {
      Advice advice = worded(rule, finding);
      advice.change = finding.other_change;
      advice.obstacle = finding.obstacle;
      list.push_back(std::move(advice));
    } else if (finding.other) {
      add_other(rule, finding, list);
    } else {
      add_moves(rule, finding, list);
    }
  }

  void set_estimate(Advice& advice, double us) const {
    advice.is_feasible = true;
    advice.estimated_us = us;
    advice.estimated_gain = 1 - us / now_;
  }

  /// Another kernel or layout: the config is kept where it is legal there.
  void add_other(const AdviceFinder& rule, const Finding& finding, std::vector<Advice>& list) {
    const Problem& problem = *finding.other;
    const Kernel& kernel = find_kernel(problem.kernel);
    Advice advice = worded(rule, finding);
    advice.change = finding.other_change;
    advice.changed_problem = problem;
    if (!kernel.space(problem, evidence_.machine).violation(evidence_.config).empty()) {
      advice.changed_config = kernel.default_config(problem, evidence_.machine);
      const std::string change = change_text(evidence_.config, advice.changed_config);
      if (!change.empty()) advice.change += ", " + change;
    }
    set_estimate(advice, estimate(kernel, problem, advice.changed_config));
    list.push_back(std::move(advice));
  }

  /// The best config that a rule's moves lead to, with its estimate in us. Large configs come
  /// first: they have few tasks, and those of many are left out when their estimates would take
  /// long.
  struct Best {
    std::optional<Config> config;
    double us = 0;
  };
  void look_at(const std::vector<Config>& configs, Best& best) {
    const int64_t enough = tasks_ + kMostTasks;
    for (auto config = configs.rbegin(); config != configs.rend() && tasks_ < enough; ++config) {
      const double us = estimate(kernel_, evidence_.problem, *config);
      if (best.config && us >= best.us) continue;
      best = {*config, us};
    }
  }

  void add_moves(const AdviceFinder& rule, const Finding& finding, std::vector<Advice>& list) {
    Best best;
    std::optional<Advice> refused;
    bool has_applied = false;
    for (const Move& move : finding.moves) {
      if (!applies(space_, move)) continue;
      has_applied = true;
      const Proposals proposals = propose(space_, evidence_.config, move);
      look_at(proposals.configs, best);
      if (!proposals.refused || refused) continue;
      refused = worded(rule, finding);
      refused->change = change_text(evidence_.config, *proposals.refused);
      refused->changed_config = *proposals.refused;
      refused->obstacle = proposals.obstacle;
    }
    if (refused) list.push_back(std::move(*refused));
    Advice advice = worded(rule, finding);
    if (best.config) {
      advice.change = change_text(evidence_.config, *best.config);
      advice.changed_config = *best.config;
      set_estimate(advice, best.us);
      list.push_back(std::move(advice));
    } else if (has_applied && !refused) {
      advice.obstacle = "no other value of the space's parameters goes that way";
      list.push_back(std::move(advice));
    }
  }

  /// Feasible advice to make the same change becomes one.
  static void merge_repeated(std::vector<Advice>& list) {
    std::vector<Advice> kept;
    for (Advice& advice : list) {
      const auto same = std::ranges::find_if(kept, [&](const Advice& each) {
        return advice.is_feasible && each.is_feasible &&
               each.changed_config == advice.changed_config &&
               each.changed_problem == advice.changed_problem;
      });
      if (same == kept.end()) {
        kept.push_back(std::move(advice));
      } else {
        same->also.push_back(advice.rule + ": " + advice.problem);
      }
    }
    list = std::move(kept);
  }

  const Kernel& kernel_;
  const Evidence& evidence_;
  Space space_;
  double now_;    ///< us
  double start_;  ///< us until the cores begin
  double first_order_;
  std::map<std::string, double> estimates_;  ///< us, by request
  int64_t tasks_ = 0;                        ///< of the launches that were estimated
};

}  // namespace

std::span<const AdviceRule> advice_rules() {
  static const std::vector<AdviceRule> kInfos = [] {
    std::vector<AdviceRule> infos;
    for (const AdviceFinder& rule : all_rules()) infos.push_back(rule.info);
    return infos;
  }();
  return kInfos;
}

std::vector<Advice> advise(const Kernel& kernel, const Problem& problem, const Config& config,
                           const Machine& machine, const LaunchProfile& profile,
                           const Roofline& roofline) {
  const Launch launch = kernel.build(problem, config, machine);
  const Evidence evidence({problem, config, machine, launch, profile, roofline});
  return Adviser(kernel, evidence).advise();
}

std::string reason_against(const Advice& advice) {
  if (!advice.is_feasible) return advice.obstacle;
  if (advice.pays()) return "";
  return fmt::format("would not pay (est. {:+.1f} %)", (0 - advice.estimated_gain) * 100);
}

void require_pays(const Advice& advice) {
  const std::string reason = reason_against(advice);
  if (reason.empty()) return;
  throw Error(ErrorKind::kInfeasible,
              fmt::format("{} {}: {}", advice.rule,
                          advice.is_feasible ? "is not followed" : "cannot be followed", reason));
}

AppliedAdvice compare(const Advice& advice, double before_us, double real_us) {
  return {before_us, advice.estimated_us, real_us, advice.estimated_gain, 1 - real_us / before_us};
}

AppliedAdvice apply(const Advice& advice, const Machine& machine, double before_us) {
  require_pays(advice);
  const Launch launch = find_kernel(advice.changed_problem.kernel)
                            .build(advice.changed_problem, advice.changed_config, machine);
  return compare(advice, before_us, machine.us_of_ticks(time_detailed(launch, machine).ticks));
}

}  // namespace tilewright
