#pragma once

#include <memory>
#include <string_view>

#include "tuner/search/bandit.h"
#include "tuner/search/history.h"
#include "tuner/search/opening.h"
#include "tuner/search/surrogate_model.h"

namespace tilewright {

/// The default search: an opening of few configs far apart, then a bandit over a process that
/// expects slopes, one that expects jumps, and moves of one parameter from the best configs,
/// filtered by these processes. docs/tuner.md, "Strategies", has the reasons and figures.
class Portfolio : public OneByOneStrategy {
 public:
  explicit Portfolio(const SearchContext& context);

 private:
  Proposal next() override;
  void learn(const Observation& observation, std::string_view proposer) override;
  std::optional<int64_t> local_move();

  SearchContext context_;
  SurrogateModel smooth_;
  SurrogateModel rough_;
  Opening opening_;
  Bandit bandit_;
  int64_t worked_ = 0;
  double best_us_ = 0;
};

}  // namespace tilewright
