#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/random.h"
#include "core/space/space_index.h"
#include "tuner/search/rank_permutation.h"
#include "tuner/search/strategy.h"

namespace tilewright {

/// What a strategy was told, in order, and what it has proposed since: the state every search here
/// is a function of.
class History {
 public:
  History(const SpaceIndex* space, uint64_t seed);

  const SpaceIndex& space() const { return *space_; }
  std::span<const Observation> told() const { return told_; }
  /// Proposals without a result, in the order proposed.
  std::span<const int64_t> pending() const { return pending_; }
  /// Told or pending.
  bool knows(int64_t rank) const { return known_[static_cast<size_t>(rank)]; }
  bool exhausted() const { return known_count_ == space_->size(); }
  /// The best of what was told; null before the first config that worked.
  const Observation* best() const;

  void propose(int64_t rank);
  void tell(const Observation& observation);

  /// The generator for the next proposal: depends on the seed and on how many were told or proposed
  /// so far, and so does not depend on how the proposals were divided into batches.
  Random random() const { return Random(mix_bits(seed_, told_.size() + pending_.size())); }

  /// A config that is not known, each equally likely (nearly, once most are known). There must be
  /// one.
  int64_t unknown_rank(Random& random) const;

 private:
  void mark(int64_t rank);

  const SpaceIndex* space_;
  uint64_t seed_;
  RankPermutation order_;
  mutable int64_t known_prefix_ = 0;  ///< of order_: all known
  std::vector<Observation> told_;
  std::vector<int64_t> pending_;
  std::vector<bool> known_;  ///< by rank: a bit for each config, 12.5 MB for 10^8
  int64_t known_count_ = 0;
  std::optional<size_t> best_;
};

/// A strategy that chooses one config after the other.
class OneByOneStrategy : public Strategy {
 public:
  OneByOneStrategy(const SearchContext& context);

  std::vector<Proposal> ask(size_t at_most) final;
  void tell(const Observation& observation, std::string_view proposer) final;

 protected:
  const History& history() const { return history_; }

  /// A config that the history does not know; there is one.
  virtual Proposal next() = 0;
  /// Called after the history has it.
  virtual void learn(const Observation& observation, std::string_view proposer) = 0;

 private:
  History history_;
};

}  // namespace tilewright
