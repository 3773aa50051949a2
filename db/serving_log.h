#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/database.h"

namespace tilewright {

/// What a row of a table in the log of a serving run is (docs/database.md, "Log of a serving run").
enum class LogKind : uint8_t {
  kRequest,  ///< a request, in the order of the workload
  kToken,    ///< steps in a row that gave a request tokens
  kStep,     ///< steps in a row of the same composition
  kStepEnd,  ///< one step
  kOp,       ///< the time by op of the steps of a row of kStep
  kEvent,    ///< something that needs a reason
};
inline constexpr std::array kLogKinds = {LogKind::kRequest, LogKind::kToken, LogKind::kStep,
                                         LogKind::kStepEnd, LogKind::kOp,    LogKind::kEvent};
/// "request", "token", "step", "step_end", "op", "event".
std::string_view name_of(LogKind kind);

struct LogColumn {
  std::string name;
  std::vector<int64_t> values;

  bool operator==(const LogColumn&) const = default;
};

/// Columns of equal length with different names.
struct LogTable {
  LogKind kind = LogKind::kRequest;
  std::vector<LogColumn> columns;

  int64_t rows() const { return columns.empty() ? 0 : std::ssize(columns.front().values); }
  bool operator==(const LogTable&) const = default;
};

/// Most numbers of one table that are read back: 4 GiB of them.
inline constexpr int64_t kMaxLogValues = int64_t{1} << 29;

/// A chunk of a column as the database keeps it.
struct LogChunk {
  LogKind kind = LogKind::kRequest;
  int64_t place = 0;  ///< of the column in its table
  std::string name;   ///< of the column
  int64_t chunk = 0;
  int64_t first_row = 0;
  int64_t rows = 0;
  std::string bytes;
};

/// Tables in chunks, packed; tables without rows have none.
std::vector<LogChunk> packed(std::span<const LogTable> tables);

/// Replaces the log of a run, within a transaction of the caller.
void write_serving_log(Database& database, int64_t run_id, std::span<const LogChunk> chunks);

/// One table of a run's log, without columns when there is none. Error (failed) when what is stored
/// is damaged, contradicts itself, or is beyond kMaxLogValues.
LogTable read_serving_log(Database& database, int64_t run_id, LogKind kind);

/// What is wrong with the logs of all runs; empty when nothing is.
std::vector<std::string> check_serving_logs(Database& database);

}  // namespace tilewright
