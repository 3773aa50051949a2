// `tilewright replay CHECKPOINT --prompts FILE`: what a checkpoint says after prompts of token ids.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/functional_setup.h"
#include "app/cli/interrupt.h"
#include "core/base/error.h"
#include "core/serving/engine.h"
#include "core/workload/trace_reader.h"

namespace tilewright {

namespace {

constexpr double kMaxTemperature = 100;
constexpr int64_t kMaxTopK = int64_t{1} << 24;
constexpr int64_t kMaxId = (int64_t{1} << 31) - 1;

/// Error (usage) for a trace without token ids.
Workload read_prompts(const std::string& path) {
  Workload workload = read_workload(path);
  for (size_t i = 0; i < workload.requests.size(); ++i) {
    if (!workload.requests[i].prompt_ids.empty()) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: request {} has no token ids; give rows such as {{\"prompt\": [1, "
                            "2], \"output_tokens\": 8}}",
                            path, i + 1));
  }
  return workload;
}

GenerationParams read_generation(const Context& context) {
  const Arguments& arguments = context.arguments();
  GenerationParams params;
  params.sampling.temperature = arguments.number("temperature", 0, kMaxTemperature);
  params.sampling.top_k = arguments.integer("top-k", 0, kMaxTopK);
  params.sampling.top_p = arguments.number("top-p", 0, 1);
  params.sampling.seed = static_cast<uint64_t>(context.globals().seed);
  if (!(params.sampling.top_p > 0)) {
    throw Error(ErrorKind::kUsage, "--top-p is 0; it is above 0 and at most 1");
  }
  for (const int64_t id : arguments.integers("stop-token-ids", 0, kMaxId)) {
    params.stop_token_ids.push_back(static_cast<int32_t>(id));
  }
  return params;
}

Json json_of(const FunctionalSetup& setup, const ServingResult& result) {
  const SamplingParams& sampling = setup.serving.generation.sampling;
  Json json = output_object();
  json["model_id"] = setup.checkpoint.model().name;
  json["prompts"] = setup.workload.source;
  json["executor"] = setup.simulated ? "simulated" : "native";
  json["temperature"] = sampling.temperature;
  json["top_k"] = sampling.top_k;
  json["top_p"] = sampling.top_p;
  json["seed"] = sampling.seed;
  json["steps"] = result.step_end_ns.size();
  Json& outputs = json["outputs"] = Json::array();
  for (const RequestRecord& request : result.requests) {
    outputs.push_back(
        {{"token_ids", request.output_ids}, {"finish_reason", name_of(request.finish)}});
  }
  json["interrupted"] = result.interrupted;
  return json;
}

}  // namespace

int run_replay_tokens(Context& context) {
  const InterruptGuard guard;
  const Arguments& arguments = context.arguments();
  refuse_timing_options(arguments);
  Checkpoint checkpoint(arguments.positionals()[0]);
  FunctionalSetup setup = read_functional_setup(arguments, std::move(checkpoint),
                                                read_prompts(arguments.text("prompts")));
  setup.serving.generation = read_generation(context);
  const Machine machine = context.machine();
  const std::unique_ptr<Executor> executor = executor_of(machine, setup);
  const std::unique_ptr<Executor> draft = draft_of(setup, executor->capacity());
  ServingCallbacks callbacks;
  callbacks.stop = interrupted;
  const double started = wall_seconds();
  const ServingResult result =
      serve(setup.workload, *executor, setup.serving, callbacks, draft.get());
  if (context.globals().json) {
    Json json = json_of(setup, result);
    json["wall_seconds"] = wall_seconds() - started;
    context.print_json(json);
  } else {
    for (const RequestRecord& request : result.requests) {
      context.print(fmt::format("{}\n", fmt::join(request.output_ids, " ")));
    }
  }
  if (!result.interrupted) return kExitOk;
  context.warn("interrupted: outputs end where they were");
  return kExitInterrupted;
}

}  // namespace tilewright
