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

double correlation(const Feature& feature, Roughness roughness, size_t a, size_t b, double length) {
  if (a == b) return 1;
  if (!feature.ordered) return std::exp(-1 / length);
  const double distance = std::abs(feature.coordinates[a] - feature.coordinates[b]) / length;
  if (roughness == Roughness::kRough) return std::exp(-distance);
  const double scaled = std::sqrt(3.0) * distance;
  return (1 + scaled) * std::exp(-scaled);
}

std::vector<float> correlation_table(const Feature& feature, Roughness roughness, double length) {
  const size_t count = feature.coordinates.size();
  std::vector<float> table(count * count);
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = 0; b < count; ++b) {
      table[a * count + b] = static_cast<float>(correlation(feature, roughness, a, b, length));
    }
  }
  return table;
}

}  // namespace

Kernel::Kernel(const FeatureSet& features, Roughness roughness)
    : features_(&features),
      roughness_(roughness),
      lengths_(features.size()),
      tables_(features.size()) {
  for (size_t f = 0; f < features.size(); ++f) {
    set_length(f, default_length(features[f].kind, roughness));
  }
}

void Kernel::set_length(size_t feature, double length) {
  lengths_[feature] = length;
  tables_[feature] = correlation_table((*features_)[feature], roughness_, length);
}

std::span<const float> Kernel::row(size_t feature, uint8_t code) const {
  const size_t count = (*features_)[feature].coordinates.size();
  return {tables_[feature].data() + code * count, count};
}

double Kernel::operator()(std::span<const uint8_t> a, std::span<const uint8_t> b) const {
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
