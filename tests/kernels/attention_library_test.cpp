#include "kernels/attention/attention_library.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "simulator/hazards.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

Problem library(std::map<std::string, int64_t> sizes, const std::string& mask = "causal") {
  ProblemRequest request;
  request.sizes = std::move(sizes);
  request.sizes.try_emplace("tokens", 1);
  request.sizes["block"] = 32;
  request.dtype = "f16";
  request.mask = mask;
  return find_kernel("attention_library").problem(request);
}

const Problem& problem_of(int stage) {
  static const Problem prefill =
      library({{"sequences", 2}, {"tokens", 70}, {"context", 40}, {"heads", 4}, {"kv_heads", 2}});
  static const Problem decode = library(
      {{"sequences", 0}, {"decodes", 3}, {"decode_context", 77}, {"heads", 4}, {"kv_heads", 2}});
  static const Problem verify = library({{"sequences", 0},
                                         {"verifies", 2},
                                         {"drafts", 5},
                                         {"verify_context", 90},
                                         {"heads", 4},
                                         {"kv_heads", 2}},
                                        "tree");
  return stage == 0 ? prefill : stage == 1 ? decode : verify;
}

TEST(AttentionLibrary, IsRightInEveryStage) {
  const Kernel& kernel = find_kernel("attention_library");
  for (int stage = 0; stage < 3; ++stage) {
    const Problem& problem = problem_of(stage);
    const Config config = kernel.default_config(problem, machine());
    const CheckResult result = check_kernel(kernel, problem, config, machine(), {5});
    EXPECT_TRUE(result.ok) << problem.text() << ": " << result.first_failure;
  }
}

TEST(AttentionLibrary, HasNoHazards) {
  const Kernel& kernel = find_kernel("attention_library");
  for (int stage = 0; stage < 3; ++stage) {
    const Problem& problem = problem_of(stage);
    const Launch launch =
        kernel.build(problem, kernel.default_config(problem, machine()), machine());
    EXPECT_TRUE(find_hazards(launch, machine()).empty()) << problem.text();
  }
}

TEST(AttentionLibrary, ReadsAMaskOfAllKeys) {
  const Kernel& kernel = find_kernel("attention_library");
  const Launch launch =
      kernel.build(problem_of(2), kernel.default_config(problem_of(2), machine()), machine());
  const Tensor& mask = launch.tensors[static_cast<size_t>(tensor_named(launch, "mask"))];
  EXPECT_EQ(mask.rows, 2 * 32);  // 6 tokens of two heads a group, padded to 64 rows
  EXPECT_EQ(mask.cols, kMaskMargin + 90 + 32);
}

TEST(AttentionLibrary, DecodesAWholeRequestOnOneCore) {
  const Kernel& kernel = find_kernel("attention_library");
  const Launch launch =
      kernel.build(problem_of(1), kernel.default_config(problem_of(1), machine()), machine());
  // 3 requests of 2 KV heads: a group of a cube core and two vector cores each.
  EXPECT_EQ(launch.cores.size(), 3u * 3);
}

TEST(AttentionLibrary, RefusesAMixOfStages) {
  EXPECT_THROW(
      library({{"sequences", 1}, {"tokens", 8}, {"decodes", 1}, {"heads", 2}, {"kv_heads", 2}}),
      Error);
}

}  // namespace
}  // namespace tilewright
