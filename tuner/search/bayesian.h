#pragma once

#include <string_view>

#include "tuner/search/history.h"
#include "tuner/search/opening.h"
#include "tuner/search/surrogate_model.h"

namespace tilewright {

/// "bayesian": the opening, then the expected improvement of one Gaussian process.
class Bayesian : public OneByOneStrategy {
 public:
  explicit Bayesian(const SearchContext& context);

 private:
  Proposal next() override;
  void learn(const Observation&, std::string_view) override {}

  SurrogateModel model_;
  Opening opening_;
};

}  // namespace tilewright
