#include "app/cli/accuracy_document.h"

#include <fmt/format.h>

#include "app/cli/measured_report.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

constexpr const char* kMethod =
    R"(The simulator beside hardware: figures that others measured and published, and what the detailed
timing says of the same launches. This file is written by

    tilewright machine check {0} --points FILE.csv --markdown docs/accuracy.md

where FILE.csv holds the measurements, one a line (docs/formats.md, "Rows of measurements").

## Method

A row names hardware, kernel and params. `measured_as` in the machine file lists the names of
hardware that the file stands for, the cores that their kernels had, and what their times hold
beyond the kernel. A table of rules (`tuner/calibrate/measured_rows.json`) says which kernel, sizes,
types and config a row means. The launch is simulated in detail, with L2 empty at first, or right
after itself where the measurement repeats it. Errors are simulated / measured - 1 for times (%) and
differences of the busy shares for ratios (points, pt).

`tilewright calibrate` fits parameters of the machine to such rows. Values that were fitted are
marked so in the machine file; every other value is what its source states. Published effects (tile
orientation, swizzle, sizes of transfers, double buffers) are tests:
`tests/kernels/measured_effects_test.cpp`.
)";

std::string markdown_of(const QueryResult& table) {
  std::string text;
  const auto add_line = [&](const auto& cell) {
    text += "|";
    for (size_t c = 0; c < table.columns.size(); ++c) text += " " + cell(c) + " |";
    text += "\n";
  };
  add_line([&](size_t c) { return table.columns[c]; });
  add_line([](size_t) { return std::string("---"); });
  for (const auto& row : table.rows) {
    add_line([&](size_t c) {
      std::string cell = to_text(row[c]);
      for (size_t at = cell.find('|'); at != std::string::npos; at = cell.find('|', at + 2))
        cell.insert(at, "\\");
      return cell;
    });
  }
  return text;
}

QueryResult full_rows(const CheckReport& report) {
  QueryResult table;
  table.columns = {"hardware", "kernel", "params", "metric", "measured", "simulated", "error"};
  for (const CheckRow& row : report.rows) {
    table.rows.push_back({row.point.hardware, row.point.kernel, row.point.params, row.point.metric,
                          shown_value(row.measured, row.is_time),
                          shown_value(row.simulated, row.is_time),
                          shown_error(row.error, row.is_time)});
  }
  return table;
}

QueryResult full_effects(const CheckReport& report) {
  QueryResult table;
  table.columns = {"kernel", "params", "change", "metric", "measured", "simulated", "off by"};
  for (const Effect& effect : report.effects) {
    const bool is_time = effect.metric == "time";
    const auto shown = [&](double value) {
      return is_time ? format_us(value) : shown_error(value, false);
    };
    table.rows.push_back({effect.kernel, effect.params,
                          fmt::format("{} {} to {}", effect.parameter, effect.from, effect.to),
                          effect.metric, shown(effect.measured), shown(effect.simulated),
                          fmt::format("{:+.0f} %", 100 * effect.error)});
  }
  return table;
}

}  // namespace

std::string accuracy_document(const Machine& machine, const CheckReport& report) {
  std::string text = "# Accuracy\n\n" + fmt::format(kMethod, machine.name);
  text +=
      fmt::format("\n## Rows\n\n{} (fingerprint {}): {} rows simulated, {} not.\n\n", machine.name,
                  machine.fingerprint(), report.rows.size(), report.not_simulated.size());
  text += markdown_of(full_rows(report));
  text += "\n## Absolute errors\n\n" + markdown_of(summary_table(report.summary, 0));
  if (!report.effects.empty()) {
    text += "\n## Effects\n\nWhat one choice changes, other things being equal.\n\n" +
            markdown_of(full_effects(report));
  }
  text += "\n## Fitted parameters\n\n";
  QueryResult fitted;
  fitted.columns = {"parameter", "value", "source"};
  for (const auto& [path, source] : machine.sources)
    fitted.rows.push_back({path, fmt::format("{:.6g}", get_field(machine, path)), source});
  for (const MeasuredAs& as : machine.measured_as) {
    if (as.boundary_us == 0) continue;
    fitted.rows.push_back(
        {fmt::format("boundary of \"{}\"", as.hardware), format_us(as.boundary_us), as.boundary});
  }
  text += markdown_of(fitted);
  text += "\n## Not simulated\n\n" + markdown_of(left_out_table(report, 0));
  return text;
}

}  // namespace tilewright
