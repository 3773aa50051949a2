#include "core/space/measurement.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr AttemptStatus kStatuses[] = {AttemptStatus::kOk,      AttemptStatus::kInfeasible,
                                       AttemptStatus::kCompile, AttemptStatus::kRuntime,
                                       AttemptStatus::kTimeout, AttemptStatus::kWrongResult};

}  // namespace

std::string_view name_of(AttemptStatus status) {
  switch (status) {
    case AttemptStatus::kOk:
      return "ok";
    case AttemptStatus::kInfeasible:
      return "infeasible";
    case AttemptStatus::kCompile:
      return "compile";
    case AttemptStatus::kRuntime:
      return "runtime";
    case AttemptStatus::kTimeout:
      return "timeout";
    case AttemptStatus::kWrongResult:
      return "wrong_result";
  }
  TW_CHECK(false, "a status outside its enumeration");
  return "";
}

AttemptStatus parse_attempt_status(std::string_view name) {
  for (const AttemptStatus status : kStatuses) {
    if (name_of(status) == name) return status;
  }
  std::vector<std::string> known;
  for (const AttemptStatus status : kStatuses) known.emplace_back(name_of(status));
  throw Error(ErrorKind::kFailed, fmt::format("'{}' is no status of an attempt (known: {})",
                                              printable(name), join(known, ", ")));
}

}  // namespace tilewright
