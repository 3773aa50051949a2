#include "app/cli/workload_arguments.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/workload/arrivals.h"
#include "core/workload/trace_reader.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxRequests = 100'000'000;

int64_t parse_window_end(std::string_view text) {
  const double ns = parse_ms(text, "--window") * 1e6;
  if (!(ns <= static_cast<double>(kMaxArrivalNs))) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--window {} is later than three years", printable(text)));
  }
  return std::llround(ns);
}

/// "60s:120s".
std::pair<int64_t, int64_t> parse_window(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--window '{}' is not FROM:TO, such as 60s:120s", printable(text)));
  }
  const std::string_view whole = text;
  const int64_t from_ns = parse_window_end(whole.substr(0, colon));
  const int64_t to_ns = parse_window_end(whole.substr(colon + 1));
  if (from_ns >= to_ns) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--window {} ends before it begins", printable(text)));
  }
  return {from_ns, to_ns};
}

void apply_times(Workload& workload, const Arguments& arguments, uint64_t seed) {
  if (arguments.has("arrivals")) {
    if (arguments.has("rate")) {
      throw Error(ErrorKind::kUsage,
                  "--rate scales the arrivals that a workload has, and --arrivals replaces them; "
                  "give the rate there: --arrivals poisson:rate=4");
    }
    apply_arrivals(workload, parse_arrivals(arguments.text("arrivals")), seed);
  }
  if (!arguments.has("rate")) return;
  const std::string rate = arguments.text("rate");
  scale_rate(workload, rate == "inf" ? std::numeric_limits<double>::infinity()
                                     : parse_number(rate, "--rate"));
}

}  // namespace

std::vector<Option> workload_options() {
  return {
      {"limit", 0, "N", "", "only the first N requests (default: all of a trace, 1000 generated)"},
      {"offset", 0, "N", "", "leave out the first N requests"},
      {"window", 0, "FROM:TO", "", "only requests that arrive in it, such as 60s:120s"},
      {"rate", 0, "R", "", "scale arrivals to R requests/s; inf: all at once"},
      {"arrivals", 0, "PROCESS", "",
       "other arrivals: poisson:rate=4, closed:concurrency=32 and more (docs/formats.md)"},
      {"trace", 0, "a=1,b=2", "",
       "what a trace does not say: model, block-tokens, time-unit, names of keys", true},
  };
}

std::string workload_choices(const Arguments& arguments) {
  std::string text;
  for (const Option& option : workload_options()) {
    if (!arguments.has(option.name)) continue;
    text += fmt::format(" {}={}", option.name, printable(arguments.text(option.name), 60));
  }
  return text;
}

Workload read_workload_arguments(const Context& context, const std::string& name) {
  const Arguments& arguments = context.arguments();
  const auto seed = static_cast<uint64_t>(context.globals().seed);
  const int64_t limit = arguments.has("limit") ? arguments.integer("limit", 1, kMaxRequests) : 0;
  const int64_t offset = arguments.has("offset") ? arguments.integer("offset", 0, kMaxRequests) : 0;
  const TraceOptions trace =
      arguments.has("trace") ? parse_trace_options(arguments.text("trace")) : TraceOptions{};
  // How many of a window's requests come before the limit is known only after reading all.
  const bool has_window = arguments.has("window");
  Workload workload =
      load_workload(name, limit > 0 && !has_window ? limit + offset : 0, seed, trace);
  if (has_window) {
    const auto [from_ns, to_ns] = parse_window(arguments.text("window"));
    slice_window(workload, from_ns, to_ns);
  }
  if (offset > 0 || (limit > 0 && has_window)) slice_requests(workload, offset, limit);
  apply_times(workload, arguments, seed);
  for (const std::string& note : workload.notes) context.note(name + ": " + note);
  return workload;
}

}  // namespace tilewright
