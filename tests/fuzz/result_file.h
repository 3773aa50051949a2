#pragma once

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "db/formats/csv_table.h"
#include "db/formats/reader.h"
#include "db/formats/t4.h"
#include "tests/fuzz/fuzz.h"

namespace tilewright {

/// What holds of every table that a reader accepts.
inline void check_table(const ResultTable& table) {
  TW_CHECK(!table.rows.empty() && table.kinds.size() == table.parameters.size(),
           "a table has rows, and its parameters kinds");
  TW_CHECK(parse_problem(table.problem.text()) == table.problem, "the problem has a text");
  std::set<std::vector<int64_t>> configs;
  for (const ResultRow& row : table.rows) {
    TW_CHECK(configs.insert(row.values).second, "a config stands once");
    TW_CHECK(row.values.size() == table.parameters.size(), "a row has all parameters");
    for (size_t i = 0; i < row.values.size(); ++i) {
      TW_CHECK(std::ranges::binary_search(table.parameters[i].values, row.values[i]),
               "values are those of their parameter");
    }
    const bool is_ok = row.status == AttemptStatus::kOk;
    TW_CHECK(is_ok == (std::isfinite(row.time_us) && row.time_us > 0), "what worked has a time");
    TW_CHECK(is_ok == row.reason.empty(), "what failed has a reason");
    for (const double time : row.times_us) TW_CHECK(time > 0, "repetitions have times");
  }
}

/// Reads the bytes as a format; whatever is accepted can be written, and read again.
inline void fuzz_reader(std::string_view bytes, const std::string& format,
                        const std::string& file_name = "kernel__device.json") {
  static const FuzzFile file(file_name);
  static const FuzzFile again("again.json");
  file.write(bytes);
  ByteLimits limits;
  limits.max_bytes = 1 << 24;
  limits.max_piece_bytes = 1 << 20;
  ResultFile read;
  accepted([&] { detect_format(file.path()); });
  if (!accepted([&] { read = read_results(file.path(), format, limits); })) return;
  for (const ResultTable& table : read.tables) {
    check_table(table);
    write_csv_table(table);
    if (table.parameters.empty()) continue;
    again.write(write_t4(table));
    const ResultFile back = read_results(again.path(), "t4");
    TW_CHECK(back.tables.size() == 1 && back.tables[0].rows.size() <= table.rows.size(),
             "what was written as T4 is read again");
  }
}

}  // namespace tilewright
