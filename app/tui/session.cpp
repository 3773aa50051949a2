#include "app/tui/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_edit.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/screen.h"
#include "app/tui/serve/serve_screen.h"
#include "app/tui/serve/serve_view.h"
#include "app/tui/tune/tune_screen.h"
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
          {"run", run.outcome->run},
          {"machine", request.machine->argument},
          {"problem", request.problem.text()},
          {"config", request.config.text()}};
}

Json json_of(const LabState& lab) {
  Json json;
  json["form"] = Json::object();
  for (const LabField& field : lab.fields) {
    if (field.kind != LabField::Kind::kParameter) json["form"][field.name] = field.value;
  }
  json["chosen"] = Json::object();
  for (const auto& [name, value] : lab.form.chosen) json["chosen"][name] = value;
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

/// The form, and the run that was shown.
Json json_of(const TuneState& tune) {
  Json json;
  for (const TuneField& field : fields_of(tune.form)) json["form"][field.name] = field.value;
  json["shows_form"] = tune.shows_form;
  json["run"] = tune.view && !tune.shows_form ? tune.view->run : 0;
  return json;
}

/// Sessions of before have none. A run that was shown is read again.
void restore_tune(State& state, const JsonReader& session, Effects& effects) {
  if (!session.has("tune")) return;
  const JsonReader tune = session.at("tune");
  const JsonReader form = tune.at("form");
  TuneForm restored = state.tune.form;
  for (const std::string& name : form.keys()) set_field(restored, name, form.at(name).string());
  state.tune.form = std::move(restored);
  const int64_t run = tune.at("run").integer(0, INT64_MAX);
  if (run == 0) return;
  const Screen screen = state.screen;
  const int pane = state.focus[static_cast<size_t>(Screen::kTune)].pane;
  open_tuned_run(state, run, effects);
  state.focus[static_cast<size_t>(Screen::kTune)].pane = pane;
  state.screen = screen;
}

Json json_of(const ServeState& serve) {
  Json json;
  for (const FormField& field : serve.form.fields) {
    json["form"][std::string(field.name)] = field.value;
  }
  json["run"] = serve.view && serve.view->is_over() ? serve.view->identity.run : 0;
  return json;
}

/// A run that is gone by now is not missed: the job says so.
void restore_serve(State& state, const JsonReader& serve, Effects& effects) {
  const JsonReader form = serve.at("form");
  for (FormField& field : state.serve.form.fields) {
    const std::string name(field.name);
    if (form.has(name)) field.value = form.at(name).string();
  }
  const int64_t run = serve.at("run").integer(0, int64_t{1} << 53);
  if (run == 0) return;
  const Screen shown = state.screen;
  open_serve_run(state, run, effects);
  state.screen = shown;
}

Json json_of(const ExportState& exporting) {
  return {{"run", exporting.wanted_run}, {"format", exporting.format}, {"path", exporting.path}};
}

Json json_of(const FusionState& fusion) {
  Json json = Json::object();
  for (const FormField& field : fusion.form) json[std::string(field.name)] = field.value;
  return json;
}

void restore_fusion(FusionState& fusion, const JsonReader& form) {
  for (FormField& field : fusion.form) {
    const std::string name(field.name);
    if (form.has(name)) field.value = form.at(name).string();
  }
}

/// The winners are read when the screen is shown, and then the format may be one that cannot hold
/// them.
void restore_export(ExportState& exporting, const JsonReader& json) {
  exporting.wanted_run = json.at("run").integer(0, int64_t{1} << 53);
  exporting.format = json.at("format").string();
  exporting.path = json.at("path").string();
}

void restore_panes(State& state, const JsonReader& panes) {
  const std::vector<JsonReader> list = panes.items();
  // Sessions of before know no Fusion screen.
  const auto fusion = static_cast<size_t>(Screen::kFusion);
  const bool has_all = list.size() >= all_screens().size();
  for (size_t place = 0; place < list.size(); ++place) {
    const size_t i = place + (!has_all && place >= fusion ? 1 : 0);
    if (i >= state.focus.size()) break;
    const auto count = static_cast<int64_t>(all_screens()[i].panes.size());
    state.focus[i].pane = static_cast<int>(list[place].at("pane").integer(0, count - 1));
    state.focus[i].is_zoomed = list[place].at("zoomed").boolean();
  }
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
void restore_form(State& state, const JsonReader& lab) {
  const JsonReader form = lab.at("form");
  if (form.keys().empty()) return;
  begin_form(state);
  for (const std::string& name : form.keys()) {
    try {
      set_field_by_name(state, fmt::format("{} {}", name, form.at(name).string()));
    } catch (const Error&) {
      continue;
    }
  }
  LabForm settled = state.lab.form;
  if (lab.has("chosen")) {  // else its values are fields of the form
    const JsonReader chosen = lab.at("chosen");
    for (const std::string& name : chosen.keys()) {
      settled.chosen.emplace_back(name, chosen.at(name).integer(0, kMostNumber));
    }
  }
  settle_config(settled);
  replace_form(state, std::move(settled));
  state.lab.undo.clear();
}

/// Sessions of earlier versions have none.
void restore_results(ResultsState& results, const JsonReader& json) {
  results.sql = TextEdit(json.at("sql").string());
  for (const JsonReader& sql : json.at("history").items()) {
    results.history.push_back(sql.string());
  }
}

RestoreRunsJob runs_job(const State& state, const JsonReader& lab) {
  RestoreRunsJob job;
  for (const JsonReader& run : lab.at("runs").items()) {
    try {
      const LabForm form = form_of(machine_of(state, run.at("machine").string()),
                                   parse_problem(run.at("problem").string()),
                                   parse_config(run.at("config").string()));
      const LabCheck check = check_form(form);
      if (!check.can_run()) continue;
      // Sessions of before do not say which of their runs were kept.
      const int64_t kept = run.has("run") ? run.at("run").integer(0, int64_t{1} << 53) : 0;
      job.runs.push_back({static_cast<int>(run.at("number").integer(1, kMostNumber)), kept,
                          request_of(form, check)});
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
  for (const PaneFocus& focus : state.focus) {
    json["panes"].push_back({{"pane", focus.pane}, {"zoomed", focus.is_zoomed}});
  }
  json["theme"] = name_of(state.look.theme);
  json["mouse"] = state.look.mouse;
  json["filter"] = state.home.filter;
  json["lab"] = json_of(state.lab);
  json["lab"]["field"] = state.lab.field;
  json["serve"] = json_of(state.serve);
  json["timeline"] = {{"unit", static_cast<int>(state.timeline.unit)},
                      {"path", state.timeline.shows_path}};
  json["tune"] = json_of(state.tune);
  json["results"] = {{"sql", state.results.sql.utf8()}, {"history", state.results.history}};
  json["export"] = json_of(state.exporting);
  json["fusion"] = json_of(state.fusion);
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
  restore_panes(restored, session.at("panes"));
  restored.look.theme = parse_theme(session.at("theme").string());
  restored.look.mouse = session.at("mouse").boolean();
  restored.home.filter = session.at("filter").string();
  const JsonReader lab = session.at("lab");
  restore_form(restored, lab);
  const int last_field = std::max(0, static_cast<int>(restored.lab.fields.size()) - 1);
  restored.lab.field = static_cast<int>(lab.at("field").integer(0, kMostNumber));
  restored.lab.field = std::min(restored.lab.field, last_field);
  const JsonReader timeline = session.at("timeline");
  restored.timeline.unit =
      timeline.at("unit").integer(0, 1) == 0 ? TimeUnit::kCycles : TimeUnit::kMicroseconds;
  restored.timeline.shows_path = timeline.at("path").boolean();
  restore_tune(restored, session, effects);
  if (session.has("results")) restore_results(restored.results, session.at("results"));
  if (session.has("export")) restore_export(restored.exporting, session.at("export"));
  if (session.has("fusion")) restore_fusion(restored.fusion, session.at("fusion"));
  RestoreRunsJob job = runs_job(restored, lab);
  Effects wanted;
  if (session.has("serve")) restore_serve(restored, session.at("serve"), wanted);
  state = std::move(restored);
  effects.insert(effects.end(), wanted.begin(), wanted.end());
  if (!job.runs.empty()) submit(state, effects, "bring back runs", std::move(job));
}

}  // namespace tilewright
