#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "core/machine/machine.h"
#include "core/model/model_config.h"
#include "core/model/ops.h"
#include "tuner/session/session.h"

namespace tilewright {

/// Configs whose first-order estimate exceeds this many times the least of their space are not
/// tried: tiny tiles that cannot win, and whose launches have many times more instructions.
constexpr double kDefaultWithin = 1.5;

/// The configs of a GEMM's space with the least first-order estimates, at most `count`, no two with
/// the same tile (tile_m x tile_n).
std::vector<Config> promising_tiles(const Problem& problem, const Space& space,
                                    const Machine& machine, size_t count);

/// One problem of a kernel with its seeds (the configs with the least first-order estimates), as
/// `tune KERNEL` searches it. `within`: as kDefaultWithin; 0 keeps the whole space. Errors of the
/// limits: as limited() and refuse_empty_space().
TuneProblem kernel_problem(const Problem& problem, const Machine& machine,
                           double within = kDefaultWithin, const SpaceLimits& limits = {});

/// The GEMM problems that traffic makes of a model: one for each of the model's linears and each
/// multiple of kRowMultiple rows that occurs. `step_tokens` and `step_samples` count steps by rows
/// of the layers' GEMMs and of lm_head (ServingResult has both); `layout` says what a chip computes
/// of each layer. Ops with equal problems share one entry. `prepared`, which may be empty, hears
/// how many there are whenever one more is.
std::vector<TuneProblem> gemm_problems(const ModelConfig& model, const Machine& machine,
                                       const std::map<int64_t, int64_t>& step_tokens,
                                       const std::map<int64_t, int64_t>& step_samples,
                                       const RankLayout& layout = {},
                                       double within = kDefaultWithin,
                                       const SpaceLimits& limits = {},
                                       const std::function<void(size_t)>& prepared = {});

/// The fused problems that belong to them: each GEMM with the op behind it that can be its epilogue
/// (fusion_of()), and what it is instead of, timed by the simulator.
std::vector<TuneProblem> fusion_problems(const ModelConfig& model, const Machine& machine,
                                         const std::map<int64_t, int64_t>& step_tokens,
                                         const RankLayout& layout = {},
                                         double within = kDefaultWithin,
                                         const SpaceLimits& limits = {},
                                         const std::function<void(size_t)>& prepared = {});

}  // namespace tilewright
