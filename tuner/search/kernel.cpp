#include "tuner/search/kernel.h"

#include <algorithm>
#include <cmath>

namespace tilewright {

namespace {

/// Products and odd parts matter for some spaces only: their scale is long, so that they change
/// little, until the data say otherwise. The exponential falls faster, so its scales are longer.
double default_length(Feature::Kind kind, Roughness roughness) {
  const double times = roughness == Roughness::kRough ? 2 : 1;
  switch (kind) {
    case Feature::Kind::kParameter:
      return 2 * times;
    case Feature::Kind::kOddPart:
      return 2;
    case Feature::Kind::kProduct:
      return 4 * times;
  }
  return 1;
}

}  // namespace

Covariance::Covariance(const FeatureSet& features, Roughness roughness)
    : features_(&features),
      roughness_(roughness),
      lengths_(features.size()),
      tables_(features.size()) {
  for (size_t f = 0; f < features.size(); ++f) {
    set_length(f, default_length(features[f].kind, roughness));
  }
}

double Covariance::log_correlation(size_t feature, size_t a, size_t b, double length) const {
  const Feature& of = (*features_)[feature];
  if (a == b) return 0;
  if (!of.ordered) return -1 / length;
  const double distance = std::abs(of.coordinates[a] - of.coordinates[b]) / length;
  if (roughness_ == Roughness::kRough) return -distance;
  const double scaled = std::sqrt(3.0) * distance;
  return std::log1p(scaled) - scaled;
}

void Covariance::set_length(size_t feature, double length) {
  lengths_[feature] = length;
  const size_t count = (*features_)[feature].coordinates.size();
  std::vector<float>& table = tables_[feature];
  table.assign(count * count, 1.0F);
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = 0; b < a; ++b) {
      const double alike = std::exp(log_correlation(feature, a, b, length));
      table[a * count + b] = static_cast<float>(alike);
      table[b * count + a] = static_cast<float>(alike);
    }
  }
}

std::span<const float> Covariance::row(size_t feature, uint8_t code) const {
  const size_t count = (*features_)[feature].coordinates.size();
  return {tables_[feature].data() + code * count, count};
}

double Covariance::operator()(std::span<const uint8_t> a, std::span<const uint8_t> b) const {
  double product = 1;
  double sum = 0;
  for (size_t f = 0; f < lengths_.size(); ++f) {
    const double alike = static_cast<double>(row(f, a[f])[b[f]]);
    product *= alike;
    if (f < features_->parameters()) sum += alike;
  }
  if (features_->parameters() == 0) return 1;
  return (1 - additive_) * product + additive_ * sum / static_cast<double>(features_->parameters());
}

}  // namespace tilewright
