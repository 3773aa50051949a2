#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tuner/search/forest.h"
#include "tuner/search/history.h"
#include "tuner/search/opening.h"

namespace tilewright {

/// "forest": the opening, then of the neighbours of the best configs and of a draw the one with the
/// lowest expected logarithmic time less the deviation between the trees (Hutter, Hoos and
/// Leyton-Brown, "Sequential model-based optimization for general algorithm configuration", 2011).
class ForestSearch : public OneByOneStrategy {
 public:
  explicit ForestSearch(const SearchContext& context);

 private:
  Proposal next() override;
  void learn(const Observation& observation, std::string_view proposer) override;
  void fit(size_t count);
  std::vector<int64_t> candidates(Random& random) const;

  uint64_t seed_;
  FeatureSet features_;
  Opening opening_;
  std::optional<Forest> forest_;
  size_t fitted_ = 0;
  std::vector<Observation> best_;  ///< few, the best first
};

}  // namespace tilewright
