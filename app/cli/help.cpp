#include "app/cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cli/settings.h"

namespace tilewright {

namespace {

std::string usage_of(const Command& command) {
  std::string usage = "tilewright " + command.name;
  for (const Positional& positional : command.positionals) {
    usage += positional.required ? " " + positional.name : " [" + positional.name + "]";
  }
  return usage + (command.options.empty() ? "" : " [options]");
}

std::string left_of(const Option& option) {
  return fmt::format("{}--{}{}", option.letter ? fmt::format("-{}, ", option.letter) : "    ",
                     option.name, option.value.empty() ? "" : " " + option.value);
}

std::string list_of(std::span<const Option> options) {
  size_t width = 0;
  for (const Option& option : options) width = std::max(width, left_of(option).size());
  std::string text;
  for (const Option& option : options) {
    const std::string fallback =
        option.fallback.empty() ? "" : fmt::format(" (default: {})", option.fallback);
    text += fmt::format("  {:<{}}  {}{}\n", left_of(option), width, option.help, fallback);
  }
  return text;
}

}  // namespace

std::string program_help(const Stream& stream) {
  const auto bold = [&](const char* text) { return stream.styled(Style::kBold, text); };
  std::string text = "tilewright: simulator, profiler and tuning workbench for tile-based NPUs\n\n";
  text += bold("Usage") + "\n  tilewright [options] COMMAND [arguments]\n\n";
  text += bold("Examples") +
          "\n"
          "  tilewright run gemm --shape m=512,n=4096,k=4096\n"
          "  tilewright tune qwen2-7b --workload chat\n"
          "  tilewright export -o plan.json\n"
          "  tilewright replay qwen2-7b --workload chat --plan plan.json --compare none\n\n";
  text += bold("Commands") + "\n";
  for (const Command& command : commands()) {
    text += fmt::format("  {:<11}{}\n", command.name, command.summary);
  }
  text += "\n" + bold("Options of every command") + "\n" + list_of(global_options());
  return text + "\n`tilewright help COMMAND` tells more.\n";
}

std::string command_help(const Command& command, const Stream& stream) {
  const auto bold = [&](const char* text) { return stream.styled(Style::kBold, text); };
  std::string text = fmt::format("{}: {}\n\n", command.name, command.summary);
  text += bold("Usage") + fmt::format("\n  {}\n", usage_of(command));
  if (!command.examples.empty()) text += "\n" + bold("Examples") + "\n";
  for (const Example& example : command.examples) {
    text += fmt::format("  {}\n      {}\n", example.command, example.meaning);
  }
  if (!command.positionals.empty()) text += "\n" + bold("Arguments") + "\n";
  for (const Positional& positional : command.positionals) {
    text += fmt::format("  {:<9}{}\n", positional.name, positional.help);
  }
  if (!command.options.empty()) text += "\n" + bold("Options") + "\n" + list_of(command.options);
  text += "\n" + bold("Options of every command") + "\n" + list_of(global_options());
  if (!command.details.empty()) text += "\n" + command.details;
  text += "\n" + bold("Exit status") +
          "\n  0 done, 1 failed, 2 wrong usage, 3 not found, 4 a check failed, 5 nothing fits,\n"
          "  130 interrupted with everything kept\n";
  return text;
}

}  // namespace tilewright
