#include "core/workload/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "core/workload/trace_fields.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxConcurrency = 1'000'000'000;

/// A process as people write it, and the options that it takes (the first is needed).
struct ProcessName {
  std::string name;
  ArrivalProcess process;
  std::vector<std::string> options;
  bool needs_first = false;
};

const std::vector<ProcessName>& process_names() {
  static const std::vector<ProcessName> kNames = {
      {"recorded", ArrivalProcess::kRecorded, {"rate", "concurrency"}},
      {"at-once", ArrivalProcess::kAtOnce, {"concurrency"}},
      {"constant", ArrivalProcess::kConstant, {"rate", "ramp", "concurrency"}, true},
      {"poisson", ArrivalProcess::kGamma, {"rate", "ramp", "concurrency"}, true},
      {"gamma", ArrivalProcess::kGamma, {"rate", "burstiness", "ramp", "concurrency"}, true},
      {"closed", ArrivalProcess::kAtOnce, {"concurrency"}, true},
      {"sessions", ArrivalProcess::kSessions, {"users", "think"}, true},
  };
  return kNames;
}

[[noreturn]] void usage(const std::string& message) {
  throw Error(ErrorKind::kUsage, message);
}

const ProcessName& find_process(std::string_view name) {
  std::vector<std::string> names;
  for (const ProcessName& each : process_names()) {
    if (each.name == name) return each;
    names.push_back(each.name);
  }
  usage(fmt::format("no arrival process is called '{}'{} (they are {})", printable(name),
                    did_you_mean(name, names), join(names, ", ")));
}

double parse_rate(std::string_view text) {
  const double rate = parse_number(text, "rate");
  if (!(rate > 0)) usage(fmt::format("rate {} is not above 0 requests/s", printable(text)));
  return rate;
}

int64_t parse_number_of(std::string_view text, std::string_view what) {
  const int64_t count = parse_int(text, what);
  if (count < 1 || count > kMaxConcurrency) {
    usage(fmt::format("{} {} is outside 1 to {}", what, count, kMaxConcurrency));
  }
  return count;
}

Ramp parse_ramp(std::string_view text) {
  const std::vector<std::string> names = {"linear", "exponential"};
  if (text == names[0]) return Ramp::kLinear;
  if (text == names[1]) return Ramp::kExponential;
  usage(fmt::format("no ramp is called '{}'{} (they are {})", printable(text),
                    did_you_mean(text, names), join(names, ", ")));
}

void set_rate(ArrivalOptions& options, std::string_view text) {
  const size_t dots = text.find("..");
  options.rate = parse_rate(text.substr(0, dots));
  if (dots == std::string_view::npos) return;
  if (options.process == ArrivalProcess::kRecorded) {
    usage("recorded arrivals have no rising rate; use constant, poisson or gamma");
  }
  options.end_rate = parse_rate(text.substr(dots + 2));
  if (options.ramp == Ramp::kNone) options.ramp = Ramp::kLinear;
}

void set_option(ArrivalOptions& options, const ProcessName& process, const std::string& name,
                const std::string& value) {
  if (std::ranges::find(process.options, name) == process.options.end()) {
    usage(fmt::format("{} arrivals have no '{}'{} (they have {})", process.name, printable(name),
                      did_you_mean(name, process.options), join(process.options, ", ")));
  }
  if (name == "rate") {
    set_rate(options, value);
  } else if (name == "ramp") {
    options.ramp = parse_ramp(value);
  } else if (name == "burstiness") {
    options.burstiness = parse_number(value, name);
    if (!(options.burstiness >= 1e-3 && options.burstiness <= 1e6)) {
      usage(fmt::format("burstiness {} is outside 0.001 to 1e6", printable(value)));
    }
  } else if (name == "think") {
    const double think_ns = parse_ms(value, name) * 1e6;
    if (think_ns > static_cast<double>(kMaxArrivalNs)) {
      usage(fmt::format("think {} is longer than three years", printable(value)));
    }
    options.think_ns = std::llround(think_ns);
  } else {
    (name == "users" ? options.users : options.concurrency) = parse_number_of(value, name);
  }
}

/// Requests that begin a session, in order.
std::vector<Request*> starts_of(Workload& workload) {
  std::vector<Request*> starts;
  for (Request& request : workload.requests) {
    if (request.after < 0) starts.push_back(&request);
  }
  return starts;
}

double rate_at(const ArrivalOptions& options, size_t index, size_t count) {
  const double way =
      static_cast<double>(index) / static_cast<double>(std::max<size_t>(count - 1, 1));
  switch (options.ramp) {
    case Ramp::kNone:
      break;
    case Ramp::kLinear:
      return options.rate + way * (options.end_rate - options.rate);
    case Ramp::kExponential:
      return options.rate * std::pow(options.end_rate / options.rate, way);
  }
  return options.rate;
}

/// Seconds from the first to each request.
std::vector<double> drawn_times(const ArrivalOptions& options, size_t count, uint64_t seed) {
  Random random(mix_bits(seed, 2));
  const bool is_random = options.process == ArrivalProcess::kGamma;
  std::vector<double> times;
  double now = 0;
  for (size_t i = 0; i < count; ++i) {
    now += (is_random ? random.gamma(options.burstiness) : 1) / rate_at(options, i, count);
    times.push_back(now);
  }
  if (is_random && options.ramp == Ramp::kNone && now > 0) {
    const double factor = static_cast<double>(count) / options.rate / now;
    for (double& time : times) time *= factor;
  }
  const double first = times.front();
  for (double& time : times) time -= first;
  return times;
}

void draw_arrivals(Workload& workload, const ArrivalOptions& options, uint64_t seed) {
  const std::vector<Request*> starts = starts_of(workload);
  if (starts.empty()) return;
  const std::vector<double> times = drawn_times(options, starts.size(), seed);
  if (!(times.back() * 1e9 < static_cast<double>(kMaxArrivalNs))) {
    usage(fmt::format("{} requests at {} requests/s would last longer than {} days", starts.size(),
                      options.rate, kMaxArrivalNs / 86'400'000'000'000));
  }
  for (size_t i = 0; i < starts.size(); ++i) starts[i]->arrival_ns = std::llround(times[i] * 1e9);
}

void chain_users(Workload& workload, const ArrivalOptions& options) {
  const auto users = static_cast<size_t>(options.users);
  for (size_t i = 0; i < workload.requests.size(); ++i) {
    Request& request = workload.requests[i];
    if (request.after >= 0) {
      usage(fmt::format("{} has sessions of its own; give it other arrivals than sessions",
                        workload.source));
    }
    request.arrival_ns = 0;
    if (i < users) continue;
    request.think_ns = options.think_ns;
  }
  for (size_t i = users; i < workload.requests.size(); ++i) {
    workload.requests[i].after = static_cast<int64_t>(i - users);
  }
}

}  // namespace

ArrivalOptions parse_arrivals(std::string_view text) {
  const size_t colon = text.find(':');
  const ProcessName& process = find_process(trim(text.substr(0, colon)));
  ArrivalOptions options;
  options.process = process.process;
  bool has_first = false;
  if (colon != std::string_view::npos) {
    const std::string what = process.name + " arrivals";
    for (const auto& [name, value] : parse_assignments(text.substr(colon + 1), what)) {
      set_option(options, process, name, value);
      has_first = has_first || name == process.options[0];
    }
  }
  if (process.needs_first && !has_first) {
    usage(fmt::format("{0} arrivals need {1}: {0}:{1}=N", process.name, process.options[0]));
  }
  if (options.ramp != Ramp::kNone && options.end_rate == 0) {
    usage(fmt::format("a ramp needs the rates that it goes from and to: {}:rate=1..8,ramp=linear",
                      process.name));
  }
  return options;
}

void apply_arrivals(Workload& workload, const ArrivalOptions& options, uint64_t seed) {
  switch (options.process) {
    case ArrivalProcess::kRecorded:
      if (options.rate > 0) scale_rate(workload, options.rate);
      break;
    case ArrivalProcess::kAtOnce:
      for (Request& request : workload.requests) request.arrival_ns = 0;
      break;
    case ArrivalProcess::kConstant:
    case ArrivalProcess::kGamma:
      draw_arrivals(workload, options, seed);
      break;
    case ArrivalProcess::kSessions:
      chain_users(workload, options);
      break;
  }
  // A follower's own time says nothing; that of its session keeps the order of times.
  for (Request& request : workload.requests) {
    if (request.after >= 0) {
      request.arrival_ns = workload.requests[static_cast<size_t>(request.after)].arrival_ns;
    }
  }
  if (options.concurrency > 0) workload.concurrency = options.concurrency;
}

}  // namespace tilewright
