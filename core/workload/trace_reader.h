#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/workload/trace_fields.h"
#include "core/workload/workload.h"

namespace tilewright {

/// Note on a trace of lengths alone.
inline constexpr std::string_view kNoArrivalsNote =
    "the trace states no arrivals, so all requests arrive at once";

/// What a trace does not say of itself.
struct TraceOptions {
  /// BurstGPT: only the rows of this model (vLLM keeps those of GPT-4); empty: all.
  std::string model = {};
  /// Timed traces: prompt tokens for each of hash_ids. Mooncake has 512, vLLM's default is 16.
  int64_t block_tokens = 512;
  /// Timed traces: seconds in one unit of their time stamps.
  double time_unit_s = 1e-3;
  /// Timed traces: keys of a row.
  std::string timestamp_key = "timestamp";
  std::string input_length_key = "input_length";
  std::string output_length_key = "output_length";
  std::string hash_ids_key = "hash_ids";
};

/// "model=GPT-4,block-tokens=16,time-unit=1s,timestamp=ts,input-length=in,output-length=out,
/// hash-ids=blocks", any of them. Error (usage) suggests the nearest name.
TraceOptions parse_trace_options(std::string_view text);

/// Reads a trace file line by line; its first line that is not blank tells the format. CSV, by the
/// names of columns, which may stand in any order, with others between:
/// - Azure LLM inference traces 2023 and 2024: TIMESTAMP (UTC), ContextTokens, GeneratedTokens;
/// - BurstGPT: Timestamp [s], Model, Request tokens, Response tokens; rows without a response are
///   left out and counted;
/// - Vidur: arrived_at [s], num_prefill_tokens, num_decode_tokens;
/// - lengths (Sarathi, Vidur): num_prefill_tokens, num_decode_tokens; all arrive at once;
/// - splitwise-sim: arrival_timestamp [s], prompt_size, token_size, and optionally batch_size.
/// JSON lines, by the keys of the first object:
/// - timed trace (Mooncake, vLLM): timestamp, input_length, output_length, optionally hash_ids;
/// - token trace (LLMServingSim): input_toks, output_toks, arrival_time_ns, and optionally
///   input_tok_ids, output_tok_ids; with sub_requests instead of these the object is a session,
///   whose requests follow each other after tool_duration_ns;
/// - custom (vLLM): prompt (a list of token ids), output_tokens; all arrive at once.
/// Arrivals are counted from the first row. Lines may end in LF or CRLF; blank ones are skipped.
/// What was left out stands in Workload::notes.
///
/// Error (not found) for a missing file; (failed), with file, line, column or key and what was
/// expected, for a line that breaks the format, a token count outside [1, kMaxRequestTokens], a
/// time before that of the line above, ids that are not as many as their count, text without token
/// ids (ShareGPT's conversations), no requests at all, or more bytes than a trace may have (1 GiB).
Workload read_workload(const std::string& path, const TraceOptions& options = {});

/// A format that read_workload() knows.
struct TraceFormat {
  std::string name;
  std::string kind;    ///< "CSV" or "JSON lines"
  std::string fields;  ///< columns or keys by which it is told, ", " between them
};

std::vector<TraceFormat> trace_formats();

}  // namespace tilewright
