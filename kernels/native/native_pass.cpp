#include "kernels/native/native_pass.h"

#include <algorithm>
#include <cmath>

#include "kernels/native/row_math.h"

namespace tilewright {

namespace {

/// Grows a buffer; what it holds is overwritten.
void reserve_floats(std::vector<float>& values, int64_t count) {
  if (std::ssize(values) < count) values.resize(static_cast<size_t>(count));
}

HeadShape heads_of_rank(const ModelConfig& model, int64_t tp, int64_t rank) {
  return {query_heads(model, tp, rank).count, kv_heads(model, tp, rank).count, model.head_dim};
}

}  // namespace

NativePass::NativePass(const ModelConfig& model, NativeWeights weights, const PassShape& shape)
    : model_(model),
      weights_(std::move(weights)),
      shape_(shape),
      rope_(rope_of(model)),
      ffn_(model) {
  const int64_t tp = shape.parallel.tp;
  kv_.resize(static_cast<size_t>(model.layers));
  for (auto& ranks : kv_) {
    for (int64_t rank = 0; rank < tp; ++rank) {
      const HeadShape heads = heads_of_rank(model, tp, rank);
      ranks.emplace_back(
          KvShape{shape.kv_blocks, shape.block_size, heads.kv_heads, heads.head_dim});
    }
  }
}

void NativePass::copy_blocks(std::span<const BlockCopy> copies) {
  for (auto& ranks : kv_) {
    for (KvStore& kv : ranks) {
      for (const BlockCopy& copy : copies) kv.copy(copy.from, copy.to, copy.tokens);
    }
  }
}

std::span<const float> NativePass::run(const Batch& batch) {
  tokens_ = 0;
  for (const SequenceSlice& slice : batch.slices) tokens_ += slice.tokens;
  embed(batch);
  prepare_positions(batch);
  reserve_floats(normed_, tokens_ * model_.hidden);
  for (int64_t stage = 0; stage < shape_.parallel.pp; ++stage) {
    run_stage(batch, stage_layers(model_, shape_.parallel.pp, stage));
  }
  return project_to_vocabulary(batch);
}

void NativePass::embed(const Batch& batch) {
  reserve_floats(hidden_, tokens_ * model_.hidden);
  float* to = hidden_.data();
  for (const SequenceSlice& slice : batch.slices) {
    for (const int32_t id : slice.ids) {
      // Exactly one rank holds the token; the others would add zeros.
      const int64_t rows_of_rank = weights_.vocabulary[0].rows.count;
      const NativeVocabulary& part = weights_.vocabulary[static_cast<size_t>(id / rows_of_rank)];
      std::copy_n(part.embedding.data() + (id - part.rows.first) * model_.hidden, model_.hidden,
                  to);
      to += model_.hidden;
    }
  }
}

void NativePass::prepare_positions(const Batch& batch) {
  const int64_t half = std::ssize(rope_.frequencies);
  reserve_floats(cosines_, tokens_ * half);
  reserve_floats(sines_, tokens_ * half);
  size_t at = 0;
  for (const SequenceSlice& slice : batch.slices) {
    for (int64_t i = 0; i < slice.tokens; ++i) {
      const auto position = static_cast<double>(slice.context + i);
      for (const double frequency : rope_.frequencies) {
        const double angle = position * frequency;
        cosines_[at] = static_cast<float>(std::cos(angle) * rope_.scale);
        sines_[at] = static_cast<float>(std::sin(angle) * rope_.scale);
        ++at;
      }
    }
  }
}

void NativePass::run_stage(const Batch& batch, PartRange layers) {
  for (int64_t layer = layers.first; layer < layers.first + layers.count; ++layer) {
    const NativeLayer& weights = weights_.layers[static_cast<size_t>(layer)];
    norm(weights.attention_norm);
    run_attention(batch, layer);
    norm(weights.ffn_norm);
    reduced_.assign(static_cast<size_t>(tokens_ * model_.hidden), 0.0f);
    ffn_.run(weights, {normed_.data(), model_.hidden, tokens_}, reduced_);
    add_rows(reduced_, model_.hidden, tokens_, model_.hidden, hidden_);
  }
}

void NativePass::norm(const std::vector<float>& weight) {
  for (int64_t row = 0; row < tokens_; ++row) {
    const int64_t at = row * model_.hidden;
    rms_norm_row(hidden_.data() + at, weight.data(), model_.norm_eps, model_.hidden,
                 normed_.data() + at);
  }
}

void NativePass::run_attention(const Batch& batch, int64_t layer) {
  const NativeLayer& weights = weights_.layers[static_cast<size_t>(layer)];
  reduced_.assign(static_cast<size_t>(tokens_ * model_.hidden), 0.0f);
  for (size_t rank = 0; rank < weights.ranks.size(); ++rank) {
    const NativeRankLayer& held = weights.ranks[rank];
    const HeadShape heads = heads_of_rank(model_, shape_.parallel.tp, static_cast<int64_t>(rank));
    KvStore& kv = kv_[static_cast<size_t>(layer)][rank];
    held.qkv.multiply({normed_.data(), model_.hidden, tokens_}, qkv_);
    const int64_t row_width = held.qkv.padded_outputs();
    rotate(weights, heads, row_width);
    write_kv(batch, heads, row_width, kv);
    const int64_t width = heads.query_heads * heads.head_dim;
    reserve_floats(attended_, tokens_ * width);
    int64_t row = 0;
    for (const SequenceSlice& slice : batch.slices) {
      attention_.run(slice, kv, heads, model_.window_of(layer), qkv_.data() + row * row_width,
                     row_width, attended_.data() + row * width, width);
      row += slice.tokens;
    }
    held.output.multiply({attended_.data(), width, tokens_}, partial_);
    add_rows(partial_, held.output.padded_outputs(), tokens_, model_.hidden, reduced_);
  }
  add_rows(reduced_, model_.hidden, tokens_, model_.hidden, hidden_);
}

void NativePass::rotate(const NativeLayer& layer, const HeadShape& heads, int64_t row_width) {
  const int64_t half = heads.head_dim / 2;
  for (int64_t row = 0; row < tokens_; ++row) {
    float* head = qkv_.data() + row * row_width;
    for (int64_t i = 0; i < heads.query_heads + heads.kv_heads; ++i) {
      const std::vector<float>& weight = i < heads.query_heads ? layer.query_norm : layer.key_norm;
      if (!weight.empty()) {
        rms_norm_row(head, weight.data(), model_.norm_eps, heads.head_dim, head);
      }
      rotate_head(head, cosines_.data() + row * half, sines_.data() + row * half, heads.head_dim);
      head += heads.head_dim;
    }
  }
}

void NativePass::write_kv(const Batch& batch, const HeadShape& heads, int64_t row_width,
                          KvStore& kv) const {
  const float* keys = qkv_.data() + heads.query_heads * heads.head_dim;
  for (const SequenceSlice& slice : batch.slices) {
    for (int64_t i = 0; i < slice.tokens; ++i) {
      const int64_t position = slice.context + i;
      const int32_t block = slice.blocks[static_cast<size_t>(position / shape_.block_size)];
      kv.write(block, position % shape_.block_size, keys, keys + heads.kv_heads * heads.head_dim);
      keys += row_width;
    }
  }
}

std::span<const float> NativePass::project_to_vocabulary(const Batch& batch) {
  int64_t rows = 0;
  int64_t end = 0;  // of the slice's tokens
  for (const SequenceSlice& slice : batch.slices) {
    end += slice.tokens;
    if (!slice.samples) continue;
    for (int64_t token = end - slice.drafts - 1; token < end; ++token) {
      rms_norm_row(hidden_.data() + token * model_.hidden, weights_.final_norm.data(),
                   model_.norm_eps, model_.hidden, normed_.data() + rows * model_.hidden);
      ++rows;
    }
  }
  reserve_floats(logits_, rows * model_.vocab);
  for (const NativeVocabulary& part : weights_.vocabulary) {
    part.head.multiply({normed_.data(), model_.hidden, rows}, part_logits_);
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(part_logits_.data() + row * part.head.padded_outputs(), part.rows.count,
                  logits_.data() + row * model_.vocab + part.rows.first);
    }
  }
  return std::span<const float>(logits_).first(static_cast<size_t>(rows * model_.vocab));
}

}  // namespace tilewright
