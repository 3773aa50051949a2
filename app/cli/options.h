#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tilewright {

/// An option of the command line, as parsing, help and documents see it.
struct Option {
  std::string name;      ///< without dashes
  char letter = 0;       ///< short form; 0: none
  std::string value;     ///< name of its value in help; empty: a switch
  std::string fallback;  ///< the value when it is not given; empty: none
  std::string help;
  bool repeatable = false;  ///< may be given again; the values are joined by ','
};

/// An argument without a dash.
struct Positional {
  std::string name;
  std::string help;
  bool required = true;
};

/// What one command line gave, with the fallbacks of the options behind it. Typed reads throw Error
/// (usage) naming the option.
class Arguments {
 public:
  explicit Arguments(std::span<const Option> options);

  void set(const std::string& option, const std::string& value);
  void add_positional(std::string text) { positionals_.push_back(std::move(text)); }

  /// Whether the option was given.
  bool has(std::string_view option) const { return given_.contains(option); }
  /// The value given, or the fallback; "" when there is neither.
  std::string text(std::string_view option) const;
  /// As text(), as a whole number within [min, max]. The option must have a fallback or be given.
  int64_t integer(std::string_view option, int64_t min, int64_t max) const;
  /// As integer(), for a list such as 1,2,4; empty when the option was not given.
  std::vector<int64_t> integers(std::string_view option, int64_t min, int64_t max) const;
  /// As integer(), for finite numbers.
  double number(std::string_view option, double min, double max) const;

  const std::vector<std::string>& positionals() const { return positionals_; }

 private:
  std::map<std::string, std::string, std::less<>> given_;
  std::map<std::string, std::string, std::less<>> fallbacks_;
  std::map<std::string, bool, std::less<>> repeatable_;
  std::vector<std::string> positionals_;
};

/// The command of a command line and everything else in it.
struct SplitLine {
  std::string command;  ///< empty when there is none
  std::vector<std::string> rest;
};

/// Finds the command: the first token that is neither an option nor the value of one. Only
/// `globals` may stand before it; Error (usage) for others.
SplitLine split_command(std::span<const std::string> tokens, std::span<const Option> globals);

/// Parses tokens strictly: no abbreviated names, no option twice, `--` ends the options. Error
/// (usage) suggests the nearest option for an unknown one.
Arguments parse_options(std::span<const std::string> tokens, std::span<const Option> options);

/// Error (usage) when arguments without a dash are missing or too many.
void check_positionals(const Arguments& arguments, std::string_view command,
                       std::span<const Positional> expected);

}  // namespace tilewright
