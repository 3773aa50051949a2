#include "core/space/space_index.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

SpaceIndex::SpaceIndex(Space space) : space_(std::move(space)), legal_(space_.legal()) {
  if (legal_->size() == LegalSet::kTooMany) {
    throw Error(ErrorKind::kUsage,
                "the space has more than 2^62 legal configs, which cannot be numbered; give its "
                "parameters fewer values");
  }
}

void SpaceIndex::places(int64_t rank, std::span<int> out) const {
  TW_CHECK(rank >= 0 && rank < size(), "a rank is below the size of its space");
  legal_->places(rank, out);
}

std::vector<int> SpaceIndex::places(int64_t rank) const {
  std::vector<int> at(dimensions());
  places(rank, at);
  return at;
}

Config SpaceIndex::config(int64_t rank) const {
  const std::vector<int> at = places(rank);
  Config config;
  for (size_t d = 0; d < dimensions(); ++d) {
    const Parameter& parameter = space_.parameters()[d];
    config.values.emplace_back(parameter.name, parameter.values[static_cast<size_t>(at[d])]);
  }
  return config;
}

std::optional<int64_t> SpaceIndex::rank_of(std::span<const int> places) const {
  TW_CHECK(places.size() == dimensions(), "a config has a place for each parameter");
  return legal_->rank_of(places);
}

std::optional<int64_t> SpaceIndex::rank_of(const Config& config) const {
  if (config.values.size() != dimensions()) return {};
  std::vector<int> at;
  for (size_t d = 0; d < dimensions(); ++d) {
    const Parameter& parameter = space_.parameters()[d];
    const auto& [name, value] = config.values[d];
    const auto place = std::ranges::lower_bound(parameter.values, value);
    if (name != parameter.name || place == parameter.values.end() || *place != value) return {};
    at.push_back(static_cast<int>(place - parameter.values.begin()));
  }
  return rank_of(at);
}

std::vector<int64_t> SpaceIndex::neighbours(int64_t rank, Neighbourhood kind) const {
  std::vector<int> at = places(rank);
  std::vector<int64_t> found;
  for (size_t d = 0; d < dimensions(); ++d) {
    const Parameter& parameter = space_.parameters()[d];
    const int own = at[d];
    const bool steps = kind == Neighbourhood::kAdjacent && parameter.ordered;
    for (int place = 0; place < std::ssize(parameter.values); ++place) {
      if (place == own || (steps && place != own - 1 && place != own + 1)) continue;
      at[d] = place;
      if (const auto legal = rank_of(at)) found.push_back(*legal);
    }
    at[d] = own;
  }
  return found;
}

}  // namespace tilewright
