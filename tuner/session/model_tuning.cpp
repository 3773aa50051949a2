#include "tuner/session/model_tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <span>

#include "core/model/ops.h"
#include "kernels/gemm/gemm.h"
#include "kernels/kernel.h"
#include "kernels/model_executor.h"

namespace tilewright {

namespace {

constexpr size_t kSeeds = 8;

/// What of a config decides its first-order estimate for the most part: the traffic of its tiles.
std::vector<int64_t> traffic_of(const Config& config) {
  return {config.at("tile_m"),  config.at("tile_n"),    config.at("tile_k"),
          config.at("swizzle"), config.at("core_rows"), config.at("split_k")};
}

std::vector<int64_t> tile_of(const Config& config) {
  return {config.at("tile_m"), config.at("tile_n")};
}

/// Cores that a config wants; of those that take all that there are, more than any number.
int64_t cores_of(const Config& config) {
  const int64_t cores = config.at("cores");
  return cores == 0 ? INT64_MAX : cores;
}

/// The `count` configs with the least estimates, one for each `kind`, so that they differ in what
/// matters. Of equal estimates the one with the deepest steps goes first: fewest instructions for
/// the same work, and the fewest to simulate; then the one with the most cores.
std::vector<Config> promising(const std::vector<Config>& configs,
                              const std::vector<double>& estimates, size_t count,
                              std::vector<int64_t> (*kind)(const Config&)) {
  std::vector<size_t> order(configs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (estimates[a] != estimates[b]) return estimates[a] < estimates[b];
    if (configs[a].at("tile_k0") != configs[b].at("tile_k0")) {
      return configs[a].at("tile_k0") > configs[b].at("tile_k0");
    }
    return cores_of(configs[a]) > cores_of(configs[b]);
  });
  std::vector<Config> chosen;
  std::set<std::vector<int64_t>> seen;
  for (size_t i : order) {
    if (chosen.size() == count) break;
    if (configs[i].at("swizzle") == 0) continue;  // at best as good as 1, which turns around
    if (seen.insert(kind(configs[i])).second) chosen.push_back(configs[i]);
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

/// Narrows a GEMM's space to the configs that may win and adds seeds.
void use_estimates(TuneProblem& tune, const Machine& machine, double within) {
  const std::vector<Config> configs = tune.space.enumerate();
  if (configs.empty()) return;
  const std::vector<double> estimates = estimates_of(tune.problem, configs, machine);
  tune.seeds = promising(configs, estimates, kSeeds, traffic_of);
  if (within <= 0) return;

  std::vector<std::string> names;
  for (const Parameter& parameter : tune.space.parameters()) names.push_back(parameter.name);
  const double limit = within * *std::min_element(estimates.begin(), estimates.end());
  const auto violation = [names, limit, machine,
                          problem = tune.problem](std::span<const int64_t> values) -> std::string {
    Config config;
    for (size_t i = 0; i < names.size(); ++i) config.values.emplace_back(names[i], values[i]);
    const double estimate = gemm_estimate_us(problem, config, machine);
    if (estimate <= limit) return "";
    return fmt::format("its first-order estimate of {:.2f} us is above {:.2f} us", estimate, limit);
  };
  std::vector<Constraint> constraints = tune.space.constraints();
  constraints.push_back({"promise", names, violation});
  tune.space = Space(tune.space.parameters(), std::move(constraints));
}

std::set<int64_t> row_multiples(const std::map<int64_t, int64_t>& steps) {
  std::set<int64_t> rows;
  for (const auto& [tokens, count] : steps) {
    rows.insert((tokens + kRowMultiple - 1) / kRowMultiple * kRowMultiple);
  }
  return rows;
}

}  // namespace

std::vector<Config> promising_configs(const Problem& problem, const Space& space,
                                      const Machine& machine) {
  const std::vector<Config> configs = space.enumerate();
  return promising(configs, estimates_of(problem, configs, machine), kSeeds, traffic_of);
}

std::vector<Config> promising_tiles(const Problem& problem, const Space& space,
                                    const Machine& machine, size_t count) {
  const std::vector<Config> configs = space.enumerate();
  return promising(configs, estimates_of(problem, configs, machine), count, tile_of);
}

TuneProblem kernel_problem(const Problem& problem, const Machine& machine, double within) {
  const Kernel& kernel = find_kernel(problem.kernel);
  TuneProblem tune{
      problem, kernel.space(problem, machine), kernel.default_config(problem, machine), {}, {}};
  if (problem.kernel == "gemm") use_estimates(tune, machine, within);
  return tune;
}

std::vector<TuneProblem> gemm_problems(const ModelConfig& model, const Machine& machine,
                                       const std::map<int64_t, int64_t>& step_tokens,
                                       const std::map<int64_t, int64_t>& step_samples,
                                       const RankLayout& layout, double within) {
  std::vector<TuneProblem> problems;
  const auto add = [&](int64_t tokens, int64_t samples, bool head) {
    for (const ModelOp& op : decoder_ops(model, tokens, samples, layout)) {
      if (op.kind != OpKind::kGemm || (op.name == "lm_head") != head) continue;
      const Problem problem = gemm_problem(model, op);
      const auto known = std::find_if(problems.begin(), problems.end(),
                                      [&](const TuneProblem& p) { return p.problem == problem; });
      if (known == problems.end()) {
        problems.push_back(kernel_problem(problem, machine, within));
        problems.back().ops.push_back(op.name);
      } else if (std::find(known->ops.begin(), known->ops.end(), op.name) == known->ops.end()) {
        known->ops.push_back(op.name);
      }
    }
  };
  for (int64_t rows : row_multiples(step_tokens)) add(rows, 0, false);
  for (int64_t rows : row_multiples(step_samples)) add(rows, rows, true);
  return problems;
}

}  // namespace tilewright
