#include "core/workload/generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/statistics.h"
#include "core/workload/session_generator.h"

namespace tilewright {
namespace {

void expect_statistics(std::vector<double> values, const LengthStatistics& want,
                       std::string_view what) {
  std::sort(values.begin(), values.end());
  const auto expect_near = [&](double got, double published) {
    EXPECT_NEAR(got, published, 0.04 * published + 0.5) << what;
  };
  expect_near(mean(values), want.mean);
  expect_near(percentile(values, 50), want.p50);
  expect_near(percentile(values, 90), want.p90);
  expect_near(percentile(values, 99), want.p99);
  EXPECT_GE(values.front(), want.min) << what;
  EXPECT_LE(values.back(), want.max) << what;
}

TEST(Generator, MeetsThePublishedLengthsOfItsPresets) {
  for (const GeneratorPreset& preset : generator_presets()) {
    const Workload workload = generate_workload(preset, 40000, 7);
    std::vector<double> prompts, outputs;
    for (const Request& request : workload.requests) {
      prompts.push_back(static_cast<double>(request.prompt_tokens));
      outputs.push_back(static_cast<double>(request.output_tokens));
    }
    expect_statistics(prompts, preset.prompt, preset.name);
    expect_statistics(outputs, preset.output, preset.name);
  }
}

TEST(Generator, MeetsThePublishedArrivalsOfItsPresets) {
  for (const GeneratorPreset& preset : generator_presets()) {
    const Workload workload = generate_workload(preset, 200000, 3);
    EXPECT_NEAR(request_rate(workload), preset.requests_per_second, 1e-6) << preset.name;
    std::vector<double> gaps;
    for (size_t i = 1; i < workload.requests.size(); ++i) {
      const int64_t gap = workload.requests[i].arrival_ns - workload.requests[i - 1].arrival_ns;
      ASSERT_GE(gap, 0);
      gaps.push_back(static_cast<double>(gap));
    }
    const double cv = standard_deviation(gaps) / mean(gaps);
    EXPECT_NEAR(cv, preset.gap_cv, 0.05 * preset.gap_cv) << preset.name;
  }
}

TEST(Generator, RepeatsItselfForASeedAndOnlyForIt) {
  const GeneratorPreset& preset = generator_presets()[0];
  const Workload first = generate_workload(preset, 100, 1);
  EXPECT_EQ(first.requests, generate_workload(preset, 100, 1).requests);
  EXPECT_NE(first.requests, generate_workload(preset, 100, 2).requests);
}

TEST(Generator, MakesOneRequestAndRefusesNone) {
  const GeneratorPreset& preset = generator_presets()[1];
  EXPECT_EQ(generate_workload(preset, 1, 1).requests.at(0).arrival_ns, 0);
  EXPECT_THROW(generate_workload(preset, 0, 1), Error);
  EXPECT_THROW(generate_workload(preset, INT64_MAX, 1), Error);
}

TEST(Generator, KeepsArrivalsInRangeForAFewVeryBurstyRequests) {
  const GeneratorPreset& code = generator_presets()[1];
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const int64_t last_ns = generate_workload(code, 3, seed).requests.back().arrival_ns;
    EXPECT_TRUE(last_ns == 0 || last_ns == 778210117) << last_ns;
  }
}

TEST(LengthDistribution, PassesThroughItsQuantiles) {
  const LengthDistribution lengths(
      {.min = 10, .p50 = 100, .p90 = 200, .p99 = 400, .max = 1000, .mean = 110});
  EXPECT_EQ(lengths.at(0), 10);
  EXPECT_EQ(lengths.at(0.5), 100);
  EXPECT_EQ(lengths.at(0.9), 200);
  EXPECT_EQ(lengths.at(0.99), 400);
  EXPECT_EQ(lengths.at(1), 1000);
}

// What these presets give is documented and kept in databases: it does not change.
TEST(Generator, GivesTheSameRequestsInEveryVersion) {
  const struct {
    std::string name;
    Request second;
  } kCases[] = {
      {"chat", {800111, 299, 435}},
      {"code", {0, 563, 55}},
      {"long-context", {128143455, 2691, 601}},
  };
  for (const auto& [name, second] : kCases) {
    EXPECT_EQ(load_workload(name, 10, 0).requests[1], second) << name;
  }
}

TEST(SessionGenerator, ExtendsThePromptBefore) {
  const SessionPreset& preset = session_presets()[0];
  const Workload workload = generate_sessions(preset, 20000, 1);
  ASSERT_EQ(workload.requests.size(), 20000U);
  int64_t followers = 0;
  double pauses_ns = 0;
  for (size_t i = 0; i < workload.requests.size(); ++i) {
    const Request& request = workload.requests[i];
    EXPECT_EQ(std::ssize(request.prefix_hashes), request.prompt_tokens / kSessionBlockTokens);
    EXPECT_EQ(request.prefix_hashes[7], 7);  // of the system prompt
    if (request.after < 0) continue;
    ++followers;
    pauses_ns += static_cast<double>(request.think_ns);
    ASSERT_EQ(request.after, static_cast<int64_t>(i) - 1);
    const Request& before = workload.requests[i - 1];
    EXPECT_GT(request.prompt_tokens, before.prompt_tokens + before.output_tokens);
    EXPECT_LE(request.prompt_tokens, preset.max_prompt_tokens);
    EXPECT_TRUE(std::equal(before.prefix_hashes.begin(), before.prefix_hashes.end(),
                           request.prefix_hashes.begin()));
    EXPECT_EQ(request.arrival_ns, before.arrival_ns);
  }
  const auto sessions = static_cast<double>(20000 - followers);
  EXPECT_NEAR(20000 / sessions, preset.turns, 0.2);
  EXPECT_NEAR(pauses_ns * 1e-9 / static_cast<double>(followers), preset.think_s, 0.5);
  EXPECT_NEAR(request_rate(workload), preset.sessions_per_second, 0.05);
}

TEST(SessionGenerator, SharesNothingBetweenSessionsButTheirBeginning) {
  const Workload workload = generate_sessions(session_presets()[0], 200, 1);
  std::map<int64_t, size_t> session_of;
  size_t session = 0;
  for (const Request& request : workload.requests) {
    session += request.after < 0 ? 1 : 0;
    for (size_t block = 8; block < request.prefix_hashes.size(); ++block) {
      EXPECT_EQ(session_of.emplace(request.prefix_hashes[block], session).first->second, session);
    }
  }
}

TEST(SessionGenerator, RepeatsItselfAndRefusesNone) {
  const SessionPreset& preset = session_presets()[0];
  EXPECT_EQ(generate_sessions(preset, 50, 1).requests, generate_sessions(preset, 50, 1).requests);
  EXPECT_NE(generate_sessions(preset, 50, 1).requests, generate_sessions(preset, 50, 2).requests);
  EXPECT_EQ(load_workload("chat-sessions", 5, 1).requests.size(), 5U);
  EXPECT_THROW(generate_sessions(preset, 0, 1), Error);
  EXPECT_THROW(generate_sessions(preset, INT64_MAX, 1), Error);
}

}  // namespace
}  // namespace tilewright
