#include "core/serving/prometheus.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/serving/latencies.h"

namespace tilewright {

namespace {

const std::vector<double> kTtftBuckets = {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,  .75,
                                          1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560};
const std::vector<double> kGapBuckets = {.01, .025, .05, .075, .1,  .15, .2, .3, .4, .5,
                                         .75, 1,    2.5, 5,    7.5, 10,  20, 40, 80};
const std::vector<double> kLatencyBuckets = {.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                             30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
const std::vector<double> kIterationBuckets = {1,   8,    16,   32,   64,   128,  256,
                                               512, 1024, 2048, 4096, 8192, 16384};

/// 1, 2, 5, 10, 20, 50, ... up to `most`.
std::vector<double> token_buckets(int64_t most) {
  std::vector<double> buckets;
  for (int64_t power = 1;; power *= 10) {
    for (const int64_t digit : {1, 2, 5}) {
      if (digit * power > most) return buckets;
      buckets.push_back(static_cast<double>(digit * power));
    }
  }
}

/// A label's value: backslash, quote and line end escaped, as the format asks.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result;
}

/// A number as Prometheus' client for Python writes it: whole ones with ".0".
std::string number(double value) {
  const std::string text = fmt::format("{}", value);
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

/// Writes series, each group with its HELP and TYPE.
class Exposition {
 public:
  explicit Exposition(const std::string& model_name)
      : labels_(fmt::format("engine=\"0\",model_name=\"{}\"", escaped(model_name))) {}

  void begin(std::string_view name, std::string_view type, std::string_view help) {
    text_ += fmt::format("# HELP vllm:{0} {2}\n# TYPE vllm:{0} {1}\n", name, type, help);
  }

  /// A value of the group `name`; `more` are labels behind the usual ones, ",a=\"b\"".
  void value(std::string_view name, double value, std::string_view more = "") {
    text_ += fmt::format("vllm:{}{{{}{}}} {}\n", name, labels_, more, number(value));
  }

  void single(std::string_view name, std::string_view type, std::string_view help, double amount) {
    begin(name, type, help);
    value(name, amount);
  }

  void histogram(std::string_view name, std::string_view help, const std::vector<double>& buckets,
                 std::vector<Sample> samples);

  std::string take() { return std::move(text_); }

 private:
  std::string labels_;
  std::string text_;
};

void Exposition::histogram(std::string_view name, std::string_view help,
                           const std::vector<double>& buckets, std::vector<Sample> samples) {
  std::sort(samples.begin(), samples.end(),
            [](const Sample& a, const Sample& b) { return a.value < b.value; });
  begin(name, "histogram", help);
  const std::string bucket_name = fmt::format("{}_bucket", name);
  int64_t count = 0;
  double sum = 0;
  size_t at = 0;
  const auto count_up_to = [&](double bound) {
    for (; at < samples.size() && samples[at].value <= bound; ++at) {
      count += samples[at].count;
      sum += samples[at].value * static_cast<double>(samples[at].count);
    }
  };
  for (const double bound : buckets) {
    count_up_to(bound);
    value(bucket_name, static_cast<double>(count), fmt::format(",le=\"{}\"", number(bound)));
  }
  count_up_to(INFINITY);
  value(bucket_name, static_cast<double>(count), ",le=\"+Inf\"");
  value(fmt::format("{}_count", name), static_cast<double>(count));
  value(fmt::format("{}_sum", name), sum);
}

/// What the requests of a run amount to; times in seconds.
struct RequestSamples {
  std::vector<Sample> ttft, tpot, e2el, queue, prefill, decode, inference;
  std::vector<Sample> prompt, generation, most_generation, one;
  int64_t prompt_tokens = 0, generation_tokens = 0;
  int64_t running = 0, waiting = 0, longest = 1;
  std::map<std::string, int64_t> finished;  ///< by reason
};

/// vLLM's reason: a prompt that is too long counts as one that reached its length.
std::string reason_of(const RequestRecord& request) {
  return request.finish == FinishReason::kRejected ? std::string(name_of(FinishReason::kLength))
                                                   : std::string(name_of(request.finish));
}

void add_request(RequestSamples& samples, const RequestRecord& request, int64_t most_tokens,
                 std::span<const int64_t> step_end_ns) {
  if (request.finish != FinishReason::kNone) ++samples.finished[reason_of(request)];
  if (request.finish == FinishReason::kAborted || request.finish == FinishReason::kNone) {
    ++(request.first_scheduled_ns >= 0 ? samples.running : samples.waiting);
  }
  if (!is_completed(request)) return;
  const RequestTimes times = times_of(request, step_end_ns);
  const auto add = [](std::vector<Sample>& list, double ns) { list.push_back({ns * 1e-9}); };
  add(samples.ttft, times.ttft);
  add(samples.e2el, times.e2el);
  add(samples.decode, times.decode);
  if (request.output_tokens > 1) add(samples.tpot, times.tpot);
  if (request.first_scheduled_ns >= 0) {
    add(samples.queue, times.queue);
    add(samples.prefill, times.prefill);
    add(samples.inference, times.inference);
  }
  samples.prompt.push_back({static_cast<double>(request.prompt_tokens)});
  samples.generation.push_back({static_cast<double>(request.output_tokens)});
  samples.most_generation.push_back({static_cast<double>(most_tokens)});
  samples.one.push_back({1});
  samples.prompt_tokens += request.prompt_tokens;
  samples.generation_tokens += request.output_tokens;
  samples.longest = std::max({samples.longest, request.prompt_tokens, most_tokens});
}

void write_gauges(Exposition& out, const RequestSamples& samples, const RunTotals& totals) {
  out.single("num_requests_running", "gauge", "Requests in execution.",
             static_cast<double>(samples.running));
  out.single("num_requests_waiting", "gauge", "Requests waiting to be processed.",
             static_cast<double>(samples.waiting));
  if (totals.kv_blocks == 0) return;
  // Every request has ended, so nothing holds a block any more.
  out.single("kv_cache_usage_perc", "gauge", "Share of the KV cache in use, 1 is all of it.", 0);
  out.begin("cache_config_info", "gauge", "The KV cache's configuration.");
  out.value(
      "cache_config_info", 1,
      fmt::format(",block_size=\"{}\",enable_prefix_caching=\"{}\",num_gpu_blocks=\"{}\"",
                  totals.block_size, totals.prefix_caching ? "True" : "False", totals.kv_blocks));
}

void write_counters(Exposition& out, const RequestSamples& samples, const RunTotals& totals) {
  const auto counter = [&](std::string_view name, std::string_view help, double value) {
    out.single(name, "counter", help, value);
  };
  counter("num_preemptions_total", "Preemptions.", static_cast<double>(totals.preemptions));
  counter("prompt_tokens_total", "Prompt tokens of completed requests.",
          static_cast<double>(samples.prompt_tokens));
  counter("generation_tokens_total", "Tokens generated for completed requests.",
          static_cast<double>(samples.generation_tokens));
  out.begin("request_success_total", "counter", "Requests that ended, by reason.");
  for (const auto& [reason, count] : samples.finished) {
    out.value("request_success_total", static_cast<double>(count),
              fmt::format(",finished_reason=\"{}\"", escaped(reason)));
  }
  if (totals.prefix_caching) {
    counter("prefix_cache_queries_total", "Tokens looked up in the prefix cache.",
            static_cast<double>(totals.prefix_queries));
    counter("prefix_cache_hits_total", "Tokens found in the prefix cache.",
            static_cast<double>(totals.prefix_hits));
    counter("prompt_tokens_cached_total", "Prompt tokens that were not computed again.",
            static_cast<double>(totals.prefix_hits));
  }
}

void write_speculation(Exposition& out, const SpeculationStats& stats) {
  if (stats.num_drafts == 0) return;
  out.single("spec_decode_num_drafts_total", "counter", "Verifications of drafts.",
             static_cast<double>(stats.num_drafts));
  out.single("spec_decode_num_draft_tokens_total", "counter", "Tokens drafted.",
             static_cast<double>(stats.draft_tokens));
  out.single("spec_decode_num_accepted_tokens_total", "counter", "Drafted tokens accepted.",
             static_cast<double>(stats.accepted_tokens));
  constexpr std::string_view kPerPosition = "spec_decode_num_accepted_tokens_per_pos_total";
  out.begin(kPerPosition, "counter", "Drafted tokens accepted, by their place in the draft.");
  for (size_t i = 0; i < stats.accepted_per_position.size(); ++i) {
    out.value(kPerPosition, static_cast<double>(stats.accepted_per_position[i]),
              fmt::format(",position=\"{}\"", i));
  }
}

void write_work(Exposition& out, const RunTotals& totals) {
  if (totals.work.flops <= 0) return;
  const auto chips = static_cast<double>(std::max<int64_t>(totals.chips, 1));
  out.single("estimated_flops_per_gpu_total", "counter", "Model FLOPs of a device.",
             totals.work.flops / chips);
  out.single("estimated_read_bytes_per_gpu_total", "counter", "Bytes read by a device.",
             (totals.work.weight_bytes + totals.work.kv_read_bytes) / chips);
  out.single("estimated_write_bytes_per_gpu_total", "counter", "Bytes written by a device.",
             totals.work.kv_write_bytes / chips);
}

void write_latencies(Exposition& out, RequestSamples& samples, std::vector<Sample> gaps) {
  for (Sample& gap : gaps) gap.value *= 1e-9;
  out.histogram("time_to_first_token_seconds", "Time to the first token.", kTtftBuckets,
                std::move(samples.ttft));
  out.histogram("inter_token_latency_seconds", "Gaps between tokens.", kGapBuckets,
                std::move(gaps));
  out.histogram("request_time_per_output_token_seconds", "Mean time per output token of requests.",
                kGapBuckets, std::move(samples.tpot));
  out.histogram("e2e_request_latency_seconds", "Arrival to last token.", kLatencyBuckets,
                std::move(samples.e2el));
  out.histogram("request_queue_time_seconds", "Arrival to first scheduled.", kLatencyBuckets,
                std::move(samples.queue));
  out.histogram("request_inference_time_seconds", "First scheduled to last token.", kLatencyBuckets,
                std::move(samples.inference));
  out.histogram("request_prefill_time_seconds", "First scheduled to first token.", kLatencyBuckets,
                std::move(samples.prefill));
  out.histogram("request_decode_time_seconds", "First to last token.", kLatencyBuckets,
                std::move(samples.decode));
}

void write_counts(Exposition& out, RequestSamples& samples, const RunTotals& totals) {
  const std::vector<double> tokens = token_buckets(samples.longest);
  out.histogram("request_prompt_tokens", "Prompt tokens of requests.", tokens,
                std::move(samples.prompt));
  out.histogram("request_generation_tokens", "Tokens generated for requests.", tokens,
                std::move(samples.generation));
  out.histogram("request_max_num_generation_tokens", "Most tokens that requests asked for.", tokens,
                samples.most_generation);
  out.histogram("request_params_n", "Answers that requests asked for.", {1, 2, 5, 10, 20},
                std::move(samples.one));
  out.histogram("request_params_max_tokens", "max_tokens of requests.", tokens,
                std::move(samples.most_generation));
  if (totals.step_tokens.empty()) return;
  std::vector<Sample> steps;
  for (const auto& [of_step, count] : totals.step_tokens) {
    steps.push_back({static_cast<double>(of_step), count});
  }
  out.histogram("iteration_tokens_total", "Tokens of steps.", kIterationBuckets, std::move(steps));
}

}  // namespace

std::string prometheus_text(const PrometheusRun& run) {
  TW_CHECK(run.requests.size() == run.workload.requests.size(), "each request has a record");
  RequestSamples samples;
  StepTokens steps(run.step_end_ns);
  for (size_t i = 0; i < run.requests.size(); ++i) {
    add_request(samples, run.requests[i], run.workload.requests[i].output_tokens, run.step_end_ns);
    if (is_completed(run.requests[i])) steps.add(run.requests[i]);
  }
  Exposition out(run.model_name);
  write_gauges(out, samples, run.totals);
  write_counters(out, samples, run.totals);
  write_speculation(out, run.totals.speculation);
  write_work(out, run.totals);
  write_latencies(out, samples, steps.gaps());
  write_counts(out, samples, run.totals);
  return out.take();
}

}  // namespace tilewright
