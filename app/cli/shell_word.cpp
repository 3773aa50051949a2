#include "app/cli/shell_word.h"

namespace tilewright {

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string word = "'";
  for (const char letter : text) word += letter == '\'' ? "'\\''" : std::string(1, letter);
  return word + "'";
}

std::string shell_line(std::span<const std::string> words) {
  std::string line = "tilewright";
  for (const std::string& word : words) line += " " + shell_word(word);
  return line;
}

}  // namespace tilewright
