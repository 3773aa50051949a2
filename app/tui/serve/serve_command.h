#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/serving/metrics.h"

namespace tilewright {

class Arguments;
class Context;

/// A command line "tilewright replay MODEL ..." that is carried out here: parsed as the program
/// does, with a context that prints nothing.
class ReplayCommand {
 public:
  /// `words` as behind the program's name. `listener` gets what the command would say on stderr.
  /// Error (usage) for what is no such command line, or is one that makes no serving run of its own
  /// to be shown (real tokens, comparisons).
  ReplayCommand(const std::vector<std::string>& words, const std::string& db,
                const std::string& machine, std::function<void(std::string_view)> listener);
  ~ReplayCommand();
  ReplayCommand(const ReplayCommand&) = delete;
  ReplayCommand& operator=(const ReplayCommand&) = delete;

  const Context& context() const;
  const Arguments& arguments() const;
  const std::string& model() const;
  /// The machine's name or file: that of --machine, or the one it was made with.
  const std::string& machine() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// The words of a stored command line behind the program's name: they were joined by blanks.
std::vector<std::string> words_of_command(std::string_view command);

/// The limits of a stored command line; none where it is not understood.
Slo slo_of_command(std::string_view command);

/// The command line as a shell takes it.
std::string command_line_of(const std::vector<std::string>& words);

}  // namespace tilewright
