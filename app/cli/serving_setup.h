#pragma once

#include <string>

#include "app/cli/context.h"
#include "core/model/model_config.h"
#include "core/serving/options.h"
#include "core/workload/workload.h"
#include "kernels/model_executor.h"

namespace tilewright {

/// What a serving run is made of, from the serving options of a command line.
struct ServingSetup {
  ModelConfig model;
  Machine machine;
  Workload workload;
  ServingOptions options;
  ModelExecutorOptions executor;
  /// What a chip computes of each layer: the shapes of its GEMMs.
  RankLayout layout;
  std::string draft_model;    ///< of --speculate model:..., or ""
  int64_t audited_steps = 0;  ///< of `replay`: simulated launch by launch behind the run
};

/// Reads the options that `tune` and `replay` share. Errors as load_model(), load_workload() and
/// Arguments.
ServingSetup read_serving_setup(const Context& context, const std::string& model);

/// The same without a workload.
ServingSetup read_engine_setup(const Context& context, const std::string& model);

/// {"name", "source", "requests"}.
Json workload_identity(const Workload& workload);

}  // namespace tilewright
