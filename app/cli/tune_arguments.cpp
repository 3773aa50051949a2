#include "app/cli/tune_arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tuner/search/strategy.h"
#include "tuner/session/model_tuning.h"

namespace tilewright {

namespace {

constexpr int64_t kLargestSize = (int64_t{1} << 31) - 1;

double positive(const std::string& name, const std::string& value) {
  const double number = parse_number(value, "--budget " + name);
  if (number > 0) return number;
  throw Error(ErrorKind::kUsage, fmt::format("--budget {}={} is not above 0", name, value));
}

bool is_whole_number(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

/// "a=1,b=2", several of one name allowed; the value may be an empty text.
std::vector<std::pair<std::string, std::string>> pairs_of(const Arguments& arguments,
                                                          const char* option) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (!arguments.has(option)) return pairs;
  const std::string text = arguments.text(option);
  for (const std::string_view part : split(std::string_view(text), ',')) {
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("--{} '{}' is not PARAMETER=VALUE", option, printable(part)));
    }
    pairs.emplace_back(part.substr(0, equals), part.substr(equals + 1));
  }
  return pairs;
}

int64_t size_value(std::string_view text, const std::string& size) {
  const std::string what = fmt::format("--shape {}", printable(size));
  const int64_t value = parse_int(text, what);
  if (value >= 1 && value <= kLargestSize) return value;
  throw Error(ErrorKind::kUsage,
              fmt::format("{}={} is not within 1..{}", what, value, kLargestSize));
}

std::optional<SizeRange> parse_range(const std::string& size, std::string_view text) {
  SizeRange range;
  range.size = size;
  if (const size_t dots = text.find(".."); dots != std::string_view::npos) {
    const std::string_view from = text.substr(0, dots);
    const std::string_view to = text.substr(dots + 2);
    if (from.empty() || to.empty()) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("--shape {}={} is a range without {}: give both, such as {}=1..4096",
                              printable(size), printable(text), from.empty() ? "a start" : "an end",
                              printable(size)));
    }
    range.min = size_value(from, size);
    range.max = size_value(to, size);
    if (range.min > range.max) {
      throw Error(ErrorKind::kUsage, fmt::format("--shape {}={} is no range from small to large",
                                                 printable(size), printable(text)));
    }
    return range;
  }
  if (text.find('|') == std::string_view::npos) return std::nullopt;
  for (const std::string_view part : split(text, '|')) {
    range.values.push_back(size_value(part, size));
  }
  std::ranges::sort(range.values);
  range.values.erase(std::unique(range.values.begin(), range.values.end()), range.values.end());
  range.min = range.values.front();
  range.max = range.values.back();
  return range;
}

}  // namespace

std::string named_budget(std::string_view text) {
  std::vector<std::string> parts;
  for (const std::string_view part : split(text, ',')) {
    parts.push_back(fmt::format("{}{}", is_whole_number(part) ? "evaluations=" : "", part));
  }
  return join(parts, ",");
}

TuneBudget read_budget(const Arguments& arguments) {
  TuneBudget budget;
  if (!arguments.has("budget")) return budget;
  const std::vector<std::string> known = {"evaluations", "seconds", "gain"};
  for (const auto& [name, value] :
       parse_assignments(named_budget(arguments.text("budget")), "--budget")) {
    if (name == "evaluations") {
      budget.evaluations = parse_int(value, "--budget evaluations");
      if (*budget.evaluations < 1) {
        throw Error(ErrorKind::kUsage, fmt::format("--budget evaluations={} is below 1", value));
      }
    } else if (name == "seconds") {
      budget.seconds = positive(name, value);
    } else if (name == "gain") {
      budget.gain = parse_number(value, "--budget gain") / 100;
      if (budget.gain <= 0 || budget.gain > 1) {
        throw Error(
            ErrorKind::kUsage,
            fmt::format("--budget gain={} is not above 0 and at most 100 (percent)", value));
      }
    } else {
      throw Error(ErrorKind::kUsage,
                  fmt::format("--budget has no '{}'{} (it has {})", printable(name),
                              did_you_mean(name, known), join(known, ", ")));
    }
  }
  return budget;
}

SpaceLimits read_limits(const Arguments& arguments) {
  SpaceLimits limits;
  limits.pins = pairs_of(arguments, "pin");
  limits.bans = pairs_of(arguments, "ban");
  if (arguments.has("constraint")) limits.constraints.push_back(arguments.text("constraint"));
  for (size_t i = 0; i < limits.pins.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (limits.pins[i].first != limits.pins[j].first) continue;
      throw Error(ErrorKind::kUsage,
                  fmt::format("--pin has two values for {}", printable(limits.pins[i].first)));
    }
  }
  return limits;
}

double read_within(const Arguments& arguments) {
  const double within = arguments.number("within", 0, 1e9);
  if (within > 0 && within < 1) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--within {} leaves no config: give 1 or more, or 0 to search all",
                            arguments.text("within")));
  }
  return within;
}

TuneFidelity read_tune_fidelity(const Arguments& arguments) {
  const std::string name = arguments.text("fidelity");
  if (name == "detailed") return TuneFidelity::kDetailed;
  if (name == "composed") return TuneFidelity::kComposed;
  if (name == "ladder") return TuneFidelity::kLadder;
  throw Error(ErrorKind::kUsage,
              fmt::format("--fidelity '{}' is unknown (it is detailed, composed or ladder)",
                          printable(name)));
}

double read_regret(const Arguments& arguments) {
  return arguments.number("regret", 0, 1000) / 100;
}

size_t read_batch(const Arguments& arguments) {
  return static_cast<size_t>(arguments.integer("batch", 1, 4096));
}

void check_tune_arguments(const Arguments& arguments) {
  read_budget(arguments);
  read_limits(arguments);
  read_within(arguments);
  read_tune_fidelity(arguments);
  read_regret(arguments);
  read_batch(arguments);
  if (arguments.has("strategy")) check_strategy(arguments.text("strategy"));
}

std::optional<SizeRange> read_size_range(const Arguments& arguments) {
  std::optional<SizeRange> found;
  if (!arguments.has("shape")) return found;
  for (const auto& [name, value] : parse_assignments(arguments.text("shape"), "--shape")) {
    const std::optional<SizeRange> range = parse_range(name, value);
    if (!range) continue;
    if (name != "m") {
      throw Error(ErrorKind::kUsage, fmt::format("--shape {}={}: only m can be a range",
                                                 printable(name), printable(value)));
    }
    found = range;
  }
  return found;
}

std::string shape_with(const Arguments& arguments, const SizeRange& range, int64_t value) {
  std::vector<std::string> parts;
  for (const auto& [name, text] : parse_assignments(arguments.text("shape"), "--shape")) {
    parts.push_back(fmt::format("{}={}", name, name == range.size ? std::to_string(value) : text));
  }
  return join(parts, ",");
}

std::vector<Option> tune_options_list() {
  return {
      {"for", 0, "WHAT", "gemm", "what to tune of a model: gemm, or gemm,fusion"},
      {"strategy", 0, "NAME", "",
       fmt::format("{} (default: {}; for a kernel exhaustive where it fits the budget)",
                   join(strategy_names(), ", "), kDefaultStrategy)},
      {"budget", 0, "evaluations=N,seconds=S,gain=P", "",
       "configs tried for each problem, also as a plain number; seconds for all; end a search that "
       "is expected to gain "
       "less than P percent, 0 < P <= 100 (default: 24 configs for each of a model's problems, 64 "
       "for "
       "each number of rows of a range, 200 for a kernel's problem; all with --strategy "
       "exhaustive, "
       "and with seconds for a kernel's problem)",
       true},
      {"within", 0, "X", fmt::format("{}", kDefaultWithin),
       "try GEMM configs whose first-order estimate is up to X (1 or more) times the least; 0: "
       "all"},
      {"pin", 0, "a=1,b=2", "", "try only configs with these values", true},
      {"ban", 0, "a=1,a=2", "", "try no config with one of these values", true},
      {"constraint", 0, "EXPRESSION", "",
       "try only configs for which it holds, such as 'tile_m*tile_n <= 32768'"},
      {"fidelity", 0, "NAME", "ladder",
       "detailed (every instruction), composed (work merged), or ladder: composed first where that "
       "takes less, and in detail what may win by it"},
      {"device", 0, "NAME", "",
       "what a FILE's problem is tuned for, where no machine file describes it"},
      {"batch", 0, "N", "8", "configs asked for at once, whatever --jobs is"},
      {"no-transfer", 0, "", "", "begin without the configs that won for like problems"},
      {"resume", 0, "RUN", "",
       "go on with a run (its number, or 'latest') of the same machine and evaluator: what it "
       "tried "
       "counts, also with another strategy, budget or space"},
      {"regret", 0, "PERCENT", "2",
       "share configs between numbers of rows, if none is slower than with its own by more"},
  };
}

}  // namespace tilewright
