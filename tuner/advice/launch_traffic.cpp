#include "tuner/advice/launch_traffic.h"

#include <algorithm>
#include <list>
#include <span>
#include <unordered_map>

#include "core/base/random.h"

namespace tilewright {

namespace {

constexpr size_t kMaxBits = 64;

/// A load of a template with the section it stands in.
struct Load {
  const Instruction* instruction = nullptr;
  bool in_body = false;
};

std::vector<Load> loads_of(const Template& body) {
  std::vector<Load> loads;
  for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
    for (const Instruction& instruction : *list) {
      if (instruction.opcode == Opcode::kLoad) loads.push_back({&instruction, list == &body.body});
    }
  }
  return loads;
}

/// L2 as a least-recently-used list of panels: what a load of a task reads in all its iterations.
class PanelCache {
 public:
  /// `drops`: the tensors do not fit together, so panels get lost.
  PanelCache(int64_t capacity, bool drops)
      : capacity_(static_cast<double>(capacity)), drops_(drops) {}

  struct Touch {
    bool is_new = false;    ///< nobody had it: it comes from HBM
    bool is_late = false;   ///< somebody brings it in this very step
    bool is_first = false;  ///< nobody touched it in this step before
  };
  Touch touch(uint64_t key, double bytes, int64_t step) {
    const auto [found, is_new] = panels_.try_emplace(key);
    Panel& panel = found->second;
    const Touch touch{is_new, is_new || panel.brought == step, is_new || panel.touched != step};
    panel.touched = step;
    if (is_new) {
      panel.brought = step;
      panel.bytes = bytes;
    }
    if (drops_) renew(key, panel, is_new);
    return touch;
  }

 private:
  struct Panel {
    int64_t brought = 0;
    int64_t touched = 0;
    double bytes = 0;
    std::list<uint64_t>::iterator place;
  };

  void renew(uint64_t key, Panel& panel, bool is_new) {
    if (!is_new) {
      order_.splice(order_.begin(), order_, panel.place);
      return;
    }
    order_.push_front(key);
    panel.place = order_.begin();
    used_ += panel.bytes;
    while (used_ > capacity_ && order_.size() > 1) {
      const auto oldest = panels_.find(order_.back());
      used_ -= oldest->second.bytes;
      panels_.erase(oldest);
      order_.pop_back();
    }
  }

  double capacity_;
  bool drops_;
  double used_ = 0;
  std::unordered_map<uint64_t, Panel> panels_;  // looked up, never walked
  std::list<uint64_t> order_;                   // newest first
};

class TrafficCounter {
 public:
  TrafficCounter(const Launch& launch, const Machine& machine)
      : launch_(launch),
        cache_(machine.l2.capacity_bytes, footprint() > machine.l2.capacity_bytes) {
    for (const Template& body : launch.templates) {
      loads_.push_back(loads_of(body));
      touches_.emplace_back(loads_.back().size());
      distinct_.emplace_back(loads_.back().size());
    }
  }

  LaunchTraffic count() {
    size_t steps = 0;
    for (const CoreProgram& core : launch_.cores) {
      traffic_.misses.emplace_back(core.tasks.size());
      steps = std::max(steps, core.tasks.size());
    }
    for (size_t step = 0; step < steps; ++step) {
      for (size_t core = 0; core < launch_.cores.size(); ++core) {
        if (step < launch_.cores[core].tasks.size()) add_task(core, step);
      }
    }
    for (size_t t = 0; t < touches_.size(); ++t) {
      std::vector<double>& sharers = traffic_.sharers.emplace_back();
      for (size_t l = 0; l < touches_[t].size(); ++l) {
        sharers.push_back(static_cast<double>(touches_[t][l]) /
                          static_cast<double>(std::max<int64_t>(1, distinct_[t][l])));
      }
    }
    return std::move(traffic_);
  }

 private:
  int64_t footprint() const {
    int64_t bytes = 0;
    for (const Tensor& tensor : launch_.tensors) bytes += tensor.bytes();
    return bytes;
  }

  void add_task(size_t core, size_t task) {
    const auto id = static_cast<size_t>(launch_.cores[core].tasks[task].template_id);
    const std::span<const int64_t> bindings = bindings_of(launch_, launch_.cores[core], task);
    const int64_t count = launch_.templates[id].count.at(bindings, launch_.tables, 0);
    for (size_t l = 0; l < loads_[id].size(); ++l) {
      const Load& load = loads_[id][l];
      const int64_t times = load.in_body ? count : 1;
      if (times <= 0) continue;
      const Tile& tile = load.instruction->a;
      const auto value = [&](const Expr& expr) { return expr.at(bindings, launch_.tables, 0); };
      const Tensor& tensor = launch_.tensors[static_cast<size_t>(tile.tensor)];
      const bool moves = !tile.row.is_loop_invariant() || !tile.col.is_loop_invariant();
      const double bytes = static_cast<double>(value(tile.rows) * value(tile.cols) *
                                               bytes_of(tensor.type) * (moves ? times : 1));
      const uint64_t key = mix_bits(
          mix_bits(static_cast<uint64_t>(tile.tensor), static_cast<uint64_t>(value(tile.row))),
          static_cast<uint64_t>(value(tile.col)));
      const auto touch = cache_.touch(key, bytes, static_cast<int64_t>(task));
      ++touches_[id][l];
      distinct_[id][l] += touch.is_first;
      if (tensor.warm) continue;
      if (touch.is_new) traffic_.hbm_bytes += bytes;
      if (touch.is_late && l < kMaxBits) traffic_.misses[core][task] |= uint64_t{1} << l;
    }
  }

  const Launch& launch_;
  PanelCache cache_;
  std::vector<std::vector<Load>> loads_;  // by template
  std::vector<std::vector<int64_t>> touches_;
  std::vector<std::vector<int64_t>> distinct_;
  LaunchTraffic traffic_;
};

}  // namespace

LaunchTraffic traffic_of(const Launch& launch, const Machine& machine) {
  return TrafficCounter(launch, machine).count();
}

}  // namespace tilewright
