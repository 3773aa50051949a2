#include "app/cli/functional_setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/cli/engine_arguments.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "core/base/text.h"
#include "kernels/simulated/simulated_executor.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 30;
constexpr int64_t kMaxBlocks = int64_t{1} << 28;
constexpr int64_t kMaxRanks = 1024;
constexpr int64_t kDefaultBlockSize = 16;

int64_t integer_or(const Arguments& arguments, std::string_view option, int64_t max,
                   int64_t fallback) {
  return arguments.has(option) ? arguments.integer(option, 1, max) : fallback;
}

/// Blocks that hold all requests at once.
int64_t blocks_of_all(const Workload& workload, int64_t block_size) {
  int64_t blocks = 1;
  for (const Request& request : workload.requests) {
    blocks += ceil_div(request.prompt_tokens + request.output_tokens, block_size) + 1;
  }
  return std::min(blocks, kMaxBlocks);
}

/// Whether the kernels compute; otherwise the CPU does.
bool read_simulated(const Arguments& arguments) {
  const std::string executor = arguments.text("executor");
  if (executor == "native") return false;
  if (executor != "simulated") {
    throw Error(ErrorKind::kUsage,
                fmt::format("--executor is '{}'; it is native or simulated", printable(executor)));
  }
  for (const char* option : {"tp", "pp"}) {
    if (!arguments.has(option) || arguments.integer(option, 1, kMaxRanks) == 1) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("--{} is of the native executor; the simulated one computes real "
                            "numbers on one chip",
                            option));
  }
  return true;
}

/// Error (usage, infeasible) when the lengths and the KV blocks leave a request no room to its end.
void check_room(const FunctionalSetup& setup) {
  const NativeOptions& native = setup.native;
  const int64_t positions = setup.checkpoint.model().max_positions;
  if (native.max_model_len > positions) {
    throw Error(ErrorKind::kUsage, fmt::format("--max-model-len is {}; the model has {} positions",
                                               native.max_model_len, positions));
  }
  if (native.block_size > positions) {
    throw Error(ErrorKind::kUsage, fmt::format("--block-size is {}; the longest sequence has {} "
                                               "tokens",
                                               native.block_size, positions));
  }
  const int64_t longest = native.max_model_len > 0 ? native.max_model_len : positions;
  for (size_t i = 0; i < setup.workload.requests.size(); ++i) {
    const Request& request = setup.workload.requests[i];
    const int64_t tokens = request.prompt_tokens + request.output_tokens;
    if (tokens > longest) {
      throw Error(
          ErrorKind::kInfeasible,
          fmt::format("request {} has {} tokens in prompt and output; sequences end at {}, the {}",
                      i + 1, format_count(tokens), format_count(longest),
                      native.max_model_len > 0 ? "--max-model-len" : "model's positions"));
    }
    if (ceil_div(tokens, native.block_size) > native.kv_blocks) {
      throw Error(ErrorKind::kInfeasible,
                  fmt::format("request {} has {} tokens; {} KV blocks of {} hold {}: give "
                              "--kv-blocks {} or more",
                              i + 1, format_count(tokens), format_count(native.kv_blocks),
                              format_count(native.block_size),
                              format_count(native.kv_blocks * native.block_size),
                              ceil_div(tokens, native.block_size)));
    }
  }
}

}  // namespace

void refuse_timing_options(const Arguments& arguments) {
  for (const char* option : {"workload",
                             "limit",
                             "offset",
                             "window",
                             "rate",
                             "arrivals",
                             "trace",
                             "host-us",
                             "plan",
                             "compare",
                             "force",
                             "slo",
                             "audit",
                             "metrics",
                             "detailed",
                             "percentiles",
                             "quantization",
                             "lowering",
                             "enforce-eager",
                             "cudagraph-capture-sizes",
                             "all-reduce-parts",
                             "expert-skew"}) {
    if (!arguments.has(option)) continue;
    throw Error(ErrorKind::kUsage, fmt::format("--{} has no meaning with --{}", option,
                                               arguments.has("prompts") ? "prompts" : "reference"));
  }
}

FunctionalSetup read_functional_setup(const Arguments& arguments, Checkpoint checkpoint,
                                      Workload workload) {
  FunctionalSetup setup{
      read_simulated(arguments), std::move(checkpoint), std::move(workload), {}, {}, {}};
  ServingOptions& serving = setup.serving;
  if (arguments.has("chunk") && arguments.has("max-num-batched-tokens")) {
    throw Error(ErrorKind::kUsage, "--chunk and --max-num-batched-tokens are the same; give one");
  }
  serving.max_num_batched_tokens =
      arguments.integer(arguments.has("chunk") ? "chunk" : "max-num-batched-tokens", 1, kMaxTokens);
  serving.max_num_seqs =
      std::min(arguments.integer("max-num-seqs", 1, kMaxTokens), serving.max_num_batched_tokens);
  read_engine_arguments(arguments, serving, setup.draft_model);

  NativeOptions& native = setup.native;
  native.block_size = integer_or(arguments, "block-size", kMaxTokens, kDefaultBlockSize);
  native.kv_blocks = integer_or(arguments, "kv-blocks", kMaxBlocks,
                                blocks_of_all(setup.workload, native.block_size));
  native.max_model_len = integer_or(arguments, "max-model-len", kMaxTokens, 0);
  native.parallel = {integer_or(arguments, "tp", kMaxRanks, 1),
                     integer_or(arguments, "pp", kMaxRanks, 1)};
  check_room(setup);
  return setup;
}

std::unique_ptr<Executor> executor_of(const Machine& machine, const FunctionalSetup& setup) {
  const NativeOptions& native = setup.native;
  if (!setup.simulated) return std::make_unique<NativeExecutor>(setup.checkpoint, native);
  const SimulatedOptions options{.kv_blocks = native.kv_blocks,
                                 .block_size = native.block_size,
                                 .max_model_len = native.max_model_len};
  ModelConfig model = setup.checkpoint.model();
  model.dtype = DType::kF32;
  const auto source = [&](const std::string& name) { return setup.checkpoint.read(name); };
  return std::make_unique<SimulatedExecutor>(model, source, machine, options);
}

std::unique_ptr<Executor> draft_of(const FunctionalSetup& setup, const Capacity& capacity) {
  if (setup.draft_model.empty()) return nullptr;
  NativeOptions options;
  options.kv_blocks = capacity.kv_blocks;
  options.block_size = capacity.block_size;
  options.max_model_len = capacity.max_model_len;
  return std::make_unique<NativeExecutor>(Checkpoint(setup.draft_model), options);
}

}  // namespace tilewright
