#include "core/workload/trace_reader.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/workload/line_reader.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxTraceBytes = int64_t{1} << 30;
constexpr size_t kMaxLineBytes = size_t{8} << 20;
constexpr size_t kMaxRequests = 20'000'000;
constexpr int64_t kMooncakeBlockTokens = 512;
constexpr double kMaxTimestampMs = 1e11;
constexpr std::string_view kAzureHeader = "TIMESTAMP,ContextTokens,GeneratedTokens";

[[noreturn]] void fail(const std::string& where, const std::string& message) {
  throw Error(ErrorKind::kFailed, fmt::format("{}: {}", where, message));
}

/// All of `text` as digits, in [min, max].
bool read_digits(std::string_view text, int64_t min, int64_t max, int64_t& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size() && text.front() != '-' &&
         value >= min && value <= max;
}

/// Nanoseconds since 1970 of "YYYY-MM-DD hh:mm:ss[.fraction][Z|+00:00]".
bool read_timestamp(std::string_view text, int64_t& ns) {
  for (std::string_view utc : {"Z", "+00:00"}) {
    if (text.ends_with(utc)) text.remove_suffix(utc.size());
  }
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' ||
      (text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':') {
    return false;
  }
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!read_digits(text.substr(0, 4), 1970, 2200, year) ||
      !read_digits(text.substr(5, 2), 1, 12, month) ||
      !read_digits(text.substr(8, 2), 1, 31, day) ||
      !read_digits(text.substr(11, 2), 0, 23, hour) ||
      !read_digits(text.substr(14, 2), 0, 59, minute) ||
      !read_digits(text.substr(17, 2), 0, 60, second)) {
    return false;
  }
  int64_t fraction = 0;
  if (text.size() > 19) {
    const std::string_view digits = text.substr(20);
    if (text[19] != '.' || digits.empty() || digits.size() > 9 ||
        !read_digits(digits, 0, 999'999'999, fraction)) {
      return false;
    }
    for (size_t i = digits.size(); i < 9; ++i) fraction *= 10;
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return false;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  ns = ((days * 24 + hour) * 60 + minute) * 60 + second;
  ns = ns * 1'000'000'000 + fraction;
  return true;
}

int64_t read_tokens(std::string_view text, std::string_view column, const std::string& where) {
  int64_t tokens = 0;
  if (text.empty() || !read_digits(text, 1, kMaxRequestTokens, tokens)) {
    fail(where, fmt::format("{} is '{}'; expected a whole number from 1 to {}", column,
                            printable(text), kMaxRequestTokens));
  }
  return tokens;
}

/// A request with its time as the trace states it.
Request parse_azure_row(std::string_view line, const std::string& where) {
  const std::vector<std::string_view> fields = split(line, ',');
  if (fields.size() != 3) {
    fail(where, fmt::format("'{}' has {} fields; expected the 3 of {}", printable(line),
                            fields.size(), kAzureHeader));
  }
  Request request;
  if (!read_timestamp(trim(fields[0]), request.arrival_ns)) {
    fail(where, fmt::format("TIMESTAMP is '{}'; expected YYYY-MM-DD hh:mm:ss.fraction",
                            printable(fields[0])));
  }
  request.prompt_tokens = read_tokens(trim(fields[1]), "ContextTokens", where);
  request.output_tokens = read_tokens(trim(fields[2]), "GeneratedTokens", where);
  return request;
}

Request parse_mooncake_row(std::string_view line, const std::string& where) {
  const Json document = parse_json_line(line, where);
  const JsonReader row(document, where);
  Request request;
  request.arrival_ns = std::llround(row.at("timestamp").number(0, kMaxTimestampMs) * 1e6);
  request.prompt_tokens = row.at("input_length").integer(1, kMaxRequestTokens);
  request.output_tokens = row.at("output_length").integer(1, kMaxRequestTokens);
  if (!row.has("hash_ids")) return request;
  const JsonReader ids = row.at("hash_ids");
  for (const JsonReader& id : ids.items())
    request.prefix_hashes.push_back(id.integer(0, INT64_MAX));
  const int64_t blocks = (request.prompt_tokens + kMooncakeBlockTokens - 1) / kMooncakeBlockTokens;
  if (static_cast<int64_t>(request.prefix_hashes.size()) > blocks) {
    ids.fail(fmt::format("{} ids; expected at most {}, one for each {} of {} prompt tokens",
                         request.prefix_hashes.size(), blocks, kMooncakeBlockTokens,
                         request.prompt_tokens));
  }
  return request;
}

/// Appends requests in the order of the file and moves their times to start at 0.
class Requests {
 public:
  explicit Requests(Workload& workload) : workload_(workload) {}

  void add(Request request, const std::string& where) {
    const int64_t time = request.arrival_ns;
    if (workload_.requests.empty()) first_ns_ = last_ns_ = time;
    if (time < last_ns_) {
      fail(where, fmt::format("the request comes {} ns before the one above; expected times in "
                              "ascending order",
                              last_ns_ - time));
    }
    if (time - first_ns_ > kMaxArrivalNs)
      fail(where, "comes more than three years after the first");
    if (workload_.requests.size() == kMaxRequests) {
      fail(where, fmt::format("more than {} requests, the limit for a trace", kMaxRequests));
    }
    last_ns_ = time;
    request.arrival_ns = time - first_ns_;
    if (!request.prefix_hashes.empty()) workload_.prefix_block_tokens = kMooncakeBlockTokens;
    workload_.requests.push_back(std::move(request));
  }

 private:
  Workload& workload_;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
};

}  // namespace

Workload read_workload(const std::string& path) {
  Workload workload;
  workload.name = std::filesystem::path(path).filename().string();
  workload.source = path;
  LineReader lines(path, kMaxTraceBytes, kMaxLineBytes);
  Requests requests(workload);
  Request (*parse)(std::string_view, const std::string&) = nullptr;
  while (const auto line = lines.next()) {
    const std::string_view text = trim(*line);
    if (text.empty()) continue;
    if (!parse && text == kAzureHeader) {
      parse = parse_azure_row;
      continue;
    }
    if (!parse && text.starts_with('{')) parse = parse_mooncake_row;
    if (!parse) {
      fail(lines.where(),
           fmt::format("'{}' begins no known trace; expected the header {} or a JSON "
                       "object with timestamp, input_length, output_length",
                       printable(text), kAzureHeader));
    }
    requests.add(parse(text, lines.where()), lines.where());
  }
  if (workload.requests.empty()) fail(path, "has no requests");
  return workload;
}

}  // namespace tilewright
