#include "app/tui/tune/tune_view.h"

#include "core/base/error.h"

namespace tilewright {

Config TuneProblemView::config(size_t row) const {
  Config config;
  const std::span<const int64_t> values = trials.values(row);
  for (size_t i = 0; i < parameters.size(); ++i) {
    config.values.emplace_back(parameters[i].name, values[i]);
  }
  return config;
}

std::string TuneProblemView::config_text(const Config& config) const {
  return spaces ? spaces->legal.text(config) : config.text();
}

std::string_view name_of(TunePhase phase) {
  switch (phase) {
    case TunePhase::kBeginning:
      return "beginning";
    case TunePhase::kRunning:
      return "running";
    case TunePhase::kPaused:
      return "paused";
    case TunePhase::kDone:
      return "done";
    case TunePhase::kInterrupted:
      return "interrupted";
    case TunePhase::kFailed:
      return "failed";
  }
  TW_CHECK(false, "a phase outside its enumeration");
  return "";
}

double TuneView::seconds_left() const {
  if (per_second <= 0 || planned <= tried) return planned > 0 && planned <= tried ? 0 : -1;
  return static_cast<double>(planned - tried) / per_second;
}

}  // namespace tilewright
