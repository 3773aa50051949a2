// `tilewright fuse` through the real binary.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "tests/app/program.h"
#include "tuner/fusion/planner.h"

namespace tilewright {
namespace {

using Json = nlohmann::json;

/// Softmax of rows, then a product, then an op that nothing can share a kernel with.
constexpr const char* kModule = R"(HloModule softmax
largest { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] maximum(a, b) }
sum { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }
ENTRY e {
  x = f32[96,160]{1,0} parameter(0)
  w = f32[160,64]{1,0} parameter(1)
  low = f32[] constant(-inf)
  zero = f32[] constant(0)
  m = f32[96]{0} reduce(x, low), dimensions={1}, to_apply=largest
  ms = f32[96,160]{1,0} broadcast(m), dimensions={0}
  d = f32[96,160]{1,0} subtract(x, ms)
  e.1 = f32[96,160]{1,0} exponential(d)
  s = f32[96]{0} reduce(e.1, zero), dimensions={1}, to_apply=sum
  ss = f32[96,160]{1,0} broadcast(s), dimensions={0}
  p = f32[96,160]{1,0} divide(e.1, ss)
  y = f32[96,64]{1,0} dot(p, w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  ROOT z = f32[96,64]{1,0} negate(y)
}
)";

Json json_of(Sandbox& sandbox, std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const Outcome outcome = sandbox.run(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return Json::parse(outcome.out, nullptr, false);
}

TEST(FuseCommand, ComparesPlanners) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const Json json = json_of(sandbox, {"fuse", path});
  EXPECT_EQ(json["graph"], "softmax");
  EXPECT_EQ(json["launch_us"], 2);
  EXPECT_EQ(json["gemm_fusion"], "off");
  ASSERT_EQ(json["planners"].size(), fusion_planners().size());
  double best = 0;
  for (const Json& planner : json["planners"]) {
    for (const char* key : {"hbm_read_bytes", "hbm_write_bytes", "workspace_bytes", "time_us",
                            "barriers", "peak_ub_bytes", "recomputed_ops", "wall_planning_ms",
                            "candidates", "cost_model_error"}) {
      EXPECT_TRUE(planner.contains(key)) << key;
    }
    EXPECT_EQ(planner["equal_to_reference"], "full") << planner["planner"];
    EXPECT_LT(planner["whole_graph_error"], 1e-5) << planner["planner"];
    EXPECT_EQ(planner["launches"]["total"], planner["launches"]["memory"].get<int64_t>() + 1);
    if (planner["planner"] == "tilewright") best = planner["time_us"];
  }
  for (const Json& planner : json["planners"]) EXPECT_LE(best, planner["time_us"]);
  EXPECT_EQ(json["planners"][0]["planner"], "none");
  EXPECT_EQ(json["planners"][0]["launches"]["memory"], 8);
  const auto astitch = std::ranges::find(json["planners"], "astitch",
                                         [](const Json& planner) { return planner["planner"]; });
  ASSERT_NE(astitch, json["planners"].end());
  EXPECT_EQ((*astitch)["launches"]["memory"], 2);
}

TEST(FuseCommand, PrintsNarrowTables) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const Outcome text =
      sandbox.run({"fuse", path, "--planner", "xla,astitch", "--sweep", "launch=1,5,10us"});
  EXPECT_EQ(text.status, 0) << text.err;
  for (const std::string_view line : split(text.out, '\n')) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_NE(text.out.find("planner"), std::string::npos);
  EXPECT_NE(text.out.find("5.00 us"), std::string::npos) << text.out;
}

TEST(FuseCommand, ListsWhatTakesMostOfARun) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const Json json = json_of(sandbox, {"fuse", path, "--planner", "none", "--slowest", "50"});
  const Json& planner = json["planners"][0];
  const Json& slowest = planner["slowest"];
  ASSERT_EQ(std::ssize(slowest), planner["launches"]["total"]);
  double us = 0, memory_us = 0;
  int64_t read = 0;
  for (size_t i = 0; i < slowest.size(); ++i) {
    us += slowest[i]["time_us"].get<double>();
    memory_us += slowest[i]["is_memory"] ? slowest[i]["time_us"].get<double>() : 0;
    read += slowest[i]["hbm_read_bytes"].get<int64_t>();
    if (i == 0) continue;
    EXPECT_LE(slowest[i]["time_us"], slowest[i - 1]["time_us"]);
  }
  EXPECT_NEAR(us, planner["time_us"], 1e-9 * us);
  EXPECT_NEAR(memory_us, planner["memory_time_us"], 1e-9 * us);
  EXPECT_EQ(read, planner["hbm_read_bytes"]);
  const auto dot =
      std::ranges::find(slowest, "y", [](const Json& launch) { return launch["launch_of"]; });
  ASSERT_NE(dot, slowest.end());
  EXPECT_EQ((*dot)["time_from"], "lib");
  const Outcome csv =
      sandbox.run({"fuse", path, "--planner", "none,tilewright", "--slowest", "2", "--csv"});
  EXPECT_EQ(csv.status, 0) << csv.err;
  EXPECT_EQ(std::ranges::count(csv.out, '\n'), 5) << csv.out;
  const Outcome sweep =
      sandbox.run({"fuse", path, "--planner", "none", "--sweep", "launch=1,5us", "--csv"});
  EXPECT_TRUE(sweep.out.starts_with("launch,none\n")) << sweep.out;
}

TEST(FuseCommand, GivesTheSameAnswerTwice) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const Outcome first = sandbox.run({"fuse", path, "--json", "--cache", "off"});
  const Outcome second = sandbox.run({"fuse", path, "--json", "--cache", "off"});
  EXPECT_EQ(without_wall_times(first.out), without_wall_times(second.out));
}

TEST(FuseCommand, TakesAPlanFromTheDatabaseUnlessItShallNot) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const std::vector<std::string> ask = {"fuse", path, "--db", sandbox.path("plans.db")};
  const Json first = json_of(sandbox, ask);
  const Json second = json_of(sandbox, ask);
  ASSERT_EQ(first["planners"].size(), second["planners"].size());
  for (size_t i = 0; i < first["planners"].size(); ++i) {
    const Json& made = first["planners"][i];
    const Json& known = second["planners"][i];
    EXPECT_EQ(made["from_cache"], false);
    EXPECT_EQ(known["from_cache"], true);
    for (const char* key : {"planner", "launches", "time_us", "estimated_us", "candidates",
                            "barriers", "hbm_read_bytes", "equal_to_reference"}) {
      EXPECT_EQ(made[key], known[key]) << key;
    }
  }
  std::vector<std::string> anew = ask;
  anew.insert(anew.end(), {"--cache", "off", "--planner", "tilewright"});
  EXPECT_EQ(json_of(sandbox, anew)["planners"][0]["from_cache"], false);
  // A database that cannot be used costs a warning.
  const Outcome outcome =
      sandbox.run({"fuse", path, "--planner", "astitch", "--db", sandbox.file("text", "no db")});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.err.find("plans are not kept"), std::string::npos) << outcome.err;
}

TEST(FuseCommand, ComparesPlansWithTheExactOne) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const Json json = json_of(sandbox, {"fuse", path, "--planner", "xla,exact,tilewright"});
  EXPECT_GT(json["planners"][0]["gap_to_exact"]["estimate"], 0.1);
  EXPECT_EQ(json["planners"][1]["gap_to_exact"]["estimate"], 0);
  EXPECT_EQ(json["planners"][1]["bound_us"], json["planners"][1]["estimated_us"]);
  EXPECT_LE(json["planners"][2]["gap_to_exact"]["time"], 0);
  EXPECT_FALSE(json["planners"][0].contains("bound_us"));
  const Json apart = json_of(sandbox, {"fuse", path, "--planner", "xla"});
  EXPECT_FALSE(apart["planners"][0].contains("gap_to_exact"));
}

TEST(FuseCommand, PlansWithinABudget) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const Json json = json_of(sandbox, {"fuse", path, "--planner", "tilewright", "--budget",
                                      "kernels=100,simulations=0,seconds=60"});
  EXPECT_EQ(json["planners"][0]["launches"]["memory"], 2);
  const Json hurried = json_of(sandbox, {"fuse", path, "--planner", "tilewright", "--cache", "off",
                                         "--budget", "seconds=1e-9"});
  EXPECT_NE(hurried["planners"][0]["note"].get<std::string>().find("time ran out"),
            std::string::npos);
  const std::pair<const char*, const char*> wrong[] = {{"seconds=0", "more than 0"},
                                                       {"kernels=0", "want 1 to"},
                                                       {"simulations=-1", "want 0 to"},
                                                       {"second=1", "did you mean 'seconds'"},
                                                       {"5", "NAME=VALUE"}};
  for (const auto& [budget, message] : wrong) {
    const Outcome outcome = sandbox.run({"fuse", path, "--budget", budget});
    EXPECT_EQ(outcome.status, 2) << budget;
    EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
  }
}

TEST(FuseCommand, ExplainsWhyOpsShareAKernelOrDoNot) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const Json json = json_of(sandbox, {"fuse", path, "--planner", "astitch", "--explain", "e.1,p",
                                      "--explain", "p,z", "--explain", "p,y"});
  ASSERT_EQ(json["explain"].size(), 3U);
  EXPECT_EQ(json["explain"][0]["fused"], true);
  EXPECT_GT(json["explain"][0]["saved_bytes"], 0);
  EXPECT_EQ(json["explain"][1]["fused"], false);
  const std::string path_leaves = json["explain"][1]["reason"];
  EXPECT_NE(path_leaves.find("wait"), std::string::npos) << path_leaves;
  EXPECT_EQ(json["explain"][2]["reason"], "y runs by itself: dot is no op of elements");
}

TEST(FuseCommand, PlansAgainWithPinsAndVetoes) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const Json json = json_of(sandbox, {"fuse", path, "--planner", "tilewright", "--veto", "e.1,p"});
  EXPECT_EQ(json["planners"][0]["launches"]["memory"], 3);
  const Outcome outcome = sandbox.run({"fuse", path, "--planner", "tilewright", "--pin", "p,z"});
  EXPECT_EQ(outcome.status, 5) << outcome.err;
  EXPECT_NE(outcome.err.find("p and z cannot be in one kernel"), std::string::npos) << outcome.err;
}

TEST(FuseCommand, RefusesWhatMakesNoSense) {
  Sandbox sandbox;
  const std::string path = sandbox.file("softmax.hlo", kModule);
  const std::string broken = sandbox.file("broken.hlo", "HloModule m\nENTRY e {\n x = f32[2\n}\n");
  struct Case {
    std::vector<std::string> arguments;
    int status;
    const char* message;
  };
  const Case cases[] = {
      {{"fuse", path, "--planner", "xlaa"}, 3, "did you mean 'xla'"},
      {{"fuse", path, "--gemm-fusion", "maybe"}, 2, "want on or off"},
      {{"fuse", path, "--tokens", "16"}, 2, "--tokens is for a model's layer"},
      {{"fuse", "qwen2-7b", "--tokens", "0"}, 2, "--tokens"},
      {{"fuse", "qwen2-7b", "--tp", "5"}, 2, "5"},
      {{"fuse", "qwen2-7b", "--quantization", "w4"}, 2, "'w4'"},
      {{"fuse", path, "--explain", "e.1"}, 2, "want the names of two ops"},
      {{"fuse", path, "--explain", "e.1,nobody"}, 3, "no op 'nobody'"},
      {{"fuse", path, "--sweep", "ub=1,2"}, 2, "want launch="},
      {{"fuse", path, "--launch-cost", "-1us"}, 2, "--launch-cost"},
      {{"fuse", path, "--pin", "p,x"}, 5, "x is no work of a kernel"},
      {{"fuse", path, "--pin", "p,p"}, 5, "they are one op"},
      {{"fuse", path, "--pin", "p,ss"}, 5, "ss is made again wherever it is read"},
      {{"fuse", broken}, 1, "broken.hlo:4:1"},
      {{"fuse", sandbox.path("absent.hlo")}, 3, "absent.hlo"},
  };
  for (const Case& one : cases) {
    const Outcome outcome = sandbox.run(one.arguments);
    EXPECT_EQ(outcome.status, one.status) << one.message << ": " << outcome.err;
    EXPECT_NE(outcome.err.find(one.message), std::string::npos) << outcome.err;
  }
}

TEST(FuseCommand, TakesALayerOfAModelWithItsGemmsFused) {
  Sandbox sandbox;
  const auto total = [&](const char* fusion) {
    const Json json = json_of(sandbox, {"fuse", "qwen2-7b", "--tokens", "32", "--planner",
                                        "xla,tilewright", "--gemm-fusion", fusion});
    EXPECT_EQ(json["gemm_fusion"], fusion);
    EXPECT_NE(json["planners"][1]["equal_to_reference"], "no");
    // Others leave GEMMs alone.
    EXPECT_EQ(json["planners"][0]["launches"]["total"], 12);
    return json["planners"][1]["launches"]["total"].get<int>();
  };
  EXPECT_LT(total("on"), total("off"));
}

}  // namespace
}  // namespace tilewright
