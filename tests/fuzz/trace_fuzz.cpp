// Any file read as a trace (Azure CSV or Mooncake JSON lines) gives a workload or an Error. The
// requests of a workload that was accepted are in order, in range, and start at 0.

#include "core/workload/trace_reader.h"
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
  for (const Request& request : workload.requests) {
    TW_CHECK(request.arrival_ns >= last && request.arrival_ns <= kMaxArrivalNs,
             "arrivals are in order and bounded");
    TW_CHECK(request.prompt_tokens >= 1 && request.prompt_tokens <= kMaxRequestTokens &&
                 request.output_tokens >= 1 && request.output_tokens <= kMaxRequestTokens,
             "lengths are bounded");
    last = request.arrival_ns;
  }
  return 0;
}
