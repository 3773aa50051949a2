#pragma once

#include <cstdint>
#include <optional>

#include "tuner/search/history.h"

namespace tilewright {

/// A chain that steps to a legal neighbour: mostly of the adjacent values, now and then of any. A
/// worse config is accepted by its relative loss (Kirkpatrick, Gelatt and Vecchi, 1983). The
/// temperature is that of the chain, not of the budget: it falls with the chain's own steps, and a
/// chain that found nothing for long is given up for one from a new start, so the search goes on
/// for as long as it is asked.
class Annealing : public OneByOneStrategy {
 public:
  explicit Annealing(const SearchContext& context) : OneByOneStrategy(context) {}

 private:
  Proposal next() override;
  void learn(const Observation& observation, std::string_view proposer) override;
  void restart();

  std::optional<Observation> at_;  ///< where the chain is; empty: at a new start
  double chain_best_us_ = 0;
  int64_t steps_ = 0;
  int64_t since_best_ = 0;
};

}  // namespace tilewright
