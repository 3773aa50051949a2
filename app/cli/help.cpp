#include "app/cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cli/settings.h"
#include "app/tui/canvas.h"
#include "core/base/text.h"

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

constexpr int kColumns = 80;
constexpr size_t kPositionalWidth = 7;
constexpr size_t kWidestName = 22;  // what is longer has its text on the next line

/// "  NAME  TEXT", the text broken into lines below each other.
std::string entry(std::string_view name, std::string_view text, size_t width) {
  const std::string indent(width + 4, ' ');
  std::string lines = fmt::format("  {:<{}}  ", name, width);
  if (name.size() > width) lines = fmt::format("  {}\n{}", name, indent);
  bool first = true;
  for (const std::string& line : wrapped(text, kColumns - static_cast<int>(indent.size()))) {
    lines += (first ? "" : indent) + line + "\n";
    first = false;
  }
  return lines;
}

std::string list_of(std::span<const Option> options) {
  size_t width = 0;
  for (const Option& option : options) width = std::max(width, left_of(option).size());
  width = std::min(width, kWidestName);
  std::string text;
  for (const Option& option : options) {
    const std::string fallback =
        option.fallback.empty() ? "" : fmt::format(" (default: {})", option.fallback);
    text += entry(left_of(option), option.help + fallback, width);
  }
  return text;
}

/// A command line that is too long goes on in the next one, as a shell reads it.
std::string command_line(std::string_view command) {
  std::string lines;
  for (const std::string& part : wrapped(command, kColumns - 6)) {
    lines += (lines.empty() ? "  " : " \\\n    ") + part;
  }
  return lines + "\n";
}

/// Running text: lines that are too long are broken, those that stand apart stay so.
std::string paragraphs(std::string_view text) {
  std::string lines;
  if (text.ends_with('\n')) text.remove_suffix(1);
  for (const std::string_view line : split(text, '\n')) {
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    bool first = true;
    for (const std::string& part :
         wrapped(line.substr(indent), kColumns - static_cast<int>(indent))) {
      lines += std::string(indent, ' ') + part + "\n";
      first = false;
    }
    if (first) lines += "\n";
  }
  return lines;
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
  size_t width = 0;
  for (const Command& command : commands()) width = std::max(width, command.name.size());
  for (const Command& command : commands()) {
    text += entry(command.name, command.summary, width);
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
    text += command_line(example.command) + paragraphs("      " + example.meaning);
  }
  if (!command.positionals.empty()) text += "\n" + bold("Arguments") + "\n";
  for (const Positional& positional : command.positionals) {
    text += entry(positional.name, positional.help, kPositionalWidth);
  }
  if (!command.options.empty()) text += "\n" + bold("Options") + "\n" + list_of(command.options);
  text += "\n" + bold("Options of every command") + "\n" + list_of(global_options());
  if (!command.details.empty()) text += "\n" + paragraphs(command.details);
  text += "\n" + bold("Exit status") +
          "\n  0 done, 1 failed, 2 wrong usage, 3 not found, 4 a check failed,\n"
          "  5 nothing fits, 130 interrupted with everything kept\n";
  return text;
}

}  // namespace tilewright
