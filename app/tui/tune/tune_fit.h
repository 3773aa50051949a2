#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/tui/tune/tune_view.h"

namespace tilewright {

/// Whether there are configs with two values together.
enum class CellFit : uint8_t {
  kSearched,  ///< some that the session may try
  kLeftOut,   ///< some, but the session was told to try none of them
  kUnfit,     ///< none that the kernel allows
};

/// Two values of two parameters, given by the places of the parameters and of the values.
struct CellPlace {
  size_t across = 0;  ///< parameter
  size_t down = 0;
  size_t column = 0;  ///< into the values of `across`
  size_t row = 0;

  friend bool operator==(const CellPlace&, const CellPlace&) = default;
};

/// Of every pair of values of two parameters whether it fits, row by row.
struct TuneFit {
  std::string problem;
  size_t across = 0;
  size_t down = 0;
  std::vector<CellFit> cells;
};

/// Asks `check` now and then, which throws when nobody wants to know any more.
TuneFit fit_of(const std::string& problem, const TuneSpaces& spaces, size_t across, size_t down,
               const std::function<void()>& check);

/// Why no config of a session has two values together.
struct CellReason {
  std::string problem;
  CellPlace cell;
  std::string text;  ///< empty: there are some
};
CellReason reason_of(const std::string& problem, const TuneSpaces& spaces, const CellPlace& cell);

}  // namespace tilewright
