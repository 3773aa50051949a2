#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/tui/effects.h"
#include "app/tui/event.h"
#include "app/tui/export/export_state.h"
#include "app/tui/fusion/fusion_state.h"
#include "app/tui/glyphs.h"
#include "app/tui/home/home_state.h"
#include "app/tui/jobs.h"
#include "app/tui/lab/lab_state.h"
#include "app/tui/line_edit.h"
#include "app/tui/results/results_state.h"
#include "app/tui/role.h"
#include "app/tui/serve/serve_state.h"
#include "app/tui/theme.h"
#include "app/tui/timeline/timeline_state.h"
#include "app/tui/tune/tune_state.h"

namespace tilewright {

enum class Screen : uint8_t { kHome, kLab, kTimeline, kTune, kFusion, kServe, kResults, kExport };
constexpr int kScreenCount = 8;

/// What the user chose about the terminal.
struct Appearance {
  GlyphSet glyphs = GlyphSet::kAscii;
  Theme theme = Theme::kDark;
  ColorDepth depth = ColorDepth::kMono;
  bool mouse = true;
};

/// Which pane of a screen takes the keys, and whether it has the screen for itself.
struct PaneFocus {
  int pane = 0;
  bool is_zoomed = false;
};

/// The last thing that there was to say.
struct Message {
  std::string text;
  Role role = Role::kText;
};

/// The palette: the line behind ':' and the row of the list below that is chosen.
struct Palette {
  LineEdit line;
  int chosen = 0;
  /// The id of the command that asks for its argument: the line holds that alone. Else empty.
  std::string asking = {};
};

struct HelpPage {
  int first_row = 0;
};

/// A message of before.
struct PastMessage {
  std::string time;  ///< "12:34:56" in UTC
  Message message;
};
constexpr size_t kMostMessages = 200;

/// The list of messages, newest first.
struct MessagePage {
  int first_row = 0;
};

/// A text that is too long for the message row. Any key takes it away, and does what it does.
struct Notice {
  std::string title;
  std::string text;
};

/// How far the tour is.
struct Tour {
  int step = 0;
};

/// A question that is answered with y or n.
struct Question {
  std::string text;
  std::string_view command;  ///< started by y
};

/// Everything that the screen shows. Reducers change it, views read it, and it holds neither
/// terminal nor thread nor file.
struct State {
  int width = 80;
  int height = 24;
  Appearance look;
  Screen screen = Screen::kHome;
  std::array<PaneFocus, kScreenCount> focus;

  std::string db;
  std::string not_kept;          ///< why nothing can be written to `db`; empty: it can
  std::string session = "main";  ///< its name
  MachineRef machine;

  HomeState home;
  LabState lab;
  TimelineState timeline;
  TuneState tune;
  FusionState fusion;
  ServeState serve;
  ResultsState results;
  ExportState exporting;

  std::vector<JobSnapshot> jobs;  ///< that are not over, in the order of ids
  int64_t next_job = 1;
  Message message;
  std::vector<PastMessage> messages;  ///< oldest first, at most kMostMessages
  std::string time;                   ///< of what happens now, as it is told
  std::optional<Palette> palette;
  std::optional<HelpPage> help;
  std::optional<Question> question;
  std::optional<Notice> notice;
  std::optional<MessagePage> message_page;
  std::optional<Tour> tour;

  /// Jobs that somebody asked for.
  std::vector<const JobSnapshot*> shown_jobs() const;
  PaneFocus& pane() { return focus[static_cast<size_t>(screen)]; }
  const PaneFocus& pane() const { return focus[static_cast<size_t>(screen)]; }
  /// Shows a message, and keeps it.
  void say(std::string text, Role role = Role::kText);
};

/// Puts a job on its way; returns its id.
int64_t submit(State& state, Effects& effects, std::string title, JobRequest request);

/// Shows what went to the clipboard, whole: there may be no clipboard.
void tell_copied(State& state, const std::string& text);

/// A key, a click or a new size.
void update(State& state, const InputEvent& event, Effects& effects);

/// A job went on.
void update(State& state, const JobSnapshot& job, Effects& effects);

}  // namespace tilewright
