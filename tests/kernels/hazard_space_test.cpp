// The hazard checker on shipped kernels: silent on what is correct, loud once it is broken.

#include <gtest/gtest.h>

#include "core/base/random.h"
#include "kernels/kernel.h"
#include "simulator/hazards.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine kMachine = load_machine("ascend-910b2");
  return kMachine;
}

Problem problem_of(const char* kernel, std::map<std::string, int64_t> sizes,
                   const std::string& dtype = "") {
  ProblemRequest request;
  request.sizes = std::move(sizes);
  request.dtype = dtype;
  return find_kernel(kernel).problem(request);
}

/// Nothing is found in the launches of these configs.
void expect_silent(const Problem& problem, const std::vector<Config>& configs) {
  const Kernel& kernel = find_kernel(problem.kernel);
  for (const Config& config : configs) {
    const auto hazards = find_hazards(kernel.build(problem, config, machine()), machine());
    ASSERT_TRUE(hazards.empty()) << problem.text() << " " << config.text() << ": "
                                 << hazards.front().kind << ": " << hazards.front().message;
  }
}

std::vector<Config> space_of(const Problem& problem) {
  return find_kernel(problem.kernel).space(problem, machine()).enumerate();
}

TEST(HazardsOfKernels, AShrunkBufferIsOutgrown) {
  struct Case {
    const char* kernel;
    std::map<std::string, int64_t> sizes;
    std::vector<std::string> buffers;
  };
  const Case cases[] = {
      {"gemm",
       {{"m", 256}, {"n", 512}, {"k", 512}},
       {"buffers.l1_bytes", "buffers.l0a_bytes", "buffers.l0b_bytes", "buffers.l0c_bytes"}},
      {"silu_mul", {{"rows", 9}, {"cols", 9000}}, {"buffers.ub_bytes"}},
  };
  for (const Case& each : cases) {
    const Kernel& kernel = find_kernel(each.kernel);
    const Problem problem = problem_of(each.kernel, each.sizes);
    const Launch launch =
        kernel.build(problem, kernel.default_config(problem, machine()), machine());
    ASSERT_TRUE(find_hazards(launch, machine()).empty());
    for (const std::string& buffer : each.buffers) {
      Machine shrunk = machine();
      set_field(shrunk, buffer, 2048);
      const auto hazards = find_hazards(launch, shrunk);
      ASSERT_FALSE(hazards.empty()) << buffer;
      EXPECT_EQ(hazards.front().kind, "outgrown") << buffer << ": " << hazards.front().message;
    }
  }
}

TEST(HazardsOfKernels, SlowNoneInTheWholeSpaceOfSmallGemms) {
  for (const char* dtype : {"f16", "f32", "i8"}) {
    const Problem problem = problem_of("gemm", {{"m", 40}, {"n", 200}, {"k", 300}}, dtype);
    expect_silent(problem, space_of(problem));
  }
}

TEST(HazardsOfKernels, SlowNoneInTheWholeSpacesOfVectorKernels) {
  const std::pair<const char*, std::map<std::string, int64_t>> cases[] = {
      {"rms_norm", {{"rows", 20}, {"cols", 3584}}},
      {"add_rms_norm", {{"rows", 9}, {"cols", 26607}}},
      {"silu_mul", {{"rows", 9}, {"cols", 9000}}},
      {"rope", {{"rows", 9}, {"heads", 12}, {"kv_heads", 2}, {"dim", 64}}},
      {"gather", {{"rows", 9}, {"cols", 5000}, {"vocab", 50}}},
      {"elementwise", {{"rows", 9}, {"cols", 5000}, {"reads", 2}, {"writes", 4}}},
      {"argmax", {{"rows", 3}, {"cols", 5001}}},
  };
  for (const auto& [kernel, sizes] : cases) {
    const Problem problem = problem_of(kernel, sizes);
    expect_silent(problem, space_of(problem));
  }
}

TEST(HazardsOfKernels, SlowNoneInSamplesOfLargerGemms) {
  Random random(11);
  for (const char* dtype : {"f16", "bf16", "f32", "i8"}) {
    for (int64_t m : {1, 130, 1000}) {
      const Problem problem = problem_of("gemm", {{"m", m}, {"n", 1100}, {"k", 2100}}, dtype);
      const std::vector<Config> space = space_of(problem);
      std::vector<Config> sample;
      for (int i = 0; i < 40; ++i) sample.push_back(space[random.below(space.size())]);
      expect_silent(problem, sample);
    }
  }
}

}  // namespace
}  // namespace tilewright
