#pragma once

#include <vector>

#include "tuner/search/features.h"
#include "tuner/search/history.h"

namespace tilewright {

/// The first configs of a search with a model: far from each other and from what is known. Without
/// an estimate, drawn with a preference for powers of two (a config of sizes that divide nothing
/// says little about those that do); with one, among those it ranks best. Where several configs
/// with the same values of two parameters failed and none worked, others go first.
class Opening {
 public:
  /// Features and history outlive it.
  Opening(const SearchContext& context, const FeatureSet& features, const History& history);

  /// Whether enough is known, or asked for, to fit a model.
  bool over();
  /// Of the configs that the history does not know; there is one.
  int64_t next(Random& random);

 private:
  std::vector<uint8_t> codes(int64_t rank) const;
  double distance(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) const;
  int64_t drawn(Random& random) const;
  /// Pairs of values of a config that failed more than once, of the newest told, and never worked.
  int lost_pairs(const std::vector<uint8_t>& own, const std::vector<std::vector<uint8_t>>& failed,
                 const std::vector<std::vector<uint8_t>>& worked) const;
  void rank_by_estimate();

  SearchContext context_;
  const FeatureSet* features_;
  const History* history_;
  std::vector<int64_t> estimated_;  ///< the best by estimate, ascending
  bool ranked_ = false;
  size_t counted_ = 0;  ///< of the history
  int64_t worked_ = 0;  ///< of these
};

}  // namespace tilewright
