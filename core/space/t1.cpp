#include "core/space/t1.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/space/expression.h"
#include "core/space/space_expression.h"

namespace tilewright {

namespace {

using Kind = ExpressionValue::Kind;

constexpr size_t kMaxParameters = 1000;
/// Values of all parameters together.
constexpr int64_t kMaxValues = 4 * kMaxListValues;

/// Values as their file has them, texts kept beside.
struct RawValues {
  std::vector<ExpressionValue> values;
  std::shared_ptr<const void> storage;
};

/// Runs `read` and gives what it throws the place in the file.
template <typename Read>
auto at_place(const JsonReader& place, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    place.fail(error.message());
  }
}

ExpressionValue json_value(const JsonReader& reader, std::deque<std::string>& texts) {
  const Json& raw = reader.raw();
  if (raw.is_boolean()) return bool_value(raw.get<bool>());
  if (raw.is_number_integer()) {
    return int_value(
        reader.integer(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()));
  }
  if (raw.is_number()) return float_value(raw.get<double>());
  if (!raw.is_string()) reader.fail("expected a number, a text, true or false");
  texts.push_back(raw.get<std::string>());
  return text_value(&texts.back());
}

RawValues raw_values(const JsonReader& reader) {
  if (reader.is_string()) {
    const std::string text = reader.string();
    ValueList list = at_place(reader, [&] { return parse_value_list(text); });
    return {std::move(list.values), std::move(list.storage)};
  }
  if (!reader.is_array()) reader.fail("expected a list, or a text that is an expression of one");
  const auto texts = std::make_shared<std::deque<std::string>>();
  RawValues result;
  if (std::ssize(reader.raw()) > kMaxListValues) {
    reader.fail(fmt::format("a list of more than {} values", kMaxListValues));
  }
  for (const JsonReader& item : reader.items()) result.values.push_back(json_value(item, *texts));
  result.storage = texts;
  return result;
}

bool all_of_kinds(const std::vector<ExpressionValue>& values, std::initializer_list<Kind> kinds) {
  return std::ranges::all_of(values, [&](const ExpressionValue& value) {
    return std::ranges::find(kinds, value.kind) != kinds.end();
  });
}

bool is_less(const ExpressionValue& a, const ExpressionValue& b) {
  return is_true(apply(Operator::kLess, a, b));
}

void check_finite(const JsonReader& reader, const std::vector<ExpressionValue>& values) {
  for (const ExpressionValue& value : values) {
    if (value.kind == Kind::kFloat && !std::isfinite(value.number)) {
      reader.fail(fmt::format("{} is no finite number", text_of(value)));
    }
  }
}

/// Puts values into a parameter: whole numbers as they are, others as labels.
void set_values(Parameter& parameter, const JsonReader& reader,
                std::vector<ExpressionValue> values) {
  if (values.empty()) reader.fail("no values; give at least one");
  const bool texts = all_of_kinds(values, {Kind::kText});
  const bool truths = all_of_kinds(values, {Kind::kBool});
  if (!texts && !truths && !all_of_kinds(values, {Kind::kInt, Kind::kFloat})) {
    reader.fail("values of several kinds; give numbers, texts or truth values alone");
  }
  check_finite(reader, values);
  if (!texts) std::ranges::sort(values, is_less);
  std::vector<std::string> names;
  for (const ExpressionValue& value : values) names.push_back(text_of(value));
  for (size_t i = 1; !texts && i < values.size(); ++i) {
    if (!is_less(values[i - 1], values[i])) reader.fail(fmt::format("{} stands twice", names[i]));
  }
  std::vector<std::string> sorted = names;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
    reader.fail(fmt::format("{} stands twice", printable(*twice)));
  }
  if (all_of_kinds(values, {Kind::kInt})) {
    for (const ExpressionValue& value : values) parameter.values.push_back(value.integer);
    return;
  }
  for (size_t i = 0; i < values.size(); ++i) parameter.values.push_back(static_cast<int64_t>(i));
  parameter.labels = std::move(names);
  parameter.ordered = !texts && !truths;
}

bool is_name(std::string_view text) {
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_';
         });
}

/// The value of a parameter that a default names; empty when it is not in the list.
std::optional<int64_t> default_of(const Parameter& parameter, const JsonReader& reader) {
  const std::vector<JsonReader> items = reader.is_array() ? reader.items() : std::vector{reader};
  if (items.size() != 1 || items[0].is_array() || items[0].is_object() || items[0].is_null()) {
    return std::nullopt;
  }
  std::deque<std::string> texts;
  const ExpressionValue value = json_value(items[0], texts);
  if (parameter.labels.empty()) {
    if (!value.is_whole() || !std::ranges::binary_search(parameter.values, value.integer)) {
      return std::nullopt;
    }
    return value.integer;
  }
  const auto label = std::ranges::find(parameter.labels, text_of(value));
  if (label == parameter.labels.end()) return std::nullopt;
  return label - parameter.labels.begin();
}

Parameter read_parameter(const JsonReader& reader, const std::vector<Parameter>& before) {
  const JsonReader name = reader.at("Name");
  Parameter parameter;
  parameter.name = name.string();
  if (!is_name(parameter.name)) {
    name.fail(
        fmt::format("'{}' is not a name of letters, digits and _", printable(parameter.name)));
  }
  if (std::ranges::count(before, parameter.name, &Parameter::name) > 0) {
    name.fail(fmt::format("parameter {} stands twice", parameter.name));
  }
  const JsonReader values = reader.at("Values");
  set_values(parameter, values, raw_values(values).values);
  return parameter;
}

Constraint read_condition(const JsonReader& reader, const std::vector<Parameter>& parameters) {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) names.push_back(parameter.name);
  if (reader.has("Parameters")) {
    for (const JsonReader& item : reader.at("Parameters").items()) {
      const std::string name = item.string();
      if (std::ranges::count(names, name) == 0) {
        item.fail(
            fmt::format("unknown parameter '{}'{}", printable(name), did_you_mean(name, names)));
      }
    }
  }
  const JsonReader expression = reader.at("Expression");
  const std::string text = expression.string();
  return at_place(expression, [&] { return expression_constraint(text, parameters); });
}

std::string optional_text(const JsonReader& root, std::string_view section, std::string_view key) {
  if (!root.has(section) || !root.at(section).is_object()) return "";
  const JsonReader inside = root.at(section);
  return inside.has(key) && inside.at(key).is_string() ? inside.at(key).string() : "";
}

std::vector<int64_t> problem_sizes(const JsonReader& root) {
  std::vector<int64_t> sizes;
  if (!root.has("KernelSpecification")) return sizes;
  const JsonReader kernel = root.at("KernelSpecification");
  if (!kernel.is_object() || !kernel.has("ProblemSize")) return sizes;
  if (!kernel.at("ProblemSize").is_array()) return sizes;
  for (const JsonReader& item : kernel.at("ProblemSize").items()) {
    if (!item.raw().is_number_integer()) return {};
    sizes.push_back(item.integer(0, std::numeric_limits<int64_t>::max()));
  }
  return sizes;
}

/// A value as Python writes it.
std::string python_text(const Parameter& parameter, size_t place) {
  if (parameter.labels.empty()) return std::to_string(parameter.values[place]);
  const std::string& label = parameter.labels[static_cast<size_t>(parameter.values[place])];
  if (parameter.ordered || label == "True" || label == "False") return label;
  const bool both = label.find('\'') != std::string::npos && label.find('"') != std::string::npos;
  if (both || label.find('\\') != std::string::npos) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}={} has quotes or backslashes that T1 cannot hold", parameter.name,
                            printable(label)));
  }
  const char quote = label.find('\'') == std::string::npos ? '\'' : '"';
  return fmt::format("{}{}{}", quote, label, quote);
}

std::string type_of(const Parameter& parameter) {
  if (parameter.labels.empty()) return "int";
  if (parameter.ordered) return "float";
  return parameter.labels[0] == "True" || parameter.labels[0] == "False" ? "bool" : "string";
}

Json default_json(const Parameter& parameter, int64_t value) {
  if (parameter.labels.empty()) return value;
  const std::string& label = parameter.labels[static_cast<size_t>(value)];
  const std::string type = type_of(parameter);
  if (type == "bool") return label == "True";
  // A number keeps its spelling: 1 is not 1.0 where a label is looked up.
  return type == "float" ? Json::parse(label) : Json(label);
}

}  // namespace

T1Problem read_t1(std::string_view text, const std::string& where) {
  const Json document = parse_json(text, where);
  const JsonReader root(document, where);
  const JsonReader configuration = root.at("ConfigurationSpace");
  T1Problem problem;
  problem.name = optional_text(root, "General", "BenchmarkName");
  problem.kernel = optional_text(root, "KernelSpecification", "KernelName");
  problem.sizes = problem_sizes(root);
  const JsonReader list = configuration.at("TuningParameters");
  std::vector<Parameter> parameters;
  if (list.items().size() > kMaxParameters) {
    list.fail(fmt::format("more than {} parameters", kMaxParameters));
  }
  int64_t values = 0;
  for (const JsonReader& item : list.items()) {
    parameters.push_back(read_parameter(item, parameters));
    values += std::ssize(parameters.back().values);
    if (values > kMaxValues) list.fail(fmt::format("more than {} values in all", kMaxValues));
    if (!item.has("Default")) continue;
    if (const auto value = default_of(parameters.back(), item.at("Default"))) {
      problem.defaults.values.emplace_back(parameters.back().name, *value);
    }
  }
  if (parameters.empty()) list.fail("no parameters; a space has at least one");
  std::vector<Constraint> constraints;
  if (configuration.has("Conditions")) {
    for (const JsonReader& item : configuration.at("Conditions").items()) {
      constraints.push_back(read_condition(item, parameters));
    }
  }
  problem.space = Space(std::move(parameters), std::move(constraints));
  return problem;
}

std::string write_t1(const T1Problem& problem) {
  Json parameters = Json::array();
  for (const Parameter& parameter : problem.space.parameters()) {
    std::vector<std::string> values;
    for (size_t i = 0; i < parameter.values.size(); ++i)
      values.push_back(python_text(parameter, i));
    Json json = {{"Name", parameter.name},
                 {"Type", type_of(parameter)},
                 {"Values", fmt::format("[{}]", join(values, ", "))}};
    if (problem.defaults.has(parameter.name)) {
      json["Default"] = default_json(parameter, problem.defaults.at(parameter.name));
    }
    parameters.push_back(std::move(json));
  }
  Json conditions = Json::array();
  for (const Constraint& constraint : problem.space.constraints()) {
    if (!constraint.expression) {
      throw Error(
          ErrorKind::kUsage,
          fmt::format("constraint '{}' is no expression; T1 cannot hold it", constraint.name));
    }
    conditions.push_back({{"Expression", constraint.expression->expression().text()},
                          {"Parameters", constraint.parameters}});
  }
  Json document;
  document["General"] = {{"BenchmarkName", problem.name}, {"OutputFormat", "JSON"}};
  document["ConfigurationSpace"] = {{"TuningParameters", std::move(parameters)},
                                    {"Conditions", std::move(conditions)}};
  document["KernelSpecification"] = {{"KernelName", problem.kernel},
                                     {"ProblemSize", problem.sizes}};
  return document.dump(2) + "\n";
}

}  // namespace tilewright
