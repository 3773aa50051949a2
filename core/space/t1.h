#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/space/space.h"

namespace tilewright {

/// A tuning problem as a T1 file describes it (docs/spaces.md): the JSON that Kernel Tuner and the
/// benchmark suites around it exchange.
struct T1Problem {
  std::string name;    ///< General.BenchmarkName, or ""
  std::string kernel;  ///< KernelSpecification.KernelName, or ""
  Space space;
  Config defaults;             ///< of the parameters that have one in their list, in their order
  std::vector<int64_t> sizes;  ///< KernelSpecification.ProblemSize, or none
};

/// Reads T1. Keys that say nothing about the space may have any value. `where` names the source.
/// Error (failed) with place and reason for what is malformed or missing, for names and values that
/// stand twice, for unknown names, for parameters without values and with values of several kinds.
T1Problem read_t1(std::string_view text, const std::string& where);

/// The problem as T1: read back, it is the same. Error (usage) for what T1 cannot hold: constraints
/// that are no expressions, texts with quotes of both kinds or backslashes.
std::string write_t1(const T1Problem& problem);

}  // namespace tilewright
