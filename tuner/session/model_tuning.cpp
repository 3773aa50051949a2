#include "tuner/session/model_tuning.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>

#include "core/model/ops.h"
#include "core/space/listed_space.h"
#include "kernels/executor/op_memo.h"
#include "kernels/executor/op_times.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemm_space.h"
#include "kernels/kernel.h"
#include "kernels/model_executor.h"

namespace tilewright {

namespace {

constexpr size_t kSeeds = 16;

std::vector<int64_t> tile_of(const Config& config) {
  return {config.at("tile_m"), config.at("tile_n")};
}

/// Cores that a config wants; of those that take all that there are, more than any number.
int64_t cores_of(const Config& config) {
  const int64_t cores = config.at("cores");
  return cores == 0 ? INT64_MAX : cores;
}

/// The `count` configs with the least estimates, one for each tile, so that they differ in what
/// matters. Of equal estimates the one with the deepest steps goes first: fewest instructions for
/// the same work, and the fewest to simulate; then the one with the most cores.
std::vector<Config> promising(const std::vector<Config>& configs,
                              const std::vector<double>& estimates, size_t count) {
  struct Place {
    double estimate;
    int64_t depth;
    int64_t cores;
    size_t config;
  };
  std::vector<Place> order;
  for (size_t i = 0; i < configs.size(); ++i) {
    order.push_back({estimates[i], configs[i].at("tile_k0"), cores_of(configs[i]), i});
  }
  std::ranges::sort(order, [](const Place& a, const Place& b) {
    if (a.estimate != b.estimate) return a.estimate < b.estimate;
    if (a.depth != b.depth) return a.depth > b.depth;
    return a.cores != b.cores ? a.cores > b.cores : a.config < b.config;
  });
  std::vector<Config> chosen;
  std::set<std::vector<int64_t>> seen;
  for (const Place& place : order) {
    if (chosen.size() == count) break;
    const Config& config = configs[place.config];
    if (config.at("swizzle") == 0) continue;  // at best as good as 1, which turns around
    if (seen.insert(tile_of(config)).second) chosen.push_back(config);
  }
  return chosen;
}

std::vector<double> estimates_of(const Problem& problem, const std::vector<Config>& configs,
                                 const Machine& machine) {
  std::vector<double> estimates;
  for (const Config& config : configs) {
    estimates.push_back(gemm_estimate_us(problem, config, machine));
  }
  return estimates;
}

/// Without those that take the time of one before them by plainest(), which comes first itself.
std::vector<Config> without_repeats(const Problem& problem, std::vector<Config> configs,
                                    const Machine& machine) {
  const GemmShape shape = gemm_shape(problem);
  std::unordered_map<std::string, size_t> place;  // of the one that is kept
  std::vector<Config> kept;
  for (Config& config : configs) {
    const Config plain = plainest(shape, config, machine);
    const bool is_plain = plain == config;
    const auto [found, is_new] = place.try_emplace(plain.text(), kept.size());
    if (is_new) {
      kept.push_back(std::move(config));
    } else if (is_plain) {
      kept[found->second] = std::move(config);
    }
  }
  return kept;
}

/// Narrows a GEMM's space to the configs that may win and adds seeds.
void use_estimates(TuneProblem& tune, const Machine& machine, double within) {
  tune.estimate = [machine, problem = tune.problem](const Config& config) {
    return gemm_estimate_us(problem, config, machine);
  };
  std::vector<Config> configs = tune.space.enumerate();
  if (within > 0) configs = without_repeats(tune.problem, std::move(configs), machine);
  if (configs.empty()) return;
  const std::vector<double> estimates = estimates_of(tune.problem, configs, machine);
  tune.seeds = promising(configs, estimates, kSeeds);
  if (within <= 0) return;
  const double limit = within * *std::min_element(estimates.begin(), estimates.end());
  std::vector<std::vector<int64_t>> rows;
  for (size_t i = 0; i < configs.size(); ++i) {
    if (estimates[i] > limit) continue;
    std::vector<int64_t>& row = rows.emplace_back();
    for (const auto& [name, value] : configs[i].values) row.push_back(value);
  }
  tune.space = listed_space(tune.space.parameters(), std::move(rows));
}

std::set<int64_t> row_multiples(const std::map<int64_t, int64_t>& steps) {
  std::set<int64_t> rows;
  for (const auto& [tokens, count] : steps) {
    rows.insert((tokens + kRowMultiple - 1) / kRowMultiple * kRowMultiple);
  }
  return rows;
}

}  // namespace

std::vector<Config> promising_tiles(const Problem& problem, const Space& space,
                                    const Machine& machine, size_t count) {
  const std::vector<Config> configs = space.enumerate();
  return promising(configs, estimates_of(problem, configs, machine), count);
}

TuneProblem kernel_problem(const Problem& problem, const Machine& machine, double within,
                           const SpaceLimits& limits) {
  const Kernel& kernel = find_kernel(problem.kernel);
  Space legal = kernel.space(problem, machine);
  TuneProblem tune{problem, legal, kernel.default_config(problem, machine), {}, {}};
  tune.footprint = [legal = std::move(legal)](const Config& config) {
    int64_t bytes = 0;
    for (const ResourceUse& use : legal.uses(config)) bytes += use.needed;
    return bytes;
  };
  tune.limited = !limits.empty();
  if (tune.limited) {
    tune.space = limited(tune.space, limits);
    refuse_empty_space(tune.space, problem.text());
  }
  if (problem.kernel == "gemm") {
    tune.legal = tune.space;
    use_estimates(tune, machine, within);
  }
  return tune;
}

std::vector<TuneProblem> gemm_problems(const ModelConfig& model, const Machine& machine,
                                       const std::map<int64_t, int64_t>& step_tokens,
                                       const std::map<int64_t, int64_t>& step_samples,
                                       const RankLayout& layout, double within,
                                       const SpaceLimits& limits,
                                       const std::function<void(size_t)>& prepared) {
  std::vector<TuneProblem> problems;
  const auto add = [&](int64_t tokens, int64_t samples, bool head) {
    for (const ModelOp& op : decoder_ops(model, tokens, samples, layout)) {
      if (op.kind != OpKind::kGemm || (op.name == "lm_head") != head) continue;
      const Problem problem = gemm_problem(model, op);
      const auto known = std::find_if(problems.begin(), problems.end(),
                                      [&](const TuneProblem& p) { return p.problem == problem; });
      if (known == problems.end()) {
        problems.push_back(kernel_problem(problem, machine, within, limits));
        problems.back().ops.push_back(op.name);
        if (prepared) prepared(problems.size());
      } else if (std::find(known->ops.begin(), known->ops.end(), op.name) == known->ops.end()) {
        known->ops.push_back(op.name);
      }
    }
  };
  for (int64_t rows : row_multiples(step_tokens)) add(rows, 0, false);
  for (int64_t rows : row_multiples(step_samples)) add(rows, rows, true);
  return problems;
}

std::vector<TuneProblem> fusion_problems(const ModelConfig& model, const Machine& machine,
                                         const std::map<int64_t, int64_t>& step_tokens,
                                         const RankLayout& layout, double within,
                                         const SpaceLimits& limits,
                                         const std::function<void(size_t)>& prepared) {
  std::vector<TuneProblem> problems;
  OpMemo memo;
  const OpTimes times(model, machine, {.parallel = layout.parallel}, memo);
  const auto us_of = [&](const ModelOp& op) {
    return static_cast<double>(times.simulated_ns(op)) * 1e-3;
  };
  const auto add = [&](const ModelOp& gemm, const ModelOp& next) {
    const std::optional<OpFusion> fusion = fusion_of(gemm, next);
    if (!fusion) return;
    const Problem problem = gemm_problem(model, fusion->gemm);
    const auto known = std::ranges::find(problems, problem, &TuneProblem::problem);
    if (known != problems.end()) {
      if (std::ranges::find(known->ops, fusion->name) == known->ops.end()) {
        known->ops.push_back(fusion->name);
      }
      return;
    }
    TuneApart apart{gemm_problem(model, gemm).text(), us_of(next)};
    for (const ModelOp& rest : fusion->rest) apart.others_us -= us_of(rest);
    problems.push_back(kernel_problem(problem, machine, within, limits));
    problems.back().ops.push_back(fusion->name);
    problems.back().apart = std::move(apart);
    if (prepared) prepared(problems.size());
  };
  for (const int64_t rows : row_multiples(step_tokens)) {
    for (const OpSection& section : decoder_sections(model, rows, 0, layout)) {
      for (size_t i = 0; i + 1 < section.ops.size(); ++i) add(section.ops[i], section.ops[i + 1]);
    }
  }
  return problems;
}

}  // namespace tilewright
