#include "tuner/calibrate/row_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/embedded.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "kernels/kernel.h"

namespace tilewright {

std::span<const EmbeddedFile> measured_row_files();

namespace {

std::string text_at(const JsonReader& reader, const char* key, const char* fallback = "") {
  return reader.has(key) ? reader.at(key).string() : fallback;
}

std::map<std::string, std::string> expressions_at(const JsonReader& reader, const char* key) {
  std::map<std::string, std::string> expressions;
  if (!reader.has(key)) return expressions;
  const JsonReader object = reader.at(key);
  for (const std::string& name : object.keys()) {
    const JsonReader value = object.at(name);
    expressions[name] =
        value.is_string() ? value.string() : std::to_string(value.integer(0, INT64_MAX));
  }
  return expressions;
}

RunRule read_run(const JsonReader& reader, const std::set<std::string>& more_keys) {
  std::set<std::string> keys = {"run",    "sizes",  "dtype",  "out_dtype",
                                "layout", "mask", "config", "prefer", "condition"};
  keys.insert(more_keys.begin(), more_keys.end());
  reader.only(keys);
  RunRule run;
  run.kernel = text_at(reader, "run");
  run.sizes = expressions_at(reader, "sizes");
  run.dtype = text_at(reader, "dtype");
  run.out_dtype = text_at(reader, "out_dtype");
  run.layout = text_at(reader, "layout");
  run.mask = text_at(reader, "mask");
  run.config = expressions_at(reader, "config");
  run.prefer = expressions_at(reader, "prefer");
  const std::string condition = text_at(reader, "condition", "cold");
  if (condition != "cold" && condition != "repeated")
    reader.at("condition").fail("expected cold or repeated");
  run.condition = condition == "cold" ? RunCondition::kCold : RunCondition::kRepeated;
  return run;
}

MetricRule read_metric(const JsonReader& reader) {
  reader.only({"metric", "unit", "counter", "scale", "counter_scale"});
  MetricRule metric;
  metric.metric = reader.at("metric").string();
  metric.unit = reader.at("unit").string();
  metric.counter = reader.at("counter").string();
  if (reader.has("scale")) metric.scale = reader.at("scale").number(1e-9, 1e9);
  if (reader.has("counter_scale")) {
    metric.counter_scale = reader.at("counter_scale").number(1e-9, 1e9);
  }
  return metric;
}

RowRule read_rule(const JsonReader& reader) {
  RowRule rule;
  rule.run = read_run(reader, {"hardware", "kernel", "params", "note", "reason", "reads"});
  rule.hardware = text_at(reader, "hardware", "*");
  rule.kernel = text_at(reader, "kernel", "*");
  rule.params = text_at(reader, "params", "*");
  rule.note = text_at(reader, "note", "*");
  rule.reason = text_at(reader, "reason");
  if (rule.reason.empty() == rule.run.kernel.empty())
    reader.fail("expected either a run or a reason");
  if (!reader.has("reads")) return rule;
  for (const JsonReader& item : reader.at("reads").items())
    rule.reads.push_back({item.at("match").string(), read_run(item, {"match"})});
  return rule;
}

/// A product of names and whole numbers: "B*S", "4"; or the difference of two: "S1-S0".
int64_t value_of(const std::string& expression, const std::map<std::string, int64_t>& names) {
  if (const size_t minus = expression.find('-'); minus != std::string::npos)
    return value_of(expression.substr(0, minus), names) -
           value_of(expression.substr(minus + 1), names);
  int64_t product = 1;
  for (std::string_view factor : split(expression, '*')) {
    const auto named = names.find(std::string(factor));
    const int64_t value =
        named != names.end() ? named->second
        : !factor.empty() && factor[0] >= '0' && factor[0] <= '9'
            ? parse_int(factor, "a factor of a size")
            : throw Error(ErrorKind::kUsage, fmt::format("no parameter {}", factor));
    if (__builtin_mul_overflow(product, value, &product))
      throw Error(ErrorKind::kUsage, fmt::format("{} is too large", expression));
  }
  return product;
}

void put_over(std::map<std::string, std::string>& base,
              const std::map<std::string, std::string>& change) {
  for (const auto& [name, expression] : change) base[name] = expression;
}

/// What a row means under its rule: the run, and the numbers that its expressions use.
struct RowMeaning {
  RunRule run;
  std::map<std::string, int64_t> names;
};

RowMeaning meaning_of(const MeasuredPoint& point, const RowRule& rule) {
  RowMeaning meaning{rule.run, {}};
  for (const auto& [name, value] : point.parameters()) {
    const bool is_number =
        !value.empty() && value.size() < 19 &&
        std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (is_number) meaning.names[name] = parse_int(value, name);
  }
  const std::string text = point.kernel + " ; " + point.params + " ; " + point.note;
  for (const ReadRule& read : rule.reads) {
    const auto numbers = find_numbers(text, read.match);
    if (!numbers) continue;
    for (const auto& [name, value] : *numbers) meaning.names[name] = value;
    put_over(meaning.run.sizes, read.change.sizes);
    put_over(meaning.run.config, read.change.config);
    put_over(meaning.run.prefer, read.change.prefer);
    if (!read.change.dtype.empty()) meaning.run.dtype = read.change.dtype;
    if (!read.change.out_dtype.empty()) meaning.run.out_dtype = read.change.out_dtype;
    if (!read.change.layout.empty()) meaning.run.layout = read.change.layout;
    if (!read.change.mask.empty()) meaning.run.mask = read.change.mask;
    if (read.change.condition != RunCondition::kCold) meaning.run.condition = read.change.condition;
  }
  return meaning;
}

/// Products of sizes beyond which lists of tiles would fill the memory.
void check_size(const Kernel& kernel, const Problem& problem) {
  constexpr double kMaxWork = 0x1p46;
  constexpr double kMaxPair = 0x1p34;
  double work = kernel.work(problem);
  for (const auto& [a, a_value] : problem.sizes) {
    for (const auto& [b, b_value] : problem.sizes) {
      if (a != b && static_cast<double>(a_value) * static_cast<double>(b_value) > kMaxPair)
        work = 2 * kMaxWork;
    }
  }
  if (work > kMaxWork)
    throw Error(ErrorKind::kInfeasible, problem.text() + " is too large to simulate here");
}

/// How far two configs of the same parameters are apart, in doublings.
double distance(const Config& a, const Config& b) {
  const auto log = [](int64_t value) {
    const auto number = static_cast<double>(value);
    return std::copysign(std::log2(1 + std::abs(number)), number);
  };
  double sum = 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    sum += std::abs(log(a.values[i].second) - log(b.values[i].second));
  }
  return sum;
}

/// The legal config with the values that are wanted, else nearest to the default.
Config nearest_config(const Kernel& kernel, const Problem& problem, const Machine& machine,
                      const Config& wanted) {
  const Space space = kernel.space(problem, machine);
  const Config fallback = kernel.default_config(problem, machine);
  try {
    return space.complete(wanted, fallback);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInfeasible) throw;
    Config best;
    for (Config& config : space.enumerate()) {
      const bool has_all =
          std::all_of(wanted.values.begin(), wanted.values.end(),
                      [&](const auto& value) { return config.at(value.first) == value.second; });
      if (!has_all) continue;
      if (best.values.empty() || distance(config, fallback) < distance(best, fallback))
        best = std::move(config);
    }
    if (best.values.empty()) throw;
    return best;
  }
}

/// Adds a value; tiles that are larger than the problem are the largest that make a difference.
void want(Config& wanted, const Space& space, const std::string& name, int64_t value) {
  for (const Parameter& parameter : space.parameters()) {
    if (parameter.name == name && name.starts_with("tile_"))
      value = std::min(value, parameter.values.back());
  }
  std::erase_if(wanted.values, [&](const auto& known) { return known.first == name; });
  wanted.values.emplace_back(name, value);
}

Config config_of(const Kernel& kernel, const Problem& problem, const Machine& machine,
                 const RowMeaning& meaning) {
  const Space space = kernel.space(problem, machine);
  Config wanted;
  for (const auto& [name, expression] : meaning.run.config)
    want(wanted, space, name, value_of(expression, meaning.names));
  Config config = nearest_config(kernel, problem, machine, wanted);
  for (const auto& [name, expression] : meaning.run.prefer) {
    Config more = wanted;
    want(more, space, name, value_of(expression, meaning.names));
    try {
      config = nearest_config(kernel, problem, machine, more);
      wanted = std::move(more);
    } catch (const Error&) {  // it does not fit: the default stays
    }
  }
  return config;
}

size_t find_hardware(const MeasuredPoint& point, const Machine& machine) {
  for (size_t i = 0; i < machine.measured_as.size(); ++i) {
    if (machine.measured_as[i].hardware == point.hardware) return i;
  }
  throw Error(ErrorKind::kInfeasible, "other hardware");
}

int64_t cores_of(const MeasuredAs& as, const std::map<std::string, int64_t>& names,
                 const Machine& machine) {
  const auto named = names.find("cores");
  if (named == names.end() && as.row_cores)
    throw Error(ErrorKind::kInfeasible, "the row does not say how many cores ran");
  const int64_t cores = named != names.end() ? named->second
                        : as.cores > 0       ? as.cores
                                             : machine.cores.aic;
  if (cores < 1 || cores > machine.cores.aic) {
    throw Error(ErrorKind::kInfeasible,
                fmt::format("cores={}, the machine has {}", cores, machine.cores.aic));
  }
  return cores;
}

MetricRule metric_of(const MeasuredPoint& point, const RowRules& rules) {
  for (const MetricRule& metric : rules.metrics) {
    if (metric.metric == point.metric && metric.unit == point.unit) return metric;
  }
  throw Error(ErrorKind::kInfeasible, fmt::format("metric {} in {} is not simulated",
                                                  printable(point.metric), printable(point.unit)));
}

}  // namespace

bool fits_pattern(std::string_view text, std::string_view pattern) {
  const auto same = [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
    return lower(a) == lower(b);
  };
  // Greedy match with return to the last '*'.
  size_t t = 0, p = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && same(pattern[p], text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::optional<std::map<std::string, int64_t>> find_numbers(std::string_view text,
                                                           std::string_view match) {
  constexpr size_t kMaxDigits = 9;
  for (size_t begin = 0; begin < text.size(); ++begin) {
    std::map<std::string, int64_t> numbers;
    size_t t = begin;
    size_t m = 0;
    while (m < match.size() && t < text.size()) {
      if (match[m] == '{') {
        const size_t close = std::min(match.find('}', m), match.size() - 1);
        size_t end = t;
        while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
        if (end == t || end - t > kMaxDigits) break;
        numbers[std::string(match.substr(m + 1, close - m - 1))] =
            parse_int(text.substr(t, end - t), "a number");
        t = end;
        m = close + 1;
      } else if (fits_pattern(text.substr(t, 1), match.substr(m, 1))) {
        ++t;
        ++m;
      } else {
        break;
      }
    }
    if (m == match.size()) return numbers;
  }
  return std::nullopt;
}

RowRules parse_row_rules(std::string_view text, const std::string& where) {
  const Json document = parse_json(text, where);
  const JsonReader root(document, where);
  root.only({"schema", "metrics", "rules"});
  root.at("schema").integer(1, 1);
  RowRules rules;
  for (const JsonReader& item : root.at("metrics").items())
    rules.metrics.push_back(read_metric(item));
  for (const JsonReader& item : root.at("rules").items()) rules.rules.push_back(read_rule(item));
  return rules;
}

const RowRules& row_rules() {
  static const RowRules rules = parse_row_rules(measured_row_files()[0].text, "measured_rows.json");
  return rules;
}

/// Refuses values that no measurement has.
void check_value(const MeasuredPoint& point, const MetricRule& metric) {
  constexpr double kLongestUs = 1e9;
  const double value = point.value * metric.scale;
  const bool fits = metric.is_time() ? value > 0 && value <= kLongestUs : value >= 0 && value <= 1;
  if (fits) return;
  throw Error(ErrorKind::kInfeasible, metric.is_time() ? "its time is not between 0 and 1000 s"
                                                       : "its ratio is not between 0 and 100 %");
}

/// Refuses a row that names a choice in a way that its rule does not understand.
void check_choices(const MeasuredPoint& point, const RowRule& rule) {
  for (const auto& [name, value] : point.parameters()) {
    if (name != "dtype" && name != "layout" && name != "tile" && name != "swizzle") continue;
    const std::string begin = name + "=";
    const std::string text = begin + value;
    const bool understood =
        std::any_of(rule.reads.begin(), rule.reads.end(), [&](const ReadRule& read) {
          return read.match.starts_with(begin) && find_numbers(text, read.match).has_value();
        });
    if (understood) continue;
    throw Error(ErrorKind::kInfeasible, printable(text) + " is not understood");
  }
}

MeasuredRun plan_row(const MeasuredPoint& point, const RowRules& rules, const Machine& machine) {
  MeasuredRun run;
  run.measured_as = find_hardware(point, machine);
  for (const RowRule& rule : rules.rules) {
    if (!fits_pattern(point.hardware, rule.hardware) || !fits_pattern(point.kernel, rule.kernel) ||
        !fits_pattern(point.params, rule.params) || !fits_pattern(point.note, rule.note)) {
      continue;
    }
    if (!rule.reason.empty()) throw Error(ErrorKind::kInfeasible, rule.reason);
    run.metric = metric_of(point, rules);
    check_value(point, run.metric);
    check_choices(point, rule);
    const RowMeaning meaning = meaning_of(point, rule);
    run.cores = cores_of(machine.measured_as[run.measured_as], meaning.names, machine);
    const Machine chip = with_cores(machine, run.cores);
    const Kernel& kernel = find_kernel(meaning.run.kernel);
    ProblemRequest request;
    for (const auto& [name, expression] : meaning.run.sizes)
      request.sizes[name] = value_of(expression, meaning.names);
    request.dtype = meaning.run.dtype;
    request.out_dtype = meaning.run.out_dtype;
    request.layout = meaning.run.layout;
    request.mask = meaning.run.mask;
    run.problem = kernel.problem(request);
    check_size(kernel, run.problem);
    run.config = config_of(kernel, run.problem, chip, meaning);
    run.condition = meaning.run.condition;
    return run;
  }
  throw Error(ErrorKind::kInfeasible,
              fmt::format("no rule for kernel {}", printable(point.kernel)));
}

Machine with_cores(const Machine& machine, int64_t cores) {
  Machine chip = machine;
  chip.cores.aic = cores;
  return chip;
}

}  // namespace tilewright
