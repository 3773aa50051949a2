#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/plan/plan.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxSize = int64_t{1}
                             << 48;  // of m, n and k: products of two stay far from overflow
constexpr double kMaxTimeUs = 1e15;

Json json_of(const PlanTable& table) {
  Json ranges = Json::array();
  for (const PlanRange& range : table.ranges) {
    ranges.push_back({{"m_min", range.m_min},
                      {"m_max", range.m_max},
                      {"config", range.config.text()},
                      {"time_us", range.time_us}});
  }
  return {{"kernel", table.kernel},
          {"revision", table.revision},
          {"dtype", name_of(table.dtype)},
          {"n", table.n},
          {"k", table.k},
          {"epilogue", table.epilogue},
          {"layouts", table.layouts},
          {"ops", table.ops},
          {"ranges", std::move(ranges)}};
}

std::string filled(const JsonReader& reader) {
  std::string text = reader.string();
  if (text.empty()) reader.fail("an empty text");
  return text;
}

std::vector<std::string> texts(const JsonReader& reader) {
  std::vector<std::string> values;
  for (const JsonReader& item : reader.items()) values.push_back(filled(item));
  return values;
}

/// Errors of `parse(text)` become errors of a damaged file, with the place.
template <typename Parse>
auto parse_at(const JsonReader& reader, Parse parse) {
  const std::string text = reader.string();
  try {
    return parse(text);
  } catch (const Error& error) {
    reader.fail(error.message());
  }
}

/// Rows behind `covered`, where the range before ends.
PlanFusion::Range read_rows(const JsonReader& reader, int64_t covered) {
  PlanFusion::Range rows;
  rows.m_min = reader.at("m_min").integer(1, kMaxSize);
  rows.m_max = reader.at("m_max").integer(1, kMaxSize);
  if (rows.m_min <= covered) {
    reader.fail(fmt::format("m_min {} is not above {}, where the range before it ends", rows.m_min,
                            covered));
  }
  if (rows.m_max < rows.m_min) {
    reader.fail(fmt::format("m_max {} is below m_min {}", rows.m_max, rows.m_min));
  }
  return rows;
}

PlanRange read_range(const JsonReader& reader, int64_t covered) {
  reader.only({"m_min", "m_max", "config", "time_us"});
  const PlanFusion::Range rows = read_rows(reader, covered);
  PlanRange range;
  range.m_min = rows.m_min;
  range.m_max = rows.m_max;
  range.config = parse_at(reader.at("config"), parse_config);
  range.time_us = reader.at("time_us").number(0, kMaxTimeUs);
  return range;
}

PlanTable read_table(const JsonReader& reader) {
  reader.only({"kernel", "revision", "dtype", "n", "k", "epilogue", "layouts", "ops", "ranges"});
  PlanTable table;
  table.kernel = filled(reader.at("kernel"));
  table.revision = static_cast<int>(reader.at("revision").integer(0, 1'000'000'000));
  table.dtype = parse_at(reader.at("dtype"), parse_dtype);
  table.n = reader.at("n").integer(1, kMaxSize);
  table.k = reader.at("k").integer(1, kMaxSize);
  table.epilogue = filled(reader.at("epilogue"));
  table.layouts = texts(reader.at("layouts"));
  table.ops = texts(reader.at("ops"));
  int64_t covered = 0;
  for (const JsonReader& item : reader.at("ranges").items()) {
    table.ranges.push_back(read_range(item, covered));
    covered = table.ranges.back().m_max;
  }
  if (table.ranges.empty()) reader.fail("a table without ranges");
  return table;
}

Json json_of(const PlanFusion& fusion) {
  Json ranges = Json::array();
  for (const PlanFusion::Range& range : fusion.ranges) {
    ranges.push_back({{"m_min", range.m_min}, {"m_max", range.m_max}});
  }
  return {{"ops", fusion.ops}, {"epilogue", fusion.epilogue}, {"ranges", std::move(ranges)}};
}

PlanFusion read_fusion(const JsonReader& reader) {
  reader.only({"ops", "epilogue", "ranges"});
  PlanFusion fusion{filled(reader.at("ops")), filled(reader.at("epilogue")), {}};
  int64_t covered = 0;
  for (const JsonReader& item : reader.at("ranges").items()) {
    item.only({"m_min", "m_max"});
    fusion.ranges.push_back(read_rows(item, covered));
    covered = fusion.ranges.back().m_max;
  }
  if (fusion.ranges.empty()) reader.fail("a fusion without ranges");
  return fusion;
}

std::vector<PlanFusion> read_fusions(const JsonReader& reader) {
  std::vector<PlanFusion> fusions;
  for (const JsonReader& item : reader.items()) {
    PlanFusion fusion = read_fusion(item);
    if (std::ranges::find(fusions, fusion.ops, &PlanFusion::ops) != fusions.end()) {
      item.fail(fmt::format("a second fusion of {}", printable(fusion.ops)));
    }
    fusions.push_back(std::move(fusion));
  }
  return fusions;
}

void read_schema(const JsonReader& plan) {
  const int64_t schema = plan.at("schema").integer(1, INT64_MAX);
  if (schema > kPlanSchema) {
    plan.fail(
        fmt::format("the plan has schema {}, this program reads up to {}; use a newer "
                    "tilewright",
                    schema, kPlanSchema));
  }
}

std::vector<PlanTable> read_tables(const JsonReader& reader) {
  std::vector<PlanTable> tables;
  std::set<std::tuple<std::string, DType, int64_t, int64_t, std::string>> keys;
  for (const JsonReader& item : reader.items()) {
    tables.push_back(read_table(item));
    const PlanTable& table = tables.back();
    if (!keys.emplace(table.kernel, table.dtype, table.n, table.k, table.epilogue).second) {
      item.fail(fmt::format("a second table for {} {} n={} k={} epilogue={}",
                            printable(table.kernel), name_of(table.dtype), table.n, table.k,
                            printable(table.epilogue)));
    }
  }
  return tables;
}

}  // namespace

std::string write_plan(const Plan& plan) {
  Json document = {
      {"schema", kPlanSchema},
      {"machine", {{"name", plan.machine_name}, {"fingerprint", plan.machine_fingerprint}}},
      {"model", plan.model},
      {"class", plan.workload_class}};
  document["tables"] = Json::array();
  for (const PlanTable& table : plan.tables) document["tables"].push_back(json_of(table));
  if (!plan.fusions.empty()) {
    Json& fusions = document["fusion"] = Json::array();
    for (const PlanFusion& fusion : plan.fusions) fusions.push_back(json_of(fusion));
  }
  if (!plan.serving.empty()) {
    Json& serving = document["serving"] = Json::object();
    for (const auto& [name, value] : plan.serving) {
      const bool whole = std::abs(value) < 0x1p53 && std::trunc(value) == value;
      serving[name] = whole ? Json(static_cast<int64_t>(value)) : Json(value);
    }
  }
  document["provenance"] = Json::array();
  for (const PlanProvenance& source : plan.provenance) {
    document["provenance"].push_back(
        {{"run", source.run}, {"date", source.date}, {"tool", source.tool}});
  }
  // Invalid UTF-8 (a file name given as model, say) must not stop an export.
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Plan parse_plan(std::string_view text, const std::string& where) {
  const Json document = parse_json(text, where);
  const JsonReader reader(document, where);
  read_schema(reader);
  reader.only({"schema", "machine", "model", "class", "tables", "fusion", "serving", "provenance"});
  Plan plan;
  const JsonReader machine = reader.at("machine");
  machine.only({"name", "fingerprint"});
  plan.machine_name = filled(machine.at("name"));
  plan.machine_fingerprint = filled(machine.at("fingerprint"));
  plan.model = reader.at("model").string();
  plan.workload_class = reader.at("class").string();
  plan.tables = read_tables(reader.at("tables"));
  if (reader.has("fusion")) plan.fusions = read_fusions(reader.at("fusion"));
  if (reader.has("serving")) {
    const JsonReader serving = reader.at("serving");
    for (const std::string& name : serving.keys()) {
      plan.serving.emplace_back(name, serving.at(name).number(-1e15, 1e15));
    }
  }
  for (const JsonReader& item : reader.at("provenance").items()) {
    item.only({"run", "date", "tool"});
    plan.provenance.push_back(
        {item.at("run").integer(0, INT64_MAX), item.at("date").string(), item.at("tool").string()});
  }
  return plan;
}

}  // namespace tilewright
