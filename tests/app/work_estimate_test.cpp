#include "app/cli/work_estimate.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace tilewright {
namespace {

std::string refusal_of(const WorkEstimate& estimate) {
  try {
    refuse_huge(estimate, "--check");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.message();
  }
  return "";
}

TEST(WorkEstimate, RefusesOnlyWhatIsAboveALimit) {
  EXPECT_EQ(refusal_of({kMostSeconds, most_bytes()}), "");
  EXPECT_EQ(refusal_of({2 * kMostSeconds, 0}),
            "--check of this shape takes about 40 min, the limit is 20 min; take a smaller one, or "
            "give --yes");
  const std::string memory = refusal_of({0, 2 * most_bytes()});
  EXPECT_NE(memory.find("half of this computer's"), std::string::npos) << memory;
  EXPECT_GT(most_bytes(), 1e6);
}

TEST(WorkEstimate, GrowsWithTheWork) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel("gemm");
  const auto estimate = [&](int64_t k) {
    const Problem problem = kernel.problem({{{"m", 256}, {"n", 256}, {"k", k}}, "", ""});
    const Launch launch = kernel.build(problem, kernel.default_config(problem, machine), machine);
    EXPECT_GT(estimate_timing(launch, machine, Fidelity::kDetailed).seconds,
              estimate_timing(launch, machine, Fidelity::kComposed).seconds);
    EXPECT_GT(estimate_hazards(launch).seconds,
              estimate_timing(launch, machine, Fidelity::kDetailed).seconds);
    EXPECT_GE(estimate_check(kernel, problem, launch).bytes, estimate_check(kernel, problem).bytes);
    return estimate_check(kernel, problem, launch).seconds;
  };
  EXPECT_GT(estimate(65536), 10 * estimate(1024));
}

TEST(WorkEstimate, DurationsAreSaidInAUnitThatFits) {
  EXPECT_EQ(format_duration(45.2), "45 s");
  EXPECT_EQ(format_duration(720), "12 min");
  EXPECT_EQ(format_duration(12240), "3.4 h");
}

}  // namespace
}  // namespace tilewright
