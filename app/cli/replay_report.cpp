#include "app/cli/replay_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "app/cli/serving_record.h"
#include "app/cli/table.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/statistics.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// A row of the text: a measure of every run.
struct Measure {
  const char* title;
  std::string (*text)(const Replay&);
};

std::string ms(double value) {
  return format_us(value * 1e3);
}

const Measure kMeasures[] = {
    {"requests completed",
     [](const Replay& r) {
       return fmt::format("{} of {}", format_count(r.metrics.completed),
                          format_count(std::ssize(r.result.requests)));
     }},
    {"simulated time", [](const Replay& r) { return fmt::format("{:.2f} s", r.metrics.duration); }},
    {"steps", [](const Replay& r) { return format_count(std::ssize(r.result.step_end_ns)); }},
    {"request throughput",
     [](const Replay& r) { return fmt::format("{:.3f} /s", r.metrics.request_throughput); }},
    {"output throughput",
     [](const Replay& r) { return fmt::format("{:.1f} tok/s", r.metrics.output_throughput); }},
    {"total throughput",
     [](const Replay& r) { return fmt::format("{:.1f} tok/s", r.metrics.total_token_throughput); }},
    {"goodput",
     [](const Replay& r) {
       return r.metrics.request_goodput ? fmt::format("{:.3f} /s", *r.metrics.request_goodput)
                                        : std::string();
     }},
};

const Measure kDeviceMeasures[] = {
    {"device busy",
     [](const Replay& r) { return format_us(static_cast<double>(r.result.device_ns) * 1e-3); }},
    {"waiting for the host",
     [](const Replay& r) {
       return fmt::format("{} within steps, {} between",
                          format_us(static_cast<double>(r.result.idle_ns) * 1e-3),
                          format_us(static_cast<double>(r.result.host_ns) * 1e-3));
     }},
    {"idle share of a step, mean",
     [](const Replay& r) { return format_share(mean_idle_share(r.result.steps)); }},
    {"MFU / MBU",
     [](const Replay& r) {
       const Utilisation used = r.utilisation();
       return fmt::format("{} / {}", format_share(used.mfu), format_share(used.mbu));
     }},
    {"prefix cache hits",
     [](const Replay& r) {
       const auto queries = static_cast<double>(r.totals.prefix_queries);
       if (r.totals.prefix_hits == 0) return std::string();
       return format_share(static_cast<double>(r.totals.prefix_hits) / queries);
     }},
    {"drafts accepted",
     [](const Replay& r) {
       const SpeculationStats& stats = r.totals.speculation;
       if (stats.num_drafts == 0) return std::string();
       return fmt::format("{}, {:.2f} tokens a verification", format_share(stats.acceptance_rate()),
                          stats.mean_acceptance_length());
     }},
    {"preemptions", [](const Replay& r) { return format_count(r.result.preemptions); }},
    {"KV blocks, peak of all",
     [](const Replay& r) {
       return fmt::format("{} of {}", format_count(r.result.peak_kv_blocks),
                          format_count(r.result.kv_blocks));
     }},
};

/// A latency in the text, with the mean before its percentiles.
struct Latency {
  const char* title;
  LatencySummary ServingMetrics::*summary;
};

const Latency kLatencies[] = {{"TTFT", &ServingMetrics::ttft},
                              {"TPOT", &ServingMetrics::tpot},
                              {"ITL", &ServingMetrics::itl},
                              {"E2E", &ServingMetrics::e2el}};

std::string title_of(const Latency& latency, const std::vector<double>& percentiles) {
  std::string title = fmt::format("{} mean", latency.title);
  for (const double percent : percentiles) title += fmt::format(" / p{:g}", percent);
  return title;
}

/// Cells of the mean and `percentiles`, which the runs' metrics have.
std::string text_of(const Latency& latency, const Replay& replay,
                    const std::vector<double>& percentiles) {
  if (replay.metrics.completed == 0) return "-";
  const LatencySummary& summary = replay.metrics.*latency.summary;
  std::string text = ms(summary.mean);
  for (const double percent : percentiles) {
    const auto found =
        std::ranges::find(summary.percentiles, percent, &std::pair<double, double>::first);
    TW_CHECK(found != summary.percentiles.end(), "a percentile that is shown was computed");
    text += " / " + ms(found->second);
  }
  return text;
}

/// Of the device's time, in which it may also wait for the host.
double share_of(int64_t ns, const Replay& replay) {
  const int64_t total = replay.result.device_ns;
  return total == 0 ? 0 : static_cast<double>(ns) / static_cast<double>(total);
}

std::string time_text(int64_t ns, const Replay& replay) {
  return fmt::format("{:>12}{:>9}", format_us(static_cast<double>(ns) * 1e-3),
                     format_share(share_of(ns, replay)));
}

const OpTime* find_op(const Replay& replay, const std::string& name) {
  const auto found = std::ranges::find(replay.result.by_op, name, &OpTime::op);
  return found == replay.result.by_op.end() ? nullptr : &*found;
}

Json json_of_ops(const Replay& replay) {
  Json ops = Json::array();
  for (const OpTime& op : replay.result.by_op) {
    ops.push_back({{"op", op.op},
                   {"calls", op.calls},
                   {"us", static_cast<double>(op.ns) * 1e-3},
                   {"share", share_of(op.ns, replay)}});
  }
  return ops;
}

Json json_of(const MemoryBudget& memory) {
  return {{"usable_bytes", memory.usable_bytes},
          {"weight_bytes", memory.weight_bytes},
          {"activation_bytes", memory.activation_bytes},
          {"kv_bytes", memory.kv_bytes}};
}

Json json_of_audit(const std::vector<double>& errors) {
  return {{"steps", errors.size()},
          {"median_error", percentile(errors, 50)},
          {"p95_error", percentile(errors, 95)},
          {"max_error", errors.back()}};
}

/// A plan is called by its path, which may hold anything.
std::string title_of(const Replay& replay) {
  return replay.plan ? "plan " + printable(replay.label, replay.label.size()) : "without plan";
}

std::string audit_text(const std::vector<Replay>& replays) {
  std::string text;
  for (const Replay& replay : replays) {
    const std::vector<double>& errors = replay.audit_errors;
    if (errors.empty()) continue;
    text += fmt::format(
        "\naudit ({}): {} steps simulated launch by launch; their times are off by {} (median), "
        "{} (p95), {} (most)\n",
        title_of(replay), errors.size(), format_share(percentile(errors, 50)),
        format_share(percentile(errors, 95)), format_share(errors.back()));
  }
  return text;
}

/// Labels as columns, one row a measure.
QueryResult table_of(const std::vector<Replay>& replays, const char* corner) {
  QueryResult table;
  table.columns = {corner};
  for (const Replay& replay : replays) {
    table.columns.push_back(title_of(replay));
  }
  return table;
}

/// Measures that no run has are left out.
void add_rows(QueryResult& table, const std::vector<Replay>& replays,
              std::span<const Measure> measures) {
  for (const Measure& measure : measures) {
    std::vector<Cell> row = {measure.title};
    bool is_empty = true;
    for (const Replay& replay : replays) {
      row.push_back(measure.text(replay));
      is_empty = is_empty && to_text(row.back()).empty();
    }
    if (!is_empty) table.rows.push_back(std::move(row));
  }
}

std::string measures_text(const std::vector<Replay>& replays,
                          const std::vector<double>& percentiles) {
  QueryResult table = table_of(replays, "measure");
  add_rows(table, replays, kMeasures);
  for (const Latency& latency : kLatencies) {
    std::vector<Cell> row = {title_of(latency, percentiles)};
    for (const Replay& replay : replays) row.push_back(text_of(latency, replay, percentiles));
    table.rows.push_back(std::move(row));
  }
  add_rows(table, replays, kDeviceMeasures);
  return to_table(table);
}

std::string ops_text(const std::vector<Replay>& replays) {
  std::vector<std::string> names;
  for (const Replay& replay : replays) {
    for (const OpTime& op : replay.result.by_op) {
      if (std::ranges::find(names, op.op) == names.end()) names.push_back(op.op);
    }
  }
  QueryResult table = table_of(replays, "time by op");
  for (const std::string& name : names) {
    std::vector<Cell> row = {name};
    for (const Replay& replay : replays) {
      const OpTime* op = find_op(replay, name);
      row.push_back(op ? time_text(op->ns, replay) : std::string("-"));
    }
    table.rows.push_back(std::move(row));
  }
  std::vector<Cell> waits = {"waits for the host"};
  for (const Replay& replay : replays) waits.push_back(time_text(replay.result.idle_ns, replay));
  if (std::ranges::any_of(replays, [](const Replay& r) { return r.result.idle_ns > 0; })) {
    table.rows.push_back(std::move(waits));
  }
  return to_table(table);
}

std::string gains_text(const Replay& first, const Replay& second) {
  QueryResult table;
  table.columns = {
      fmt::format("gain of {} over {}", printable(first.label, first.label.size()),
                  second.plan ? printable(second.label, second.label.size()) : "no plan"),
      "factor", "percent"};
  for (const Gain& gain : gains(first, second)) {
    table.rows.push_back({gain.title, fmt::format("{:.3f}x", gain.gain),
                          fmt::format("{:+.1f} %", 100 * (gain.gain - 1))});
  }
  return to_table(table);
}

}  // namespace

Utilisation Replay::utilisation() const {
  return utilisation_of(totals.work, totals.device_ns, totals.peak_flops, totals.peak_bytes_per_s);
}

std::vector<Gain> gains(const Replay& first, const Replay& second) {
  std::vector<Gain> list;
  const auto add = [&](const char* key, const char* title, double a, double b,
                       bool more_is_better) {
    if (a > 0 && b > 0) list.push_back({key, title, a, b, more_is_better ? a / b : b / a});
  };
  const ServingMetrics& a = first.metrics;
  const ServingMetrics& b = second.metrics;
  add("request_throughput", "request throughput", a.request_throughput, b.request_throughput, true);
  add("output_throughput", "output throughput", a.output_throughput, b.output_throughput, true);
  add("request_goodput", "goodput", a.request_goodput.value_or(0), b.request_goodput.value_or(0),
      true);
  add("mean_ttft_ms", "TTFT, mean", a.ttft.mean, b.ttft.mean, false);
  add("p99_ttft_ms", "TTFT, p99", a.ttft.p99, b.ttft.p99, false);
  add("mean_tpot_ms", "TPOT, mean", a.tpot.mean, b.tpot.mean, false);
  add("p99_tpot_ms", "TPOT, p99", a.tpot.p99, b.tpot.p99, false);
  add("mean_e2el_ms", "E2E, mean", a.e2el.mean, b.e2el.mean, false);
  add("device_us", "device time", static_cast<double>(first.result.device_ns),
      static_cast<double>(second.result.device_ns), false);
  return list;
}

Json to_json(const Replay& replay, const ServingSetup& setup) {
  const ServingResult& result = replay.result;
  Json json = output_object();
  json["label"] = replay.label;
  json["model_id"] = setup.model.name;
  json["workload"] = workload_identity(setup.workload);
  json["machine"] = machine_identity(setup.machine);
  json["plan"] = replay.plan ? Json(replay.label) : Json(nullptr);
  json["num_prompts"] = setup.workload.requests.size();
  const double rate = request_rate(setup.workload);
  json["request_rate"] = rate > 0 ? Json(rate) : Json("inf");
  json.update(to_json(replay.metrics));
  json.update(to_json(replay.totals, replay.metrics.duration));
  json["mean_step_idle"] = mean_idle_share(result.steps);
  json["peak_flops"] = replay.totals.peak_flops;
  json["peak_bytes_per_s"] = replay.totals.peak_bytes_per_s;
  json["idle_us"] = static_cast<double>(result.idle_ns) * 1e-3;
  json["aborted"] = replay.metrics.aborted;
  json["steps"] = result.step_end_ns.size();
  json["preemptions"] = result.preemptions;
  json["simulated_seconds"] = static_cast<double>(result.end_ns) * 1e-9;
  json["device_us"] = static_cast<double>(result.device_ns) * 1e-3;
  json["host_us"] = static_cast<double>(result.host_ns) * 1e-3;
  json["by_op"] = json_of_ops(replay);
  json["memory"] = json_of(replay.memory);
  json["kv_blocks"] = result.kv_blocks;
  json["peak_kv_blocks"] = result.peak_kv_blocks;
  json["max_model_len"] = result.max_model_len;
  json["options"] = options_json(setup);
  if (!replay.audit_errors.empty()) json["audit"] = json_of_audit(replay.audit_errors);
  json["interrupted"] = result.interrupted;
  json["wall_seconds"] = replay.wall_seconds;
  return json;
}

Json options_json(const ServingSetup& setup) {
  return {{"max_num_batched_tokens", setup.options.max_num_batched_tokens},
          {"max_num_seqs", setup.options.max_num_seqs},
          {"block_size", setup.executor.block_size},
          {"tensor_parallel_size", setup.executor.parallel.tp},
          {"pipeline_parallel_size", setup.executor.parallel.pp},
          {"quantization", name_of(setup.executor.quantization)},
          {"lowering", name_of(setup.executor.lowering)},
          {"enforce_eager", setup.executor.enforce_eager},
          {"host_us", static_cast<double>(setup.options.host_overhead_ns) * 1e-3},
          {"policy", setup.options.policy},
          {"scheduling_policy", setup.options.scheduling_policy},
          {"enable_chunked_prefill", setup.options.enable_chunked_prefill},
          {"enable_prefix_caching", setup.options.enable_prefix_caching},
          {"prefix_cache_tokens", setup.options.prefix_cache_tokens},
          {"num_speculative_tokens", setup.options.speculative.num_speculative_tokens},
          {"async_scheduling", setup.options.async_scheduling}};
}

std::string rejection_note(const Replay& replay, const ServingSetup& setup) {
  const ServingResult& result = replay.result;
  int64_t longest = 0;
  int64_t count = 0;
  for (const RequestRecord& request : result.requests) {
    if (request.finish != FinishReason::kRejected) continue;
    ++count;
    longest = std::max(longest, request.prompt_tokens);
  }
  if (count == 0) return "";
  const bool cache_limits = result.max_model_len == result.kv_blocks * setup.executor.block_size;
  return fmt::format(
      "{} of {} requests were rejected: their prompts (up to {} tokens) leave no room for an "
      "output token within {} tokens, {}",
      format_count(count), format_count(std::ssize(result.requests)), format_count(longest),
      format_count(result.max_model_len),
      cache_limits ? "all that the KV cache holds" : "the max_model_len");
}

std::string to_text(const std::vector<Replay>& replays, const ServingSetup& setup,
                    const std::vector<double>& percentiles, Context& context) {
  std::string text = fmt::format(
      "{} on {} ({})\n{} requests of {}\n\n", context.heading(setup.model.name), setup.machine.name,
      setup.machine.fingerprint(), format_count(std::ssize(setup.workload.requests)),
      printable(setup.workload.source, setup.workload.source.size()));
  text += measures_text(replays, percentiles) + "\n" + ops_text(replays);
  if (replays.size() == 2) text += "\n" + gains_text(replays[0], replays[1]);
  return text + audit_text(replays);
}

}  // namespace tilewright
