#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "core/base/random.h"
#include "kernels/kernel.h"
#include "simulator/layout.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

/// Bytes of UB or a rectangle of a tensor that an instruction touches, and when it did.
struct Touch {
  bool writes = false;
  int tensor = -1;              // -1: UB
  int64_t begin = 0, end = 0;   // bytes, or rows
  int64_t left = 0, right = 1;  // columns
  int core = 0;
  std::tuple<int, int, int64_t, int> order;  // task, section, iteration, position
  int64_t start_time = 0, end_time = 0;
  int32_t name = 0;

  bool conflicts(const Touch& other) const {
    return (writes || other.writes) && tensor == other.tensor && begin < other.end &&
           other.begin < end && left < other.right && other.left < right;
  }
};

/// What every instruction of a timed launch touched.
class TouchReader {
 public:
  TouchReader(const Launch& launch, const Machine& machine) : launch_(launch) {
    time_detailed(launch, machine, &timeline_);
    for (size_t t = 0; t < launch.templates.size(); ++t) {
      const Template& body = launch.templates[t];
      int section = 0;
      for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
        for (size_t i = 0; i < list->size(); ++i) {
          places_.push_back({section, static_cast<int>(i), &(*list)[i]});
        }
        ++section;
      }
    }
  }

  std::vector<Touch> read() {
    std::vector<Touch> touches;
    for (const TimelineEvent& event : timeline_.events) {
      const Place& place = places_[static_cast<size_t>(event.name)];
      const CoreProgram& core = launch_.cores[static_cast<size_t>(event.core)];
      const auto first = core.tasks[static_cast<size_t>(event.task)].first_binding;
      bindings_ = std::span(core.bindings).subspan(static_cast<size_t>(first));
      index_ = event.iteration;
      const Instruction& instruction = *place.instruction;
      const int64_t iteration = place.section == 1 ? event.iteration : 0;
      Touch touch;
      touch.core = event.core;
      touch.order = {event.task, place.section, iteration, place.position};
      touch.start_time = event.start;
      touch.end_time = event.end;
      touch.name = event.name;
      for (const Tile* tile : {&instruction.a, &instruction.b, &instruction.dst}) {
        if (!tile->used()) continue;
        touch.writes = tile == &instruction.dst;
        add_place(*tile, touch);
        touches.push_back(touch);
      }
    }
    return touches;
  }

  const std::string& name(const Touch& touch) const {
    return timeline_.lanes.names[static_cast<size_t>(touch.name)];
  }

 private:
  struct Place {
    int section = 0;
    int position = 0;
    const Instruction* instruction = nullptr;
  };

  int64_t value(const Expr& expr) const { return expr.at(bindings_, launch_.tables, index_); }

  void add_place(const Tile& tile, Touch& touch) const {
    touch.tensor = tile.space == Memory::kGm ? tile.tensor : -1;
    if (touch.tensor >= 0) {
      touch.begin = value(tile.row);
      touch.end = touch.begin + value(tile.rows);
      touch.left = value(tile.col);
      touch.right = touch.left + value(tile.cols);
      return;
    }
    const TileLayout layout{tile.layout, tile.type, value(tile.rows), value(tile.cols),
                            tile.stride};
    touch.begin = value(tile.offset);
    touch.end = touch.begin + layout.bytes();
    touch.left = 0;
    touch.right = 1;
  }

  const Launch& launch_;
  Timeline timeline_;
  std::vector<Place> places_;
  std::span<const int64_t> bindings_;
  int64_t index_ = 0;
};

/// Flags must order every two instructions that touch the same bytes, of which one writes: as in
/// program order on one core, and writes before reads between cores.
void expect_ordered(const Launch& launch, const Machine& machine, const std::string& what) {
  TouchReader reader(launch, machine);
  std::vector<Touch> touches = reader.read();
  std::stable_sort(touches.begin(), touches.end(), [](const Touch& a, const Touch& b) {
    return std::tie(a.core, a.order) < std::tie(b.core, b.order);
  });
  for (size_t i = 0; i < touches.size(); ++i) {
    for (size_t j = i + 1; j < touches.size(); ++j) {
      const Touch& a = touches[i];
      const Touch& b = touches[j];
      const bool same_core = a.core == b.core;
      if (same_core && a.order == b.order) continue;
      if ((!same_core && a.tensor < 0) || !a.conflicts(b)) continue;
      const bool in_order = same_core  ? b.start_time >= a.end_time
                            : a.writes ? b.start_time >= a.end_time
                                       : a.start_time >= b.end_time;
      ASSERT_TRUE(in_order) << what << ": " << reader.name(a) << " and " << reader.name(b)
                            << " of core " << b.core << " overlap";
    }
  }
}

struct Case {
  const char* kernel;
  std::map<std::string, int64_t> sizes;
};

// Several tiles for each of a few cores.
const Case kCases[] = {
    {"elementwise", {{"rows", 64}, {"cols", 700}, {"reads", 2}, {"writes", 3}}},
    {"rms_norm", {{"rows", 64}, {"cols", 700}}},
    {"rms_norm", {{"rows", 25}, {"cols", 4500}}},
    {"add_rms_norm", {{"rows", 64}, {"cols", 700}}},
    {"add_rms_norm", {{"rows", 25}, {"cols", 4500}}},
    {"silu_mul", {{"rows", 64}, {"cols", 1500}}},
    {"gather", {{"rows", 64}, {"cols", 1500}, {"vocab", 9}}},
    {"rope", {{"rows", 150}, {"heads", 5}, {"kv_heads", 2}, {"dim", 64}}},
    {"argmax", {{"rows", 40}, {"cols", 2500}}},
    {"argmax", {{"rows", 100}, {"cols", 500}}},
};

TEST(VectorOrder, FlagsOrderAllConflictingAccesses) {
  const Machine machine = load_machine("ascend-910b2");
  Random random(5);
  for (const Case& c : kCases) {
    for (const char* dtype : {"f16", "f32"}) {
      const Kernel& kernel = find_kernel(c.kernel);
      const Problem problem = kernel.problem({c.sizes, dtype, "", ""});
      std::vector<Config> legal = kernel.space(problem, machine).enumerate();
      // Few cores and small tiles: long programs, in which slots are used again and again.
      std::erase_if(legal, [](const Config& config) {
        return config.at("cores") != 12 || config.at("tile_rows") > 4;
      });
      for (int i = 0; i < 4; ++i) {
        const Config& config = legal[random.below(legal.size())];
        expect_ordered(kernel.build(problem, config, machine), machine,
                       problem.text() + " " + config.text());
      }
    }
  }
}

}  // namespace
}  // namespace tilewright
