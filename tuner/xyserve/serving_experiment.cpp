#include "tuner/xyserve/serving_experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "core/base/thread_pool.h"
#include "core/model/model_config.h"
#include "core/model/ops.h"
#include "core/plan/plan.h"
#include "core/serving/run_totals.h"
#include "core/workload/arrivals.h"
#include "core/workload/session_generator.h"
#include "core/workload/workload.h"
#include "kernels/gemm/row_table.h"
#include "kernels/kernel.h"
#include "tuner/xyserve/linears.h"

namespace tilewright {

namespace {

constexpr uint64_t kSeed = 1;

/// The budget of the paper's evaluation, for every engine.
constexpr int64_t kTokenBudget = 4096;

/// Steps of whole prompts or of decodes: what vLLM's early port to Ascend does.
ServingEngine stage_separated(std::string name, std::string meaning, Lowering lowering) {
  ServingEngine engine;
  engine.name = std::move(name);
  engine.meaning = std::move(meaning);
  engine.lowering = lowering;
  engine.options.policy = "prefill-first";
  engine.options.max_num_batched_tokens = kTokenBudget;
  engine.options.prefix_cache_tokens = false;
  return engine;
}

std::vector<ServingEngine> serving_engines() {
  std::vector<ServingEngine> engines = {
      stage_separated("baseline",
                      "attention_library and gemm_library, steps of prompts or of decodes",
                      Lowering::kLibrary),
      stage_separated("eager baseline", "the same without captured graphs", Lowering::kLibrary),
      stage_separated("kernels", "the meta-attention and tuned SmoothGEMM, steps as the baseline's",
                      Lowering::kXyserve)};
  engines[1].enforce_eager = true;
  ServingEngine mixed = engines.back();
  mixed.name = "mixed";
  mixed.meaning = "and chunked prompts and decodes in one step, one attention launch for all";
  mixed.options.policy = "xyserve";
  engines.push_back(mixed);
  return engines;
}

/// Drafts by prompt lookup (suffixes of 2 to 4 tokens, 4 drafts) as they were accepted in recorded
/// ShareGPT conversations, by position.
SpeculativeOptions measured_speculation() {
  SpeculativeOptions options;
  options.method = DraftMethod::kSynthetic;
  options.num_speculative_tokens = 4;
  options.synthetic_acceptance_rates = {0.52, 0.34, 0.24, 0.18};
  options.seed = kSeed;
  return options;
}

std::vector<ServingEngine> ablation_engines() {
  std::vector<ServingEngine> engines = {
      stage_separated("baseline",
                      "attention_library and gemm_library, prefix cache of whole blocks",
                      Lowering::kLibrary),
      stage_separated("kernels", "the meta-attention and tuned SmoothGEMM, no prefix cache",
                      Lowering::kXyserve)};
  engines[1].options.enable_prefix_caching = false;
  ServingEngine cache = engines[1];
  cache.name = "+ prefix cache";
  cache.meaning = "and a prefix cache by token";
  cache.options.enable_prefix_caching = true;
  cache.options.prefix_cache_tokens = true;
  engines.push_back(cache);
  ServingEngine all = cache;
  all.name = "+ speculation and scheduling";
  all.meaning = "and drafts by prompt lookup, prompts, decodes and verifications in one step";
  all.options.policy = "xyserve";
  all.options.speculative = measured_speculation();
  engines.push_back(all);
  return engines;
}

/// Prompts of about 2169 tokens on average, as the paper says of its in-house traffic. It says
/// nothing of what they share or of the answers: here all begin with the same 512 tokens, as a
/// system prompt would be, and answers are as long as in the conversations of `chat-sessions`.
Workload ablation_workload(int64_t requests, int64_t concurrency) {
  SessionPreset preset = session_presets().front();
  preset.system_tokens = 512;
  preset.turns = 1;
  preset.most_turns = 1;
  preset.message = {.min = 100, .p50 = 1400, .p90 = 3400, .p99 = 5600, .max = 7000, .mean = 1657};
  preset.think_s = 0;
  Workload workload = generate_sessions(preset, requests, kSeed);
  apply_arrivals(workload, {.process = ArrivalProcess::kAtOnce, .concurrency = concurrency}, kSeed);
  return workload;
}

ServedTraffic serve_with(const ServingEngine& engine, const Workload& workload,
                         const ModelConfig& model, const Machine& machine,
                         const ModelExecutorOptions& shared) {
  ModelExecutorOptions options = shared;
  options.lowering = engine.lowering;
  options.enforce_eager = engine.enforce_eager;
  if (engine.lowering == Lowering::kLibrary) options.plan = nullptr;
  options.max_num_batched_tokens = engine.options.max_num_batched_tokens;
  ServingOptions serving = engine.options;
  serving.host_overhead_ns = static_cast<int64_t>(machine.launch.host_step_us * 1e3);
  ModelExecutor executor(model, machine, options);
  const ServingResult result = serve(workload, executor, serving);
  ServedTraffic served;
  served.engine = engine.name;
  served.metrics = compute_metrics(result.requests, result.step_end_ns);
  served.totals = totals_of(result, executor.capacity());
  served.by_op = result.by_op;
  return served;
}

/// Row counts at which the linears of a layer are tuned, or lm_head, whose rows are sequences.
std::vector<int64_t> tuned_rows(bool quick, bool is_head) {
  std::vector<int64_t> rows = {16, 64, 256, 1024, 2048, kTokenBudget};
  if (!quick) {
    rows = {16,  32,  48,   64,   96,   128,  192,  256,  384,
            512, 768, 1024, 1536, 2048, 2560, 3072, 3584, kTokenBudget};
  }
  if (is_head) std::erase_if(rows, [](int64_t m) { return m > ServingOptions{}.max_num_seqs; });
  return rows;
}

PlanTable table_of(const LinearTimes& times, const ModelConfig& model, const std::string& layout) {
  const Problem problem = linear_problem(times.linear, kRowMultiple, "gemm", layout);
  PlanTable header;
  header.kernel = "gemm";
  header.revision = find_kernel("gemm").revision();
  header.dtype = model.dtype;
  header.n = times.linear.n;
  header.k = times.linear.k;
  header.layouts = problem.layouts;
  header.ops = {times.linear.op};
  std::vector<TunedRow> rows;
  for (const TunedRows& entry : times.table) rows.push_back({entry.m, entry.config, entry.time_us});
  return make_table(std::move(header), rows);
}

/// SmoothGEMM's tables for a model on `ranks` chips.
Plan tuned_plan(const ModelConfig& model, int64_t ranks, const Machine& machine, bool quick,
                const ExperimentHooks& hooks) {
  Plan plan;
  plan.machine_name = machine.name;
  plan.machine_fingerprint = machine.fingerprint();
  plan.model = model.name;
  const RankLayout layout{{.tp = ranks, .pp = 1}, 0, false};
  for (const bool is_head : {false, true}) {
    GemmExperimentOptions options;
    options.layout = "nz";
    options.rows = tuned_rows(quick, is_head);
    for (const ModelOp& op : decoder_ops(model, kRowMultiple, kRowMultiple, layout)) {
      if (op.kind != OpKind::kGemm || (op.name == "lm_head") != is_head) continue;
      options.linears.push_back({model.name, ranks, op.name, op.columns, op.depth});
    }
    for (const LinearTimes& times : run_gemm_experiment(options, machine, hooks)) {
      plan.tables.push_back(table_of(times, model, options.layout));
    }
  }
  return plan;
}

/// More (or less, negative) than the baseline, in percent.
double percent_over(double value, double baseline) {
  return baseline > 0 ? 100 * (value / baseline - 1) : 0;
}

struct Traffic {
  const char* preset;
  const char* rate;  // of parse_arrivals
};

std::vector<Traffic> traffics(bool quick) {
  std::vector<Traffic> list;
  for (const char* preset : {"sharegpt", "prefill-heavy", "decode-heavy"}) {
    for (const char* rate : {"4", "8", "16", "32", "4..32"}) {
      if (quick && std::string_view(rate) != "4" && std::string_view(rate) != "16") continue;
      list.push_back({preset, rate});
    }
  }
  return list;
}

Workload workload_of(const Traffic& traffic, int64_t requests) {
  Workload workload = load_workload(traffic.preset, requests, kSeed);
  apply_arrivals(workload, parse_arrivals(fmt::format("poisson:rate={}", traffic.rate)), kSeed);
  return workload;
}

}  // namespace

double ServedTraffic::device_us_of(std::string_view op) const {
  double us = 0;
  for (const OpTime& time : by_op) us += time.op == op ? static_cast<double>(time.ns) * 1e-3 : 0;
  return us;
}

double ServingPoint::qps_percent(size_t engine) const {
  return percent_over(engines[engine].metrics.request_throughput,
                      engines[0].metrics.request_throughput);
}

double ServingPoint::ttft_percent(size_t engine) const {
  return percent_over(engines[engine].metrics.ttft.mean, engines[0].metrics.ttft.mean);
}

double ServingPoint::tbt_percent(size_t engine) const {
  return percent_over(engines[engine].metrics.tpot.mean, engines[0].metrics.tpot.mean);
}

double ServingExperiment::ablation_percent(size_t engine) const {
  return percent_over(ablation[engine].metrics.request_throughput,
                      ablation[0].metrics.request_throughput);
}

ServingBest best_of(const ServingExperiment& experiment, size_t engine) {
  ServingBest best;
  for (const ServingPoint& point : experiment.points) {
    best.qps_percent = std::max(best.qps_percent, point.qps_percent(engine));
    best.ttft_percent = std::min(best.ttft_percent, point.ttft_percent(engine));
    best.tbt_percent = std::min(best.tbt_percent, point.tbt_percent(engine));
  }
  return best;
}

ServingExperiment run_serving_experiment(const Machine& machine, bool quick,
                                         const ExperimentHooks& hooks) {
  ServingExperiment experiment;
  experiment.quick = quick;
  experiment.model = "qwen2-7b";
  experiment.requests = quick ? 64 : 512;
  experiment.engines = serving_engines();
  experiment.ablation_model = "llama-2-70b";
  experiment.ablation_ranks = 8;
  experiment.ablation_concurrency = 8;
  experiment.ablation_engines = ablation_engines();

  const std::vector<Traffic> list = traffics(quick);
  const ModelConfig model = load_model(experiment.model);
  const ModelConfig ablation_model = load_model(experiment.ablation_model);
  const Workload ablation = ablation_workload(quick ? 64 : 256, experiment.ablation_concurrency);
  double input = 0;
  for (const Request& request : ablation.requests) {
    input += static_cast<double>(request.prompt_tokens);
  }
  experiment.ablation_mean_input = input / static_cast<double>(ablation.requests.size());

  for (const Traffic& traffic : list) {
    ServingPoint point{.traffic = traffic.preset, .rate = traffic.rate, .engines = {}};
    point.engines.resize(experiment.engines.size());
    experiment.points.push_back(std::move(point));
  }
  experiment.ablation.resize(experiment.ablation_engines.size());

  const Plan plan = tuned_plan(model, 1, machine, quick, hooks);
  const Plan ablation_plan =
      tuned_plan(ablation_model, experiment.ablation_ranks, machine, quick, hooks);
  ModelExecutorOptions shared;
  shared.plan = &plan;
  shared.memo = std::make_shared<OpMemo>();
  const size_t of_points = list.size() * experiment.engines.size();
  const size_t count = of_points + experiment.ablation.size();
  const auto work = [&](size_t i) {
    if (i < of_points) {
      const size_t engine = i % experiment.engines.size();
      const size_t point = i / experiment.engines.size();
      experiment.points[point].engines[engine] =
          serve_with(experiment.engines[engine], workload_of(list[point], experiment.requests),
                     model, machine, shared);
      return;
    }
    ModelExecutorOptions spread = shared;
    spread.plan = &ablation_plan;
    spread.parallel = {.tp = experiment.ablation_ranks, .pp = 1};
    experiment.ablation[i - of_points] = serve_with(experiment.ablation_engines[i - of_points],
                                                    ablation, ablation_model, machine, spread);
  };
  const auto done = [&](size_t i) {
    if (hooks.progress) hooks.progress("serving", i + 1, count);
  };
  parallel_in_order(count, hooks.jobs, work, done, [] { return false; });
  return experiment;
}

}  // namespace tilewright
