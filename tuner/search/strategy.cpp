#include "tuner/search/strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tuner/search/annealing.h"
#include "tuner/search/bayesian.h"
#include "tuner/search/forest_search.h"
#include "tuner/search/genetic.h"
#include "tuner/search/plain_strategies.h"
#include "tuner/search/portfolio.h"

namespace tilewright {

namespace {

template <typename T>
std::unique_ptr<Strategy> make(const SearchContext& context) {
  return std::make_unique<T>(context);
}

struct Entry {
  std::string_view name;
  std::unique_ptr<Strategy> (*make)(const SearchContext&);
};

constexpr std::array kStrategies = {
    Entry{"annealing", make<Annealing>},   Entry{"bayesian", make<Bayesian>},
    Entry{"exhaustive", make<Exhaustive>}, Entry{"forest", make<ForestSearch>},
    Entry{"genetic", make<Genetic>},       Entry{"portfolio", make<Portfolio>},
    Entry{"random", make<RandomOrder>},
};

}  // namespace

std::vector<std::string> strategy_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kStrategies) names.emplace_back(entry.name);
  return names;
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
  return std::ranges::find(kStrategies, name, &Entry::name)->make(context);
}

}  // namespace tilewright
