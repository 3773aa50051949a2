#include "app/cli/engine_arguments.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/serving/policy.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 30;
constexpr int64_t kMaxDrafts = 64;
constexpr double kMaxWatermark = 0.9;
/// Suffixes that drafts are looked up by. Shorter than vLLM's (5), so that more is drafted.
constexpr int64_t kShortestSuffix = 1;
constexpr int64_t kLongestSuffix = 5;

[[noreturn]] void refuse_speculation(const std::string& text, std::string_view why) {
  throw Error(
      ErrorKind::kUsage,
      fmt::format("--speculate {}: {}; give ngram:K[,min=A,max=B], synthetic:K,length=X, "
                  "synthetic:K,rates=A/B/... or model:K,name=MODEL, with K drafts in a step "
                  "(1 to {})",
                  printable(text), why, kMaxDrafts));
}

std::vector<double> parse_rates(const std::string& list) {
  std::vector<double> rates;
  for (std::string_view item : split(list, '/')) {
    rates.push_back(parse_number(item, "--speculate rates"));
  }
  return rates;
}

DraftMethod method_of(const std::string& text, std::string_view name) {
  if (name == "ngram") return DraftMethod::kNgram;
  if (name == "synthetic") return DraftMethod::kSynthetic;
  if (name == "model") return DraftMethod::kModel;
  const std::vector<std::string> names = {"ngram", "synthetic", "model"};
  refuse_speculation(text, fmt::format("unknown method '{}'{}", printable(std::string(name)),
                                       did_you_mean(name, names)));
}

/// One "key=value" behind METHOD:K.
void apply(const std::string& text, const std::string& key, const std::string& value,
           SpeculationArgument& argument) {
  SpeculativeOptions& options = argument.options;
  const bool looks_up = options.method == DraftMethod::kNgram;
  const std::string what = "--speculate " + key;
  if (looks_up && key == "min") {
    options.prompt_lookup_min = parse_int(value, what);
  } else if (looks_up && key == "max") {
    options.prompt_lookup_max = parse_int(value, what);
  } else if (!looks_up && key == "length") {
    options.synthetic_acceptance_length = parse_number(value, what);
  } else if (!looks_up && key == "rates") {
    options.synthetic_acceptance_rates = parse_rates(value);
  } else if (options.method == DraftMethod::kModel && key == "name") {
    argument.draft_model = value;
  } else {
    refuse_speculation(text, fmt::format("this method has no '{}'", printable(key)));
  }
}

bool read_switch(const Arguments& arguments, std::string_view option, bool fallback) {
  if (!arguments.has(option)) return fallback;
  const std::string value = arguments.text(option);
  if (value == "on" || value == "off") return value == "on";
  throw Error(ErrorKind::kUsage,
              fmt::format("--{} is '{}'; it is on or off", option, printable(value)));
}

void read_prefix_cache(const Arguments& arguments, ServingOptions& options) {
  if (!arguments.has("prefix-cache")) return;
  const std::string value = arguments.text("prefix-cache");
  if (value != "on" && value != "off" && value != "blocks") {
    throw Error(ErrorKind::kUsage,
                fmt::format("--prefix-cache is '{}'; it is on, off, or blocks (whole blocks only)",
                            printable(value)));
  }
  options.enable_prefix_caching = value != "off";
  options.prefix_cache_tokens = value == "on";
}

}  // namespace

std::vector<Option> engine_options() {
  return {
      {"policy", 0, "NAME", "vllm", join(policy_names(), ", ")},
      {"scheduling-policy", 0, "NAME", "fcfs", "fcfs, or priority: order of waiting, and victims"},
      {"no-chunked-prefill", 0, "", "", "prompts are computed in one step or wait"},
      {"long-prefill-token-threshold", 0, "N", "",
       "most tokens of one request in a step (default: no limit)"},
      {"watermark", 0, "X", "0", "share of the KV blocks that admissions leave free"},
      {"prefix-cache", 0, "on|off|blocks", "",
       "share KV of equal prefixes, by token (on, the default) or whole blocks alone"},
      {"speculate", 0, "METHOD:K", "",
       "verify K drafts a step: ngram:K, synthetic:K,length=X or model:K,name=MODEL", true},
      {"async", 0, "on|off", "", "plan a step while the one before is executed (default: off)"},
  };
}

SpeculationArgument parse_speculation(const std::string& text) {
  SpeculationArgument argument;
  SpeculativeOptions& options = argument.options;
  const size_t colon = text.find(':');
  if (colon == std::string::npos) refuse_speculation(text, "no number of drafts");
  options.method = method_of(text, std::string_view(text).substr(0, colon));
  const size_t comma = std::min(text.find(',', colon), text.size());
  options.num_speculative_tokens = parse_int(
      std::string_view(text).substr(colon + 1, comma - colon - 1), "--speculate METHOD:K");
  if (options.num_speculative_tokens < 1 || options.num_speculative_tokens > kMaxDrafts) {
    refuse_speculation(text, fmt::format("{} drafts", options.num_speculative_tokens));
  }
  options.prompt_lookup_min = kShortestSuffix;
  options.prompt_lookup_max = kLongestSuffix;
  if (comma < text.size()) {
    for (const auto& [key, value] :
         parse_assignments(std::string_view(text).substr(comma + 1), "--speculate")) {
      apply(text, key, value, argument);
    }
  }
  if (options.method == DraftMethod::kModel && argument.draft_model.empty()) {
    refuse_speculation(text, "the draft model has no name");
  }
  return argument;
}

void read_engine_arguments(const Arguments& arguments, ServingOptions& options,
                           std::string& draft_model) {
  options.policy = find_policy(arguments.text("policy")).name;
  options.scheduling_policy = arguments.text("scheduling-policy");
  options.enable_chunked_prefill = !arguments.has("no-chunked-prefill");
  if (arguments.has("long-prefill-token-threshold")) {
    options.long_prefill_token_threshold =
        arguments.integer("long-prefill-token-threshold", 1, kMaxTokens);
  }
  options.watermark = arguments.number("watermark", 0, kMaxWatermark);
  read_prefix_cache(arguments, options);
  options.async_scheduling = read_switch(arguments, "async", false);
  if (!arguments.has("speculate")) return;
  const SpeculationArgument speculation = parse_speculation(arguments.text("speculate"));
  options.speculative = speculation.options;
  draft_model = speculation.draft_model;
}

}  // namespace tilewright
