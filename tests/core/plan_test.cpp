#include "core/plan/plan.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"

namespace tilewright {
namespace {

Plan small_plan() {
  Plan plan;
  plan.machine_name = "npu-a";
  plan.machine_fingerprint = "00ff00ff00ff00ff";
  plan.model = "qwen2-7b";
  plan.workload_class = "chat";
  PlanTable table{"gemm", 3, DType::kF16, 4608, 3584, "none", {"nd", "nz", "nd"}, {"qkv"}, {}};
  const TunedRow rows[] = {{64, parse_config("tile_m=64"), 20.5},
                           {16, parse_config("tile_m=16"), 10.25},
                           {256, parse_config("tile_m=128"), 81},
                           {128, parse_config("tile_m=64"), 41}};
  plan.tables.push_back(make_table(table, rows));
  plan.provenance.push_back({7, "2026-01-02T03:04:05Z", "tilewright 0.1.0"});
  return plan;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  try {
    parse_plan(text, "plan.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    return error.message();
  }
  return "";
}

TEST(Plan, WinnerCoversTheRowsUpToItsOwnAndEqualNeighboursMerge) {
  const std::vector<PlanRange> expected = {{1, 16, parse_config("tile_m=16"), 10.25},
                                           {17, 128, parse_config("tile_m=64"), 41},
                                           {129, 256, parse_config("tile_m=128"), 81}};
  EXPECT_EQ(small_plan().tables[0].ranges, expected);
}

TEST(Plan, FindsTheRangeOfEachM) {
  const Plan plan = small_plan();
  const struct {
    int64_t m;
    const char* config;
  } cases[] = {{-5, "tile_m=16"},   {1, "tile_m=16"},       {16, "tile_m=16"},
               {17, "tile_m=64"},   {128, "tile_m=64"},     {129, "tile_m=128"},
               {256, "tile_m=128"}, {100'000, "tile_m=128"}};
  for (const auto& [m, config] : cases) {
    const PlanRange* range = plan.find("gemm", DType::kF16, 4608, 3584, "none", m);
    ASSERT_NE(range, nullptr);
    EXPECT_EQ(range->config.text(), config) << m;
  }
  EXPECT_EQ(plan.find("gemm", DType::kI8, 4608, 3584, "none", 1), nullptr);
  EXPECT_EQ(plan.find("gemm", DType::kF16, 4608, 3584, "bias", 1), nullptr);
  EXPECT_EQ(plan.find("gemm_padded", DType::kF16, 4608, 3584, "none", 1), nullptr);
}

TEST(Plan, FallsToTheNextRangeUpInAGap) {
  Plan plan = small_plan();
  plan.tables[0].ranges[1].m_min = 100;
  EXPECT_EQ(plan.find("gemm", DType::kF16, 4608, 3584, "none", 50)->config.text(), "tile_m=64");
}

TEST(Plan, RoundTripsThroughItsText) {
  Plan plan = small_plan();
  const std::string text = write_plan(plan);
  EXPECT_EQ(parse_plan(text, "plan.json"), plan);
  EXPECT_EQ(write_plan(parse_plan(text, "plan.json")), text);
  EXPECT_EQ(text.find("serving"), std::string::npos);

  plan.serving = {{"max_batched_tokens", 8192}, {"memory_share", 0.9}};
  const std::string with_knobs = write_plan(plan);
  EXPECT_NE(with_knobs.find("\"max_batched_tokens\": 8192,"), std::string::npos);
  EXPECT_EQ(parse_plan(with_knobs, "plan.json"), plan);
}

TEST(Plan, RefusesWhatIsNotAPlanAndSaysWhere) {
  const std::string good = write_plan(small_plan());
  const struct {
    const char* from;
    const char* to;
    const char* part;
  } cases[] = {
      {"\"m_min\": 17", "\"m_min\": 16", "m_min 16 is not above 16"},
      {"\"m_max\": 16", "\"m_max\": 0", "outside"},
      {"\"m_max\": 128", "\"m_max\": 12", "m_max 12 is below m_min 17"},
      {"\"schema\": 1", "\"schema\": 2", "newer tilewright"},
      {"\"schema\": 1", "\"schema\": \"1\"", "whole number"},
      {"\"schema\": 1,", "", "'schema' is missing"},
      {"\"dtype\": \"f16\"", "\"dtype\": \"f17\"", "tables[0].dtype"},
      {"\"config\": \"tile_m=16\"", "\"config\": \"tile_m\"", "tables[0].ranges[0].config"},
      {"\"time_us\": 41.0", "\"time_us\": -1", "outside"},
      {"\"n\": 4608", "\"n\": 0", "outside"},
      {"\"n\": 4608", "\"n\": 1e300", "whole number"},
      {"\"kernel\"", "\"kernal\"", "did you mean 'kernel'"},
      {"\"fingerprint\": \"00ff00ff00ff00ff\"", "\"fingerprint\": \"\"", "empty"},
      {"{", "[", "plan.json:"},
  };
  for (const auto& [from, to, part] : cases) {
    const std::string message = error_of(replaced(good, from, to));
    EXPECT_NE(message.find(part), std::string::npos) << from << " -> " << to << ": " << message;
    EXPECT_EQ(message.rfind("plan.json", 0), 0u) << message;
  }
  EXPECT_NE(error_of(""), "");
  EXPECT_NE(error_of(good.substr(0, good.size() / 2)), "");
}

TEST(Plan, RefusesTwoTablesOfOneKey) {
  Plan plan = small_plan();
  plan.tables.push_back(plan.tables[0]);
  EXPECT_NE(error_of(write_plan(plan)).find("a second table for gemm f16"), std::string::npos);
}

TEST(Plan, SaysAtWhichRowsOpsShareALaunch) {
  Plan plan = small_plan();
  plan.fusions = {{"gate_up+silu_mul", "silu_mul", {{1, 96}, {129, 256}}}};
  const std::string text = write_plan(plan);
  EXPECT_EQ(parse_plan(text, "plan.json"), plan);
  EXPECT_TRUE(plan.fuses("gate_up+silu_mul", 1));
  EXPECT_TRUE(plan.fuses("gate_up+silu_mul", 96));
  EXPECT_FALSE(plan.fuses("gate_up+silu_mul", 97));
  EXPECT_TRUE(plan.fuses("gate_up+silu_mul", 256));
  EXPECT_FALSE(plan.fuses("gate_up+silu_mul", 257));
  EXPECT_FALSE(plan.fuses("down+add_rms_norm", 1));

  const auto refused = [&](const std::string& from, const std::string& to) {
    return error_of(replaced(text, from, to));
  };
  EXPECT_NE(refused("\"m_max\": 96", "\"m_max\": 130").find("129 is not above 130"),
            std::string::npos);
  EXPECT_NE(refused("\"ops\": \"gate_up+silu_mul\"", "\"ops\": \"\"").find("empty"),
            std::string::npos);
  plan.fusions.push_back(plan.fusions[0]);
  EXPECT_NE(error_of(write_plan(plan)).find("a second fusion"), std::string::npos);
  plan.fusions = {{"gate_up+silu_mul", "silu_mul", {}}};
  EXPECT_NE(error_of(write_plan(plan)).find("without ranges"), std::string::npos);
}

TEST(Plan, RefusesAnotherMachineUnlessForced) {
  const Plan plan = small_plan();
  EXPECT_NO_THROW(check_plan_machine(plan, "npu-b", plan.machine_fingerprint, false));
  EXPECT_NO_THROW(check_plan_machine(plan, "npu-b", "1111", true));
  try {
    check_plan_machine(plan, "npu-b", "1111222233334444", false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCheckFailed);
    for (const char* part : {"00ff00ff00ff00ff", "1111222233334444", "--force"}) {
      EXPECT_NE(error.message().find(part), std::string::npos) << part;
    }
  }
}

}  // namespace
}  // namespace tilewright
