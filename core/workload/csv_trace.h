#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/workload/trace_builder.h"
#include "core/workload/trace_reader.h"

namespace tilewright {

struct CsvTraceFormat;

/// The rows of a trace in CSV, after its header.
class CsvTrace {
 public:
  /// Finds the format by the header's names of columns. Error (failed) naming what was found and
  /// the known formats, or the column that a known one lacks.
  CsvTrace(std::string_view header, const std::string& where, const TraceOptions& options);

  void add_row(std::string_view line, const std::string& where, TraceBuilder& builder);

  /// After the last row. Error (usage) when rows of one model were asked for and the trace has
  /// none.
  void finish(const std::string& path, const TraceBuilder& builder) const;

 private:
  const CsvTraceFormat* format_ = nullptr;
  const TraceOptions& options_;
  std::string header_;
  std::vector<size_t> places_;  ///< of the format's columns, optional ones last; npos: absent
  size_t columns_ = 0;
  std::set<std::string> models_;  ///< names seen, the first few
};

std::vector<TraceFormat> csv_trace_formats();

/// "Azure (TIMESTAMP, ContextTokens, GeneratedTokens); ...": formats in an error message.
std::string text_of(const std::vector<TraceFormat>& formats);

}  // namespace tilewright
