#pragma once

#include <span>
#include <string_view>

namespace tilewright {

/// A gain that the paper of XY-Serve (ASPLOS 2026) states.
struct PaperResult {
  std::string_view name;  ///< of the result: "gemm", "attention", ...
  double percent = 0;
  std::string_view meaning;
};

/// In the order of the report.
std::span<const PaperResult> paper_results();

}  // namespace tilewright
