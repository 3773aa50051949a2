#pragma once

#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/space/space.h"
#include "tuner/xyserve/attention_cases.h"
#include "tuner/xyserve/gemm_experiment.h"

namespace tilewright {

/// Times of one case.
struct AttentionFigures {
  AttentionCase of;
  Config config;          ///< of the meta-attention
  double time_us = 0;     ///< the meta-attention, in one launch
  double library_us = 0;  ///< attention_library, a launch for each stage, one after another
  /// What bringing cached keys and values into one piece costs the library. Not in library_us.
  double concat_us = 0;
  /// Of a mixed batch the copy counts: the paper leaves it out of prefixes and verifies alone.
  bool counts_concat = false;
  /// Least time that HBM or the cube needs: keys and values once, or the products of visible
  /// tokens.
  double bound_us = 0;
  bool memory_bound = false;
  double mfu = 0;  ///< of 4 x rows x keys x dim, without discount for masks
  double mbu = 0;  ///< of keys and values once
  double library_mfu = 0;
  double library_mbu = 0;

  double baseline_us() const { return library_us + (counts_concat ? concat_us : 0); }
  double gain() const { return baseline_us() / time_us - 1; }
  double bound_ratio() const { return bound_us / time_us; }
};

/// The library's launches for a batch: its prefills, its decodes, its verifies.
std::vector<std::vector<AttentionSequence>> library_launches(
    const AttentionShape& shape, const std::vector<AttentionSequence>& sequences);

/// Time of attention_library for a batch, in us.
double library_attention_us(const AttentionShape& shape,
                            const std::vector<AttentionSequence>& sequences,
                            const Machine& machine);

/// Time of copying the cached keys and values of a batch's prefills and verifies into one piece, in
/// us: one launch of kernel elementwise.
double concat_us(const AttentionShape& shape, const std::vector<AttentionSequence>& sequences,
                 const Machine& machine);

/// Operations of a batch, 4 x rows x keys x dim a head, without discount for masks: how the paper's
/// MFU figures of libraries can be read (docs/xyserve.md).
double unmasked_flops(const AttentionShape& shape, const std::vector<AttentionSequence>& sequences);
/// Bytes of all keys and values of a batch.
double kv_bytes(const AttentionShape& shape, const std::vector<AttentionSequence>& sequences);

/// Times every case: the meta-attention by the best of a few configs, and the library.
std::vector<AttentionFigures> run_attention_experiment(std::vector<AttentionCase> cases,
                                                       const Machine& machine,
                                                       const ExperimentHooks& hooks);

}  // namespace tilewright
