#include "tuner/evaluate/command_evaluator.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "tuner/evaluate/command_output.h"

namespace tilewright {

namespace {

constexpr std::string_view kIdPrefix = "cmd/";
/// Begins the reason of a passed time limit, which follows.
constexpr std::string_view kTimeLimit = "the command ran longer than ";

/// Exit statuses of a command that mean something else than a failed run.
constexpr std::pair<int, AttemptStatus> kExitStatuses[] = {{3, AttemptStatus::kCompile},
                                                           {4, AttemptStatus::kWrongResult},
                                                           {5, AttemptStatus::kInfeasible}};

Measurement failure(AttemptStatus status, std::string reason) {
  Measurement measurement;
  measurement.status = status;
  measurement.reason = std::move(reason);
  return measurement;
}

/// "; stderr: '...'" with its last line, and stdout's where there is no other.
std::string quote(const ChildResult& result) {
  const std::string_view err = last_line(result.err);
  if (!err.empty()) return fmt::format("; stderr: '{}'", printable(err));
  const std::string_view out = last_line(result.out);
  return out.empty() ? "" : fmt::format("; stdout: '{}'", printable(out));
}

std::string size_text(int64_t bytes) {
  return format_bytes(static_cast<double>(bytes));
}

std::string signal_name(int number) {
  const char* name = ::sigdescr_np(number);
  return fmt::format("signal {}{}", number, name ? fmt::format(" ({})", name) : "");
}

/// What a run that failed without saying why comes to; nothing when it ended well.
std::optional<Measurement> failure_of(const ChildResult& result, const ChildLimits& limits) {
  const std::string said = quote(result);
  switch (result.end) {
    case ChildEnd::kStopped:
      throw EvaluationStopped();
    case ChildEnd::kTimeLimit:
      return failure(AttemptStatus::kTimeout,
                     fmt::format("{}{} s{}", kTimeLimit, limits.seconds, said));
    case ChildEnd::kOutputLimit:
      return failure(AttemptStatus::kRuntime, fmt::format("the command wrote more than {}{}",
                                                          size_text(limits.output_bytes), said));
    case ChildEnd::kNotStarted:
      return failure(AttemptStatus::kRuntime,
                     fmt::format("the command cannot be started: {}",
                                 std::generic_category().message(result.code)));
    case ChildEnd::kSignal:
      return failure(
          AttemptStatus::kRuntime,
          fmt::format("the command was ended by {}{}{}", signal_name(result.code),
                      limits.memory_bytes > 0 ? fmt::format(" (its memory is limited to {})",
                                                            size_text(limits.memory_bytes))
                                              : "",
                      said));
    case ChildEnd::kExited:
      break;
  }
  if (result.code == 0) return std::nullopt;
  AttemptStatus status = AttemptStatus::kRuntime;
  for (const auto& [code, meaning] : kExitStatuses) {
    if (code == result.code) status = meaning;
  }
  return failure(status, fmt::format("the command ended with exit status {}{}", result.code, said));
}

/// What the command itself says of its failure, in an object; nothing when it says none.
std::optional<Measurement> reported_failure(const ChildResult& result) {
  if (result.end != ChildEnd::kExited || !last_line(result.out).starts_with('{')) {
    return std::nullopt;
  }
  try {
    const CommandOutput output = read_command_output(result.out);
    if (output.status == AttemptStatus::kOk) return std::nullopt;
    return failure(output.status, output.reason.empty()
                                      ? fmt::format("the command says {}", name_of(output.status))
                                      : printable(output.reason, output.reason.size()));
  } catch (const Error&) {
    return std::nullopt;  // its exit status, or its missing time, is what is wrong
  }
}

}  // namespace

bool is_command_evaluator(std::string_view id) {
  return id.starts_with(kIdPrefix);
}

CommandEvaluator::CommandEvaluator(CommandTemplate command, CommandOptions options)
    : command_(std::move(command)), options_(std::move(options)) {}

bool CommandEvaluator::is_outdated(const Measurement& stored) const {
  if (stored.status != AttemptStatus::kTimeout || !stored.reason.starts_with(kTimeLimit)) {
    return false;
  }
  const char* const number = stored.reason.data() + kTimeLimit.size();
  double seconds = 0;
  const auto read = std::from_chars(number, stored.reason.data() + stored.reason.size(), seconds);
  return read.ec == std::errc() && seconds < options_.limits.seconds;
}

std::string CommandEvaluator::id() const {
  return std::string(kIdPrefix) + Hasher().add(command_.canonical()).hex();
}

Measurement CommandEvaluator::evaluate(const Problem& problem, const Config& config) const {
  const auto space = options_.spaces.find(problem.text());
  const std::vector<std::string> words = space == options_.spaces.end()
                                             ? command_.words(problem, config)
                                             : command_.words(problem, config, space->second);
  Measurement measurement;
  while (!is_settled(measurement.times_us, options_.repetitions)) {
    if (options_.stop && options_.stop()) throw EvaluationStopped();
    const ChildResult run = run_child(words, options_.environment, options_.limits, options_.stop);
    if (auto failed = reported_failure(run)) return *failed;
    if (auto failed = failure_of(run, options_.limits)) return *failed;
    try {
      CommandOutput output = read_command_output(run.out);
      measurement.times_us.insert(measurement.times_us.end(), output.times_us.begin(),
                                  output.times_us.end());
      measurement.counters = std::move(output.counters);
    } catch (const Error& error) {
      const std::string_view err = last_line(run.err);
      return failure(AttemptStatus::kRuntime,
                     fmt::format("the command {}{}", error.message(),
                                 err.empty() ? "" : fmt::format("; stderr: '{}'", printable(err))));
    }
  }
  const Estimate estimate = time_estimate(measurement.times_us);
  measurement.time_us = estimate.mean;
  measurement.spread_us = estimate.standard_error;
  return measurement;
}

}  // namespace tilewright
