#pragma once

#include <string>

#include "db/formats/result_table.h"

namespace tilewright {

/// A table as CSV that read_results() gives back but for kernel, device and problem, which it has
/// no place for: parameters, time_us, status, reason, repetitions, costs, timestamp, metrics.
std::string write_csv_table(const ResultTable& table);

/// One field, in quotes where it needs them; control characters, which would end the line, become
/// '?'.
std::string csv_field(const std::string& value);

}  // namespace tilewright
