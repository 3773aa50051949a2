#include "core/timeline/timeline.h"

#include <algorithm>
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

std::string_view name_of(IdleCause cause) {
  switch (cause) {
    case IdleCause::kLaunch:
      return "launch";
    case IdleCause::kFlag:
      return "flag";
    case IdleCause::kIssue:
      return "issue";
    case IdleCause::kDone:
      return "done";
  }
  return "";
}

void Timeline::finish() {
  std::sort(events.begin(), events.end(), [](const TimelineEvent& a, const TimelineEvent& b) {
    return std::tie(a.end, a.core, a.pipe, a.start) < std::tie(b.end, b.core, b.pipe, b.start);
  });
}

}  // namespace tilewright
