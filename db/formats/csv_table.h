#pragma once

#include <string>

#include "db/formats/result_table.h"

namespace tilewright {

/// A table as CSV that read_results() gives back but for kernel, device and problem, which it has
/// no place for: parameters, time_us, status, reason, repetitions, costs, timestamp, metrics.
std::string write_csv_table(const ResultTable& table);

/// One field as it is, in quotes where it has commas, quotes, line ends or other control
/// characters, or white space at its ends.
std::string csv_field(const std::string& value);

}  // namespace tilewright
