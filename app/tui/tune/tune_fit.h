#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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

/// A value that a third parameter is held at.
struct FixedValue {
  size_t parameter = 0;  ///< place
  int64_t value = 0;

  friend bool operator==(const FixedValue&, const FixedValue&) = default;
};

/// Two parameters, and the third one that is held where there is one.
struct SpacePlane {
  size_t across = 0;
  size_t down = 0;
  std::optional<FixedValue> fixed = {};

  friend bool operator==(const SpacePlane&, const SpacePlane&) = default;
};

/// Two values of the parameters of a plane, by their places.
struct CellPlace {
  SpacePlane plane;
  size_t column = 0;  ///< into the values of the parameter across
  size_t row = 0;

  friend bool operator==(const CellPlace&, const CellPlace&) = default;
};

/// Of every pair of values of two parameters whether it fits, row by row.
struct TuneFit {
  std::string problem;
  SpacePlane plane;
  std::vector<CellFit> cells;
};

/// Asks `check` now and then, which throws when nobody wants to know any more.
TuneFit fit_of(const std::string& problem, const TuneSpaces& spaces, const SpacePlane& plane,
               const std::function<void()>& check);

/// Why no config of a session has two values together.
struct CellReason {
  std::string problem;
  CellPlace cell;
  std::string text;  ///< empty: there are some
};
CellReason reason_of(const std::string& problem, const TuneSpaces& spaces, const CellPlace& cell);

}  // namespace tilewright
