// Formats of traces beside Azure's and Mooncake's (workload_test.cpp), and the public traces.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/base/error.h"
#include "core/workload/trace_reader.h"
#include "core/workload/workload_statistics.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

Workload read_text(const std::string& text, const TraceOptions& options = {}) {
  const TempFolder folder;
  return read_workload(folder.file("trace", text), options);
}

/// The message of the Error, without the folder's name.
std::string refusal_of(const std::string& text, const TraceOptions& options = {}) {
  const TempFolder folder;
  try {
    read_workload(folder.file("trace", text), options);
  } catch (const Error& error) {
    return error.message().substr(error.message().find("trace"));
  }
  return "accepted";
}

void expect_refused(const std::string& text, const std::string& message) {
  const std::string refusal = refusal_of(text);
  EXPECT_NE(refusal.find(message), std::string::npos) << "got: " << refusal;
}

const std::string kBurst = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";

TEST(AzureTrace, TakesColumnsInAnyOrderWithOthersBetween) {
  const Workload workload = read_text(
      "\"GeneratedTokens\",note, ContextTokens,TIMESTAMP\n"
      "3,\"a, b\",2,2024-05-10 00:00:00\n");
  EXPECT_EQ(workload.requests, (std::vector<Request>{{0, 2, 3}}));
}

TEST(BurstGptTrace, LeavesOutRowsWithoutResponseAndCountsThem) {
  const Workload workload = read_text(kBurst +
                                      "5,ChatGPT,472,18,490,Conversation log\n"
                                      "45,GPT-4,1087,0,1087,Conversation log\n"
                                      "118.5,GPT-4,417,276,693,API log\n"
                                      "119,GPT-4,0,276,276,API log");
  EXPECT_EQ(workload.requests, (std::vector<Request>{{0, 472, 18}, {113'500'000'000, 417, 276}}));
  EXPECT_EQ(workload.notes,
            (std::vector<std::string>{"1 row with 0 request tokens was left out",
                                      "1 row with 0 response tokens was left out"}));
}

TEST(BurstGptTrace, KeepsTheRowsOfOneModel) {
  const std::string text =
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,"
      "Response tokens,Total tokens,Log Type\n"
      "1,7,0.5,ChatGPT,4,5,9,API log\n2,7,0.5,GPT-4,6,7,13,API log\n";
  const Workload workload = read_text(text, {.model = "GPT-4"});
  EXPECT_EQ(workload.requests, (std::vector<Request>{{0, 6, 7}}));
  EXPECT_EQ(workload.notes,
            (std::vector<std::string>{"1 row of other models than GPT-4 was left out"}));
  EXPECT_NE(refusal_of(text, {.model = "GPT4"})
                .find("has no rows of model 'GPT4'; did you mean 'GPT-4'? (it has ChatGPT, GPT-4)"),
            std::string::npos);
  EXPECT_NE(refusal_of("num_prefill_tokens,num_decode_tokens\n1,1\n", {.model = "GPT-4"})
                .find("only BurstGPT's do"),
            std::string::npos);
}

TEST(VidurTrace, ReadsSecondsAndLengths) {
  const Workload workload =
      read_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0.25,10,20\n1.5e0,30,40\n");
  EXPECT_EQ(workload.requests, (std::vector<Request>{{0, 10, 20}, {1'250'000'000, 30, 40}}));
  EXPECT_TRUE(workload.notes.empty());
}

TEST(LengthTrace, ArrivesAtOnceAndSaysSo) {
  const Workload workload = read_text(
      "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n74,918,992,0.08\n1,2,3,1\n");
  EXPECT_EQ(workload.requests, (std::vector<Request>{{0, 74, 918}, {0, 1, 2}}));
  EXPECT_EQ(workload.notes, std::vector<std::string>{std::string(kNoArrivalsNote)});
}

TEST(SplitwiseTrace, RepeatsTheRequestsOfABatch) {
  const Workload workload = read_text(
      "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n"
      "0,2,0,0.5,1,100,5\n1,2,0,1.0,2,200,6\n");
  EXPECT_EQ(workload.requests,
            (std::vector<Request>{{0, 100, 5}, {500'000'000, 200, 6}, {500'000'000, 200, 6}}));
}

TEST(TimedTrace, TakesOtherNamesUnitsAndBlocks) {
  const TraceOptions options = parse_trace_options(
      "timestamp=t,input-length=in,output-length=out,hash-ids=blocks,block-tokens=16,time-unit=1s");
  const Workload workload = read_text(
      "{\"t\": 2, \"in\": 20, \"out\": 1, \"blocks\": [3, 4]}\n"
      "{\"t\": 2.5, \"in\": 20, \"out\": 1}",
      options);
  EXPECT_EQ(workload.requests, (std::vector<Request>{{0, 20, 1, {3, 4}}, {500'000'000, 20, 1}}));
  EXPECT_EQ(workload.prefix_block_tokens, 16);
}

TEST(TimedTrace, RefusesOptionsThatMeanNothing) {
  for (const char* text : {"block-tokens=0", "block-tokens=99999999", "time-unit=0",
                           "time-unit=-1s", "model", "modle=x"}) {
    EXPECT_THROW(parse_trace_options(text), Error) << text;
  }
}

TEST(TokenTrace, KeepsIdsOfPromptAndOutput) {
  const Workload workload = read_text(
      "{\"input_toks\": 2, \"output_toks\": 1, \"arrival_time_ns\": 40, "
      "\"input_tok_ids\": [5, 6], \"output_tok_ids\": [7]}\n"
      "{\"input_toks\": 9, \"output_toks\": 8, \"arrival_time_ns\": 50}\n");
  Request first{0, 2, 1};
  first.prompt_ids = {5, 6};
  first.output_ids = {7};
  EXPECT_EQ(workload.requests, (std::vector<Request>{first, {10, 9, 8}}));
}

TEST(TokenTrace, NeedsNoArrivalsAndNoCounts) {
  const Workload workload = read_text(
      "{\"input_tok_ids\": [5, 6], \"output_toks\": 3}\n{\"input_toks\": 4, "
      "\"output_toks\": 3}\n");
  EXPECT_EQ(workload.requests[0].prompt_tokens, 2);
  EXPECT_EQ(workload.requests[1].prompt_tokens, 4);
  EXPECT_EQ(workload.notes, std::vector<std::string>{std::string(kNoArrivalsNote)});
}

TEST(TokenTrace, ChainsTheRequestsOfASession) {
  const Workload workload = read_text(
      "{\"session_id\": 1, \"arrival_time_ns\": 10, \"sub_requests\": ["
      "{\"input_toks\": 2, \"output_toks\": 1, \"tool_duration_ns\": 30},"
      "{\"input_toks\": 4, \"output_toks\": 2},"
      "{\"input_toks\": 8, \"output_toks\": 3, \"tool_duration_ns\": 0}]}\n"
      "{\"arrival_time_ns\": 15, \"input_toks\": 5, \"output_toks\": 6}\n");
  Request second{0, 4, 2};
  second.after = 0;
  second.think_ns = 30;
  Request third{0, 8, 3};
  third.after = 1;
  EXPECT_EQ(workload.requests, (std::vector<Request>{{0, 2, 1}, second, third, {5, 5, 6}}));
}

TEST(CustomTrace, TakesIdsAndRefusesText) {
  const Workload workload = read_text("{\"prompt\": [1, 2, 3], \"output_tokens\": 4}\n");
  EXPECT_EQ(workload.requests[0].prompt_ids, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(workload.requests[0].output_tokens, 4);
  expect_refused("{\"prompt\": \"hello\", \"output_tokens\": 4}\n",
                 "trace:1: prompt: is text, and without the model's tokenizer");
  expect_refused("{\"prompt\": [], \"output_tokens\": 4}\n", "trace:1: prompt: is empty");
}

TEST(TraceFormats, RefuseConversationsOfTextClearly) {
  const std::string row = R"({"id": "a", "conversations": [{"from": "human", "value": "hello"}]})";
  const std::string message = "these are conversations of text, and without the model's tokenizer";
  expect_refused(row, "trace:1: " + message);
  expect_refused("\xef\xbb\xbf [" + row + "]", "trace: " + message);
  // Longer than a line may be, as the public file is.
  expect_refused("[" + row + std::string(size_t{9} << 20, ' ') + "]", "trace: " + message);
  expect_refused("[1, 2]", "trace: is a JSON list; expected one JSON object a line");
}

TEST(TraceFormats, NameTheColumnThatIsMissing) {
  expect_refused("Timestamp,Model,Request tokens\n1,GPT-4,5\n",
                 "trace:1: the header 'Timestamp,Model,Request tokens' lacks the column 'Response "
                 "tokens' of a trace of format BurstGPT: Timestamp,Model,Request tokens,Response");
  expect_refused("arrived_at,num_prefill_tokens\n1,5\n", "lacks the column 'num_decode_tokens'");
  expect_refused("a,b\n", "'a,b' begins no known trace; known are Azure CSV");
  expect_refused("{\"a\": 1, \"b\": 2}\n", "an object with the keys a, b begins no known trace");
}

TEST(TraceFormats, RefuseHostileRows) {
  const std::string vidur = "arrived_at,num_prefill_tokens,num_decode_tokens\n";
  const std::string split = "arrival_timestamp,prompt_size,token_size,batch_size\n";
  const std::string tokens = "{\"input_toks\": 2, \"output_toks\": 1, \"arrival_time_ns\": ";
  const std::string session = "{\"arrival_time_ns\": 1, \"sub_requests\": ";
  const struct {
    std::string text;
    std::string message;
  } kCases[] = {
      {kBurst + "-1,GPT-4,1,1,2,x\n", ":2: Timestamp is '-1'; expected seconds from 0 to 4e+09"},
      {kBurst + "nan,GPT-4,1,1,2,x\n", ":2: Timestamp is 'nan'"},
      {kBurst + "inf,GPT-4,1,1,2,x\n", ":2: Timestamp is 'inf'"},
      {kBurst + "1e300,GPT-4,1,1,2,x\n", ":2: Timestamp is '1e300'"},
      {kBurst + "1,GPT-4,1,-1,2,x\n", ":2: Response tokens is '-1'; expected a whole number"},
      {kBurst + "1,GPT-4,1,1,2\n", ":2: '1,GPT-4,1,1,2' has 5 fields; expected the 6 of Timestamp"},
      {kBurst + "1,\"GPT-4,1,1,2,x\n", ":2: a quoted field does not end on its line"},
      {kBurst + "1,GPT-4,1,0,1,x\n",
       ": has no requests left: 1 row with 0 response tokens was left out"},
      {vidur + "2,1,1\n1,1,1\n",
       ":3: the request comes 1000000000 ns before the one above; expected times in ascending"},
      {vidur + "0,1,1\n2e8,1,1\n", ":3: comes more than three years after the first"},
      {vidur + "0,1.5,1\n", ":2: num_prefill_tokens is '1.5'"},
      {split + "0,1,1,0\n", ":2: batch_size is '0'; expected a whole number from 1 to 1024"},
      {tokens + "-4}\n", ":1: arrival_time_ns: -4 is outside"},
      {tokens + "1, \"input_tok_ids\": [1]}\n",
       ":1: input_tok_ids: 1 ids; expected the 2 of input_toks"},
      {tokens + "1, \"input_tok_ids\": []}\n", ":1: input_tok_ids: 0 ids; expected at least one"},
      {tokens + "1, \"input_tok_ids\": [1, -2]}\n", ":1: input_tok_ids: element 1 is -2"},
      {tokens + "1, \"input_tok_ids\": [1, 2147483648]}\n", ":1: input_tok_ids: element 1 is 2147"},
      {tokens + "1, \"input_tok_ids\": [1, \"x\"]}\n", ":1: input_tok_ids[1]: expected a whole"},
      {tokens + "1, \"input_tok_ids\": 7}\n", ":1: input_tok_ids: expected a list"},
      {tokens + "1}\n{\"input_toks\": 2, \"output_toks\": 1}\n",
       ":2: key 'arrival_time_ns' is missing"},
      {"{\"input_toks\": 2, \"output_toks\": 1}\n" + tokens + "1}\n",
       ":2: arrival_time_ns: the first row states no arrival; give all rows one, or none"},
      {session + "[]}\n", ":1: sub_requests: is empty"},
      {session + "3}\n", ":1: sub_requests: expected a list"},
      {session + "[{\"input_toks\": 1}]}\n", ":1: sub_requests[0]: key 'output_toks' is missing"},
      {session + "[{\"input_toks\": 1, \"output_toks\": 1, \"tool_duration_ns\": -1}]}\n",
       ":1: sub_requests[0].tool_duration_ns: -1 is outside"},
      {std::string("{\"timestamp\": ") + std::string(200, '[') + "\n",
       ":1:78: nested deeper than 64 levels"},
      {"{\"timestamp\": 1e999}\n", ":1: timestamp: not valid JSON"},
  };
  for (const auto& [text, message] : kCases) expect_refused(text, "trace" + message);
}

/// The folder of public traces, or "" where it is not there.
std::filesystem::path public_traces() {
  const char* set = std::getenv("TILEWRIGHT_DATA");
  const std::filesystem::path data =
      set ? std::filesystem::path(set)
          : std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / ".." / "shared" / "data";
  return std::filesystem::is_directory(data / "traces") ? data / "traces" : "";
}

struct PublicTrace {
  std::string file;
  int64_t requests;
  double rate, gap_cv;
  double prompt_mean, prompt_p50, output_mean, output_p50;
};

// Expected are the published statistics of the whole traces, of which these files are a half each.
TEST(PublicTraces, HaveTheirPublishedStatisticsSlow) {
  const std::filesystem::path folder = public_traces();
  if (folder.empty()) GTEST_SKIP() << "no folder of traces; set TILEWRIGHT_DATA";
  const PublicTrace kTraces[] = {
      {"azure_llm_2023_conv.first_half.csv", 9683, 5.53, 1.09, 1155, 1020, 211, 129},
      {"azure_llm_2023_code.first_half.csv", 4409, 2.57, 13.2, 2048, 1469, 28, 13},
      {"mooncake_conversation.first_30min.jsonl", 5719, 3.40, 0, 12035, 6909, 343, 350},
      {"sharegpt_lengths_llama2tok.first_half.csv", 15365, 0, 0, 2340, 1730, 439, 415},
  };
  for (const PublicTrace& trace : kTraces) {
    const Workload workload = read_workload((folder / trace.file).string());
    const WorkloadStatistics statistics = workload_statistics(workload);
    EXPECT_EQ(statistics.requests, trace.requests) << trace.file;
    const auto expect_near = [&](double got, double want, double share, const char* what) {
      EXPECT_NEAR(got, want, share * want) << trace.file << " " << what;
    };
    expect_near(statistics.requests_per_second, trace.rate, 0.25, "rate");
    if (trace.gap_cv > 0) expect_near(statistics.gap_cv, trace.gap_cv, 0.3, "gap CV");
    expect_near(statistics.prompt.mean, trace.prompt_mean, 0.1, "prompt mean");
    expect_near(statistics.prompt.p50, trace.prompt_p50, 0.15, "prompt p50");
    expect_near(statistics.output.mean, trace.output_mean, 0.1, "output mean");
    expect_near(statistics.output.p50, trace.output_p50, 0.15, "output p50");
  }
}

TEST(PublicTraces, ShareThePrefixesThatWereMeasured) {
  const std::filesystem::path folder = public_traces();
  if (folder.empty()) GTEST_SKIP() << "no folder of traces; set TILEWRIGHT_DATA";
  const Workload mooncake =
      read_workload((folder / "mooncake_conversation.first_30min.jsonl").string());
  EXPECT_EQ(mooncake.prefix_block_tokens, 512);
  EXPECT_LT(mooncake.requests.back().arrival_ns, 1'800'000'000'000);
  EXPECT_NEAR(workload_statistics(mooncake).shared_prefix, 0.347, 0.001);
}

TEST(PublicTraces, HaveTokensOfShareGpt) {
  const std::filesystem::path folder = public_traces();
  if (folder.empty()) GTEST_SKIP() << "no folder of traces; set TILEWRIGHT_DATA";
  const Workload workload =
      read_workload((folder / "sharegpt_tokens_llama31.first150.jsonl").string());
  ASSERT_EQ(workload.requests.size(), 150U);
  for (const Request& request : workload.requests) {
    EXPECT_EQ(std::ssize(request.prompt_ids), request.prompt_tokens);
    EXPECT_EQ(std::ssize(request.output_ids), request.output_tokens);
  }
  EXPECT_NEAR(request_rate(workload), 10, 1.5);
}

}  // namespace
}  // namespace tilewright
