#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/context.h"
#include "app/cli/serving_record.h"
#include "core/base/json.h"
#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "db/store.h"
#include "kernels/padding_traffic.h"
#include "simulator/profile.h"
#include "simulator/roofline.h"

namespace tilewright {

/// An amount with a name.
struct ReportRow {
  std::string name;
  double value = 0;
  int64_t count = 0;  ///< how often; 0 where that says nothing
};

/// Amounts of one kind, for example the time of each op. Two runs are compared section by section,
/// by the names of the rows, so that runs of a kind have the same sections, be they empty.
struct ReportSection {
  std::string key;  ///< of the JSON
  std::string title;
  std::string unit;     ///< "cycles", "us", or empty: the names of the rows say it
  bool sums_up = true;  ///< its rows are parts of the run's time
  std::vector<ReportRow> rows;
  std::string if_empty = "nothing was kept";  ///< the text without rows
};

/// A kernel run, simulated again with all details.
struct KernelDetails {
  Machine machine;
  Problem problem;
  Config config;
  std::string evaluator;  ///< that timed the stored run
  double stored_us = 0;   ///< what it found
  LaunchProfile profile;
  Roofline roofline;
  std::optional<PaddingTraffic> padding;  ///< where the kernel says what is padding

  /// Whether the stored run was timed as this one, so that both have the same time.
  bool is_detailed() const { return evaluator.ends_with("/detailed"); }
};

/// A serving run step by step.
struct ServingDetails {
  ServingRecord record;
  double peak_flops = 0;  ///< of the device, 0 where it is not known
  double peak_bytes_per_s = 0;
  int64_t kv_blocks = 0;  ///< of the device
};

/// What is known about a run.
struct RunReport {
  Run run;
  std::optional<KernelDetails> kernel;
  std::optional<ServingDetails> serving;  ///< where a log was kept
  std::string unit;                       ///< of `total`
  double total = 0;                       ///< the run's time: cycles of a kernel, us of others
  std::vector<ReportSection> sections;
};

/// Gives what takes the events of a launch that is simulated again, and may end that by throwing.
using WatchSimulation = std::function<std::unique_ptr<TimelineSink>(const Launch&)>;

/// The report of a run, given by its number or its label (then the latest one). A kernel run is
/// simulated again, as details are not kept: Error (check failed) when it is out of date, that is
/// when the kernel, the timing model or the machine's parameters have changed since. Error (not
/// found) when there is no such run.
/// `told` hears of a simulation that takes long, if there is somebody to tell.
RunReport read_report(Store& store, const std::string& run, const Context* told = nullptr,
                      const WatchSimulation& watch = {});

/// The result of a run as it was kept; null when it ended without one.
Json stored_result(const Run& run);

/// Number, kind, label, status, date, machine and so on.
Json identity_json(const Run& run);

/// `text` behind a label of nine columns, broken at spaces and commas to 80 columns.
std::string labelled(std::string_view label, std::string_view text);

}  // namespace tilewright
