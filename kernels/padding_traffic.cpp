#include "kernels/padding_traffic.h"

#include <algorithm>
#include <span>
#include <vector>

namespace tilewright {

namespace {

/// Of the numbers from `first` on, `count` of them, those that are real: the first `real` of each
/// `period`.
int64_t real_of(int64_t first, int64_t count, int64_t period, int64_t real) {
  const auto below = [&](int64_t end) {
    return end / period * real + std::min(end % period, real);
  };
  return below(first + count) - below(first);
}

/// Adds up what the transfers of a launch move of the padded tensors.
class PaddingCounter {
 public:
  PaddingCounter(const Launch& launch, std::span<const RealPart> parts)
      : launch_(launch), parts_(launch.tensors.size()) {
    for (const RealPart& part : parts) {
      // A tensor without padding has none to move.
      if (part.rows < part.row_period || part.cols < part.col_period) {
        parts_[static_cast<size_t>(part.tensor)] = part;
        is_padded_ = true;
      }
    }
  }

  PaddingTraffic count() {
    if (!is_padded_) return {};
    for (const CoreProgram& core : launch_.cores) {
      for (size_t task = 0; task < core.tasks.size(); ++task) add_task(core, task);
    }
    return traffic_;
  }

 private:
  void add_task(const CoreProgram& core, size_t task) {
    const Template& body = launch_.templates[static_cast<size_t>(core.tasks[task].template_id)];
    const std::span<const int64_t> bindings = bindings_of(launch_, core, task);
    const int64_t count = body.count.at(bindings, launch_.tables, 0);
    for (const Instruction& each : body.prologue) add(each, bindings, 0);
    for (const Instruction& each : body.body) {
      if (!moves_padded(each)) continue;
      for (int64_t i = 0; i < count; ++i) add(each, bindings, i);
    }
    for (const Instruction& each : body.epilogue) add(each, bindings, count);
  }

  bool is_padded(const Tile& tile) const {
    return tile.space == Memory::kGm && tile.tensor >= 0 &&
           parts_[static_cast<size_t>(tile.tensor)].has_value();
  }
  bool moves_padded(const Instruction& each) const {
    return is_padded(each.a) || is_padded(each.dst);
  }

  void add(const Instruction& each, std::span<const int64_t> bindings, int64_t index) {
    if (is_padded(each.a)) traffic_.read_bytes += bytes_beyond(each.a, bindings, index);
    if (is_padded(each.dst)) traffic_.write_bytes += bytes_beyond(each.dst, bindings, index);
  }

  int64_t bytes_beyond(const Tile& tile, std::span<const int64_t> bindings, int64_t index) const {
    const auto value = [&](const Expr& expr) { return expr.at(bindings, launch_.tables, index); };
    const RealPart& part = *parts_[static_cast<size_t>(tile.tensor)];
    const int64_t rows = value(tile.rows);
    const int64_t cols = value(tile.cols);
    const int64_t real = real_of(value(tile.row), rows, part.row_period, part.rows) *
                         real_of(value(tile.col), cols, part.col_period, part.cols);
    return (rows * cols - real) * bytes_of(tile.type);
  }

  const Launch& launch_;
  std::vector<std::optional<RealPart>> parts_;  // by tensor; only those that are padded
  bool is_padded_ = false;
  PaddingTraffic traffic_;
};

}  // namespace

std::optional<PaddingTraffic> padding_traffic(const Kernel& kernel, const Problem& problem,
                                              const Launch& launch) {
  const std::vector<RealPart> parts = kernel.real_parts(problem, launch);
  if (parts.empty()) return std::nullopt;
  return PaddingCounter(launch, parts).count();
}

}  // namespace tilewright
