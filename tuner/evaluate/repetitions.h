#pragma once

#include <span>

namespace tilewright {

/// How often something noisy is measured, and when it is known well enough.
struct RepetitionRule {
  int min = 3;
  int max = 30;
  double precision = 0.01;  ///< standard error of the time as a fraction of it
};

/// Whether enough was measured.
bool is_settled(std::span<const double> times_us, const RepetitionRule& rule);

}  // namespace tilewright
