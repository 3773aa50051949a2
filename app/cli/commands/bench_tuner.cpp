// `tilewright bench-tuner`: search strategies on measured spaces.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/progress.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/thread_pool.h"
#include "db/formats/reader.h"
#include "tuner/evaluate/strategy_bench.h"

namespace tilewright {

namespace {

constexpr int64_t kMostSeeds = 100'000;
constexpr int64_t kWithinAt = 100;  ///< evaluations after which the table asks for 5 %
constexpr int64_t kMostEvaluations = 1'000'000;

/// Files of a folder by name, hidden ones left out; or the one file.
std::vector<std::string> files_of(const std::string& path) {
  std::error_code failure;
  if (!std::filesystem::is_directory(path, failure)) return {path};
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, failure)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') && entry.is_regular_file()) files.push_back(entry.path().string());
  }
  if (failure) {
    throw Error(ErrorKind::kFailed, fmt::format("cannot list {}: {}", path, failure.message()));
  }
  if (files.empty()) throw Error(ErrorKind::kNotFound, fmt::format("{} has no files", path));
  std::ranges::sort(files);
  return files;
}

using Spaces = std::vector<std::unique_ptr<MeasuredSpace>>;

/// A file of a folder is not one that the user named, so that the error says what it does there.
ResultFile read_space(const std::string& path, bool is_of_folder) {
  try {
    return read_results(path);
  } catch (const Error& error) {
    if (!is_of_folder) throw;
    std::vector<std::string> names;
    for (const ResultFormat& format : result_formats()) names.push_back(format.name);
    throw Error(error.kind(), fmt::format("{}; a folder of spaces holds nothing but results ({})",
                                          error.message(), join(names, ", ")));
  }
}

Spaces read_spaces(const Context& context, const std::string& folder_or_file) {
  Spaces spaces;
  for (const std::string& path : files_of(folder_or_file)) {
    const ResultFile file = read_space(path, path != folder_or_file);
    for (const std::string& note : file.notes) context.warn(note);
    const ResultTable* largest = nullptr;
    for (const ResultTable& table : file.tables) {
      if (largest == nullptr || table.rows.size() > largest->rows.size()) largest = &table;
    }
    if (largest == nullptr || largest->rows.size() < 2) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("{} ({}) is no space of measured configs", path, file.format));
    }
    spaces.push_back(std::make_unique<MeasuredSpace>(name_of_file(path), *largest));
  }
  return spaces;
}

std::vector<std::string> chosen_strategies(const Arguments& arguments) {
  std::vector<std::string> names;
  if (!arguments.has("strategy")) {
    names = strategy_names();
    std::erase(names, "exhaustive");
    return names;
  }
  const std::string text = arguments.text("strategy");
  for (const std::string_view name : split(std::string_view(text), ',')) {
    names.emplace_back(trim(name));
    check_strategy(names.back());
    if (std::ranges::count(names, names.back()) > 1) {
      throw Error(ErrorKind::kUsage, fmt::format("--strategy names {} twice", names.back()));
    }
  }
  return names;
}

/// Results of a strategy on a space.
struct Outcome {
  std::vector<Trajectory> runs;
  double wall_s = 0;
  StrategyScore score;

  double wall_ms_per_eval() const {
    size_t evaluations = 0;
    for (const Trajectory& run : runs) evaluations += run.best_us.size();
    return evaluations == 0 ? 0 : wall_s * 1e3 / static_cast<double>(evaluations);
  }
};

/// Every strategy on every space: cells in the order of spaces, then of strategies.
class Bench {
 public:
  Bench(Spaces spaces, std::vector<std::string> strategies, const BenchOptions& options)
      : spaces_(std::move(spaces)),
        strategies_(std::move(strategies)),
        options_(options),
        cells_(spaces_.size() * strategies_.size()) {}

  /// False when it was interrupted.
  bool run(const Context& context, int jobs, Progress& progress) {
    const auto seeds = static_cast<size_t>(options_.seeds);
    const size_t count = cells_.size() * seeds;
    std::vector<Trajectory> runs(count);
    std::vector<double> walls(count);
    const auto work = [&](size_t i) {
      const size_t cell = i / seeds;
      const double begin = wall_seconds();
      runs[i] =
          run_strategy(*spaces_[cell / strategies_.size()], strategies_[cell % strategies_.size()],
                       options_.first_seed + i % seeds, options_);
      walls[i] = wall_seconds() - begin;
    };
    const auto done = [&](size_t i) {
      const size_t cell = i / seeds;
      progress.update([&] {
        return fmt::format("bench-tuner: {}/{} runs, {} on {}", i + 1, count,
                           strategies_[cell % strategies_.size()],
                           spaces_[cell / strategies_.size()]->name());
      });
      cells_[cell].runs.push_back(std::move(runs[i]));
      cells_[cell].wall_s += walls[i];
    };
    const InterruptGuard guard;
    if (parallel_in_order(count, jobs, work, done, interrupted) < count) {
      context.warn("interrupted; there is no comparison of parts");
      return false;
    }
    parallel_in_order(
        cells_.size(), jobs,
        [&](size_t i) {
          cells_[i].score = score_of(*spaces_[i / strategies_.size()], cells_[i].runs, options_);
        },
        [](size_t) {}, [] { return false; });
    return true;
  }

  const Spaces& spaces() const { return spaces_; }
  const std::vector<std::string>& strategies() const { return strategies_; }
  const Outcome& cell(size_t space, size_t strategy) const {
    return cells_[space * strategies_.size() + strategy];
  }
  StrategySummary summary(size_t strategy) const {
    std::vector<StrategyScore> scores;
    for (size_t i = 0; i < spaces_.size(); ++i) scores.push_back(cell(i, strategy).score);
    return summary_of(scores);
  }

 private:
  Spaces spaces_;
  std::vector<std::string> strategies_;
  BenchOptions options_;
  std::vector<Outcome> cells_;
};

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json by_evaluations(const std::map<int64_t, double>& values) {
  Json json = Json::object();
  for (const auto& [at, value] : values) json[std::to_string(at)] = value;
  return json;
}

Json space_json(const Bench& bench, size_t space) {
  const MeasuredSpace& measured = *bench.spaces()[space];
  const RandomBaseline& baseline = measured.baseline();
  Json json;
  json["name"] = measured.name();
  json["configs"] = measured.index().size();
  json["valid"] = baseline.size();
  json["optimum_us"] = baseline.optimum();
  json["median_us"] = baseline.median();
  json["k50"] = baseline.evaluations_for(0.5);
  json["k95"] = baseline.evaluations_for(0.95);
  json["strategies"] = Json::array();
  for (size_t i = 0; i < bench.strategies().size(); ++i) {
    const Outcome& cell = bench.cell(space, i);
    json["strategies"].push_back({{"name", bench.strategies()[i]},
                                  {"median_at", by_evaluations(cell.score.median_at)},
                                  {"within5_at", by_evaluations(cell.score.within5_at)},
                                  {"score", number_or_null(cell.score.score)},
                                  {"time_score", number_or_null(cell.score.time_score)},
                                  {"wall_ms_per_eval", cell.wall_ms_per_eval()}});
  }
  return json;
}

Json json_of(const Bench& bench, const BenchOptions& options) {
  Json json = output_object();
  json["seeds"] = options.seeds;
  json["evaluations"] = options.evaluations;
  json["batch"] = options.batch;
  json["spaces"] = Json::array();
  for (size_t i = 0; i < bench.spaces().size(); ++i) {
    json["spaces"].push_back(space_json(bench, i));
  }
  json["summary"] = Json::array();
  for (size_t i = 0; i < bench.strategies().size(); ++i) {
    const StrategySummary summary = bench.summary(i);
    json["summary"].push_back({{"strategy", bench.strategies()[i]},
                               {"geomean_at", by_evaluations(summary.geomean_at)},
                               {"worst_at_100", number_or_null(summary.worst_at_100)},
                               {"score", number_or_null(summary.score)},
                               {"time_score", number_or_null(summary.time_score)}});
  }
  return json;
}

Cell cell_of(const std::optional<double>& value, double unit) {
  if (!value) return std::monostate();
  return std::round(*value * unit) / unit;
}

/// One row for each space and strategy.
QueryResult table_of(const Bench& bench) {
  constexpr double kRatio = 1e3;
  constexpr double kScore = 1e2;
  constexpr double kMs = 1e4;
  QueryResult table;
  table.columns = {"space", "strategy"};
  for (const auto& [at, value] : bench.cell(0, 0).score.median_at) {
    table.columns.push_back(std::to_string(at));
  }
  const bool has_within = bench.cell(0, 0).score.within5_at.contains(kWithinAt);
  if (has_within) table.columns.push_back(fmt::format("within_5%_at_{}", kWithinAt));
  for (const char* name : {"score", "time_score", "wall_ms_per_eval"}) {
    table.columns.emplace_back(name);
  }
  for (size_t space = 0; space < bench.spaces().size(); ++space) {
    for (size_t i = 0; i < bench.strategies().size(); ++i) {
      const Outcome& cell = bench.cell(space, i);
      std::vector<Cell> row = {bench.spaces()[space]->name(), bench.strategies()[i]};
      for (const auto& [at, value] : cell.score.median_at) row.push_back(cell_of(value, kRatio));
      if (has_within) row.push_back(cell_of(cell.score.within5_at.at(kWithinAt), kScore));
      row.push_back(cell_of(cell.score.score, kScore));
      row.push_back(cell_of(cell.score.time_score, kScore));
      row.push_back(cell_of(cell.wall_ms_per_eval(), kMs));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

QueryResult summary_table(const Bench& bench) {
  QueryResult table;
  table.columns = {"strategy"};
  for (const auto& [at, value] : bench.cell(0, 0).score.median_at) {
    table.columns.push_back(std::to_string(at));
  }
  const bool has_worst = bench.summary(0).worst_at_100.has_value();
  if (has_worst) table.columns.emplace_back("worst_at_100");
  for (const char* name : {"score", "time_score"}) table.columns.emplace_back(name);
  for (size_t i = 0; i < bench.strategies().size(); ++i) {
    const StrategySummary summary = bench.summary(i);
    std::vector<Cell> row = {bench.strategies()[i]};
    for (const auto& [at, value] : summary.geomean_at) row.push_back(cell_of(value, 1e3));
    if (has_worst) row.push_back(cell_of(summary.worst_at_100, 1e3));
    row.push_back(cell_of(summary.score, 1e2));
    row.push_back(cell_of(summary.time_score, 1e2));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

int run_bench_tuner(Context& context) {
  const Arguments& arguments = context.arguments();
  if (!arguments.has("spaces")) {
    throw Error(ErrorKind::kUsage, "bench-tuner needs --spaces, a folder or file of tables");
  }
  BenchOptions options;
  options.seeds = static_cast<int>(arguments.integer("seeds", 1, kMostSeeds));
  options.evaluations = arguments.integer("evaluations", 1, kMostEvaluations);
  options.batch = arguments.integer("batch", 1, kMostEvaluations);
  const std::vector<std::string> strategies = chosen_strategies(arguments);
  Bench bench(read_spaces(context, arguments.text("spaces")), strategies, options);
  {
    Progress progress(context.console().err(), context.globals().quiet);
    if (!bench.run(context, context.globals().jobs, progress)) return kExitInterrupted;
  }
  if (context.globals().json) {
    context.print_json(json_of(bench, options));
  } else if (context.globals().csv) {
    context.print_table(table_of(bench));
  } else {
    context.print(context.heading(fmt::format("median of optimum / best after evaluations, {} runs",
                                              options.seeds)) +
                  "\n");
    context.print_table(table_of(bench));
    context.print(
        "\n" +
        context.heading(fmt::format("geometric mean over {} space{}", bench.spaces().size(),
                                    bench.spaces().size() == 1 ? "" : "s")) +
        "\n");
    context.print_table(summary_table(bench));
  }
  return kExitOk;
}

}  // namespace tilewright
