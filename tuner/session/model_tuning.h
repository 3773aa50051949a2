#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/machine/machine.h"
#include "core/model/model_config.h"
#include "tuner/session/session.h"

namespace tilewright {

/// The GEMM problems that traffic makes of a model: one for each of the model's linears and each
/// multiple of kRowMultiple rows that occurs. `step_tokens` and `step_samples` count steps by rows
/// of the layers' GEMMs and of lm_head (ServingResult has both). Ops with equal problems share one
/// entry. Seeds are the configs with the best first-order bounds.
std::vector<TuneProblem> gemm_problems(const ModelConfig& model, const Machine& machine,
                                       const std::map<int64_t, int64_t>& step_tokens,
                                       const std::map<int64_t, int64_t>& step_samples);

/// One problem of a kernel with its seeds, as `tune KERNEL` searches it.
TuneProblem kernel_problem(const Problem& problem, const Machine& machine);

}  // namespace tilewright
