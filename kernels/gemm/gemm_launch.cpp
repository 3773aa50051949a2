#include "kernels/gemm/gemm_launch.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <vector>

#include "core/base/integers.h"
#include "kernels/gemm/gemm_cube.h"
#include "kernels/gemm/gemm_shape.h"
#include "kernels/gemm/gemm_vectors.h"

namespace tilewright {

namespace {

/// Side of the sectors of a tensor whose tiles begin at multiples of `tile`, and again every
/// `period`: a common divisor, so that every tile is whole sectors; no less than `least`.
int64_t sector_side(int64_t tile, int64_t period, int64_t least) {
  return std::max(std::gcd(tile, period), std::min(tile, least));
}

class GemmLaunch {
 public:
  GemmLaunch(const Problem& problem, const Config& config, const Machine& machine, int64_t rows)
      : machine_(machine), shape_(gemm_shape(problem)), tiles_(shape_, config, machine) {
    launch_.name = problem.text();
    launch_.flops = 2.0 * static_cast<double>(shape_.m) *
                    static_cast<double>(shape_.sides() * shape_.n) * static_cast<double>(shape_.k);
    if (shape_.expert_rows.size() == 1) {
      shape_.m = rows;
      shape_.expert_rows = {rows};
    }
    table_ = make_task_table(shape_.grid(tiles_.tile_m, tiles_.tile_n, tiles_.parts),
                             tiles_.swizzle, tiles_.core_rows, tiles_.cores);
    add_tensors();
  }

  Launch build() {
    const bool has_vectors = links_.sums >= 0;
    if (has_vectors) add_vector_links();
    GemmCube cube(shape_, tiles_, links_, launch_);
    if (!has_vectors) {
      deal(cube, nullptr);
      return std::move(launch_);
    }
    GemmVectors vectors(shape_, tiles_, links_, machine_, launch_);
    deal(cube, tiles_.parts > 1 ? nullptr : &vectors);
    if (tiles_.parts > 1) vectors.add_reduction();
    return std::move(launch_);
  }

 private:
  void add_tensors() {
    const DType type = shape_.type;
    const int64_t k = shape_.stored_k();
    const auto experts = static_cast<int64_t>(shape_.expert_rows.size());
    // Where B holds several matrices, their tiles begin out of step.
    const int64_t depth = experts > 1 ? sector_side(tiles_.chunk, k, 16) : tiles_.chunk;
    const int64_t width = shape_.sides() > 1
                              ? sector_side(tiles_.tile_n, shape_.stored_n(), 512 / bytes_of(type))
                              : tiles_.tile_n;
    int64_t height = tiles_.tile_m;
    int64_t first_row = 0;
    for (const int64_t rows : shape_.expert_rows) {
      height = std::gcd(height, first_row);
      first_row += rows;
    }
    launch_.add_tensor({"a", type, Layout::kNd, shape_.m, shape_.k, height, tiles_.chunk});
    launch_.add_tensor({"b", type, shape_.fractal ? Layout::kZn : Layout::kNd, experts * k,
                        shape_.sides() * shape_.stored_n(), depth, width});
    launch_.add_tensor({"c", shape_.out, Layout::kNd, shape_.m, shape_.n, height, tiles_.tile_n});
    const Epilogue& epilogue = shape_.epilogue;
    const int64_t channels = experts * shape_.sides() * shape_.n;
    if (epilogue.bias) {
      links_.bias = launch_.add_tensor(
          {"bias", accumulator_of(type), Layout::kNd, channels, 1, tiles_.tile_n, 1});
    }
    if (epilogue.column_scales) {
      links_.scales =
          launch_.add_tensor({"scales", DType::kF32, Layout::kNd, channels, 2, tiles_.tile_n, 2});
    }
    if (epilogue.row_scales) {
      links_.row_scales =
          launch_.add_tensor({"row_scales", DType::kF32, Layout::kNd, shape_.m, 1, height, 1});
    }
    if (epilogue.residual) {
      links_.residual = launch_.add_tensor(
          {"residual", shape_.out, Layout::kNd, shape_.m, shape_.n, height, tiles_.tile_n});
    }
    if (tiles_.parts > 1 || epilogue.needs_vectors()) add_workspace();
  }

  void add_workspace() {
    const bool split = tiles_.parts > 1;
    const auto cores = static_cast<int64_t>(table_.cores.size());
    const int64_t rows = split ? tiles_.parts * shape_.m : cores * kSumsSlots * tiles_.tile_m;
    const int64_t cols = shape_.sides() * (split ? shape_.n : tiles_.tile_n);
    const int64_t height = split ? sector_side(tiles_.tile_m, shape_.m, 16) : tiles_.tile_m;
    const int64_t width =
        split && shape_.sides() > 1 ? sector_side(tiles_.tile_n, shape_.n, 128) : tiles_.tile_n;
    links_.sums = launch_.add_tensor(
        {split ? "parts" : "sums", DType::kF32, Layout::kNd, rows, cols, height, width});
    launch_.tensors.back().workspace = true;
  }

  void add_vector_links() {
    const int64_t most_rows = std::min(
        tiles_.tile_m, *std::max_element(shape_.expert_rows.begin(), shape_.expert_rows.end()));
    links_.halves =
        static_cast<int>(std::min({int64_t{kMostHalves}, machine_.cores.aiv_per_aic,
                                   tiles_.parts > 1 ? int64_t{kMostHalves} : most_rows}));
    if (tiles_.parts > 1) {
      const auto producers = static_cast<int>(table_.cores.size());
      links_.all_summed = launch_.add_flag(
          {"all_summed", FlagScope::kLaunch, FlagMeaning::kData, Memory::kGm, 0, producers});
      return;
    }
    for (int half = 0; half < links_.halves; ++half) {
      const std::string suffix = "_" + std::to_string(half);
      const auto h = static_cast<size_t>(half);
      links_.sums_ready[h] = launch_.add_flag(
          {"sums_ready" + suffix, FlagScope::kGroup, FlagMeaning::kData, Memory::kGm, 0});
      links_.sums_free[h] =
          launch_.add_flag({"sums_free" + suffix, FlagScope::kGroup, FlagMeaning::kSpace,
                            Memory::kGm, static_cast<int>(kSumsSlots)});
    }
  }

  /// Gives each group its tasks; `vectors`: those that finish tiles as they come.
  void deal(GemmCube& cube, GemmVectors* vectors) {
    const size_t stride = vectors ? static_cast<size_t>(1 + links_.halves) : 1;
    launch_.cores.resize(table_.cores.size() * stride);
    std::vector<int64_t> first_rows(1, 0);  // of A, by expert
    for (const int64_t rows : shape_.expert_rows) first_rows.push_back(first_rows.back() + rows);
    for (size_t c = 0; c < table_.cores.size(); ++c) {
      CoreProgram* group = &launch_.cores[c * stride];
      for (size_t i = 0; i < stride; ++i) {
        group[i].kind = i == 0 ? CoreKind::kAic : CoreKind::kAiv;
        group[i].group = static_cast<int>(c);
      }
      GemmCube::Progress before;
      std::array<int64_t, kMostHalves> pieces{};
      const std::vector<GemmTask>& tasks = table_.cores[c];
      for (size_t t = 0; t < tasks.size(); ++t) {
        GemmCube::Work work = work_of(tasks[t], first_rows);
        work.is_last = tiles_.parts > 1 && t + 1 == tasks.size();
        work.sums_row = tiles_.parts > 1 ? work.part * shape_.m + work.row
                                         : static_cast<int64_t>(c) * kSumsSlots * tiles_.tile_m;
        if (vectors) {
          vectors->add_tile(work, work.sums_row + before.tiles % kSumsSlots * tiles_.tile_m,
                            {group + 1, stride - 1}, pieces);
        }
        cube.add(work, before, group[0]);
      }
    }
  }

  GemmCube::Work work_of(const GemmTask& task, const std::vector<int64_t>& first_rows) const {
    const auto expert = static_cast<size_t>(task.expert);
    GemmCube::Work work;
    const int64_t row = task.row * tiles_.tile_m;
    work.row = first_rows[expert] + row;
    work.rows = std::min(tiles_.tile_m, shape_.expert_rows[expert] - row);
    work.col = task.column * tiles_.tile_n;
    work.cols = std::min(tiles_.tile_n, shape_.n - work.col);
    work.expert = task.expert;
    work.part = task.part;
    return work;
  }

  const Machine& machine_;
  GemmShape shape_;
  GemmTiles tiles_;
  Launch launch_;
  GemmLinks links_;
  TaskTable table_;
};

}  // namespace

Launch build_gemm_launch(const Problem& problem, const Config& config, const Machine& machine,
                         int64_t rows) {
  return GemmLaunch(problem, config, machine, rows).build();
}

int find_tensor(const Launch& launch, std::string_view name) {
  const auto found = std::find_if(launch.tensors.begin(), launch.tensors.end(),
                                  [&](const Tensor& tensor) { return tensor.name == name; });
  return found == launch.tensors.end() ? -1 : static_cast<int>(found - launch.tensors.begin());
}

}  // namespace tilewright
