#include "app/cli/serving_setup.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/workload_arguments.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 30;
constexpr int64_t kMaxBlocks = int64_t{1} << 28;
constexpr double kMaxHostUs = 1e9;

/// An option whose absence is 0.
int64_t integer_or_zero(const Arguments& arguments, std::string_view option, int64_t max) {
  return arguments.has(option) ? arguments.integer(option, 1, max) : 0;
}

}  // namespace

ServingSetup read_serving_setup(const Context& context, const std::string& model) {
  const Arguments& arguments = context.arguments();
  ServingSetup setup;
  setup.model = load_model(model);
  setup.machine = context.machine();
  if (!arguments.has("workload")) {
    throw Error(ErrorKind::kUsage, "--workload is needed: " + join(workload_names(), ", ") +
                                       ", or the path of a trace file");
  }
  setup.workload = read_workload_arguments(context, arguments.text("workload"));

  ServingOptions& options = setup.options;
  options.max_num_batched_tokens = arguments.integer("max-num-batched-tokens", 1, kMaxTokens);
  options.max_num_seqs = arguments.integer("max-num-seqs", 1, kMaxTokens);
  const double host_us = arguments.has("host-us") ? arguments.number("host-us", 0, kMaxHostUs)
                                                  : setup.machine.launch.host_step_us;
  options.host_overhead_ns = std::llround(host_us * 1e3);

  ModelExecutorOptions& executor = setup.executor;
  executor.block_size = arguments.integer("block-size", 1, kMaxTokens);
  executor.kv_blocks = integer_or_zero(arguments, "kv-blocks", kMaxBlocks);
  executor.max_model_len = integer_or_zero(arguments, "max-model-len", kMaxTokens);
  executor.max_num_batched_tokens = options.max_num_batched_tokens;
  return setup;
}

Json workload_identity(const Workload& workload) {
  return {
      {"name", workload.name}, {"source", workload.source}, {"requests", workload.requests.size()}};
}

}  // namespace tilewright
