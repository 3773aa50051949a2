#pragma once

#include <span>

#include "kernels/kernel.h"

namespace tilewright {

/// What an attention op computes for every sequence of a batch.
struct AttentionShape {
  DType type = DType::kBF16;
  int64_t heads = 0;
  int64_t kv_heads = 0;    ///< divides heads; each serves heads / kv_heads query heads
  int64_t dim = 0;         ///< of queries, keys and values
  int64_t block_size = 0;  ///< tokens in a block of the paged KV cache
};

/// One sequence: `tokens` new query tokens after `context` tokens; all of their KV is in the cache.
struct AttentionSequence {
  int64_t tokens = 0;
  int64_t context = 0;
};

/// Causal attention over a paged KV cache for any mix of prefill chunks and decodes in one launch.
///
/// One task is a tile of query rows of one sequence and one KV head; the query heads that share a
/// KV head are rows of the same tile, so that a decode's KV is read once. The KV is walked in tiles
/// with an online softmax: the cube core computes S = Q K^T and O = P V, its two vector cores half
/// of the rows of softmax and rescaling each; S, P and O cross between them through L2. The cube
/// runs one tile ahead. Tasks are dealt to the cores by load in snake order (XY-Serve, Task-Table).
///
/// Tensors: 0 q and 6 out, rows [kv_head][token][head in group] x dim; 1 k and 2 v, rows
/// [block][kv_head][slot] x dim; 3 to 5 workspaces. Table 0 holds the physical blocks of all
/// sequences one after another.
class AttentionKernel : public Kernel {
 public:
  std::string name() const override { return "attention"; }
  std::string summary() const override;
  int revision() const override { return 2; }
  std::vector<SizeInfo> sizes() const override;
  Problem problem(const ProblemRequest& request) const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;
};

/// Query tiles of at most this many rows (a decode's) are left to one vector core: halving them
/// would save less than the second hand-over costs.
constexpr int64_t kWholeRows = 16;

/// Rows of a query tile that a vector core must have room for. Masked tiles are halved between
/// tokens, so one half may have `group` rows more.
constexpr int64_t vector_rows(int64_t tile_q, int64_t group) {
  const int64_t half = (tile_q + group + 1) / 2;
  const int64_t whole = tile_q < kWholeRows ? tile_q : kWholeRows;
  return half > whole ? half : whole;
}

/// Legal configs for a shape: rows of a query tile, tokens of a KV tile.
Space attention_space(const AttentionShape& shape, const Machine& machine);

/// The untuned default: 128 query rows (16 when every sequence is a decode that fits), KV tiles of
/// 128 tokens, smaller where buffers demand it. Error (infeasible) when nothing fits.
Config attention_default(const AttentionShape& shape, bool decode_only, const Machine& machine);

/// The launch for a batch of sequences. Physical blocks are numbered by `block_of` when given (one
/// entry a block, sequences in order), else consecutively.
Launch build_attention_launch(const AttentionShape& shape,
                              std::span<const AttentionSequence> sequences, const Config& config,
                              const Machine& machine, std::vector<int64_t> block_of = {});

}  // namespace tilewright
