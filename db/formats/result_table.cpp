#include "db/formats/result_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <set>

#include "core/base/error.h"
#include "core/base/repeated_times.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kMaxParameters = 256;
constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxValueBytes = 4096;
constexpr size_t kMaxRows = size_t{1} << 22;

bool is_usable_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxNameBytes && trim(name) == name &&
         std::ranges::none_of(name, [](char c) {
           return c == ',' || c == '=' || static_cast<unsigned char>(c) < ' ' || c == '\x7f';
         });
}

/// What all values of a column are.
ValueKind kind_of(const std::vector<const RawValue*>& values) {
  const auto all = [&](auto holds) { return std::ranges::all_of(values, holds); };
  if (all([](const RawValue* v) { return std::holds_alternative<int64_t>(*v); })) {
    return ValueKind::kInteger;
  }
  if (all([](const RawValue* v) { return std::holds_alternative<bool>(*v); })) {
    return ValueKind::kBoolean;
  }
  const auto is_number = [](const RawValue* v) {
    return std::holds_alternative<int64_t>(*v) || std::holds_alternative<double>(*v);
  };
  return all(is_number) ? ValueKind::kNumber : ValueKind::kText;
}

double number_of(const RawValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  return std::get<double>(value);
}

std::string text_of(const RawValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* is_true = std::get_if<bool>(&value)) return *is_true ? "true" : "false";
  if (const auto* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole);
  return fmt::format("{}", std::get<double>(value));
}

/// Ids in the order of their values; texts stay in the order in which they came.
std::vector<size_t> ordered_ids(const std::vector<RawValue>& values, ValueKind kind,
                                const std::vector<bool>& used) {
  std::vector<size_t> ids;
  for (size_t id = 0; id < values.size(); ++id) {
    if (used[id]) ids.push_back(id);
  }
  const auto less = [&](size_t a, size_t b) {
    if (kind == ValueKind::kInteger) {
      return std::get<int64_t>(values[a]) < std::get<int64_t>(values[b]);
    }
    if (kind == ValueKind::kBoolean) return std::get<bool>(values[a]) < std::get<bool>(values[b]);
    return number_of(values[a]) < number_of(values[b]);
  };
  if (kind != ValueKind::kText) std::ranges::stable_sort(ids, less);
  return ids;
}

}  // namespace

std::string_view name_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::kInteger:
      return "integer";
    case ValueKind::kNumber:
      return "number";
    case ValueKind::kBoolean:
      return "boolean";
    case ValueKind::kText:
      return "text";
  }
  TW_CHECK(false, "a kind outside its enumeration");
  return "";
}

std::array<std::pair<std::string_view, double>, 5> ResultRow::costs() const {
  return {{{"compile_us", compile_us},
           {"benchmark_us", benchmark_us},
           {"framework_us", framework_us},
           {"search_us", search_us},
           {"verification_us", verification_us}}};
}

bool ResultRow::set_cost(std::string_view name, double us) {
  const std::pair<std::string_view, double*> places[] = {{"compile_us", &compile_us},
                                                         {"benchmark_us", &benchmark_us},
                                                         {"framework_us", &framework_us},
                                                         {"search_us", &search_us},
                                                         {"verification_us", &verification_us}};
  for (const auto& [known, place] : places) {
    if (known != name) continue;
    *place = us;
    return true;
  }
  return false;
}

Config ResultTable::config(const ResultRow& row) const {
  Config config;
  for (size_t i = 0; i < parameters.size(); ++i) {
    config.values.emplace_back(parameters[i].name, row.values[i]);
  }
  return config;
}

void ResultTableBuilder::set_parameters(const std::vector<std::string>& names,
                                        const std::string& where) {
  if (names.size() > kMaxParameters) {
    throw Error(ErrorKind::kFailed, fmt::format("{}: {} parameters, more than {}", where,
                                                names.size(), kMaxParameters));
  }
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!is_usable_name(name)) {
      throw Error(ErrorKind::kFailed, fmt::format("{}: '{}' cannot be the name of a parameter",
                                                  where, printable(name)));
    }
    if (!seen.insert(name).second) {
      throw Error(ErrorKind::kFailed, fmt::format("{}: parameter {} stands twice", where, name));
    }
  }
  names_ = names;
  values_.assign(names.size(), {});
  ids_.assign(names.size(), {});
}

int64_t ResultTableBuilder::id_of(size_t parameter, const RawValue& value) {
  const auto [place, is_new] = ids_[parameter].emplace(value, std::ssize(values_[parameter]));
  if (is_new) values_[parameter].push_back(value);
  return place->second;
}

void ResultTableBuilder::add(const std::vector<RawValue>& values, ResultRow row,
                             const std::string& where) {
  TW_CHECK(values.size() == names_.size(), "a row has a value for each parameter");
  if (rows_.size() >= kMaxRows) {
    throw Error(ErrorKind::kFailed, fmt::format("{}: more than {} rows", where, kMaxRows));
  }
  if (row.status == AttemptStatus::kOk) row.reason.clear();
  if (row.status != AttemptStatus::kOk && row.reason.empty()) row.reason = name_of(row.status);
  row.values.clear();
  for (size_t i = 0; i < values.size(); ++i) {
    const auto* text = std::get_if<std::string>(&values[i]);
    if (text != nullptr && text->size() > kMaxValueBytes) {
      throw Error(ErrorKind::kFailed, fmt::format("{}: a value of {} has more than {} bytes", where,
                                                  names_[i], kMaxValueBytes));
    }
    row.values.push_back(id_of(i, values[i]));
  }
  if (!known_.emplace(row.values, rows_.size()).second) {
    ++repeated_;
    return;
  }
  rows_.push_back(std::move(row));
}

void ResultTableBuilder::finish(ResultTable& table) {
  table.parameters.clear();
  table.kinds.clear();
  for (size_t i = 0; i < names_.size(); ++i) {
    std::vector<bool> used(values_[i].size());
    for (const ResultRow& row : rows_) used[static_cast<size_t>(row.values[i])] = true;
    std::vector<const RawValue*> occurring;
    for (size_t id = 0; id < used.size(); ++id) {
      if (used[id]) occurring.push_back(&values_[i][id]);
    }
    const ValueKind kind = kind_of(occurring);
    Parameter parameter;
    parameter.name = names_[i];
    parameter.ordered = kind != ValueKind::kText;
    std::vector<int64_t> value_of(used.size());
    for (const size_t id : ordered_ids(values_[i], kind, used)) {
      const int64_t value = kind == ValueKind::kInteger ? std::get<int64_t>(values_[i][id])
                                                        : std::ssize(parameter.values);
      value_of[id] = value;
      parameter.values.push_back(value);
      if (kind != ValueKind::kInteger) parameter.labels.push_back(text_of(values_[i][id]));
    }
    for (ResultRow& row : rows_) row.values[i] = value_of[static_cast<size_t>(row.values[i])];
    table.parameters.push_back(std::move(parameter));
    table.kinds.push_back(kind);
  }
  table.rows = std::move(rows_);
}

Measurement measurement_of(const ResultRow& row) {
  Measurement measurement;
  measurement.status = row.status;
  measurement.reason = row.reason;
  measurement.time_us = row.time_us;
  measurement.counters = row.metrics;
  if (row.status == AttemptStatus::kOk && !row.times_us.empty()) {
    measurement.times_us = row.times_us;
    measurement.spread_us = time_estimate(row.times_us).standard_error;
  }
  for (const auto& [name, cost] : row.costs()) {
    if (cost != 0) measurement.counters.emplace_back(name, cost);
  }
  return measurement;
}

std::string dimension_name(size_t place) {
  TW_CHECK(place < kMostDimensions, "a dimension has a name");
  return std::string(1, static_cast<char>('x' + place));
}

std::string identifier_of(std::string_view name) {
  constexpr size_t kMaxBytes = 100;
  std::string made;
  for (const char c : lower_case(name.substr(0, kMaxBytes))) {
    const bool is_usual = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    made += is_usual ? c : '_';
  }
  return made.empty() ? "kernel" : made;
}

std::string value_text(const ResultTable& table, size_t parameter, int64_t value) {
  if (table.kinds[parameter] == ValueKind::kInteger) return std::to_string(value);
  return table.parameters[parameter].labels[static_cast<size_t>(value)];
}

}  // namespace tilewright
