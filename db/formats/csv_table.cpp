#include "db/formats/csv_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/csv.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "db/formats/table_readers.h"

namespace tilewright {

namespace {

constexpr size_t kMaxColumns = 1024;

/// What one us is of a column's unit; 0 when the column is not a time.
double time_unit(std::string_view column) {
  const std::string name = lower_case(column);
  if (name == "time") return us_in("ms");  // as Kernel Tuner, whose tables become such files
  if (name == "task_duration(us)" || name == "duration(us)" || name == "time(us)") return 1;
  if (name == "time(ms)") return us_in("ms");
  return name.starts_with("time_") ? us_in(std::string_view(name).substr(5)) : 0;
}

class CsvReader {
 public:
  CsvReader(ByteSource& source, ResultFile& file) : source_(source), file_(file) {}

  void read() {
    read_header();
    for (;;) {
      const std::string where = source_.where_line();
      const std::optional<std::string_view> line = source_.line();
      if (!line) break;
      if (!trim(*line).empty()) read_row(record(*line, where), where);
    }
    for (const auto& [column, count] : skipped_) {
      file_.notes.push_back(fmt::format("left out {} of column {} without a number",
                                        format_counted(count, "field"),
                                        printable(columns_[column])));
    }
    finish_table(builder_, {}, file_);
  }

 private:
  std::vector<std::string> record(std::string_view line, const std::string& where) {
    return split_csv_record(line, where,
                            [this]() -> std::optional<std::pair<std::string, std::string_view>> {
                              std::string end = source_.line_end();
                              const std::optional<std::string_view> next = source_.line();
                              if (!next) return std::nullopt;
                              return std::pair(std::move(end), *next);
                            });
  }

  void read_header() {
    std::optional<std::string_view> line = source_.line();
    if (!line) throw Error(ErrorKind::kFailed, fmt::format("{} is empty", source_.path()));
    const std::string where = source_.path() + ":1";
    columns_ = record(*line, where);
    if (columns_.size() > kMaxColumns) {
      throw Error(ErrorKind::kFailed, fmt::format("{}: more than {} columns", where, kMaxColumns));
    }
    for (std::string& column : columns_) column = std::string(trim(column));
    const auto time =
        std::ranges::find_if(columns_, [](const auto& c) { return time_unit(c) > 0; });
    if (time == columns_.end()) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("{}: no column is a time (time, time_us, time_ms, time_s)", where));
    }
    time_ = static_cast<size_t>(time - columns_.begin());
    unit_ = time_unit(*time);
    std::vector<std::string> parameters;
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (!take_known(i) && i < time_) {
        parameters.push_back(columns_[i]);
        parameters_.push_back(i);
      } else if (i > time_ && !known_.contains(i)) {
        metrics_.push_back(i);
      }
    }
    builder_.set_parameters(parameters, where);
  }

  /// Whether the column has a meaning of its own wherever it stands.
  bool take_known(size_t i) {
    const bool known = i == time_ || columns_[i] == "status" || columns_[i] == "reason" ||
                       columns_[i] == "times_us" || columns_[i] == "timestamp" ||
                       ResultRow().set_cost(columns_[i], 0);
    if (known) known_.emplace(i, columns_[i]);
    return known;
  }

  void read_row(const std::vector<std::string>& fields, const std::string& where) {
    if (fields.size() != columns_.size()) {
      throw Error(ErrorKind::kFailed, fmt::format("{}: {} fields under {} columns", where,
                                                  fields.size(), columns_.size()));
    }
    std::vector<RawValue> values;
    for (const size_t i : parameters_) {
      // Only a text in quotes has white space at its ends.
      const bool is_plain = trim(fields[i]).size() == fields[i].size();
      values.push_back(is_plain ? raw_value(fields[i]) : RawValue(fields[i]));
    }
    ResultRow row;
    for (const auto& [i, name] : known_) take_field(name, fields[i], where, row);
    read_time(fields[time_], where, row);
    for (const size_t i : metrics_) {
      if (fields[i].empty()) continue;
      if (const std::optional<double> value = number(fields[i])) {
        row.metrics.emplace_back(columns_[i], *value);
      } else {
        ++skipped_[i];
      }
    }
    builder_.add(values, std::move(row), where);
  }

  static void take_field(const std::string& name, const std::string& field,
                         const std::string& where, ResultRow& row) {
    if (name == "status") row.status = status_of(field);
    if (name == "reason") row.reason = field;
    if (name == "timestamp") row.timestamp = field;
    if (name == "times_us" && !field.empty()) {
      for (const std::string_view time : split(std::string_view(field), ' ')) {
        const double us = needed_number(time, name, where);
        if (is_time(us)) row.times_us.push_back(us);
      }
    }
    if (!field.empty() && row.set_cost(name, 0)) {
      row.set_cost(name, needed_number(field, name, where));
    }
  }

  /// A text in place of the time is the reason why there is none.
  void read_time(const std::string& field, const std::string& where, ResultRow& row) const {
    const std::optional<double> time = number(field);
    if (time && row.status == AttemptStatus::kOk) {
      row.time_us = *time * unit_;
      if (is_time(row.time_us)) return;
    } else if (row.status != AttemptStatus::kOk) {
      if (row.reason.empty()) row.reason = field.empty() ? "failed" : field;
      return;
    } else if (!field.empty() && status_of(field) != AttemptStatus::kOk) {
      row.status = status_of(field);
      row.reason = field;
      return;
    }
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: '{}' under {} is no time above 0 and no reason of a failure",
                            where, printable(field), columns_[time_]));
  }

  static std::optional<double> number(std::string_view field) {
    const RawValue value = raw_value(field);
    if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
    const auto* real = std::get_if<double>(&value);
    return real == nullptr ? std::nullopt : std::optional(*real);
  }

  static double needed_number(std::string_view field, const std::string& column,
                              const std::string& where) {
    if (const std::optional<double> value = number(field)) return *value;
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: '{}' under {} is not a number", where, printable(field), column));
  }

  ByteSource& source_;
  ResultFile& file_;
  ResultTableBuilder builder_;
  std::vector<std::string> columns_;
  size_t time_ = 0;
  double unit_ = 1;
  std::vector<size_t> parameters_;
  std::vector<size_t> metrics_;
  std::map<size_t, std::string> known_;
  std::map<size_t, int64_t> skipped_;  // fields by column
};

/// Names of metrics in the order in which rows bring them.
std::vector<std::string> metric_names(const ResultTable& table) {
  std::vector<std::string> names;
  for (const ResultRow& row : table.rows) {
    for (const auto& [name, value] : row.metrics) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

std::string joined_times(const ResultRow& row) {
  std::string text;
  for (const double time : row.times_us) text += fmt::format("{}{}", text.empty() ? "" : " ", time);
  return text;
}

}  // namespace

std::string csv_field(const std::string& value) {
  const bool is_plain =
      trim(value).size() == value.size() && std::ranges::none_of(value, [](char c) {
        return c == ',' || c == '"' || static_cast<unsigned char>(c) < ' ' || c == '\x7f';
      });
  if (is_plain) return value;
  std::string quoted = "\"";
  for (const char c : value) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

void read_csv_table(ByteSource& source, ResultFile& file) {
  CsvReader(source, file).read();
}

std::string write_csv_table(const ResultTable& table) {
  const std::vector<std::string> metrics = metric_names(table);
  std::string text;
  for (const Parameter& parameter : table.parameters) text += csv_field(parameter.name) + ",";
  text += "time_us,status,reason,times_us";
  for (const auto& [name, cost] : ResultRow().costs()) text += fmt::format(",{}", name);
  text += ",timestamp";
  for (const std::string& name : metrics) text += "," + csv_field(name);
  text += '\n';
  for (const ResultRow& row : table.rows) {
    for (size_t i = 0; i < table.parameters.size(); ++i) {
      text += csv_field(value_text(table, i, row.values[i])) + ",";
    }
    const bool is_ok = row.status == AttemptStatus::kOk;
    text += fmt::format("{},{},{},{}", is_ok ? fmt::format("{}", row.time_us) : "",
                        name_of(row.status), csv_field(row.reason), joined_times(row));
    for (const auto& [name, cost] : row.costs()) text += fmt::format(",{}", cost);
    text += "," + csv_field(row.timestamp);
    for (const std::string& name : metrics) {
      const auto found =
          std::ranges::find(row.metrics, name, &std::pair<std::string, double>::first);
      text += found == row.metrics.end() ? "," : fmt::format(",{}", found->second);
    }
    text += '\n';
  }
  return text;
}

}  // namespace tilewright
