#include "app/tui/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/problem_arguments.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_edit.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/screen.h"
#include "core/base/error.h"
#include "core/base/json.h"

namespace tilewright {

namespace {

/// Of this format; a session of another one is not restored.
constexpr int kVersion = 1;
/// Runs that come back, besides the pinned one.
constexpr size_t kMostRuns = 20;
constexpr int kMostNumber = 1 << 30;

Json json_of(const LabRun& run) {
  const KernelRequest& request = run.outcome->request;
  return {{"number", run.number},
          {"machine", request.machine->argument},
          {"problem", request.problem.text()},
          {"config", request.config.text()}};
}

Json json_of(const LabState& lab) {
  Json json;
  json["form"] = Json::object();
  for (const LabField& field : lab.fields) json["form"][field.name] = field.value;
  json["runs"] = Json::array();
  for (size_t i = 0; i < lab.runs.size(); ++i) {
    const LabRun& run = lab.runs[i];
    const bool is_recent = i + kMostRuns >= lab.runs.size();
    const bool is_small = run.outcome->instructions <= kMostRestoredInstructions;
    if ((is_recent || run.number == lab.pinned) && is_small) json["runs"].push_back(json_of(run));
  }
  json["shown"] = lab.shown;
  json["pinned"] = lab.pinned;
  return json;
}

Screen screen_named(const JsonReader& name) {
  for (const ScreenInfo& screen : all_screens()) {
    if (screen.name == name.string()) return screen.screen;
  }
  name.fail("is no screen");
}

/// A machine of the session; the one in use where it has the same name.
MachineRef machine_of(const State& state, const std::string& argument) {
  if (argument == state.machine->argument) return state.machine;
  return std::make_shared<const NamedMachine>(argument, load_machine(argument));
}

/// Values that no longer make sense, of a kernel or machine that is gone, stay behind.
void restore_form(State& state, const JsonReader& form) {
  if (form.keys().empty()) return;
  begin_form(state);
  for (const std::string& name : form.keys()) {
    try {
      set_field_by_name(state, fmt::format("{} {}", name, form.at(name).string()));
    } catch (const Error&) {
      continue;
    }
  }
  state.lab.undo.clear();
}

/// What a run simulated. Throws Error where the kernel no longer takes its problem or config.
KernelRequest request_of(const State& state, const JsonReader& run) {
  const LabForm form =
      form_of(machine_of(state, run.at("machine").string()),
              parse_problem(run.at("problem").string()), parse_config(run.at("config").string()));
  const Kernel& kernel = find_kernel(form.kernel);
  const Problem problem = read_problem(kernel, form.request());
  const std::string wrong = kernel.space(problem, form.machine->machine).violation(form.config);
  if (!wrong.empty()) throw Error(ErrorKind::kInfeasible, wrong);
  return {form.machine, problem, form.config};
}

RestoreRunsJob runs_job(const State& state, const JsonReader& lab) {
  RestoreRunsJob job;
  for (const JsonReader& run : lab.at("runs").items()) {
    try {
      job.runs.push_back(
          {static_cast<int>(run.at("number").integer(1, kMostNumber)), request_of(state, run)});
    } catch (const Error&) {
      continue;
    }
  }
  job.shown = static_cast<int>(lab.at("shown").integer(0, kMostNumber));
  job.pinned = static_cast<int>(lab.at("pinned").integer(0, kMostNumber));
  return job;
}

}  // namespace

std::string session_text(const State& state) {
  Json json;
  json["version"] = kVersion;
  json["screen"] = info_of(state.screen).name;
  json["theme"] = name_of(state.look.theme);
  json["mouse"] = state.look.mouse;
  json["filter"] = state.home.filter;
  json["lab"] = json_of(state.lab);
  json["timeline"] = {{"unit", static_cast<int>(state.timeline.unit)},
                      {"path", state.timeline.shows_path}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string session_summary(const State& state) {
  const std::string_view screen = info_of(state.screen).name;
  const LabState& lab = state.lab;
  if (!lab.form.machine || !lab.check.has_problem) return std::string(screen);
  return fmt::format("{}: {} {}", screen, lab.form.kernel, short_problem(lab.check.problem));
}

void restore_session(State& state, std::string_view text, Effects& effects) {
  const Json json = parse_json(text, "session");
  const JsonReader session(json, "session");
  if (session.at("version").integer(0, kMostNumber) != kVersion) {
    session.at("version").fail("is of another tilewright");
  }
  State restored = state;
  restored.screen = screen_named(session.at("screen"));
  restored.look.theme = parse_theme(session.at("theme").string());
  restored.look.mouse = session.at("mouse").boolean();
  restored.home.filter = session.at("filter").string();
  const JsonReader lab = session.at("lab");
  restore_form(restored, lab.at("form"));
  const JsonReader timeline = session.at("timeline");
  restored.timeline.unit =
      timeline.at("unit").integer(0, 1) == 0 ? TimeUnit::kCycles : TimeUnit::kMicroseconds;
  restored.timeline.shows_path = timeline.at("path").boolean();
  RestoreRunsJob job = runs_job(restored, lab);
  state = std::move(restored);
  if (!job.runs.empty()) submit(state, effects, "bring back runs", std::move(job));
}

}  // namespace tilewright
