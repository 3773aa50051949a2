#include "app/tui/workbench_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cli/settings.h"
#include "core/base/error.h"

namespace tilewright {

namespace {

/// The global option that a word names; null for others, and for those that forms take.
const Option* refused_option(const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  for (const Option& option : global_options()) {
    if (option.name == "machine" || option.name == "seed") continue;
    if (name == "--" + option.name) return &option;
    if (option.letter != 0 && word == std::string{'-', option.letter}) return &option;
  }
  return nullptr;
}

}  // namespace

void refuse_workbench_options(std::span<const std::string> words) {
  for (const std::string& word : words) {
    const Option* option = refused_option(word);
    if (!option) continue;
    const bool is_setting = option->name == "db" || option->name == "jobs";
    throw Error(ErrorKind::kUsage,
                is_setting
                    ? fmt::format("--{} is one for the whole workbench: leave it, and start "
                                  "tilewright --{} {}",
                                  option->name, option->name, option->value)
                    : fmt::format("--{} is for the shell: nothing is printed here", option->name));
  }
}

std::vector<std::string> without_workbench_options(std::span<const std::string> words) {
  std::vector<std::string> rest;
  for (size_t i = 0; i < words.size(); ++i) {
    const Option* option = refused_option(words[i]);
    if (!option) {
      rest.push_back(words[i]);
    } else if (!option->value.empty() && words[i].find('=') == std::string::npos) {
      ++i;
    }
  }
  return rest;
}

}  // namespace tilewright
