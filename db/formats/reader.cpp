#include "db/formats/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/base/csv.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "db/formats/json_stream.h"
#include "db/formats/table_readers.h"

namespace tilewright {

namespace {

constexpr size_t kHeadBytes = size_t{1} << 16;
constexpr int64_t kMaxMoeBytes = int64_t{1} << 24;
/// Beyond it a double does not hold every whole number.
constexpr double kMostExactWhole = 9007199254740992.0;

struct Reader {
  ResultFormat format;
  void (*read)(ByteSource& source, ResultFile& file);
};

void read_moe(ByteSource& source, ResultFile& file) {
  std::string text;
  for (; !source.at_end(); source.advance()) {
    text += source.peek();
    if (std::ssize(text) > kMaxMoeBytes) {
      throw Error(ErrorKind::kFailed, fmt::format("{} is larger than 16 MiB", source.path()));
    }
    source.begin_piece();
  }
  std::string name = source.path().substr(source.path().rfind('/') + 1);
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  file.moe = read_moe_table(text, name, source.path());
}

const std::vector<Reader>& readers() {
  static const std::vector<Reader> kReaders = {
      {{"kernel-tuner", "cache of Kernel Tuner, closed or not (JSON)"}, read_kernel_tuner},
      {{"t4", "results in the T4 format (JSON)"}, read_t4},
      {{"ktt", "results of KTT with counters (JSON)"}, read_ktt},
      {{"csv", "parameters, a time, metrics (CSV)"}, read_csv_table},
      {{"op-summary", "op_summary of Ascend's msprof (CSV)"}, read_op_summary},
      {{"vllm-moe", "tuned configs of vLLM's fused MoE, without times (JSON)"}, read_moe},
  };
  return kReaders;
}

const Reader& reader_of(const std::string& format) {
  std::vector<std::string> names;
  for (const Reader& reader : readers()) {
    if (reader.format.name == format) return reader;
    names.push_back(reader.format.name);
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("there is no format '{}'{} (formats: {})", printable(format),
                          did_you_mean(format, names), join(names, ", ")));
}

std::string format_of_json(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (key == "cache" || key == "tune_params" || key == "tune_params_keys") return "kernel-tuner";
    if (key == "results" || key == "schema_version") return "t4";
    if (key == "Results" || key == "Metadata") return "ktt";
    if (key == "ConfigurationSpace" || key == "KernelSpecification") return "t1";
    const bool is_number = !key.empty() && key.find_first_not_of("0123456789") == std::string::npos;
    if (is_number || key == "triton_version") return "vllm-moe";
  }
  // T4's metadata may be long, and stands in front.
  return !keys.empty() && keys.front() == "metadata" ? "t4" : "";
}

/// What is in the name of a file that is called as those of public collections of tables are.
void take_from_name(const std::string& path, ResultTable& table) {
  const std::string name = name_of_file(path);
  const size_t border = name.find("__");
  if (table.kernel.empty()) table.kernel = name.substr(0, border);
  if (table.device.empty() && border != std::string::npos) table.device = name.substr(border + 2);
}

/// Error (failed) for a file whose first bytes hold what no text does.
void refuse_binary(const std::string& path) {
  constexpr std::string_view kSpaces = "\t\n\v\f\r";
  const std::string head = head_of(path, kHeadBytes);
  const auto control = std::ranges::find_if(head, [&](char c) {
    return static_cast<unsigned char>(c) < ' ' && kSpaces.find(c) == std::string_view::npos;
  });
  if (control == head.end()) return;
  throw Error(ErrorKind::kFailed,
              fmt::format("{} is not text: byte {} is 0x{:02x}; a table is JSON or CSV in UTF-8, "
                          "packed with gzip or not",
                          path, control - head.begin() + 1, static_cast<unsigned char>(*control)));
}

}  // namespace

std::vector<ResultFormat> result_formats() {
  std::vector<ResultFormat> formats;
  for (const Reader& reader : readers()) formats.push_back(reader.format);
  return formats;
}

std::string name_of_file(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  for (const std::string_view suffix : {".gz", ".json", ".csv"}) {
    if (name.size() > suffix.size() && name.ends_with(suffix)) {
      name.resize(name.size() - suffix.size());
    }
  }
  return name;
}

std::string content_format(const std::string& path) {
  const std::string head = head_of(path, kHeadBytes);
  std::string_view text = head;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const std::string_view start = trim(text);
  if (start.starts_with('{') || start.starts_with('/')) return format_of_json(leading_keys(text));
  if (start.empty() || start.front() == '[') return "";
  const std::string_view line = text.substr(0, text.find('\n'));
  const auto has = [&](std::string_view column) { return line.find(column) != line.npos; };
  return has("OP Type") && has("Task Duration(us)") ? "op-summary" : "csv";
}

std::string detect_format(const std::string& path) {
  const std::string format = content_format(path);
  if (format == "t1") {
    throw Error(ErrorKind::kFailed,
                fmt::format("{} is a problem in the T1 format: it describes a space and has no "
                            "results",
                            path));
  }
  if (!format.empty()) return format;
  std::vector<std::string> names;
  for (const Reader& reader : readers()) names.push_back(reader.format.name);
  throw Error(ErrorKind::kFailed, fmt::format("{} is no table of results of a known format ({})",
                                              path, join(names, ", ")));
}

namespace {

ResultFile read_text(const std::string& path, const std::string& format, const ByteLimits& limits) {
  const Reader& reader = reader_of(format.empty() ? detect_format(path) : format);
  ResultFile file;
  file.path = path;
  file.format = reader.format.name;
  ByteSource source(path, limits);
  reader.read(source, file);
  while (!source.at_end()) {  // what stands behind the end belongs to the hash
    source.advance();
    source.begin_piece();
  }
  file.hash = source.hash();
  for (ResultTable& table : file.tables) {
    take_from_name(path, table);
    if (table.problem.kernel.empty()) table.problem.kernel = identifier_of(table.kernel);
  }
  if (file.tables.empty() && !file.moe) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{} holds not a single result{}", path,
                            file.notes.empty() ? "" : ": " + join(file.notes, "; ")));
  }
  return file;
}

}  // namespace

ResultFile read_results(const std::string& path, const std::string& format,
                        const ByteLimits& limits) {
  try {
    return read_text(path, format, limits);
  } catch (const Error&) {
    // Texts of a table may have control characters; what cannot be read has them for another
    // reason.
    refuse_binary(path);
    throw;
  }
}

RawValue raw_value(const JsonReader& json) {
  const Json& value = json.raw();
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX}) {
    return value.get<double>();
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number()) json.fail("expected a number, a text, true or false");
  const double number = value.get<double>();
  const bool is_whole = std::abs(number) < kMostExactWhole && number == std::trunc(number);
  if (is_whole) return static_cast<int64_t>(number);
  return number;
}

RawValue raw_value(std::string_view field) {
  const std::string_view text = trim(field);
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  const bool may_be_number =
      !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
  if (!may_be_number) return std::string(text);
  try {
    const double number = parse_number(text, "value");
    const bool is_whole = std::abs(number) < kMostExactWhole && number == std::trunc(number);
    if (is_whole) return static_cast<int64_t>(number);
    return number;
  } catch (const Error&) {
    return std::string(text);
  }
}

AttemptStatus status_of(std::string_view word) {
  const std::string name = lower_case(trim(word));
  const auto has = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  if (name == "ok" || name == "correct") return AttemptStatus::kOk;
  if (has("timeout") || has("timed")) return AttemptStatus::kTimeout;
  if (has("compil")) return AttemptStatus::kCompile;
  if (name == "correctness" || name == "wrong_result" || has("verif") || has("validation")) {
    return AttemptStatus::kWrongResult;
  }
  if (name == "infeasible" || name == "constraints" || has("invalidconfig") ||
      has("limitsexceeded")) {
    return AttemptStatus::kInfeasible;
  }
  return AttemptStatus::kRuntime;
}

double us_in(std::string_view unit) {
  static const std::map<std::string, double, std::less<>> kUnits = {
      {"ns", 1e-3},         {"nanosecond", 1e-3}, {"us", 1},  {"microsecond", 1}, {"ms", 1e3},
      {"millisecond", 1e3}, {"milisecond", 1e3},  {"s", 1e6}, {"second", 1e6},    {"sec", 1e6}};
  std::string name = lower_case(trim(unit));
  auto found = kUnits.find(name);
  if (found == kUnits.end() && name.ends_with('s')) {
    name.pop_back();
    found = kUnits.find(name);
  }
  return found == kUnits.end() ? 0 : found->second;
}

bool is_time(double time_us) {
  return std::isfinite(time_us) && time_us > 0;
}

void finish_table(ResultTableBuilder& builder, ResultTable table, ResultFile& file) {
  if (builder.empty()) return;
  if (builder.repeated() > 0) {
    file.notes.push_back(fmt::format("{} {} a config; the first of each was kept",
                                     format_counted(builder.repeated(), "row"),
                                     builder.repeated() == 1 ? "repeats" : "repeat"));
  }
  builder.finish(table);
  file.tables.push_back(std::move(table));
}

}  // namespace tilewright
