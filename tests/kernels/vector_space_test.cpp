#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "core/base/error.h"
#include "kernels/kernel.h"
#include "kernels/vector/vector_kernel.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

struct Case {
  const char* kernel;
  std::map<std::string, int64_t> sizes;
};

const Case kSmall[] = {
    {"rms_norm", {{"rows", 29}, {"cols", 2100}}},
    {"add_rms_norm", {{"rows", 29}, {"cols", 2100}}},
    {"silu_mul", {{"rows", 29}, {"cols", 2100}}},
    {"gather", {{"rows", 29}, {"cols", 2100}, {"vocab", 9}}},
    {"rope", {{"rows", 71}, {"heads", 6}, {"kv_heads", 2}, {"dim", 32}}},
    {"argmax", {{"rows", 29}, {"cols", 2100}}},
    {"layer_norm", {{"rows", 29}, {"cols", 2100}}},
    {"add_layer_norm", {{"rows", 29}, {"cols", 2100}}},
    {"softmax", {{"rows", 29}, {"cols", 2100}}},
    {"gelu", {{"rows", 29}, {"cols", 2100}}},
    {"quantize", {{"rows", 29}, {"cols", 2100}}},
    {"quantize_channels", {{"rows", 29}, {"cols", 2100}}},
    {"cast", {{"rows", 29}, {"cols", 2100}}},
    {"unpermute", {{"rows", 29}, {"cols", 2100}, {"k", 2}}},
};

const Case kLong[] = {
    {"rms_norm", {{"rows", 60}, {"cols", 32771}}},
    {"add_rms_norm", {{"rows", 60}, {"cols", 40000}}},
    {"silu_mul", {{"rows", 60}, {"cols", 18944}}},
    {"gather", {{"rows", 60}, {"cols", 18944}, {"vocab", 152064}}},
    {"rope", {{"rows", 300}, {"heads", 72}, {"kv_heads", 8}, {"dim", 128}}},
    {"argmax", {{"rows", 60}, {"cols", 152064}}},
};

Problem problem_of(const Case& c, const std::string& dtype) {
  return find_kernel(c.kernel).problem({c.sizes, dtype, "", ""});
}

/// Every legal config of a case, but one of each `stride` only.
template <typename Visit>
void for_each_config(const Case& c, const char* dtype, size_t stride, Visit visit) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel(c.kernel);
  const Problem problem = problem_of(c, dtype);
  const std::vector<Config> legal = kernel.space(problem, machine).enumerate();
  ASSERT_FALSE(legal.empty()) << problem.text();
  for (size_t i = 0; i < legal.size(); i += stride) visit(kernel, problem, legal[i], machine);
}

TEST(VectorSpace, EveryConfigIsRightAndTimed) {
  for (const Case& c : kSmall) {
    for (const char* dtype : {"f16", "f32"}) {
      for_each_config(
          c, dtype, 5,
          [](const auto& kernel, const auto& problem, const auto& config, const auto& machine) {
            const CheckResult check = check_kernel(kernel, problem, config, machine, {1});
            EXPECT_TRUE(check.ok) << problem.text() << " " << config.text() << ": "
                                  << check.first_failure;
            const Launch launch = kernel.build(problem, config, machine);
            EXPECT_GT(time_detailed(launch, machine).ticks, 0) << config.text();
          });
    }
  }
}

TEST(VectorSpace, SlowEveryConfigOfSmallAndLongRowsIsRightAndTimed) {
  for (const std::span<const Case> cases :
       {std::span<const Case>(kSmall), std::span<const Case>(kLong)}) {
    for (const Case& c : cases) {
      for (const char* dtype : {"f16", "bf16", "f32"}) {
        const size_t stride = cases.data() == kSmall ? 1 : 17;
        for_each_config(
            c, dtype, stride,
            [](const auto& kernel, const auto& problem, const auto& config, const auto& machine) {
              if (problem.kernel != "gather" || problem.size("vocab") < 1000) {
                const CheckResult check = check_kernel(kernel, problem, config, machine, {1});
                EXPECT_TRUE(check.ok)
                    << problem.text() << " " << config.text() << ": " << check.first_failure;
              }
              const Launch launch = kernel.build(problem, config, machine);
              EXPECT_GT(time_detailed(launch, machine).ticks, 0) << config.text();
            });
      }
    }
  }
}

TEST(VectorSpace, EveryConfigOfLongRowsIsTimed) {
  for (const Case& c : kLong) {
    for_each_config(
        c, "f16", 19,
        [](const auto& kernel, const auto& problem, const auto& config, const auto& machine) {
          const Launch launch = kernel.build(problem, config, machine);
          EXPECT_GT(time_detailed(launch, machine).ticks, 0) << problem.text() << config.text();
        });
  }
}

TEST(VectorSpace, RefusesATileThatUbCannotHoldAndSaysWhatFits) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel("rms_norm");
  const Problem problem = kernel.problem({{{"rows", 512}, {"cols", 4096}}, "f16", "", ""});
  try {
    kernel.space(problem, machine)
        .complete(parse_config("tile_rows=4,buffers=2"), kernel.default_config(problem, machine));
    FAIL() << "a tile beyond UB was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInfeasible);
    // 4 rows of 4096: 2 slots of f16, two f32 work areas, f32 weights and two columns of sums, the
    // first work area in the other half of the bank groups: 65536 + 2 x (256 + 65536) + 16384 + 64.
    EXPECT_NE(error.message().find("(9056 B) too many; tile_rows=2 would fit"), std::string::npos)
        << error.message();
  }
}

TEST(VectorSpace, LegalConfigsFillUbExactlyAsTheyClaim) {
  // The functional run refuses what reaches beyond UB: with UB cut to what a config claims, it
  // still runs.
  for (const Case& c : kSmall) {
    for_each_config(
        c, "f16", 23,
        [](const auto& kernel, const auto& problem, const auto& config, const auto& machine) {
          const auto& vector = dynamic_cast<const VectorKernel&>(kernel);
          const int64_t cols = config.has("tile_cols")
                                   ? std::min(config.at("tile_cols"), problem.size("cols"))
                                   : 8 * 32;
          Machine small = machine;
          small.buffers.ub_bytes = vector.ub_bytes(
              problem, {config.at("tile_rows"), cols, config.at("buffers"), 0}, machine);
          EXPECT_TRUE(check_kernel(kernel, problem, config, small, {1}).ok)
              << problem.text() << " " << config.text();
        });
  }
}

TEST(VectorSpace, SmallUbIsInfeasibleNotABrokenLaunch) {
  Machine machine = load_machine("ascend-910b2");
  machine.buffers.ub_bytes = 1024;
  const Kernel& kernel = find_kernel("silu_mul");
  const Problem problem = kernel.problem({{{"rows", 4}, {"cols", 4096}}, "f16", "", ""});
  EXPECT_THROW(kernel.default_config(problem, machine), Error);
}

TEST(VectorProblem, SurvivesItsText) {
  for (const Case& c : kSmall) {
    const Problem problem = problem_of(c, "bf16");
    EXPECT_EQ(parse_problem(problem.text()), problem);
  }
}

TEST(VectorProblem, RefusesWhatTheKernelsCannotDo) {
  const Kernel& rope = find_kernel("rope");
  const Kernel& norm = find_kernel("rms_norm");
  EXPECT_THROW(
      rope.problem({{{"rows", 4}, {"heads", 4}, {"kv_heads", 2}, {"dim", 20}}, "", "", ""}), Error);
  EXPECT_THROW(rope.problem({{{"rows", 4}, {"heads", 2}, {"kv_heads", 2}}, "", "", ""}), Error);
  EXPECT_THROW(norm.problem({{{"rows", 4}, {"cols", 8}}, "i8", "", ""}), Error);
  EXPECT_THROW(norm.problem({{{"rows", 4}, {"cols", 8}}, "f16", "nz", ""}), Error);
  EXPECT_THROW(norm.problem({{{"rows", 4}, {"cols", 8}}, "f16", "", "bias"}), Error);
  EXPECT_THROW(norm.problem({{{"rows", kMaxVectorSize + 1}, {"cols", 8}}, "f16", "", ""}), Error);
}

TEST(VectorDeal, CoversEveryElementOnceAndEvenly) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {511, 100}, {97, 33}}) {
    const VectorTile tile{4, 32, 2, 48};
    std::vector<int> seen(static_cast<size_t>(rows * cols));
    int64_t most = 0;
    int64_t least = INT64_MAX;
    for (const auto& pieces : deal_pieces(rows, cols, tile, 2)) {
      int64_t count = 0;
      for (const Piece& piece : pieces) {
        EXPECT_LE(piece.rows, tile.rows);
        EXPECT_EQ(piece.row % 2, 0);
        count += piece.rows;
        for (int64_t r = 0; r < piece.rows; ++r) {
          for (int64_t c = 0; c < piece.cols; ++c) {
            ++seen[static_cast<size_t>((piece.row + r) * cols + piece.col + c)];
          }
        }
      }
      most = std::max(most, count);
      least = std::min(least, count);
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), rows * cols);
    EXPECT_LE(most - least, 3);  // one granule of two rows, and a last granule of one
  }
}

}  // namespace
}  // namespace tilewright
