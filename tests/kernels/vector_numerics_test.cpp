#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/random.h"
#include "kernels/kernel.h"

namespace tilewright {
namespace {

using Sizes = std::map<std::string, int64_t>;

struct Case {
  const char* kernel;
  Sizes sizes;
};

// Single elements, single rows and columns, primes, rows longer than UB, more rows than cores.
const Case kCases[] = {
    {"rms_norm", {{"rows", 1}, {"cols", 1}}},
    {"rms_norm", {{"rows", 7}, {"cols", 13}}},
    {"rms_norm", {{"rows", 211}, {"cols", 1}}},
    {"rms_norm", {{"rows", 97}, {"cols", 257}}},
    {"rms_norm", {{"rows", 1}, {"cols", 32771}}},
    {"rms_norm", {{"rows", 3}, {"cols", 16384}}},
    {"add_rms_norm", {{"rows", 1}, {"cols", 1}}},
    {"add_rms_norm", {{"rows", 101}, {"cols", 67}}},
    {"add_rms_norm", {{"rows", 5}, {"cols", 8191}}},
    {"add_rms_norm", {{"rows", 2}, {"cols", 32768}}},
    {"silu_mul", {{"rows", 1}, {"cols", 1}}},
    {"silu_mul", {{"rows", 113}, {"cols", 7}}},
    {"silu_mul", {{"rows", 3}, {"cols", 18947}}},
    {"gather", {{"rows", 1}, {"cols", 1}, {"vocab", 1}}},
    {"gather", {{"rows", 131}, {"cols", 33}, {"vocab", 17}}},
    {"gather", {{"rows", 5}, {"cols", 20011}, {"vocab", 3}}},
    {"rope", {{"rows", 1}, {"heads", 2}, {"kv_heads", 1}, {"dim", 16}}},
    {"rope", {{"rows", 53}, {"heads", 21}, {"kv_heads", 5}, {"dim", 48}}},
    {"rope", {{"rows", 900}, {"heads", 3}, {"kv_heads", 1}, {"dim", 32}}},
    {"rope", {{"rows", 3}, {"heads", 144}, {"kv_heads", 16}, {"dim", 128}}},
    {"elementwise", {{"rows", 1}, {"cols", 1}}},
    {"elementwise", {{"rows", 37}, {"cols", 1031}, {"reads", 3}, {"writes", 2}}},
    {"elementwise", {{"rows", 3}, {"cols", 20011}, {"writes", 4}}},
    {"argmax", {{"rows", 1}, {"cols", 1}}},
    {"argmax", {{"rows", 301}, {"cols", 37}}},
    {"argmax", {{"rows", 13}, {"cols", 1999}}},
    {"argmax", {{"rows", 2}, {"cols", 152064}}},
};

Problem problem_of(const Case& c, const std::string& dtype) {
  return find_kernel(c.kernel).problem({c.sizes, dtype, "", ""});
}

TEST(VectorKernels, DefaultConfigComputesTheReference) {
  const Machine machine = load_machine("ascend-910b2");
  for (const Case& c : kCases) {
    for (const char* dtype : {"f16", "bf16", "f32"}) {
      const Kernel& kernel = find_kernel(c.kernel);
      const Problem problem = problem_of(c, dtype);
      const Config config = kernel.default_config(problem, machine);
      const CheckResult check = check_kernel(kernel, problem, config, machine, {7});
      EXPECT_TRUE(check.ok) << problem.text() << " " << config.text() << ": "
                            << check.first_failure;
      EXPECT_GT(check.elements, 0);
    }
  }
}

TEST(VectorKernels, RandomConfigsComputeTheReference) {
  const Machine machine = load_machine("ascend-910b2");
  Random random(11);
  for (const Case& c : kCases) {
    const Kernel& kernel = find_kernel(c.kernel);
    const Problem problem = problem_of(c, random.below(2) == 0 ? "f16" : "f32");
    const std::vector<Config> legal = kernel.space(problem, machine).enumerate();
    for (int i = 0; i < 3; ++i) {
      const Config& config = legal[random.below(legal.size())];
      const CheckResult check = check_kernel(kernel, problem, config, machine, {random.bits()});
      EXPECT_TRUE(check.ok) << problem.text() << " " << config.text() << ": "
                            << check.first_failure;
    }
  }
}

TEST(VectorArgmax, FindsTheFirstOfEqualMaximaInDifferentPieces) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel("argmax");
  const Problem problem = kernel.problem({{{"rows", 3}, {"cols", 5000}}, "f32", "", ""});
  const Config config =
      complete_config(kernel, problem, machine, parse_config("tile_rows=1,tile_cols=1024"));
  const Launch launch = kernel.build(problem, config, machine);
  GmImage image = make_image(launch);
  std::vector<float> values(15000, -1e30f);
  values[4999] = 5;
  values[1500] = 5;
  values[5000 + 1024] = -2e-38f;  // differences of maxima that vanish in f32 must not matter
  values[5000 + 4000] = -2e-38f;
  image[0] = write_tensor(launch.tensors[0], values);
  run_functional(launch, machine, image);
  const std::vector<float> index = read_tensor(launch.tensors[1], image[1]);
  EXPECT_EQ(index, (std::vector<float>{1500, 1024, 0}));
}

TEST(VectorRope, LeavesTheSlotsOfOtherTokensAlone) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel("rope");
  const Problem problem =
      kernel.problem({{{"rows", 5}, {"heads", 3}, {"kv_heads", 1}, {"dim", 16}}, "f32", "", ""});
  const Launch launch = kernel.build(problem, kernel.default_config(problem, machine), machine);
  GmImage image = make_image(launch);
  kernel.fill_inputs(problem, launch, {5}, image);
  const std::vector<float> before = read_tensor(launch.tensors[4], image[4]);
  run_functional(launch, machine, image);
  const std::vector<float> after = read_tensor(launch.tensors[4], image[4]);
  int64_t changed = 0;
  for (int64_t slot = 0; slot < launch.tensors[4].rows; ++slot) {
    changed += before[static_cast<size_t>(slot * 16)] != after[static_cast<size_t>(slot * 16)];
  }
  EXPECT_EQ(changed, 5);
  EXPECT_GT(launch.tensors[4].rows, 5);
}

}  // namespace
}  // namespace tilewright
