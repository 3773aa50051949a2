#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/options.h"

namespace tilewright {

/// A setting with the place it comes from: "--db", "environment TILEWRIGHT_DB", a config file,
/// "built-in".
struct Setting {
  std::string value;
  std::string source;
};

/// The machine where nothing names one.
inline constexpr std::string_view kDefaultMachine = "ascend-910b2";

/// What every command is told besides its own arguments.
struct Globals {
  std::string db;
  bool db_is_default = false;  ///< its folder may be created
  std::string machine;
  std::string data;     ///< folder of published measurements; empty: none
  std::string queries;  ///< file of the user's own queries; empty: nowhere to keep them
  bool json = false;
  bool csv = false;
  bool quiet = false;
  bool verbose = false;
  int64_t seed = 0;
  int jobs = 1;
  int processes = 1;  ///< that mpirun or srun started together, this one included
  bool color_out = false;
  bool color_err = false;
  std::map<std::string, Setting> settings;  ///< db, machine, color, seed, jobs, data
};

/// The global options of the command line.
const std::vector<Option>& global_options();

/// Applies the precedence flag > TILEWRIGHT_* > ./tilewright.json > the user's config file >
/// built-in. This file is the only place that reads the environment. Error for values that make no
/// sense, with their source, and for damaged config files.
Globals resolve_globals(const Arguments& arguments, bool out_is_terminal, bool err_is_terminal);

/// The environment that a program we start inherits, "NAME=value" each: ours without what tells a
/// process that it is a rank of an MPI job, which it would otherwise take itself for.
std::vector<std::string> child_environment();

/// Whether NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE and TERM want colour, for messages about a command
/// line that could not be parsed.
bool wants_color(const std::string& when, bool is_terminal);

}  // namespace tilewright
