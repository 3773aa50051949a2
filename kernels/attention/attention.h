#pragma once

#include <span>
#include <string_view>

#include "kernels/kernel.h"

namespace tilewright {

/// Which keys a query token sees.
enum class AttentionMask : uint8_t {
  kNone,    ///< all of its sequence
  kCausal,  ///< those up to its own position; computed, no mask is read
  kTree,    ///< the history, and of the new tokens those that an external mask leaves
};
std::string_view name_of(AttentionMask mask);

/// What an attention op computes for every sequence of a batch.
struct AttentionShape {
  DType type = DType::kBF16;
  int64_t heads = 0;
  int64_t kv_heads = 0;     ///< divides heads; each serves heads / kv_heads query heads
  int64_t dim = 0;          ///< of queries and keys
  int64_t block_size = 0;   ///< tokens in a block of the paged KV cache
  int64_t v_dim = 0;        ///< of values; 0: as `dim`
  bool latent = false;      ///< values are the first v_dim elements of the keys, read once (MLA)
  bool tree_masks = false;  ///< some sequence has a tree mask

  int64_t group() const { return heads / kv_heads; }
  int64_t value_dim() const { return v_dim > 0 ? v_dim : dim; }
};

/// One sequence: `tokens` new query tokens after `context` tokens; all of their KV is in the cache.
/// What it is follows from that: one token is a decode, a tree mask a verify, else it is prefill.
struct AttentionSequence {
  int64_t tokens = 0;
  int64_t context = 0;
  AttentionMask mask = AttentionMask::kCausal;
  /// The external mask of kTree has a column for each key, the history included, and all of it is
  /// read: what kernels without an idea of drafts do.
  bool full_mask = false;

  /// First key that an external mask speaks of.
  int64_t corner() const { return full_mask ? 0 : context; }
  /// Keys that it speaks of.
  int64_t corner_keys() const { return context + tokens - corner(); }
};

/// Zeros at the left of each row of a tree mask: they let its rows meet the scores at addresses
/// that UB accepts.
constexpr int64_t kMaskMargin = 8;

/// The meta-attention: prefill, chunked prefill, prefix reuse, decode and verify over a paged KV
/// cache, mixed in one launch (docs/model.md, "Attention").
///
/// Tensors: "q" and "out", rows [kv_head][token][head in group] x dim; "k" and "v" (no "v" when
/// latent), rows [block][kv_head][slot] x dim; "mask", of f32, a row for each token of the
/// sequences with a tree mask: kMaskMargin zeros, then what is added to its scores for each token
/// of its sequence; workspaces.
class AttentionKernel : public Kernel {
 public:
  std::string name() const override { return "attention"; }
  std::string summary() const override;
  int revision() const override { return 6; }
  std::vector<SizeInfo> sizes() const override;
  std::vector<std::string> masks() const override;
  Problem problem(const ProblemRequest& request) const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  double work(const Problem& problem) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;
};

/// Name of the baseline kernel (attention_library.h).
constexpr std::string_view kAttentionLibrary = "attention_library";

/// Shape and sequences of a problem of the kernel: its prefills, then decodes, then verifies.
AttentionShape attention_shape(const Problem& problem);
std::vector<AttentionSequence> attention_sequences(const Problem& problem);

/// Whether each has one new token.
bool decodes_only(std::span<const AttentionSequence> sequences);

/// Physical blocks of a problem's sequences, one after another: in the reverse of their logical
/// order, so that the table matters.
std::vector<int64_t> attention_blocks(const Problem& problem);

/// Value of parameter `assignment` that attention_library alone has: whole requests to cores as
/// they come, the heads of each one after another.
constexpr int64_t kWholeRequests = 3;

/// Legal configs for a shape.
Space attention_space(const AttentionShape& shape, const Machine& machine);

/// The untuned default: 128 query rows (for decodes alone the fewest that hold a group), KV tiles
/// of 256 tokens, smaller where buffers demand it, and 4 stages: on the calibrated machines reading
/// scores twice from L2 takes longer than rescaling (docs/model.md, "Attention"). Error
/// (infeasible) when nothing fits.
Config attention_default(const AttentionShape& shape, bool decode_only, const Machine& machine);

/// The pipeline that the rule of XY-Serve chooses: 3 stages when `alpha` percent of the
/// intermediate results of all cores (for each query row of a tile and key a score in f32 and a
/// probability of `type`) fit L2, else 4.
int64_t pipeline_by_rule(std::span<const AttentionSequence> sequences, int64_t tile_q,
                         int64_t alpha, const Machine& machine, DType type = DType::kBF16);

/// The launch for a batch of sequences. Physical blocks are numbered by `block_of` when given (one
/// entry a block, sequences in order), else consecutively.
Launch build_attention_launch(const AttentionShape& shape,
                              std::span<const AttentionSequence> sequences, const Config& config,
                              const Machine& machine, std::vector<int64_t> block_of = {});

/// What the meta-attention does for a batch: the launch of decodes (decode_launch.h) where it
/// serves the batch, else the one above, each with its own space and default.
Space batch_space(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                  const Machine& machine);
Config batch_default(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                     const Machine& machine);
Launch build_batch_launch(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                          const Config& config, const Machine& machine,
                          std::vector<int64_t> block_of = {});

/// What the launch of `sequences` should give for the inputs in `image`, with the tolerances of
/// kernels/numerics.h.
ExpectedTensor attention_reference(const AttentionShape& shape,
                                   std::span<const AttentionSequence> sequences,
                                   std::span<const int64_t> block_of, const Launch& launch,
                                   const GmImage& inputs);

/// Number of a launch's tensor by name; the name must exist.
int tensor_named(const Launch& launch, std::string_view name);

}  // namespace tilewright
