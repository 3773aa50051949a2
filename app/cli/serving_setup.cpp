#include "app/cli/serving_setup.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/engine_arguments.h"
#include "app/cli/workload_arguments.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 30;
constexpr int64_t kMaxBlocks = int64_t{1} << 28;
constexpr double kMaxHostUs = 1e9;
constexpr int64_t kMaxChips = 1024;
constexpr int64_t kMaxAudited = 100'000;
constexpr int64_t kMaxCaptured = 65536;
constexpr int64_t kMaxParts = 64;
constexpr int64_t kMaxSkew = 1000;

/// An option whose absence is 0.
int64_t integer_or_zero(const Arguments& arguments, std::string_view option, int64_t max) {
  return arguments.has(option) ? arguments.integer(option, 1, max) : 0;
}

void read_layout(const Arguments& arguments, ModelExecutorOptions& executor) {
  executor.parallel.tp = arguments.integer("tp", 1, kMaxChips);
  executor.parallel.pp = arguments.integer("pp", 1, kMaxChips);
  executor.quantization = parse_quantization(arguments.text("quantization"));
  executor.lowering = parse_lowering(arguments.text("lowering"));
  executor.enforce_eager = arguments.has("enforce-eager");
  executor.cudagraph_capture_sizes = arguments.integers("cudagraph-capture-sizes", 1, kMaxCaptured);
  executor.all_reduce_parts = arguments.integer("all-reduce-parts", 1, kMaxParts);
  executor.expert_skew = arguments.integer("expert-skew", 0, kMaxSkew);
}

}  // namespace

ServingSetup read_engine_setup(const Context& context, const std::string& model) {
  const Arguments& arguments = context.arguments();
  ServingSetup setup;
  setup.model = load_model(model);
  setup.machine = context.machine();

  ServingOptions& options = setup.options;
  options.max_num_batched_tokens = arguments.integer("max-num-batched-tokens", 1, kMaxTokens);
  options.max_num_seqs = arguments.integer("max-num-seqs", 1, kMaxTokens);
  read_engine_arguments(arguments, options, setup.draft_model);
  const double host_us = arguments.has("host-us") ? arguments.number("host-us", 0, kMaxHostUs)
                                                  : setup.machine.launch.host_step_us;
  options.host_overhead_ns = std::llround(host_us * 1e3);

  ModelExecutorOptions& executor = setup.executor;
  executor.block_size = arguments.integer("block-size", 1, kMaxTokens);
  executor.kv_blocks = integer_or_zero(arguments, "kv-blocks", kMaxBlocks);
  executor.max_model_len = integer_or_zero(arguments, "max-model-len", kMaxTokens);
  executor.max_num_batched_tokens = options.max_num_batched_tokens;
  read_layout(arguments, executor);
  if (arguments.has("audit")) setup.audited_steps = arguments.integer("audit", 1, kMaxAudited);
  setup.layout = {{executor.parallel.tp, 1}, 0, executor.quantization == Quantization::kW8A8};
  return setup;
}

ServingSetup read_serving_setup(const Context& context, const std::string& model) {
  const Arguments& arguments = context.arguments();
  if (!arguments.has("workload")) {
    throw Error(ErrorKind::kUsage, "--workload is needed: " + join(workload_names(), ", ") +
                                       ", or the path of a trace file");
  }
  ServingSetup setup = read_engine_setup(context, model);
  setup.workload = read_workload_arguments(context, arguments.text("workload"));
  return setup;
}

Json workload_identity(const Workload& workload) {
  return {
      {"name", workload.name}, {"source", workload.source}, {"requests", workload.requests.size()}};
}

}  // namespace tilewright
