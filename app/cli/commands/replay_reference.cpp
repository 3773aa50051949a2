// `tilewright replay CHECKPOINT --reference FILE`: does the engine make the tokens that somebody
// else's made?

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/engine_arguments.h"
#include "app/cli/interrupt.h"
#include "app/cli/table.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "core/base/text.h"
#include "core/model/checkpoint.h"
#include "core/serving/engine.h"
#include "kernels/native/native_executor.h"
#include "kernels/native/reference.h"
#include "kernels/simulated/simulated_executor.h"

namespace tilewright {

namespace {

/// Two executions in f32 that differ in the order of sums stay far below it; a wrong rotation or a
/// mixed-up block does not.
constexpr double kTolerance = 1e-3;
constexpr int64_t kMaxTokens = int64_t{1} << 30;
constexpr int64_t kMaxBlocks = int64_t{1} << 28;
constexpr int64_t kMaxRanks = 1024;
constexpr int64_t kDefaultBlockSize = 16;

/// What a comparison is made of.
struct Setup {
  bool simulated = false;  ///< by the kernels on the functional simulator
  Checkpoint checkpoint;
  Reference reference;
  Workload workload;
  ServingOptions serving;
  NativeOptions native;
  std::string draft_model;  ///< a checkpoint folder, or ""
};

int64_t integer_or(const Arguments& arguments, std::string_view option, int64_t max,
                   int64_t fallback) {
  return arguments.has(option) ? arguments.integer(option, 1, max) : fallback;
}

/// Blocks that hold all cases at once.
int64_t blocks_of_all(const Reference& reference, int64_t block_size) {
  int64_t blocks = 1;
  for (const ReferenceCase& each : reference.cases) {
    const auto tokens = static_cast<int64_t>(each.prompt.size() + each.greedy.size());
    blocks += ceil_div(tokens, block_size) + 1;
  }
  return blocks;
}

/// Options that have no meaning without a workload, and without times.
void refuse_workload_options(const Arguments& arguments) {
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
    throw Error(ErrorKind::kUsage, fmt::format("--{} has no meaning with --reference", option));
  }
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

/// Error (usage, infeasible) when the lengths and the KV blocks leave a case no room to its end: it
/// would be cut short, and what is missing would look like wrong tokens.
void check_room(const Setup& setup) {
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
  for (const ReferenceCase& each : setup.reference.cases) {
    const auto tokens = static_cast<int64_t>(each.prompt.size() + each.greedy.size());
    if (tokens > longest) {
      throw Error(ErrorKind::kInfeasible,
                  fmt::format("case {} has {} tokens; with --max-model-len {} it would end before",
                              printable(each.name), format_count(tokens), format_count(longest)));
    }
    if (ceil_div(tokens, native.block_size) > native.kv_blocks) {
      throw Error(ErrorKind::kInfeasible,
                  fmt::format("case {} has {} tokens; {} KV blocks of {} hold {}: give --kv-blocks "
                              "{} or more",
                              printable(each.name), format_count(tokens),
                              format_count(native.kv_blocks), format_count(native.block_size),
                              format_count(native.kv_blocks * native.block_size),
                              ceil_div(tokens, native.block_size)));
    }
  }
}

Setup read_setup(const Arguments& arguments) {
  refuse_workload_options(arguments);
  const bool simulated = read_simulated(arguments);
  Setup setup{simulated, Checkpoint(arguments.positionals()[0]), {}, {}, {}, {}, {}};
  const std::string path = arguments.text("reference");
  setup.reference = read_reference(path, setup.checkpoint.model());
  setup.workload = reference_workload(setup.reference, path);

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
                                blocks_of_all(setup.reference, native.block_size));
  native.max_model_len = integer_or(arguments, "max-model-len", kMaxTokens, 0);
  native.parallel = {integer_or(arguments, "tp", kMaxRanks, 1),
                     integer_or(arguments, "pp", kMaxRanks, 1)};
  check_room(setup);
  return setup;
}

Json json_of(const Setup& setup) {
  const ServingOptions& serving = setup.serving;
  return {{"max_num_batched_tokens", serving.max_num_batched_tokens},
          {"max_num_seqs", serving.max_num_seqs},
          {"block_size", setup.native.block_size},
          {"kv_blocks", setup.native.kv_blocks},
          {"prefix_cache", serving.enable_prefix_caching},
          {"num_speculative_tokens", serving.speculative.num_speculative_tokens},
          {"tensor_parallel_size", setup.native.parallel.tp},
          {"pipeline_parallel_size", setup.native.parallel.pp},
          {"async_scheduling", serving.async_scheduling}};
}

Json json_of(const CaseAgreement& each) {
  Json json = {{"name", each.name},
               {"tokens_equal", each.tokens_equal},
               {"tokens_total", each.tokens_total}};
  json["first_difference"] = each.first_difference < 0 ? Json() : Json(each.first_difference);
  json["logits_compared"] = each.logits_compared;
  json["max_logit_error"] = each.max_logit_error;
  return json;
}

Json json_of(const Setup& setup, const Agreement& agreement, const ServingResult& result) {
  Json json = output_object();
  json["model_id"] = setup.checkpoint.model().name;
  json["reference"] = setup.workload.source;
  json["executor"] = setup.simulated ? "simulated" : "native";
  json["options"] = json_of(setup);
  json["tokens_equal"] = agreement.tokens_equal;
  json["tokens_total"] = agreement.tokens_total;
  json["logits_compared"] = agreement.logits_compared;
  json["logits_total"] = agreement.logits_total;
  json["max_logit_error"] = agreement.max_logit_error;
  json["tolerance"] = kTolerance;
  json["holds"] = agreement.holds(kTolerance);
  json["steps"] = result.step_end_ns.size();
  json["preemptions"] = result.preemptions;
  json["prefix_cache_hit_tokens"] = result.prefix_cache.hits;
  json["spec_decode_draft_tokens"] = result.speculation.draft_tokens;
  json["spec_decode_accepted_tokens"] = result.speculation.accepted_tokens;
  Json& cases = json["cases"] = Json::array();
  for (const CaseAgreement& each : agreement.cases) cases.push_back(json_of(each));
  return json;
}

std::string text_of(const Agreement& agreement, const ServingResult& result) {
  QueryResult table;
  table.columns = {"case", "tokens equal", "of", "first difference", "max logit error"};
  for (const CaseAgreement& each : agreement.cases) {
    Cell difference;
    if (each.first_difference >= 0) difference = each.first_difference;
    table.rows.push_back(
        {each.name, each.tokens_equal, each.tokens_total, difference, each.max_logit_error});
  }
  return to_table(table) +
         fmt::format(
             "\n{} of {} tokens equal; {} of {} logits compared, at most {:.2g} off\n{} "
             "steps, {} preemptions, {} tokens from the prefix cache, {} of {} drafts "
             "accepted\n",
             agreement.tokens_equal, agreement.tokens_total,
             format_count(agreement.logits_compared), format_count(agreement.logits_total),
             agreement.max_logit_error, format_count(std::ssize(result.step_end_ns)),
             result.preemptions, format_count(result.prefix_cache.hits),
             result.speculation.accepted_tokens, result.speculation.draft_tokens);
}

std::vector<std::vector<int32_t>> outputs_of(const ServingResult& result) {
  std::vector<std::vector<int32_t>> outputs;
  for (const RequestRecord& request : result.requests) outputs.push_back(request.output_ids);
  return outputs;
}

std::unique_ptr<Executor> executor_of(const Machine& machine, const Setup& setup) {
  const NativeOptions& native = setup.native;
  if (!setup.simulated) return std::make_unique<NativeExecutor>(setup.checkpoint, native);
  const SimulatedOptions options{.kv_blocks = native.kv_blocks,
                                 .block_size = native.block_size,
                                 .max_model_len = native.max_model_len};
  // In f32 whatever type the weights are stored in: references are computed so.
  ModelConfig model = setup.checkpoint.model();
  model.dtype = DType::kF32;
  const auto source = [&](const std::string& name) { return setup.checkpoint.read(name); };
  return std::make_unique<SimulatedExecutor>(model, source, machine, options);
}

/// The checkpoint that drafts, computed on the CPU; null without one.
std::unique_ptr<Executor> draft_of(const Setup& setup, const Capacity& capacity) {
  if (setup.draft_model.empty()) return nullptr;
  NativeOptions options;
  options.kv_blocks = capacity.kv_blocks;
  options.block_size = capacity.block_size;
  options.max_model_len = capacity.max_model_len;
  return std::make_unique<NativeExecutor>(Checkpoint(setup.draft_model), options);
}

}  // namespace

int run_replay_reference(Context& context) {
  const InterruptGuard guard;
  const Setup setup = read_setup(context.arguments());
  const Machine machine = context.machine();  // a wrong --machine is told whatever computes
  const std::unique_ptr<Executor> executor = executor_of(machine, setup);
  const std::unique_ptr<Executor> draft = draft_of(setup, executor->capacity());
  ReferenceComparison comparison(setup.reference);
  ServingCallbacks callbacks;
  callbacks.stop = interrupted;
  callbacks.on_logits = [&](int64_t request, int64_t position, std::span<const float> row) {
    comparison.add_logits(request, position, row);
  };
  const double started = wall_seconds();
  const ServingResult result =
      serve(setup.workload, *executor, setup.serving, callbacks, draft.get());
  const Agreement agreement = comparison.finish(outputs_of(result));
  if (context.globals().json) {
    Json json = json_of(setup, agreement, result);
    json["wall_seconds"] = wall_seconds() - started;
    context.print_json(json);
  } else {
    context.print(text_of(agreement, result));
  }
  if (result.interrupted) {
    context.warn("interrupted: only what was served until then is compared");
    return kExitInterrupted;
  }
  if (agreement.holds(kTolerance)) return kExitOk;
  context.warn(fmt::format(
      "the run differs from {}: {} of {} tokens equal, logits up to {:.2g} off "
      "(at most {} is allowed), {} of {} logits seen",
      setup.workload.source, agreement.tokens_equal, agreement.tokens_total,
      agreement.max_logit_error, kTolerance, agreement.logits_compared, agreement.logits_total));
  return kExitCheckFailed;
}

}  // namespace tilewright
