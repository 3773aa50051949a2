#pragma once

#include <string>

namespace tilewright {

/// Seconds of a steady clock, from some point on.
double wall_seconds();

/// The date and time now, ISO 8601 in UTC: "2026-01-31T12:34:56Z".
std::string iso_date();

}  // namespace tilewright
