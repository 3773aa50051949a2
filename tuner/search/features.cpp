#include "tuner/search/features.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tilewright {

namespace {

/// Codes of one feature: tables of the kernel are this wide at most.
constexpr size_t kMaxCodes = 64;

double log2_of(int64_t value) {
  return std::log2(static_cast<double>(value));
}

double log2_of_odd_part(int64_t value) {
  while (value % 2 == 0) value /= 2;
  return log2_of(value);
}

/// Whether magnitudes of the parameter's values mean something and can be multiplied.
bool is_magnitude(const Parameter& parameter) {
  return parameter.ordered && parameter.labels.empty() && parameter.values.size() > 2 &&
         parameter.values.front() > 0;
}

/// Half way between the place of a value in the list and its logarithm, as the author of a space
/// lists 16, 32, 48, ... or 1, 2, 4, ... with either in mind.
std::vector<double> magnitudes(const Parameter& parameter) {
  std::vector<double> magnitude;
  const auto last = static_cast<double>(parameter.values.size() - 1);
  const bool logarithmic =
      is_magnitude(parameter) && parameter.values.back() >= 3 * parameter.values.front();
  for (size_t i = 0; i < parameter.values.size(); ++i) {
    const double linear = static_cast<double>(i) / last;
    const double low = logarithmic ? log2_of(parameter.values.front()) : 0;
    const double high = logarithmic ? log2_of(parameter.values.back()) : 1;
    const double scaled =
        logarithmic ? (log2_of(parameter.values[i]) - low) / (high - low) : linear;
    magnitude.push_back((linear + scaled) / 2);
  }
  return magnitude;
}

}  // namespace

FeatureSet::FeatureSet(const Space& space) : oddness_of_(space.parameters().size()) {
  std::vector<size_t> magnitude;
  for (size_t p = 0; p < space.parameters().size(); ++p) {
    const Parameter& parameter = space.parameters()[p];
    if (parameter.values.size() < 2) continue;
    add_parameter(space, p);
    if (is_magnitude(parameter)) magnitude.push_back(p);
  }
  parameters_ = features_.size();
  for (const size_t p : magnitude) add_odd_part(space, p);
  for (size_t i = 0; i < magnitude.size(); ++i) {
    for (size_t j = i + 1; j < magnitude.size(); ++j)
      add_product(space, magnitude[i], magnitude[j]);
  }
  decided_.resize(parameters_);
  for (size_t f = 0; f < features_.size(); ++f) {
    const auto owner = std::ranges::find(
        features_, std::max(features_[f].first, features_[f].second), &Feature::first);
    decided_[static_cast<size_t>(owner - features_.begin())].push_back(f);
  }
}

void FeatureSet::add_parameter(const Space& space, size_t parameter) {
  const Parameter& of = space.parameters()[parameter];
  // Of two values neither is between others: on and off are names, whatever they are called.
  const bool ordered = of.ordered && of.values.size() > 2;
  std::vector<double> value_of = magnitudes(of);
  add({Feature::Kind::kParameter, parameter, parameter, 1, ordered, {}, {}}, value_of);
}

void FeatureSet::add_odd_part(const Space& space, size_t parameter) {
  std::vector<double> value_of;
  std::vector<double> capped;
  for (const int64_t value : space.parameters()[parameter].values) {
    value_of.push_back(log2_of_odd_part(value));
    capped.push_back(std::min(2.0, value_of.back()));
  }
  if (std::ranges::max(capped) == 0) return;
  oddness_of_[parameter] = std::move(capped);
  add({Feature::Kind::kOddPart, parameter, parameter, 1, true, {}, {}}, value_of);
}

void FeatureSet::add_product(const Space& space, size_t first, size_t second) {
  std::vector<double> value_of;
  for (const int64_t a : space.parameters()[first].values) {
    for (const int64_t b : space.parameters()[second].values) {
      value_of.push_back(log2_of(a) + log2_of(b));
    }
  }
  add({Feature::Kind::kProduct,
       first,
       second,
       space.parameters()[second].values.size(),
       true,
       {},
       {}},
      value_of);
}

void FeatureSet::add(Feature feature, const std::vector<double>& value_of) {
  constexpr double kSame = 1e-9;  // sums of logarithms that differ by rounding
  std::vector<double> values = value_of;
  std::ranges::sort(values);
  const auto same = [](double a, double b) { return b - a < kSame; };
  values.erase(std::unique(values.begin(), values.end(), same), values.end());
  if (values.size() < 2) return;
  const double low = values.front();
  const double range = values.back() - low;
  const bool binned = values.size() > kMaxCodes;
  const auto bin_of = [&](double value) {
    return std::round((value - low) / range * (kMaxCodes - 1));
  };
  if (binned) {
    for (size_t i = 0; i < kMaxCodes; ++i) {
      feature.coordinates.push_back(static_cast<double>(i) / (kMaxCodes - 1));
    }
  } else {
    for (const double value : values) feature.coordinates.push_back((value - low) / range);
  }
  for (const double value : value_of) {
    const auto place = std::ranges::lower_bound(values, value - kSame);
    feature.code_of.push_back(
        static_cast<uint8_t>(binned ? bin_of(value) : static_cast<double>(place - values.begin())));
  }
  features_.push_back(std::move(feature));
}

void FeatureSet::codes(std::span<const int> places, std::span<uint8_t> out) const {
  for (size_t i = 0; i < features_.size(); ++i) {
    const Feature& feature = features_[i];
    auto at = static_cast<size_t>(places[feature.first]);
    if (feature.kind == Feature::Kind::kProduct) {
      at = at * feature.second_count + static_cast<size_t>(places[feature.second]);
    }
    out[i] = feature.code_of[at];
  }
}

double FeatureSet::oddness(std::span<const int> places) const {
  double sum = 0;
  for (size_t p = 0; p < oddness_of_.size(); ++p) {
    if (!oddness_of_[p].empty()) sum += oddness_of_[p][static_cast<size_t>(places[p])];
  }
  return sum;
}

}  // namespace tilewright
