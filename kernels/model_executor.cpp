#include "kernels/model_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <tuple>
#include <utility>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/decode_launch.h"
#include "kernels/kernel.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

/// Bytes of a step's largest intermediate tensors: input and output of the FFN's two GEMMs beside
/// the residual stream, its norm and the packed queries, keys and values.
int64_t activation_bytes(const ModelConfig& model, int64_t tokens) {
  const int64_t ffn = 3 * std::max(model.intermediate, model.expert_intermediate);
  const int64_t packed = (model.heads + 2 * model.kv_heads) * model.head_dim;
  return tokens * (ffn + 4 * model.hidden + packed) * bytes_of(model.dtype);
}

void check_supported(const ModelConfig& model) {
  if (model.is_mla() || model.experts > 0) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{} ({}) cannot be executed: no kernel computes {} yet; models with "
                            "grouped-query attention and dense feed-forward layers can",
                            model.name, model.architecture,
                            model.is_mla() ? "latent attention" : "expert routing"));
  }
}

/// The vector kernel of an op with its sizes; rows as everywhere in multiples.
std::pair<const char*, std::map<std::string, int64_t>> vector_kernel(const ModelConfig& model,
                                                                     const ModelOp& op) {
  const int64_t rows = round_up(op.rows, kRowMultiple);
  switch (op.kind) {
    case OpKind::kEmbedding:
      return {"gather", {{"rows", rows}, {"cols", op.columns}, {"vocab", model.vocab}}};
    case OpKind::kRmsNorm:
      return {"rms_norm", {{"rows", rows}, {"cols", op.columns}}};
    case OpKind::kAddRmsNorm:
      return {"add_rms_norm", {{"rows", rows}, {"cols", op.columns}}};
    case OpKind::kRope:
      return {
          "rope",
          {{"rows", rows}, {"heads", op.heads}, {"kv_heads", model.kv_heads}, {"dim", op.columns}}};
    case OpKind::kSiluMul:
      return {"silu_mul", {{"rows", rows}, {"cols", op.columns}}};
    case OpKind::kSample:
      return {"argmax", {{"rows", rows}, {"cols", op.columns}}};
    default:
      throw Error(ErrorKind::kFailed, fmt::format("no kernel computes the op {} yet", op.name));
  }
}

void add_time(std::vector<OpTime>& ops, const std::string& name, int64_t calls, int64_t ns) {
  const auto known =
      std::find_if(ops.begin(), ops.end(), [&](const OpTime& op) { return op.op == name; });
  if (known == ops.end()) {
    ops.push_back({name, calls, ns});
  } else {
    known->calls += calls;
    known->ns += ns;
  }
}

}  // namespace

Problem gemm_problem(const ModelConfig& model, const ModelOp& op) {
  TW_CHECK(op.kind == OpKind::kGemm, "only a GEMM op has a GEMM problem");
  ProblemRequest request;
  request.sizes = {{"m", round_up(op.rows, kRowMultiple)}, {"n", op.columns}, {"k", op.depth}};
  request.dtype = std::string(name_of(model.dtype));
  request.layout = "nz";
  return find_kernel("gemm").problem(request);
}

struct ModelExecutor::State {
  ModelConfig model;
  Machine machine;
  ModelExecutorOptions options;
  MemoryBudget memory;
  AttentionShape attention;
  /// The plan's tables of the model's GEMMs, by n, k and epilogue.
  std::map<std::tuple<int64_t, int64_t, std::string>, RowTable> gemm_tables;
  Config decode_config;     ///< of attention for steps of decodes alone
  Config attention_config;  ///< and for all others
  /// ns of launches already simulated: by problem text, and by the contexts of an attention batch.
  std::map<std::string, int64_t> launch_ns;
  std::map<std::vector<int64_t>, int64_t> attention_ns;
  int64_t simulated = 0;
  int64_t remembered = 0;

  int64_t time(const Launch& launch) {
    ++simulated;
    return machine.ns_of_ticks(time_launch(launch, machine, Fidelity::kAuto).ticks);
  }

  Config config_of(const Kernel& kernel, const Problem& problem) const {
    if (problem.kernel == "gemm") {
      const auto table = gemm_tables.find({problem.size("n"), problem.size("k"), problem.epilogue});
      // A config was tuned at the largest m that it serves; virtual padding lets it run fewer rows.
      if (table != gemm_tables.end()) return table->second.at(problem.size("m"));
    }
    return kernel.default_config(problem, machine);
  }

  void index_plan() {
    /// More rows than any step has.
    constexpr int64_t kMostRows = 1 << 20;
    for (const PlanTable& table : options.plan->tables) {
      if (table.kernel != "gemm" || table.dtype != model.dtype) continue;
      const int64_t budget = std::min(table.ranges.back().m_max, kMostRows);
      gemm_tables.try_emplace({table.n, table.k, table.epilogue},
                              RowTable(std::span<const PlanRange>(table.ranges), budget));
    }
  }

  /// Every GEMM config of the plan must be legal where it was tuned.
  void check_plan() const {
    const Kernel& gemm = find_kernel("gemm");
    for (const PlanTable& table : options.plan->tables) {
      if (table.kernel != gemm.name()) continue;
      for (const PlanRange& range : table.ranges) {
        ProblemRequest request;
        request.sizes = {{"m", range.m_max}, {"n", table.n}, {"k", table.k}};
        request.dtype = std::string(name_of(table.dtype));
        if (table.layouts.size() > 1) request.layout = table.layouts[1];
        const Problem problem = gemm.problem(request);
        const std::string why = gemm.space(problem, machine).violation(range.config);
        if (why.empty()) continue;
        throw Error(ErrorKind::kInfeasible,
                    fmt::format("its config '{}' for {} (m {} to {}) cannot run on {}: {}",
                                range.config.text(), problem.text(), range.m_min, range.m_max,
                                machine.name, why));
      }
    }
  }

  int64_t launch_time(const Problem& problem) {
    const auto [entry, is_new] = launch_ns.try_emplace(problem.text(), 0);
    if (is_new) {
      const Kernel& kernel = find_kernel(problem.kernel);
      entry->second = time(kernel.build(problem, config_of(kernel, problem), machine));
    } else {
      ++remembered;
    }
    return entry->second;
  }

  Launch attention_launch(std::span<const AttentionSequence> sequences) {
    const Config config = batch_default(attention, sequences, machine);
    return build_batch_launch(attention, sequences, config, machine);
  }

  int64_t attention_time(const Batch& batch) {
    std::vector<AttentionSequence> sequences;
    std::vector<int64_t> key;
    for (const SequenceSlice& slice : batch.slices) {
      sequences.push_back({slice.tokens, slice.context});
      key.push_back(slice.tokens);
      key.push_back(slice.context);
    }
    const auto [entry, is_new] = attention_ns.try_emplace(std::move(key), 0);
    if (is_new) {
      entry->second = time(attention_launch(sequences));
    } else {
      ++remembered;
    }
    return entry->second;
  }

  int64_t op_time(const ModelOp& op, const Batch& batch) {
    if (op.kind == OpKind::kAttention) return attention_time(batch);
    if (op.kind == OpKind::kGemm) return launch_time(gemm_problem(model, op));
    const auto [name, sizes] = vector_kernel(model, op);
    ProblemRequest request;
    request.sizes = sizes;
    request.dtype = std::string(name_of(model.dtype));
    return launch_time(find_kernel(name).problem(request));
  }

  void plan_memory() {
    memory.usable_bytes = static_cast<int64_t>(options.memory_utilization *
                                               static_cast<double>(machine.hbm.capacity_bytes));
    memory.weight_bytes = model.weight_bytes();
    memory.activation_bytes = activation_bytes(model, options.max_num_batched_tokens);
    const int64_t left = memory.usable_bytes - memory.weight_bytes - memory.activation_bytes;
    const int64_t block_bytes = options.block_size * model.kv_bytes_per_token();
    const int64_t fitting = left > 0 ? left / block_bytes : 0;
    const auto size = [](int64_t bytes) { return format_bytes(static_cast<double>(bytes)); };
    if (fitting < std::max<int64_t>(1, options.kv_blocks)) {
      const int64_t missing = std::max<int64_t>(1, options.kv_blocks) * block_bytes - left;
      throw Error(
          ErrorKind::kInfeasible,
          fmt::format("{} does not fit {}: {} weights + {} activations + {} KV cache exceed "
                      "the usable {} by {}; use a smaller model, fewer --kv-blocks or a "
                      "smaller --max-num-batched-tokens",
                      model.name, machine.name, size(memory.weight_bytes),
                      size(memory.activation_bytes),
                      size(std::max<int64_t>(1, options.kv_blocks) * block_bytes),
                      size(memory.usable_bytes), size(missing)));
    }
    if (options.kv_blocks == 0) options.kv_blocks = fitting;
    memory.kv_bytes = options.kv_blocks * block_bytes;
  }
};

ModelExecutor::ModelExecutor(const ModelConfig& model, const Machine& machine,
                             ModelExecutorOptions options)
    : state_(std::make_unique<State>()) {
  check_supported(model);
  state_->model = model;
  state_->machine = machine;
  state_->options = options;
  if (options.max_model_len == 0) state_->options.max_model_len = model.max_positions;
  state_->attention = {model.dtype, model.heads, model.kv_heads, model.head_dim,
                       options.block_size};
  state_->plan_memory();
  if (options.plan) {
    state_->check_plan();
    state_->index_plan();
  }
  // Says at once when the attention of this model fits no tile.
  state_->decode_config = attention_default(state_->attention, true, machine);
  state_->attention_config = attention_default(state_->attention, false, machine);
}

ModelExecutor::~ModelExecutor() = default;

Capacity ModelExecutor::capacity() const {
  const ModelExecutorOptions& options = state_->options;
  return {options.kv_blocks, options.block_size, options.max_model_len};
}

Execution ModelExecutor::execute(const Batch& batch, int64_t ready_ns) {
  int64_t tokens = 0;
  int64_t sampled = 0;
  for (const SequenceSlice& slice : batch.slices) {
    tokens += slice.tokens;
    sampled += slice.samples ? 1 : 0;
  }
  Execution execution;
  execution.start_ns = ready_ns;
  execution.end_ns = ready_ns;
  for (const ModelOp& op : decoder_ops(state_->model, tokens, sampled)) {
    const int64_t ns = state_->op_time(op, batch) * op.repeat;
    add_time(execution.ops, op.name, op.repeat, ns);
    execution.end_ns += ns;
  }
  execution.accepts_next_ns = execution.end_ns;
  return execution;
}

RepeatedExecution ModelExecutor::repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                               int64_t until_ns, int64_t gap_ns) {
  RepeatedExecution repeated;
  Batch current = batch;
  int64_t ready = ready_ns;
  for (int64_t step = 0; step < limit; ++step) {
    const Execution execution = execute(current, ready);
    repeated.end_ns.push_back(execution.end_ns);
    for (const OpTime& op : execution.ops) add_time(repeated.ops, op.op, op.calls, op.ns);
    if (execution.end_ns >= until_ns) break;
    ready = execution.end_ns + gap_ns;
    for (SequenceSlice& slice : current.slices) ++slice.context;
  }
  return repeated;
}

const MemoryBudget& ModelExecutor::memory() const {
  return state_->memory;
}
int64_t ModelExecutor::simulated_launches() const {
  return state_->simulated;
}
int64_t ModelExecutor::remembered_launches() const {
  return state_->remembered;
}

}  // namespace tilewright
