#include "core/workload/trace_reader.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/workload/csv_trace.h"
#include "core/workload/json_trace.h"
#include "core/workload/line_reader.h"
#include "core/workload/trace_builder.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxTraceBytes = int64_t{1} << 30;
constexpr size_t kMaxLineBytes = size_t{8} << 20;
constexpr int64_t kMaxBlockTokens = int64_t{1} << 20;
constexpr double kMaxTimeUnitMs = 1e6;

/// A JSON list is no trace that can be read line by line; it may be longer than a line may be.
void refuse_list(LineReader& lines, const std::string& path) {
  std::string_view head = lines.head();
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  head = trim(head);
  if (!head.starts_with('[')) return;
  if (head.find("\"conversations\"") != std::string_view::npos) refuse_conversations(path);
  fail_at(path,
          "is a JSON list; expected one JSON object a line: " + text_of(json_trace_formats()));
}

}  // namespace

std::vector<TraceFormat> trace_formats() {
  std::vector<TraceFormat> formats = csv_trace_formats();
  for (TraceFormat& format : json_trace_formats()) formats.push_back(std::move(format));
  return formats;
}

TraceOptions parse_trace_options(std::string_view text) {
  const std::vector<std::string> known = {"model",        "block-tokens",  "time-unit", "timestamp",
                                          "input-length", "output-length", "hash-ids"};
  TraceOptions options;
  for (const auto& [name, value] : parse_assignments(text, "trace options")) {
    if (name == "model") {
      options.model = value;
    } else if (name == "block-tokens") {
      options.block_tokens = parse_int(value, name);
    } else if (name == "time-unit") {
      options.time_unit_s = parse_ms(value, name) * 1e-3;
    } else if (name == "timestamp") {
      options.timestamp_key = value;
    } else if (name == "input-length") {
      options.input_length_key = value;
    } else if (name == "output-length") {
      options.output_length_key = value;
    } else if (name == "hash-ids") {
      options.hash_ids_key = value;
    } else {
      throw Error(ErrorKind::kUsage,
                  fmt::format("trace options have no '{}'{} (they are {})", printable(name),
                              did_you_mean(name, known), join(known, ", ")));
    }
  }
  if (options.block_tokens < 1 || options.block_tokens > kMaxBlockTokens) {
    throw Error(ErrorKind::kUsage, fmt::format("block-tokens {} is outside 1 to {}",
                                               options.block_tokens, kMaxBlockTokens));
  }
  if (!(options.time_unit_s >= 1e-9 && options.time_unit_s * 1e3 <= kMaxTimeUnitMs)) {
    throw Error(ErrorKind::kUsage, "time-unit is outside 0.001us to 1000s");
  }
  return options;
}

Workload read_workload(const std::string& path, const TraceOptions& options) {
  Workload workload;
  workload.name = std::filesystem::path(path).filename().string();
  workload.source = path;
  LineReader lines(path, kMaxTraceBytes, kMaxLineBytes);
  refuse_list(lines, path);
  TraceBuilder builder(workload);
  std::optional<CsvTrace> csv;
  std::optional<JsonTrace> json;
  while (const auto line = lines.next()) {
    const std::string_view text = trim(*line);
    if (text.empty()) continue;
    if (csv) {
      csv->add_row(text, lines.where(), builder);
    } else if (json || text.starts_with('{')) {
      if (!json) json.emplace(options);
      json->add_row(text, lines.where(), builder);
    } else {
      csv.emplace(text, lines.where(), options);
    }
  }
  if (csv) csv->finish(path, builder);
  builder.finish(path);
  return workload;
}

}  // namespace tilewright
