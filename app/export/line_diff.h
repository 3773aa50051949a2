#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

struct DiffLine {
  enum class Kind : uint8_t { kSame, kRemoved, kAdded, kSkipped };
  Kind kind = Kind::kSame;
  std::string text;  ///< of kSkipped: how many equal lines are left out
};

/// How one text becomes another, line by line.
struct LineDiff {
  std::vector<DiffLine> lines;
  int64_t added = 0;
  int64_t removed = 0;

  bool is_empty() const { return added == 0 && removed == 0; }
};

/// Changed lines with `context` equal ones around them, in order (all lines of equal texts); of
/// what changed together the removed lines come first. The longest common subsequence, but for
/// texts whose different parts are so large that it would take more than a moment: these are
/// removed and added whole. No more than `most` lines are given, which the last one says.
LineDiff diff_lines(std::string_view before, std::string_view after, size_t context = 2,
                    size_t most = 20'000);

}  // namespace tilewright
