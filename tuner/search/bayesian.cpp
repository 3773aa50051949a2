#include "tuner/search/bayesian.h"

namespace tilewright {

Bayesian::Bayesian(const SearchContext& context)
    : OneByOneStrategy(context),
      model_(context, history(), Roughness::kSmooth),
      opening_(context, model_.features(), history()) {}

Proposal Bayesian::next() {
  Random random = history().random();
  if (!opening_.over()) return {opening_.next(random), "opening"};
  model_.update();
  const std::optional<int64_t> rank = model_.most_promising();
  if (rank) return {*rank, "process"};
  return {history().unknown_rank(random), "random"};
}

}  // namespace tilewright
