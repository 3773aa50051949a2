#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/collective/collective_builder.h"

namespace tilewright {

/// Flags for one way of pieces round a ring: step i of a rank sets flag i for the next rank, which
/// waits for it in its step i + 1.
class RingFlags {
 public:
  RingFlags(CollectiveBuilder& builder, int64_t ranks, int64_t count, const std::string& name);

  /// A place whose content has come with step `step` of the rank before.
  RowPlace arrived(RowPlace place, int64_t step) const;
  /// A place on the rank after `rank`, which it fills in its step `step`. No flag is set after the
  /// last one: nobody waits for what comes then.
  RowPlace leaving(RowPlace place, int64_t rank, int64_t step) const;

 private:
  int64_t ranks_;
  std::vector<int> flags_;  // by step
};

/// The steps that every rank of a ring goes through, in order.
class RingSteps {
 public:
  RingSteps(CollectiveBuilder& builder, int64_t ranks)
      : builder_(builder), steps_(static_cast<size_t>(ranks)) {}

  /// One more step of a rank, with tiles of some part.
  void add(int64_t rank, int64_t part, const std::vector<RowPlace>& sources,
           const std::vector<RowPlace>& targets);

  /// Every core goes through all its steps with `depth` of its tiles, then with the next ones. It
  /// can be up to three times `depth` sets ahead of the core that waits for them.
  void run(int64_t depth);

 private:
  struct Step {
    int template_id = -1;
    int64_t part = 0;
  };

  CollectiveBuilder& builder_;
  std::vector<std::vector<Step>> steps_;  // by rank
};

}  // namespace tilewright
