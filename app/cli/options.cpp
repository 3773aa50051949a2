#include "app/cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"

namespace po = boost::program_options;

namespace tilewright {

namespace {

constexpr const char* kPositionalKey = "positional argument";

[[noreturn]] void usage_error(const std::string& message) {
  throw Error(ErrorKind::kUsage, message);
}

std::vector<std::string> long_names(std::span<const Option> options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back("--" + option.name);
  return names;
}

[[noreturn]] void unknown_option(std::string_view token, std::span<const Option> options) {
  const std::vector<std::string> names = long_names(options);
  const std::string_view name = token.substr(0, token.find('='));
  std::vector<std::string> longer;  // what an abbreviation stands for
  for (const std::string& candidate : names) {
    if (name.size() > 2 && candidate.starts_with(name)) longer.push_back(candidate);
  }
  if (!longer.empty()) {
    usage_error(fmt::format("unknown option '{}'; did you mean '{}'?", printable(name),
                            join(longer, "' or '")));
  }
  usage_error(fmt::format("unknown option '{}'{}", printable(name), did_you_mean(name, names)));
}

/// The option that a token spells, or null: "--name", "--name=value", "-x", "-xvalue".
const Option* option_of(std::string_view token, std::span<const Option> options) {
  const std::string_view name = token.substr(0, token.find('='));
  for (const Option& option : options) {
    if (name == "--" + option.name) return &option;
    if (option.letter != 0 && token.size() >= 2 && token[0] == '-' && token[1] == option.letter) {
      return &option;
    }
  }
  return nullptr;
}

bool has_own_value(std::string_view token) {
  return token.starts_with("--") ? token.find('=') != std::string_view::npos : token.size() > 2;
}

po::options_description describe(std::span<const Option> options) {
  po::options_description description;
  for (const Option& option : options) {
    const std::string name =
        option.letter == 0 ? option.name : fmt::format("{},{}", option.name, option.letter);
    if (option.value.empty()) {
      description.add_options()(name.c_str(), po::bool_switch(), "");
    } else {
      description.add_options()(name.c_str(), po::value<std::string>(), "");
    }
  }
  description.add_options()(kPositionalKey, po::value<std::vector<std::string>>(), "");
  return description;
}

po::parsed_options parse(const std::vector<std::string>& tokens,
                         const po::options_description& description,
                         std::span<const Option> options) {
  po::positional_options_description positional;
  positional.add(kPositionalKey, -1);
  namespace style = po::command_line_style;
  try {
    return po::command_line_parser(tokens)
        .options(description)
        .positional(positional)
        .style(style::unix_style & ~style::allow_guessing)
        .run();
  } catch (const po::unknown_option& error) {
    unknown_option(error.get_option_name(), options);
  } catch (const po::error& error) {
    usage_error(error.what());
  }
}

}  // namespace

Arguments::Arguments(std::span<const Option> options) {
  for (const Option& option : options) {
    fallbacks_[option.name] = option.fallback;
    // A switch may be repeated: it says the same again.
    repeatable_[option.name] = option.repeatable || option.value.empty();
  }
}

void Arguments::set(const std::string& option, const std::string& value) {
  const auto [entry, is_new] = given_.try_emplace(option, value);
  if (is_new) return;
  if (!repeatable_.at(option)) usage_error(fmt::format("option '--{}' is given twice", option));
  if (!value.empty()) entry->second += "," + value;
}

std::string Arguments::text(std::string_view option) const {
  if (const auto given = given_.find(option); given != given_.end()) return given->second;
  const auto fallback = fallbacks_.find(option);
  TW_CHECK(fallback != fallbacks_.end(), "commands read options of their own table only");
  return fallback->second;
}

int64_t Arguments::integer(std::string_view option, int64_t min, int64_t max) const {
  const int64_t value = parse_int(text(option), fmt::format("--{}", option));
  if (value < min || value > max) {
    usage_error(fmt::format("--{} {} is outside {} to {}", option, value, min, max));
  }
  return value;
}

std::vector<int64_t> Arguments::integers(std::string_view option, int64_t min, int64_t max) const {
  std::vector<int64_t> values;
  if (!has(option)) return values;
  const std::string list = text(option);
  for (std::string_view item : split(list, ',')) {
    values.push_back(parse_int(item, fmt::format("--{}", option)));
    if (values.back() < min || values.back() > max) {
      usage_error(fmt::format("--{} {} is outside {} to {}", option, values.back(), min, max));
    }
  }
  return values;
}

double Arguments::number(std::string_view option, double min, double max) const {
  const double value = parse_number(text(option), fmt::format("--{}", option));
  if (value < min || value > max) {
    usage_error(fmt::format("--{} {} is outside {} to {}", option, value, min, max));
  }
  return value;
}

SplitLine split_command(std::span<const std::string> tokens, std::span<const Option> globals) {
  SplitLine line;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    const bool is_option = token.size() > 1 && token[0] == '-';
    if (!is_option) {
      line.command = token;
      line.rest.insert(line.rest.end(), tokens.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                       tokens.end());
      return line;
    }
    const Option* option = option_of(token, globals);
    if (!option) unknown_option(token, globals);
    line.rest.push_back(token);
    if (!option->value.empty() && !has_own_value(token) && i + 1 < tokens.size()) {
      line.rest.push_back(tokens[++i]);
    }
  }
  return line;
}

Arguments parse_options(std::span<const std::string> tokens, std::span<const Option> options) {
  const po::options_description description = describe(options);
  const std::vector<std::string> list(tokens.begin(), tokens.end());
  Arguments arguments(options);
  for (const po::option& parsed : parse(list, description, options).options) {
    if (parsed.string_key == kPositionalKey) {
      for (const std::string& text : parsed.value) arguments.add_positional(text);
      continue;
    }
    const std::string value = parsed.value.empty() ? "" : parsed.value[0];
    // Program_options takes the next token for the value, whatever it is.
    if (parsed.original_tokens.size() == 2 && option_of(value, options)) {
      usage_error(fmt::format("option '--{}' needs a value, and '{}' is an option",
                              parsed.string_key, printable(value)));
    }
    arguments.set(parsed.string_key, value);
  }
  return arguments;
}

void check_positionals(const Arguments& arguments, std::string_view command,
                       std::span<const Positional> expected) {
  const std::vector<std::string>& given = arguments.positionals();
  for (size_t i = given.size(); i < expected.size(); ++i) {
    if (!expected[i].required) continue;
    usage_error(fmt::format("{0} needs {1} ({2}); see `tilewright help {0}`", command,
                            expected[i].name, expected[i].help));
  }
  if (given.size() > expected.size()) {
    usage_error(
        fmt::format("{} takes {} argument{}, '{}' is one too many; see `tilewright help {}`",
                    command, expected.size(), expected.size() == 1 ? "" : "s",
                    printable(given[expected.size()]), command));
  }
}

}  // namespace tilewright
