#include "core/timeline/breakdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace tilewright {

std::string_view name_of(Pipe pipe) {
  constexpr std::string_view kNames[] = {"CUBE", "VEC", "SCALAR", "MTE1", "MTE2", "MTE3", "FIXP"};
  return kNames[static_cast<int>(pipe)];
}

std::string_view name_of(Memory space) {
  constexpr std::string_view kNames[] = {"GM", "L1", "L0A", "L0B", "L0C", "UB", "BT", "FB"};
  return kNames[static_cast<int>(space)];
}

std::string Cause::name() const {
  constexpr std::string_view kOthers[] = {"hbm",      "l2",      "link",   "issue", "conflict",
                                          "handover", "barrier", "launch", "host"};
  const int id = id_;
  if (id < kPipeCount) return fmt::format("busy:{}", name_of(static_cast<Pipe>(id)));
  if (id < kOnPath) return std::string(kOthers[id - kPipeCount]);
  if (id < kOnPath + kPipeCount) {
    return fmt::format("wait_data:{}", name_of(static_cast<Pipe>(id - kOnPath)));
  }
  if (id < kOnPath + kPipeCount + kMemoryCount) {
    return fmt::format("wait_space:{}", name_of(static_cast<Memory>(id - kOnPath - kPipeCount)));
  }
  constexpr std::string_view kEnds[] = {"fill", "drain", "tail"};
  return std::string(kEnds[id - (kCount - 3)]);
}

int64_t Breakdown::total() const {
  return std::accumulate(ticks.begin(), ticks.end(), int64_t{0});
}

std::vector<Breakdown::Entry> Breakdown::entries() const {
  const int64_t whole = total();
  std::vector<Entry> list;
  for (size_t id = 0; id < ticks.size(); ++id) {
    if (ticks[id] == 0) continue;
    list.push_back({Cause::of_id(id).name(), ticks[id],
                    static_cast<double>(ticks[id]) / static_cast<double>(whole)});
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const Entry& a, const Entry& b) { return a.ticks > b.ticks; });
  return list;
}

}  // namespace tilewright
