#include "app/tui/serve/serve_pace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tilewright {

namespace {

constexpr std::array<double, 11> kPaces = {0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 0};

}  // namespace

void ServePace::take(const ServeCommand& command, int64_t steps, int64_t now_ns, double wall) {
  switch (command.kind) {
    case ServeCommand::Kind::kPause:
      is_paused_ = true;
      stop_behind_ = -1;
      break;
    case ServeCommand::Kind::kResume:
      is_paused_ = false;
      stop_behind_ = -1;
      anchor(now_ns, wall);
      break;
    case ServeCommand::Kind::kStep:
      is_paused_ = false;
      stop_behind_ = steps + std::max<int64_t>(1, command.steps);
      anchor(now_ns, wall);
      break;
    case ServeCommand::Kind::kPace:
      pace_ = std::max(0.0, command.pace);
      anchor(now_ns, wall);
      break;
    case ServeCommand::Kind::kEnd:
      has_ended_ = true;
      break;
  }
}

double ServePace::wait(int64_t steps, int64_t now_ns, double wall) {
  if (has_ended_) return 0;
  if (stop_behind_ >= 0 && steps >= stop_behind_) {
    is_paused_ = true;
    stop_behind_ = -1;
  }
  if (is_paused_) return kForever;
  if (pace_ <= 0 || stop_behind_ >= 0) return 0;  // steps that were asked for come at once
  if (!is_anchored_) anchor(now_ns, wall);
  const double due = from_wall_ + static_cast<double>(now_ns - from_ns_) * 1e-9 / pace_;
  return std::clamp(due - wall, 0.0, kForever);
}

int64_t ServePace::most_repeated() const {
  constexpr int64_t kAtOnce = 256;
  return pace_ > 0 || stop_behind_ >= 0 || is_paused_ ? 1 : kAtOnce;
}

void ServePace::anchor(int64_t now_ns, double wall) {
  is_anchored_ = true;
  from_ns_ = now_ns;
  from_wall_ = wall;
}

double next_pace(double pace, int direction) {
  size_t place = kPaces.size() - 1;
  for (size_t i = 0; i < kPaces.size(); ++i) {
    if (kPaces[i] == pace) place = i;
  }
  if (direction < 0) return kPaces[place > 0 ? place - 1 : 0];
  return kPaces[std::min(place + 1, kPaces.size() - 1)];
}

std::string pace_text(double pace) {
  return pace > 0 ? fmt::format("{:g}x real time", pace) : "as fast as possible";
}

}  // namespace tilewright
