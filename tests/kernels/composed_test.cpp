// Composed against detailed timing, on GEMMs of all shapes, tiles and machines.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/random.h"
#include "kernels/kernel.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

Problem problem_of(const char* kernel, std::map<std::string, int64_t> sizes) {
  ProblemRequest request;
  request.sizes = std::move(sizes);
  return find_kernel(kernel).problem(request);
}

struct Case {
  Problem problem;
  Config config;
  Machine machine;
  Launch launch;
};

/// A random problem with an epilogue of the fixpipe and a random legal config of cube cores alone,
/// or the default one, on a random machine.
Case random_case(Random& random) {
  static const char* const kMachines[] = {"ascend-910b2", "ascend-910b4", "ascend-910b2:datasheet"};
  const Kernel& gemm = find_kernel("gemm");
  for (;;) {
    Case drawn;
    drawn.machine = load_machine(kMachines[random.below(3)]);
    const auto size = [&](double least, double most) {
      const double value = least * std::pow(most / least, random.uniform());
      return std::max<int64_t>(1, static_cast<int64_t>(value));
    };
    const bool odd = random.below(4) == 0;
    const auto rounded = [&](int64_t value) { return odd ? value : (value + 31) / 32 * 32; };
    ProblemRequest request;
    request.sizes = {
        {"m", size(1, 8192)}, {"n", rounded(size(256, 16384))}, {"k", rounded(size(512, 16384))}};
    request.dtype = random.below(4) == 0 ? "i8" : "f16";
    request.layout = !odd && random.below(3) == 0 ? "nz" : "nd";
    static const char* const kEpilogues[] = {"none", "bias", "relu", "bias+relu"};
    request.epilogue = kEpilogues[random.below(4)];
    if (request.dtype == "i8" && random.below(2) == 0) request.epilogue = "bias+dequant";
    drawn.problem = gemm.problem(request);
    const Space space = gemm.space(drawn.problem, drawn.machine);
    std::vector<Config> all = space.enumerate();
    std::erase_if(all, [](const Config& config) { return config.at("split_k") > 1; });
    drawn.config = random.below(3) == 0 ? gemm.default_config(drawn.problem, drawn.machine)
                                        : all[random.below(all.size())];
    drawn.launch = gemm.build(drawn.problem, drawn.config, drawn.machine);
    const int64_t instructions = drawn.launch.instruction_count();
    if (instructions >= 3000 && instructions < 300000) return drawn;
  }
}

/// Distances |composed / detailed - 1| of the cases whose loads were merged.
std::vector<double> distances(uint64_t seed, size_t wanted) {
  Random random(seed);
  std::vector<double> found;
  while (found.size() < wanted) {
    const Case drawn = random_case(random);
    const TimingResult composed = time_composed(drawn.launch, drawn.machine);
    if (composed.merged_iterations < 2) continue;
    const TimingResult detailed = time_detailed(drawn.launch, drawn.machine);
    const double distance =
        std::abs(static_cast<double>(composed.ticks) / static_cast<double>(detailed.ticks) - 1);
    found.push_back(distance);
    EXPECT_LE(distance, 0.15) << drawn.problem.text() << " " << drawn.config.text() << " on "
                              << drawn.machine.name;
    // Bytes are counted, not estimated.
    EXPECT_EQ(composed.memory.l2_read_bytes, detailed.memory.l2_read_bytes);
    EXPECT_EQ(composed.memory.l2_write_bytes, detailed.memory.l2_write_bytes);
    EXPECT_EQ(composed.cores[0].flops, detailed.cores[0].flops);
  }
  std::sort(found.begin(), found.end());
  return found;
}

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[std::min(sorted.size() - 1,
                         static_cast<size_t>(q * static_cast<double>(sorted.size())))];
}

void expect_close(const std::vector<double>& sorted) {
  std::printf("composed against detailed, %zu cases: median %.2f %%, p95 %.2f %%, worst %.2f %%\n",
              sorted.size(), 100 * quantile(sorted, 0.5), 100 * quantile(sorted, 0.95),
              100 * sorted.back());
  EXPECT_LE(quantile(sorted, 0.5), 0.02);
  EXPECT_LE(quantile(sorted, 0.95), 0.08);
  EXPECT_LE(sorted.back(), 0.15);
}

TEST(ComposedTiming, IsCloseToDetailedTiming) {
  expect_close(distances(3, 24));
}

TEST(ComposedTimingSlow, IsCloseToDetailedTimingOverManyCases) {
  expect_close(distances(1, 400));
}

TEST(ComposedTiming, EqualsDetailedTimingWhereNothingIsMerged) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& gemm = find_kernel("gemm");
  for (int64_t k : {512, 1536, 3000}) {
    const Problem problem = problem_of("gemm", {{"m", 300}, {"n", 1600}, {"k", k}});
    const Launch launch = gemm.build(problem, gemm.default_config(problem, machine), machine);
    const TimingResult composed = time_composed(launch, machine);
    ASSERT_EQ(composed.merged_iterations, 1);
    const auto detailed = static_cast<double>(time_detailed(launch, machine).ticks);
    // Only the scalar unit's issue is left out.
    EXPECT_NEAR(static_cast<double>(composed.ticks) / detailed, 1, 0.002) << problem.text();
  }
}

TEST(ComposedTiming, ExplainsTheTimeAsDetailedTimingDoes) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& gemm = find_kernel("gemm");
  const Problem problem = problem_of("gemm", {{"m", 2048}, {"n", 2048}, {"k", 8192}});
  const Launch launch = gemm.build(problem, gemm.default_config(problem, machine), machine);
  const TimingResult composed = time_composed(launch, machine);
  const TimingResult detailed = time_detailed(launch, machine);
  ASSERT_GT(composed.merged_iterations, 1);
  EXPECT_EQ(composed.critical_path.total(), composed.ticks);
  for (size_t i = 0; i < composed.critical_path.ticks.size(); ++i) {
    const auto share = [&](const TimingResult& result, const Breakdown& breakdown) {
      return static_cast<double>(breakdown.ticks[i]) / static_cast<double>(result.ticks);
    };
    const std::string cause = Cause::of_id(i).name();
    EXPECT_NEAR(share(composed, composed.critical_path), share(detailed, detailed.critical_path),
                0.1)
        << cause;
    EXPECT_NEAR(share(composed, composed.engine), share(detailed, detailed.engine), 0.03) << cause;
  }
  for (Pipe pipe : {Pipe::kMte2, Pipe::kMte1, Pipe::kCube, Pipe::kFixp}) {
    const auto p = static_cast<size_t>(pipe);
    EXPECT_EQ(composed.cores[3].instructions[p], detailed.cores[3].instructions[p])
        << name_of(pipe);
    EXPECT_NEAR(static_cast<double>(composed.cores[3].busy_ticks[p]),
                static_cast<double>(detailed.cores[3].busy_ticks[p]),
                0.05 * static_cast<double>(detailed.cores[3].busy_ticks[p]))
        << name_of(pipe);
  }
}

TEST(ComposedTiming, AutoComposesLongGemmsAndNothingElse) {
  const Machine machine = load_machine("ascend-910b2");
  const auto resolved = [&](const char* name, std::map<std::string, int64_t> sizes,
                            const char* epilogue = "none", const char* config = "") {
    const Kernel& kernel = find_kernel(name);
    Problem problem = problem_of(name, std::move(sizes));
    problem.epilogue = epilogue;
    const Config whole = complete_config(kernel, problem, machine, parse_config(config));
    return resolve(Fidelity::kAuto, kernel.build(problem, whole, machine), machine);
  };
  EXPECT_EQ(resolved("gemm", {{"m", 4096}, {"n", 4096}, {"k", 4096}}), Fidelity::kComposed);
  EXPECT_EQ(resolved("gemm", {{"m", 4096}, {"n", 4096}, {"k", 4096}}, "bias+relu"),
            Fidelity::kComposed);
  EXPECT_EQ(resolved("gemm", {{"m", 64}, {"n", 512}, {"k", 512}}), Fidelity::kDetailed);
  // Vector cores take part.
  EXPECT_EQ(resolved("gemm", {{"m", 4096}, {"n", 4096}, {"k", 4096}}, "gelu"), Fidelity::kDetailed);
  EXPECT_EQ(resolved("gemm", {{"m", 256}, {"n", 576}, {"k", 32768}}, "none", "split_k=4"),
            Fidelity::kDetailed);
  EXPECT_EQ(resolved("rms_norm", {{"rows", 4096}, {"cols", 4096}}), Fidelity::kDetailed);
}

TEST(ComposedTiming, RefusesWhatCannotBeComposed) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel("rms_norm");
  const Problem problem = problem_of("rms_norm", {{"rows", 64}, {"cols", 1024}});
  const Launch launch = kernel.build(problem, kernel.default_config(problem, machine), machine);
  EXPECT_THROW(time_composed(launch, machine), Error);
}

TEST(ComposedTiming, ReportsADeadlockLikeDetailedTiming) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& gemm = find_kernel("gemm");
  const Problem problem = problem_of("gemm", {{"m", 128}, {"n", 256}, {"k", 4096}});
  Launch launch = gemm.build(problem, gemm.default_config(problem, machine), machine);
  for (Instruction& instruction : launch.templates[0].body) {
    // Nobody releases the slots of L1 any more.
    if (instruction.opcode != Opcode::kMove) continue;
    for (FlagUse& use : instruction.sets) {
      if (use.flag >= 0 && launch.flags[static_cast<size_t>(use.flag)].name == "l1_free") {
        use.flag = -1;
      }
    }
  }
  try {
    time_composed(launch, machine);
    FAIL() << "a deadlock went unnoticed";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("deadlock"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace tilewright
