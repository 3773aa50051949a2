#include "app/cli/measured_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/progress.h"
#include "app/cli/table.h"
#include "core/base/error.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

constexpr const char* kPointsInData = "measured/ascend/ascend_measured.csv";

Json identity_of(const MeasuredPoint& point) {
  return {{"hardware", point.hardware},
          {"kernel", point.kernel},
          {"params", point.params},
          {"metric", point.metric}};
}

QueryResult short_rows(const CheckReport& report) {
  constexpr size_t kCaseWidth = 29;
  QueryResult table;
  table.columns = {"case", "metric", "measured", "simulated", "error"};
  for (const CheckRow& row : report.rows) {
    const std::string name = short_name(row.point.kernel, 0) + " " + row.point.params;
    table.rows.push_back({elide_middle(name, kCaseWidth), elide_middle(row.point.metric, 17),
                          fmt::format("{:>9}", shown_value(row.measured, row.is_time)),
                          fmt::format("{:>9}", shown_value(row.simulated, row.is_time)),
                          fmt::format("{:>8}", shown_error(row.error, row.is_time))});
  }
  return table;
}

QueryResult effects_table(const CheckReport& report) {
  QueryResult table;
  table.columns = {"case", "change", "measured", "simulated", "off by"};
  for (const Effect& effect : report.effects) {
    const bool is_time = effect.metric == "time";
    const auto shown = [&](double value) {
      return fmt::format("{:>10}", is_time ? format_us(value) : shown_error(value, false));
    };
    table.rows.push_back(
        {elide_middle(effect.kernel + " " + effect.params, 22),
         elide_middle(fmt::format("{} {} to {}", effect.parameter, effect.from, effect.to), 22),
         shown(effect.measured), shown(effect.simulated),
         fmt::format("{:>+6.0f} %", 100 * effect.error)});
  }
  return table;
}

}  // namespace

std::string short_name(const std::string& name, size_t width) {
  const std::string whole = name.substr(0, name.find(" ("));
  return width == 0 ? whole : elide_middle(whole, width);
}

std::string points_path(const Context& context) {
  if (context.arguments().has("points")) return context.arguments().text("points");
  if (context.globals().data.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("no measurements to compare with: give --points FILE.csv, or set "
                            "TILEWRIGHT_DATA to a folder that has {}",
                            kPointsInData));
  }
  return context.globals().data + "/" + kPointsInData;
}

Json json_of(const ErrorSummary& summary) {
  return {{"kernel", summary.kernel.empty() ? Json(nullptr) : Json(summary.kernel)},
          {"metric", summary.metric},
          {"count", summary.count},
          {summary.is_time ? "mape" : "mean", summary.mean},
          {"median", summary.median},
          {"p90", summary.p90},
          {"max", summary.largest}};
}

void put_report(const CheckReport& report, Json& json) {
  Json& rows = json["rows"] = Json::array();
  for (const CheckRow& row : report.rows) {
    Json entry = identity_of(row.point);
    entry["unit"] = row.is_time ? "us" : "1";
    entry["measured"] = row.measured;
    entry["simulated"] = row.simulated;
    entry["error"] = row.error;
    rows.push_back(std::move(entry));
  }
  Json& left_out = json["not_simulated"] = Json::array();
  for (const NotSimulated& row : report.not_simulated) {
    Json entry = identity_of(row.point);
    entry["reason"] = row.reason;
    left_out.push_back(std::move(entry));
  }
  Json& summaries = json["summary"] = Json::array();
  for (const ErrorSummary& summary : report.summary) summaries.push_back(json_of(summary));
  Json& effects = json["effects"] = Json::array();
  for (const Effect& effect : report.effects) {
    effects.push_back({{"hardware", effect.hardware},
                       {"kernel", effect.kernel},
                       {"params", effect.params},
                       {"parameter", effect.parameter},
                       {"from", effect.from},
                       {"to", effect.to},
                       {"metric", effect.metric},
                       {"measured", effect.measured},
                       {"simulated", effect.simulated},
                       {"error", effect.error}});
  }
}

QueryResult rows_table(const CheckReport& report) {
  QueryResult table;
  table.columns = {"hardware", "kernel",   "params",    "metric",
                   "unit",     "measured", "simulated", "error"};
  for (const CheckRow& row : report.rows) {
    table.rows.push_back({row.point.hardware, row.point.kernel, row.point.params, row.point.metric,
                          row.is_time ? "us" : "1", row.measured, row.simulated, row.error});
  }
  return table;
}

std::string shown_value(double value, bool is_time) {
  return is_time ? format_us(value) : format_share(value);
}

std::string shown_error(double error, bool is_time) {
  return fmt::format("{:+.1f} {}", 100 * error, is_time ? "%" : "pt");
}

QueryResult summary_table(const std::vector<ErrorSummary>& summaries, size_t name_width) {
  QueryResult table;
  table.columns = {"kernel", "metric", "rows", "mean", "median", "p90", "max"};
  for (const ErrorSummary& summary : summaries) {
    const auto shown = [&](double error) {
      return fmt::format("{:.1f} {}", 100 * error, summary.is_time ? "%" : "pt");
    };
    table.rows.push_back({summary.kernel.empty() ? "all" : short_name(summary.kernel, name_width),
                          short_name(summary.metric, name_width), summary.count,
                          shown(summary.mean), shown(summary.median), shown(summary.p90),
                          shown(summary.largest)});
  }
  return table;
}

QueryResult left_out_table(const CheckReport& report, size_t reason_width) {
  struct Group {
    std::string hardware, kernel, reason;
    int64_t rows = 0;
  };
  std::vector<Group> groups;
  for (const NotSimulated& row : report.not_simulated) {
    const Group group{row.point.hardware, row.point.kernel, row.reason, 1};
    bool known = false;
    for (Group& other : groups) {
      if (other.hardware != group.hardware || other.kernel != group.kernel ||
          other.reason != group.reason) {
        continue;
      }
      ++other.rows;
      known = true;
    }
    if (!known) groups.push_back(group);
  }
  QueryResult table;
  table.columns = {"hardware", "kernel", "rows", "reason"};
  const auto cut = [](const std::string& text, size_t width) {
    return width == 0 ? text : elide_middle(text, width);
  };
  const size_t name_width = reason_width == 0 ? 0 : 20;
  for (const Group& group : groups) {
    table.rows.push_back({cut(group.hardware, name_width), cut(group.kernel, name_width),
                          group.rows, cut(group.reason, reason_width)});
  }
  return table;
}

std::string report_text(Context& context, const Machine& machine, const CheckReport& report) {
  std::string text =
      fmt::format("{} ({}): {} rows simulated, {} not\n\n", context.heading(machine.name),
                  machine.fingerprint(), report.rows.size(), report.not_simulated.size());
  if (!report.rows.empty()) text += to_table(short_rows(report)) + "\n";
  if (!report.summary.empty()) {
    text += context.heading("absolute errors") + "\n" + to_table(summary_table(report.summary, 17));
  }
  if (!report.effects.empty()) {
    text += "\n" + context.heading("effects") + "\n" + to_table(effects_table(report));
  }
  if (!report.not_simulated.empty()) {
    text += "\n" + context.heading("not simulated") + "\n" + to_table(left_out_table(report, 30));
  }
  return text;
}

}  // namespace tilewright
