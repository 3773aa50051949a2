#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "simulator/launch.h"
#include "tuner/calibrate/measured_points.h"
#include "tuner/calibrate/row_rules.h"

namespace tilewright {

/// A measured row beside what the simulator says. Times in us, ratios as fractions.
struct CheckRow {
  MeasuredPoint point;
  bool is_time = false;
  double measured = 0;
  double simulated = 0;
  /// simulated / measured - 1 for times, simulated - measured for ratios.
  double error = 0;
};

struct NotSimulated {
  MeasuredPoint point;
  std::string reason;
};

/// How far the rows of one kernel and metric are off, as absolute errors.
struct ErrorSummary {
  std::string kernel;  ///< empty: all
  std::string metric;  ///< "time" or the CSV's name; empty: all
  bool is_time = false;
  int64_t count = 0;
  double mean = 0;  ///< of times: the mean absolute percentage error, as a fraction
  double median = 0;
  double p90 = 0;
  double largest = 0;
};

/// What one parameter of a row changes, other things being equal: rows of one hardware, kernel and
/// metric whose params differ in that one, which is no size.
struct Effect {
  std::string hardware;
  std::string kernel;
  std::string params;     ///< what the rows have in common
  std::string parameter;  ///< "tile"
  std::string from, to;
  std::string metric;
  double measured = 0;  ///< value of `to` minus value of `from`
  double simulated = 0;
  double error = 0;  ///< simulated / measured - 1
};

struct CheckReport {
  std::vector<CheckRow> rows;
  std::vector<NotSimulated> not_simulated;
  std::vector<ErrorSummary> summary;
  std::vector<Effect> effects;
};

/// The simulated runs that a table of measurements asks for, each built once.
struct MeasuredPlan {
  struct Run {
    MeasuredRun run;
    Launch launch;
  };
  struct Row {
    MeasuredPoint point;
    MetricRule metric;
    size_t run = 0;
    size_t measured_as = 0;
  };
  std::vector<Run> runs;
  std::vector<Row> rows;
  std::vector<NotSimulated> not_simulated;
};

/// Works out what to simulate; rows keep their order.
MeasuredPlan plan_rows(const std::vector<MeasuredPoint>& points, const RowRules& rules,
                       const Machine& machine);

/// Simulates the runs of a plan in detail on `jobs` threads and returns the value of every row: us
/// or fractions. `machine` may have other parameters than the one that the plan was made for, but
/// the same cores and buffers. `done(n)`: n runs have finished.
std::vector<double> simulate_rows(const MeasuredPlan& plan, const Machine& machine, int jobs,
                                  const std::function<void(size_t)>& done);

/// A row's measured value in us or as a fraction.
double measured_value(const MeasuredPlan::Row& row);

/// One run of a plan on a machine: the time in us without any boundary, and the counters.
struct RunResult {
  double us = 0;
  std::vector<std::pair<std::string, double>> counters;
};
RunResult simulate_run(const MeasuredPlan::Run& run, const Machine& machine);

/// The value of a row, given the result of its run.
double row_value(const MeasuredPlan::Row& row, const RunResult& result, const Machine& machine);

/// simulated / measured - 1 for times, simulated - measured for ratios.
double row_error(const MeasuredPlan::Row& row, double simulated);

/// Rows, summaries and effects.
CheckReport report_rows(const MeasuredPlan& plan, const std::vector<double>& simulated);

/// Absolute errors of the rows chosen, by kernel and metric, and of all times and all ratios last.
std::vector<ErrorSummary> summarize_errors(const std::vector<CheckRow>& rows);

/// A launch whose cores each walk an equal part of every tensor, as it runs right after itself:
/// every tensor that is no workspace was walked before, those that it stores to are dirty.
Launch repeated(Launch launch);

}  // namespace tilewright
