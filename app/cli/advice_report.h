#pragma once

#include <span>
#include <string>

#include "app/cli/context.h"
#include "core/base/json.h"
#include "tuner/advice/advice.h"

namespace tilewright {

/// [{number, rule, problem, ...}] in the order of the list; `machine` as --machine takes it.
Json json_of(std::span<const Advice> list, const std::string& machine);

/// Heading, and for each advice its number, gain, reasons and the command line that makes the
/// change, in 80 columns.
std::string text_of(Context& context, std::span<const Advice> list, const std::string& machine);

/// The advice of a number as it is shown, from 1 on. Error (usage) says how many there are.
const Advice& numbered(std::span<const Advice> list, int64_t number);

/// {before_us, estimated_us, real_us, estimated_gain, real_gain}.
Json json_of(const AppliedAdvice& applied);

}  // namespace tilewright
