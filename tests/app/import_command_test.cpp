// `tilewright import`, `export --format` and `bench-tuner`.

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/app/program.h"

namespace tilewright {
namespace {

using Json = nlohmann::json;

const std::string kTable =
    "tile_m,mode,time_us,status\n"
    "16,a,4,ok\n16,b,3,ok\n32,a,2.5,ok\n32,b,,runtime\n64,a,1.5,ok\n64,b,9,ok\n";

Json json_of(Sandbox& sandbox, std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const Outcome outcome = sandbox.run(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return Json::parse(outcome.out, nullptr, false);
}

TEST(ImportCommand, KeepsATableOnceAndExportGivesItBack) {
  Sandbox sandbox;
  sandbox.file("conv__GPU.csv", kTable);
  const Json first = json_of(sandbox, {"import", "conv__GPU.csv"});
  EXPECT_EQ(first["format"], "csv");
  EXPECT_EQ(first["machine"]["name"], "GPU");
  EXPECT_EQ(first["measurements"], 6);
  EXPECT_EQ(first["failures"], 1);
  const Json again = json_of(sandbox, {"import", "conv__GPU.csv"});
  EXPECT_TRUE(again["run"].is_null());
  EXPECT_EQ(again["known"], 6);

  // Kernels of others have no revision that could be out of date.
  EXPECT_EQ(sandbox.run({"query", "stale", "--csv"}).out.find("conv"), std::string::npos);
  EXPECT_NE(sandbox.run({"query", "best", "--csv"}).out.find("conv"), std::string::npos);
  const Outcome catlass = sandbox.run({"export", "1", "--format", "catlass", "-o", "-"});
  EXPECT_EQ(catlass.status, 3);
  EXPECT_NE(catlass.err.find("no product of matrices"), std::string::npos) << catlass.err;

  EXPECT_EQ(sandbox.run({"export", "1", "--format", "t4", "-o", "t4.json"}).status, 0);
  EXPECT_EQ(sandbox.run({"export", "1", "--format", "csv", "-o", "a.csv"}).status, 0);
  const Json other = json_of(sandbox, {"import", "t4.json", "--db", "other.db"});
  EXPECT_EQ(other["format"], "t4");
  EXPECT_EQ(
      sandbox.run({"export", "1", "--format", "csv", "-o", "b.csv", "--db", "other.db"}).status, 0);
  EXPECT_EQ(sandbox.read("a.csv"), sandbox.read("b.csv"));
  EXPECT_EQ(sandbox.run({"db", "check"}).status, 0);
}

TEST(ImportCommand, TableOfConfigsWithoutTimesComesBackByteForByte) {
  Sandbox sandbox;
  const std::string name = "E=8,N=64,device_name=GPU.json";
  const std::string text = "{\n    \"1\": {\n        \"BLOCK_SIZE_M\": 16\n    }\n}\n";
  sandbox.file(name, text);
  const Json json = json_of(sandbox, {"import", name});
  EXPECT_EQ(json["configs_without_times"], 1);
  EXPECT_EQ(json["measurements"], 0);
  // A later import of something else does not hide it.
  sandbox.file("conv__GPU.csv", kTable);
  ASSERT_EQ(sandbox.run({"import", "conv__GPU.csv"}).status, 0);
  const Outcome outcome = sandbox.run({"export", "--format", "vllm-moe", "-o", "out.json"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find(name), std::string::npos);
  EXPECT_EQ(sandbox.read("out.json"), text);
}

TEST(ImportCommand, TrialsOfATuningRunAreExportedForOtherTuners) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox
                .run({"tune", "gemm", "--shape", "m=64,n=256,k=256", "--budget", "evaluations=5",
                      "--strategy", "random"})
                .status,
            0);
  ASSERT_EQ(sandbox.run({"export", "--format", "t4", "-o", "t4.json"}).status, 0);
  const Json t4 = Json::parse(sandbox.read("t4.json"));
  EXPECT_EQ(t4["results"].size(), 5U);
  EXPECT_GT(t4["results"][0]["configuration"]["tile_m"], 0);
  const Outcome catlass = sandbox.run({"export", "--format", "catlass", "-o", "-"});
  EXPECT_EQ(catlass.out.substr(0, 26), "case_id,task_duration(us),");
  EXPECT_NE(catlass.out.find(",64,256,256,fp16:row,"), std::string::npos) << catlass.out;
}

TEST(ExportCommand, TakesTheLastTuningThatHasWinners) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"tune", "gemm", "--shape", "m=16,n=16,k=16", "-q"}).status, 0);
  ASSERT_NE(
      sandbox
          .run({"tune", "gemm", "--shape", "m=32,n=16,k=16", "-q", "--evaluator", "cmd /bin/false"})
          .status,
      0);
  const Outcome plan = sandbox.run({"export", "-o", "plan.json"});
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_NE(plan.err.find("1 table with 1 range, from run 1"), std::string::npos) << plan.err;
}

TEST(ImportCommand, RefusesWhatItCannotDo) {
  Sandbox sandbox;
  sandbox.file("t.csv", kTable);
  EXPECT_EQ(sandbox.run({"import", "absent.json"}).status, 3);
  EXPECT_EQ(sandbox.run({"import", "t.csv", "--format", "cvs"}).status, 2);
  EXPECT_EQ(sandbox.run({"import", "t.csv", "--format", "t4"}).status, 1);
  ASSERT_EQ(sandbox.run({"import", "t.csv"}).status, 0);
  EXPECT_EQ(sandbox.run({"export", "1", "-o", "plan.json"}).status, 2);
  EXPECT_EQ(sandbox.run({"export", "1", "--format", "t5", "-o", "x"}).status, 2);
  EXPECT_EQ(sandbox.run({"export", "1", "--format", "vllm-moe", "-o", "x"}).status, 2);
  EXPECT_EQ(sandbox.run({"export", "1", "--format", "t4", "--problem", "2", "-o", "x"}).status, 2);
}

TEST(BenchTunerCommand, ComparesStrategiesOnTheTablesOfAFolder) {
  Sandbox sandbox;
  sandbox.file("conv__GPU.csv", kTable);
  const std::vector<std::string> arguments = {
      "bench-tuner", "--spaces", sandbox.path("conv__GPU.csv"), "--strategy", "random,exhaustive",
      "--seeds",     "3"};
  const Json json = json_of(sandbox, arguments);
  EXPECT_EQ(json["schema"], 1);
  ASSERT_EQ(json["spaces"].size(), 1U);
  const Json& space = json["spaces"][0];
  EXPECT_EQ(space["name"], "conv__GPU");
  EXPECT_EQ(space["configs"], 6);
  EXPECT_EQ(space["valid"], 5);
  ASSERT_EQ(space["strategies"].size(), 2U);
  EXPECT_EQ(space["strategies"][0]["name"], "random");
  for (const char* at : {"25", "50", "100", "200", "400"}) {
    EXPECT_EQ(space["strategies"][0]["median_at"][at], 1) << at;
    EXPECT_EQ(space["strategies"][0]["within5_at"][at], 1) << at;
  }
  EXPECT_GE(space["strategies"][0]["wall_ms_per_eval"], 0);
  EXPECT_EQ(json["summary"][1]["strategy"], "exhaustive");
  EXPECT_EQ(json["summary"][1]["geomean_at"]["25"], 1);
  EXPECT_EQ(json["summary"][1]["worst_at_100"], 1);
}

TEST(BenchTunerCommand, ShowsNoColumnBeyondItsEvaluations) {
  Sandbox sandbox;
  sandbox.file("conv__GPU.csv", kTable);
  const std::vector<std::string> line = {"bench-tuner", "--spaces",      "conv__GPU.csv",
                                         "--strategy",  "random",        "--seeds",
                                         "2",           "--evaluations", "30"};
  const Outcome outcome = sandbox.run(line);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("geometric mean over 1 space\n"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.find("_at_100"), std::string::npos) << outcome.out;
  const Outcome twice =
      sandbox.run({"bench-tuner", "--spaces", "conv__GPU.csv", "--strategy", "random,random"});
  EXPECT_EQ(twice.status, 2);
  EXPECT_NE(twice.err.find("names random twice"), std::string::npos) << twice.err;
}

TEST(BenchTunerCommand, LeavesOutWhatIsNoTableAndSaysSo) {
  Sandbox sandbox;
  std::filesystem::create_directories(sandbox.path("spaces/more"));
  sandbox.file("spaces/conv__GPU.csv", kTable);
  sandbox.file("spaces/README.md", "Tables of a GPU.\n");
  sandbox.file("spaces/broken.json", "{\"cache\": 3}");
  sandbox.file("spaces/failed.csv", "a,time_us,status\n1,,compile\n2,,compile\n");
  const std::vector<std::string> line = {"bench-tuner", "--spaces", "spaces", "--strategy",
                                         "random",      "--seeds",  "1",      "--json"};
  const Outcome outcome = sandbox.run(line);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);
  ASSERT_EQ(json["spaces"].size(), 1U);
  EXPECT_EQ(json["spaces"][0]["name"], "conv__GPU");
  ASSERT_EQ(json["skipped"].size(), 3U);
  const std::pair<const char*, const char*> expected[] = {
      {"README.md", "no column is a time"},
      {"broken.json", "broken.json:1"},
      {"failed.csv", "no config of the table worked"}};
  for (size_t i = 0; i < 3; ++i) {
    const Json& skipped = json["skipped"][i];
    const auto& [file, reason] = expected[i];
    EXPECT_EQ(skipped["file"], std::string("spaces/") + file);
    EXPECT_NE(skipped["reason"].get<std::string>().find(reason), std::string::npos) << skipped;
    EXPECT_NE(outcome.err.find(std::string("left out: spaces/") + file), std::string::npos);
  }
  // A file that is named is what the user wants.
  EXPECT_EQ(sandbox.run({"bench-tuner", "--spaces", "spaces/failed.csv"}).status, 1);
}

TEST(BenchTunerCommand, SaysWhereAFolderHasNoTable) {
  Sandbox sandbox;
  std::filesystem::create_directories(sandbox.path("spaces/more"));
  const Outcome empty = sandbox.run({"bench-tuner", "--spaces", "spaces"});
  EXPECT_EQ(empty.status, 3);
  EXPECT_NE(empty.err.find("spaces has no files; 1 folder in it is not searched"),
            std::string::npos)
      << empty.err;
  sandbox.file("spaces/notes.json", "{\"a\": 1}");
  const Outcome outcome = sandbox.run({"bench-tuner", "--spaces", "spaces"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("left out: spaces/notes.json"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("no file in spaces is a space of measured configs (kernel-tuner"),
            std::string::npos)
      << outcome.err;
}

TEST(BenchTunerCommand, IsTheSameForAnyNumberOfJobs) {
  Sandbox sandbox;
  sandbox.file("conv__GPU.csv", kTable);
  std::string expected;
  for (const char* jobs : {"1", "3"}) {
    const Outcome outcome =
        sandbox.run({"bench-tuner", "--spaces", "conv__GPU.csv", "--strategy", "random", "--seeds",
                     "5", "--evaluations", "30", "--json", "--jobs", jobs});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    Json json = Json::parse(outcome.out);
    for (Json& strategy : json["spaces"][0]["strategies"]) strategy.erase("wall_ms_per_eval");
    if (expected.empty()) expected = json.dump();
    EXPECT_EQ(json.dump(), expected);
  }
}

TEST(BenchTunerCommand, NamesTheFileThatItCannotRead) {
  Sandbox sandbox;
  EXPECT_EQ(sandbox.run({"bench-tuner", "--spaces", "absent"}).status, 3);
  EXPECT_EQ(sandbox.run({"bench-tuner"}).status, 2);
  sandbox.file("bad.json", "{\"cache\": 3}");
  const Outcome outcome = sandbox.run({"bench-tuner", "--spaces", "bad.json"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("bad.json:1"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace tilewright
