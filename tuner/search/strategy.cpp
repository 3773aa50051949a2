#include "tuner/search/strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Walks a list of configs from front to back.
class ListStrategy : public Strategy {
 public:
  explicit ListStrategy(std::vector<Config> configs) : configs_(std::move(configs)) {}

  std::vector<Config> ask(size_t at_most) override {
    const size_t count = std::min(at_most, configs_.size() - next_);
    std::vector<Config> batch;
    for (size_t i = 0; i < count; ++i) batch.push_back(configs_[next_++]);
    return batch;
  }
  void tell(const Config&, const Measurement&) override {}
  int64_t size() const override { return static_cast<int64_t>(configs_.size()); }

 private:
  std::vector<Config> configs_;
  size_t next_ = 0;
};

/// Fisher-Yates.
std::vector<Config> shuffled(std::vector<Config> configs, uint64_t seed) {
  Random random(seed);
  for (size_t i = configs.size(); i > 1; --i) {
    std::swap(configs[i - 1], configs[random.below(i)]);
  }
  return configs;
}

}  // namespace

std::vector<std::string> strategy_names() {
  return {"exhaustive", "random"};
}

std::unique_ptr<Strategy> make_strategy(std::string_view name, const Space& space, uint64_t seed) {
  if (name == "exhaustive") return std::make_unique<ListStrategy>(space.enumerate());
  if (name == "random") return std::make_unique<ListStrategy>(shuffled(space.enumerate(), seed));
  const std::vector<std::string> known = strategy_names();
  throw Error(ErrorKind::kUsage,
              fmt::format("there is no strategy '{}'{} (strategies: {})", printable(name),
                          did_you_mean(name, known), join(known, ", ")));
}

}  // namespace tilewright
