#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/evaluate/child_process.h"
#include "tuner/evaluate/command_template.h"
#include "tuner/evaluate/evaluator.h"
#include "tuner/evaluate/repetitions.h"

namespace tilewright {

/// Whether an evaluator's id is that of a command.
bool is_command_evaluator(std::string_view id);

struct CommandOptions {
  ChildLimits limits;  ///< of each run of the command
  RepetitionRule repetitions;
  std::vector<std::string> environment;  ///< of the command, "NAME=value" each
  std::function<bool()> stop;            ///< thread-safe; true: kill what runs and give up
  /// Of problems by their texts: their labels are what values stand for; none: they are numbers.
  std::map<std::string, Space> spaces = {};
};

/// Times configs with a program: real kernels on real devices. The command is run without a shell
/// until its times are known well enough (RepetitionRule; several times printed by one run are as
/// many repetitions) and says its result as read_command_output() describes. All repetitions are
/// kept; the time is time_estimate() of them, the counters are those of the last run.
///
/// A config has failed, with a reason that quotes what was printed, when one of its runs
/// - says so in an object with a status, or exits with 3 (it does not compile), 4 (wrong result) or
///   5 (infeasible);
/// - passes the time limit: timeout;
/// - exits with any other status than 0, dies by a signal, writes too much, cannot be started, or
///   prints no time: runtime.
/// Where it was told to stop it throws EvaluationStopped. Thread-safe.
class CommandEvaluator : public Evaluator {
 public:
  CommandEvaluator(CommandTemplate command, CommandOptions options);

  /// "cmd/<hash>" of the command's words alone: limits and repetitions say how well and how
  /// patiently a config is timed, not what is timed, so changing them keeps what is known.
  std::string id() const override;

  Measurement evaluate(const Problem& problem, const Config& config) const override;

  /// A time limit that was passed, but is longer now.
  bool is_outdated(const Measurement& stored) const override;

 private:
  CommandTemplate command_;
  CommandOptions options_;
};

}  // namespace tilewright
