#include "app/export/replay_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cli/command.h"
#include "app/cli/context.h"
#include "app/cli/options.h"
#include "app/cli/serving_run.h"
#include "app/cli/settings.h"
#include "app/tui/serve/serve_command.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/model/ops.h"

namespace tilewright {

namespace {

constexpr std::string_view kName = "replay";

/// Shares of a percent are within what a request that arrives between other steps makes.
constexpr double kNoise = 0.01;

/// Requests of traffic that a run has not: enough that every kind of step occurs.
constexpr const char* kStandInRequests = "40";

/// Options of `tune` that say what is served, as `replay` has them, too.
std::vector<std::string> shared_options(const Arguments& arguments) {
  std::vector<std::string> words;
  const std::vector<Option>& tuning = find_command("tune").options;
  const auto is_of_tune = [&](const Option& option) {
    return std::ranges::find(tuning, option.name, &Option::name) != tuning.end();
  };
  for (const Option& option : find_command("replay").options) {
    if (!is_of_tune(option) || !arguments.has(option.name)) continue;
    words.push_back("--" + option.name);
    if (!option.value.empty()) words.push_back(arguments.text(option.name));
  }
  for (const char* global : {"machine", "seed"}) {
    if (!arguments.has(global)) continue;
    words.insert(words.end(), {std::string("--") + global, arguments.text(global)});
  }
  return words;
}

ReplayTraffic own_traffic(const Run& run) {
  std::vector<std::string> words = words_of_command(run.command);
  const SplitLine line = split_command(words, global_options());
  if (line.command != "tune") {
    throw Error(ErrorKind::kUsage, fmt::format("run {} was not made by `tilewright tune` alone: {}",
                                               run.id, printable(run.command, 200)));
  }
  std::vector<Option> options = find_command("tune").options;
  options.insert(options.end(), global_options().begin(), global_options().end());
  const Arguments arguments = parse_options(line.rest, options);
  if (arguments.positionals().empty()) {
    throw Error(ErrorKind::kUsage, fmt::format("the command line of run {} names no model: {}",
                                               run.id, printable(run.command, 200)));
  }
  ReplayTraffic traffic;
  traffic.words = {"replay", arguments.positionals()[0]};
  const std::vector<std::string> shared = shared_options(arguments);
  traffic.words.insert(traffic.words.end(), shared.begin(), shared.end());
  traffic.told = fmt::format("{}, {}", printable(run.model), printable(run.workload));
  traffic.is_own = true;
  return traffic;
}

/// Tables of the plan that are of a matrix of the model.
int64_t matching_tables(const Plan& plan, const ModelConfig& model) {
  const std::vector<ModelOp> ops = decoder_ops(model, 1, 1);
  return std::ranges::count_if(plan.tables, [&](const PlanTable& table) {
    return table.dtype == model.dtype && std::ranges::any_of(ops, [&](const ModelOp& op) {
             return op.kind == OpKind::kGemm && op.columns == table.n && op.depth == table.k;
           });
  });
}

ReplayTraffic stand_in(const Run& run, const Plan& plan) {
  std::string best;
  int64_t most = 0;
  for (const std::string& name : model_names()) {
    const int64_t count = matching_tables(plan, load_model(name));
    if (count > most) {
      best = name;
      most = count;
    }
  }
  if (most == 0) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("run {} was tuned for no model, and no model that ships has a matrix "
                            "of the plan in its type",
                            run.id));
  }
  return {{"replay", best, "--workload", "chat", "--limit", kStandInRequests, "--machine",
           run.machine_name},
          best + ", chat",
          false};
}

/// One of the two runs; false when it was ended.
bool serve_once(const ServingSetup& setup, double from, const CheckProgress& progress,
                const std::function<bool()>& stop, Replay& replay) {
  ServingCallbacks callbacks;
  callbacks.stop = stop;
  callbacks.progress = [&](const ServingProgress& at) {
    const auto all = static_cast<double>(std::max<int64_t>(1, at.requests));
    progress(from + 0.5 * static_cast<double>(at.finished) / all);
  };
  serve_replay(setup, {}, callbacks, replay);
  return !replay.result.interrupted;
}

double percentile(const LatencySummary& latency, double percent) {
  for (const auto& [p, ms] : latency.percentiles) {
    if (p == percent) return ms;
  }
  return 0;
}

std::string change(double before, double after) {
  return before > 0 ? fmt::format("{:+.1f} %", 100 * (after / before - 1)) : "-";
}

std::string ms_change(double before, double after) {
  return fmt::format("{} -> {} ({})", format_us(before * 1e3), format_us(after * 1e3),
                     change(before, after));
}

PlanCheck judge(const ReplayTraffic& traffic, const ServingMetrics& with,
                const ServingMetrics& without) {
  PlanCheck check{kName, CheckStatus::kOk, ""};
  const bool is_slower = with.e2el.mean > (1 + kNoise) * without.e2el.mean ||
                         with.output_throughput < (1 - kNoise) * without.output_throughput;
  check.text = fmt::format("{}: {:.1f} -> {:.1f} tok/s ({}), E2E mean {}, p95 {}{}", traffic.told,
                           without.output_throughput, with.output_throughput,
                           change(without.output_throughput, with.output_throughput),
                           ms_change(without.e2el.mean, with.e2el.mean),
                           ms_change(percentile(without.e2el, 95), percentile(with.e2el, 95)),
                           is_slower ? "; slower with the plan than without" : "");
  if (!traffic.is_own) {
    check.status = CheckStatus::kNote;
    check.text += "; the run has no traffic of its own";
  } else if (is_slower) {
    check.status = CheckStatus::kFailed;
  }
  return check;
}

}  // namespace

ReplayTraffic traffic_of(const Run& run, const Plan& plan) {
  return run.model.empty() ? stand_in(run, plan) : own_traffic(run);
}

ReplayedPlan check_replay(const Run& run, const Plan& plan, const std::string& db,
                          const CheckProgress& progress, const std::function<bool()>& stop) {
  ReplayedPlan replayed;
  replayed.check.name = kName;
  try {
    const ReplayTraffic traffic = traffic_of(run, plan);
    const ReplayCommand command(traffic.words, db, run.machine_name, [](std::string_view) {});
    const ServingSetup setup = read_serving_setup(command.context(), command.model());
    check_plan_machine(plan, setup.machine.name, setup.machine.fingerprint(), false);
    Replay without, with;
    without.label = kNoPlan;
    with.label = "the plan";
    with.plan = &plan;
    if (!serve_once(setup, 0, progress, stop, without) ||
        !serve_once(setup, 0.5, progress, stop, with)) {
      replayed.check.text = "it was ended";
      return replayed;
    }
    replayed.gains = gains(with, without);
    replayed.check = judge(traffic, with.metrics, without.metrics);
    replayed.with = std::move(with.metrics);
    replayed.without = std::move(without.metrics);
  } catch (const Error& error) {
    replayed.check.text = error.message();
  }
  return replayed;
}

}  // namespace tilewright
