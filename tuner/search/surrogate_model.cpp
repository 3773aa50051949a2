#include "tuner/search/surrogate_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// Observations a process is fitted to and keeps: its time and memory grow with them.
constexpr size_t kMaxFitted = 160;
/// Of these, for the length scales, whose fit is cubic.
constexpr size_t kMaxForKernel = 64;
/// Configs that are predicted with more samples than these: the most promising of the pool.
constexpr size_t kNarrow = 2048;
/// Expected logarithmic time of configs grows by this, in deviations of the process, with their
/// oddness. Small: two observations outweigh it.
constexpr double kOddTrend = 0.1;
/// An improvement that a search without an estimate aims at.
constexpr double kWorthwhile = 0.03;
/// Of logarithms above the median, what is left of their distance to it.
constexpr double kCompression = 0.3;

/// Evenly spaced `count` of the indices.
std::vector<size_t> thinned(const std::vector<size_t>& from, size_t count) {
  if (from.size() <= count) return from;
  std::vector<size_t> kept;
  for (size_t i = 0; i < count; ++i) kept.push_back(from[i * from.size() / count]);
  return kept;
}

double log_time(const Observation& observation) {
  return std::log(std::max(observation.time_us, 1e-9));
}

}  // namespace

size_t fitting_point(size_t count) {
  size_t point = 2;
  if (count < point) return 0;
  for (;;) {
    const size_t next = point + std::clamp<size_t>(point / 5, 1, 64);
    if (next > count) return point;
    point = next;
  }
}

SurrogateModel::SurrogateModel(const SearchContext& context, const History& history,
                               Roughness roughness)
    : context_(context),
      history_(&history),
      roughness_(roughness),
      features_(context.space->space()),
      feasibility_(features_, *context.space, context.elsewhere) {}

double SurrogateModel::estimate(int64_t rank) const {
  if (!context_.estimate) return 0;
  return std::log(std::max(context_.estimate(rank), 1e-9));
}

double SurrogateModel::offset(int64_t rank) const {
  return estimate_slope_ == 0 ? 0 : estimate_slope_ * (estimate(rank) - estimate_center_);
}

/// The best two thirds of the room are for the best, as they matter most; the rest is for the
/// others, evenly by when they were told.
std::vector<size_t> SurrogateModel::chosen(size_t count) const {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  if (count <= kMaxFitted) return order;
  const std::span<const Observation> told = history_->told();
  const auto better = [&](size_t a, size_t b) {
    const bool works_a = told[a].status == AttemptStatus::kOk;
    const bool works_b = told[b].status == AttemptStatus::kOk;
    if (works_a != works_b) return works_a;
    if (works_a && told[a].time_us != told[b].time_us) return told[a].time_us < told[b].time_us;
    return a < b;
  };
  constexpr size_t kBest = kMaxFitted * 2 / 3;
  std::ranges::nth_element(order, order.begin() + kBest, better);
  std::vector<size_t> rest(order.begin() + kBest, order.end());
  std::ranges::sort(rest);
  order.resize(kBest);
  for (const size_t i : thinned(rest, kMaxFitted - kBest)) order.push_back(i);
  std::ranges::sort(order);
  return order;
}

SurrogateModel::Row SurrogateModel::row_of(const Observation& observation) const {
  if (observation.status != AttemptStatus::kOk) return {observation.rank, false, worst_};
  return {observation.rank, true, compressed(log_time(observation))};
}

double SurrogateModel::compressed(double log_time) const {
  // An estimate accounts for much of what is slow, and its slope is one of logarithms as they are.
  if (context_.estimate || log_time <= compression_start_) return log_time;
  return compression_start_ + kCompression * (log_time - compression_start_);
}

void SurrogateModel::fit_compression(const std::vector<size_t>& chosen) {
  const std::span<const Observation> told = history_->told();
  std::vector<double> times;
  for (const size_t i : chosen) {
    if (told[i].status == AttemptStatus::kOk) times.push_back(log_time(told[i]));
  }
  if (times.empty()) {
    // All that worked came after the results that are fitted.
    const auto first = std::ranges::find(told, AttemptStatus::kOk, &Observation::status);
    TW_CHECK(first != told.end(), "a fit needs a config that works");
    times.push_back(log_time(*first));
  }
  std::ranges::sort(times);
  compression_start_ = times[(times.size() - 1) / 2];
  worst_ = compressed(times.back());
}

ProcessSample SurrogateModel::sample(const Row& row) const {
  ProcessSample sample;
  sample.codes.resize(features_.size());
  const std::vector<int> places = context_.space->places(row.rank);
  features_.codes(places, sample.codes);
  sample.trend = kOddTrend * features_.oddness(places);
  sample.value = row.value - offset(row.rank);
  return sample;
}

void SurrogateModel::fit_offset(const std::vector<size_t>& chosen) {
  if (!context_.estimate) return;
  // Least squares with a prior for a slope of one, as strong as four observations of unit variance.
  constexpr double kPrior = 4;
  double count = 0;
  double x_mean = 0;
  double y_mean = 0;
  const std::span<const Observation> told = history_->told();
  for (const size_t i : chosen) {
    if (told[i].status != AttemptStatus::kOk) continue;
    ++count;
    x_mean += estimate(told[i].rank);
    y_mean += log_time(told[i]);
  }
  x_mean /= std::max(count, 1.0);
  y_mean /= std::max(count, 1.0);
  double xx = kPrior;
  double xy = kPrior;
  for (const size_t i : chosen) {
    if (told[i].status != AttemptStatus::kOk) continue;
    const double x = estimate(told[i].rank) - x_mean;
    xx += x * x;
    xy += x * (log_time(told[i]) - y_mean);
  }
  estimate_slope_ = std::clamp(xy / xx, 0.0, 1.5);
  estimate_center_ = x_mean;
}

void SurrogateModel::make_base(size_t count) {
  if (base_ && context_.space->size() <= CandidatePool::kWhole) return;
  // Around the best few, everything that differs in one parameter; and the rest of the draw is
  // renewed, as what was drawn and looked bad need not be looked at again.
  constexpr size_t kCenters = 4;
  const std::span<const Observation> told = history_->told();
  std::vector<Observation> best;
  for (size_t i = 0; i < count; ++i) {
    if (told[i].status == AttemptStatus::kOk) best.push_back(told[i]);
  }
  const size_t centers = std::min(kCenters, best.size());
  std::ranges::partial_sort(best, best.begin() + static_cast<std::ptrdiff_t>(centers),
                            [](const Observation& a, const Observation& b) {
                              return a.time_us != b.time_us ? a.time_us < b.time_us
                                                            : a.rank < b.rank;
                            });
  std::vector<int64_t> extra;
  for (size_t i = 0; i < centers; ++i) {
    const std::vector<int64_t> near = context_.space->neighbours(best[i].rank, Neighbourhood::kAny);
    extra.insert(extra.end(), near.begin(), near.end());
  }
  base_.emplace(*context_.space, features_, mix_bits(context_.seed, count), extra);
}

std::vector<ProcessSample> SurrogateModel::kernel_samples() const {
  std::vector<size_t> order(rows_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return rows_[i].value; });
  const size_t best = std::min(order.size(), kMaxForKernel * 2 / 3);
  const std::vector<size_t> rest(order.begin() + static_cast<std::ptrdiff_t>(best), order.end());
  order.resize(best);
  for (const size_t i : thinned(rest, kMaxForKernel - best)) order.push_back(i);
  std::vector<ProcessSample> samples;
  for (const size_t i : order) samples.push_back(sample(rows_[i]));
  return samples;
}

void SurrogateModel::start_process(const Covariance& kernel, ProcessScale scale) {
  std::vector<float> trend(pool_->oddness().begin(), pool_->oddness().end());
  for (float& value : trend) value *= static_cast<float>(kOddTrend);
  offsets_.clear();
  if (context_.estimate) {
    for (size_t i = 0; i < pool_->size(); ++i) offsets_.push_back(offset(pool_->rank(i)));
  }
  process_.emplace(*pool_, kernel, scale, std::move(trend));
}

/// Keeps the part of the pool that a process of few samples finds promising, as the cost of a
/// sample is that of the pool times the samples.
void SurrogateModel::narrow(const Covariance& kernel, ProcessScale scale,
                            const std::vector<ProcessSample>& samples) {
  pool_.emplace(*base_);
  if (rows_.size() <= kMaxForKernel || base_->size() <= kNarrow + kNarrow / 2) return;
  start_process(kernel, scale);
  for (const ProcessSample& each : samples) process_->add(each);
  std::vector<double> bound(base_->size());
  for (size_t i = 0; i < bound.size(); ++i) bound[i] = mean(i) - 2 * deviation(i);
  std::vector<size_t> slots(base_->size());
  std::iota(slots.begin(), slots.end(), size_t{0});
  const auto better = [&](size_t a, size_t b) {
    return bound[a] != bound[b] ? bound[a] < bound[b] : a < b;
  };
  std::ranges::nth_element(slots, slots.begin() + kNarrow, better);
  slots.resize(kNarrow);
  std::ranges::sort(slots);
  pool_.emplace(*base_, features_, slots);
}

void SurrogateModel::refit(size_t count) {
  fitted_ = count;
  make_base(count);
  const std::vector<size_t> fitted = chosen(count);
  const std::span<const Observation> told = history_->told();
  fit_compression(fitted);
  fit_offset(fitted);
  rows_.clear();
  for (const size_t i : fitted) rows_.push_back(row_of(told[i]));
  chosen_count_ = rows_.size();
  told_count_ = count;

  const std::vector<ProcessSample> samples = kernel_samples();
  const Covariance kernel = fitted_kernel(features_, roughness_, samples);
  const ProcessScale scale = process_scale(kernel, samples);
  narrow(kernel, scale, samples);
  start_process(kernel, scale);
  for (const Row& row : rows_) process_->add(sample(row));

  feasibility_.fit(*context_.space, told.first(count));
  works_.assign(pool_->size(), 1.0F);
  if (!feasibility_.has_failures()) return;
  std::vector<uint8_t> codes(features_.size());
  for (size_t slot = 0; slot < pool_->size(); ++slot) {
    for (size_t f = 0; f < codes.size(); ++f) codes[f] = pool_->codes(f)[slot];
    works_[slot] = static_cast<float>(feasibility_.works(codes));
  }
}

void SurrogateModel::add(const Row& row) {
  rows_.push_back(row);
  process_->add(sample(row));
}

bool SurrogateModel::follow_told() {
  const std::span<const Observation> told = history_->told();
  const size_t since = chosen_count_ + (told_count_ - fitted_);
  std::vector<double> values;
  size_t row = since;
  for (; row < rows_.size() && told_count_ < told.size(); ++row, ++told_count_) {
    if (rows_[row].rank != told[told_count_].rank) return false;
    rows_[row] = row_of(told[told_count_]);
  }
  const std::span<const int64_t> pending = history_->pending();
  if (rows_.size() - row > pending.size()) return false;
  for (size_t i = row; i < rows_.size(); ++i) {
    if (rows_[i].rank != pending[i - row]) return false;
  }
  if (row == since) return true;
  for (size_t i = since; i < rows_.size(); ++i) values.push_back(sample(rows_[i]).value);
  process_->replace_last(values);
  return true;
}

void SurrogateModel::update() {
  const std::span<const Observation> told = history_->told();
  const size_t point = fitting_point(told.size());
  if (!process_ || point != fitted_) refit(point);
  if (!follow_told()) {
    refit(point);
  }
  for (; told_count_ < told.size(); ++told_count_) add(row_of(told[told_count_]));
  // What is pending counts for what is expected of it, so that a batch spreads.
  const size_t pending_rows = rows_.size() - chosen_count_ - (told_count_ - fitted_);
  for (const int64_t rank : history_->pending().subspan(pending_rows)) {
    const std::optional<size_t> slot = pool_->slot_of(rank);
    add({rank, true, slot ? mean(*slot) : worst_});
  }
}

double SurrogateModel::mean(size_t slot) const {
  const double own = process_->from_process(static_cast<double>(process_->mean()[slot]));
  return offsets_.empty() ? own : own + offsets_[slot];
}

double SurrogateModel::deviation(size_t slot) const {
  const auto variance = std::max(1e-10, static_cast<double>(process_->variance()[slot]));
  return std::sqrt(variance) * process_->scale().deviation;
}

std::optional<double> SurrogateModel::optimistic(int64_t rank) const {
  const std::optional<size_t> slot = pool_->slot_of(rank);
  if (!slot) return {};
  return mean(*slot) - 0.5 * deviation(*slot);
}

double SurrogateModel::target() const {
  constexpr double kReach = 1.5;  // deviations below what is expected
  // Around the best, much is expected to be a little better. What may be this much better (of the
  // logarithm) is worth more, wherever it is; with an estimate only the little is left to find.
  const double gain = context_.estimate ? 0 : kWorthwhile;
  double reached = std::numeric_limits<double>::infinity();
  for (size_t slot = 0; slot < pool_->size(); ++slot) {
    if (history_->knows(pool_->rank(slot))) continue;
    reached = std::min(reached, mean(slot) - kReach * deviation(slot));
  }
  return std::max(log_time(*history_->best()) - gain, reached);
}

std::optional<int64_t> SurrogateModel::most_promising() const {
  // Beyond, the improvement is that of a config which is a lost cause, and only the order matters.
  constexpr double kHopeless = -6;
  constexpr double kDensity = 0.3989422804014327;  // 1 / sqrt(2 pi)
  const double aim = target();
  std::optional<int64_t> rank;
  double most = -std::numeric_limits<double>::infinity();
  for (size_t slot = 0; slot < pool_->size(); ++slot) {
    if (history_->knows(pool_->rank(slot))) continue;
    const double spread = deviation(slot);
    const double z = (aim - mean(slot)) / spread;
    double value = z;
    if (z > kHopeless) {
      const double below = 0.5 * std::erfc(-z / std::numbers::sqrt2);
      value = spread * (z * below + kDensity * std::exp(-0.5 * z * z)) *
              static_cast<double>(works_[slot]);
    }
    if (value <= most) continue;
    most = value;
    rank = pool_->rank(slot);
  }
  return rank;
}

}  // namespace tilewright
