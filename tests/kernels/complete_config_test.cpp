#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"
#include "kernels/kernel.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine kMachine = load_machine("ascend-910b2");
  return kMachine;
}

Problem prefill() {
  return find_kernel("attention").problem({{{"tokens", 256}, {"heads", 4}}, "", ""});
}

Problem decode() {
  return find_kernel("attention")
      .problem({{{"decodes", 8}, {"decode_context", 1000}, {"heads", 4}}, "", ""});
}

Config completed(const Problem& problem, std::string_view text) {
  return complete_config(find_kernel(problem.kernel), problem, machine(), parse_config(text));
}

std::string refusal_of(const Problem& problem, std::string_view text) {
  try {
    completed(problem, text);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(CompleteConfig, WhatGoesWithTheDefaultLeavesItAlone) {
  const Config fallback = find_kernel("attention").default_config(prefill(), machine());
  EXPECT_EQ(completed(prefill(), ""), fallback);
  Config other = fallback;
  other.values[6].second = 0;
  ASSERT_EQ(other.values[6].first, "chain");
  EXPECT_EQ(completed(prefill(), "chain=0"), other);
}

TEST(CompleteConfig, ValuesOfOthersFollowWhatIsGiven) {
  EXPECT_EQ(completed(prefill(), "pipeline=3").at("split_kv"), 1);
  EXPECT_EQ(completed(prefill(), "alpha=50").at("pipeline"), 0);
  EXPECT_EQ(completed(decode(), "pipeline=3").at("buffers"), 2);
  EXPECT_EQ(completed(decode(), "pipeline=2").at("fetch"), 0);
  EXPECT_EQ(completed(decode(), "pipeline=0").at("fetch"), 0);
}

TEST(CompleteConfig, NoLegalConfigIsNearerToTheDefault) {
  const Kernel& kernel = find_kernel("attention");
  const Space space = kernel.space(decode(), machine());
  const Config fallback = kernel.default_config(decode(), machine());
  const auto changes = [&](const Config& config) {
    int count = 0;
    for (const auto& [name, value] : config.values) count += value != fallback.at(name);
    return count;
  };
  for (const char* text : {"pipeline=2", "pipeline=0", "fetch=4", "buffers=4", "tile_kv=32"}) {
    const Config given = parse_config(text);
    const Config config = completed(decode(), text);
    EXPECT_EQ(space.violation(config), "");
    for (const Config& other : space.enumerate()) {
      if (other.at(given.values[0].first) != given.values[0].second) continue;
      ASSERT_LE(changes(config), changes(other)) << text << ": " << other.text();
    }
  }
}

TEST(CompleteConfig, WhatNoConfigHasIsRefusedWithRuleValueAndRemedy) {
  const struct {
    Problem problem;
    const char* config;
    std::vector<std::string> parts;
  } cases[] = {
      {prefill(), "pipeline=2", {"decodes_alone", "pipeline=2", "give pipeline=4, 3 or 0"}},
      {prefill(), "pipeline=4,alpha=50", {"rule_only", "alpha=50", "give pipeline=0"}},
      {prefill(), "pipeline=3,split_kv=4", {"splittable", "split_kv=4", "give split_kv=1"}},
      {prefill(), "pipeline=3,chain=0", {"chained", "pipeline=3", "give chain=1"}},
      {prefill(), "preload=4,fifo=2", {"fifo_room", "fifo=2", "give fifo=8"}},
      {decode(), "pipeline=4", {"never_rescales", "pipeline=4", "give pipeline=2, 3 or 0"}},
      {decode(), "pipeline=3,buffers=4", {"one_buffers", "buffers=4", "give buffers=2"}},
      {decode(), "pipeline=2,fetch=4", {"fetch", "fetch=4", "give fetch=0"}},
  };
  for (const auto& each : cases) {
    const std::string message = refusal_of(each.problem, each.config);
    for (const std::string& part : each.parts) {
      EXPECT_NE(message.find(part), std::string::npos) << each.config << ": " << message;
    }
  }
}

TEST(CompleteConfig, ValuesThatAreNotListedStayUsageErrors) {
  EXPECT_NE(refusal_of(prefill(), "alpha=75").find("is not one of 50, 100, 200"),
            std::string::npos);
  EXPECT_NE(refusal_of(prefill(), "pipelin=3").find("did you mean 'pipeline'"), std::string::npos);
}

}  // namespace
}  // namespace tilewright
