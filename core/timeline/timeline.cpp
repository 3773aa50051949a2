#include "core/timeline/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>

namespace tilewright {

std::string_view name_of(StartReason reason) {
  switch (reason) {
    case StartReason::kLaunch:
      return "launch";
    case StartReason::kPipe:
      return "pipe";
    case StartReason::kIssue:
      return "issue";
    case StartReason::kFlag:
      return "flag";
  }
  return "";
}

void Timeline::finish() {
  std::sort(events.begin(), events.end(), [](const TimelineEvent& a, const TimelineEvent& b) {
    return std::tie(a.end, a.core, a.pipe, a.start) < std::tie(b.end, b.core, b.pipe, b.start);
  });
}

std::string chrome_trace(const Timeline& timeline) {
  std::string text = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
  auto out = std::back_inserter(text);
  for (size_t core = 0; core < timeline.lanes.cores.size(); ++core) {
    fmt::format_to(out,
                   "{{\"ph\":\"M\",\"pid\":{},\"name\":\"process_name\",\"args\":{{\"name\":\"{}\"}}}},\n",
                   core, timeline.lanes.cores[core]);
    for (int pipe = 0; pipe < kPipeCount; ++pipe) {
      fmt::format_to(out,
                     "{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"thread_name\",\"args\":"
                     "{{\"name\":\"{}\"}}}},\n",
                     core, pipe, name_of(static_cast<Pipe>(pipe)));
    }
  }
  for (size_t i = 0; i < timeline.events.size(); ++i) {
    const TimelineEvent& event = timeline.events[i];
    const auto us = [&](int64_t ticks) {
      return static_cast<double>(ticks) / timeline.lanes.ticks_per_us;
    };
    fmt::format_to(out,
                   "{{\"ph\":\"X\",\"pid\":{},\"tid\":{},\"ts\":{:.6f},\"dur\":{:.6f},\"name\":"
                   "\"{}\",\"args\":{{\"task\":{},\"iteration\":{},\"bytes\":{},\"flops\":{},"
                   "\"ticks\":{}}}}}{}\n",
                   event.core, static_cast<int>(event.pipe), us(event.start),
                   us(event.end - event.start), timeline.lanes.names[static_cast<size_t>(event.name)],
                   event.task, event.iteration, event.bytes, event.flops, event.end - event.start,
                   i + 1 < timeline.events.size() ? "," : "");
  }
  if (timeline.events.empty()) text.resize(text.size() - 2);
  text += "]}\n";
  return text;
}

}  // namespace tilewright
