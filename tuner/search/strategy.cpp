#include "tuner/search/strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Walks a list of configs from front to back, past those that were told meanwhile.
class ListStrategy : public Strategy {
 public:
  ListStrategy(std::vector<int64_t> ranks, std::string_view name)
      : ranks_(std::move(ranks)), name_(name), known_(ranks_.size()) {}

  std::vector<Proposal> ask(size_t at_most) override {
    std::vector<Proposal> batch;
    for (; batch.size() < at_most && next_ < ranks_.size(); ++next_) {
      if (!known_[static_cast<size_t>(ranks_[next_])]) batch.push_back({ranks_[next_], name_});
    }
    return batch;
  }
  void tell(const Observation& observation, std::string_view) override {
    known_[static_cast<size_t>(observation.rank)] = true;
  }

 private:
  std::vector<int64_t> ranks_;
  std::string_view name_;
  std::vector<bool> known_;
  size_t next_ = 0;
};

std::vector<int64_t> all_ranks(const SpaceIndex& space) {
  std::vector<int64_t> ranks(static_cast<size_t>(space.size()));
  std::iota(ranks.begin(), ranks.end(), int64_t{0});
  return ranks;
}

/// Fisher-Yates.
std::vector<int64_t> shuffled(std::vector<int64_t> ranks, uint64_t seed) {
  Random random(seed);
  for (size_t i = ranks.size(); i > 1; --i) std::swap(ranks[i - 1], ranks[random.below(i)]);
  return ranks;
}

}  // namespace

std::vector<std::string> strategy_names() {
  return {"exhaustive", "random"};
}

void check_strategy(std::string_view name) {
  const std::vector<std::string> known = strategy_names();
  if (std::ranges::find(known, name) != known.end()) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("there is no strategy '{}'{} (strategies: {})", printable(name),
                          did_you_mean(name, known), join(known, ", ")));
}

std::unique_ptr<Strategy> make_strategy(std::string_view name, SearchContext context) {
  check_strategy(name);
  std::vector<int64_t> ranks = all_ranks(*context.space);
  if (name == "exhaustive") {
    return std::make_unique<ListStrategy>(std::move(ranks), "exhaustive");
  }
  return std::make_unique<ListStrategy>(shuffled(std::move(ranks), context.seed), "random");
}

}  // namespace tilewright
