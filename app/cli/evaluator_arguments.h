#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/options.h"
#include "core/machine/machine.h"
#include "tuner/evaluate/evaluator.h"
#include "tuner/session/session.h"

namespace tilewright {

/// --evaluator, --eval-timeout, --eval-memory, --eval-output and --repetitions, for every command
/// that has something timed.
std::vector<Option> evaluator_options();

/// Refuses what is wrong with these before any work is put into what is timed; `like`: problems
/// with the names that a command's placeholders may have, none where that is not known yet. Error
/// as of make_evaluator(), which also looks into tables.
void check_evaluator_arguments(const Arguments& arguments, std::span<const TuneProblem> like);

/// The evaluator that --evaluator names: 'sim'; an external command with placeholders, which the
/// problems must give, or with the word 'cmd' before it; or 'table:FILE', a table with their
/// parameters, which a file of results as the target is itself. The machine must outlive it. Error
/// (usage), also for
/// --eval-* and --repetitions without a command; Error (not found) when the command's program does
/// not exist.
std::unique_ptr<Evaluator> make_evaluator(const Arguments& arguments, const Machine& machine,
                                          std::span<const TuneProblem> problems);

}  // namespace tilewright
