#include "app/cli/timing_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "app/cli/table.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

struct PipeColumn {
  CoreKind kind;
  Pipe pipe;
  const char* name;
};

constexpr PipeColumn kPipeColumns[] = {
    {CoreKind::kAic, Pipe::kCube, "aic_cube"}, {CoreKind::kAic, Pipe::kMte1, "aic_mte1"},
    {CoreKind::kAic, Pipe::kMte2, "aic_mte2"}, {CoreKind::kAic, Pipe::kFixp, "aic_fixpipe"},
    {CoreKind::kAiv, Pipe::kVec, "aiv_vec"},   {CoreKind::kAiv, Pipe::kMte2, "aiv_mte2"},
    {CoreKind::kAiv, Pipe::kMte3, "aiv_mte3"},
};

struct KindColumns {
  CoreKind kind;
  const char* prefix;
  const char* load;
  const char* store;
  const char* flops;
};

constexpr KindColumns kKindColumns[] = {
    {CoreKind::kAic, "aic", "GM_to_L1_datas(KB)", "L0C_to_GM_datas(KB)", "aic_cube_fops"},
    {CoreKind::kAiv, "aiv", "GM_to_UB_datas(KB)", "UB_to_GM_datas(KB)", "aiv_vec_fops"},
};

/// "memory bound" of "memory_bound".
std::string in_words(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '_', ' ');
  return text;
}

/// The reason's parts on a line each.
std::string indented(std::string reason) {
  for (size_t at = reason.find("; "); at != std::string::npos; at = reason.find("; ", at)) {
    reason.replace(at, 2, "\n  ");
  }
  return "  " + reason + "\n";
}

}  // namespace

double cycles_of(int64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(kTicksPerCycle);
}

Json json_of(const Breakdown& breakdown, const Machine& machine) {
  Json entries = Json::array();
  for (const Breakdown::Entry& entry : breakdown.entries()) {
    entries.push_back({{"cause", entry.cause},
                       {"us", machine.us_of_ticks(entry.ticks)},
                       {"cycles", cycles_of(entry.ticks)},
                       {"share", entry.share}});
  }
  return entries;
}

Json json_of(const Roofline& roofline) {
  Json json;
  json["verdict"] = name_of(roofline.verdict);
  json["reason"] = roofline.reason;
  Json& components = json["components"] = Json::array();
  for (const ComponentUse& use : roofline.components) {
    components.push_back({{"component", name_of(use.component)},
                          {"efficiency", use.efficiency},
                          {"active_ratio", use.active_ratio},
                          {"utilisation", use.utilisation()}});
  }
  return json;
}

std::string text_of(const Breakdown& breakdown, const Machine& machine) {
  std::string text;
  double us = 0;
  double share = 0;
  int64_t ticks = 0;
  const auto line = [](const std::string& name, double time_us, int64_t time_ticks, double part) {
    return fmt::format("  {:<18}{:>14}{:>16} cycles{:>9}\n", name, format_us(time_us),
                       format_count(time_ticks / kTicksPerCycle), format_share(part));
  };
  for (const Breakdown::Entry& entry : breakdown.entries()) {
    const double entry_us = machine.us_of_ticks(entry.ticks);
    text += line(entry.cause, entry_us, entry.ticks, entry.share);
    us += entry_us;
    share += entry.share;
    ticks += entry.ticks;
  }
  return text + line("total", us, ticks, share);
}

std::string text_of(Context& context, const Roofline& roofline) {
  std::string text = context.heading("component roofline: " + in_words(name_of(roofline.verdict))) +
                     "\n" + indented(roofline.reason);
  text += fmt::format("  {:<10}{:>12}{:>12}{:>12}\n", "", "efficiency", "active", "used");
  for (const ComponentUse& use : roofline.components) {
    text += fmt::format("  {:<10}{:>12}{:>12}{:>12}\n", name_of(use.component),
                        format_share(use.efficiency), format_share(use.active_ratio),
                        format_share(use.utilisation()));
  }
  return text;
}

QueryResult core_counters(const Launch& launch, const TimingResult& timing,
                          const Machine& machine) {
  QueryResult table;
  table.columns = {"block_id", "sub_block_id"};
  for (const KindColumns& kind : kKindColumns) {
    table.columns.push_back(fmt::format("{}_time(us)", kind.prefix));
    table.columns.push_back(fmt::format("{}_total_cycles", kind.prefix));
    for (const PipeColumn& pipe : kPipeColumns) {
      if (pipe.kind != kind.kind) continue;
      for (const char* what : {"_time(us)", "_ratio", "_wait_ratio"}) {
        table.columns.push_back(std::string(pipe.name) + what);
      }
    }
    for (const char* name : {kind.load, kind.store, kind.flops}) table.columns.emplace_back(name);
  }
  const auto whole = static_cast<double>(timing.ticks);
  std::map<std::pair<int, CoreKind>, int> numbers;  // of a group's cores
  for (size_t i = 0; i < timing.cores.size(); ++i) {
    const CoreCounters& core = timing.cores[i];
    // Blocks of one chip after those of the chip before.
    const CoreProgram& program = launch.cores[i];
    const int group = program.chip * static_cast<int>(machine.cores.aic) + program.group;
    const int number = numbers[{group, core.kind}]++;
    if (std::ranges::none_of(core.instructions, [](int64_t count) { return count > 0; })) continue;
    std::vector<Cell> row = {
        int64_t{group},
        fmt::format("{}{}", core.kind == CoreKind::kAic ? "cube" : "vector", number)};
    for (const KindColumns& kind : kKindColumns) {
      const bool own = kind.kind == core.kind;
      const auto add = [&](double value) { row.push_back(own ? Cell(value) : Cell()); };
      add(machine.us_of_ticks(core.end_ticks));
      add(cycles_of(core.end_ticks));
      for (const PipeColumn& pipe : kPipeColumns) {
        if (pipe.kind != kind.kind) continue;
        const auto p = static_cast<size_t>(pipe.pipe);
        add(machine.us_of_ticks(core.busy_ticks[p]));
        add(static_cast<double>(core.busy_ticks[p]) / whole);
        add(static_cast<double>(core.wait_ticks[p]) / whole);
      }
      add(static_cast<double>(core.load_bytes) / 1024);
      add(static_cast<double>(core.store_bytes) / 1024);
      add(static_cast<double>(core.flops));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace tilewright
