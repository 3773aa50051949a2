// The selected event in words, and what all panes of the Timeline share.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "app/tui/timeline/timeline_update.h"
#include "app/tui/timeline/timeline_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

struct Fact {
  std::string_view label;
  std::string text;
  Role role = Role::kText;
};

/// The event, and what its facts are told with.
struct Told {
  const State& state;
  const TimelineData& data;
  TimelineEvent event;
  TimeFormat format;
};

std::string times_of(const Told& told) {
  const TimelineEvent& event = told.event;
  const Machine& machine = told.data.request.machine->machine;
  const int64_t ticks = event.end - event.start;
  std::string text = fmt::format("{} .. {}: {}", told.format.number(event.start),
                                 told.format.text(event.end), told.format.text(ticks));
  if (told.format.unit == TimeUnit::kCycles) {
    text += fmt::format(" = {} ns", format_count(machine.ns_of_ticks(ticks)));
  }
  return text;
}

std::string amount_text(double amount, std::string_view unit) {
  constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T"};
  int prefix = 0;
  while (amount >= 1000 && prefix < 4) {
    amount /= 1000;
    ++prefix;
  }
  return fmt::format("{:.{}f} {}{}", amount, prefix == 0 ? 0 : 2, kPrefixes[prefix], unit);
}

/// What it computed or moved, and how fast that is.
std::string work_of(const Told& told) {
  const TimelineEvent& event = told.event;
  const auto ticks = static_cast<double>(std::max<int64_t>(1, event.end - event.start));
  const double cycles = ticks / static_cast<double>(kTicksPerCycle);
  std::vector<std::string> parts;
  if (event.flops > 0) {
    const auto flops = static_cast<double>(event.flops);
    std::string text = amount_text(flops, "FLOP");
    if (event.pipe == Pipe::kCube && told.data.cube_flops_per_tick > 0) {
      text += fmt::format(", {} of the cube's peak",
                          format_share(flops / ticks / told.data.cube_flops_per_tick));
    } else {
      text += fmt::format(", {:.1f} FLOP/cyc", flops / cycles);
    }
    parts.push_back(text);
  }
  if (event.bytes > 0) {
    const auto bytes = static_cast<double>(event.bytes);
    const double gb_per_s = bytes / ticks * told.data.index.names().ticks_per_us * 1e-3;
    parts.push_back(fmt::format("{}, {:.1f} B/cyc = {:.1f} GB/s", format_bytes(bytes),
                                bytes / cycles, gb_per_s));
  }
  return join(parts, ", ");
}

/// Of its duration, what it spent on memory that others use too and on conflicts.
std::string waits_of(const Told& told) {
  std::vector<std::string> parts;
  const auto add = [&](std::string_view what, int64_t ticks) {
    if (ticks > 0) parts.push_back(fmt::format("{} {}", what, told.format.text(ticks)));
  };
  add("L2", told.event.l2_ticks);
  add("HBM", told.event.hbm_ticks);
  add("conflicts", told.event.conflict_ticks);
  add("links", told.event.link_ticks);
  return join(parts, ", ");
}

std::string late_by(const Told& told, const StartWait& wait) {
  if (wait.lane_waited == 0) return "its lane was busy until then, too";
  return fmt::format("its lane idled {}", told.format.text(wait.lane_waited));
}

/// Cut, so that long names push out no numbers.
std::string cut(const Told& told, std::string_view text, int columns) {
  return utf8_of(elided(text, columns, glyphs_of(told.state.look.glyphs)));
}

std::string why_of(const Told& told) {
  const StartWait wait = told.data.index.why_not_earlier(told.event.id);
  constexpr int kEventColumns = 48;
  constexpr int kFlagColumns = 24;
  const std::string before =
      wait.predecessor < 0
          ? ""
          : cut(told, event_name(told.data.index, wait.predecessor), kEventColumns);
  const std::string released = told.format.text(wait.released);
  switch (wait.reason) {
    case StartReason::kLaunch:
      return fmt::format("its core began with the launch, {} after its start",
                         told.format.text(told.event.start));
    case StartReason::kPipe:
      return before.empty() ? "its pipe began with it"
                            : fmt::format("its pipe was busy until {} with {}", released, before);
    case StartReason::kIssue:
      if (before.empty()) {
        return fmt::format("the scalar unit issued it no earlier; {}", late_by(told, wait));
      }
      return fmt::format("its queue was full until {}, when {} started; {}", released, before,
                         late_by(told, wait));
    case StartReason::kFlag:
      return fmt::format(
          "it waited for flag {}, set at {} by {}{}; {}", cut(told, wait.flag, kFlagColumns),
          released, before.empty() ? "the launch" : before,
          wait.latency > 0 ? fmt::format(" and seen {} later", told.format.text(wait.latency)) : "",
          late_by(told, wait));
  }
  return "";
}

std::string path_of(const Told& told) {
  const std::vector<PathStep>& steps = told.data.path.steps();
  const auto step = std::ranges::lower_bound(steps, told.event.id, {}, &PathStep::id);
  if (step == steps.end() || step->id != told.event.id) return "not on the critical path";
  const auto number = format_count(step - steps.begin() + 1);
  const std::string place = fmt::format("step {} of {}", number, format_count(std::ssize(steps)));
  if (step + 1 == steps.end()) return place + ", the last: the launch ends with it";
  return fmt::format("{}, next is {}", place, event_name(told.data.index, (step + 1)->id));
}

std::vector<Fact> facts_of(const Told& told) {
  std::vector<Fact> facts = {{"time", times_of(told)}, {"why then", why_of(told)}};
  if (std::string work = work_of(told); !work.empty()) facts.push_back({"work", std::move(work)});
  if (std::string waits = waits_of(told); !waits.empty()) {
    facts.push_back({"waits", std::move(waits)});
  }
  const bool on_path = told.data.path.contains(told.event.id);
  facts.push_back({"path", path_of(told), on_path ? Role::kPath : Role::kDim});
  facts.push_back({"place", fmt::format("task {}, iteration {}, event {} of {}", told.event.task,
                                        told.event.iteration, format_count(told.event.id),
                                        format_count(told.data.index.event_count()))});
  return facts;
}

}  // namespace

double busy_share(const LaneEvents& events, const TimeWindow& window) {
  const int64_t busy = events.border(window.to).busy - events.border(window.from).busy;
  return static_cast<double>(busy) / static_cast<double>(window.ticks());
}

char32_t share_glyph(double share, const Glyphs& glyphs) {
  if (share <= 0) return glyphs.idle;
  if (glyphs.set == GlyphSet::kAscii) {
    return U'0' + static_cast<char32_t>(std::clamp(static_cast<int>(share * 10), 0, 9));
  }
  // Half blocks have nothing below two eighths.
  const int least = glyphs.set == GlyphSet::kBlocks ? 2 : 1;
  return glyphs.level(std::clamp(static_cast<int>(std::lround(share * 8)), least, 8));
}

std::string lane_name(const TimelineIndex& index, int lane) {
  const TimelineLane& one = index.lane(lane);
  return fmt::format("{} {}", index.names().cores[static_cast<size_t>(one.core)],
                     name_of(one.pipe));
}

std::string event_name(const TimelineIndex& index, int64_t id) {
  const EventPlace place = index.place(id);
  const EventKind kind = index.lane(place.lane).events.kind(place.position);
  return fmt::format("{} #{} {}", lane_name(index, place.lane), id,
                     index.names().names[static_cast<size_t>(kind.name())]);
}

void draw_no_timeline(const State& state, Canvas& canvas) {
  if (const JobSnapshot* job = indexing_job(state)) {
    const int x = canvas.text(0, 0, job->title, Role::kDim, canvas.width() - 30) + 2;
    canvas.bar(x, 0, 16, job->fraction, Role::kGood);
    canvas.text(x + 18, 0, fmt::format("{:.0f} %", job->fraction * 100));
    draw_wrapped(canvas, 0, 1,
                 job->phase == JobPhase::kQueued ? "waits until the timeline before it has ended"
                                                 : "simulates the run with its events; K cancels",
                 Role::kDim);
    return;
  }
  draw_wrapped(canvas, 0, 0, "no run is shown: 2 opens the Lab, Enter runs a kernel, t comes back",
               Role::kDim);
}

std::string event_title(const State& state) {
  const TimelineState& timeline = state.timeline;
  if (!timeline.data || !timeline.selected) return "Event";
  // What a long name may not push out stands before it.
  const bool is_critical = timeline.data->path.contains(*timeline.selected);
  return (is_critical ? "Critical: " : "Event: ") +
         event_name(timeline.data->index, *timeline.selected);
}

void draw_event(const State& state, Canvas canvas) {
  const TimelineState& timeline = state.timeline;
  if (!timeline.data) return;
  if (!timeline.selected) {
    draw_wrapped(canvas, 0, 0,
                 "] selects the event in the middle of the lane, c the one that the launch ends "
                 "with, a click any other",
                 Role::kDim);
    return;
  }
  const Told told{state, *timeline.data, timeline.data->index.event(*timeline.selected),
                  time_format(state)};
  constexpr int kLabel = 10;
  int y = 0;
  for (const Fact& fact : facts_of(told)) {
    canvas.text(0, y, fact.label, Role::kDim, kLabel - 1);
    y = draw_wrapped(canvas, kLabel, y, fact.text, fact.role);
  }
}

}  // namespace tilewright
