#include "tuner/search/feasibility.h"

#include <algorithm>
#include <cmath>

namespace tilewright {

namespace {

/// Cases that are kept: each is compared with each config. Failures and the newest tell most.
constexpr size_t kMaxCases = 128;

}  // namespace

FeasibilityModel::FeasibilityModel(const FeatureSet& features, const SpaceIndex& space,
                                   std::span<const Observation> elsewhere)
    : features_(&features) {
  size_t failed = 0;
  size_t worked = 0;
  for (const Observation& observation : elsewhere) {
    size_t& count = observation.status == AttemptStatus::kOk ? worked : failed;
    if (++count <= kMaxCases / 2) add(space, observation);
  }
  elsewhere_ = cases_.size();
}

void FeasibilityModel::add(const SpaceIndex& space, const Observation& observation) {
  Case added;
  added.codes.resize(features_->size());
  features_->codes(space.places(observation.rank), added.codes);
  added.works = observation.status == AttemptStatus::kOk;
  cases_.push_back(std::move(added));
}

void FeasibilityModel::fit(const SpaceIndex& space, std::span<const Observation> told) {
  cases_.resize(elsewhere_);
  size_t failed = 0;
  size_t worked = 0;
  for (size_t i = told.size(); i-- > 0 && std::min(failed, worked) < kMaxCases / 2;) {
    size_t& count = told[i].status == AttemptStatus::kOk ? worked : failed;
    if (++count <= kMaxCases / 2) add(space, told[i]);
  }
  failures_ = 0;
  for (const Case& one : cases_) failures_ += one.works ? 0 : 1;
  // One success is assumed, so that the share is never 0.
  const double count = static_cast<double>(cases_.size());
  share_ = (count - static_cast<double>(failures_) + 1) / (count + 1);
}

double FeasibilityModel::works(std::span<const uint8_t> codes) const {
  // Two parameters apart at their ends: weight e^-4.
  constexpr double kSharpness = 2;
  constexpr double kPrior = 0.5;
  double all = kPrior;
  double good = kPrior * share_;
  for (const Case& one : cases_) {
    double distance = 0;
    for (size_t f = 0; f < features_->parameters(); ++f) {
      if (codes[f] == one.codes[f]) continue;
      const Feature& feature = (*features_)[f];
      distance += feature.ordered
                      ? std::abs(feature.coordinates[codes[f]] - feature.coordinates[one.codes[f]])
                      : 1.0;
    }
    const double weight = std::exp(-kSharpness * distance);
    all += weight;
    if (one.works) good += weight;
  }
  return good / all;
}

}  // namespace tilewright
