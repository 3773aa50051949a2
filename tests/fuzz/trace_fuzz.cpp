// Any file read as a trace gives a workload or an Error. The requests of a workload that was
// accepted are in order, in range, and start at 0; ids are as many as their tokens, and followers
// stand behind the request that they follow.

#include "core/workload/trace_reader.h"
#include "core/workload/workload_statistics.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFile file("trace");
  file.write(text_of(data, size));
  Workload workload;
  if (!accepted([&] { workload = read_workload(file.path()); })) return 0;
  TW_CHECK(!workload.requests.empty() && workload.requests.front().arrival_ns == 0,
           "the first request arrives at 0");
  int64_t last = 0;
  for (size_t i = 0; i < workload.requests.size(); ++i) {
    const Request& request = workload.requests[i];
    TW_CHECK(request.arrival_ns >= last && request.arrival_ns <= kMaxArrivalNs,
             "arrivals are in order and bounded");
    TW_CHECK(request.prompt_tokens >= 1 && request.prompt_tokens <= kMaxRequestTokens &&
                 request.output_tokens >= 1 && request.output_tokens <= kMaxRequestTokens,
             "lengths are bounded");
    const auto count_matches = [](const auto& ids, int64_t tokens) {
      return ids.empty() || static_cast<int64_t>(ids.size()) == tokens;
    };
    TW_CHECK(count_matches(request.prompt_ids, request.prompt_tokens) &&
                 count_matches(request.output_ids, request.output_tokens),
             "ids are as many as their tokens");
    TW_CHECK(request.after < static_cast<int64_t>(i) && request.think_ns >= 0 &&
                 request.think_ns <= kMaxArrivalNs,
             "followers stand behind the request that they follow");
    last = request.arrival_ns;
  }
  workload_statistics(workload);
  return 0;
}
