#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "kernels/collective/all_gather.h"
#include "kernels/collective/all_reduce.h"
#include "kernels/collective/closed_form.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

const CollectiveKernel& kernel_of(const char* name) {
  return dynamic_cast<const CollectiveKernel&>(find_kernel(name));
}

Problem problem_of(const char* name, int64_t ranks, int64_t elements, const char* dtype = "f32") {
  return find_kernel(name).problem({{{"ranks", ranks}, {"elements", elements}}, dtype, "", ""});
}

Config config_of(Exchange exchange, int64_t tile_bytes, int64_t cores, int64_t depth = 1) {
  return {{{"algorithm", static_cast<int64_t>(exchange)},
           {"tile_bytes", tile_bytes},
           {"buffers", 2},
           {"cores", cores},
           {"depth", depth}}};
}

double simulated_us(const Kernel& kernel, const Problem& problem, const Config& config,
                    const Machine& machine) {
  return machine.us_of_ticks(time_detailed(kernel.build(problem, config, machine), machine).ticks);
}

struct Case {
  const char* kernel;
  Exchange exchange;
  int64_t large;  ///< elements of f32
  int64_t tile_bytes;
};

// Each rank sends or gets about 10 MB over some link.
const Case kCases[] = {
    {"all_reduce", Exchange::kRing, 3 << 20, 8192},
    {"all_reduce", Exchange::kTree, 1 << 20, 8192},
    {"all_reduce", Exchange::kDirect, 2 << 20, 4096},
    {"all_reduce", Exchange::kDirectTwice, 6 << 20, 4096},
    {"all_gather", Exchange::kRing, 1 << 19, 8192},
    {"all_gather", Exchange::kDirect, 2 << 20, 8192},
    {"reduce_scatter", Exchange::kRing, 1 << 19, 8192},
    {"reduce_scatter", Exchange::kDirect, 2 << 20, 4096},
    {"all_to_all", Exchange::kDirect, 2 << 20, 8192},
    {"send_recv", Exchange::kDirect, 2 << 20, 8192},
};

void compare(int64_t ranks, int64_t divisor, double most) {
  const Machine machine = load_machine("ascend-910b2");
  for (const Case& c : kCases) {
    if (c.exchange == Exchange::kDirect && ranks > 2 && std::string(c.kernel) == "send_recv")
      continue;
    const CollectiveKernel& kernel = kernel_of(c.kernel);
    const Problem problem = problem_of(c.kernel, ranks, c.large / divisor);
    const Config config = config_of(c.exchange, c.tile_bytes, 48);
    const CollectiveTime formula = closed_form(kernel, problem, config, machine);
    const double time = simulated_us(kernel, problem, config, machine);
    if (std::getenv("TW_SHOW")) {
      printf("%s %d ranks %d elements %d: %.2f formula %.2f (%.3f) links %.2f\n", c.kernel,
             static_cast<int>(c.exchange), static_cast<int>(ranks),
             static_cast<int>(c.large / divisor), time, formula.total(), time / formula.total(),
             formula.links_us);
    }
    EXPECT_NEAR(time / formula.total(), 1, most)
        << problem.text() << " " << config.text() << ": " << time << " us, " << formula.total();
    EXPECT_GE(time, formula.launch_us + formula.links_us * 0.99);
  }
}

TEST(CollectiveTime, IsThatOfTheClosedFormsForLargeSizes) {
  compare(8, 1, 0.05);
  compare(5, 1, 0.05);
  compare(2, 1, 0.05);
}

TEST(CollectiveTime, IsNearTheClosedFormsForSmallSizes) {
  compare(8, 1 << 12, 0.15);
  compare(2, 1 << 12, 0.15);
}

}  // namespace
}  // namespace tilewright
