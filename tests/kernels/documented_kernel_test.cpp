#include "documented_kernel.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/file.h"
#include "simulator/hazards.h"
#include "simulator/memory.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

// docs/kernels.md walks through a kernel; the build takes its code from there.

const ScaledResidualKernel kKernel;

Problem problem_of(int64_t rows, int64_t cols, const char* dtype) {
  return kKernel.problem({{{"rows", rows}, {"cols", cols}}, dtype, "", ""});
}

TEST(DocumentedKernel, TakesFewerThanEightyLines) {
  const std::string code = read_file(DOCUMENTED_KERNEL);
  EXPECT_LT(std::count(code.begin(), code.end(), '\n'), 80);
}

TEST(DocumentedKernel, ComputesItsReferenceForEveryPatternAndType) {
  const Machine machine = load_machine("ascend-910b2");
  for (const char* dtype : {"f16", "bf16", "f32"}) {
    for (const InputPattern pattern : kInputPatterns) {
      if (pattern == InputPattern::kMinusInf) continue;
      for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {7, 131}, {61, 4096}}) {
        const Problem problem = problem_of(rows, cols, dtype);
        const CheckResult check = check_kernel(
            kKernel, problem, kKernel.default_config(problem, machine), machine, {3, pattern});
        EXPECT_TRUE(check.ok) << problem.text() << " " << name_of(pattern) << ": "
                              << check.first_failure;
      }
    }
  }
}

TEST(DocumentedKernel, HasNoHazardInItsSpace) {
  const Machine machine = load_machine("ascend-910b2");
  const Problem problem = problem_of(50, 700, "f16");
  const std::vector<Config> space = kKernel.space(problem, machine).enumerate();
  EXPECT_GT(space.size(), 10u);
  for (const Config& config : space) {
    const auto hazards = find_hazards(kKernel.build(problem, config, machine), machine);
    EXPECT_TRUE(hazards.empty()) << config.text() << ": " << hazards.front().message;
  }
}

TEST(DocumentedKernel, StreamsNearTheHbmRate) {
  const Machine machine = load_machine("ascend-910b2");
  const Problem problem = problem_of(4096, 4096, "f32");
  const Launch launch = kKernel.build(problem, kKernel.default_config(problem, machine), machine);
  const double cycles = static_cast<double>(time_detailed(launch, machine).ticks) / kTicksPerCycle;
  EXPECT_LT(cycles, 1.1 * 3 * 4096 * 4096 * 4 / hbm_bytes_per_cycle(machine));
}

}  // namespace
}  // namespace tilewright
