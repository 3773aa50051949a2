#include "tuner/evaluate/command_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

Error bad_command(std::string_view text, std::string_view what) {
  return {ErrorKind::kUsage, fmt::format("the command '{}' {}", printable(text), what)};
}

/// One word from `at` on; `at` then stands behind it.
std::string read_word(std::string_view text, size_t& at) {
  std::string word;
  char quote = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote == 0 && kSpace.find(c) != std::string_view::npos) break;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quote != '\'') {
      if (at + 1 == text.size()) throw bad_command(text, "ends with a backslash");
      const char next = text[at + 1];
      const bool escapes = quote == 0 || next == '"' || next == '\\';
      if (!escapes) word += c;
      word += next;
      ++at;
    } else {
      word += c;
    }
  }
  if (quote != 0) throw bad_command(text, fmt::format("has a {} that is not closed", quote));
  return word;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  size_t at = 0;
  for (;;) {
    at = text.find_first_not_of(kSpace, at);
    if (at == std::string_view::npos) return words;
    words.push_back(read_word(text, at));
  }
}

/// The value of a placeholder; nothing for an unknown name.
std::optional<std::string> value_of(const std::string& name, const Problem& problem,
                                    const Config& config, const Space& space) {
  if (config.has(name)) return space.value_text(name, config.at(name));
  if (problem.has(name)) return std::to_string(problem.size(name));
  if (name == "kernel") return problem.kernel;
  if (name == "problem") return problem.text();
  if (name == "config") return space.text(config);
  return std::nullopt;
}

[[noreturn]] void refuse(const std::string& name, const Problem& problem,
                         std::vector<std::string> known) {
  for (const auto& [size, value] : problem.sizes) known.push_back(size);
  for (const char* other : {"kernel", "problem", "config"}) known.emplace_back(other);
  throw Error(
      ErrorKind::kUsage,
      fmt::format("the command has {{{}}}, which {} does not give{} (it gives {}; write "
                  "{{{{ and }}}} for braces)",
                  printable(name), problem.kernel, did_you_mean(name, known), join(known, ", ")));
}

}  // namespace

bool has_placeholder(std::string_view text) {
  for (size_t at = text.find('{'); at != std::string_view::npos; at = text.find('{', at + 2)) {
    if (!text.substr(at + 1).starts_with('{')) return true;
  }
  return false;
}

CommandTemplate::CommandTemplate(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) throw bad_command(text, "holds a zero byte");
  for (const std::string& word : split_words(text)) words_.push_back(pieces_of(word));
  if (words_.empty()) throw bad_command(text, "is empty");
}

CommandTemplate::Word CommandTemplate::pieces_of(std::string_view word) {
  Word pieces;
  std::string literal;
  for (size_t at = 0; at < word.size(); ++at) {
    const char c = word[at];
    const bool doubled = at + 1 < word.size() && word[at + 1] == c;
    if (c == '}' && !doubled) throw bad_command(word, "has a } without {; write }} for a brace");
    if (c != '{' || doubled) {
      literal += c;
      if (c == '{' || c == '}') ++at;
      continue;
    }
    const size_t end = word.find('}', at);
    if (end == std::string_view::npos) {
      throw bad_command(word, "has a { that is not closed; write {{ for a brace");
    }
    if (end == at + 1) throw bad_command(word, "has {} without a name");
    if (!literal.empty()) pieces.push_back({std::exchange(literal, {}), false});
    pieces.push_back({std::string(word.substr(at + 1, end - at - 1)), true});
    at = end;
  }
  if (!literal.empty()) pieces.push_back({literal, false});
  return pieces;
}

void CommandTemplate::check(const Problem& problem, std::span<const Parameter> parameters) const {
  Config config;
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) {
    config.values.emplace_back(parameter.name, 0);
    names.push_back(parameter.name);
  }
  for (const Word& word : words_) {
    for (const Piece& piece : word) {
      if (piece.is_placeholder && !value_of(piece.text, problem, config, Space())) {
        refuse(piece.text, problem, names);
      }
    }
  }
}

std::vector<std::string> CommandTemplate::words(const Problem& problem, const Config& config,
                                                const Space& space) const {
  std::vector<std::string> result;
  for (const Word& word : words_) {
    std::string& text = result.emplace_back();
    for (const Piece& piece : word) {
      if (!piece.is_placeholder) {
        text += piece.text;
      } else if (const auto value = value_of(piece.text, problem, config, space)) {
        text += *value;
      } else {
        std::vector<std::string> names;
        for (const auto& [name, unused] : config.values) names.push_back(name);
        refuse(piece.text, problem, names);
      }
    }
  }
  return result;
}

std::string CommandTemplate::fixed_program() const {
  std::string program;
  for (const Piece& piece : words_.front()) {
    if (piece.is_placeholder) return "";
    program += piece.text;
  }
  return program;
}

std::string CommandTemplate::canonical() const {
  std::string text;
  for (const Word& word : words_) {
    for (const Piece& piece : word) {
      text += piece.is_placeholder ? '\x01' : '\x02';
      text += piece.text;
    }
    text += '\0';
  }
  return text;
}

}  // namespace tilewright
