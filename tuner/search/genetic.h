#pragma once

#include <vector>

#include "tuner/search/history.h"

namespace tilewright {

/// A steady-state genetic search: children of the best configs so far, each value from one of two
/// parents, then now and then another; only legal ones are proposed (Holland, 1975; Syswerda,
/// 1989, for uniform crossover and steady state).
class Genetic : public OneByOneStrategy {
 public:
  explicit Genetic(const SearchContext& context) : OneByOneStrategy(context) {}

 private:
  Proposal next() override;
  void learn(const Observation& observation, std::string_view proposer) override;
  const Observation& parent(Random& random) const;
  std::vector<int> child(Random& random) const;

  std::vector<Observation> population_;  ///< the best first
};

}  // namespace tilewright
