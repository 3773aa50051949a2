#include "tuner/xyserve/gemm_experiment.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "core/base/thread_pool.h"
#include "kernels/kernel.h"
#include "kernels/model_executor.h"
#include "simulator/timing.h"
#include "tuner/session/model_tuning.h"

namespace tilewright {

namespace {

constexpr int64_t kMostRows = 4096;
/// Entries of the table on each side whose winners are tried, too.
constexpr int64_t kNeighbours = 2;
/// Above this many rows the estimates of only every fourth entry are worked out, and the entries
/// between two of them try what promises to be good for either.
constexpr int64_t kEveryEntry = 256;
constexpr int64_t kEstimatedStep = 4 * kRowMultiple;
/// Tiles that are simulated for an entry whose estimates are worked out, each with the config of
/// the least one, and how many of these the entries between try.
constexpr size_t kTiles = 16;
constexpr size_t kTilesBetween = 8;
/// What of the best of them is then tried with every other value, in this order.
constexpr const char* kRefined[] = {"swizzle", "core_rows",  "l0c_buffers", "tile_k",
                                    "tile_k0", "l1_buffers", "split_k"};

double time_of(const Problem& problem, const Config& config, const Machine& machine) {
  const Launch launch = find_kernel(problem.kernel).build(problem, config, machine);
  return machine.us_of_ticks(time_launch(launch, machine, Fidelity::kAuto).ticks);
}

double default_time(const Problem& problem, const Machine& machine) {
  const Kernel& kernel = find_kernel(problem.kernel);
  return time_of(problem, kernel.default_config(problem, machine), machine);
}

/// The space without what first-order estimates say next to nothing of: how deep rings and steps
/// are, and cores that could stay idle.
Space estimated_space(const Space& space, const Machine& machine) {
  std::vector<Parameter> parameters = space.parameters();
  for (Parameter& parameter : parameters) {
    const auto keep = [&](std::initializer_list<int64_t> kept) {
      std::erase_if(parameter.values,
                    [&](int64_t value) { return std::ranges::find(kept, value) == kept.end(); });
    };
    if (parameter.name == "l1_buffers" || parameter.name == "l0_buffers") keep({2});
    if (parameter.name == "tile_k0") keep({32, 64, 128});
    if (parameter.name == "cores") keep({machine.cores.aic});
  }
  return {std::move(parameters), space.constraints()};
}

/// Runs work(i) for every i in [0, count) on the hooks' threads, telling of it.
void run_all(std::string_view what, size_t count, const ExperimentHooks& hooks,
             const std::function<void(size_t)>& work) {
  const auto done = [&](size_t i) {
    if (hooks.progress) hooks.progress(what, i + 1, count);
  };
  parallel_in_order(count, hooks.jobs, work, done, [] { return false; });
}

/// The experiment over linears of different sizes.
class GemmExperiment {
 public:
  GemmExperiment(const GemmExperimentOptions& options, std::vector<Linear> linears,
                 const Machine& machine, const ExperimentHooks& hooks)
      : rows_(options.rows), layout_(options.layout), machine_(machine), hooks_(hooks) {
    for (int64_t m : rows_) {
      const int64_t multiple = round_up(m, kRowMultiple);
      if (multiples_.empty() || multiples_.back() != multiple) multiples_.push_back(multiple);
    }
    for (Linear& linear : linears) {
      LinearTimes& times = results_.emplace_back();
      times.linear = std::move(linear);
      times.table.resize(multiples_.size());
      for (auto* list : {&times.smooth_us, &times.library_us, &times.padded_us}) {
        list->resize(rows_.size());
      }
    }
  }

  std::vector<LinearTimes> run() {
    estimate();
    search();
    try_neighbours();
    time_rows();
    return std::move(results_);
  }

 private:
  /// Calls work(linear, position in `list`) for all of them.
  void for_all(std::string_view what, size_t list,
               const std::function<void(LinearTimes&, size_t)>& work) {
    run_all(what, results_.size() * list, hooks_,
            [&](size_t i) { work(results_[i / list], i % list); });
  }

  Problem problem(const LinearTimes& times, int64_t m, const char* kernel) const {
    return linear_problem(times.linear, m, kernel, layout_);
  }

  bool is_estimated(size_t entry) const {
    const int64_t m = multiples_[entry];
    return m <= kEveryEntry || m % kEstimatedStep == 0 || entry + 1 == multiples_.size() ||
           multiples_[entry - 1] + kRowMultiple < m;
  }

  /// What estimates promise for each entry; nothing where they are not worked out.
  void estimate() {
    promising_.resize(results_.size() * multiples_.size());
    for_all("estimating configs", multiples_.size(), [&](LinearTimes& times, size_t i) {
      if (!is_estimated(i)) return;
      const Problem tuned = problem(times, multiples_[i], "gemm");
      const Space space = find_kernel("gemm").space(tuned, machine_);
      promising_[place_of(times) * multiples_.size() + i] =
          promising_tiles(tuned, estimated_space(space, machine_), machine_, kTiles);
    });
  }

  /// The promising configs of the entry, or the best of those on either side that have some.
  std::vector<Config> seeds_of(const LinearTimes& times, size_t entry) const {
    const auto* list = promising_.data() + place_of(times) * multiples_.size();
    if (is_estimated(entry)) return list[entry];
    size_t before = entry, after = entry;
    while (!is_estimated(before)) --before;
    while (!is_estimated(after)) ++after;
    std::vector<Config> seeds;
    for (const size_t side : {before, after}) {
      for (size_t i = 0; i < std::min(kTilesBetween, list[side].size()); ++i) {
        const Config& config = list[side][i];
        if (std::ranges::find(seeds, config) == seeds.end()) seeds.push_back(config);
      }
    }
    return seeds;
  }

  size_t place_of(const LinearTimes& times) const {
    return static_cast<size_t>(&times - results_.data());
  }

  void search() {
    for_all("searching configs", multiples_.size(), [&](LinearTimes& times, size_t i) {
      const int64_t m = multiples_[i];
      const Problem tuned = problem(times, m, "gemm");
      const Kernel& kernel = find_kernel("gemm");
      const Space space = kernel.space(tuned, machine_);
      const Config standard = kernel.default_config(tuned, machine_);
      TunedRows best{m, standard, time_of(tuned, standard, machine_)};
      for (const Config& config : seeds_of(times, i)) {
        if (space.violation(config).empty()) improve(best, config, tuned);
      }
      if (is_estimated(i)) refine(best, space, tuned);
      times.table[i] = std::move(best);
    });
  }

  /// Tries every value of one parameter after the other.
  void refine(TunedRows& best, const Space& space, const Problem& tuned) const {
    for (const char* name : kRefined) {
      const auto parameter = std::ranges::find(space.parameters(), name, &Parameter::name);
      const Config from = best.config;
      for (const int64_t value : parameter->values) {
        Config config = from;
        std::ranges::find(config.values, name, &std::pair<std::string, int64_t>::first)->second =
            value;
        if (space.violation(config).empty()) improve(best, config, tuned);
      }
    }
  }

  void improve(TunedRows& best, const Config& config, const Problem& tuned) const {
    if (config == best.config) return;
    const double time = time_of(tuned, config, machine_);
    if (time < best.time_us) best = {best.m, config, time};
  }

  void try_neighbours() {
    std::vector<std::vector<TunedRows>> found;
    for (const LinearTimes& times : results_) found.push_back(times.table);
    const auto entries = static_cast<int64_t>(multiples_.size());
    for_all("trying neighbours' configs", multiples_.size(), [&](LinearTimes& times, size_t i) {
      const auto place = static_cast<int64_t>(i);
      const Problem tuned = problem(times, multiples_[i], "gemm");
      const Space space = find_kernel("gemm").space(tuned, machine_);
      const std::vector<TunedRows>& table = found[place_of(times)];
      for (int64_t other = std::max<int64_t>(0, place - kNeighbours);
           other <= std::min(entries - 1, place + kNeighbours); ++other) {
        const Config& config = table[static_cast<size_t>(other)].config;
        if (space.violation(config).empty()) improve(times.table[i], config, tuned);
      }
    });
  }

  void time_rows() {
    for_all("timing every number of rows", rows_.size(), [&](LinearTimes& times, size_t i) {
      const int64_t m = rows_[i];
      times.smooth_us[i] = time_of(problem(times, m, "gemm"), times.entry(m).config, machine_);
      times.library_us[i] = default_time(problem(times, m, "gemm_library"), machine_);
    });
    // Equal for all m that are padded to the same tiles.
    std::map<int64_t, size_t> padded;
    std::vector<size_t> first;
    std::vector<int64_t> heights;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const Problem any = problem(results_.front(), rows_[i], "gemm_padded");
      const int64_t tile = find_kernel("gemm_padded").default_config(any, machine_).at("tile_m");
      heights.push_back(round_up(rows_[i], tile));
      if (padded.try_emplace(heights.back(), i).second) first.push_back(i);
    }
    for_all("timing the padded baseline", first.size(), [&](LinearTimes& times, size_t i) {
      times.padded_us[first[i]] =
          default_time(problem(times, rows_[first[i]], "gemm_padded"), machine_);
    });
    for (LinearTimes& times : results_) {
      for (size_t i = 0; i < rows_.size(); ++i) {
        times.padded_us[i] = times.padded_us[padded.at(heights[i])];
      }
    }
  }

  std::vector<int64_t> rows_;
  std::vector<int64_t> multiples_;
  std::string layout_;
  const Machine& machine_;
  const ExperimentHooks& hooks_;
  std::vector<LinearTimes> results_;
  std::vector<std::vector<Config>> promising_;  // by linear, then entry
};

}  // namespace

const TunedRows& LinearTimes::entry(int64_t m) const {
  const auto found = std::ranges::lower_bound(table, m, {}, &TunedRows::m);
  TW_CHECK(found != table.end(), "the table reaches all rows of the experiment");
  return *found;
}

GemmExperimentOptions gemm_experiment_options(bool quick) {
  GemmExperimentOptions options;
  options.linears = xyserve_linears();
  options.layout = "nz";
  if (quick) {
    // A tile edge, just past it and in between, in every range of sizes.
    options.rows = {1, 16, 60, 129, 256, 300, 513, 1000, 1536, 2100, 4096};
    return options;
  }
  for (int64_t m = 1; m <= kMostRows; ++m) options.rows.push_back(m);
  return options;
}

std::vector<LinearTimes> run_gemm_experiment(const GemmExperimentOptions& options,
                                             const Machine& machine, const ExperimentHooks& hooks) {
  std::map<std::pair<int64_t, int64_t>, size_t> places;
  std::vector<Linear> different;
  for (const Linear& linear : options.linears) {
    if (places.try_emplace({linear.n, linear.k}, different.size()).second) {
      different.push_back(linear);
    }
  }
  const std::vector<LinearTimes> computed =
      GemmExperiment(options, std::move(different), machine, hooks).run();
  std::vector<LinearTimes> all;
  for (const Linear& linear : options.linears) {
    all.push_back(computed[places.at({linear.n, linear.k})]);
    all.back().linear = linear;
  }
  return all;
}

}  // namespace tilewright
