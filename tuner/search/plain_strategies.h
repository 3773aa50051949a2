#pragma once

#include "tuner/search/history.h"
#include "tuner/search/rank_permutation.h"

namespace tilewright {

/// "exhaustive": every legal config in the order of the space.
class Exhaustive : public OneByOneStrategy {
 public:
  explicit Exhaustive(const SearchContext& context) : OneByOneStrategy(context) {}

 private:
  Proposal next() override;
  void learn(const Observation&, std::string_view) override {}

  int64_t known_prefix_ = 0;  ///< ranks below are known
};

/// "random": every legal config once, in an order drawn from the seed.
class RandomOrder : public OneByOneStrategy {
 public:
  explicit RandomOrder(const SearchContext& context)
      : OneByOneStrategy(context), order_(context.space->size(), context.seed) {}

 private:
  Proposal next() override;
  void learn(const Observation&, std::string_view) override {}

  RankPermutation order_;
  int64_t known_prefix_ = 0;  ///< of the order
};

}  // namespace tilewright
