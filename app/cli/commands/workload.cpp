// `tilewright workload`: what presets of traffic there are, and what a trace looks like.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/actions.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/serving_setup.h"
#include "app/cli/table.h"
#include "app/cli/workload_arguments.h"
#include "core/base/format.h"
#include "core/serving/kv_manager.h"
#include "core/workload/generator.h"
#include "core/workload/session_generator.h"
#include "core/workload/trace_reader.h"
#include "core/workload/workload_statistics.h"

namespace tilewright {

namespace {

using Names = std::span<const std::string>;

/// A preset of either generator.
struct PresetRow {
  std::string_view name;
  std::string_view source;
  double prompt_mean = 0;  ///< of sessions: tokens that a message adds
  double output_mean = 0;
  double rate = 0;  ///< of sessions: sessions a second
  bool has_sessions = false;
};

std::vector<PresetRow> preset_rows() {
  std::vector<PresetRow> rows;
  for (const GeneratorPreset& preset : generator_presets()) {
    rows.push_back({preset.name, preset.source, preset.prompt.mean, preset.output.mean,
                    preset.requests_per_second});
  }
  for (const SessionPreset& preset : session_presets()) {
    rows.push_back({preset.name, preset.source, preset.message.mean, preset.answer.mean,
                    preset.sessions_per_second, true});
  }
  return rows;
}

QueryResult preset_table() {
  QueryResult table;
  table.columns = {"preset", "prompt, mean", "output, mean", "arrivals/s", "kind"};
  for (const PresetRow& row : preset_rows()) {
    table.rows.push_back({std::string(row.name), row.prompt_mean, row.output_mean, row.rate,
                          row.has_sessions ? "sessions; tokens a turn" : "requests"});
  }
  return table;
}

QueryResult format_table() {
  QueryResult table;
  table.columns = {"trace", "as", "told by"};
  for (const TraceFormat& format : trace_formats()) {
    table.rows.push_back({format.name, format.kind, format.fields});
  }
  return table;
}

int list_workloads(Context& context, Names) {
  if (context.globals().json) {
    Json json = output_object();
    Json& presets = json["presets"] = Json::array();
    for (const PresetRow& row : preset_rows()) {
      presets.push_back({{"name", row.name},
                         {"source", row.source},
                         {"prompt_mean", row.prompt_mean},
                         {"output_mean", row.output_mean},
                         {"arrivals_per_second", row.rate},
                         {"sessions", row.has_sessions}});
    }
    Json& formats = json["formats"] = Json::array();
    for (const TraceFormat& format : trace_formats()) {
      formats.push_back({{"name", format.name}, {"kind", format.kind}, {"fields", format.fields}});
    }
    context.print_json(json);
    return kExitOk;
  }
  context.print_table(preset_table());
  if (context.globals().csv) return kExitOk;
  context.print("\n");
  context.print_table(format_table());
  return kExitOk;
}

QueryResult length_table(const WorkloadStatistics& statistics) {
  QueryResult table;
  table.columns = {"tokens", "mean", "min", "p50", "p90", "p99", "max", "all"};
  const auto add = [&](const char* name, const LengthStatistics& lengths, int64_t total) {
    table.rows.push_back({name, lengths.mean, lengths.min, lengths.p50, lengths.p90, lengths.p99,
                          lengths.max, total});
  };
  add("prompt", statistics.prompt, statistics.prompt_tokens);
  add("output", statistics.output, statistics.output_tokens);
  return table;
}

std::string arrivals_text(const Workload& workload, const WorkloadStatistics& statistics) {
  std::string text = fmt::format("{} requests", format_count(statistics.requests));
  if (statistics.followers > 0) {
    text += fmt::format(", {} of them later ones of {} sessions",
                        format_count(statistics.followers), format_count(statistics.sessions));
  }
  if (statistics.requests_per_second > 0) {
    text += fmt::format("\narrivals within {:.1f} s, {:.3f} /s, CV of gaps {:.2f}",
                        statistics.duration_s, statistics.requests_per_second, statistics.gap_cv);
  } else {
    text += "\nall arrive at once";
  }
  if (workload.concurrency > 0) {
    text += fmt::format("\nclosed loop: at most {} under way", format_count(workload.concurrency));
  }
  return text + "\n";
}

std::string prefix_text(const WorkloadStatistics& statistics) {
  if (statistics.prefix_block_tokens == 0) return "prefixes are not known\n";
  return fmt::format(
      "{} of the prompt tokens repeat a prefix of an earlier prompt (blocks of {})\n",
      format_share(statistics.shared_prefix), statistics.prefix_block_tokens);
}

/// A prefix cache of so many blocks of the trace's size, and the share of prompt tokens it has.
struct CacheRate {
  int64_t blocks = 0;
  double hit_rate = 0;
};

std::vector<CacheRate> cache_rates(const Context& context, const Workload& workload) {
  constexpr int64_t kMostBlocks = 100'000'000;
  std::vector<CacheRate> rates;
  for (const int64_t blocks : context.arguments().integers("prefix-blocks", 1, kMostBlocks)) {
    rates.push_back({blocks, prefix_cache_hit_rate(workload, blocks)});
  }
  return rates;
}

int show_workload(Context& context, Names names) {
  const Workload workload = read_workload_arguments(context, names[0]);
  const std::vector<CacheRate> rates = cache_rates(context, workload);
  const WorkloadStatistics statistics = workload_statistics(workload);
  if (context.globals().json) {
    Json json = output_object();
    json["workload"] = workload_identity(workload);
    json.update(to_json(statistics));
    json["concurrency"] = workload.concurrency;
    json["notes"] = workload.notes;
    for (const CacheRate& rate : rates) {
      json["prefix_cache"].push_back({{"blocks", rate.blocks}, {"hit_rate", rate.hit_rate}});
    }
    context.print_json(json);
    return kExitOk;
  }
  if (!context.globals().csv) {
    context.print(fmt::format("{}\n{}{}", context.heading(workload.source),
                              arrivals_text(workload, statistics), prefix_text(statistics)));
    for (const CacheRate& rate : rates) {
      context.print(fmt::format("a prefix cache of {} blocks has {} of the prompt tokens\n",
                                format_count(rate.blocks), format_share(rate.hit_rate)));
    }
    if (statistics.with_prompt_ids > 0) {
      context.print(fmt::format("token ids of {} prompts and {} outputs\n",
                                format_count(statistics.with_prompt_ids),
                                format_count(statistics.with_output_ids)));
    }
    context.print("\n");
  }
  context.print_table(length_table(statistics));
  return kExitOk;
}

}  // namespace

int run_workload(Context& context) {
  const Action actions[] = {{"list", 0, 0, list_workloads}, {"show", 1, 1, show_workload}};
  return run_action(context, "workload", actions);
}

}  // namespace tilewright
