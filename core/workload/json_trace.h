#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/workload/trace_builder.h"
#include "core/workload/trace_reader.h"

namespace tilewright {

/// The rows of a trace in JSON lines. The first row tells which trace it is (trace_reader.h).
class JsonTrace {
 public:
  explicit JsonTrace(const TraceOptions& options) : options_(options) {}

  void add_row(std::string_view line, const std::string& where, TraceBuilder& builder);

 private:
  enum class Kind { kUnknown, kTimed, kTokens, kCustom };

  Kind kind_of(const class JsonReader& row) const;
  void add_timed(const JsonReader& row, const std::string& where, TraceBuilder& builder) const;
  void add_tokens(const JsonReader& row, const std::string& where, TraceBuilder& builder);
  void add_session(const JsonReader& row, const std::string& where, TraceBuilder& builder);
  void add_custom(const JsonReader& row, const std::string& where, TraceBuilder& builder) const;
  int64_t arrival_of(const JsonReader& row, TraceBuilder& builder);

  const TraceOptions& options_;
  Kind kind_ = Kind::kUnknown;
  bool has_times_ = false;  ///< of a token trace: whether its first row states an arrival
};

std::vector<TraceFormat> json_trace_formats();

/// Error (failed): conversations of text, whose lengths only a model's tokenizer knows.
[[noreturn]] void refuse_conversations(const std::string& where);

}  // namespace tilewright
