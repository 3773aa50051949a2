#pragma once

#include <string>

#include "core/machine/machine.h"
#include "tuner/calibrate/measured_check.h"

namespace tilewright {

/// docs/accuracy.md: method, errors row by row, what is not simulated and why.
std::string accuracy_document(const Machine& machine, const CheckReport& report);

}  // namespace tilewright
