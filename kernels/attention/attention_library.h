#pragma once

#include "kernels/attention/attention.h"

namespace tilewright {

/// Attention as a vendor's library computes it: a kernel for each stage, the baseline of every
/// figure that the meta-attention is compared with. One launch holds prefills, or decodes, or
/// verifies, never a mix. Its tiles are fixed (64 query rows, 256 keys), it keeps two KV tiles
/// under way but ends a task before it begins the next, deals tasks to the cores as they come, and
/// never splits the keys of a task. Prefill skips tiles that the causal mask hides; verification
/// pads its queries to whole tiles in memory and reads a mask of all keys for every row. It goes
/// through the meta-attention's own builder.
///
/// Keys and values of a prefill or verification stand in one piece in memory, so a reused prefix
/// must have been concatenated before, which its time does not include.
class AttentionLibraryKernel : public AttentionKernel {
 public:
  std::string name() const override { return std::string(kAttentionLibrary); }
  std::string summary() const override;
  Problem problem(const ProblemRequest& request) const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
};

/// Query rows of the library's tiles.
constexpr int64_t kLibraryRows = 64;

/// A verification as the library computes it: queries padded to whole tiles, of which a token fills
/// `group` rows, with a mask of all keys. The pad rows are queries behind the real ones.
AttentionSequence library_verify(AttentionSequence sequence, int64_t group);

/// The library's config for a stage: 256 keys a tile, fewer where the buffers demand it; tasks in
/// their order, or for decodes whole requests. Error (infeasible) when none fit.
Config attention_library_config(const AttentionShape& shape,
                                std::span<const AttentionSequence> sequences,
                                const Machine& machine);

}  // namespace tilewright
