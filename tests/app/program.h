#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "tests/temp_folder.h"

namespace tilewright {

/// How a run of the program ended.
struct Outcome {
  int status = -1;  ///< exit status; 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

/// An empty folder with a home and a results database of its own, in which the real binary runs.
/// The folder is deleted at the end.
class Sandbox {
 public:
  Sandbox();

  /// A path inside the folder.
  std::string path(const std::string& name) const { return folder_.path(name); }
  /// Writes a file inside the folder and returns its path.
  std::string file(const std::string& name, const std::string& text) const {
    return folder_.file(name, text);
  }
  std::string read(const std::string& name) const;

  /// Words before the program, such as mpirun with its options; empty: it is started directly.
  std::vector<std::string> launcher;

  /// Environment variables of the runs that follow; an empty value removes one.
  std::map<std::string, std::string> environment;
  /// Where standard output goes instead of into Outcome::out, when not empty.
  std::string stdout_path;

  /// Runs to the end, 60 s at most.
  Outcome run(const std::vector<std::string>& arguments);

  /// In a child process: turns it into the program, with this folder and environment.
  [[noreturn]] void become_program(const std::vector<std::string>& arguments) const;

  /// Starts a run; wait() ends it.
  pid_t start(const std::vector<std::string>& arguments);
  Outcome wait(pid_t process);

 private:
  TempFolder folder_;
};

/// A config.json of a decoder small enough to be tuned and served within a second.
extern const char* const kSmallModel;

/// The JSON text without its wall_* keys, for comparisons.
std::string without_wall_times(const std::string& json);

}  // namespace tilewright
