#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "core/base/random.h"
#include "kernels/kernel.h"

namespace tilewright {
namespace {

using Sizes = std::map<std::string, int64_t>;

constexpr InputPattern kFinite[] = {InputPattern::kUniform, InputPattern::kLarge,
                                    InputPattern::kTiny, InputPattern::kEqual};

struct Case {
  const char* kernel;
  std::vector<Sizes> shapes;
  bool masked = false;  ///< takes inputs of -inf: scores and logits
  const char* epilogue = "";
};

std::vector<Sizes> matrices(Sizes more = {}) {
  // Tiles are 1 to 256 rows of up to 16384 columns: around their edges, primes, and more than UB.
  std::vector<Sizes> shapes;
  for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{{1, 1},
                                                                           {2, 15},
                                                                           {17, 16},
                                                                           {5, 17},
                                                                           {257, 8},
                                                                           {3, 1023},
                                                                           {4, 1024},
                                                                           {7, 1025},
                                                                           {13, 2053},
                                                                           {2, 16385},
                                                                           {1, 40009}}) {
    Sizes shape = {{"rows", rows}, {"cols", cols}};
    shape.insert(more.begin(), more.end());
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

std::vector<Case> cases() {
  return {
      {"rms_norm", matrices()},
      {"add_rms_norm", matrices()},
      {"layer_norm", matrices()},
      {"add_layer_norm", matrices()},
      {"silu_mul", matrices()},
      {"gelu", matrices()},
      {"softmax", matrices(), true},
      {"cast", matrices()},
      {"cast", matrices(), false, "to_f32"},
      {"cast", matrices(), false, "to_bf16"},
      {"quantize", matrices()},
      {"quantize_channels", matrices()},
      {"elementwise", matrices({{"reads", 3}, {"writes", 2}})},
      {"gather", matrices({{"vocab", 11}})},
      {"argmax", matrices(), true},
      {"unpermute", matrices({{"k", 3}})},
      {"kv_write",
       {{{"rows", 1}, {"kv_heads", 1}, {"dim", 1}},
        {{"rows", 259}, {"kv_heads", 3}, {"dim", 17}},
        {{"rows", 5}, {"kv_heads", 129}, {"dim", 128}}}},
      {"moe_route",
       {{{"rows", 1}, {"experts", 1}, {"k", 1}},
        {{"rows", 301}, {"experts", 8}, {"k", 2}},
        {{"rows", 5}, {"experts", 31}, {"k", 4}},
        {{"rows", 37}, {"experts", 33}, {"k", 32}, {"normalised", 0}},
        {{"rows", 17}, {"experts", 129}, {"k", 8}, {"normalised", 0}},
        {{"rows", 3}, {"experts", 1024}, {"k", 6}}},
       true},
      {"top_k",
       {{{"rows", 1}, {"cols", 1}, {"k", 1}},
        {{"rows", 97}, {"cols", 67}, {"k", 7}},
        {{"rows", 3}, {"cols", 64}, {"k", 64}},
        {{"rows", 5}, {"cols", 1025}, {"k", 33}},
        {{"rows", 2}, {"cols", 32003}, {"k", 20}},
        {{"rows", 1}, {"cols", 152064}, {"k", 64}}},
       true},
      {"sample",
       {{{"rows", 1}, {"cols", 1}, {"k", 1}},
        {{"rows", 97}, {"cols", 67}, {"k", 7}},
        {{"rows", 3}, {"cols", 64}, {"k", 64}},
        {{"rows", 5}, {"cols", 1025}, {"k", 33}},
        {{"rows", 2}, {"cols", 32003}, {"k", 20}},
        {{"rows", 1}, {"cols", 152064}, {"k", 64}}},
       true},
      {"rope",
       {{{"rows", 1}, {"heads", 2}, {"kv_heads", 1}, {"dim", 16}},
        {{"rows", 53}, {"heads", 21}, {"kv_heads", 5}, {"dim", 48}},
        {{"rows", 257}, {"heads", 3}, {"kv_heads", 1}, {"dim", 128}},
        {{"rows", 3}, {"heads", 65}, {"kv_heads", 1}, {"dim", 256}}}},
  };
}

class VectorSweep : public testing::TestWithParam<Case> {};

void check(const Case& c, const Sizes& sizes, const std::string& dtype, InputPattern pattern,
           Random& random) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel(c.kernel);
  const Problem problem = kernel.problem({sizes, dtype, "", c.epilogue});
  const std::vector<Config> space = kernel.space(problem, machine).enumerate();
  ASSERT_FALSE(space.empty()) << problem.text();
  for (const Config& config :
       {kernel.default_config(problem, machine), space[random.below(space.size())]}) {
    const CheckResult result = check_kernel(kernel, problem, config, machine, {3, pattern});
    EXPECT_TRUE(result.ok) << problem.text() << " " << name_of(pattern) << " " << config.text()
                           << ": " << result.first_failure;
  }
}

TEST_P(VectorSweep, ComputesTheReference) {
  const Case& c = GetParam();
  Random random(5);
  const std::string same =
      std::string(c.epilogue).substr(std::min<size_t>(3, std::string(c.epilogue).size()));
  for (const Sizes& sizes : c.shapes) {
    for (const char* dtype : {"f16", "bf16", "f32"}) {
      if (dtype == same) continue;
      for (const InputPattern pattern : kFinite) check(c, sizes, dtype, pattern, random);
      if (c.masked) check(c, sizes, dtype, InputPattern::kMinusInf, random);
    }
  }
}

/// Without it a test's description is its bytes, pointers among them.
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.kernel;
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.kernel) + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(Kernels, VectorSweep, testing::ValuesIn(cases()), name_of_case);

}  // namespace
}  // namespace tilewright
