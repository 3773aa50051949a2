#include "kernels/collective/ring.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/collective/collective.h"

namespace tilewright {

RingFlags::RingFlags(CollectiveBuilder& builder, int64_t ranks, int64_t count,
                     const std::string& name)
    : ranks_(ranks) {
  for (int64_t step = 0; step < count; ++step) {
    flags_.push_back(builder.add_peer_flag(fmt::format("{}{}", name, step)));
  }
}

RowPlace RingFlags::arrived(RowPlace place, int64_t step) const {
  place.flag = flags_[static_cast<size_t>(step)];
  return place;
}

RowPlace RingFlags::leaving(RowPlace place, int64_t rank, int64_t step) const {
  if (step >= std::ssize(flags_)) return place;
  place.flag = flags_[static_cast<size_t>(step)];
  place.chip = static_cast<int>(around(rank, 1, ranks_));
  return place;
}

void RingSteps::add(int64_t rank, int64_t part, const std::vector<RowPlace>& sources,
                    const std::vector<RowPlace>& targets) {
  std::vector<Step>& steps = steps_[static_cast<size_t>(rank)];
  const auto name = fmt::format("step{}.{}", rank, steps.size());
  steps.push_back({builder_.add_template(name, sources, targets), part});
}

void RingSteps::run(int64_t depth) {
  for (size_t rank = 0; rank < steps_.size(); ++rank) {
    for (int64_t core = 0; core < builder_.shares().cores; ++core) {
      const int64_t end = builder_.last_tile(core);
      for (int64_t first = builder_.first_tile(core); first < end; first += depth) {
        for (const Step& step : steps_[rank]) {
          for (int64_t tile = first; tile < std::min(end, first + depth); ++tile) {
            builder_.run(rank, core, step.template_id, step.part, tile);
          }
        }
      }
    }
  }
}

}  // namespace tilewright
