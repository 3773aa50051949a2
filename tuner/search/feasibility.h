#pragma once

#include <span>
#include <vector>

#include "tuner/search/features.h"
#include "tuner/search/history.h"

namespace tilewright {

/// The probability that a config works, from those that did and did not, here and elsewhere: the
/// share among the observed ones, weighted by likeness, with the overall share as what is expected
/// before any data (Nadaraya and Watson's estimate).
class FeasibilityModel {
 public:
  /// `elsewhere`: as of SearchContext. The features outlive the model.
  FeasibilityModel(const FeatureSet& features, const SpaceIndex& space,
                   std::span<const Observation> elsewhere);

  /// Learns from `told` beside what is known of elsewhere, instead of what it learned before.
  void fit(const SpaceIndex& space, std::span<const Observation> told);

  /// Whether any observed config failed; otherwise all work.
  bool has_failures() const { return failures_ > 0; }
  double works(std::span<const uint8_t> codes) const;

 private:
  struct Case {
    std::vector<uint8_t> codes;
    bool works = true;
  };
  void add(const SpaceIndex& space, const Observation& observation);

  const FeatureSet* features_;
  std::vector<Case> cases_;
  size_t elsewhere_ = 0;  ///< of cases_, at the front
  size_t failures_ = 0;
  double share_ = 1;
};

}  // namespace tilewright
