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
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/base/thread_pool.h"
#include "db/formats/reader.h"
#include "tuner/evaluate/strategy_bench.h"

namespace tilewright {

namespace {

constexpr int64_t kMostSeeds = 100'000;
constexpr int64_t kWithinAt = 100;  ///< evaluations after which the table asks for 5 %
constexpr int64_t kMostEvaluations = 1'000'000;

/// What a folder holds, hidden entries left out.
struct Folder {
  std::vector<std::string> files;  ///< ascending
  size_t folders = 0;
};

Folder list_folder(const std::string& path) {
  std::error_code failure;
  Folder found;
  for (const auto& entry : std::filesystem::directory_iterator(path, failure)) {
    std::error_code none;
    if (entry.path().filename().string().starts_with('.')) continue;
    if (entry.is_regular_file(none)) found.files.push_back(entry.path().string());
    if (entry.is_directory(none)) ++found.folders;
  }
  if (failure) {
    throw Error(ErrorKind::kFailed, fmt::format("cannot list {}: {}", path, failure.message()));
  }
  std::ranges::sort(found.files);
  return found;
}

struct Skipped {
  std::string file;
  std::string reason;
};

/// What is compared on, and the files of its folder that are nothing of the kind.
struct Spaces {
  std::vector<std::unique_ptr<MeasuredSpace>> measured;
  std::vector<Skipped> skipped;
};

std::unique_ptr<MeasuredSpace> read_space(const Context& context, const std::string& path) {
  const ResultFile file = read_results(path);
  const ResultTable* largest = nullptr;
  for (const ResultTable& table : file.tables) {
    if (largest == nullptr || table.rows.size() > largest->rows.size()) largest = &table;
  }
  if (largest == nullptr || largest->rows.size() < 2) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{} ({}) is no space of measured configs", path, file.format));
  }
  auto space = std::make_unique<MeasuredSpace>(name_of_file(path), *largest);
  for (const std::string& note : file.notes) context.warn(note);
  return space;
}

/// The tables of a folder, or the one file; in a folder other files may lie beside them.
Spaces read_spaces(const Context& context, const std::string& folder_or_file) {
  Spaces spaces;
  std::error_code none;
  if (!std::filesystem::is_directory(folder_or_file, none)) {
    spaces.measured.push_back(read_space(context, folder_or_file));
    return spaces;
  }
  const Folder folder = list_folder(folder_or_file);
  for (const std::string& path : folder.files) {
    try {
      spaces.measured.push_back(read_space(context, path));
    } catch (const Error& error) {
      const bool names_file = error.message().starts_with(path);
      spaces.skipped.push_back(
          {path, names_file ? error.message() : fmt::format("{}: {}", path, error.message())});
      context.warn("left out: " + spaces.skipped.back().reason);
    }
  }
  if (!spaces.measured.empty()) return spaces;
  std::vector<std::string> names;
  for (const ResultFormat& format : result_formats()) names.push_back(format.name);
  const std::string folders =
      folder.folders == 0
          ? ""
          : fmt::format("; {} in it {} not searched", format_counted(folder.folders, "folder"),
                        folder.folders == 1 ? "is" : "are");
  throw Error(folder.files.empty() ? ErrorKind::kNotFound : ErrorKind::kFailed,
              folder.files.empty()
                  ? fmt::format("{} has no files{}", folder_or_file, folders)
                  : fmt::format("no file in {} is a space of measured configs ({}){}",
                                folder_or_file, join(names, ", "), folders));
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
        cells_(spaces_.measured.size() * strategies_.size()) {}

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
          run_strategy(*spaces()[cell / strategies_.size()], strategies_[cell % strategies_.size()],
                       options_.first_seed + i % seeds, options_);
      walls[i] = wall_seconds() - begin;
    };
    const auto done = [&](size_t i) {
      const size_t cell = i / seeds;
      progress.update([&] {
        return fmt::format("bench-tuner: {}/{} runs, {} on {}", i + 1, count,
                           strategies_[cell % strategies_.size()],
                           spaces()[cell / strategies_.size()]->name());
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
          cells_[i].score = score_of(*spaces()[i / strategies_.size()], cells_[i].runs, options_);
        },
        [](size_t) {}, [] { return false; });
    return true;
  }

  const std::vector<std::unique_ptr<MeasuredSpace>>& spaces() const { return spaces_.measured; }
  const std::vector<Skipped>& skipped() const { return spaces_.skipped; }
  const std::vector<std::string>& strategies() const { return strategies_; }
  const Outcome& cell(size_t space, size_t strategy) const {
    return cells_[space * strategies_.size() + strategy];
  }
  StrategySummary summary(size_t strategy) const {
    std::vector<StrategyScore> scores;
    for (size_t i = 0; i < spaces().size(); ++i) scores.push_back(cell(i, strategy).score);
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
  json["skipped"] = Json::array();
  for (const Skipped& skipped : bench.skipped()) {
    json["skipped"].push_back({{"file", skipped.file}, {"reason", skipped.reason}});
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
