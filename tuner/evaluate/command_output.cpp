#include "tuner/evaluate/command_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Enough for every stopping rule; a line of more is no list of times.
constexpr size_t kMaxTimes = 10'000;
/// Nothing runs for less than a picosecond: what prints less means another unit.
constexpr double kLeastUs = 1e-6;

struct Unit {
  std::string_view key;
  double us;
};
constexpr Unit kUnits[] = {{"time_us", 1}, {"time_ms", 1e3}, {"time_s", 1e6}};

void add_time(CommandOutput& output, double value, double unit_us) {
  const double time_us = value * unit_us;
  if (std::isinf(time_us) && value > 0) {
    throw Error(ErrorKind::kFailed, fmt::format("gave a time of {}, which is too large", value));
  }
  if (!std::isfinite(time_us) || time_us <= 0) {
    throw Error(ErrorKind::kFailed, fmt::format("gave a time of {}, which is not above 0", value));
  }
  if (time_us < kLeastUs) {
    throw Error(ErrorKind::kFailed,
                fmt::format("gave a time of {} us, which is below 1 ps (1e-6 us)", time_us));
  }
  if (output.times_us.size() == kMaxTimes) {
    throw Error(ErrorKind::kFailed, fmt::format("gave more than {} times", kMaxTimes));
  }
  output.times_us.push_back(time_us);
}

/// "12.5, 12.6 12.4"; false when it is no list of numbers.
bool add_times(CommandOutput& output, std::string_view list, double unit_us) {
  constexpr std::string_view kSeparators = ", \t";
  for (size_t at = 0; (at = list.find_first_not_of(kSeparators, at)) != std::string_view::npos;) {
    const size_t end = std::min(list.find_first_of(kSeparators, at), list.size());
    double value = 0;
    try {
      value = parse_number(list.substr(at, end - at), "");
    } catch (const Error&) {
      return false;
    }
    add_time(output, value, unit_us);
    at = end;
  }
  return !output.times_us.empty();
}

/// The reader's own refusals say which key they mean.
double number_of(const JsonReader& reader) {
  constexpr double kMax = std::numeric_limits<double>::max();
  return reader.number(-kMax, kMax);
}

void read_times(CommandOutput& output, const JsonReader& reader) {
  for (const Unit& unit : kUnits) {
    if (!reader.has(unit.key)) continue;
    const JsonReader times = reader.at(unit.key);
    if (times.is_number()) {
      add_time(output, number_of(times), unit.us);
    } else if (!times.is_array()) {
      times.fail("expected a number or a list of numbers");
    } else {
      for (const JsonReader& time : times.items()) add_time(output, number_of(time), unit.us);
    }
  }
  if (output.times_us.empty()) reader.fail("has no time_us, time_ms or time_s");
}

AttemptStatus status_of(const JsonReader& status) {
  const std::string name = status.string();
  try {
    return parse_attempt_status(name);
  } catch (const Error& error) {
    status.fail(error.message());
  }
}

CommandOutput read_object(std::string_view line) {
  // A refusal of the reader begins with its place, and the command is the subject of the sentence.
  constexpr const char* kPlace = "printed an object that is not understood";
  const Json document = parse_json_line(line, fmt::format("{}: 1", kPlace));
  const JsonReader reader(document, kPlace);
  reader.only({"time_us", "time_ms", "time_s", "counters", "status", "reason"});
  CommandOutput output;
  if (reader.has("status")) output.status = status_of(reader.at("status"));
  if (reader.has("reason")) output.reason = reader.at("reason").string();
  if (output.status != AttemptStatus::kOk) return output;
  read_times(output, reader);
  if (!reader.has("counters")) return output;
  const JsonReader counters = reader.at("counters");
  for (const std::string& name : counters.keys()) {
    output.counters.emplace_back(name, number_of(counters.at(name)));
  }
  return output;
}

}  // namespace

std::string_view last_line(std::string_view text) {
  text = trim(text);
  return trim(text.substr(text.rfind('\n') + 1));
}

CommandOutput read_command_output(std::string_view out) {
  std::string_view line = last_line(out);
  if (line.empty()) throw Error(ErrorKind::kFailed, "printed nothing");
  const std::string quoted = printable(line);
  CommandOutput output;
  try {
    if (line.starts_with('{')) return read_object(line);
    double unit_us = 1;
    for (const Unit& unit : kUnits) {
      if (!line.starts_with(fmt::format("{}=", unit.key))) continue;
      unit_us = unit.us;
      line.remove_prefix(unit.key.size() + 1);
      break;
    }
    if (add_times(output, line, unit_us)) return output;
  } catch (const Error& error) {
    throw Error(ErrorKind::kFailed, fmt::format("{} (it printed '{}')", error.message(), quoted));
  }
  throw Error(ErrorKind::kFailed, fmt::format("printed '{}', which is no time", quoted));
}

}  // namespace tilewright
