#include "app/cli/xyserve_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>

#include "app/cli/table.h"
#include "app/cli/timing_report.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

Json json_of(const XyserveResult& result) {
  return {{"name", result.name},
          {"gain_percent", result.gain_percent},
          {"paper_percent", result.paper_percent},
          {"baseline", result.baseline},
          {"meaning", result.meaning}};
}

Json json_of(const PublishedFigure& agreement) {
  return {{"baseline", agreement.baseline},
          {"what", agreement.what},
          {"unit", agreement.unit},
          {"measured", agreement.measured},
          {"measured_is_upper_bound", agreement.at_most},
          {"simulated", agreement.simulated},
          {"error", agreement.error()}};
}

Json json_of(const GemmBound& bound) {
  Json json = {{"us", bound.bound_us},
               {"limit", name_of(bound.limit)},
               {"tile_m", bound.tile_m},
               {"tile_n", bound.tile_n}};
  for (size_t i = 0; i < bound.limit_us.size(); ++i) {
    json[fmt::format("{}_us", name_of(static_cast<GemmLimit>(i)))] = bound.limit_us[i];
  }
  return json;
}

Json identity_of(const Linear& linear) {
  return {{"model", linear.model},
          {"ranks", linear.ranks},
          {"op", linear.op},
          {"n", linear.n},
          {"k", linear.k}};
}

Json json_of(const GemmRow& row, const Machine& machine) {
  Json json = identity_of(row.linear);
  json["m"] = row.m;
  json["config"] = row.config.text();
  json["time_us"] = row.smooth_us;
  json["gemm_library_us"] = row.library_us;
  json["gemm_padded_us"] = row.padded_us;
  json["detailed_us"] = row.detailed_us;
  json["gemm_library_detailed_us"] = row.library_detailed_us;
  json["bound"] = json_of(row.bound);
  json["bound_ratio"] = row.ratio;
  json["mfu"] = row.mfu;
  json["mbu"] = row.mbu;
  json["engine"] = json_of(row.engine, machine);
  return json;
}

Json gemm_json(const XyserveReport& report, const Machine& machine) {
  const GemmSummary& gemm = report.gemm;
  Json json;
  json["layout"] = report.gemm_options.layout;
  json["row_counts"] = report.gemm_options.rows.size();
  json["gain_percent"] = 100 * gemm.gain;
  json["gain_percent_from_m_256"] = 100 * gemm.gain_from_256;
  json["gain_percent_over_gemm_padded"] = 100 * gemm.gain_over_padded;
  json["bounds"] = {{"entries", gemm.bounds.entries},
                    {"at_least_85_percent", gemm.bounds.enough},
                    {"least", gemm.bounds.least},
                    {"median", gemm.bounds.median}};
  json["tile_edges"] = {{"edges", gemm.edges.edges},
                        {"within_one_by_tiles", gemm.edges.held},
                        {"worst_rise_times_tiles", gemm.edges.worst_rise}};
  Json& bands = json["by_rows"] = Json::array();
  for (const RowBand& band : gemm.bands) {
    bands.push_back({{"first", band.first},
                     {"last", band.last},
                     {"gain_percent", 100 * band.gain},
                     {"mfu", band.mfu},
                     {"gemm_library_mfu", band.library_mfu},
                     {"entries", band.entries},
                     {"at_least_85_percent", band.enough}});
  }
  Json& shortfalls = json["shortfalls"] = Json::array();
  for (const Shortfall& each : gemm.shortfalls) {
    shortfalls.push_back({{"cause", each.cause}, {"entries", each.entries}, {"share", each.share}});
  }
  json["detailed_check"] = {{"rows", gemm.rows.size()},
                            {"gain_percent", 100 * gemm.rows_gain},
                            {"gain_percent_detailed", 100 * gemm.rows_gain_detailed}};
  Json& linears = json["linears"] = Json::array();
  for (const LinearTimes& times : report.gemm_times) {
    Json entry = identity_of(times.linear);
    entry["gain_percent"] = 100 * mean_gain(times.library_us, times.smooth_us);
    linears.push_back(std::move(entry));
  }
  Json& rows = json["shapes"] = Json::array();
  for (const GemmRow& row : gemm.rows) rows.push_back(json_of(row, machine));
  return json;
}

Json json_of(const AttentionFigures& times) {
  return {{"result", times.of.result},
          {"model", times.of.model},
          {"what", times.of.what},
          {"config", times.config.text()},
          {"time_us", times.time_us},
          {"attention_library_us", times.library_us},
          {"concat_us", times.concat_us},
          {"concat_counts", times.counts_concat},
          {"bound_us", times.bound_us},
          {"bound", times.memory_bound ? "hbm" : "compute"},
          {"bound_ratio", times.bound_ratio()},
          {"gain_percent", 100 * times.gain()},
          {"mfu", times.mfu},
          {"mbu", times.mbu},
          {"attention_library_mfu", times.library_mfu},
          {"attention_library_mbu", times.library_mbu}};
}

QueryResult attention_table(const XyserveReport& report) {
  QueryResult table;
  table.columns = {"model and batch", "bound", "by",   "time", "ratio",
                   "library",         "copy",  "gain", "MFU"};
  const auto share = [](double value) { return fmt::format("{:>6}", format_share(value)); };
  const auto us = [](double value) { return fmt::format("{:>8}", format_us(value)); };
  for (const AttentionFigures& times : report.attention) {
    table.rows.push_back({times.of.model + " " + times.of.what, us(times.bound_us),
                          times.memory_bound ? "hbm" : "compute", us(times.time_us),
                          fmt::format("{:.2f}", times.bound_ratio()), us(times.library_us),
                          times.counts_concat ? us(times.concat_us) : "",
                          fmt::format("{:>+5.0f} %", 100 * times.gain()), share(times.mfu)});
  }
  return table;
}

QueryResult results_table(const XyserveReport& report) {
  QueryResult table;
  table.columns = {"result", "gain", "paper", "over"};
  for (const XyserveResult& result : report.results) {
    table.rows.push_back({result.name, fmt::format("{:+.1f} %", result.gain_percent),
                          fmt::format("{:+.1f} %", result.paper_percent), result.baseline});
  }
  return table;
}

QueryResult agreement_table(const XyserveReport& report) {
  QueryResult table;
  table.columns = {"baseline", "what", "measured", "simulated", "error"};
  for (const PublishedFigure& each : report.agreement) {
    const auto shown = [&](double value) {
      return fmt::format("{:>9}", each.unit == "us" ? format_us(value) : format_share(value));
    };
    table.rows.push_back({each.baseline, each.what, shown(each.measured), shown(each.simulated),
                          fmt::format("{:>+6.1f} %", 100 * each.error())});
  }
  return table;
}

QueryResult linears_table(const XyserveReport& report) {
  QueryResult table;
  table.columns = {"model", "ranks", "linear", "n", "k", "gain"};
  for (const LinearTimes& times : report.gemm_times) {
    table.rows.push_back(
        {times.linear.model, times.linear.ranks, times.linear.op, times.linear.n, times.linear.k,
         fmt::format("{:>+6.1f} %", 100 * mean_gain(times.library_us, times.smooth_us))});
  }
  return table;
}

QueryResult shapes_table(const XyserveReport& report, const Linear& linear) {
  QueryResult table;
  table.columns = {"m", "bound", "by", "achieved", "ratio", "MFU", "MBU", "longest wait"};
  for (const GemmRow& row : report.gemm.rows) {
    if (row.linear.model != linear.model || row.linear.op != linear.op) continue;
    const Breakdown::Entry wait = longest_wait(row.engine);
    table.rows.push_back(
        {row.m, fmt::format("{:>9}", format_us(row.bound.bound_us)),
         std::string(name_of(row.bound.limit)), fmt::format("{:>9}", format_us(row.detailed_us)),
         fmt::format("{:.2f}", row.ratio), fmt::format("{:>6}", format_share(row.mfu)),
         fmt::format("{:>6}", format_share(row.mbu)),
         fmt::format("{} {}", wait.cause, format_share(wait.share))});
  }
  return table;
}

QueryResult bands_table(const GemmSummary& gemm) {
  QueryResult table;
  table.columns = {"rows", "gain", "MFU", "library's MFU", "configs", "of these at 0.85 of bound"};
  for (const RowBand& band : gemm.bands) {
    table.rows.push_back(
        {fmt::format("{} - {}", band.first, band.last), fmt::format("{:>+6.1f} %", 100 * band.gain),
         fmt::format("{:>6}", format_share(band.mfu)),
         fmt::format("{:>6}", format_share(band.library_mfu)), band.entries, band.enough});
  }
  return table;
}

QueryResult shortfalls_table(const GemmSummary& gemm) {
  QueryResult table;
  table.columns = {"below 0.85 the cube waits longest for", "configs", "share of their time"};
  for (const Shortfall& each : gemm.shortfalls) {
    table.rows.push_back(
        {each.cause, each.entries, fmt::format("{:>6}", format_share(each.share))});
  }
  return table;
}

std::string gemm_text(const GemmSummary& gemm) {
  std::string text;
  text += fmt::format(
      "over gemm_library {:+.1f} %, of m >= 256 {:+.1f} %; over gemm_padded {:+.1f} %\n",
      100 * gemm.gain, 100 * gemm.gain_from_256, 100 * gemm.gain_over_padded);
  text += fmt::format("a sample of {}: {:+.1f} %, timed in detail {:+.1f} %\n", gemm.rows.size(),
                      100 * gemm.rows_gain, 100 * gemm.rows_gain_detailed);
  text += fmt::format("bound / time: median {:.2f}, least {:.2f}, {} of {} configs reach {:.2f}\n",
                      gemm.bounds.median, gemm.bounds.least, format_count(gemm.bounds.enough),
                      format_count(gemm.bounds.entries), kEnoughOfBound);
  if (gemm.edges.edges > 0) {
    text += fmt::format(
        "past a tile edge the time per row rises by at most 1/tiles at {} of {} edges; the\n"
        "most is {:.2f}/tiles\n",
        format_count(gemm.edges.held), format_count(gemm.edges.edges), gemm.edges.worst_rise);
  }
  return text;
}

}  // namespace

Json json_of(const XyserveReport& report, const Machine& machine) {
  Json json = output_object();
  json["report"] = "xyserve";
  json["machine"] = machine_identity(machine);
  json["quick"] = report.quick;
  Json& results = json["results"] = Json::array();
  for (const XyserveResult& result : report.results) results.push_back(json_of(result));
  Json& agreement = json["baselines"] = Json::array();
  for (const PublishedFigure& each : report.agreement) agreement.push_back(json_of(each));
  json["gemm"] = gemm_json(report, machine);
  Json& attention = json["attention"] = Json::array();
  for (const AttentionFigures& times : report.attention) attention.push_back(json_of(times));
  return json;
}

std::string text_of(Context& context, const XyserveReport& report, const Machine& machine) {
  std::string text = context.heading(fmt::format("XY-Serve's kernels on {}{}", machine.name,
                                                 report.quick ? ", a few sizes only" : "")) +
                     "\n" + to_table(results_table(report));
  if (!report.agreement.empty()) {
    text += "\n" + context.heading("baselines beside measurements") + "\n" +
            to_table(agreement_table(report));
  }
  text += "\n" + context.heading("attention") + "\n" + to_table(attention_table(report));
  text += "\n" + context.heading("SmoothGEMM") + "\n" + gemm_text(report.gemm) + "\n" +
          to_table(bands_table(report.gemm)) + "\n" + to_table(shortfalls_table(report.gemm)) +
          "\n" + to_table(linears_table(report));
  for (const LinearTimes& times : report.gemm_times) {
    const Linear& linear = times.linear;
    text += "\n" +
            context.heading(fmt::format("{} {}: n={} k={}, {} ranks", linear.model, linear.op,
                                        linear.n, linear.k, linear.ranks)) +
            "\n" + to_table(shapes_table(report, linear));
  }
  return text;
}

}  // namespace tilewright
