#include "tuner/session/transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// Failures of a kernel that a search hears of.
constexpr int64_t kMostFailures = 2000;

/// Texts in a database may come from anywhere, or from another version.
std::optional<Problem> parsed(const std::string& text) {
  try {
    return parse_problem(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

int64_t most_hints(int64_t budget) {
  if (budget == 0) return kMostHints;
  return static_cast<int64_t>(static_cast<double>(budget) * kHintShare);
}

}  // namespace

ProblemDistance distance(const Problem& a, const Problem& b) {
  ProblemDistance distance;
  distance.differs = std::tie(a.kernel, a.types, a.layouts, a.epilogue, a.mask) !=
                         std::tie(b.kernel, b.types, b.layouts, b.epilogue, b.mask) ||
                     a.sizes.size() != b.sizes.size();
  double squares = 0;
  for (const auto& [name, value] : a.sizes) {
    if (!b.has(name)) {
      distance.differs = true;
      continue;
    }
    // A size may be 0 where it means nothing.
    const double octaves = std::log2(static_cast<double>(value) + 1) -
                           std::log2(static_cast<double>(b.size(name)) + 1);
    squares += octaves * octaves;
  }
  distance.octaves = std::sqrt(squares);
  return distance;
}

Transfer::Transfer(Store& store, std::span<const TuneProblem> problems,
                   std::vector<std::string> evaluators)
    : store_(store), evaluators_(std::move(evaluators)) {
  for (const TuneProblem& each : problems) own_.push_back(each.problem.text());
  std::ranges::sort(own_);
}

bool Transfer::is_own(const std::string& problem) const {
  return std::ranges::binary_search(own_, problem);
}

bool Transfer::is_own(const MeasurementKey& key, const Series& series) const {
  return key.kernel_revision == series.kernel_revision &&
         key.machine_fingerprint == series.machine_fingerprint && is_own(key.problem) &&
         std::ranges::find(evaluators_, key.evaluator) != evaluators_.end();
}

const std::vector<Transfer::Hint>& Transfer::earlier(const Series& series) {
  const auto [known, is_new] =
      earlier_.try_emplace(fmt::format("{}/{}", series.kernel, series.kernel_revision));
  std::vector<Hint>& hints = known->second;
  if (!is_new) return hints;
  for (const EarlierConfig& earlier : store_.earlier_configs(series, kHintsPerProblem)) {
    if (is_own(earlier.key, series)) continue;
    const auto problem = parsed(earlier.key.problem);
    if (!problem) continue;
    hints.push_back({*problem, earlier.key.config, earlier.is_current, false, earlier.place});
  }
  return hints;
}

void Transfer::add(const Problem& problem, std::string config) {
  found_.push_back({problem, std::move(config), true, true, 0});
}

std::vector<Candidate> Transfer::hints(const Problem& problem, const Series& series,
                                       const SpaceIndex& space, int64_t budget) {
  struct Ranked {
    ProblemDistance distance;
    const Hint* hint;
  };
  std::vector<Ranked> ranked;
  const std::vector<Hint>* const sources[] = {&found_, &earlier(series)};
  for (const std::vector<Hint>* hints : sources) {
    for (const Hint& hint : *hints) {
      if (hint.problem.kernel != problem.kernel) continue;
      ranked.push_back({distance(problem, hint.problem), &hint});
    }
  }
  std::ranges::stable_sort(ranked, [](const Ranked& a, const Ranked& b) {
    return std::tuple(a.distance, !a.hint->is_current, a.hint->place) <
           std::tuple(b.distance, !b.hint->is_current, b.hint->place);
  });
  std::vector<Candidate> chosen;
  std::vector<int64_t> ranks;
  for (const Ranked& each : ranked) {
    if (std::ssize(chosen) >= most_hints(budget)) break;
    const auto config = space.space().try_parse(each.hint->config);
    const auto rank = config ? space.rank_of(*config) : std::nullopt;
    if (!rank || std::ranges::find(ranks, *rank) != ranks.end()) continue;
    ranks.push_back(*rank);
    chosen.push_back({*config, each.hint->is_own ? "neighbour" : "earlier"});
  }
  return chosen;
}

std::vector<std::pair<Config, AttemptStatus>> Transfer::failures(const Series& series,
                                                                 const Space& space) {
  std::vector<std::pair<Config, AttemptStatus>> failures;
  for (const EarlierFailure& failure : store_.failures(series.kernel, kMostFailures)) {
    if (is_own(failure.key, series)) continue;
    if (const auto config = space.try_parse(failure.key.config)) {
      failures.emplace_back(*config, failure.status);
    }
  }
  return failures;
}

}  // namespace tilewright
