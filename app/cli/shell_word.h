#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tilewright {

/// A word that any POSIX shell takes as it is.
std::string shell_word(std::string_view text);

/// "tilewright WORD ...", which a shell takes apart into the same words.
std::string shell_line(std::span<const std::string> words);

}  // namespace tilewright
