#include "core/workload/arrivals.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/workload/generator.h"
#include "core/workload/workload_statistics.h"

namespace tilewright {
namespace {

Workload plain_workload(size_t count) {
  Workload workload;
  workload.source = "test";
  workload.requests.assign(count, Request{0, 10, 10});
  return workload;
}

Workload arranged(size_t count, const std::string& text, uint64_t seed = 1) {
  Workload workload = plain_workload(count);
  apply_arrivals(workload, parse_arrivals(text), seed);
  return workload;
}

double last_s(const Workload& workload) {
  return static_cast<double>(workload.requests.back().arrival_ns) * 1e-9;
}

TEST(ParseArrivals, ReadsEveryProcess) {
  using enum ArrivalProcess;
  const struct {
    std::string text;
    ArrivalOptions want;
  } kCases[] = {
      {"recorded", {}},
      {"recorded:rate=4", {.process = kRecorded, .rate = 4}},
      {"at-once", {.process = kAtOnce}},
      {"constant:rate=0.5", {.process = kConstant, .rate = 0.5}},
      {"poisson:rate=4,concurrency=8", {.process = kGamma, .rate = 4, .concurrency = 8}},
      {"gamma:rate=4,burstiness=0.5", {.process = kGamma, .rate = 4, .burstiness = 0.5}},
      {"poisson:rate=1..8", {.process = kGamma, .rate = 1, .ramp = Ramp::kLinear, .end_rate = 8}},
      {"constant:ramp=exponential,rate=8..1",
       {.process = kConstant, .rate = 8, .ramp = Ramp::kExponential, .end_rate = 1}},
      {"closed:concurrency=32", {.process = kAtOnce, .concurrency = 32}},
      {"sessions:users=4,think=2s", {.process = kSessions, .users = 4, .think_ns = 2'000'000'000}},
  };
  for (const auto& [text, want] : kCases) EXPECT_EQ(parse_arrivals(text), want) << text;
}

TEST(ParseArrivals, SaysWhatIsWrong) {
  const struct {
    std::string text;
    std::string message;
  } kCases[] = {
      {"poison:rate=4", "no arrival process is called 'poison'; did you mean 'poisson'?"},
      {"poisson", "poisson arrivals need rate: poisson:rate=N"},
      {"closed", "closed arrivals need concurrency: closed:concurrency=N"},
      {"poisson:rat=4", "poisson arrivals have no 'rat'; did you mean 'rate'?"},
      {"poisson:burstiness=4", "poisson arrivals have no 'burstiness'"},
      {"poisson:rate=0", "rate 0 is not above 0 requests/s"},
      {"poisson:rate=-1", "rate -1 is not above 0"},
      {"poisson:rate=nan", "rate 'nan' is not a number"},
      {"poisson:rate=1..0", "rate 0 is not above 0"},
      {"poisson:rate=1,rate=2", "gives rate twice"},
      {"poisson:rate", "'rate' is not NAME=VALUE"},
      {"poisson:rate=1,ramp=linear", "a ramp needs the rates that it goes from and to"},
      {"poisson:rate=1..2,ramp=linar", "no ramp is called 'linar'; did you mean 'linear'?"},
      {"recorded:rate=1..2", "recorded arrivals have no rising rate"},
      {"gamma:rate=1,burstiness=0", "burstiness 0 is outside"},
      {"closed:concurrency=0", "concurrency 0 is outside 1 to"},
      {"sessions:users=2,think=9e99s", "think 9e99s is longer than three years"},
  };
  for (const auto& [text, message] : kCases) {
    try {
      parse_arrivals(text);
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
    }
  }
}

TEST(ApplyArrivals, SpacesConstantOnesEvenly) {
  const Workload workload = arranged(5, "constant:rate=4");
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(workload.requests[i].arrival_ns, static_cast<int64_t>(i) * 250'000'000);
  }
}

// All n gaps, the one before the first request included, last n / rate.
TEST(ApplyArrivals, RescalesRandomGapsToTheRate) {
  for (const char* text : {"poisson:rate=4", "gamma:rate=4,burstiness=0.25"}) {
    const Workload workload = arranged(20000, text);
    EXPECT_LE(last_s(workload), 5000) << text;
    EXPECT_NEAR(last_s(workload), 5000, 10) << text;
  }
  EXPECT_EQ(last_s(arranged(1, "poisson:rate=4")), 0);
}

TEST(ApplyArrivals, DrawsGapsOfTheBurstiness) {
  EXPECT_NEAR(workload_statistics(arranged(50000, "poisson:rate=4")).gap_cv, 1, 0.03);
  EXPECT_NEAR(workload_statistics(arranged(50000, "gamma:rate=4,burstiness=0.25")).gap_cv, 2, 0.1);
  EXPECT_NEAR(workload_statistics(arranged(50000, "gamma:rate=4,burstiness=100")).gap_cv, 0.1,
              0.01);
}

TEST(ApplyArrivals, IsAFunctionOfTheSeed) {
  EXPECT_EQ(arranged(100, "poisson:rate=4", 5).requests,
            arranged(100, "poisson:rate=4", 5).requests);
  EXPECT_NE(arranged(100, "poisson:rate=4", 5).requests,
            arranged(100, "poisson:rate=4", 6).requests);
}

TEST(ApplyArrivals, RampsTheRate) {
  // Gaps of 1/1 (before the first), 1/2 and 1/3 s; exponentially 1/1, 1/2, 1/4.
  const Workload linear = arranged(3, "constant:rate=1..3");
  EXPECT_EQ(linear.requests[1].arrival_ns, 500'000'000);
  EXPECT_EQ(linear.requests[2].arrival_ns, 833'333'333);
  const Workload exponential = arranged(3, "constant:rate=1..4,ramp=exponential");
  EXPECT_EQ(exponential.requests[1].arrival_ns, 500'000'000);
  EXPECT_EQ(exponential.requests[2].arrival_ns, 750'000'000);
}

TEST(ApplyArrivals, ClosesTheLoop) {
  Workload workload = generate_workload(generator_presets()[0], 10, 1);
  apply_arrivals(workload, parse_arrivals("closed:concurrency=3"), 1);
  EXPECT_EQ(workload.concurrency, 3);
  EXPECT_EQ(workload.requests.back().arrival_ns, 0);
}

TEST(ApplyArrivals, ChainsTheRequestsOfUsers) {
  Workload workload = arranged(5, "sessions:users=2,think=500ms");
  const std::vector<int64_t> kAfter = {-1, -1, 0, 1, 2};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(workload.requests[i].after, kAfter[i]);
    EXPECT_EQ(workload.requests[i].think_ns, i < 2 ? 0 : 500'000'000);
  }
  EXPECT_THROW(apply_arrivals(workload, parse_arrivals("sessions:users=2"), 1), Error);
}

TEST(ApplyArrivals, LeavesFollowersWithTheirSession) {
  Workload workload = plain_workload(4);
  workload.requests[1].after = 0;
  workload.requests[1].think_ns = 9;
  workload.requests[2].after = 1;
  apply_arrivals(workload, parse_arrivals("constant:rate=1"), 1);
  EXPECT_EQ(workload.requests[1].arrival_ns, 0);
  EXPECT_EQ(workload.requests[1].think_ns, 9);
  EXPECT_EQ(workload.requests[2].arrival_ns, 0);
  EXPECT_EQ(workload.requests[3].arrival_ns, 1'000'000'000);
}

TEST(ApplyArrivals, RefusesToLastForYears) {
  EXPECT_THROW(arranged(3, "poisson:rate=1e-300"), Error);
  EXPECT_THROW(arranged(3, "recorded:rate=2"), Error);  // no gaps to scale
}

}  // namespace
}  // namespace tilewright
