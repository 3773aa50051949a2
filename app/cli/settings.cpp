#include "app/cli/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/base/thread_pool.h"

namespace tilewright {

namespace {

constexpr const char* kProjectFile = "tilewright.json";
constexpr int64_t kMaxConfigBytes = 1 << 20;
constexpr int kMaxJobs = 1024;

struct Known {
  const char* name;
  const char* variable;
  bool is_number;
};

constexpr Known kKnown[] = {
    {"db", "TILEWRIGHT_DB", false},       {"machine", "TILEWRIGHT_MACHINE", false},
    {"color", "TILEWRIGHT_COLOR", false}, {"seed", "TILEWRIGHT_SEED", true},
    {"jobs", "TILEWRIGHT_JOBS", true},    {"data", "TILEWRIGHT_DATA", false},
};

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (!value || !*value) return std::nullopt;
  return value;
}

/// A base folder of the XDG specification: unset, empty and relative values mean the default.
std::optional<std::string> xdg_folder(const char* name, const char* below_home) {
  const std::optional<std::string> value = variable(name);
  if (value && value->front() == '/') return *value;
  const std::optional<std::string> home = variable("HOME");
  if (!home) return std::nullopt;
  return *home + "/" + below_home;
}

/// As the launcher says: Open MPI, MPICH and Slurm's pmi2, Slurm's pmix. A plain srun without any
/// of them starts processes that know nothing of each other.
int processes_started() {
  const bool has_pmix = variable("PMIX_RANK").has_value();
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    const std::optional<std::string> size = variable(name);
    if (!size || (std::string_view(name).starts_with("SLURM") && !has_pmix)) continue;
    return static_cast<int>(std::clamp<int64_t>(parse_int(*size, name), 1, INT_MAX));
  }
  return 1;
}

using Values = std::map<std::string, Setting>;

/// Adds what a config file says of settings that nothing stronger has set.
void add_file(const std::string& path, Values& values) {
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return;
  const Json document = parse_json(read_file(path, kMaxConfigBytes), path);
  const JsonReader root(document, path);
  std::set<std::string> names;
  for (const Known& known : kKnown) names.insert(known.name);
  root.only(names);
  for (const Known& known : kKnown) {
    if (!root.has(known.name)) continue;
    const JsonReader value = root.at(known.name);
    const std::string text =
        known.is_number ? std::to_string(value.integer(0, INT64_MAX)) : value.string();
    values.try_emplace(known.name, Setting{text, path});
  }
}

Values gather(const Arguments& arguments) {
  Values values;
  for (const Known& known : kKnown) {
    const std::string flag = std::string("--") + known.name;
    if (arguments.has(known.name)) {
      values[known.name] = {arguments.text(known.name), flag};
    } else if (const auto value = variable(known.variable)) {
      values[known.name] = {*value, std::string("environment ") + known.variable};
    }
  }
  add_file(kProjectFile, values);
  if (const auto folder = xdg_folder("XDG_CONFIG_HOME", ".config")) {
    add_file(*folder + "/tilewright/config.json", values);
  }
  const auto data = xdg_folder("XDG_DATA_HOME", ".local/share");
  values.try_emplace("db", Setting{data ? *data + "/tilewright/results.db" : "", "built-in"});
  values.try_emplace("machine", Setting{std::string(kDefaultMachine), "built-in"});
  values.try_emplace("color", Setting{"auto", "built-in"});
  values.try_emplace("seed", Setting{"0", "built-in"});
  values.try_emplace("jobs", Setting{std::to_string(processor_count()), "built-in"});
  return values;
}

int64_t whole(const Values& values, const char* name, int64_t min, int64_t max) {
  const Setting& setting = values.at(name);
  const std::string what = fmt::format("{} (from {})", name, setting.source);
  const int64_t value = parse_int(setting.value, what);
  if (value < min || value > max) {
    throw Error(ErrorKind::kUsage, fmt::format("{} {} is outside {} to {}", what, value, min, max));
  }
  return value;
}

void check_color(const Setting& color) {
  if (color.value == "auto" || color.value == "always" || color.value == "never") return;
  throw Error(ErrorKind::kUsage, fmt::format("color '{}' (from {}) is not auto, always or never",
                                             printable(color.value), color.source));
}

}  // namespace

const std::vector<Option>& global_options() {
  static const std::vector<Option> kOptions = {
      {"db", 0, "FILE", "", "results database (default: $XDG_DATA_HOME/tilewright/results.db)"},
      {"machine", 0, "NAME|FILE", "", "machine to simulate (default: ascend-910b2)"},
      {"json", 0, "", "", "print one JSON object"},
      {"csv", 0, "", "", "print tables as CSV"},
      {"quiet", 'q', "", "", "no progress and no notes on stderr"},
      {"verbose", 'v', "", "", "say on stderr which settings are used and where they come from"},
      {"color", 0, "WHEN", "", "auto, always or never (default: auto)"},
      {"seed", 0, "N", "", "seed of everything random (default: 0)"},
      {"jobs", 0, "N", "", "threads (default: all processors); changes no result"},
      {"help", 'h', "", "", "help on the program or the command"},
      {"version", 0, "", "", "print the version"},
  };
  return kOptions;
}

bool wants_color(const std::string& when, bool is_terminal) {
  if (when == "always") return true;
  if (when == "never") return false;
  if (variable("FORCE_COLOR")) return true;
  if (variable("NO_COLOR")) return false;
  if (variable("CLICOLOR_FORCE").value_or("0") != "0") return true;
  return is_terminal && variable("TERM").value_or("dumb") != "dumb";
}

std::vector<std::string> child_environment() {
  constexpr std::string_view kOfTheJob[] = {"OMPI_", "PMIX_", "PMI_"};
  std::vector<std::string> variables;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view text = *at;
    const auto names = [&](std::string_view prefix) { return text.starts_with(prefix); };
    if (std::ranges::none_of(kOfTheJob, names)) variables.emplace_back(text);
  }
  return variables;
}

Globals resolve_globals(const Arguments& arguments, bool out_is_terminal, bool err_is_terminal) {
  Globals globals;
  globals.settings = gather(arguments);
  globals.db = globals.settings.at("db").value;
  globals.db_is_default = globals.settings.at("db").source == "built-in";
  globals.machine = globals.settings.at("machine").value;
  if (const auto data = globals.settings.find("data"); data != globals.settings.end())
    globals.data = data->second.value;
  if (const auto state = xdg_folder("XDG_STATE_HOME", ".local/state")) {
    globals.queries = *state + "/tilewright/queries.json";
  }
  globals.seed = whole(globals.settings, "seed", 0, INT64_MAX);
  globals.jobs = static_cast<int>(whole(globals.settings, "jobs", 1, kMaxJobs));
  globals.processes = processes_started();
  globals.json = arguments.has("json");
  globals.csv = arguments.has("csv");
  globals.quiet = arguments.has("quiet");
  globals.verbose = arguments.has("verbose");
  const Setting& color = globals.settings.at("color");
  check_color(color);
  globals.color_out = wants_color(color.value, out_is_terminal);
  globals.color_err = wants_color(color.value, err_is_terminal);
  return globals;
}

}  // namespace tilewright
