#include "tuner/session/model_tuning.h"

#include <algorithm>
#include <set>

#include "core/model/ops.h"
#include "kernels/gemm/gemm.h"
#include "kernels/kernel.h"
#include "kernels/model_executor.h"

namespace tilewright {

namespace {

constexpr size_t kSeeds = 8;

/// The configs with the smallest first-order bounds, best first.
std::vector<Config> promising(const Problem& problem, const Space& space, const Machine& machine) {
  std::vector<std::pair<double, size_t>> bounds;
  const std::vector<Config> configs = space.enumerate();
  bounds.reserve(configs.size());
  for (size_t i = 0; i < configs.size(); ++i) {
    bounds.emplace_back(gemm_bound_us(problem, configs[i], machine), i);
  }
  const size_t count = std::min(kSeeds, bounds.size());
  std::partial_sort(bounds.begin(), bounds.begin() + static_cast<std::ptrdiff_t>(count),
                    bounds.end());
  std::vector<Config> best;
  for (size_t i = 0; i < count; ++i) best.push_back(configs[bounds[i].second]);
  return best;
}

std::set<int64_t> row_multiples(const std::map<int64_t, int64_t>& steps) {
  std::set<int64_t> rows;
  for (const auto& [tokens, count] : steps) {
    rows.insert((tokens + kRowMultiple - 1) / kRowMultiple * kRowMultiple);
  }
  return rows;
}

}  // namespace

TuneProblem kernel_problem(const Problem& problem, const Machine& machine) {
  const Kernel& kernel = find_kernel(problem.kernel);
  TuneProblem tune{
      problem, kernel.space(problem, machine), kernel.default_config(problem, machine), {}, {}};
  if (problem.kernel == "gemm") tune.seeds = promising(problem, tune.space, machine);
  return tune;
}

std::vector<TuneProblem> gemm_problems(const ModelConfig& model, const Machine& machine,
                                       const std::map<int64_t, int64_t>& step_tokens,
                                       const std::map<int64_t, int64_t>& step_samples) {
  std::vector<TuneProblem> problems;
  const auto add = [&](int64_t tokens, int64_t samples, bool head) {
    for (const ModelOp& op : decoder_ops(model, tokens, samples)) {
      if (op.kind != OpKind::kGemm || (op.name == "lm_head") != head) continue;
      const Problem problem = gemm_problem(model, op);
      const auto known = std::find_if(problems.begin(), problems.end(),
                                      [&](const TuneProblem& p) { return p.problem == problem; });
      if (known == problems.end()) {
        problems.push_back(kernel_problem(problem, machine));
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
