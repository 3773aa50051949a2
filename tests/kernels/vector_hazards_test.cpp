#include <gtest/gtest.h>

#include <map>

#include "core/base/random.h"
#include "kernels/kernel.h"
#include "simulator/hazards.h"

namespace tilewright {
namespace {

struct Case {
  const char* kernel;
  std::map<std::string, int64_t> sizes;
};

// Rows that fit UB whole, rows that are cut, real vocabularies.
const Case kCases[] = {
    {"rms_norm", {{"rows", 20}, {"cols", 3584}}},
    {"rms_norm", {{"rows", 9}, {"cols", 26607}}},
    {"add_rms_norm", {{"rows", 20}, {"cols", 3584}}},
    {"add_rms_norm", {{"rows", 9}, {"cols", 26607}}},
    {"add_rms_norm", {{"rows", 9}, {"cols", 10929}}},
    {"silu_mul", {{"rows", 9}, {"cols", 9000}}},
    {"rope", {{"rows", 9}, {"heads", 12}, {"kv_heads", 2}, {"dim", 64}}},
    {"gather", {{"rows", 9}, {"cols", 5000}, {"vocab", 50}}},
    {"elementwise", {{"rows", 9}, {"cols", 5000}, {"reads", 2}, {"writes", 4}}},
    {"elementwise", {{"rows", 9}, {"cols", 5000}}},
    {"argmax", {{"rows", 3}, {"cols", 5001}}},
    {"argmax", {{"rows", 5}, {"cols", 152064}}},
    {"layer_norm", {{"rows", 20}, {"cols", 3584}}},
    {"layer_norm", {{"rows", 9}, {"cols", 26607}}},
    {"add_layer_norm", {{"rows", 20}, {"cols", 3584}}},
    {"add_layer_norm", {{"rows", 9}, {"cols", 26607}}},
    {"gelu", {{"rows", 9}, {"cols", 9000}}},
    {"softmax", {{"rows", 20}, {"cols", 3584}}},
    {"softmax", {{"rows", 9}, {"cols", 26607}}},
    {"cast", {{"rows", 9}, {"cols", 9000}}},
    {"quantize", {{"rows", 20}, {"cols", 3584}}},
    {"quantize", {{"rows", 9}, {"cols", 26607}}},
    {"quantize_channels", {{"rows", 9}, {"cols", 9000}}},
    {"kv_write", {{"rows", 9}, {"kv_heads", 3}, {"dim", 64}}},
    {"unpermute", {{"rows", 9}, {"cols", 5000}, {"k", 2}}},
    {"moe_route", {{"rows", 9}, {"experts", 65}, {"k", 6}}},
    {"top_k", {{"rows", 3}, {"cols", 5001}, {"k", 9}}},
    {"sample", {{"rows", 3}, {"cols", 30007}, {"k", 20}}},
};

TEST(VectorHazards, NoneInTheDefaultsAndASampleOfTheSpaces) {
  const Machine machine = load_machine("ascend-910b2");
  Random random(7);
  for (const Case& c : kCases) {
    const Kernel& kernel = find_kernel(c.kernel);
    for (const char* dtype : {"f16", "f32"}) {
      ProblemRequest request;
      request.sizes = c.sizes;
      request.dtype = dtype;
      const Problem problem = kernel.problem(request);
      const std::vector<Config> space = kernel.space(problem, machine).enumerate();
      std::vector<Config> configs = {kernel.default_config(problem, machine)};
      for (int i = 0; i < 6; ++i) configs.push_back(space[random.below(space.size())]);
      for (const Config& config : configs) {
        const auto hazards = find_hazards(kernel.build(problem, config, machine), machine);
        EXPECT_TRUE(hazards.empty()) << problem.text() << " " << config.text() << ": "
                                     << hazards.front().kind << ": " << hazards.front().message;
      }
    }
  }
}

/// Takes all waits for a flag out of a launch; how many there were.
int remove_waits(Launch& launch, size_t flag) {
  int removed = 0;
  for (Template& body : launch.templates) {
    for (auto* list : {&body.prologue, &body.body, &body.epilogue}) {
      for (Instruction& instruction : *list) {
        for (FlagUse& use : instruction.waits) {
          if (use.flag != static_cast<int>(flag)) continue;
          use.flag = -1;
          ++removed;
        }
      }
    }
  }
  return removed;
}

TEST(VectorHazards, LosingAnyFlagIsAHazardInSomeCase) {
  const Machine machine = load_machine("ascend-910b2");
  std::map<std::string, bool> needed;
  for (const Case& c : kCases) {
    const Kernel& kernel = find_kernel(c.kernel);
    std::map<std::string, int64_t> sizes = c.sizes;
    sizes["rows"] = 60;
    const Problem problem = kernel.problem({sizes, "f16", "", ""});
    // Few cores and small tiles: slots are used again and again.
    const Config config = complete_config(
        kernel, problem, machine, Config{{{"tile_rows", 1}, {"buffers", 2}, {"cores", 12}}});
    const Launch correct = kernel.build(problem, config, machine);
    ASSERT_TRUE(find_hazards(correct, machine).empty()) << problem.text();
    for (size_t flag = 0; flag < correct.flags.size(); ++flag) {
      Launch broken = correct;
      if (remove_waits(broken, flag) == 0) continue;
      const bool hazard = !find_hazards(broken, machine).empty();
      needed[problem.kernel + " " + correct.flags[flag].name] |= hazard;
    }
  }
  // Implied by other flags here: a core uses one table or two, whose load stands before its tile's,
  // and combines once; parameters are loaded before the row's pieces. With as few buffers as a row
  // has pieces, a slot is free only when what is read back or written again has been stored.
  for (const char* implied :
       {"rope table_full", "rope table_free", "argmax combine_free", "sample params_full",
        "unpermute weights_free", "add_layer_norm sum_written", "quantize scale_free"}) {
    EXPECT_EQ(needed.erase(implied), 1u) << implied;
  }
  EXPECT_GE(needed.size(), 30u);
  for (const auto& [flag, is_needed] : needed) EXPECT_TRUE(is_needed) << flag;
}

TEST(GemmHazards, AFullL1IsNotOutgrown) {
  // 2 x (A + B) chunks fill L1 to the last byte; parts of a chunk end with the chunk.
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel("gemm");
  ProblemRequest request;
  request.sizes = {{"m", 128}, {"n", 256}, {"k", 600}};
  const Problem problem = kernel.problem(request);
  for (const char* text : {"tile_m=128,tile_n=128,tile_k=512,tile_k0=128,l1_buffers=2",
                           "tile_m=64,tile_n=192,tile_k=512,tile_k0=64,l1_buffers=2"}) {
    const Config config = complete_config(kernel, problem, machine, parse_config(text));
    const auto hazards = find_hazards(kernel.build(problem, config, machine), machine);
    EXPECT_TRUE(hazards.empty()) << text << ": " << hazards.front().message;
    EXPECT_TRUE(check_kernel(kernel, problem, config, machine, {1}).ok) << text;
  }
}

}  // namespace
}  // namespace tilewright
