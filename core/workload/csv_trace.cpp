#include "core/workload/csv_trace.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "core/base/csv.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kAbsent = std::string::npos;
constexpr size_t kMaxModels = 20;
constexpr int64_t kMaxBatch = 1024;

/// One row, with its fields in the order of the format's columns.
struct Row {
  std::span<const std::string> fields;
  std::span<const size_t> places;
  const std::string& where;
  const TraceOptions& options;
  std::set<std::string>& models;

  bool has(size_t column) const { return places[column] != kAbsent; }
  std::string_view operator[](size_t column) const { return trim(fields[places[column]]); }
};

}  // namespace

/// A format of traces in CSV: its columns, and what a row of it says.
struct CsvTraceFormat {
  std::string_view name;
  std::vector<std::string_view> columns;
  size_t required = 0;  ///< so many of the columns; the others are optional
  void (*read)(const CsvTraceFormat&, const Row&, TraceBuilder&) = nullptr;

  std::span<const std::string_view> required_columns() const {
    return std::span(columns).first(required);
  }
};

namespace {

void read_azure(const CsvTraceFormat& format, const Row& row, TraceBuilder& builder) {
  Request request;
  request.arrival_ns = read_timestamp(row[0], format.columns[0], row.where);
  request.prompt_tokens = read_tokens(row[1], format.columns[1], row.where);
  request.output_tokens = read_tokens(row[2], format.columns[2], row.where);
  builder.add(std::move(request), row.where);
}

void read_burstgpt(const CsvTraceFormat& format, const Row& row, TraceBuilder& builder) {
  Request request;
  request.arrival_ns = read_seconds(row[0], format.columns[0], row.where);
  const std::string_view model = row[1];
  if (!row.options.model.empty() && model != row.options.model) {
    if (row.models.size() < kMaxModels) row.models.emplace(printable(model));
    builder.skip("of other models than " + row.options.model);
    return;
  }
  const int64_t prompt = read_count(row[2], format.columns[2], 0, kMaxRequestTokens, row.where);
  const int64_t output = read_count(row[3], format.columns[3], 0, kMaxRequestTokens, row.where);
  if (output == 0 || prompt == 0) {
    builder.skip(output == 0 ? "with 0 response tokens" : "with 0 request tokens");
    return;
  }
  request.prompt_tokens = prompt;
  request.output_tokens = output;
  builder.add(std::move(request), row.where);
}

void read_vidur(const CsvTraceFormat& format, const Row& row, TraceBuilder& builder) {
  Request request;
  request.arrival_ns = read_seconds(row[0], format.columns[0], row.where);
  request.prompt_tokens = read_tokens(row[1], format.columns[1], row.where);
  request.output_tokens = read_tokens(row[2], format.columns[2], row.where);
  builder.add(std::move(request), row.where);
}

void read_lengths(const CsvTraceFormat& format, const Row& row, TraceBuilder& builder) {
  Request request;
  request.prompt_tokens = read_tokens(row[0], format.columns[0], row.where);
  request.output_tokens = read_tokens(row[1], format.columns[1], row.where);
  builder.note(std::string(kNoArrivalsNote));
  builder.add(std::move(request), row.where);
}

void read_splitwise(const CsvTraceFormat& format, const Row& row, TraceBuilder& builder) {
  Request request;
  request.arrival_ns = read_seconds(row[0], format.columns[0], row.where);
  request.prompt_tokens = read_tokens(row[1], format.columns[1], row.where);
  request.output_tokens = read_tokens(row[2], format.columns[2], row.where);
  const int64_t batch =
      row.has(3) ? read_count(row[3], format.columns[3], 1, kMaxBatch, row.where) : 1;
  for (int64_t i = 0; i < batch; ++i) builder.add(request, row.where);
}

/// Formats whose columns hold those of another one stand before it.
const std::vector<CsvTraceFormat>& formats() {
  static const std::vector<CsvTraceFormat> kFormats = {
      {"Azure", {"TIMESTAMP", "ContextTokens", "GeneratedTokens"}, 3, read_azure},
      {"BurstGPT", {"Timestamp", "Model", "Request tokens", "Response tokens"}, 4, read_burstgpt},
      {"Vidur", {"arrived_at", "num_prefill_tokens", "num_decode_tokens"}, 3, read_vidur},
      {"lengths", {"num_prefill_tokens", "num_decode_tokens"}, 2, read_lengths},
      {"splitwise-sim",
       {"arrival_timestamp", "prompt_size", "token_size", "batch_size"},
       3,
       read_splitwise},
  };
  return kFormats;
}

/// A known format of which the header has the most columns, but not all; null when it has none.
const CsvTraceFormat* nearest_format(const std::vector<std::string>& names) {
  const CsvTraceFormat* nearest = nullptr;
  int64_t most = 0;
  for (const CsvTraceFormat& format : formats()) {
    const int64_t found = std::ranges::count_if(format.required_columns(), [&](auto column) {
      return std::ranges::find(names, column) != names.end();
    });
    if (found > most) nearest = &format;
    most = std::max(most, found);
  }
  return nearest;
}

[[noreturn]] void refuse_header(std::string_view header, const std::vector<std::string>& names,
                                const std::string& where) {
  if (const CsvTraceFormat* nearest = nearest_format(names)) {
    const auto missing = std::ranges::find_if(nearest->required_columns(), [&](auto column) {
      return std::ranges::find(names, column) == names.end();
    });
    fail_at(where, fmt::format("the header '{}' lacks the column '{}' of a trace of format {}: {}",
                               printable(header), *missing, nearest->name,
                               fmt::join(nearest->required_columns(), ",")));
  }
  fail_at(where, fmt::format("'{}' begins no known trace; known are {}", printable(header),
                             text_of(trace_formats())));
}

}  // namespace

std::vector<TraceFormat> csv_trace_formats() {
  std::vector<TraceFormat> list;
  for (const CsvTraceFormat& format : formats()) {
    list.push_back({std::string(format.name), "CSV",
                    fmt::format("{}", fmt::join(format.required_columns(), ", "))});
  }
  return list;
}

std::string text_of(const std::vector<TraceFormat>& formats) {
  std::vector<std::string> texts;
  for (const TraceFormat& format : formats) {
    texts.push_back(fmt::format("{} {} ({})", format.name, format.kind, format.fields));
  }
  return join(texts, "; ");
}

CsvTrace::CsvTrace(std::string_view header, const std::string& where, const TraceOptions& options)
    : options_(options), header_(header) {
  std::vector<std::string> names = split_csv_line(header, where);
  for (std::string& name : names) name = trim(name);
  columns_ = names.size();
  const auto place_of = [&](std::string_view column) {
    const auto found = std::ranges::find(names, column);
    return found == names.end() ? kAbsent : static_cast<size_t>(found - names.begin());
  };
  for (const CsvTraceFormat& format : formats()) {
    places_.clear();
    for (const std::string_view column : format.columns) places_.push_back(place_of(column));
    const auto required = std::span(places_).first(format.required);
    if (std::ranges::find(required, kAbsent) != required.end()) continue;
    format_ = &format;
    if (!options.model.empty() && format.read != read_burstgpt) {
      throw Error(
          ErrorKind::kUsage,
          fmt::format("{}: rows of model '{}' are wanted, but a trace of format {} names no "
                      "models; only BurstGPT's do",
                      where, printable(options.model), format.name));
    }
    return;
  }
  refuse_header(header, names, where);
}

void CsvTrace::add_row(std::string_view line, const std::string& where, TraceBuilder& builder) {
  const std::vector<std::string> fields = split_csv_line(line, where);
  if (fields.size() != columns_) {
    fail_at(where, fmt::format("'{}' has {} fields; expected the {} of {}", printable(line),
                               fields.size(), columns_, printable(header_)));
  }
  format_->read(*format_, Row{fields, places_, where, options_, models_}, builder);
}

void CsvTrace::finish(const std::string& path, const TraceBuilder& builder) const {
  if (!builder.empty() || models_.empty()) return;
  const std::vector<std::string> names(models_.begin(), models_.end());
  throw Error(
      ErrorKind::kUsage,
      fmt::format("{} has no rows of model '{}'{} (it has {})", path, printable(options_.model),
                  did_you_mean(options_.model, names), join(names, ", ")));
}

}  // namespace tilewright
