#include "app/tui/command_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/export/export_screen.h"
#include "app/tui/fusion/fusion_screen.h"
#include "app/tui/home/home_screen.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/results/results_screen.h"
#include "app/tui/screen.h"
#include "app/tui/serve/serve_screen.h"
#include "app/tui/shell_command.h"
#include "app/tui/timeline/timeline_screen.h"
#include "app/tui/tune/tune_screen.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

void show(State& state, Screen screen, Effects& effects) {
  state.screen = screen;
  enter_screen(state, effects);
}

void move_focus(State& state, int step) {
  const int count = static_cast<int>(info_of(state.screen).panes.size());
  state.pane().pane = (state.pane().pane + step + count) % count;
}

void copy_command_line(State& state, Effects& effects) {
  const std::string line = info_of(state.screen).command_line(state);
  if (line.empty()) {
    state.say("nothing here has a command line yet", Role::kWarn);
    return;
  }
  effects.emplace_back(CopyEffect{with_database(line, state)});
}

template <typename Value>
void choose(State& state, Effects& effects, Value& value, Value chosen) {
  value = chosen;
  effects.emplace_back(AppearanceEffect{});
  state.say(fmt::format("{} from now on", name_of(chosen)));
}

void set_mouse(State& state, std::string_view when, Effects& effects) {
  if (when != "on" && when != "off") {
    throw Error(ErrorKind::kUsage,
                fmt::format("the mouse is 'on' or 'off', not '{}'", printable(when)));
  }
  state.look.mouse = when == "on";
  effects.emplace_back(AppearanceEffect{});
  state.say(fmt::format("mouse {}", when));
}

void quit(State& state, Effects& effects) {
  const auto working =
      std::ranges::count_if(state.jobs, [](const JobSnapshot& job) { return !job.is_reading; });
  if (working == 0 || state.question) {
    effects.emplace_back(QuitEffect{});
    return;
  }
  state.question = Question{
      working == 1 ? "a job is still at work; quit and cancel it?"
                   : fmt::format("{} jobs are still at work; quit and cancel them?", working),
      "quit"};
}

void cancel_jobs(State& state, std::string_view argument, Effects& effects) {
  for (const JobSnapshot* job : state.shown_jobs()) {
    if (argument.empty() || argument == std::to_string(job->id)) {
      effects.emplace_back(CancelEffect{job->id});
    }
  }
}

std::string no_job(const State& state) {
  return state.shown_jobs().empty() ? "no job is at work" : "";
}

std::vector<std::string> job_ids(const State& state) {
  std::vector<std::string> ids;
  for (const JobSnapshot* job : state.shown_jobs()) ids.push_back(std::to_string(job->id));
  return ids;
}

std::vector<std::string> session_names(const State& state) {
  std::vector<std::string> names;
  if (!state.home.data) return names;
  for (const SessionRow& session : state.home.data->sessions) names.push_back(session.name);
  return names;
}

std::vector<WorkbenchCommand> common_commands() {
  std::vector<WorkbenchCommand> table = {
      {.id = "help",
       .keys = "? F1",
       .hint = "help",
       .help = "keys and commands of this screen",
       .act = [](State& state, std::string_view, Effects&) { state.help = HelpPage{}; }},
      {.id = "palette",
       .keys = ":",
       .hint = "command",
       .help = "type any command, with completion",
       .act = [](State& state, std::string_view, Effects&) { state.palette.emplace(); }},
      {.id = "home",
       .keys = "1",
       .help = "sessions, runs, best configs and where to start",
       .act = [](State& state, std::string_view,
                 Effects& effects) { show(state, Screen::kHome, effects); }},
      {.id = "lab",
       .keys = "2",
       .help = "one kernel: edit, run, see where its time goes",
       .act = [](State& state, std::string_view,
                 Effects& effects) { show(state, Screen::kLab, effects); }},
      {.id = "timeline",
       .keys = "3",
       .help = "every instruction of a run on its core and pipe",
       .act = [](State& state, std::string_view,
                 Effects& effects) { show(state, Screen::kTimeline, effects); }},
      {.id = "tune",
       .keys = "4",
       .help = "search for the fastest configs, watch and steer it",
       .act = [](State& state, std::string_view,
                 Effects& effects) { show(state, Screen::kTune, effects); }},
      {.id = "fusion",
       .keys = "5",
       .help = "which ops of a graph share a kernel: plan, edit, compare",
       .act = [](State& state, std::string_view,
                 Effects& effects) { show(state, Screen::kFusion, effects); }},
      {.id = "serve",
       .keys = "6",
       .help = "a serving run: load, latencies, steps and requests",
       .act = [](State& state, std::string_view,
                 Effects& effects) { show(state, Screen::kServe, effects); }},
      {.id = "results",
       .keys = "7",
       .help = "ask the results database, compare runs",
       .act = [](State& state, std::string_view,
                 Effects& effects) { show(state, Screen::kResults, effects); }},
      {.id = "plan",
       .keys = "8",
       .help = "the winners of a tuning: choose, check, write a plan",
       .act = [](State& state, std::string_view,
                 Effects& effects) { show(state, Screen::kExport, effects); }},
      {.id = "pane.next",
       .keys = "Tab v",
       .help = "the next pane takes the keys",
       .act = [](State& state, std::string_view, Effects&) { move_focus(state, 1); }},
      {.id = "pane.previous",
       .keys = "Shift-Tab V",
       .help = "the pane before takes the keys",
       .act = [](State& state, std::string_view, Effects&) { move_focus(state, -1); }},
      {.id = "pane.zoom",
       .keys = "z",
       .help = "the pane alone on the screen, and back",
       .act = [](State& state, std::string_view,
                 Effects&) { state.pane().is_zoomed = !state.pane().is_zoomed; }},
      {.id = "copy",
       .keys = "y",
       .hint = "copy as CLI",
       .help = "copy the command line that does what is shown",
       .act = [](State& state, std::string_view,
                 Effects& effects) { copy_command_line(state, effects); }},
      {.id = "message",
       .keys = "!",
       .help = "all messages, the newest first, each in full",
       .act = [](State& state, std::string_view, Effects&) { state.message_page = MessagePage{}; },
       .obstacle = [](const State& state) -> std::string {
         return state.messages.empty() ? "there is no message yet" : "";
       }},
      {.id = "screendump",
       .help = "write the screen as text to a file",
       .act = [](State&, std::string_view path,
                 Effects& effects) { effects.emplace_back(ScreenDumpEffect{std::string(path)}); },
       .argument = "FILE"},
      {.id = "cancel",
       .keys = "K",
       .help = "cancel the jobs at work, or one by its number",
       .act = cancel_jobs,
       .obstacle = no_job,
       .choices = job_ids},
      {.id = "theme",
       .help = "colours: dark, light or colorblind",
       .act = [](State& state, std::string_view name,
                 Effects& effects) { choose(state, effects, state.look.theme, parse_theme(name)); },
       .argument = "NAME",
       .choices =
           [](const State&) {
             return std::vector<std::string>{"dark", "light", "colorblind"};
           }},
      {.id = "glyphs",
       .help = "characters: unicode, blocks or ascii",
       .act =
           [](State& state, std::string_view name, Effects& effects) {
             choose(state, effects, state.look.glyphs, parse_glyph_set(name));
           },
       .argument = "NAME",
       .choices =
           [](const State&) {
             return std::vector<std::string>{"unicode", "blocks", "ascii"};
           }},
      {.id = "mouse",
       .help = "clicks and wheel on, or off so that the terminal selects text",
       .act = set_mouse,
       .argument = "WHEN",
       .choices =
           [](const State&) {
             return std::vector<std::string>{"on", "off"};
           }},
      {.id = "session",
       .help = "keep this session and open another one, or begin one of a new name",
       .act = [](State&, std::string_view name,
                 Effects& effects) { effects.emplace_back(SessionEffect{std::string(name)}); },
       .argument = "NAME",
       .choices = session_names},
      {.id = "redraw",
       .keys = "Ctrl-L",
       .help = "draw the whole screen again",
       .act = [](State&, std::string_view,
                 Effects& effects) { effects.emplace_back(RedrawEffect{}); }},
      {.id = "suspend",
       .keys = "Ctrl-Z",
       .help = "back to the shell, fg returns",
       .act = [](State&, std::string_view,
                 Effects& effects) { effects.emplace_back(SuspendEffect{}); }},
      {.id = "quit",
       .keys = "q Ctrl-C",
       .hint = "quit",
       .help = "leave; the session is kept and comes back at the next start",
       .act = [](State& state, std::string_view, Effects& effects) { quit(state, effects); }},
  };
  return table;
}

bool has_key(const WorkbenchCommand& command, Key key) {
  const std::vector<Key> list = command.key_list();
  return std::ranges::find(list, key) != list.end();
}

std::string joined_keys(const WorkbenchCommand& command) {
  std::vector<std::string> names;
  for (const Key key : command.key_list()) names.push_back("`" + name_of(key) + "`");
  return join(names, " ");
}

std::string manual_section(std::string_view title, Place place) {
  std::string text =
      fmt::format("## {}\n\n| keys | command | what it does |\n| --- | --- | --- |\n", title);
  for (const WorkbenchCommand& command : workbench_commands()) {
    if (command.place != place) continue;
    text += fmt::format("| {} | `{}{}{}` | {} |\n", joined_keys(command), command.id,
                        command.argument.empty() ? "" : " ", command.argument, command.help);
  }
  return text;
}

}  // namespace

std::vector<Key> WorkbenchCommand::key_list() const {
  std::vector<Key> list;
  if (keys.empty()) return list;
  for (const std::string_view name : split(keys, ' ')) list.push_back(parse_key(name));
  return list;
}

const std::vector<WorkbenchCommand>& workbench_commands() {
  static const std::vector<WorkbenchCommand> kTable = [] {
    std::vector<WorkbenchCommand> table = common_commands();
    for (const auto& commands :
         {home_commands(), lab_commands(), timeline_commands(), tune_commands(), fusion_commands(),
          serve_commands(), results_commands(), export_commands()}) {
      table.insert(table.end(), commands.begin(), commands.end());
    }
    return table;
  }();
  return kTable;
}

std::vector<const WorkbenchCommand*> commands_on(Screen screen) {
  std::vector<const WorkbenchCommand*> list;
  for (const Place place : {info_of(screen).place, Place::kAnywhere}) {
    for (const WorkbenchCommand& command : workbench_commands()) {
      if (command.place == place) list.push_back(&command);
    }
  }
  return list;
}

const WorkbenchCommand* command_of(const State& state, Key key) {
  const WorkbenchCommand* found = nullptr;
  for (const WorkbenchCommand* command : commands_on(state.screen)) {
    if (!has_key(*command, key)) continue;
    if (command->pane == state.pane().pane) return command;
    // One of the whole screen before one of a pane that has not the keys.
    if (!found || (found->pane != -1 && command->pane == -1)) found = command;
  }
  return found;
}

const WorkbenchCommand* command_named(Screen screen, std::string_view id) {
  for (const WorkbenchCommand* command : commands_on(screen)) {
    if (command->id == id) return command;
  }
  return nullptr;
}

std::string obstacle_of(const WorkbenchCommand& command, const State& state) {
  return command.obstacle ? command.obstacle(state) : "";
}

void start_command(State& state, const WorkbenchCommand& command, std::string_view argument,
                   Effects& effects) {
  if (const std::string obstacle = obstacle_of(command, state); !obstacle.empty()) {
    state.say(obstacle, Role::kWarn);
    return;
  }
  if (!command.argument.empty() && argument.empty()) {
    state.palette = Palette{.line = LineEdit(), .asking = std::string(command.id)};
    return;
  }
  try {
    command.act(state, argument, effects);
  } catch (const Error& error) {
    state.say(error.message(), Role::kBad);
  }
}

std::string command_manual() {
  std::string text = manual_section("Everywhere", Place::kAnywhere);
  for (const ScreenInfo& screen : all_screens()) {
    text += "\n" + manual_section(screen.name, screen.place);
  }
  return text;
}

}  // namespace tilewright
