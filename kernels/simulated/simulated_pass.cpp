#include "kernels/simulated/simulated_pass.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/integers.h"
#include "core/serving/functional.h"
#include "kernels/gemm/gemm_launch.h"
#include "kernels/gemm/row_table.h"
#include "kernels/vector/norm.h"

namespace tilewright {

SimulatedPass::SimulatedPass(const ModelConfig& model, SimulatedWeights weights, PassSetup setup)
    : model_(model),
      weights_(std::move(weights)),
      setup_(std::move(setup)),
      shape_{setup_.type, model.heads, model.kv_heads, model.head_dim, setup_.block_size},
      rope_(rope_of(model)),
      runner_(setup_.machine, setup_.timed) {
  // NaN patterns, so that a block which is read before it was written shows in the logits.
  const GmBytes empty(
      bytes(setup_.kv_blocks * model_.kv_heads * setup_.block_size, model_.head_dim), 0xff);
  caches_.resize(static_cast<size_t>(model_.layers), {empty, empty});
}

size_t SimulatedPass::bytes(int64_t rows, int64_t cols) const {
  return static_cast<size_t>(rows * cols * bytes_of(setup_.type));
}

int64_t SimulatedPass::cache_row(int32_t block, int64_t head, int64_t slot) const {
  return (block * model_.kv_heads + head) * setup_.block_size + slot;
}

ReadyLaunch& SimulatedPass::ready(const char* kernel_name, Sizes sizes) {
  const Kernel& kernel = find_kernel(kernel_name);
  ProblemRequest request;
  request.sizes = std::move(sizes);
  request.dtype = std::string(name_of(setup_.type));
  const Problem problem = kernel.problem(request);
  return runner_.ready(problem, [&] {
    const Config config = kernel.default_config(problem, setup_.machine);
    if (const auto* norm = dynamic_cast<const RmsNormKernel*>(&kernel))
      return norm->build(problem, config, setup_.machine, model_.norm_eps);
    return kernel.build(problem, config, setup_.machine);
  });
}

/// Timed with the kernel's own rows, which are scattered at random.
void SimulatedPass::gather(const char* op, GmBytes& table, int64_t cols, std::vector<int64_t> rows,
                           GmBytes& out) {
  rows.resize(static_cast<size_t>(round_up(std::ssize(rows), kRowMultiple)));
  out.resize(std::max(out.size(), bytes(std::ssize(rows), cols)));
  const auto table_rows = static_cast<int64_t>(table.size() / bytes(1, cols));
  ReadyLaunch& launch =
      ready("gather", {{"rows", std::ssize(rows)}, {"cols", cols}, {"vocab", table_rows}});
  launch.launch.tables[0] = std::move(rows);
  runner_.run(op, launch, {{0, &table}, {1, &out}});
}

void SimulatedPass::linear(const std::string& op, SimulatedLinear& linear, GmBytes& in,
                           int64_t rows, GmBytes& out, DType out_type) {
  const Problem problem = linear.problem(rows, setup_.type, out_type);
  const Kernel& gemm = find_kernel(problem.kernel);
  ReadyLaunch& launch = runner_.ready(problem, [&] {
    return gemm.build(problem, gemm.default_config(problem, setup_.machine), setup_.machine);
  });
  out.resize(static_cast<size_t>(rows * linear.outputs * bytes_of(out_type)));
  if (linear.bias.empty()) {
    runner_.run(op, launch, {{0, &in}, {1, &linear.weights}, {2, &out}});
  } else {
    const int bias = find_tensor(launch.launch, "bias");
    runner_.run(op, launch, {{0, &in}, {1, &linear.weights}, {2, &out}, {bias, &linear.bias}});
  }
}

void SimulatedPass::norm(const char* op, GmBytes& in, int64_t rows, int64_t cols, GmBytes& weight,
                         GmBytes& out) {
  out.resize(bytes(rows, cols));
  runner_.run(op, ready("rms_norm", {{"rows", rows}, {"cols", cols}}),
              {{0, &in}, {1, &weight}, {2, &out}});
}

/// The residual stream takes `addend` up, and its norm is what follows reads.
void SimulatedPass::add_norm(GmBytes& addend, GmBytes& weight) {
  sum_.resize(hidden_.size());
  runner_.run("add_rms_norm", ready("add_rms_norm", {{"rows", rows_}, {"cols", model_.hidden}}),
              {{0, &addend}, {1, &hidden_}, {2, &weight}, {3, &sum_}, {4, &normed_}});
  std::swap(hidden_, sum_);
}

/// Heads of K and V, a row each, to their rows of the cache. A head counts as a token of one KV
/// head for the kernel.
void SimulatedPass::write_cache(const char* op, GmBytes& k, GmBytes& v, std::vector<int64_t> rows,
                                LayerCache& cache) {
  ReadyLaunch& launch =
      ready("kv_write", {{"rows", std::ssize(rows)}, {"kv_heads", 1}, {"dim", model_.head_dim}});
  launch.launch.tables[0] = std::move(rows);
  runner_.run(op, launch, {{0, &k}, {1, &v}, {2, &cache.k}, {3, &cache.v}});
}

void SimulatedPass::copy_blocks(std::span<const BlockCopy> copies) {
  // One after the other: a block may be the source of one copy and the target of another.
  for (const BlockCopy& copy : copies) {
    std::vector<int64_t> from;
    std::vector<int64_t> to;
    for (int64_t head = 0; head < model_.kv_heads; ++head) {
      for (int64_t slot = 0; slot < copy.tokens; ++slot) {
        from.push_back(cache_row(copy.from, head, slot));
        to.push_back(cache_row(copy.to, head, slot));
      }
    }
    if (to.empty()) continue;
    for (LayerCache& cache : caches_) {
      gather("block_copy", cache.k, model_.head_dim, from, k_);
      gather("block_copy", cache.v, model_.head_dim, from, v_);
      write_cache("block_copy", k_, v_, to, cache);
    }
  }
}

void SimulatedPass::prepare(const Batch& batch) {
  tokens_ = 0;
  for (const SequenceSlice& slice : batch.slices) tokens_ += slice.tokens;
  rows_ = round_up(tokens_, kRowMultiple);
  prepare_positions(batch);
  prepare_attention(batch);
}

void SimulatedPass::prepare_positions(const Batch& batch) {
  const auto half = std::ssize(rope_.frequencies);
  std::vector<float> factors(static_cast<size_t>(rows_ * 2 * half));
  cache_rows_.clear();
  float* row = factors.data();
  for (const SequenceSlice& slice : batch.slices) {
    for (int64_t token = 0; token < slice.tokens; ++token, row += 2 * half) {
      const int64_t position = slice.context + token;
      for (int64_t i = 0; i < half; ++i) {
        const double angle =
            static_cast<double>(position) * rope_.frequencies[static_cast<size_t>(i)];
        row[i] = static_cast<float>(std::cos(angle) * rope_.scale);
        row[half + i] = static_cast<float>(std::sin(angle) * rope_.scale);
      }
      const int32_t block = slice.blocks[static_cast<size_t>(position / setup_.block_size)];
      for (int64_t head = 0; head < model_.kv_heads; ++head)
        cache_rows_.push_back(cache_row(block, head, position % setup_.block_size));
    }
  }
  cos_sin_ = write_tensor({"", DType::kF32, Layout::kNd, rows_, 2 * half, 1, 2 * half}, factors);
}

void SimulatedPass::prepare_attention(const Batch& batch) {
  std::vector<AttentionSequence> sequences;
  std::vector<int64_t> blocks;
  for (const SequenceSlice& slice : batch.slices) {
    sequences.push_back({slice.tokens, slice.context});
    const int64_t used = ceil_div(slice.context + slice.tokens, setup_.block_size);
    blocks.insert(blocks.end(), slice.blocks.begin(), slice.blocks.begin() + used);
  }
  const Config config = batch_default(shape_, sequences, setup_.machine);
  attention_ = runner_.prepare(
      build_batch_launch(shape_, sequences, config, setup_.machine, std::move(blocks)),
      std::move(attention_.image));

  to_groups_.clear();
  from_groups_.clear();
  if (tokens_ == 1 || model_.kv_heads == 1) return;
  const int64_t group = shape_.group();
  to_groups_.resize(static_cast<size_t>(tokens_ * model_.heads));
  from_groups_.resize(to_groups_.size());
  for (int64_t token = 0; token < tokens_; ++token) {
    for (int64_t head = 0; head < model_.heads; ++head) {
      const int64_t by_token = token * model_.heads + head;
      const int64_t by_group = (head / group * tokens_ + token) * group + head % group;
      to_groups_[static_cast<size_t>(by_group)] = by_token;
      from_groups_[static_cast<size_t>(by_token)] = by_group;
    }
  }
}

/// Norms of query and key heads (Qwen3): they are taken out of the rows of all heads and put back.
void SimulatedPass::norm_heads(SimulatedLayer& layer) {
  const int64_t dim = model_.head_dim;
  const int64_t all = model_.heads + 2 * model_.kv_heads;
  const auto heads_of = [&](int64_t first, int64_t count) {
    std::vector<int64_t> rows;
    for (int64_t token = 0; token < rows_; ++token) {
      for (int64_t head = 0; head < count; ++head) rows.push_back(token * all + first + head);
    }
    return rows;
  };
  const int64_t query_rows = rows_ * model_.heads;
  const int64_t key_rows = rows_ * model_.kv_heads;
  gather("qk_norm", qkv_, dim, heads_of(0, model_.heads), grouped_);
  grouped_.resize(bytes(query_rows, dim));
  norm("qk_norm", grouped_, query_rows, dim, layer.query_norm, q_);
  gather("qk_norm", qkv_, dim, heads_of(model_.heads, model_.kv_heads), grouped_);
  grouped_.resize(bytes(key_rows, dim));
  norm("qk_norm", grouped_, key_rows, dim, layer.key_norm, k_);
  // Queries, keys and what they came from lie one behind the other in memory.
  GmBytes parts = q_;
  parts.insert(parts.end(), k_.begin(), k_.end());
  parts.insert(parts.end(), qkv_.begin(), qkv_.end());
  std::vector<int64_t> rows;
  for (int64_t token = 0; token < rows_; ++token) {
    for (int64_t head = 0; head < all; ++head) {
      const int64_t key = head - model_.heads;
      rows.push_back(key < 0                 ? token * model_.heads + head
                     : key < model_.kv_heads ? query_rows + token * model_.kv_heads + key
                                             : query_rows + key_rows + token * all + head);
    }
  }
  gather("qk_norm", parts, dim, std::move(rows), qkv_);
}

/// Attention of the rotated queries over the cache, into `attended_`.
void SimulatedPass::attend(LayerCache& cache) {
  const bool permutes = !to_groups_.empty();
  if (permutes) gather("permute", q_, model_.head_dim, to_groups_, grouped_);
  output_.resize(q_.size());
  attended_.resize(q_.size());
  const auto tensor = [&](const char* name) { return tensor_named(attention_.launch, name); };
  runner_.run("attention", attention_,
              {{tensor("q"), permutes ? &grouped_ : &q_},
               {tensor("k"), &cache.k},
               {tensor("v"), &cache.v},
               {tensor("out"), permutes ? &output_ : &attended_}});
  if (permutes) gather("permute", output_, model_.head_dim, from_groups_, attended_);
}

void SimulatedPass::run_layer(SimulatedLayer& layer, LayerCache& cache, GmBytes& next_norm) {
  const int64_t dim = model_.head_dim;
  linear("qkv", layer.qkv, normed_, rows_, qkv_, setup_.type);
  if (model_.qk_norm) norm_heads(layer);
  q_.resize(bytes(rows_, model_.heads * dim));
  k_.resize(bytes(rows_, model_.kv_heads * dim));
  v_.resize(k_.size());
  // Rope stores K and V in the order of the tokens.
  ReadyLaunch& rope = ready("rope", {{"rows", rows_},
                                     {"heads", model_.heads + model_.kv_heads},
                                     {"kv_heads", model_.kv_heads},
                                     {"dim", dim}});
  std::vector<int64_t>& slots = rope.launch.tables[0];
  for (size_t row = 0; row < slots.size(); ++row) slots[row] = static_cast<int64_t>(row);
  runner_.run("rope", rope, {{0, &qkv_}, {1, &cos_sin_}, {2, &q_}, {3, &k_}, {4, &v_}});
  write_cache("kv_write", k_, v_, cache_rows_, cache);
  attend(cache);
  linear("o_proj", layer.output, attended_, rows_, projected_, setup_.type);
  add_norm(projected_, layer.ffn_norm);
  if (model_.experts > 0) {
    run_experts(layer);
  } else {
    run_ffn("", layer.ffns[0], normed_, rows_);
  }
  add_norm(projected_, next_norm);
}

/// Into `projected_`.
void SimulatedPass::run_ffn(const std::string& prefix, SimulatedFfn& ffn, GmBytes& in,
                            int64_t rows) {
  const int64_t width = ffn.down.inputs;
  linear(prefix + "gate_up", ffn.gate_up, in, rows, wide_, setup_.type);
  active_.resize(bytes(rows, width));
  runner_.run(prefix + "silu_mul", ready("silu_mul", {{"rows", rows}, {"cols", width}}),
              {{0, &wide_}, {1, &active_}});
  linear(prefix + "down", ffn.down, active_, rows, projected_, setup_.type);
}

/// Into `projected_`.
void SimulatedPass::run_experts(SimulatedLayer& layer) {
  const int64_t k = model_.experts_per_token;
  linear("router", layer.router, normed_, rows_, routed_, setup_.type);
  route_weights_.resize(static_cast<size_t>(rows_ * k * bytes_of(DType::kF32)));
  chosen_.resize(static_cast<size_t>(rows_ * k * bytes_of(DType::kI32)));
  runner_.run("router_top_k",
              ready("moe_route",
                    {{"rows", rows_}, {"experts", model_.experts}, {"k", k}, {"normalised", 1}}),
              {{0, &routed_}, {1, &route_weights_}, {2, &chosen_}});
  const std::vector<float> chosen =
      read_tensor({"", DType::kI32, Layout::kNd, rows_, k, 1, k}, chosen_);

  // Results of the experts lie one behind the other, each rounded up to whole multiples of rows.
  GmBytes results;
  std::vector<int64_t> places(static_cast<size_t>(rows_ * k));
  int64_t before = 0;
  for (int64_t expert = 0; expert < model_.experts; ++expert) {
    std::vector<int64_t> tokens;
    for (int64_t choice = 0; choice < tokens_ * k; ++choice) {
      if (static_cast<int64_t>(chosen[static_cast<size_t>(choice)]) != expert) continue;
      places[static_cast<size_t>(choice)] = before + std::ssize(tokens);
      tokens.push_back(choice / k);
    }
    if (tokens.empty()) continue;
    const int64_t rows = round_up(std::ssize(tokens), kRowMultiple);
    gather("expert_permute", normed_, model_.hidden, std::move(tokens), routed_);
    run_ffn("expert_", layer.ffns[static_cast<size_t>(expert)], routed_, rows);
    results.insert(results.end(), projected_.begin(), projected_.end());
    before += rows;
  }
  projected_.resize(bytes(rows_, model_.hidden));
  ReadyLaunch& unpermute = ready("unpermute", {{"rows", rows_}, {"cols", model_.hidden}, {"k", k}});
  unpermute.launch.tables[0] = std::move(places);
  runner_.run("expert_unpermute", unpermute,
              {{0, &results}, {1, &route_weights_}, {2, &projected_}});
}

std::vector<float> SimulatedPass::project_to_vocabulary(const Batch& batch) {
  std::vector<int64_t> sampled;
  int64_t end = 0;
  for (const SequenceSlice& slice : batch.slices) {
    end += slice.tokens;
    for (int64_t row = end - slice.drafts - 1; slice.samples && row < end; ++row)
      sampled.push_back(row);
  }
  if (sampled.empty()) return {};
  const int64_t count = std::ssize(sampled);
  const int64_t rows = round_up(count, kRowMultiple);
  sum_.resize(bytes(rows, model_.hidden));
  gather("sampled_rows", normed_, model_.hidden, std::move(sampled), sum_);
  linear("lm_head", weights_.head, sum_, rows, wide_, DType::kF32);
  std::vector<float> logits =
      read_tensor({"", DType::kF32, Layout::kNd, rows, model_.vocab, 1, model_.vocab}, wide_);
  logits.resize(static_cast<size_t>(count * model_.vocab));
  return logits;
}

std::vector<float> SimulatedPass::run(const Batch& batch) {
  prepare(batch);
  std::vector<int64_t> ids;
  for (const SequenceSlice& slice : batch.slices)
    ids.insert(ids.end(), slice.ids.begin(), slice.ids.end());
  hidden_.resize(bytes(rows_, model_.hidden));
  gather("embedding", weights_.embedding, model_.hidden, std::move(ids), hidden_);
  norm("rms_norm", hidden_, rows_, model_.hidden, weights_.layers[0].attention_norm, normed_);
  for (size_t l = 0; l < weights_.layers.size(); ++l) {
    const bool is_last = l + 1 == weights_.layers.size();
    run_layer(weights_.layers[l], caches_[l],
              is_last ? weights_.final_norm : weights_.layers[l + 1].attention_norm);
  }
  return project_to_vocabulary(batch);
}

}  // namespace tilewright
