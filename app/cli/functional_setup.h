#pragma once

#include <memory>
#include <string>

#include "app/cli/options.h"
#include "core/machine/machine.h"
#include "core/model/checkpoint.h"
#include "core/serving/executor.h"
#include "core/serving/options.h"
#include "core/workload/workload.h"
#include "kernels/native/native_executor.h"

namespace tilewright {

/// What a run of real tokens is made of: a checkpoint, requests with token ids, the engine's
/// options, and who computes.
struct FunctionalSetup {
  bool simulated = false;  ///< by the kernels on the functional simulator
  Checkpoint checkpoint;
  Workload workload;
  ServingOptions serving;
  NativeOptions native;     ///< KV cache, lengths and ranks, whoever computes
  std::string draft_model;  ///< a checkpoint folder, or ""
};

/// Error (usage) for options of `replay` that have no meaning without a workload and times.
void refuse_timing_options(const Arguments& arguments);

/// Reads executor, chunk, block-size, kv-blocks, max-model-len, tp, pp and engine_options(). KV
/// blocks are by default as many as all requests fill at once. Error (usage) for options that a run
/// of real tokens does not have, or that contradict; (infeasible), naming the request, when lengths
/// or KV blocks leave one no room to its end: what is missing would look like wrong tokens.
FunctionalSetup read_functional_setup(const Arguments& arguments, Checkpoint checkpoint,
                                      Workload workload);

/// Who computes: the CPU, or the kernels on the functional simulator of `machine`, in f32 whatever
/// type the weights are stored in.
std::unique_ptr<Executor> executor_of(const Machine& machine, const FunctionalSetup& setup);

/// The checkpoint that drafts, computed on the CPU; null without one.
std::unique_ptr<Executor> draft_of(const FunctionalSetup& setup, const Capacity& capacity);

}  // namespace tilewright
