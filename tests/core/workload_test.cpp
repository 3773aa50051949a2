#include "core/workload/workload.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "core/base/error.h"
#include "core/workload/trace_reader.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

/// A file of the given text that lives as long as the object.
class TraceFile {
 public:
  explicit TraceFile(const std::string& text) : path_(folder_.file("trace", text)) {}
  const std::string& path() const { return path_; }

 private:
  TempFolder folder_;
  std::string path_;
};

const std::string kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

TEST(AzureTrace, CountsTimeFromTheFirstRowInNanoseconds) {
  const TraceFile file(kHeader +
                       "2023-11-16 23:59:59.9000000,374,44\n"
                       "2023-11-17 00:00:00.0000001,396,109\n"
                       "2023-11-17 00:00:01,5,1");
  const Workload workload = read_workload(file.path());
  EXPECT_EQ(workload.name, std::filesystem::path(file.path()).filename().string());
  EXPECT_EQ(workload.source, file.path());
  const std::vector<Request> kWant = {
      {0, 374, 44, {}}, {100'000'100, 396, 109, {}}, {1'100'000'000, 5, 1, {}}};
  EXPECT_EQ(workload.requests, kWant);
}

TEST(AzureTrace, ReadsCrLfByteOrderMarkAndBlankLines) {
  const TraceFile file(
      "\xef\xbb\xbfTIMESTAMP,ContextTokens,GeneratedTokens\r\n\r\n"
      "2024-05-10T00:00:00.009930+00:00,7,8\r\n\r\n");
  const Workload workload = read_workload(file.path());
  ASSERT_EQ(workload.requests.size(), 1U);
  EXPECT_EQ(workload.requests[0].prompt_tokens, 7);
  EXPECT_EQ(workload.requests[0].output_tokens, 8);
}

TEST(MooncakeTrace, ReadsMillisecondsAndPrefixBlocks) {
  const TraceFile file(
      R"({"timestamp": 3000, "input_length": 513, "output_length": 5, "hash_ids": [0, 7]})"
      "\n"
      R"({"timestamp": 3001.5, "input_length": 10, "output_length": 6})"
      "\n");
  const Workload workload = read_workload(file.path());
  const std::vector<Request> kWant = {{0, 513, 5, {0, 7}}, {1'500'000, 10, 6, {}}};
  EXPECT_EQ(workload.requests, kWant);
  EXPECT_EQ(workload.prefix_block_tokens, 512);
}

TEST(TraceReader, NamesFileLineAndWhatWasExpected) {
  const std::string row = "2023-11-16 18:15:46.6805900,374,44\n";
  const std::string moon = R"({"timestamp": 1, "input_length": 5, "output_length": 5})";
  const struct {
    std::string text;
    std::string message;
  } kCases[] = {
      {"", ": has no requests"},
      {kHeader, ": has no requests"},
      {"hello\n", ":1: 'hello' begins no known trace; known are Azure CSV (TIMESTAMP,"},
      {kHeader + row + "2023-11-16 18:15:47,5\n", ":3: '2023-11-16 18:15:47,5' has 2 fields"},
      {kHeader + "2023-13-16 18:15:46,1,1\n", ":2: TIMESTAMP is '2023-13-16 18:15:46'; expected"},
      {kHeader + "2023-02-30 18:15:46,1,1\n", ":2: TIMESTAMP is"},
      {kHeader + "2023-11-16 18:15:46.,1,1\n", ":2: TIMESTAMP is"},
      {kHeader + "yesterday,1,1\n", ":2: TIMESTAMP is 'yesterday'; expected YYYY-MM-DD"},
      {kHeader + "2023-11-16 18:15:46,0,1\n", ":2: ContextTokens is '0'; expected a whole number"},
      {kHeader + "2023-11-16 18:15:46,1,-4\n", ":2: GeneratedTokens is '-4'"},
      {kHeader + "2023-11-16 18:15:46,99999999999999999999,4\n", ":2: ContextTokens is '9999"},
      {kHeader + "2023-11-16 18:15:46,,4\n", ":2: ContextTokens is ''"},
      {kHeader + row + "2023-11-16 18:15:45,1,1\n", ":3: the request comes 1680590000 ns before"},
      {moon + "\n{\"timestamp\": 1,\n", ":2:17: not valid JSON"},
      {moon + "\n[1]\n", ":2: expected an object"},
      {"{}\n", ":1: an object with no keys begins no known trace; known are timed (Mooncake)"},
      {"{\"timestamp\": 1}\n", ":1: key 'input_length' is missing"},
      {R"({"timestamp": -1, "input_length": 5, "output_length": 5})",
       ":1: timestamp: -1 is outside"},
      {R"({"timestamp": 1, "input_length": 0, "output_length": 5})",
       ":1: input_length: 0 is outside"},
      {R"({"timestamp": 1, "input_length": 5, "output_length": "x"})",
       ":1: output_length: expected"},
      {R"({"timestamp": 1, "input_length": 5, "output_length": 5, "hash_ids": [1, 2]})",
       ":1: hash_ids: 2 ids; expected at most 1"},
      {R"({"timestamp": 2, "input_length": 5, "output_length": 5})"
       "\n" +
           moon,
       ":2: the request comes 1000000 ns before"},
  };
  for (const auto& [text, message] : kCases) {
    const TraceFile file(text);
    try {
      read_workload(file.path());
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kFailed);
      EXPECT_NE(error.message().find(file.path() + message), std::string::npos) << error.message();
    }
  }
}

TEST(TraceReader, RefusesEndlessLines) {
  EXPECT_THROW(read_workload("/dev/zero"), Error);
  EXPECT_THROW(read_workload(TempFolder().path()), Error);
}

TEST(LoadWorkload, TakesPresetsAndFiles) {
  EXPECT_EQ(load_workload("chat", 17, 1).requests.size(), 17U);
  EXPECT_EQ(load_workload("code", 0, 1).requests.size(), static_cast<size_t>(kDefaultRequests));
  const TraceFile file(kHeader + "2023-11-16 18:15:46,1,1\n2023-11-16 18:15:47,2,2\n");
  EXPECT_EQ(load_workload(file.path(), 0, 1).requests.size(), 2U);
  EXPECT_EQ(load_workload(file.path(), 1, 1).requests.size(), 1U);
  EXPECT_THROW(load_workload("chat", -1, 1), Error);
}

TEST(LoadWorkload, SuggestsTheNearestName) {
  try {
    load_workload("chta", 1, 0);
    FAIL() << "accepted an unknown name";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(error.message().find("did you mean 'chat'?"), std::string::npos) << error.message();
  }
}

TEST(ScaleRate, StretchesEveryGapAlike) {
  Workload workload;
  workload.requests = {{0, 1, 1, {}}, {1'000'000'000, 1, 1, {}}, {4'000'000'000, 1, 1, {}}};
  EXPECT_DOUBLE_EQ(request_rate(workload), 0.5);
  scale_rate(workload, 2);
  EXPECT_DOUBLE_EQ(request_rate(workload), 2);
  EXPECT_EQ(workload.requests[1].arrival_ns, 250'000'000);
  scale_rate(workload, std::numeric_limits<double>::infinity());
  EXPECT_EQ(workload.requests[2].arrival_ns, 0);
  EXPECT_THROW(scale_rate(workload, 2), Error);
}

Workload session_workload() {
  Workload workload;
  workload.source = "test";
  workload.requests = {{0, 1, 1},
                       {.arrival_ns = 0, .prompt_tokens = 2, .output_tokens = 1, .after = 0},
                       {2'000'000'000, 3, 1},
                       {.arrival_ns = 2'000'000'000,
                        .prompt_tokens = 4,
                        .output_tokens = 1,
                        .after = 2,
                        .think_ns = 7},
                       {5'000'000'000, 5, 1}};
  return workload;
}

TEST(SliceRequests, CountsTimeAnewAndLeavesOutOrphans) {
  Workload workload = session_workload();
  slice_requests(workload, 1, 3);
  ASSERT_EQ(workload.requests.size(), 2U);
  EXPECT_EQ(workload.requests[0].prompt_tokens, 3);
  EXPECT_EQ(workload.requests[0].arrival_ns, 0);
  EXPECT_EQ(workload.requests[1].after, 0);
  EXPECT_EQ(workload.requests[1].think_ns, 7);
  EXPECT_EQ(workload.notes,
            std::vector<std::string>{
                "requests of sessions that begin outside the slice were left out: 1"});
  workload = session_workload();
  slice_requests(workload, 2, 0);
  EXPECT_EQ(workload.requests.size(), 3U);
  EXPECT_THROW(slice_requests(workload, 3, 0), Error);
  EXPECT_THROW(slice_requests(workload, -1, 0), Error);
  EXPECT_THROW(slice_requests(workload, 0, -1), Error);
}

TEST(SliceWindow, TakesSessionsByTheirFirstRequest) {
  Workload workload = session_workload();
  slice_window(workload, 2'000'000'000, 5'000'000'000);
  ASSERT_EQ(workload.requests.size(), 2U);
  EXPECT_EQ(workload.requests[1].prompt_tokens, 4);
  EXPECT_THROW(slice_window(workload, 1, 2), Error);
}

TEST(RequestRate, CountsNoGapsOfFollowers) {
  EXPECT_DOUBLE_EQ(request_rate(session_workload()), 0.4);
}

TEST(ScaleRate, RefusesRatesThatMeanNothing) {
  Workload workload;
  workload.requests = {{0, 1, 1, {}}, {1'000'000'000, 1, 1, {}}};
  for (double rate : {0.0, -1.0, std::nan(""), 1e-300}) {
    EXPECT_THROW(scale_rate(workload, rate), Error) << rate;
  }
}

}  // namespace
}  // namespace tilewright
