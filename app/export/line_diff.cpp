#include "app/export/line_diff.h"

#include <algorithm>
#include <cstddef>

#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

using Lines = std::vector<std::string_view>;

/// Cells of the table of common subsequences: some ten milliseconds.
constexpr size_t kMostCells = size_t{1} << 23;

Lines lines_of(std::string_view text) {
  Lines lines = split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

using Kind = DiffLine::Kind;
struct Step {
  Kind kind;
  std::string_view text;
};

void add_whole(const Lines& a, const Lines& b, std::vector<Step>& steps) {
  for (const std::string_view line : a) steps.push_back({Kind::kRemoved, line});
  for (const std::string_view line : b) steps.push_back({Kind::kAdded, line});
}

/// By the longest common subsequence of the ends: longest[i][j] of a from i and b from j.
void add_changes(const Lines& a, const Lines& b, std::vector<Step>& steps) {
  const size_t width = b.size() + 1;
  if (a.size() >= kMostCells / width) return add_whole(a, b, steps);
  std::vector<uint32_t> longest((a.size() + 1) * width);
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      longest[i * width + j] =
          a[i] == b[j] ? longest[(i + 1) * width + j + 1] + 1
                       : std::max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  size_t i = 0, j = 0;
  Lines added;
  const auto add_added = [&] {
    for (const std::string_view line : added) steps.push_back({Kind::kAdded, line});
    added.clear();
  };
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      add_added();
      steps.push_back({Kind::kSame, a[i]});
      ++i, ++j;
    } else if (j == b.size() ||
               (i < a.size() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
      steps.push_back({Kind::kRemoved, a[i++]});
    } else {
      added.push_back(b[j++]);
    }
  }
  add_added();
}

std::vector<Step> steps_of(const Lines& a, const Lines& b) {
  const size_t most = std::min(a.size(), b.size());
  size_t head = 0;
  while (head < most && a[head] == b[head]) ++head;
  size_t tail = 0;
  while (tail < most - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  const auto middle = [&](const Lines& lines) {
    return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head),
                 lines.end() - static_cast<std::ptrdiff_t>(tail));
  };
  std::vector<Step> steps;
  for (size_t i = 0; i < head; ++i) steps.push_back({Kind::kSame, a[i]});
  add_changes(middle(a), middle(b), steps);
  for (size_t i = a.size() - tail; i < a.size(); ++i) steps.push_back({Kind::kSame, a[i]});
  return steps;
}

DiffLine skipped(size_t count, std::string_view what) {
  return {Kind::kSkipped, format_counted(static_cast<int64_t>(count), what)};
}

/// Which lines are near a change; all where there is none.
std::vector<bool> shown_steps(const std::vector<Step>& steps, size_t context) {
  const auto is_same = [](const Step& step) { return step.kind == Kind::kSame; };
  if (std::ranges::all_of(steps, is_same)) return std::vector<bool>(steps.size(), true);
  std::vector<bool> shown(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].kind == Kind::kSame) continue;
    const size_t first = i - std::min(i, context);
    const size_t last = std::min(steps.size() - 1, i + context);
    std::fill(shown.begin() + static_cast<std::ptrdiff_t>(first),
              shown.begin() + static_cast<std::ptrdiff_t>(last) + 1, true);
  }
  return shown;
}

}  // namespace

LineDiff diff_lines(std::string_view before, std::string_view after, size_t context, size_t most) {
  const Lines a = lines_of(before);
  const Lines b = lines_of(after);
  const std::vector<Step> steps = steps_of(a, b);
  const std::vector<bool> shown = shown_steps(steps, context);
  LineDiff diff;
  size_t hidden = 0;
  size_t beyond = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    diff.added += steps[i].kind == Kind::kAdded ? 1 : 0;
    diff.removed += steps[i].kind == Kind::kRemoved ? 1 : 0;
    if (!shown[i]) {
      ++hidden;
      continue;
    }
    if (diff.lines.size() >= most) {
      ++beyond;
      continue;
    }
    if (hidden > 0) diff.lines.push_back(skipped(hidden, "equal line"));
    hidden = 0;
    diff.lines.push_back({steps[i].kind, std::string(steps[i].text)});
  }
  if (hidden > 0 && beyond == 0) diff.lines.push_back(skipped(hidden, "equal line"));
  if (beyond > 0) diff.lines.push_back(skipped(beyond, "more line"));
  return diff;
}

}  // namespace tilewright
