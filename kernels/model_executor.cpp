#include "kernels/model_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/attention/attention.h"
#include "kernels/executor/attention_times.h"
#include "kernels/executor/step_price.h"
#include "kernels/executor/step_work.h"

namespace tilewright {

namespace {

ModelExecutorOptions checked(const ModelConfig& model, const Machine& machine,
                             ModelExecutorOptions options) {
  check_parallel(model, options.parallel);
  const int64_t chips = options.parallel.tp * options.parallel.pp;
  if (chips > machine.fabric.chips) {
    throw Error(
        ErrorKind::kInfeasible,
        fmt::format("tp {} x pp {} needs {} chips, but the fabric of {} joins {}; use a smaller "
                    "--tp or --pp, or a machine file with a larger fabric.chips",
                    options.parallel.tp, options.parallel.pp, chips, machine.name,
                    machine.fabric.chips));
  }
  if (options.quantization == Quantization::kW8A8 && options.lowering == Lowering::kLibrary) {
    throw Error(ErrorKind::kUsage,
                "the library's GEMM has no dequantisation; use --lowering xyserve with w8a8, or "
                "no quantization");
  }
  if (options.max_model_len == 0) options.max_model_len = model.max_positions;
  if (!options.memo) options.memo = std::make_shared<OpMemo>();
  return options;
}

/// Attention of one rank. Latent attention has one KV head, whose values are part of its keys.
AttentionShape rank_shape(const ModelConfig& model, const ModelExecutorOptions& options) {
  AttentionShape shape;
  shape.type = model.dtype;
  shape.heads = query_heads(model, options.parallel.tp, 0).count;
  shape.kv_heads = model.is_mla() ? 1 : kv_heads(model, options.parallel.tp, 0).count;
  shape.dim = model.is_mla() ? model.kv_lora_rank + model.qk_rope_dim : model.head_dim;
  shape.v_dim = model.is_mla() ? model.kv_lora_rank : 0;
  shape.latent = model.is_mla();
  shape.block_size = options.block_size;
  return shape;
}

int64_t ns_of_us(double us) {
  return std::llround(us * 1e3);
}

}  // namespace

struct ModelExecutor::State {
  State(const ModelConfig& config, const Machine& chip, ModelExecutorOptions wanted)
      : model(config),
        machine(chip),
        options(checked(model, machine, std::move(wanted))),
        attention(rank_shape(model, options), machine, options.lowering, *options.memo),
        ops(model, machine, {options.parallel, options.lowering, options.plan, options.expert_skew},
            *options.memo),
        memory(plan_memory(model, machine,
                           {options.parallel, is_quantized(), options.max_num_batched_tokens,
                            options.memory_utilization, options.block_size, options.kv_blocks})),
        free_ns(static_cast<size_t>(options.parallel.pp), 0) {
    if (!options.enforce_eager) {
      const int64_t layers = stage_layers(model, options.parallel.pp, 0).count;
      sizes =
          tilewright::capture_sizes(options.cudagraph_capture_sizes, layers, machine.host.graphs);
    }
    // Says at once when the attention of this model fits no tile.
    attention_default(rank_shape(model, options), false, machine);
  }

  bool is_quantized() const { return options.quantization == Quantization::kW8A8; }

  /// What a step's price depends on.
  struct StepKind {
    int64_t rows = 0;
    int64_t sampled = 0;
    bool graph = false;

    friend auto operator<=>(const StepKind&, const StepKind&) = default;
  };

  /// A step before its times: what it is, and what its slices sum to.
  struct Step {
    StepKind kind;
    StepSize size;
    int64_t copied = 0;  ///< tokens whose KV is copied
  };

  ModelConfig model;
  Machine machine;
  ModelExecutorOptions options;
  AttentionTimes attention;
  OpTimes ops;
  MemoryPlan memory;
  std::vector<int64_t> sizes;
  std::vector<int64_t> free_ns;  ///< when each stage is free again
  int64_t last_ready_ns = INT64_MIN;
  std::map<StepKind, std::vector<StagePrice>> prices;

  /// Whether all slices are decodes or verifications of one length: what graphs are captured for.
  static bool is_uniform(const Batch& batch) {
    const int64_t tokens = batch.slices.front().tokens;
    return std::ranges::all_of(batch.slices, [&](const SequenceSlice& slice) {
      return slice.samples && slice.tokens == tokens && slice.drafts + 1 == tokens;
    });
  }

  Step step_of(const Batch& batch) const {
    Step step;
    step.size = step_size(batch);
    const int64_t bucket =
        !sizes.empty() && is_uniform(batch) ? bucket_of(sizes, step.size.tokens) : 0;
    step.kind = {bucket > 0 ? bucket : step.size.tokens, step.size.sampled, bucket > 0};
    for (const BlockCopy& copy : batch.copies) step.copied += copy.tokens;
    return step;
  }

  /// Rows for which a step is priced: the cube's granule. Where few tokens choose experts or go
  /// over links, each of them counts.
  int64_t rounded(int64_t rows) const {
    constexpr int64_t kFewTokens = 64;
    if ((model.experts > 0 || options.parallel.tp > 1) && rows <= kFewTokens) return rows;
    return round_up(rows, kRowMultiple);
  }

  std::vector<StagePrice> price(const StepKind& kind, bool exact) const {
    PriceRequest request;
    request.exact = exact;
    request.last_op_ns = ns_of_us(machine.host.op_us);
    request.op_ns = kind.graph ? 0 : request.last_op_ns;
    request.all_reduce_parts = options.all_reduce_parts;
    std::vector<StagePrice> stages;
    for (int64_t stage = 0; stage < options.parallel.pp; ++stage) {
      const RankLayout layout{options.parallel, stage, is_quantized()};
      stages.push_back(price_stage(sections_of(kind, layout), ops, request));
    }
    return stages;
  }

  /// The ops of a stage as the plan fuses them.
  std::vector<OpSection> sections_of(const StepKind& kind, const RankLayout& layout) const {
    std::vector<OpSection> sections = decoder_sections(model, kind.rows, kind.sampled, layout);
    if (!options.plan || options.lowering == Lowering::kLibrary) return sections;
    return with_fusions(std::move(sections), [&](const OpFusion& fusion) {
      return options.plan->fuses(fusion.name, fusion.gemm.rows);
    });
  }

  /// What stands for all kinds that have the same price.
  StepKind priced(StepKind kind) const {
    kind.rows = rounded(kind.rows);
    kind.sampled = std::min(kind.rows, round_up(kind.sampled, kRowMultiple));
    return kind;
  }

  const std::vector<StagePrice>& remembered_price(StepKind kind) {
    kind = priced(kind);
    const auto [entry, is_new] = prices.try_emplace(kind);
    if (is_new) entry->second = price(kind, false);
    return entry->second;
  }

  /// KV of tokens moved to another block, in every layer of a stage.
  int64_t copy_ns(int64_t tokens, int64_t stage) const {
    if (tokens == 0) return 0;
    const RankLayout layout{options.parallel, stage, is_quantized()};
    const int64_t layers = stage_layers(model, options.parallel.pp, stage).count;
    const int64_t bytes = rank_kv_bytes_per_token(model, layout) / layers;
    return layers * ops.move_ns(tokens, bytes / bytes_of(model.dtype));
  }

  /// Begins a run anew when time goes back.
  void note_ready(int64_t ready_ns) {
    if (ready_ns < last_ready_ns) std::ranges::fill(free_ns, 0);
    last_ready_ns = ready_ns;
  }

  /// Where the time of a step goes that no op has.
  struct Gaps {
    int64_t idle_ns = 0;
    int64_t wait_ns = 0;  ///< stages behind the first that are busy with an earlier batch
  };

  /// Sends a step through the stages; answers when it ends and leaves their times in `free_ns`.
  int64_t run(const std::vector<StagePrice>& stages, const Step& step, int64_t attention_ns,
              int64_t ready_ns, std::vector<int64_t>& stage_free, Gaps& gaps) const {
    int64_t arrival = ready_ns;
    for (size_t stage = 0; stage < stages.size(); ++stage) {
      const int64_t begin = std::max(arrival, stage_free[stage]);
      if (stage > 0) gaps.wait_ns += begin - arrival;
      const int64_t copy = copy_ns(step.copied, static_cast<int64_t>(stage));
      HostedTime time{ready_ns, begin + copy};
      if (step.kind.graph) time.host += ns_of_us(machine.host.graph_us);
      // A graph begins as a whole: its ops cost the host nothing, but the first waits for it.
      int64_t busy = copy;
      for (const HostedOps& part : stages[stage].ops) {
        time = after(part, time, attention_ns);
        busy += part.repeat * (part.fixed + (part.attends ? attention_ns : 0));
      }
      gaps.idle_ns += time.end - begin - busy;
      stage_free[stage] = arrival = time.end;
    }
    return arrival;
  }

  /// Times by op of `steps` such steps with `attention_ns` of attention a layer in all of them.
  std::vector<OpTime> op_times(const std::vector<StagePrice>& stages, const Step& step,
                               int64_t steps, int64_t attention_ns, int64_t wait_ns) const {
    std::vector<OpTime> times;
    for (size_t stage = 0; stage < stages.size(); ++stage) {
      if (step.copied > 0) {
        const auto number = static_cast<int64_t>(stage);
        const int64_t layers = stage_layers(model, options.parallel.pp, number).count;
        add_time(times, {"kv_copy", layers, copy_ns(step.copied, number)});
      }
      for (const OpTime& time : stages[stage].times) {
        const bool attends = time.op == "attention";
        const int64_t ns = attends ? time.calls * attention_ns : steps * time.ns;
        if (stages.size() == 1) {
          times.push_back({time.op, steps * time.calls, ns});
        } else {
          add_time(times, {time.op, steps * time.calls, ns});
        }
      }
    }
    if (wait_ns > 0) times.push_back({"pipeline_wait", 1, wait_ns});
    return times;
  }

  /// Launches of one op, `calls` times, behind the others.
  void add_launches(const ModelOp& op, int64_t calls, const Batch& batch,
                    std::vector<StepLaunch>& launches) const {
    if (op.kind == OpKind::kAttention) {
      for (Problem& problem : attention.mean_problems(batch)) {
        Config config = find_kernel(problem.kernel).default_config(problem, machine);
        add_launch({op.name, calls, std::move(problem), std::move(config)}, launches);
      }
      return;
    }
    OpLaunch launch = ops.launch_of(op);
    add_launch(
        {op.name, calls, std::move(launch.problem), std::move(launch.config), launch.is_tuned},
        launches);
  }

  static void add_launch(StepLaunch launch, std::vector<StepLaunch>& launches) {
    const auto same = std::ranges::find_if(launches, [&](const StepLaunch& known) {
      return known.op == launch.op && known.problem == launch.problem;
    });
    if (same == launches.end()) {
      launches.push_back(std::move(launch));
    } else {
      same->calls += launch.calls;
    }
  }

  StepWork work_of(const StepSize& size) const {
    return step_work(model, size, is_quantized() ? 1 : bytes_of(model.dtype));
  }

  int64_t audited_ns(const Batch& batch, bool exact) {
    const Step step = step_of(batch);
    std::vector<int64_t> idle(free_ns.size(), 0);
    Gaps gaps;
    if (!exact) {
      return run(remembered_price(step.kind), step, std::llround(attention.ns(batch)), 0, idle,
                 gaps);
    }
    return run(price(step.kind, true), step, attention.simulated_ns(batch), 0, idle, gaps);
  }
};

ModelExecutor::ModelExecutor(const ModelConfig& model, const Machine& machine,
                             ModelExecutorOptions options)
    : state_(std::make_unique<State>(model, machine, std::move(options))) {}

ModelExecutor::~ModelExecutor() = default;

Capacity ModelExecutor::capacity() const {
  const ModelExecutorOptions& options = state_->options;
  const Machine& machine = state_->machine;
  const auto chips = static_cast<double>(options.parallel.tp * options.parallel.pp);
  Capacity capacity;
  capacity.kv_blocks = state_->memory.kv_blocks;
  capacity.block_size = options.block_size;
  capacity.max_model_len = options.max_model_len;
  capacity.max_in_flight = options.parallel.pp;
  capacity.peak_flops =
      chips * machine.peak_flops(state_->is_quantized() ? DType::kI8 : state_->model.dtype);
  capacity.peak_bytes_per_s = chips * machine.hbm.gb_per_s * 1e9;
  return capacity;
}

Execution ModelExecutor::execute(const Batch& batch, int64_t ready_ns) {
  State& state = *state_;
  TW_CHECK(!batch.slices.empty(), "a step has a slice");
  state.note_ready(ready_ns);
  const State::Step step = state.step_of(batch);
  const std::vector<StagePrice>& stages = state.remembered_price(step.kind);
  const int64_t attention_ns = std::llround(state.attention.ns(batch));
  Execution execution;
  execution.start_ns = std::max(ready_ns, state.free_ns.front());
  State::Gaps gaps;
  execution.end_ns = state.run(stages, step, attention_ns, ready_ns, state.free_ns, gaps);
  execution.accepts_next_ns = state.free_ns.front();
  execution.idle_ns = gaps.idle_ns;
  execution.ops = state.op_times(stages, step, 1, attention_ns, gaps.wait_ns);
  execution.work = state.work_of(step.size);
  return execution;
}

RepeatedExecution ModelExecutor::repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                               int64_t until_ns, int64_t gap_ns) {
  State& state = *state_;
  TW_CHECK(!batch.slices.empty() && batch.copies.empty(), "a run of decodes has slices alone");
  state.note_ready(ready_ns);
  State::Step step = state.step_of(batch);
  const std::vector<StagePrice>& stages = state.remembered_price(step.kind);
  const std::int64_t count = std::ssize(batch.slices);
  const DecodeLoads decodes = state.attention.decodes_of(batch);
  RepeatedExecution repeated;
  State::Gaps gaps;
  int64_t attention_ns = 0;
  int64_t ready = ready_ns;
  int64_t last_end = ready_ns;
  int64_t steps = 0;
  for (; steps < limit; ++steps) {
    const int64_t ns = std::llround(state.attention.decode_ns(decodes, steps));
    const int64_t end = state.run(stages, step, ns, ready, state.free_ns, gaps);
    repeated.end_ns.push_back(end);
    attention_ns += ns;
    // Without a gap the host plans ahead: it sends a step while the one before is executed.
    ready = gap_ns > 0 ? end + gap_ns : last_end;
    last_end = end;
    if (end >= until_ns) break;
  }
  steps = std::ssize(repeated.end_ns);
  repeated.idle_ns = gaps.idle_ns;
  repeated.ops = state.op_times(stages, step, steps, attention_ns, gaps.wait_ns);
  // Work grows by the same amount from step to step.
  const StepWork first = state.work_of(step.size);
  step.size.keys += (steps - 1) * count;
  step.size.token_keys += static_cast<double>((steps - 1) * count);
  const StepWork last = state.work_of(step.size);
  const auto half = static_cast<double>(steps) / 2;
  repeated.work = {half * (first.flops + last.flops),
                   half * (first.weight_bytes + last.weight_bytes),
                   half * (first.kv_read_bytes + last.kv_read_bytes),
                   half * (first.kv_write_bytes + last.kv_write_bytes)};
  return repeated;
}

std::vector<StepLaunch> ModelExecutor::launches(const Batch& batch) const {
  const State& state = *state_;
  TW_CHECK(!batch.slices.empty(), "a step has a slice");
  const State::StepKind kind = state.priced(state.step_of(batch).kind);
  std::vector<StepLaunch> launches;
  for (int64_t stage = 0; stage < state.options.parallel.pp; ++stage) {
    const RankLayout layout{state.options.parallel, stage, state.is_quantized()};
    for (const OpSection& section : state.sections_of(kind, layout)) {
      for (const ModelOp& op : section.ops) {
        state.add_launches(op, section.repeat, batch, launches);
      }
    }
  }
  return launches;
}

StepAudit ModelExecutor::audit(const Batch& batch) {
  return {state_->audited_ns(batch, false), state_->audited_ns(batch, true)};
}

const MemoryBudget& ModelExecutor::memory() const {
  return state_->memory.budget;
}

const std::vector<int64_t>& ModelExecutor::capture_sizes() const {
  return state_->sizes;
}

const OpMemo& ModelExecutor::memo() const {
  return *state_->options.memo;
}

}  // namespace tilewright
