// Any text as an arrival process, or as options of a trace, is refused or gives what can be
// applied: arrivals that stay in order and in range.

#include "core/workload/arrivals.h"
#include "core/workload/trace_reader.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = text_of(data, size);
  accepted([&] { parse_trace_options(text); });
  Workload workload;
  workload.requests.assign(7, Request{0, 1, 1});
  workload.requests.back().arrival_ns = 1'000'000'000;
  if (!accepted([&] { apply_arrivals(workload, parse_arrivals(text), 1); })) return 0;
  int64_t last = 0;
  for (const Request& request : workload.requests) {
    TW_CHECK(request.arrival_ns >= last && request.arrival_ns <= kMaxArrivalNs,
             "arrivals are in order and bounded");
    last = request.arrival_ns;
  }
  return 0;
}
