#include "core/serving/speculation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/base/random.h"

namespace tilewright {

double SpeculationStats::acceptance_rate() const {
  return draft_tokens == 0
             ? 0.0
             : static_cast<double>(accepted_tokens) / static_cast<double>(draft_tokens);
}

double SpeculationStats::mean_acceptance_length() const {
  return num_drafts == 0
             ? 0.0
             : 1 + static_cast<double>(accepted_tokens) / static_cast<double>(num_drafts);
}

std::vector<int32_t> propose_by_lookup(std::span<const int32_t> context, int64_t min, int64_t max,
                                       int64_t count) {
  const int64_t size = std::ssize(context);
  if (size <= min || count < 1) return {};
  const auto reversed = [&](int64_t i) { return context[static_cast<size_t>(size - 1 - i)]; };
  // border[i]: length, at most max, of the longest beginning of the reversed context that also
  // ends at i. Only the first max entries are looked at again.
  std::vector<int64_t> border(static_cast<size_t>(std::min(size, max)), 0);
  int64_t longest = 0;
  int64_t end = 0;  // where the longest one ends: the last place is the earliest of the context
  int64_t length = 0;
  for (int64_t i = 1; i < size; ++i) {
    while (length > 0 && (length == max || reversed(length) != reversed(i))) {
      length = border[static_cast<size_t>(length - 1)];
    }
    if (reversed(length) == reversed(i)) ++length;
    if (i < max) border[static_cast<size_t>(i)] = length;
    if (length >= longest && length > 0) {
      longest = length;
      end = i;
    }
  }
  if (longest < min) return {};
  const int64_t next = size - 1 - end + longest;
  const auto first = context.begin() + next;
  return {first, first + std::min(count, size - next)};
}

std::vector<double> rates_of_length(double length, int64_t count) {
  const auto sum = [&](double chance) {
    double total = 0;
    double rate = 1;
    for (int64_t i = 0; i < count; ++i) total += rate *= chance;
    return total;
  };
  double below = 0;
  double above = 1;
  for (int halving = 0; halving < 60; ++halving) {
    const double middle = (below + above) / 2;
    (sum(middle) < length - 1 ? below : above) = middle;
  }
  std::vector<double> rates;
  double rate = 1;
  for (int64_t i = 0; i < count; ++i) rates.push_back(rate *= above);
  return rates;
}

Speculation::Speculation(const SpeculativeOptions& options, const Workload& workload,
                         bool is_functional)
    : options_(options), workload_(workload), is_functional_(is_functional) {
  if (!is_on()) return;
  check(workload, is_functional);
  rates_ = options.synthetic_acceptance_rates;
  if (options.synthetic_acceptance_length > 0) {
    rates_ = rates_of_length(options.synthetic_acceptance_length, most());
  }
  drafts_.resize(workload.requests.size());
  recorded_.resize(workload.requests.size());
  stats_.accepted_per_position.resize(static_cast<size_t>(most()));
}

void Speculation::check(const Workload& workload, bool is_functional) const {
  const auto refuse = [](std::string why) { throw Error(ErrorKind::kUsage, std::move(why)); };
  constexpr int64_t kMostDrafts = 1 << 16;
  if (most() < 1 || most() > kMostDrafts) {
    refuse(fmt::format("num_speculative_tokens is {}; it must be 1 to {}", most(), kMostDrafts));
  }
  if (options_.prompt_lookup_min < 1 || options_.prompt_lookup_max < options_.prompt_lookup_min) {
    refuse(fmt::format("prompt_lookup_min {} and prompt_lookup_max {} must be 1 <= min <= max",
                       options_.prompt_lookup_min, options_.prompt_lookup_max));
  }
  const std::vector<double>& rates = options_.synthetic_acceptance_rates;
  const double length = options_.synthetic_acceptance_length;
  if (!rates.empty() && std::ssize(rates) != most()) {
    refuse(
        fmt::format("there are {} synthetic acceptance rates for {} drafts", rates.size(), most()));
  }
  double before = 1;
  for (double rate : rates) {
    if (!(rate >= 0 && rate <= before)) {
      refuse(fmt::format("synthetic acceptance rate {} is not between 0 and the one before, {}",
                         rate, before));
    }
    before = rate;
  }
  if (length != 0 && !(length >= 1 && length <= static_cast<double>(most() + 1))) {
    refuse(
        fmt::format("synthetic_acceptance_length is {}; it must be 1 to {}", length, most() + 1));
  }
  const bool is_synthetic = !rates.empty() || length > 0;
  if (!rates.empty() && length > 0) {
    refuse("give synthetic acceptance rates or a synthetic acceptance length, not both");
  }
  if (is_functional) {
    if (is_synthetic || method() == DraftMethod::kSynthetic) {
      refuse("synthetic acceptance is for timing runs; here drafts are verified");
    }
    return;
  }
  if (method() == DraftMethod::kNgram) {
    if (is_synthetic) {
      refuse(
          "n-gram drafts are compared with the recorded tokens; for synthetic acceptance "
          "choose synthetic drafts");
    }
    if (std::none_of(workload.requests.begin(), workload.requests.end(),
                     [this](const Request& request) { return is_recorded(request); })) {
      refuse(workload.source +
             ": n-gram drafts need token ids, which the workload does not have; choose synthetic "
             "acceptance");
    }
  } else if (!is_synthetic) {
    refuse(
        "a timing run does not know which drafts are accepted: give synthetic acceptance rates "
        "or a length");
  }
}

int64_t Speculation::propose(int64_t request, int64_t known, std::span<const int32_t> ids,
                             int64_t most_drafts) {
  const int64_t count = std::min(most_drafts, most());
  if (count < 1) return 0;
  if (method() == DraftMethod::kSynthetic) return count;
  const auto index = static_cast<size_t>(request);
  if (!is_functional_) {
    const Request& of = workload_.requests[index];
    if (!is_recorded(of)) return 0;
    std::vector<int32_t>& recorded = recorded_[index];
    if (recorded.empty()) {
      recorded = of.prompt_ids;
      recorded.insert(recorded.end(), of.output_ids.begin(), of.output_ids.end());
    }
    ids = recorded;
  }
  TW_CHECK(known <= std::ssize(ids), "only known tokens are looked up");
  drafts_[index] = propose_by_lookup(ids.first(static_cast<size_t>(known)),
                                     options_.prompt_lookup_min, options_.prompt_lookup_max, count);
  return std::ssize(drafts_[index]);
}

void Speculation::set(int64_t request, std::vector<int32_t> drafts) {
  drafts_[static_cast<size_t>(request)] = std::move(drafts);
}

int64_t Speculation::accepted(int64_t request, int64_t generated, int64_t count) const {
  const auto index = static_cast<size_t>(request);
  int64_t accepted = 0;
  if (rates_.empty()) {
    const std::vector<int32_t>& output = workload_.requests[index].output_ids;
    const std::vector<int32_t>& drafts = drafts_[index];
    while (accepted < count && generated + accepted < std::ssize(output) &&
           drafts[static_cast<size_t>(accepted)] ==
               output[static_cast<size_t>(generated + accepted)]) {
      ++accepted;
    }
    return accepted;
  }
  const uint64_t stream = mix_bits(options_.seed, static_cast<uint64_t>(request));
  const uint64_t bits = mix_bits(stream, static_cast<uint64_t>(generated));
  const double at = static_cast<double>(bits >> 11) * 0x1p-53;
  while (accepted < count && at < rates_[static_cast<size_t>(accepted)]) ++accepted;
  return accepted;
}

void Speculation::count(int64_t drafts, int64_t accepted) {
  ++stats_.num_drafts;
  stats_.draft_tokens += drafts;
  stats_.accepted_tokens += accepted;
  for (int64_t i = 0; i < accepted; ++i) ++stats_.accepted_per_position[static_cast<size_t>(i)];
}

void Speculation::forget(int64_t request) {
  if (!is_on()) return;
  drafts_[static_cast<size_t>(request)] = {};
  recorded_[static_cast<size_t>(request)] = {};
}

}  // namespace tilewright
