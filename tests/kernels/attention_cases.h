#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "kernels/attention/attention.h"
#include "simulator/hazards.h"

namespace tilewright {

inline const Machine& attention_machine() {
  static const Machine machine = load_machine("ascend-910b2");
  return machine;
}

/// A batch of the attention kernel: its sizes, mask and type.
struct AttentionCase {
  std::map<std::string, int64_t> sizes;
  const char* mask = "causal";
  const char* dtype = "bf16";
};

inline Problem attention_problem(const AttentionCase& c) {
  ProblemRequest request;
  request.sizes = c.sizes;
  request.sizes.try_emplace("tokens", 1);
  request.sizes.try_emplace("heads", 2);
  request.mask = c.mask;
  request.dtype = c.dtype;
  return find_kernel("attention").problem(request);
}

/// Some legal configs of a problem's space, spread over it: another choice for each `seed`.
inline std::vector<Config> some_configs(const Problem& problem, size_t count, size_t seed) {
  const std::vector<Config> space =
      find_kernel("attention").space(problem, attention_machine()).enumerate();
  std::vector<Config> some;
  // A stride without a common factor with the numbers of values walks all parameters.
  for (size_t i = 0; i < count && !space.empty(); ++i)
    some.push_back(space[(seed * 7919 + i * 104729) % space.size()]);
  return some;
}

inline void expect_right(const Problem& problem, const Config& config,
                         const InputValues& values = {42}) {
  const CheckResult result =
      check_kernel(find_kernel("attention"), problem, config, attention_machine(), values);
  EXPECT_TRUE(result.ok) << problem.text() << " " << config.text() << " " << name_of(values.pattern)
                         << ": " << result.first_failure;
}

inline void expect_no_hazard(const Problem& problem, const Config& config) {
  const auto hazards = find_hazards(
      find_kernel("attention").build(problem, config, attention_machine()), attention_machine());
  EXPECT_TRUE(hazards.empty()) << problem.text() << " " << config.text() << ": "
                               << hazards.front().message;
}

}  // namespace tilewright
