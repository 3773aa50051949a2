#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/space/space_index.h"
#include "tuner/search/features.h"

namespace tilewright {

/// The configs that a model predicts: all of a small space, some of a large one, with the codes of
/// their features in columns.
class CandidatePool {
 public:
  /// Spaces up to this size are looked at whole.
  static constexpr int64_t kWhole = 32768;
  /// Configs drawn from a larger one.
  static constexpr int64_t kDrawn = 8192;

  /// Of a larger space: a draw of the seed, and `extra` (twice is no harm).
  CandidatePool(const SpaceIndex& space, const FeatureSet& features, uint64_t seed,
                std::span<const int64_t> extra);

  /// Some slots of another, ascending.
  CandidatePool(const CandidatePool& from, const FeatureSet& features,
                std::span<const size_t> slots);

  size_t size() const { return ranks_.size(); }
  int64_t rank(size_t slot) const { return ranks_[slot]; }
  /// Empty when the config is not in the pool.
  std::optional<size_t> slot_of(int64_t rank) const;
  /// Codes of one feature, by slot.
  std::span<const uint8_t> codes(size_t feature) const {
    return {codes_.data() + feature * size(), size()};
  }
  std::span<const float> oddness() const { return oddness_; }
  /// By slot: the first feature of a parameter in which it differs from the slot before; 0 for the
  /// first slot. Slots are sorted, so most share all but their last parameters.
  std::span<const uint16_t> first_change() const { return first_change_; }

 private:
  void find_changes(const FeatureSet& features);

  std::vector<int64_t> ranks_;  ///< ascending
  std::vector<uint8_t> codes_;  ///< [feature][slot]
  std::vector<float> oddness_;
  std::vector<uint16_t> first_change_;
};

}  // namespace tilewright
