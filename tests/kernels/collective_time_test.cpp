#include <gtest/gtest.h>

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
    const CollectiveKernel& kernel = kernel_of(c.kernel);
    const Problem problem = problem_of(c.kernel, ranks, c.large / divisor);
    const Config config = config_of(c.exchange, c.tile_bytes, 48);
    const CollectiveTime formula = closed_form(kernel, problem, config, machine);
    const double time = simulated_us(kernel, problem, config, machine);
    EXPECT_NEAR(time / formula.total(), 1, most)
        << problem.text() << " " << config.text() << ": " << time << " us, " << formula.total();
    EXPECT_GE(time, formula.launch_us + formula.links_us * 0.99);
  }
}

TEST(CollectiveTime, IsThatOfTheClosedForms) {
  compare(8, 8, 0.06);
}

TEST(SlowCollectiveTime, IsThatOfTheClosedFormsForLargeSizes) {
  for (const int64_t ranks : {2, 4, 8}) compare(ranks, 1, 0.05);
}

// Cores that load from an odd number of others bunch up on links, which the formulas do not see.
TEST(SlowCollectiveTime, IsNearTheClosedFormsForOddNumbersOfRanks) {
  for (const int64_t ranks : {3, 5, 7}) compare(ranks, 1, 0.15);
}

TEST(CollectiveTime, IsThatOfTheClosedFormsForSmallSizes) {
  for (const int64_t ranks : {2, 4, 8}) compare(ranks, 1 << 12, 0.06);
}

TEST(CollectiveTime, OfARingGrowsSlowerAndStartsHigherThanThatOfATree) {
  const Machine machine = load_machine("ascend-910b2");
  const AllReduceKernel kernel;
  const auto time = [&](Exchange exchange, int64_t elements) {
    const Problem problem = problem_of("all_reduce", 8, elements);
    return simulated_us(kernel, problem, config_of(exchange, 4096, 48), machine);
  };
  // 14 latencies against 6; 14/8 of the bytes over a link against 6 times all of them.
  EXPECT_GT(time(Exchange::kRing, 256), 1.4 * time(Exchange::kTree, 256));
  EXPECT_LT(3 * time(Exchange::kRing, 1 << 20), time(Exchange::kTree, 1 << 20));
  // By the formulas 6 S / B + 6 (a + o) meets 1.75 S / B + 14 (a + o) at about 40 KB.
  int64_t crossing = 256;
  while (time(Exchange::kTree, crossing) < time(Exchange::kRing, crossing)) crossing *= 2;
  EXPECT_GE(crossing, 1 << 12);
  EXPECT_LE(crossing, 1 << 15);
}

TEST(CollectiveTime, DirectExchangesUseAllLinksOfAMesh) {
  const Machine machine = load_machine("ascend-910b2");
  const Problem problem = problem_of("all_reduce", 8, 3 << 20);
  const AllReduceKernel kernel;
  const double ring = simulated_us(kernel, problem, config_of(Exchange::kRing, 8192, 48), machine);
  const double twice =
      simulated_us(kernel, problem, config_of(Exchange::kDirectTwice, 4096, 48), machine);
  // One of seven links against all: (14 / 8) / (2 / 8).
  EXPECT_NEAR(ring / twice, 7, 0.7);
}

TEST(CollectiveTime, ShareTheLinksOfOtherTopologies) {
  // 4 MB of each rank for each other one. On a switch a chip's one link carries three of them. On
  // a ring of four the ways to the opposite chip go through the lower neighbour: 0-1-2, 1-0-3,
  // 2-1-0, 3-0-1. So from 1 to 0 go the rows 1 for 0, 1 for 3 and 2 for 0.
  Machine machine = load_machine("ascend-910b2");
  machine.fabric.chips = 4;
  const Problem problem = problem_of("all_to_all", 4, 1 << 20);
  const Kernel& kernel = find_kernel("all_to_all");
  const Config config = config_of(Exchange::kDirect, 8192, 48);
  const double row = 4.0 * (1 << 20) / (28e3 * 0.7);
  const auto rows = [&](Topology topology) {
    machine.fabric.topology = topology;
    return simulated_us(kernel, problem, config, machine) / row;
  };
  EXPECT_NEAR(rows(Topology::kFullMesh), 1, 0.05);
  EXPECT_NEAR(rows(Topology::kSwitch), 3, 0.1);
  EXPECT_NEAR(rows(Topology::kRing), 3, 0.1);
}

}  // namespace
}  // namespace tilewright
