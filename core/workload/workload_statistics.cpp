#include "core/workload/workload_statistics.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_set>
#include <vector>

#include "core/base/hash.h"
#include "core/base/random.h"
#include "core/base/statistics.h"

namespace tilewright {

namespace {

constexpr int64_t kIdBlockTokens = 16;

LengthStatistics summarise(std::vector<double> lengths) {
  if (lengths.empty()) return {};
  std::sort(lengths.begin(), lengths.end());
  return {.min = lengths.front(),
          .p50 = percentile(lengths, 50),
          .p90 = percentile(lengths, 90),
          .p99 = percentile(lengths, 99),
          .max = lengths.back(),
          .mean = mean(lengths)};
}

/// Blocks that prompts had so far, by what they and all before them hold.
class SeenPrefixes {
 public:
  /// Tokens of the leading blocks of `request` that were seen before; from now on all are.
  int64_t visit(const Request& request, int64_t block_tokens) {
    leading_ = 0;
    is_leading_ = true;
    if (!request.prompt_ids.empty()) {
      visit_ids(request);
      return leading_;
    }
    const std::vector<int64_t>& hashes = request.prefix_hashes;
    for (size_t i = 0; i < hashes.size(); ++i) {
      const int64_t begin = static_cast<int64_t>(i) * block_tokens;
      visit_block(mix_bits(static_cast<uint64_t>(hashes[i]), i),
                  std::min(block_tokens, request.prompt_tokens - begin));
    }
    return leading_;
  }

 private:
  void visit_ids(const Request& request) {
    Hasher chain;
    for (size_t i = 0; i < request.prompt_ids.size(); ++i) {
      chain.add(int64_t{request.prompt_ids[i]});
      if ((i + 1) % kIdBlockTokens == 0) visit_block(chain.value(), kIdBlockTokens);
    }
  }

  void visit_block(uint64_t key, int64_t tokens) {
    is_leading_ = !seen_.insert(key).second && is_leading_;
    if (is_leading_) leading_ += tokens;
  }

  std::unordered_set<uint64_t> seen_;  // looked up only, so its order does not matter
  int64_t leading_ = 0;
  bool is_leading_ = true;
};

void add_arrivals(WorkloadStatistics& statistics, const Workload& workload) {
  std::vector<double> gaps;
  std::set<int64_t> begins;  // first requests of sessions
  int64_t last_ns = 0;
  bool is_first = true;
  for (size_t i = 0; i < workload.requests.size(); ++i) {
    const Request& request = workload.requests[i];
    if (request.after >= 0) {
      ++statistics.followers;
      if (workload.requests[static_cast<size_t>(request.after)].after < 0) {
        begins.insert(request.after);
      }
      continue;
    }
    if (!is_first) gaps.push_back(static_cast<double>(request.arrival_ns - last_ns));
    is_first = false;
    last_ns = request.arrival_ns;
  }
  statistics.sessions = std::ssize(begins);
  statistics.duration_s = static_cast<double>(last_ns) * 1e-9;
  statistics.requests_per_second = request_rate(workload);
  const double mean_gap = gaps.empty() ? 0 : mean(gaps);
  if (mean_gap > 0) statistics.gap_cv = standard_deviation(gaps) / mean_gap;
}

Json json_of(const LengthStatistics& lengths) {
  return {{"mean", lengths.mean}, {"min", lengths.min}, {"p50", lengths.p50},
          {"p90", lengths.p90},   {"p99", lengths.p99}, {"max", lengths.max}};
}

}  // namespace

WorkloadStatistics workload_statistics(const Workload& workload) {
  WorkloadStatistics statistics;
  statistics.requests = std::ssize(workload.requests);
  add_arrivals(statistics, workload);
  std::vector<double> prompts, outputs;
  SeenPrefixes seen;
  int64_t shared = 0;
  for (const Request& request : workload.requests) {
    prompts.push_back(static_cast<double>(request.prompt_tokens));
    outputs.push_back(static_cast<double>(request.output_tokens));
    statistics.prompt_tokens += request.prompt_tokens;
    statistics.output_tokens += request.output_tokens;
    statistics.with_prompt_ids += request.prompt_ids.empty() ? 0 : 1;
    statistics.with_output_ids += request.output_ids.empty() ? 0 : 1;
    shared += seen.visit(request, workload.prefix_block_tokens);
  }
  statistics.prompt = summarise(std::move(prompts));
  statistics.output = summarise(std::move(outputs));
  statistics.prefix_block_tokens =
      statistics.with_prompt_ids > 0 ? kIdBlockTokens : workload.prefix_block_tokens;
  if (statistics.prompt_tokens > 0) {
    statistics.shared_prefix =
        static_cast<double>(shared) / static_cast<double>(statistics.prompt_tokens);
  }
  return statistics;
}

Json to_json(const WorkloadStatistics& statistics) {
  return {{"requests", statistics.requests},
          {"sessions", statistics.sessions},
          {"followers", statistics.followers},
          {"duration_s", statistics.duration_s},
          {"requests_per_second", statistics.requests_per_second},
          {"gap_cv", statistics.gap_cv},
          {"prompt", json_of(statistics.prompt)},
          {"output", json_of(statistics.output)},
          {"prompt_tokens", statistics.prompt_tokens},
          {"output_tokens", statistics.output_tokens},
          {"prefix_block_tokens", statistics.prefix_block_tokens},
          {"shared_prefix", statistics.shared_prefix},
          {"with_prompt_ids", statistics.with_prompt_ids},
          {"with_output_ids", statistics.with_output_ids}};
}

}  // namespace tilewright
