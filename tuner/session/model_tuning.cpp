#include "tuner/session/model_tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>

#include "core/model/ops.h"
#include "kernels/gemm/gemm.h"
#include "kernels/kernel.h"
#include "kernels/model_executor.h"

namespace tilewright {

namespace {

constexpr size_t kSeeds = 8;

/// Narrows a GEMM's space to the configs that may win and adds seeds.
void use_estimates(TuneProblem& tune, const Machine& machine, double within) {
  std::vector<std::pair<double, size_t>> estimates;
  const std::vector<Config> configs = tune.space.enumerate();
  for (size_t i = 0; i < configs.size(); ++i) {
    estimates.emplace_back(gemm_estimate_us(tune.problem, configs[i], machine), i);
  }
  if (estimates.empty()) return;
  const size_t seeds = std::min(kSeeds, estimates.size());
  std::partial_sort(estimates.begin(), estimates.begin() + static_cast<std::ptrdiff_t>(seeds),
                    estimates.end());
  for (size_t i = 0; i < seeds; ++i) tune.seeds.push_back(configs[estimates[i].second]);
  if (within <= 0) return;

  std::vector<std::string> names;
  for (const Parameter& parameter : tune.space.parameters()) names.push_back(parameter.name);
  const double limit = within * estimates.front().first;
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
                                       double within) {
  std::vector<TuneProblem> problems;
  const auto add = [&](int64_t tokens, int64_t samples, bool head) {
    for (const ModelOp& op : decoder_ops(model, tokens, samples)) {
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
