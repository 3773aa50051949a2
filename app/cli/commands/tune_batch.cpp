// `tilewright tune BATCH.json`: many tunings one after another, and `--dry-run`, which only counts.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "app/cli/batch_file.h"
#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/tune_target.h"
#include "app/cli/evaluator_arguments.h"
#include "app/cli/interrupt.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/progress.h"
#include "app/cli/table.h"
#include "app/cli/tune_forecast.h"
#include "app/cli/work_estimate.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "kernels/kernel.h"

namespace tilewright {

namespace {

/// A job with the context in which it runs: as if its options stood on the command line.
struct PreparedJob {
  std::string name;
  Arguments arguments;
  Globals globals;
  std::unique_ptr<Context> context;
};

/// Options of the batch's own command line that hold for every job: how configs are timed.
std::vector<std::string> evaluator_tokens(const Arguments& arguments) {
  std::vector<std::string> tokens;
  for (const Option& option : evaluator_options()) {
    if (!arguments.has(option.name)) continue;
    tokens.push_back(fmt::format("--{}={}", option.name, arguments.text(option.name)));
  }
  return tokens;
}

void refuse_job_options(const Arguments& arguments) {
  std::vector<std::string> own = {"dry-run", "shard"};
  for (const Option& option : evaluator_options()) own.push_back(option.name);
  for (const Option& option : find_command("tune").options) {
    if (!arguments.has(option.name) || std::ranges::find(own, option.name) != own.end()) continue;
    throw Error(ErrorKind::kUsage, fmt::format("--{} is said for each job, or in the defaults, of "
                                               "a batch file",
                                               option.name));
  }
}

std::unique_ptr<PreparedJob> prepare(Context& context, const BatchJob& job,
                                     const std::vector<std::string>& common) {
  const Command& command = find_command("tune");
  std::vector<std::string> tokens = job.tokens;
  tokens.insert(tokens.end(), common.begin(), common.end());
  try {
    auto prepared = std::make_unique<PreparedJob>(
        PreparedJob{job.name, parse_options(tokens, command.options), context.globals(), nullptr});
    if (!job.machine.empty()) prepared->globals.machine = job.machine;
    if (job.seed) prepared->globals.seed = *job.seed;
    prepared->context = std::make_unique<Context>(prepared->arguments, prepared->globals,
                                                  context.console(), context.command_line());
    // What would fail at once fails before the first job has run.
    prepared->context->machine();
    if (prepared->arguments.has("shape")) {
      read_problem(find_kernel(tokens.front()), read_request(prepared->arguments));
    }
    return prepared;
  } catch (const Error& error) {
    // What is wrong here stands in a file, not on the command line.
    const ErrorKind kind = error.kind() == ErrorKind::kUsage ? ErrorKind::kFailed : error.kind();
    throw Error(kind, error.message()).in(job.where);
  }
}

/// The jobs of the file, and what the command line adds to each of them. Shards do not see each
/// other, so none begins with what another one found.
std::vector<BatchJob> read_jobs(const Context& context, const Shard& shard,
                                std::vector<std::string>& common) {
  const Arguments& arguments = context.arguments();
  refuse_job_options(arguments);
  common = evaluator_tokens(arguments);
  if (!shard.is_whole()) common.push_back("--no-transfer");
  const std::string& path = arguments.positionals()[0];
  return read_batch(read_file(path), path);
}

std::vector<std::unique_ptr<PreparedJob>> prepare_batch(Context& context, const Shard& shard) {
  std::vector<std::string> common;
  std::vector<std::unique_ptr<PreparedJob>> jobs;
  for (const BatchJob& job : read_jobs(context, shard, common)) {
    jobs.push_back(prepare(context, job, common));
  }
  return jobs;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(std::max(0.0, seconds)));
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

/// "[#####.....]".
std::string bar(double fraction) {
  constexpr int kWidth = 20;
  const int full = static_cast<int>(fraction * kWidth);
  return fmt::format("[{:#<{}}{:.<{}}]", "", full, "", kWidth - full);
}

/// One job after its turn.
struct JobResult {
  std::string name;
  std::string status;  ///< done, out of time, interrupted, failed, other shard, not started
  std::string reason;  ///< of a failure
  TuneOutcome outcome;
};

JobResult run_job(PreparedJob& job, const TunePlace& place) {
  JobResult result{job.name, "done", "", {}};
  try {
    result.outcome = tune_target(*job.context, place);
    if (result.outcome.interrupted) {
      result.status = "interrupted";
    } else if (result.outcome.run == 0) {
      result.status = "other shard";
    } else if (result.outcome.out_of_time) {
      result.status = "out of time";
    }
  } catch (const Error& error) {
    result.status = "failed";
    result.reason = error.message();
  }
  return result;
}

QueryResult summary_table(const std::vector<JobResult>& results) {
  QueryResult table;
  table.columns = {"job",  "run",         "status", "problems", "best_us",
                   "gain", "evaluations", "hits",   "failures", "reason"};
  for (const JobResult& result : results) {
    const TuneOutcome& outcome = result.outcome;
    const auto known = [](double value) { return value > 0 ? Cell(value) : Cell(); };
    table.rows.push_back({result.name, outcome.run > 0 ? Cell(outcome.run) : Cell(), result.status,
                          outcome.problems, known(outcome.best_us), known(outcome.gain()),
                          outcome.evaluations, outcome.cache_hits, outcome.failures,
                          result.reason});
  }
  return table;
}

/// As people read it; the reasons take lines of their own.
void print_text(Context& context, const std::vector<JobResult>& results) {
  QueryResult table;
  table.columns = {"job",  "run",         "status", "problems", "best",
                   "gain", "evaluations", "hits",   "failures"};
  for (const JobResult& result : results) {
    const TuneOutcome& outcome = result.outcome;
    table.rows.push_back({result.name, outcome.run > 0 ? Cell(outcome.run) : Cell(), result.status,
                          outcome.problems, outcome.best_us > 0 ? format_us(outcome.best_us) : "-",
                          outcome.gain() > 0 ? fmt::format("{:.3f}x", outcome.gain()) : "-",
                          outcome.evaluations, outcome.cache_hits, outcome.failures});
  }
  context.print(to_table(table));
  for (const JobResult& result : results) {
    if (!result.reason.empty()) {
      context.print(
          fmt::format("{}: {}\n", result.name, printable(result.reason, result.reason.size())));
    }
  }
}

Json json_of(const std::vector<JobResult>& results, const std::string& path, double wall_ms) {
  Json json = output_object();
  json["batch"] = path;
  json["failed"] = std::ranges::count(results, "failed", &JobResult::status);
  json["interrupted"] = interrupted();
  Json& jobs = json["jobs"] = Json::array();
  for (const JobResult& result : results) {
    const TuneOutcome& outcome = result.outcome;
    const auto known = [](double value) { return value > 0 ? Json(value) : Json(nullptr); };
    jobs.push_back({{"name", result.name},
                    {"status", result.status},
                    {"reason", result.reason},
                    {"session", outcome.run > 0 ? Json(outcome.run) : Json(nullptr)},
                    {"target", outcome.target},
                    {"problems", outcome.problems},
                    {"evaluations", outcome.evaluations},
                    {"cache_hits", outcome.cache_hits},
                    {"failures", outcome.failures},
                    {"baseline_us", known(outcome.baseline_us)},
                    {"best_us", known(outcome.best_us)},
                    {"gain", known(outcome.gain())}});
  }
  json["wall_ms"] = wall_ms;
  return json;
}

/// Jobs count alike, so the time that is left is a guess until several have ended.
std::vector<JobResult> run_jobs(Context& context, std::vector<std::unique_ptr<PreparedJob>>& jobs,
                                Store& store, Cluster& cluster, Shard shard) {
  Progress progress(context.console().err(), context.globals().quiet);
  const double started = wall_seconds();
  std::vector<JobResult> results;
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (interrupted()) {
      results.push_back({jobs[i]->name, "not started", "", {}});
      continue;
    }
    shard.first = static_cast<int>(i);
    const auto show = [&](const TuneProgress& at) {
      progress.update([&] {
        const double of_job =
            at.total > 0 ? static_cast<double>(at.done) / static_cast<double>(at.total) : 0;
        const double share = (static_cast<double>(i) + of_job) / static_cast<double>(jobs.size());
        const double left = share > 0 ? (wall_seconds() - started) * (1 / share - 1) : 0;
        return fmt::format("{} {:.0f} % job {}/{} {}: {}/{} configs, {} (untuned {}), ETA {}",
                           bar(share), 100 * share, i + 1, jobs.size(), jobs[i]->name, at.done,
                           at.total, format_us(at.best_us), format_us(at.baseline_us),
                           duration_text(left));
      });
    };
    results.push_back(run_job(*jobs[i], {store, cluster, shard, show}));
  }
  return results;
}

Json json_of(const TuneForecast& forecast, const std::string& name) {
  const bool is_unknown = forecast.source == ForecastSource::kUnknown;
  return {{"name", name},
          {"target", forecast.target},
          {"problems", forecast.problems},
          {"legal_configs", forecast.legal},
          {"planned_evaluations", forecast.planned},
          {"bound", name_of(forecast.bound)},
          {"cached_evaluations", forecast.cached},
          {"estimated_seconds", is_unknown ? Json(nullptr) : Json(forecast.seconds)},
          {"estimated_from", name_of(forecast.source)}};
}

/// The database as it is; nothing where there is none yet.
std::optional<Store> existing_store(const std::string& path) {
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return std::nullopt;
  return Store::open(path, OpenMode::kReadOnly);
}

/// Counts every job that can run; how many cannot.
int64_t forecast_batch(Context& context, Store* known, Shard part,
                       std::vector<std::pair<std::string, TuneForecast>>& forecasts) {
  std::vector<std::string> common;
  int64_t failed = 0;
  part.first = 0;
  for (const BatchJob& job : read_jobs(context, part, common)) {
    try {
      const auto prepared = prepare(context, job, common);
      forecasts.emplace_back(job.name, forecast_target(*prepared->context, known, part));
    } catch (const Error& error) {
      context.warn(fmt::format("job {} cannot run: {}", job.name, error.message()));
      ++failed;
    }
    ++part.first;
  }
  return failed;
}

/// In CSV the numbers of JSON; on a screen as people read them.
void add_to_table(QueryResult& table, const std::string& name, const TuneForecast& forecast,
                  bool is_csv) {
  const bool is_unknown = forecast.source == ForecastSource::kUnknown;
  Cell seconds = is_unknown ? Cell() : Cell(forecast.seconds);
  if (!is_csv) seconds = is_unknown ? "unknown" : "about " + format_duration(forecast.seconds);
  table.rows.push_back({name, forecast.problems, forecast.legal,
                        std::string(name_of(forecast.bound)), forecast.planned, forecast.cached,
                        seconds, std::string(name_of(forecast.source))});
}

}  // namespace

int run_tune_batch(Context& context, Cluster& cluster, const Shard& shard) {
  const double started = wall_seconds();
  auto jobs = prepare_batch(context, shard);
  Store store = open_shard(context, shard);
  const std::vector<JobResult> results = run_jobs(context, jobs, store, cluster, shard);
  if (context.globals().json) {
    context.print_json(
        json_of(results, context.arguments().positionals()[0], (wall_seconds() - started) * 1e3));
  } else if (context.globals().csv) {
    context.print_table(summary_table(results));
  } else {
    print_text(context, results);
  }
  if (interrupted()) {
    context.warn("interrupted; everything measured is kept, the same command goes on from there");
    return kExitInterrupted;
  }
  const bool failed = std::ranges::count(results, "failed", &JobResult::status) > 0;
  return failed ? static_cast<int>(ErrorKind::kFailed) : kExitOk;
}

int run_tune_forecast(Context& context, const Shard& shard) {
  const std::string& target = context.arguments().positionals()[0];
  std::optional<Store> store = existing_store(shard_path(context.globals().db, shard));
  Store* const known = store ? &*store : nullptr;
  std::vector<std::pair<std::string, TuneForecast>> forecasts;
  int64_t failed = 0;
  if (!is_batch_file(target)) {
    forecasts.emplace_back(target, forecast_target(context, known, shard));
  } else {
    failed = forecast_batch(context, known, shard, forecasts);
  }
  TuneForecast all;
  QueryResult table;
  table.columns = {"job",
                   "problems",
                   "legal_configs",
                   "bound",
                   "planned_evaluations",
                   "cached_evaluations",
                   context.globals().csv ? "estimated_seconds" : "one thread takes",
                   "estimated_from"};
  Json json = output_object();
  Json& jobs = json["jobs"] = Json::array();
  for (const auto& [name, forecast] : forecasts) {
    all.add(forecast);
    jobs.push_back(json_of(forecast, name));
    add_to_table(table, name, forecast, context.globals().csv);
  }
  json["all"] = json_of(all, "all");
  json["failed"] = failed;
  if (context.globals().json) {
    context.print_json(json);
  } else {
    if (forecasts.size() > 1 && !context.globals().csv) add_to_table(table, "all", all, false);
    context.print_table(table);
  }
  if (interrupted()) return kExitInterrupted;
  return failed > 0 ? static_cast<int>(ErrorKind::kFailed) : kExitOk;
}

}  // namespace tilewright
