#include "kernels/model_executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "core/base/error.h"
#include "core/base/statistics.h"
#include "kernels/executor/step_sampler.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

/// Half a billion parameters: steps so short that the host matters.
ModelConfig small_model() {
  ModelConfig model = load_model("qwen2-7b");
  model.name = "small";
  model.hidden = 896;
  model.layers = 24;
  model.heads = 14;
  model.kv_heads = 2;
  model.head_dim = 64;
  model.v_head_dim = 64;
  model.intermediate = 4864;
  return model;
}

SequenceSlice decode(int64_t context) {
  SequenceSlice slice;
  slice.context = context;
  slice.tokens = 1;
  slice.samples = true;
  return slice;
}

SequenceSlice verify(int64_t context, int64_t drafts) {
  SequenceSlice slice = decode(context);
  slice.tokens = drafts + 1;
  slice.drafts = drafts;
  return slice;
}

SequenceSlice prefill(int64_t context, int64_t tokens) {
  SequenceSlice slice = decode(context);
  slice.tokens = tokens;
  return slice;
}

Batch decodes(int64_t count, int64_t context) {
  Batch batch;
  for (int64_t i = 0; i < count; ++i) batch.slices.push_back(decode(context + 7 * i));
  return batch;
}

Batch mixed() {
  Batch batch = decodes(20, 300);
  batch.slices.push_back(verify(500, 3));
  batch.slices.push_back(prefill(0, 200));
  batch.slices.push_back(prefill(640, 61));
  return batch;
}

ModelExecutorOptions options_of(int64_t tp, int64_t pp = 1) {
  ModelExecutorOptions options;
  options.parallel = {tp, pp};
  return options;
}

int64_t op_sum(const std::vector<OpTime>& ops) {
  return std::accumulate(ops.begin(), ops.end(), int64_t{0},
                         [](int64_t sum, const OpTime& op) { return sum + op.ns; });
}

int64_t ns_of(const Execution& execution, const std::string& name) {
  const auto op = std::ranges::find(execution.ops, name, &OpTime::op);
  return op == execution.ops.end() ? 0 : op->ns;
}

int64_t duration(const Execution& execution) {
  return execution.end_ns - execution.start_ns;
}

TEST(ModelExecutor, AccountsForEveryNanosecondOfAStep) {
  for (const auto& [tp, pp] : {std::pair{1, 1}, {2, 1}, {2, 2}}) {
    ModelExecutor executor(small_model(), machine(), options_of(tp, pp));
    Batch copying = mixed();
    copying.copies = {{3, 4, 77}};
    int64_t ready = 1000;
    for (const Batch& batch : {decodes(5, 100), mixed(), copying}) {
      const Execution execution = executor.execute(batch, ready);
      EXPECT_EQ(op_sum(execution.ops) + execution.idle_ns, duration(execution)) << tp << " " << pp;
      EXPECT_EQ(execution.start_ns, ready);
      EXPECT_GT(ns_of(execution, "attention"), 0);
      EXPECT_EQ(ns_of(execution, "kv_copy") > 0, !batch.copies.empty());
      ready = execution.end_ns + 100;
    }
  }
}

TEST(ModelExecutor, SaysWhatItLaunches) {
  ModelExecutor executor(small_model(), machine(), options_of(1));
  const Batch batch = decodes(16, 100);  // as many rows as are simulated as they are
  const std::vector<StepLaunch> launches = executor.launches(batch);
  const Execution execution = executor.execute(batch, 0);
  ASSERT_EQ(launches.size(), execution.ops.size());
  for (size_t i = 0; i < launches.size(); ++i) {
    const StepLaunch& launch = launches[i];
    EXPECT_EQ(launch.op, execution.ops[i].op);
    EXPECT_EQ(launch.calls, execution.ops[i].calls) << launch.op;
    const Kernel& kernel = find_kernel(launch.problem.kernel);
    EXPECT_EQ(kernel.space(launch.problem, machine()).violation(launch.config), "") << launch.op;
    if (launch.op == "attention") continue;
    const Launch built = kernel.build(launch.problem, launch.config, machine());
    const int64_t ns = machine().ns_of_ticks(time_launch(built, machine(), Fidelity::kAuto).ticks);
    EXPECT_EQ(launch.calls * ns, execution.ops[i].ns) << launch.op;
  }
}

TEST(ModelExecutor, FusesOpsAtTheRowsThatThePlanSays) {
  Plan plan;
  plan.fusions = {{"gate_up+silu_mul", "silu_mul", {{1, 16}}},
                  {"down+add_rms_norm", "residual", {{17, 64}}}};
  ModelExecutorOptions options = options_of(1);
  options.plan = &plan;
  ModelExecutor fused(small_model(), machine(), options);
  ModelExecutor apart(small_model(), machine(), options_of(1));
  const Execution few = fused.execute(decodes(16, 100), 0);
  EXPECT_GT(ns_of(few, "gate_up+silu_mul"), 0);
  EXPECT_EQ(ns_of(few, "silu_mul"), 0);
  EXPECT_EQ(ns_of(few, "down+add_rms_norm"), 0);
  const Execution more = fused.execute(decodes(32, 100), 0);
  EXPECT_EQ(ns_of(more, "gate_up+silu_mul"), 0);
  EXPECT_GT(ns_of(more, "down+add_rms_norm"), 0);
  EXPECT_GT(ns_of(more, "rms_norm"), ns_of(apart.execute(decodes(32, 100), 0), "rms_norm"));
  // What is launched is the GEMM with that epilogue.
  for (const StepLaunch& launch : fused.launches(decodes(16, 100))) {
    if (launch.op == "gate_up+silu_mul") {
      EXPECT_EQ(launch.problem.epilogue, "silu_mul");
    }
    EXPECT_NE(launch.op, "silu_mul");
  }
  // A vendor's library has no such launches.
  options.lowering = Lowering::kLibrary;
  ModelExecutor library(small_model(), machine(), options);
  EXPECT_EQ(ns_of(library.execute(decodes(16, 100), 0), "gate_up+silu_mul"), 0);
}

TEST(ModelExecutor, TakesTheDefaultBeyondAPlanWhereItIsBetter) {
  // A tile of 16 rows, tuned for 16: 512 rows would load the weights once for each 16.
  ModelExecutor untuned(small_model(), machine(), options_of(1));
  Plan plan;
  const std::vector<StepLaunch> few = untuned.launches(decodes(16, 100));
  const auto qkv = std::ranges::find(few, "qkv", &StepLaunch::op);
  ASSERT_NE(qkv, few.end());
  PlanTable table{"gemm",
                  3,
                  qkv->problem.types[0],
                  qkv->problem.size("n"),
                  qkv->problem.size("k"),
                  "none",
                  qkv->problem.layouts,
                  {"qkv"},
                  {}};
  const TunedRow rows[] = {{16, qkv->config, 1}};
  plan.tables.push_back(make_table(table, rows));
  ModelExecutorOptions options = options_of(1);
  options.plan = &plan;
  ModelExecutor tuned(small_model(), machine(), options);
  const Batch many = decodes(512, 100);
  EXPECT_LE(ns_of(tuned.execute(many, 0), "qkv"),
            ns_of(untuned.execute(many, 0), "qkv") * 101 / 100);
  EXPECT_EQ(ns_of(tuned.execute(decodes(16, 100), 0), "qkv"),
            ns_of(untuned.execute(decodes(16, 100), 0), "qkv"));
}

TEST(ModelExecutor, LaunchesAttentionAtTheMeansOfItsBatch) {
  const auto attention = [](Lowering lowering) {
    ModelExecutorOptions options = options_of(1);
    options.lowering = lowering;
    std::vector<std::string> texts;
    for (const StepLaunch& launch :
         ModelExecutor(small_model(), machine(), options).launches(mixed())) {
      if (launch.op == "attention") texts.push_back(launch.problem.text());
    }
    return texts;
  };
  EXPECT_EQ(attention(Lowering::kXyserve),
            (std::vector<std::string>{
                "attention bf16 bf16 bf16 nd nd nd sequences=2 tokens=131 context=320 heads=14 "
                "kv_heads=2 dim=64 block=128 decodes=20 decode_context=367 verifies=1 drafts=3 "
                "verify_context=500 v_dim=0 epilogue=none mask=causal"}));
  EXPECT_EQ(attention(Lowering::kLibrary).size(), 3U);
}

TEST(ModelExecutor, GivesTheSameTimesWhateverWasAskedBefore) {
  const std::vector<Batch> batches = {
      decodes(5, 100), mixed(), decodes(33, 700), {.slices = {prefill(100, 333)}}};
  ModelExecutorOptions shared = options_of(1);
  shared.memo = std::make_shared<OpMemo>();
  ModelExecutor forth(small_model(), machine(), options_of(1));
  ModelExecutor warm(small_model(), machine(), shared);
  std::vector<int64_t> times;
  int64_t ready = 0;
  for (const Batch& batch : batches) {
    times.push_back(duration(forth.execute(batch, ready)));
    ready = warm.execute(batch, ready).end_ns;
  }
  const int64_t simulated = shared.memo->simulated();
  ModelExecutor back(small_model(), machine(), shared);
  for (size_t i = batches.size(); i-- > 0;) {
    const Execution execution = back.execute(batches[i], ready);
    EXPECT_EQ(duration(execution), times[i]);
    ready = execution.end_ns;
  }
  EXPECT_EQ(shared.memo->simulated(), simulated) << "a warm memo needs no simulation";
}

TEST(ModelExecutor, RepeatsDecodesAsIfEachWereExecuted) {
  for (const bool eager : {false, true}) {
    ModelExecutorOptions options = options_of(1);
    options.enforce_eager = eager;
    ModelExecutor one(small_model(), machine(), options);
    ModelExecutor other(small_model(), machine(), options);
    Batch batch = decodes(12, 250);
    const RepeatedExecution repeated = one.repeat_decode(batch, 500, 40, INT64_MAX, 300);
    int64_t ready = 500;
    int64_t idle = 0;
    double flops = 0;
    int64_t ns = 0;
    for (const int64_t end : repeated.end_ns) {
      const Execution execution = other.execute(batch, ready);
      EXPECT_EQ(execution.end_ns, end);
      ready = execution.end_ns + 300;
      idle += execution.idle_ns;
      flops += execution.work.flops;
      ns += op_sum(execution.ops);
      for (SequenceSlice& slice : batch.slices) ++slice.context;
    }
    EXPECT_EQ(repeated.end_ns.size(), 40U);
    EXPECT_EQ(repeated.idle_ns, idle);
    EXPECT_EQ(op_sum(repeated.ops), ns);
    EXPECT_NEAR(repeated.work.flops, flops, 1e-9 * flops);
  }
}

TEST(ModelExecutor, StopsRepeatingAfterTheStepThatReachesTheLimit) {
  ModelExecutor executor(small_model(), machine(), options_of(1));
  const RepeatedExecution all = executor.repeat_decode(decodes(4, 90), 9, 20, INT64_MAX, 0);
  // Time that goes back begins a new run.
  const RepeatedExecution some =
      executor.repeat_decode(decodes(4, 90), 8, 20, all.end_ns[6] - 1, 0);
  ASSERT_EQ(some.end_ns.size(), 7U);
}

TEST(ModelExecutor, FallsOffACliffBeyondTheLargestCapturedGraph) {
  ModelExecutorOptions options = options_of(1);
  options.cudagraph_capture_sizes = {1, 2, 4, 8};
  ModelExecutor executor(small_model(), machine(), options);
  const Execution inside = executor.execute(decodes(8, 100), 0);
  const Execution outside = executor.execute(decodes(9, 100), inside.end_ns);
  // Op by op a layer waits for the host: the small model is several times slower.
  EXPECT_GT(duration(outside), 4 * duration(inside));
  EXPECT_GT(outside.idle_ns, duration(outside) / 2);
  EXPECT_LT(inside.idle_ns, duration(inside));
  // A large model keeps the device busy all the same.
  ModelExecutor large(load_model("llama-2-7b"), machine(), options);
  const Execution captured = large.execute(decodes(8, 100), 0);
  const Execution sent = large.execute(decodes(9, 100), captured.end_ns);
  EXPECT_LT(duration(sent), 2 * duration(captured));
}

TEST(ModelExecutor, PadsDecodesToTheCapturedSize) {
  ModelExecutorOptions options = options_of(1);
  options.cudagraph_capture_sizes = {64, 128};
  ModelExecutor executor(small_model(), machine(), options);
  const Execution below = executor.execute(decodes(65, 100), 0);
  const Execution full = executor.execute(decodes(128, 100), below.end_ns);
  EXPECT_EQ(ns_of(below, "gate_up"), ns_of(full, "gate_up"));
  EXPECT_LT(ns_of(below, "attention"), ns_of(full, "attention"));
  ASSERT_EQ(executor.capture_sizes(), (std::vector<int64_t>{64, 128}));
}

TEST(ModelExecutor, SplitsWorkAndMemoryOverRanks) {
  const ModelConfig model = load_model("llama-2-70b");
  ModelExecutor four(model, machine(), options_of(4));
  ModelExecutor eight(model, machine(), options_of(8));
  EXPECT_NEAR(static_cast<double>(four.memory().weight_bytes),
              static_cast<double>(model.weight_bytes()) / 4, 1e6);
  EXPECT_GT(eight.capacity().kv_blocks, 2 * four.capacity().kv_blocks);
  EXPECT_DOUBLE_EQ(eight.capacity().peak_flops, 8 * machine().peak_flops(model.dtype));
  const Execution on_four = four.execute(decodes(16, 500), 0);
  const Execution on_eight = eight.execute(decodes(16, 500), 0);
  EXPECT_GT(ns_of(on_four, "all_reduce"), 0);
  EXPECT_GT(ns_of(on_four, "all_gather"), 0);
  EXPECT_LT(duration(on_eight), duration(on_four));
}

TEST(ModelExecutor, HidesAllReducesBehindGemmsWhenCutInParts) {
  ModelExecutorOptions options = options_of(4);
  const Batch step{.slices = {prefill(0, 1024)}};
  ModelExecutor plain(load_model("llama-2-70b"), machine(), options);
  options.all_reduce_parts = 4;
  ModelExecutor cut(load_model("llama-2-70b"), machine(), options);
  const Execution whole = plain.execute(step, 0);
  const Execution parts = cut.execute(step, 0);
  EXPECT_LT(duration(parts), duration(whole));
  EXPECT_LT(ns_of(parts, "all_reduce"), ns_of(whole, "all_reduce"));
  // What is hidden is at most what there was.
  EXPECT_GT(duration(parts), duration(whole) - ns_of(whole, "all_reduce"));
}

TEST(ModelExecutor, TakesTheNextBatchWhileStagesBehindTheFirstAreBusy) {
  ModelExecutor executor(small_model(), machine(), options_of(1, 4));
  EXPECT_EQ(executor.capacity().max_in_flight, 4);
  const Batch batch{.slices = {prefill(0, 2000)}};
  const Execution first = executor.execute(batch, 0);
  EXPECT_LT(first.accepts_next_ns, first.start_ns + duration(first) / 2);
  const Execution second = executor.execute(batch, first.accepts_next_ns);
  EXPECT_EQ(second.start_ns, first.accepts_next_ns);
  EXPECT_GT(second.end_ns, first.end_ns);
  EXPECT_LT(second.end_ns, first.end_ns + duration(first) / 2);
  // The first stage is still busy with it.
  const Execution third = executor.execute(batch, second.start_ns + 1);
  EXPECT_EQ(third.start_ns, second.accepts_next_ns);
  EXPECT_GT(ns_of(first, "send"), 0);
}

TEST(ModelExecutor, RefusesLayoutsThatTheFabricOrTheModelHasNoRoomFor) {
  const ModelConfig model = load_model("llama-2-70b");
  try {
    ModelExecutor executor(model, machine(), options_of(8, 2));
    FAIL() << "16 chips on a fabric of 8";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("needs 16 chips"), std::string::npos) << error.what();
  }
  EXPECT_THROW(ModelExecutor(model, machine(), options_of(3)), Error);
  EXPECT_THROW(ModelExecutor(model, machine(), options_of(1)), Error) << "129 GiB on one chip";
}

TEST(ModelExecutor, RunsExpertsAndLatentAttention) {
  ModelExecutor latent(load_model("deepseek-v2-lite"), machine(), options_of(1));
  const Execution one = latent.execute(decodes(1, 1000), 0);
  EXPECT_GT(ns_of(one, "expert_gate_up"), 0);
  EXPECT_GT(ns_of(one, "q_absorb"), 0);
  const Execution many = latent.execute(decodes(32, 1000), one.end_ns);
  // One token reads 6 of 64 experts, 32 tokens all of them.
  EXPECT_GT(ns_of(many, "expert_gate_up"), 4 * ns_of(one, "expert_gate_up"));
  ModelExecutorOptions skewed = options_of(2);
  ModelExecutor even(load_model("mixtral-8x7b"), machine(), skewed);
  skewed.expert_skew = 100;
  ModelExecutor uneven(load_model("mixtral-8x7b"), machine(), skewed);
  const Batch step{.slices = {prefill(0, 1024)}};
  EXPECT_GT(ns_of(uneven.execute(step, 0), "expert_gate_up"),
            ns_of(even.execute(step, 0), "expert_gate_up"));
}

TEST(ModelExecutor, ReadsHalfTheWeightsInInt8) {
  const ModelConfig model = load_model("qwen2-7b");
  ModelExecutorOptions options = options_of(1);
  ModelExecutor wide(model, machine(), options);
  options.quantization = Quantization::kW8A8;
  ModelExecutor narrow(model, machine(), options);
  EXPECT_LT(narrow.memory().weight_bytes, wide.memory().weight_bytes * 6 / 10);
  EXPECT_GT(narrow.capacity().kv_blocks, wide.capacity().kv_blocks);
  const Execution slow = wide.execute(decodes(8, 100), 0);
  const Execution fast = narrow.execute(decodes(8, 100), 0);
  EXPECT_LT(ns_of(fast, "gate_up"), ns_of(slow, "gate_up") * 6 / 10);
  EXPECT_GT(ns_of(fast, "down_quantize"), 0);
  EXPECT_LT(duration(fast), duration(slow));
}

TEST(ModelExecutor, SeparatesStagesInTheLibrarysLowering) {
  const ModelConfig model = load_model("qwen2-7b");
  ModelExecutorOptions options = options_of(1);
  ModelExecutor ours(model, machine(), options);
  options.lowering = Lowering::kLibrary;
  ModelExecutor library(model, machine(), options);
  Batch batch = decodes(40, 900);
  for (int64_t i = 0; i < 8; ++i) batch.slices.push_back(verify(900, 3));
  batch.slices.push_back(prefill(1024, 600));
  EXPECT_GT(ns_of(library.execute(batch, 0), "attention"),
            ns_of(ours.execute(batch, 0), "attention"));
}

TEST(ModelExecutor, CountsWorkByTheAnalyticFormulas) {
  const ModelConfig model = load_model("llama-2-7b");
  ModelExecutor executor(model, machine(), options_of(1));
  Batch batch{.slices = {decode(99), prefill(100, 50)}};
  batch.slices[1].samples = false;
  const StepWork work = executor.execute(batch, 0).work;
  const double layer = 4.0 * 4096 * 4096 + 3.0 * 4096 * 11008;
  const double head = 4096.0 * 32000;
  const double token_keys = 100 + 50 * 150;
  EXPECT_DOUBLE_EQ(work.flops, 2 * 51 * 32 * layer + 2 * 32 * 2 * 4096 * token_keys + 2 * head);
  EXPECT_DOUBLE_EQ(work.weight_bytes, 2 * (32 * layer + head));
  EXPECT_DOUBLE_EQ(work.kv_read_bytes, (100 + 150) * 524288.0);
  EXPECT_DOUBLE_EQ(work.kv_write_bytes, 51 * 524288.0);
}

TEST(StepSampler, KeepsStepsEvenlyOverTheRun) {
  ModelExecutor executor(small_model(), machine(), options_of(1));
  StepSampler sampler(executor, 8);
  sampler.execute(mixed(), 0);
  sampler.repeat_decode(decodes(3, 10), 1 << 30, 200, INT64_MAX, 0);
  const std::vector<Batch> samples = sampler.samples();
  ASSERT_EQ(samples.size(), 8U);
  EXPECT_EQ(samples[0].slices.size(), mixed().slices.size());
  for (size_t i = 2; i + 1 < samples.size(); ++i) {
    const int64_t before = samples[i].slices[0].context - samples[i - 1].slices[0].context;
    EXPECT_NEAR(static_cast<double>(before), 25, 12);
  }
  EXPECT_GT(samples.back().slices[0].context, 150);
}

/// Steps like those of a service: lognormal contexts, decodes alone or with prompts or drafts.
std::vector<Batch> random_steps(uint32_t seed, int count) {
  std::mt19937 random(seed);
  std::lognormal_distribution<> lengths(6.5, 0.8);
  const auto length = [&] { return 1 + std::min<int64_t>(6000, std::llround(lengths(random))); };
  std::vector<Batch> steps;
  for (int step = 0; step < count; ++step) {
    Batch batch;
    const auto running = static_cast<int64_t>(1 + random() % 60);
    for (int64_t i = 0; i < running; ++i)
      batch.slices.push_back(step % 4 == 1 ? verify(length(), 3) : decode(length()));
    for (int64_t i = 0; step % 2 == 0 && i < 1 + step % 3; ++i)
      batch.slices.push_back(prefill(i == 0 ? 0 : length(), std::min<int64_t>(length(), 600)));
    steps.push_back(std::move(batch));
  }
  return steps;
}

TEST(ModelExecutor, IsCloseToStepsSimulatedLaunchByLaunchSlow) {
  for (const auto& [name, tp] : {std::pair{"llama-2-7b", 1}, {"llama-2-70b", 4}}) {
    ModelExecutor executor(load_model(name), machine(), options_of(tp));
    std::vector<double> errors;
    for (const Batch& batch : random_steps(11, 24)) {
      const StepAudit audit = executor.audit(batch);
      errors.push_back(std::abs(
          static_cast<double>(audit.fast_ns) / static_cast<double>(audit.simulated_ns) - 1));
    }
    std::ranges::sort(errors);
    EXPECT_LE(percentile(errors, 50), 0.02) << name;
    EXPECT_LE(percentile(errors, 95), 0.08) << name;
  }
}

TEST(ModelExecutor, FewTokensOverLinksAreTimedByTheirNumber) {
  ModelExecutor executor(load_model("llama-2-13b"), machine(), options_of(2));
  for (const int64_t count : {1, 3, 7}) {
    const StepAudit audit = executor.audit(decodes(count, 300));
    EXPECT_NEAR(static_cast<double>(audit.fast_ns) / static_cast<double>(audit.simulated_ns), 1,
                0.02)
        << count;
  }
}

TEST(ModelExecutor, AnUnevenBatchHoldsUpALibraryThatDealsWholeRequests) {
  ModelExecutorOptions options = options_of(1);
  options.lowering = Lowering::kLibrary;
  ModelExecutor executor(load_model("qwen2-7b"), machine(), options);
  const int64_t cores = machine().cores.aic;
  Batch uneven = decodes(2 * cores, 1000);
  for (int64_t i = 0; i < 2 * cores; ++i) {
    uneven.slices[static_cast<size_t>(i)].context = i % cores == 0 ? 1000 + 4 * cores : 996;
  }
  Batch heavy = decodes(2 * cores, 500);
  for (int64_t i = 0; i < 2; ++i) heavy.slices[static_cast<size_t>(i * cores)].context = 4000;
  for (const Batch& batch : {decodes(2 * cores, 1000), uneven, heavy}) {
    const StepAudit audit = executor.audit(batch);
    EXPECT_NEAR(static_cast<double>(audit.fast_ns) / static_cast<double>(audit.simulated_ns), 1,
                0.08);
  }
  // The same keys in all, but one core has eight times as many as the others.
  Batch even = decodes(2 * cores, 500 + 2 * 3500 / (2 * cores));
  EXPECT_GT(executor.audit(heavy).fast_ns, executor.audit(even).fast_ns);
}

}  // namespace
}  // namespace tilewright
