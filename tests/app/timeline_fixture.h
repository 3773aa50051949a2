#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/tui/timeline/timeline_screen.h"
#include "app/tui/timeline/timeline_update.h"
#include "kernels/kernel.h"
#include "tests/app/tui_fixture.h"

namespace tilewright {

/// A small kernel to hang a timeline on.
inline KernelRequest small_request(int64_t size = 512) {
  KernelRequest request;
  request.machine = test_state().machine;
  const Kernel& gemm = find_kernel("gemm");
  ProblemRequest problem;
  problem.sizes = {{"m", size}, {"n", size}, {"k", size}};
  request.problem = gemm.problem(problem);
  request.config = gemm.default_config(request.problem, request.machine->machine);
  return request;
}

/// A pipeline as kernels have it: load, move, multiply, and a store after every fourth product,
/// with two buffers between load and product. Cores begin one after the other, and the last works
/// longest. All names have a suffix.
class HandMadeLaunch {
 public:
  explicit HandMadeLaunch(int cores, int tiles, const std::string& suffix = "") {
    lanes_.names = {"tile[body 0] load", "tile[body 1] move", "tile[body 2] mmad",
                    "tile[epilogue 0] fixpipe"};
    lanes_.flags = {"l1_full", "l0_full", "l1_free", "l0c_full"};
    for (auto* names : {&lanes_.names, &lanes_.flags}) {
      for (std::string& name : *names) name += suffix;
    }
    lanes_.ticks_per_us = 1800.0 * kTicksPerCycle;
    for (int core = 0; core < cores; ++core) {
      lanes_.cores.push_back("AIC " + std::to_string(core) + "." + std::to_string(core));
      run_core(core, core + 1 == cores ? tiles + tiles / 2 : tiles);
    }
    number();
  }

  const std::vector<TimelineEvent>& events() const { return events_; }
  TimelineIndex index() const {
    std::vector<TimelineEvent> by_end = events_;
    std::ranges::stable_sort(by_end, {}, &TimelineEvent::end);
    TimelineIndex index;
    index.begin(lanes_);
    for (const TimelineEvent& event : by_end) index.add(event);
    index.finish();
    return index;
  }

 private:
  static constexpr int32_t kNoFlag = -1;
  static constexpr int64_t kCycle = kTicksPerCycle;

  /// Starts when the pipe is free and `after` (an index into events_) has ended.
  int64_t add(int core, Pipe pipe, int32_t name, int64_t cycles, int64_t after, int32_t flag,
              int32_t iteration) {
    auto& last = last_[static_cast<size_t>(pipe)];
    const int64_t free = last < 0 ? 0 : at(last).end;
    const int64_t released = after < 0 ? 0 : at(after).end + kCycle;
    TimelineEvent event;
    event.core = core;
    event.pipe = pipe;
    event.name = name;
    event.iteration = iteration;
    event.task = iteration / 4;
    event.start = std::max({free, released, (1000 + 40 * int64_t{core}) * kCycle});
    event.end = event.start + cycles * kCycle;
    if (released > free && after >= 0) {
      event.reason = StartReason::kFlag;
      event.flag = flag;
      event.predecessor = after;
    } else if (last >= 0) {
      event.reason = StartReason::kPipe;
      event.predecessor = last;
    }
    events_.push_back(event);
    last = std::ssize(events_) - 1;
    return last;
  }

  void run_core(int core, int tiles) {
    last_.fill(-1);
    std::vector<int64_t> products;
    for (int tile = 0; tile < tiles; ++tile) {
      const int64_t free = tile < 2 ? -1 : products[static_cast<size_t>(tile - 2)];
      const int64_t load = add(core, Pipe::kMte2, 0, 300 + 7 * (tile % 5), free, 2, tile);
      at(load).bytes = 65536;
      at(load).hbm_ticks = 90 * kCycle;
      const int64_t move = add(core, Pipe::kMte1, 1, 120, load, 0, tile);
      products.push_back(add(core, Pipe::kCube, 2, 260 + 20 * (core % 2), move, 1, tile));
      at(products.back()).flops = 2 * 128 * 128 * 64;
      if (tile % 4 != 3) continue;
      const int64_t store = add(core, Pipe::kFixp, 3, 210, products.back(), 3, tile);
      at(store).bytes = 32768;
    }
  }

  /// Ids in the order of starts, as the simulator gives them.
  void number() {
    std::vector<int64_t> order(events_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    std::ranges::stable_sort(order, {}, [&](int64_t i) { return at(i).start; });
    std::vector<int64_t> id_of(events_.size());
    for (size_t i = 0; i < order.size(); ++i) {
      id_of[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
    }
    for (size_t i = 0; i < events_.size(); ++i) {
      events_[i].id = id_of[i];
      int64_t& before = events_[i].predecessor;
      if (before >= 0) before = id_of[static_cast<size_t>(before)];
    }
  }

  TimelineEvent& at(int64_t i) { return events_[static_cast<size_t>(i)]; }

  TimelineLanes lanes_;
  std::vector<TimelineEvent> events_;
  std::array<int64_t, kPipeCount> last_{};
};

/// The Timeline of a launch, as it is shown first.
inline State timeline_state(const HandMadeLaunch& launch, int width = 120, int height = 40,
                            GlyphSet glyphs = GlyphSet::kUnicode) {
  State state = test_state(width, height, glyphs);
  Effects effects;
  open_timeline(state, small_request(), effects);
  JobSnapshot done = state.jobs.back();
  done.phase = JobPhase::kDone;
  done.result = make_timeline(small_request(), "hand made", launch.index());
  update(state, done, effects);
  return state;
}

/// Where a pane's inside stands; empty when it is not drawn.
inline Rect inside_of(const State& state, int pane) {
  for (const PaneBox& box : visible_panes(state)) {
    if (box.pane == pane) return box.rect.inset(2, 1);
  }
  return {};
}

/// The characters of a row of a pane.
inline std::string pane_row(const State& state, int pane, int row) {
  const Rect inside = inside_of(state, pane);
  const Grid grid = draw(state);
  std::u32string glyphs;
  for (int x = inside.x; x < inside.right(); ++x) glyphs += grid.at(x, inside.y + row).glyph;
  return utf8_of(glyphs);
}

inline Effects send_mouse(State& state, MouseEvent::Kind kind, int x, int y) {
  Effects effects;
  update(state, InputEvent(MouseEvent{kind, x, y}), effects);
  return effects;
}

}  // namespace tilewright
