#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/space/legal_set.h"
#include "core/space/space.h"

namespace tilewright {

/// Which configs count as neighbours of another: those that differ from it in one parameter.
enum class Neighbourhood {
  kAdjacent,  ///< by the next smaller or larger value of an ordered parameter, any of another
  kAny,       ///< by any value
};

/// The legal configs of a space, numbered: rank 0 to size() - 1, in the order of
/// Space::enumerate(). What a search works on: a config is its rank, or the places of its values in
/// the lists of the parameters. A random rank is a uniform sample. Neither the product nor the
/// legal configs are ever held: spaces of 10^15 legal configs are as small as their constraints.
class SpaceIndex {
 public:
  /// Error (usage) for a space of more than 2^62 legal configs, and for constraints that take more
  /// than kMaxDiagramBytes or kMaxDiagramSteps (core/space/diagram.h).
  explicit SpaceIndex(Space space);

  const Space& space() const { return space_; }
  int64_t size() const { return legal_->size(); }
  size_t dimensions() const { return space_.parameters().size(); }
  /// Memory of the index, without the space itself.
  int64_t bytes() const { return legal_->bytes(); }

  /// Writes the places of the values of a config; `out` has dimensions() elements.
  void places(int64_t rank, std::span<int> out) const;
  std::vector<int> places(int64_t rank) const;
  Config config(int64_t rank) const;

  /// Empty when the config is not legal.
  std::optional<int64_t> rank_of(std::span<const int> places) const;
  /// Also empty when it has other parameters than the space, or in another order.
  std::optional<int64_t> rank_of(const Config& config) const;

  /// The legal neighbours of a config, by parameter and then by value.
  std::vector<int64_t> neighbours(int64_t rank, Neighbourhood kind) const;

 private:
  Space space_;
  std::shared_ptr<const LegalSet> legal_;
};

}  // namespace tilewright
