#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/space/measurement.h"
#include "core/space/space.h"

namespace tilewright {

/// Decides which configs of a space to try next. Asked for a batch, then told the results of it in
/// the order asked; also told of configs that it did not propose (the baseline, say).
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// At most `at_most` configs to try next; none when the search has come to its end.
  virtual std::vector<Config> ask(size_t at_most) = 0;
  virtual void tell(const Config& config, const Measurement& measurement) = 0;

  /// How many configs it would propose if nobody stopped it.
  virtual int64_t size() const = 0;
};

/// Names for make_strategy, sorted.
std::vector<std::string> strategy_names();

/// "exhaustive": every legal config in the order of the space; "random": every legal config once,
/// in an order drawn from the seed. Error (usage) for another name, suggesting the nearest.
std::unique_ptr<Strategy> make_strategy(std::string_view name, const Space& space, uint64_t seed);

}  // namespace tilewright
