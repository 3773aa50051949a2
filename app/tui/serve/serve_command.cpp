#include "app/tui/serve/serve_command.h"

#include <utility>

#include "app/cli/command.h"
#include "app/cli/console.h"
#include "app/cli/context.h"
#include "app/cli/options.h"
#include "app/cli/serving_run.h"
#include "app/cli/settings.h"
#include "app/cli/shell_word.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "tuner/evaluate/command_template.h"

namespace tilewright {

namespace {

/// Options of `replay` that make something else of it than one run in virtual time.
void refuse_other_runs(const Arguments& arguments) {
  for (const char* option : {"reference", "prompts", "compare", "metrics", "detailed"}) {
    if (!arguments.has(option)) continue;
    throw Error(ErrorKind::kUsage,
                std::string("--") + option + " is for the command line: this screen shows one run");
  }
}

}  // namespace

struct ReplayCommand::Parts {
  Console console;
  Arguments arguments;
  Globals globals = {};
  std::unique_ptr<Context> context = nullptr;
};

ReplayCommand::ReplayCommand(const std::vector<std::string>& words, const std::string& db,
                             const std::string& machine,
                             std::function<void(std::string_view)> listener) {
  constexpr int64_t kMostSeed = int64_t{1} << 62;
  const SplitLine line = split_command(words, global_options());
  if (line.command != "replay") {
    throw Error(ErrorKind::kUsage, "the command line of a serving run begins with replay MODEL");
  }
  const Command& command = find_command(line.command);
  std::vector<Option> options = command.options;
  options.insert(options.end(), global_options().begin(), global_options().end());
  parts_.reset(new Parts{Console(std::move(listener)), parse_options(line.rest, options)});
  const Arguments& arguments = parts_->arguments;
  check_positionals(arguments, command.name, command.positionals);
  refuse_other_runs(arguments);
  Globals& globals = parts_->globals;
  globals.db = db;
  globals.machine = arguments.has("machine") ? arguments.text("machine") : machine;
  globals.seed = arguments.has("seed") ? arguments.integer("seed", 0, kMostSeed) : 0;
  globals.quiet = true;
  // As the program keeps the command lines that it was started with.
  parts_->context = std::make_unique<Context>(arguments, globals, parts_->console,
                                              "tilewright " + join(words, " "));
}

ReplayCommand::~ReplayCommand() = default;

const Context& ReplayCommand::context() const {
  return *parts_->context;
}

const Arguments& ReplayCommand::arguments() const {
  return parts_->arguments;
}

const std::string& ReplayCommand::model() const {
  return parts_->arguments.positionals()[0];
}

const std::string& ReplayCommand::machine() const {
  return parts_->globals.machine;
}

std::vector<std::string> words_of_command(std::string_view command) {
  std::vector<std::string> words;
  try {
    words = split_words(command);
  } catch (const Error&) {  // a database may hold what no shell would take
    for (const std::string_view word : split(command, ' ')) {
      if (!word.empty()) words.emplace_back(word);
    }
  }
  if (!words.empty()) words.erase(words.begin());
  return words;
}

Slo slo_of_command(std::string_view command) {
  try {
    const ReplayCommand replay(words_of_command(command), "", "", [](std::string_view) {});
    return read_slo(replay.arguments());
  } catch (const Error&) {
    return {};
  }
}

std::string command_line_of(const std::vector<std::string>& words) {
  return shell_line(words);
}

}  // namespace tilewright
