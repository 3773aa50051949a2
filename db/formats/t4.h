#pragma once

#include <string>

#include "db/formats/result_table.h"

namespace tilewright {

/// A table as T4 (schema 1.0.0), times in microseconds. What T4 has no place for stands where its
/// readers do not look: kernel, device and problem in the metadata, the reason of a failure in the
/// value of the time, as Kernel Tuner does, and metrics and the time of benchmarking among the
/// measurements. read_results() gives the same table back.
std::string write_t4(const ResultTable& table);

}  // namespace tilewright
