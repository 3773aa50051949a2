#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "core/base/csv.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "db/formats/table_readers.h"

namespace tilewright {

namespace {

constexpr size_t kMaxSizes = 64;
constexpr int64_t kMaxSize = int64_t{1} << 40;
constexpr size_t kMaxProblems = 100'000;

constexpr const char* kType = "OP Type";
constexpr const char* kDuration = "Task Duration(us)";
constexpr const char* kInputShapes = "Input Shapes";
constexpr const char* kInputTypes = "Input Data Types";
constexpr const char* kInputFormats = "Input Formats";
constexpr const char* kOutputShapes = "Output Shapes";
constexpr const char* kOutputTypes = "Output Data Types";
constexpr const char* kOutputFormats = "Output Formats";

using Shape = std::vector<int64_t>;

std::optional<DType> dtype_of(std::string_view name) {
  static const std::map<std::string_view, DType> kTypes = {
      {"FLOAT16", DType::kF16}, {"HALF", DType::kF16},  {"FLOAT", DType::kF32},
      {"FLOAT32", DType::kF32}, {"BF16", DType::kBF16}, {"BFLOAT16", DType::kBF16},
      {"INT8", DType::kI8},     {"INT32", DType::kI32}};
  if (name.starts_with("DT_")) name.remove_prefix(3);
  const auto found = kTypes.find(name);
  return found == kTypes.end() ? std::nullopt : std::optional(found->second);
}

/// Lists stand in quotes inside of their field.
std::string_view without_quotes(std::string_view field) {
  field = trim(field);
  while (field.starts_with('"')) field.remove_prefix(1);
  while (field.ends_with('"')) field.remove_suffix(1);
  return field;
}

bool is_known(std::string_view field) {
  return !field.empty() && field != "N/A" && field != "NULL";
}

/// "512,4096;4096,4096"; empty for anything else. A scalar has no dimensions.
std::optional<std::vector<Shape>> shapes_of(std::string_view field) {
  field = without_quotes(field);
  if (!is_known(field)) return std::nullopt;
  std::vector<Shape> shapes;
  for (const std::string_view text : split(field, ';')) {
    Shape& shape = shapes.emplace_back();
    if (trim(text).empty()) continue;
    for (const std::string_view size : split(text, ',')) {
      const std::string_view digits = trim(size);
      if (digits.empty() || digits.size() > 12 ||
          digits.find_first_not_of("0123456789") != std::string_view::npos) {
        return std::nullopt;
      }
      shape.push_back(parse_int(digits, "size"));
    }
  }
  return shapes;
}

/// Elements of a shape; 0 when there are none or far too many.
int64_t elements_of(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size == 0 || count > kMaxSize / size) return 0;
    count *= size;
  }
  return count;
}

/// Where the op is a product of two matrices whose result is known: m, n and k, whatever the
/// layouts of the inputs.
bool set_product_sizes(const std::vector<Shape>& inputs, const std::vector<Shape>& outputs,
                       Problem& problem) {
  if (problem.kernel.find("matmul") == std::string::npos || inputs.size() < 2) return false;
  if (outputs.empty() || outputs[0].size() != 2) return false;
  const int64_t m = outputs[0][0];
  const int64_t n = outputs[0][1];
  const int64_t left = elements_of(inputs[0]);
  if (m < 1 || n < 1 || left == 0 || left % m != 0) return false;
  problem.sizes = {{"m", m}, {"n", n}, {"k", left / m}};
  return true;
}

class OpSummaryReader {
 public:
  OpSummaryReader(ByteSource& source, ResultFile& file) : source_(source), file_(file) {}

  void read() {
    read_header();
    for (;;) {
      const std::string where = source_.where_line();
      const std::optional<std::string_view> line = source_.line();
      if (!line) break;
      if (trim(*line).empty()) continue;
      const std::vector<std::string> fields = split_csv_line(*line, where);
      if (fields.size() != columns_) {
        throw Error(ErrorKind::kFailed,
                    fmt::format("{}: {} fields under {} columns", where, fields.size(), columns_));
      }
      read_task(fields, where);
    }
    finish();
  }

 private:
  void read_header() {
    const std::optional<std::string_view> line = source_.line();
    const std::string where = source_.path() + ":1";
    if (!line) throw Error(ErrorKind::kFailed, fmt::format("{} is empty", source_.path()));
    const std::vector<std::string> columns = split_csv_line(*line, where);
    columns_ = columns.size();
    for (size_t i = 0; i < columns.size(); ++i) places_.emplace(trim(columns[i]), i);
    for (const char* needed : {kType, kDuration}) {
      if (!places_.contains(needed)) {
        throw Error(ErrorKind::kFailed, fmt::format("{}: column '{}' is missing", where, needed));
      }
    }
  }

  std::string_view field(const std::vector<std::string>& fields, const char* column) const {
    const auto place = places_.find(column);
    return place == places_.end() ? std::string_view() : std::string_view(fields[place->second]);
  }

  void skip(const std::string& why) { ++skipped_[why]; }

  void read_task(const std::vector<std::string>& fields, const std::string& where) {
    const std::string type(trim(field(fields, kType)));
    const RawValue duration = raw_value(trim(field(fields, kDuration)));
    double time_us = 0;
    if (const auto* whole = std::get_if<int64_t>(&duration)) time_us = static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&duration)) time_us = *real;
    if (!is_time(time_us)) return skip("without a duration");
    if (!is_known(type)) return skip("without an op type");
    const std::optional<Problem> problem = problem_of(type, fields);
    if (!problem) return;
    const std::string text = problem->text();
    const auto [place, is_new] = tables_.emplace(text, order_.size());
    if (is_new) {
      if (order_.size() >= kMaxProblems) {
        throw Error(ErrorKind::kFailed,
                    fmt::format("{}: more than {} problems", where, kMaxProblems));
      }
      ResultTable& table = order_.emplace_back();
      table.kernel = type;
      table.problem = *problem;
      table.rows.emplace_back();
    }
    order_[place->second].rows.front().times_us.push_back(time_us);
  }

  /// Nothing, with the reason counted, for what a problem cannot express.
  std::optional<Problem> problem_of(const std::string& type,
                                    const std::vector<std::string>& fields) {
    Problem problem;
    problem.kernel = identifier_of(type);
    for (const char* column : {kInputTypes, kOutputTypes}) {
      const std::string_view types = without_quotes(field(fields, column));
      if (!is_known(types)) continue;
      for (const std::string_view name : split(types, ';')) {
        const std::optional<DType> dtype = dtype_of(trim(name));
        if (!dtype) {
          skip("with tensors of types that a problem cannot name");
          return std::nullopt;
        }
        problem.types.push_back(*dtype);
      }
    }
    for (const char* column : {kInputFormats, kOutputFormats}) {
      const std::string_view formats = without_quotes(field(fields, column));
      if (!is_known(formats)) continue;
      for (const std::string_view name : split(formats, ';')) {
        std::string layout = identifier_of(trim(name));
        if (layout.starts_with("format_")) layout.erase(0, 7);
        if (layout == "fractal_nz") layout = "nz";
        problem.layouts.push_back(std::move(layout));
      }
    }
    const auto inputs = shapes_of(field(fields, kInputShapes));
    const auto outputs = shapes_of(field(fields, kOutputShapes));
    if (!inputs) {
      skip("without input shapes");
      return std::nullopt;
    }
    if (!set_product_sizes(*inputs, outputs.value_or(std::vector<Shape>()), problem)) {
      for (size_t i = 0; i < inputs->size(); ++i) {
        for (size_t d = 0; d < (*inputs)[i].size(); ++d) {
          problem.sizes.emplace_back(fmt::format("in{}_{}", i, d), (*inputs)[i][d]);
        }
      }
    }
    if (problem.sizes.size() > kMaxSizes || problem.types.size() > kMaxSizes ||
        problem.layouts.size() > kMaxSizes) {
      skip("with too many dimensions or tensors");
      return std::nullopt;
    }
    return problem;
  }

  void finish() {
    for (ResultTable& table : order_) {
      ResultRow& row = table.rows.front();
      row.time_us = std::accumulate(row.times_us.begin(), row.times_us.end(), 0.0) /
                    static_cast<double>(row.times_us.size());
      row.benchmark_us = std::accumulate(row.times_us.begin(), row.times_us.end(), 0.0);
      file_.tables.push_back(std::move(table));
    }
    for (const auto& [why, count] : skipped_) {
      file_.notes.push_back(fmt::format("left out {} {}", format_counted(count, "task"), why));
    }
  }

  ByteSource& source_;
  ResultFile& file_;
  size_t columns_ = 0;
  std::map<std::string, size_t, std::less<>> places_;
  std::map<std::string, size_t> tables_;  // places in order_, by problem
  std::vector<ResultTable> order_;
  std::map<std::string, int64_t> skipped_;
};

}  // namespace

void read_op_summary(ByteSource& source, ResultFile& file) {
  OpSummaryReader(source, file).read();
}

}  // namespace tilewright
