#include "db/serving_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "db/column_codec.h"

namespace tilewright {

namespace {

void append(std::vector<LogChunk>& chunks, LogKind kind, int64_t place, const LogColumn& column) {
  const std::span<const int64_t> values = column.values;
  for (int64_t row = 0, chunk = 0; row < std::ssize(values); row += kMaxChunkRows, ++chunk) {
    const int64_t rows = std::min(kMaxChunkRows, std::ssize(values) - row);
    const auto part = values.subspan(static_cast<size_t>(row), static_cast<size_t>(rows));
    chunks.push_back({kind, place, column.name, chunk, row, rows, encode_column(part)});
  }
}

/// Puts the chunks of a table together, in the order of columns and chunks.
class Assembly {
 public:
  explicit Assembly(LogKind kind) { table_.kind = kind; }

  void add(const Statement& row) {
    const int64_t place = row.integer(0);
    if (place < 0) refuse(fmt::format("there is no column {}", place));
    if (place == std::ssize(table_.columns)) {
      begin_column(row.text(1));
    } else if (place != std::ssize(table_.columns) - 1) {
      refuse(fmt::format("a column before column {} is missing", place));
    }
    LogColumn& column = table_.columns.back();
    try {
      add_chunk(row, column);
    } catch (const DamagedError&) {
      throw;
    } catch (const Error& error) {
      refuse(fmt::format("chunk {} of column {}: {}", row.integer(2), printable(column.name),
                         error.message()));
    }
  }

  LogTable finish() {
    check_rows();
    return std::move(table_);
  }

 private:
  [[noreturn]] static void refuse(const std::string& why) { throw Error(ErrorKind::kFailed, why); }

  void begin_column(std::string name) {
    check_rows();
    if (std::ranges::find(table_.columns, name, &LogColumn::name) != table_.columns.end()) {
      refuse(fmt::format("column {} is there twice", printable(name)));
    }
    table_.columns.push_back({std::move(name), {}});
    chunks_ = 0;
  }

  void check_rows() const {
    if (table_.columns.empty()) return;
    const LogColumn& last = table_.columns.back();
    if (std::ssize(last.values) == table_.rows()) return;
    refuse(fmt::format("column {} has {} rows, the first has {}", printable(last.name),
                       last.values.size(), table_.rows()));
  }

  void add_chunk(const Statement& row, LogColumn& column) {
    if (row.text(1) != column.name) refuse("it is of another column");
    if (row.integer(2) != chunks_++ || row.integer(3) != std::ssize(column.values)) {
      refuse("one before it is missing");
    }
    const std::string codec = row.text(5);
    if (codec != kColumnCodec) {
      refuse(
          fmt::format("it is packed as '{}', which this program does not know", printable(codec)));
    }
    const std::vector<int64_t> values = decode_column(row.text(6), row.integer(4));
    values_ += std::ssize(values);
    if (values_ > kMaxLogValues) {
      refuse(fmt::format("there are more than {} numbers", kMaxLogValues));
    }
    column.values.insert(column.values.end(), values.begin(), values.end());
  }

  LogTable table_;
  int64_t chunks_ = 0;  ///< of the last column
  int64_t values_ = 0;
};

/// Errors say which log it was, but not of which database.
LogTable read_table(Database& database, int64_t run_id, LogKind kind) {
  Statement row(database,
                "SELECT place, name, chunk, first_row, rows, codec, data FROM serving_chunk "
                "WHERE run_id = ?1 AND kind = ?2 ORDER BY place, chunk");
  row.bind(1, run_id).bind(2, name_of(kind));
  Assembly assembly(kind);
  try {
    while (row.step()) assembly.add(row);
    return assembly.finish();
  } catch (const DamagedError&) {
    throw;
  } catch (const Error& error) {
    throw error.in(fmt::format("the {} log of run {} is damaged", name_of(kind), run_id));
  }
}

}  // namespace

std::string_view name_of(LogKind kind) {
  constexpr std::array<std::string_view, kLogKinds.size()> kNames = {"request",  "token", "step",
                                                                     "step_end", "op",    "event"};
  return kNames[static_cast<size_t>(kind)];
}

std::vector<LogChunk> packed(std::span<const LogTable> tables) {
  std::vector<LogChunk> chunks;
  for (const LogTable& table : tables) {
    for (int64_t place = 0; place < std::ssize(table.columns); ++place) {
      const LogColumn& column = table.columns[static_cast<size_t>(place)];
      TW_CHECK(std::ssize(column.values) == table.rows(), "columns of a table are equally long");
      append(chunks, table.kind, place, column);
    }
  }
  return chunks;
}

void write_serving_log(Database& database, int64_t run_id, std::span<const LogChunk> chunks) {
  database.cached("DELETE FROM serving_chunk WHERE run_id = ?1").bind(1, run_id).run();
  for (const LogChunk& chunk : chunks) {
    database
        .cached(
            "INSERT INTO serving_chunk (run_id, kind, place, name, chunk, first_row, rows, codec, "
            "data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
        .bind(1, run_id)
        .bind(2, name_of(chunk.kind))
        .bind(3, chunk.place)
        .bind(4, chunk.name)
        .bind(5, chunk.chunk)
        .bind(6, chunk.first_row)
        .bind(7, chunk.rows)
        .bind(8, kColumnCodec)
        .bind_blob(9, chunk.bytes)
        .run();
  }
}

LogTable read_serving_log(Database& database, int64_t run_id, LogKind kind) {
  try {
    return read_table(database, run_id, kind);
  } catch (const DamagedError&) {
    throw;
  } catch (const Error& error) {
    throw error.in("database " + database.path());
  }
}

std::vector<std::string> check_serving_logs(Database& database) {
  std::vector<std::string> findings;
  Statement run(database, "SELECT DISTINCT run_id FROM serving_chunk ORDER BY run_id");
  while (run.step()) {
    for (const LogKind kind : kLogKinds) {
      try {
        read_table(database, run.integer(0), kind);
      } catch (const DamagedError&) {
        throw;
      } catch (const Error& error) {
        findings.push_back(error.message());
      }
    }
  }
  return findings;
}

}  // namespace tilewright
