#include <gtest/gtest.h>

#include <map>

#include "core/base/error.h"
#include "core/base/random.h"
#include "kernels/kernel.h"
#include "simulator/hazards.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

constexpr const char* kCollectives[] = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all",
                                        "send_recv"};

/// Few cores, so that all of them have several tiles of small problems.
Machine small_machine() {
  Machine machine = load_machine("ascend-910b2");
  machine.cores.aic = 3;
  return machine;
}

Problem problem_of(const char* kernel, int64_t ranks, int64_t elements, const char* dtype) {
  return find_kernel(kernel).problem({{{"ranks", ranks}, {"elements", elements}}, dtype, "", ""});
}

/// A sample of a space, always the same.
std::vector<Config> sample_of(const std::vector<Config>& space, size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<Config> sample;
  for (size_t i = 0; i < count; ++i) sample.push_back(space[random.below(space.size())]);
  return sample;
}

// A single element, fewer elements than ranks, less than and just past tiles of 512 bytes, primes;
// every number of ranks that a box holds.
TEST(Collectives, ComputeTheReferenceForEveryNumberOfRanks) {
  const Machine machine = small_machine();
  const char* dtypes[] = {"f16", "bf16", "f32"};
  uint64_t seed = 1;
  for (const char* name : kCollectives) {
    const Kernel& kernel = find_kernel(name);
    for (int64_t ranks = 2; ranks <= 8; ++ranks) {
      for (const int64_t elements : {1, 3, 255, 257, 4099}) {
        const Problem problem = problem_of(name, ranks, elements, dtypes[seed % 3]);
        const std::vector<Config> space = kernel.space(problem, machine).enumerate();
        for (const Config& config : sample_of(space, 4, ++seed)) {
          const CheckResult check = check_kernel(kernel, problem, config, machine, {seed});
          EXPECT_TRUE(check.ok) << problem.text() << " " << config.text() << ": "
                                << check.first_failure;
        }
      }
    }
  }
}

TEST(Collectives, HoldForEveryPatternOfValuesAndEveryAlgorithm) {
  const Machine machine = small_machine();
  for (const char* name : kCollectives) {
    const Kernel& kernel = find_kernel(name);
    for (const char* dtype : {"f16", "bf16", "f32"}) {
      const Problem problem = problem_of(name, 7, 1009, dtype);
      std::map<int64_t, Config> by_algorithm;
      for (const Config& config : kernel.space(problem, machine).enumerate()) {
        by_algorithm[config.at("algorithm")] = config;
      }
      for (const auto& [algorithm, config] : by_algorithm) {
        for (const InputPattern pattern : kInputPatterns) {
          const CheckResult check = check_kernel(kernel, problem, config, machine, {5, pattern});
          EXPECT_TRUE(check.ok) << problem.text() << " " << config.text() << " " << name_of(pattern)
                                << ": " << check.first_failure;
        }
      }
    }
  }
}

TEST(Collectives, GiveTheSameSumsOnEveryRank) {
  const Machine machine = small_machine();
  const Kernel& kernel = find_kernel("all_reduce");
  const Problem problem = problem_of("all_reduce", 5, 3001, "f16");
  for (const Config& config : sample_of(kernel.space(problem, machine).enumerate(), 12, 3)) {
    const Launch launch = kernel.build(problem, config, machine);
    GmImage image = make_image(launch);
    kernel.fill_inputs(problem, launch, {9}, image);
    run_functional(launch, machine, image);
    for (size_t rank = 1; rank < 5; ++rank) EXPECT_EQ(image[5 + rank], image[5]) << config.text();
  }
}

/// Alarms of a config, "" without any.
std::string alarm_of(const Kernel& kernel, const Problem& problem, const Config& config,
                     const Machine& machine) {
  const std::vector<Hazard> hazards = find_hazards(kernel.build(problem, config, machine), machine);
  return hazards.empty() ? "" : hazards.front().kind + ": " + hazards.front().message;
}

TEST(Collectives, HaveNoHazardsInASampleOfTheirSpaces) {
  const Machine machine = small_machine();
  for (const char* name : kCollectives) {
    const Kernel& kernel = find_kernel(name);
    for (const int64_t ranks : {2, 3, 4}) {
      const Problem problem = problem_of(name, ranks, 20011, ranks == 3 ? "f32" : "bf16");
      const std::vector<Config> space = kernel.space(problem, machine).enumerate();
      for (const Config& config : sample_of(space, 8, static_cast<uint64_t>(ranks))) {
        EXPECT_EQ(alarm_of(kernel, problem, config, machine), "")
            << problem.text() << " " << config.text();
      }
    }
  }
}

TEST(SlowCollectives, HaveNoHazardsInTheirWholeSpaces) {
  const Machine machine = small_machine();
  for (const char* name : kCollectives) {
    const Kernel& kernel = find_kernel(name);
    for (const int64_t ranks : {2, 3, 6}) {
      const Problem problem = problem_of(name, ranks, 9001, ranks == 3 ? "f32" : "f16");
      for (const Config& config : kernel.space(problem, machine).enumerate()) {
        EXPECT_EQ(alarm_of(kernel, problem, config, machine), "")
            << problem.text() << " " << config.text();
        EXPECT_GT(time_detailed(kernel.build(problem, config, machine), machine).ticks, 0);
      }
    }
  }
}

TEST(Collectives, RunOnEveryTopology) {
  for (const Topology topology : {Topology::kFullMesh, Topology::kRing, Topology::kSwitch}) {
    Machine machine = small_machine();
    machine.fabric.topology = topology;
    for (const char* name : kCollectives) {
      const Kernel& kernel = find_kernel(name);
      const Problem problem = problem_of(name, 6, 5003, "f16");
      const Config config = kernel.default_config(problem, machine);
      EXPECT_TRUE(check_kernel(kernel, problem, config, machine, {1}).ok);
      EXPECT_GT(time_detailed(kernel.build(problem, config, machine), machine).ticks, 0);
    }
  }
}

TEST(Collectives, NeedAsManyChipsAsRanks) {
  Machine machine = small_machine();
  const Kernel& kernel = find_kernel("all_reduce");
  const Problem problem = problem_of("all_reduce", 9, 100, "f16");
  EXPECT_TRUE(kernel.space(problem, machine).enumerate().empty());
  try {
    kernel.default_config(problem, machine);
    FAIL() << "nine ranks on a fabric of eight chips";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInfeasible);
    EXPECT_NE(error.message().find("its fabric joins 8 chips"), std::string::npos);
  }
  EXPECT_THROW(problem_of("all_reduce", 1, 100, "f16"), Error);
  EXPECT_THROW(problem_of("all_reduce", 2, 100, "i8"), Error);
}

}  // namespace
}  // namespace tilewright
