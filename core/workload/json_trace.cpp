#include "core/workload/json_trace.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/integers.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/workload/csv_trace.h"

namespace tilewright {

namespace {

constexpr double kMaxTimestampMs = 1e11;

/// A list of whole numbers from 0. JsonReader::items() would make a text of each element's place,
/// which is wanted for one that is wrong only.
template <typename Id>
std::vector<Id> read_ids(const JsonReader& list) {
  if (!list.is_array()) list.fail("expected a list");
  std::vector<Id> ids;
  ids.reserve(list.raw().size());
  for (const Json& element : list.raw()) {
    const JsonReader id(element, element.is_number_integer()
                                     ? std::string()
                                     : fmt::format("{}[{}]", list.where(), ids.size()));
    if (element.is_number_integer() &&
        (element.is_number_unsigned()
             ? element.get<uint64_t>() > uint64_t{std::numeric_limits<Id>::max()}
             : element.get<int64_t>() < 0)) {
      list.fail(fmt::format("element {} is {}; expected a whole number from 0 to {}", ids.size(),
                            element.dump(), std::numeric_limits<Id>::max()));
    }
    ids.push_back(static_cast<Id>(id.integer(0, std::numeric_limits<Id>::max())));
  }
  return ids;
}

/// The number of tokens that `row` states under `key`, with their ids under `ids_key` if it has
/// them. One of the two is enough.
int64_t read_side(const JsonReader& row, const char* key, const char* ids_key,
                  std::vector<int32_t>& ids) {
  if (!row.has(ids_key)) return row.at(key).integer(1, kMaxRequestTokens);
  const JsonReader list = row.at(ids_key);
  ids = read_ids<int32_t>(list);
  const auto count = static_cast<int64_t>(ids.size());
  const int64_t stated = row.has(key) ? row.at(key).integer(1, kMaxRequestTokens) : count;
  if (stated != count || count == 0) {
    list.fail(fmt::format("{} ids; expected {}", count,
                          count == 0 ? "at least one" : fmt::format("the {} of {}", stated, key)));
  }
  return count;
}

Request read_lengths(const JsonReader& row) {
  Request request;
  request.prompt_tokens = read_side(row, "input_toks", "input_tok_ids", request.prompt_ids);
  request.output_tokens = read_side(row, "output_toks", "output_tok_ids", request.output_ids);
  return request;
}

}  // namespace

std::vector<TraceFormat> json_trace_formats() {
  const std::string kind = "JSON lines";
  return {{"timed (Mooncake)", kind, "timestamp, input_length, output_length"},
          {"tokens", kind, "input_toks, output_toks, arrival_time_ns"},
          {"sessions", kind, "arrival_time_ns, sub_requests"},
          {"custom", kind, "prompt (token ids), output_tokens"}};
}

void refuse_conversations(const std::string& where) {
  fail_at(where,
          "these are conversations of text, and without the model's tokenizer nobody knows how "
          "many tokens they have; use a trace of lengths (CSV with "
          "num_prefill_tokens,num_decode_tokens) or of token ids (JSON lines with input_tok_ids, "
          "output_tok_ids)");
}

JsonTrace::Kind JsonTrace::kind_of(const JsonReader& row) const {
  if (row.has("conversations")) refuse_conversations(row.where());
  if (row.has(options_.timestamp_key) || row.has(options_.input_length_key)) return Kind::kTimed;
  if (row.has("sub_requests") || row.has("input_toks") || row.has("input_tok_ids")) {
    return Kind::kTokens;
  }
  if (row.has("prompt")) return Kind::kCustom;
  std::vector<std::string> keys;
  for (const std::string& key : row.keys()) keys.push_back(printable(key));
  row.fail(fmt::format("an object with {} begins no known trace; known are {}",
                       keys.empty() ? "no keys" : "the keys " + printable(join(keys, ", "), 160),
                       text_of(json_trace_formats())));
}

void JsonTrace::add_row(std::string_view line, const std::string& where, TraceBuilder& builder) {
  const Json document = parse_json_line(line, where);
  const JsonReader row(document, where);
  if (!row.is_object()) row.fail("expected an object");
  if (kind_ == Kind::kUnknown) {
    kind_ = kind_of(row);
    has_times_ = row.has("arrival_time_ns");
  }
  if (kind_ == Kind::kTimed) {
    add_timed(row, where, builder);
  } else if (kind_ == Kind::kCustom) {
    add_custom(row, where, builder);
  } else if (row.has("sub_requests")) {
    add_session(row, where, builder);
  } else {
    add_tokens(row, where, builder);
  }
}

void JsonTrace::add_timed(const JsonReader& row, const std::string& where,
                          TraceBuilder& builder) const {
  const double unit_ms = options_.time_unit_s * 1e3;
  Request request;
  request.arrival_ns = std::llround(
      row.at(options_.timestamp_key).number(0, kMaxTimestampMs / unit_ms) * unit_ms * 1e6);
  request.prompt_tokens = row.at(options_.input_length_key).integer(1, kMaxRequestTokens);
  request.output_tokens = row.at(options_.output_length_key).integer(1, kMaxRequestTokens);
  if (row.has(options_.hash_ids_key)) {
    const JsonReader ids = row.at(options_.hash_ids_key);
    request.prefix_hashes = read_ids<int64_t>(ids);
    const int64_t blocks = ceil_div(request.prompt_tokens, options_.block_tokens);
    if (static_cast<int64_t>(request.prefix_hashes.size()) > blocks) {
      ids.fail(fmt::format("{} ids; expected at most {}, one for each {} of {} prompt tokens",
                           request.prefix_hashes.size(), blocks, options_.block_tokens,
                           request.prompt_tokens));
    }
    builder.set_block_tokens(options_.block_tokens);
  }
  builder.add(std::move(request), where);
}

int64_t JsonTrace::arrival_of(const JsonReader& row, TraceBuilder& builder) {
  if (!has_times_ && row.has("arrival_time_ns")) {
    row.at("arrival_time_ns").fail("the first row states no arrival; give all rows one, or none");
  }
  if (has_times_) return row.at("arrival_time_ns").integer(0, INT64_MAX);
  builder.note(std::string(kNoArrivalsNote));
  return 0;
}

void JsonTrace::add_tokens(const JsonReader& row, const std::string& where, TraceBuilder& builder) {
  Request request = read_lengths(row);
  request.arrival_ns = arrival_of(row, builder);
  builder.add(std::move(request), where);
}

void JsonTrace::add_session(const JsonReader& row, const std::string& where,
                            TraceBuilder& builder) {
  const std::vector<JsonReader> calls = row.at("sub_requests").items();
  if (calls.empty()) row.at("sub_requests").fail("is empty; expected at least one request");
  int64_t pause_ns = 0;
  int64_t pauses_ns = 0;
  for (size_t i = 0; i < calls.size(); ++i) {
    Request request = read_lengths(calls[i]);
    if (i == 0) {
      request.arrival_ns = arrival_of(row, builder);
      builder.add(std::move(request), where);
    } else {
      request.think_ns = pause_ns;
      builder.add_follower(std::move(request), where);
    }
    pause_ns = 0;
    if (!calls[i].has("tool_duration_ns")) continue;
    const JsonReader duration = calls[i].at("tool_duration_ns");
    pause_ns = duration.integer(0, kMaxArrivalNs);
    pauses_ns += pause_ns;
    if (pauses_ns > kMaxArrivalNs) duration.fail("the session pauses for more than three years");
  }
}

void JsonTrace::add_custom(const JsonReader& row, const std::string& where,
                           TraceBuilder& builder) const {
  if (row.at("prompt").is_string()) {
    row.at("prompt").fail(
        "is text, and without the model's tokenizer nobody knows how many tokens it has; give a "
        "list of token ids, or input_toks and output_toks");
  }
  Request request;
  request.prompt_ids = read_ids<int32_t>(row.at("prompt"));
  request.prompt_tokens = static_cast<int64_t>(request.prompt_ids.size());
  if (request.prompt_tokens == 0) row.at("prompt").fail("is empty; expected at least one token id");
  request.output_tokens = row.at("output_tokens").integer(1, kMaxRequestTokens);
  builder.note(std::string(kNoArrivalsNote));
  builder.add(std::move(request), where);
}

}  // namespace tilewright
