#include "tuner/xyserve/paper.h"

#include <array>

namespace tilewright {

std::span<const PaperResult> paper_results() {
  static constexpr std::array<PaperResult, 8> kResults = {{
      {"gemm", 14.6, "SmoothGEMM, mean over m = 1 ... 4096 of four models' linears"},
      {"attention", 21.5, "attention overall"},
      {"verify", 28.6, "verification of drafts, mean"},
      {"prefix", 22.4, "prefill behind a reused prefix, mean"},
      {"chunked", 22.2, "chunked prefill, best"},
      {"decode", 12.9, "decode, mean"},
      {"mixed_conversation", 26, "mixed batches of a conversation trace"},
      {"mixed_coding", 11, "mixed batches of a coding trace"},
  }};
  return kResults;
}

}  // namespace tilewright
