// `tilewright replay CHECKPOINT --reference FILE`: does the engine make the tokens that somebody
// else's made?

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/functional_setup.h"
#include "app/cli/interrupt.h"
#include "app/cli/table.h"
#include "core/base/format.h"
#include "core/serving/engine.h"
#include "kernels/native/reference.h"

namespace tilewright {

namespace {

/// Two executions in f32 that differ in the order of sums stay far below it; a wrong rotation or a
/// mixed-up block does not.
constexpr double kTolerance = 1e-3;

Json json_of(const FunctionalSetup& setup) {
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

Json json_of(const FunctionalSetup& setup, const Agreement& agreement,
             const ServingResult& result) {
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

}  // namespace

int run_replay_reference(Context& context) {
  const InterruptGuard guard;
  const Arguments& arguments = context.arguments();
  refuse_timing_options(arguments);
  Checkpoint checkpoint(arguments.positionals()[0]);
  const std::string path = arguments.text("reference");
  const Reference reference = read_reference(path, checkpoint.model());
  const FunctionalSetup setup =
      read_functional_setup(arguments, std::move(checkpoint), reference_workload(reference, path));
  const Machine machine = context.machine();  // a wrong --machine is told whatever computes
  const std::unique_ptr<Executor> executor = executor_of(machine, setup);
  const std::unique_ptr<Executor> draft = draft_of(setup, executor->capacity());
  ReferenceComparison comparison(reference);
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
