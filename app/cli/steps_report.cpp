#include "app/cli/steps_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "app/tui/glyphs.h"
#include "core/base/format.h"
#include "core/serving/latencies.h"

namespace tilewright {

namespace {

constexpr double kMsPerNs = 1e-6;

/// What is told of a record of steps beside what is kept.
struct StepMeasures {
  double us = 0;  ///< of one step on the device
  double idle = 0;
  Utilisation used;
};

StepMeasures measures_of(const StepRecord& step, const ServingDetails& details) {
  const double ns = step_ns(step);
  const auto all_ns = static_cast<int64_t>(ns * static_cast<double>(step.count));
  return {ns * 1e-3, idle_share(step),
          utilisation_of(step.work, all_ns, details.peak_flops, details.peak_bytes_per_s)};
}

double share_of_blocks(const StepRecord& step, const ServingDetails& details) {
  return details.kv_blocks > 0
             ? static_cast<double>(step.kv_blocks) / static_cast<double>(details.kv_blocks)
             : 0;
}

/// Places of the slowest records, the slowest first.
std::vector<size_t> slowest_of(const std::vector<StepRecord>& steps, int64_t count) {
  std::vector<size_t> places(steps.size());
  std::iota(places.begin(), places.end(), size_t{0});
  const auto shown = std::min(count, std::ssize(steps));
  std::ranges::partial_sort(places, places.begin() + shown, [&](size_t a, size_t b) {
    const double a_ns = step_ns(steps[a]), b_ns = step_ns(steps[b]);
    return a_ns != b_ns ? a_ns > b_ns : a < b;
  });
  places.resize(static_cast<size_t>(shown));
  return places;
}

Json json_of(const StepRecord& step, const ServingDetails& details) {
  const StepMeasures measures = measures_of(step, details);
  Json json = {{"first_step", step.first_step},
               {"count", step.count},
               {"start_ns", step.start_ns},
               {"end_ns", step.end_ns},
               {"us", measures.us},
               {"tokens", step.tokens},
               {"prefill_tokens", step.prefill_tokens},
               {"decodes", step.decodes},
               {"verifies", step.verifies},
               {"draft_tokens", step.draft_tokens},
               {"running", step.running},
               {"waiting", step.waiting},
               {"kv_blocks", step.kv_blocks},
               {"kv_usage", share_of_blocks(step, details)},
               {"preemptions", step.preemptions},
               {"idle_ns", step.idle_ns},
               {"idle", measures.idle},
               {"mfu", measures.used.mfu},
               {"mbu", measures.used.mbu},
               {"flops", step.work.flops},
               {"weight_bytes", step.work.weight_bytes},
               {"kv_read_bytes", step.work.kv_read_bytes},
               {"kv_write_bytes", step.work.kv_write_bytes}};
  Json& ops = json["op_ns"] = Json::object();
  for (size_t i = 0; i < step.op_ns.size(); ++i) {
    if (step.op_ns[i] > 0) ops[details.record.ops[i]] = step.op_ns[i];
  }
  return json;
}

Json json_of(const RequestRecord& request, const ServingRecord& record) {
  Json json = {{"arrival_ns", request.arrival_ns},
               {"first_scheduled_ns", request.first_scheduled_ns},
               {"finish", name_of(request.finish)},
               {"prompt_tokens", request.prompt_tokens},
               {"output_tokens", request.output_tokens},
               {"scheduled_tokens", request.scheduled_tokens},
               {"cached_tokens", request.cached_tokens},
               {"recomputed_tokens", request.recomputed_tokens},
               {"preempted_hit_tokens", request.preempted_hit_tokens},
               {"rejected_draft_tokens", request.rejected_draft_tokens},
               {"dropped_tokens", request.dropped_tokens},
               {"preemptions", request.preemptions}};
  if (is_completed(request)) {
    const RequestTimes times = times_of(request, record.step_end_ns);
    json["ttft_ms"] = times.ttft * kMsPerNs;
    json["tpot_ms"] = times.tpot * kMsPerNs;
    json["e2el_ms"] = times.e2el * kMsPerNs;
  }
  Json& runs = json["token_runs"] = Json::array();
  for (const TokenRun& run : request.token_runs) {
    runs.push_back({{"first_step", run.first_step}, {"count", run.count}, {"tokens", run.tokens}});
  }
  return json;
}

Json json_of(const StepEvent& event) {
  Json json = {{"step", event.step}, {"event", name_of(event.kind)}, {"request", event.request}};
  switch (event.kind) {
    case StepEvent::Kind::kPreemption:
      json["needed_by"] = event.needed_by;
      break;
    case StepEvent::Kind::kCacheHit:
      json["shared_tokens"] = event.shared_tokens;
      json["copied_tokens"] = event.copied_tokens;
      break;
    case StepEvent::Kind::kRefusal:
      json["cause"] = name_of(event.cause);
      break;
  }
  return json;
}

std::string cause_of(const StepEvent& event) {
  switch (event.kind) {
    case StepEvent::Kind::kPreemption:
      return event.needed_by == event.request ? "preemption, its own block was missing"
                                              : "preemption, for another request";
    case StepEvent::Kind::kCacheHit:
      return event.copied_tokens > 0 ? "cache hit, with a block copied" : "cache hit, whole blocks";
    case StepEvent::Kind::kRefusal:
      return fmt::format("refusal, {}", name_of(event.cause));
  }
  return "";
}

/// The most blocks in use in each of `cells` equal spans from the first step to the last.
std::vector<int64_t> blocks_over_time(const std::vector<StepRecord>& steps, int64_t cells) {
  const double begin = static_cast<double>(steps.front().start_ns);
  double end = begin;
  for (const StepRecord& step : steps) end = std::max(end, static_cast<double>(step.end_ns));
  const double span = std::max(end - begin, 1.0);
  const auto cell_of = [&](int64_t ns) {
    const double place = (static_cast<double>(ns) - begin) / span * static_cast<double>(cells);
    return static_cast<size_t>(std::clamp(place, 0.0, static_cast<double>(cells - 1)));
  };
  std::vector<int64_t> most(static_cast<size_t>(cells));
  for (const StepRecord& step : steps) {
    for (size_t cell = cell_of(step.start_ns); cell <= cell_of(step.end_ns); ++cell) {
      most[cell] = std::max(most[cell], step.kv_blocks);
    }
  }
  return most;
}

std::string kv_text(const ServingDetails& details) {
  constexpr int64_t kCells = 64;
  const std::vector<int64_t> blocks = blocks_over_time(details.record.steps, kCells);
  const int64_t peak = std::ranges::max(blocks);
  const Glyphs& glyphs = glyphs_of(GlyphSet::kAscii);
  std::string line;
  for (const int64_t each : blocks) {
    // Rounded up: what is in use is seen.
    const double level = peak > 0 ? 8.0 * static_cast<double>(each) / static_cast<double>(peak) : 0;
    line += static_cast<char>(glyphs.level(static_cast<int>(level) + (level > 0 ? 1 : 0)));
  }
  std::string text = fmt::format("  [{}]\n  the highest is {}", line, format_count(peak));
  if (details.kv_blocks > 0) {
    text += fmt::format(
        " of {} blocks, {}", format_count(details.kv_blocks),
        format_share(static_cast<double>(peak) / static_cast<double>(details.kv_blocks)));
  }
  return text + "\n";
}

std::string percent(double share) {
  return fmt::format("{:.1f}", 100 * share);
}

std::string line_of(const StepRecord& step, const ServingDetails& details) {
  const StepMeasures measures = measures_of(step, details);
  const std::string steps = step.count > 1 ? fmt::format("{}x", step.count) : "";
  return fmt::format("{:>10}{:>7}{:>10}{:>9}{:>8}{:>8}{:>6}{:>7}{:>7}{:>7}\n", step.first_step,
                     steps, format_us(measures.us), step.prefill_tokens,
                     step.decodes + step.verifies, step.waiting,
                     percent(share_of_blocks(step, details)), percent(measures.idle),
                     percent(measures.used.mfu), percent(measures.used.mbu));
}

}  // namespace

ReportSection event_counts(std::span<const StepEvent> events) {
  std::map<std::string, int64_t> counts;
  for (const StepEvent& event : events) ++counts[cause_of(event)];
  ReportSection section{"event_counts", "events by cause", "", false, {}};
  for (const auto& [cause, count] : counts) {
    section.rows.push_back({cause, static_cast<double>(count), 0});
  }
  return section;
}

Json json_of(const ServingDetails& details, int64_t slowest) {
  const ServingRecord& record = details.record;
  Json json;
  Json& slow = json["slowest_steps"] = Json::array();
  for (const size_t place : slowest_of(record.steps, slowest)) {
    slow.push_back(json_of(record.steps[place], details));
  }
  Json& requests = json["requests"] = Json::array();
  for (const RequestRecord& each : record.requests) requests.push_back(json_of(each, record));
  Json& steps = json["steps"] = Json::array();
  for (const StepRecord& each : record.steps) steps.push_back(json_of(each, details));
  Json& events = json["events"] = Json::array();
  for (const StepEvent& each : record.events) events.push_back(json_of(each));
  json["step_end_ns"] = record.step_end_ns;
  return json;
}

QueryResult steps_table(const ServingDetails& details) {
  QueryResult table;
  table.columns = {"first_step", "count",          "start_ns",  "end_ns",   "us",
                   "tokens",     "prefill_tokens", "decodes",   "verifies", "draft_tokens",
                   "running",    "waiting",        "kv_blocks", "kv_usage", "preemptions",
                   "idle_ns",    "idle",           "mfu",       "mbu"};
  for (const std::string& op : details.record.ops) table.columns.push_back(op + "_ns");
  for (const StepRecord& step : details.record.steps) {
    const StepMeasures measures = measures_of(step, details);
    std::vector<Cell>& row = table.rows.emplace_back();
    row = {step.first_step,     step.count,
           step.start_ns,       step.end_ns,
           measures.us,         step.tokens,
           step.prefill_tokens, step.decodes,
           step.verifies,       step.draft_tokens,
           step.running,        step.waiting,
           step.kv_blocks,      share_of_blocks(step, details),
           step.preemptions,    step.idle_ns,
           measures.idle,       measures.used.mfu,
           measures.used.mbu};
    row.insert(row.end(), step.op_ns.begin(), step.op_ns.end());
  }
  return table;
}

std::string text_of(Context& context, const ServingDetails& details, int64_t slowest) {
  const std::vector<StepRecord>& steps = details.record.steps;
  if (steps.empty()) return "";
  const std::vector<size_t> places = slowest_of(steps, slowest);
  std::string text = context.heading("the slowest steps, and what was in them") + "\n";
  text += fmt::format("{:>10}{:>7}{:>10}{:>9}{:>8}{:>8}{:>6}{:>7}{:>7}{:>7}\n", "step", "", "each",
                      "prefill", "decode", "waiting", "KV %", "idle %", "MFU %", "MBU %");
  for (const size_t place : places) text += line_of(steps[place], details);
  text += fmt::format(
      "  {} of {} records of steps in a row of one composition; idle of a step {}\n", places.size(),
      format_count(std::ssize(steps)), format_share(mean_idle_share(steps)));
  const double begin = static_cast<double>(steps.front().start_ns);
  const double end = static_cast<double>(steps.back().end_ns);
  text +=
      "\n" +
      context.heading(fmt::format("KV blocks in use, over {}", format_us((end - begin) * 1e-3))) +
      "\n" + kv_text(details);
  return text;
}

}  // namespace tilewright
