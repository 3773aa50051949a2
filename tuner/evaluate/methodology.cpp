#include "tuner/evaluate/methodology.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "core/base/error.h"
#include "core/base/statistics.h"

namespace tilewright {

namespace {

constexpr double kFirstFraction = 0.5;
constexpr double kLastFraction = 0.95;
constexpr int kTimePoints = 1000;

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  return percentile(values, 50);
}

/// Best of a run after so many evaluations.
double best_after(const Trajectory& run, int64_t evaluations) {
  TW_CHECK(!run.best_us.empty() && evaluations >= 1, "a run has evaluations");
  return run.best_us[static_cast<size_t>(std::min(evaluations, std::ssize(run.best_us)) - 1)];
}

/// Mean of the standardised curves at the points of the sum; points without distance between
/// random search and optimum say nothing.
class MeanGain {
 public:
  explicit MeanGain(double optimum) : optimum_(optimum) {}
  void add(double random, double found) {
    if (random <= optimum_) return;
    sum_ += (random - found) / (random - optimum_);
    ++count_;
  }
  std::optional<double> mean() const {
    return count_ == 0 ? std::nullopt : std::optional(sum_ / static_cast<double>(count_));
  }

 private:
  double optimum_;
  double sum_ = 0;
  int64_t count_ = 0;
};

int64_t last_evaluation(const RandomBaseline& baseline, int64_t most) {
  return std::min(most, baseline.evaluations_for(kLastFraction));
}

/// Place over time of all runs together.
class Curve {
 public:
  Curve(const RandomBaseline& baseline, std::span<const Trajectory> runs) {
    std::vector<std::pair<double, double>> points;
    std::vector<double> ends;
    for (const Trajectory& run : runs) {
      for (size_t i = 0; i < run.best_us.size(); ++i) {
        points.emplace_back(run.cost_us[i], baseline.place_of(run.best_us[i]));
      }
      ends.push_back(run.cost_us.back());
    }
    std::ranges::sort(points);
    std::vector<double> places;
    for (const auto& [time, place] : points) {
      times_.push_back(time);
      places.push_back(place);
    }
    places_ = isotonic(places);
    end_ = median_of(ends);
  }

  double at(double time) const {
    const auto next = std::ranges::upper_bound(times_, std::min(time, end_));
    const auto index = next - times_.begin();
    return places_[static_cast<size_t>(std::max<std::ptrdiff_t>(index - 1, 0))];
  }

 private:
  std::vector<double> times_;
  std::vector<double> places_;
  double end_ = 0;
};

}  // namespace

std::optional<SpaceCosts> space_costs(std::span<const double> valid,
                                      std::span<const double> invalid) {
  std::vector<double> all(valid.begin(), valid.end());
  all.insert(all.end(), invalid.begin(), invalid.end());
  SpaceCosts costs;
  costs.invalid_share =
      all.empty() ? 0 : static_cast<double>(invalid.size()) / static_cast<double>(all.size());
  costs.valid_us = mean(valid);
  costs.invalid_us = mean(invalid);
  costs.median_us = median_of(std::move(all));
  if (!(costs.median_us > 0) || !(costs.valid_us > 0)) return std::nullopt;
  return costs;
}

RandomBaseline::RandomBaseline(std::vector<double> times) : times_(std::move(times)) {
  TW_CHECK(!times_.empty(), "a space has a config that works");
  std::ranges::sort(times_, std::greater());
}

double RandomBaseline::median() const {
  return median_of(times_);
}

int64_t RandomBaseline::evaluations_for(double fraction) const {
  const double target = optimum() + (median() - optimum()) * (1 - fraction);
  const auto first =
      std::ranges::partition_point(times_, [&](double time) { return time > target; });
  const int64_t worse = first - times_.begin();
  const int64_t others = size() + 1 - worse;
  return std::max<int64_t>(1, (worse + others - 1) / others);
}

double RandomBaseline::expected_best(int64_t evaluations) const {
  TW_CHECK(evaluations >= 1, "at least one draw");
  const auto draws = static_cast<double>(evaluations);
  const double place = std::nearbyint(draws * static_cast<double>(size() + 1) / (draws + 1));
  return time_at(place);
}

double RandomBaseline::expected_best_after(double us, const SpaceCosts& costs) const {
  const double mean_us = costs.valid_us + costs.invalid_share * costs.invalid_us;
  return expected_best(std::max<int64_t>(1, std::llround(us / mean_us)));
}

double RandomBaseline::place_of(double time_us) const {
  const auto next =
      std::ranges::partition_point(times_, [&](double time) { return time >= time_us; });
  return static_cast<double>(std::max<std::ptrdiff_t>(next - times_.begin() - 1, 0));
}

double RandomBaseline::time_at(double place) const {
  const auto whole = static_cast<int64_t>(std::nearbyint(place));
  return times_[static_cast<size_t>(std::clamp<int64_t>(whole, 0, size() - 1))];
}

double median_ratio(const RandomBaseline& baseline, std::span<const Trajectory> runs,
                    int64_t evaluations) {
  std::vector<double> ratios;
  for (const Trajectory& run : runs) {
    ratios.push_back(baseline.optimum() / best_after(run, evaluations));
  }
  return median_of(std::move(ratios));
}

double share_within(const RandomBaseline& baseline, std::span<const Trajectory> runs,
                    int64_t evaluations, double margin) {
  const auto count = std::ranges::count_if(runs, [&](const Trajectory& run) {
    return best_after(run, evaluations) <= baseline.optimum() * (1 + margin);
  });
  return static_cast<double>(count) / static_cast<double>(runs.size());
}

std::optional<double> evaluation_score(const RandomBaseline& baseline,
                                       std::span<const Trajectory> runs, int64_t most_evaluations) {
  MeanGain gain(baseline.optimum());
  const int64_t last = last_evaluation(baseline, most_evaluations);
  for (int64_t k = baseline.evaluations_for(kFirstFraction); k <= last; ++k) {
    std::vector<double> places;
    for (const Trajectory& run : runs) places.push_back(baseline.place_of(best_after(run, k)));
    gain.add(baseline.expected_best(k), baseline.time_at(median_of(std::move(places))));
  }
  return gain.mean();
}

std::optional<double> time_score(const RandomBaseline& baseline, std::span<const Trajectory> runs,
                                 const SpaceCosts& costs, int64_t most_evaluations) {
  if (std::ranges::any_of(runs, [](const Trajectory& run) { return run.cost_us.empty(); })) {
    return std::nullopt;
  }
  const Curve curve(baseline, runs);
  MeanGain gain(baseline.optimum());
  const auto time_of = [&](int64_t evaluations) {
    return static_cast<double>(evaluations) * costs.median_us;
  };
  const double begin = time_of(baseline.evaluations_for(kFirstFraction));
  const double end = std::max(begin, time_of(last_evaluation(baseline, most_evaluations)));
  for (int i = 0; i < kTimePoints; ++i) {
    const double time = begin + (end - begin) * i / (kTimePoints - 1);
    gain.add(baseline.expected_best_after(time, costs), baseline.time_at(curve.at(time)));
  }
  return gain.mean();
}

std::vector<double> isotonic(std::span<const double> values) {
  // Pool adjacent violators: neighbours that decrease are replaced by their mean.
  struct Pool {
    double sum = 0;
    int64_t count = 0;
    double level() const { return sum / static_cast<double>(count); }
  };
  std::vector<Pool> pools;
  for (const double value : values) {
    pools.push_back({value, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].level() >= pools.back().level()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().sum += last.sum;
      pools.back().count += last.count;
    }
  }
  std::vector<double> fitted;
  for (const Pool& pool : pools) {
    fitted.insert(fitted.end(), static_cast<size_t>(pool.count), pool.level());
  }
  return fitted;
}

}  // namespace tilewright
