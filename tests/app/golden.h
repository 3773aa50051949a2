#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "app/tui/grid.h"

namespace tilewright {

namespace golden_detail {

inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The text with a mark before the first line that is not that of `other`.
inline std::string marked(std::string_view text, std::string_view other) {
  const std::vector<std::string> lines = lines_of(text);
  const std::vector<std::string> others = lines_of(other);
  const auto differs =
      static_cast<size_t>(std::ranges::mismatch(lines, others).in1 - lines.begin());
  std::string result;
  for (size_t i = 0; i < lines.size(); ++i) {
    result += (i == differs ? "=> " : "   ") + lines[i] + "\n";
  }
  return result;
}

}  // namespace golden_detail

/// Compares a screen with tests/golden/tui/NAME.txt: its text, a line of dashes, the letters of its
/// roles. With TW_UPDATE_GOLDEN=1 in the environment the file is written anew and the test fails,
/// so that nobody takes it for a test that passed.
inline void expect_golden(const std::string& name, const Grid& grid) {
  const std::string path =
      std::string(TILEWRIGHT_SOURCE_DIR) + "/tests/golden/tui/" + name + ".txt";
  const std::string shown =
      grid.text() + std::string(static_cast<size_t>(grid.width()), '-') + "\n" + grid.roles();
  const char* const update = std::getenv("TW_UPDATE_GOLDEN");
  if (update && std::string_view(update) == "1") {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << shown;
    ADD_FAILURE() << path << " was written; look at it, and run again without TW_UPDATE_GOLDEN";
    return;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path << " is not there; TW_UPDATE_GOLDEN=1 writes it";
  std::stringstream stored;
  stored << file.rdbuf();
  if (stored.str() == shown) return;
  ADD_FAILURE() << name << " looks different (TW_UPDATE_GOLDEN=1 takes the new look)\n--- stored\n"
                << golden_detail::marked(stored.str(), shown) << "--- now\n"
                << golden_detail::marked(shown, stored.str());
}

}  // namespace tilewright
