#include "kernels/fused/product_part.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/gemm/gemm_launch.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Of a task of kernels/gemm: the first binding is its first row of C.
constexpr size_t kFirstRow = 0;

/// Parts of its rows of which a product says, while it is under way, that they are there. Its last
/// drain sets as many flags, and one that it has released L0C; with several products in a launch
/// one more, of four in all.
int64_t most_row_parts(const ProductTurns& turns) {
  return turns.turn < 0 ? 3 : 2;
}

/// What a copy of a template does beyond it.
struct Extras {
  std::vector<int> waits = {};  ///< before its first load
  std::vector<int> sets = {};   ///< when its results are there
  auto operator<=>(const Extras&) const = default;
};

/// Copies the parts of a launch into another one.
class Splice {
 public:
  Splice(const Launch& from, const std::vector<int>& tensors, Launch& to)
      : from_(from), tensors_(tensors), to_(to) {
    TW_CHECK(from.tables.empty(), "products have no tables");
    for (const Flag& flag : from.flags) flags_.push_back(to.add_flag(flag));
    to.flops += from.flops;
  }

  /// The template of a task, copied with extras where `loops` says that its body runs.
  int template_of(int number, bool loops, const Extras& extras) {
    const auto [entry, is_new] = copies_.try_emplace({number, loops, extras}, -1);
    if (!is_new) return entry->second;
    Template copy = from_.templates[static_cast<size_t>(number)];
    copy.name = "product_" + copy.name;
    for (auto* list : {&copy.prologue, &copy.body, &copy.epilogue}) {
      for (Instruction& instruction : *list) redirect(instruction);
    }
    if (!extras.waits.empty()) {
      // Where the body runs, its first turn has the first load.
      std::vector<Instruction>& list = loops ? copy.body : copy.epilogue;
      const auto first = std::ranges::find(list, Opcode::kLoad, &Instruction::opcode);
      TW_CHECK(copy.prologue.empty() && first != list.end(), "a product begins with a load");
      for (const int flag : extras.waits) {
        *first = waiting(*first, flag, loops ? When::kFirst : When::kAlways);
      }
    }
    for (const int flag : extras.sets) {
      copy.epilogue.back() = setting(copy.epilogue.back(), flag);
    }
    entry->second = to_.add_template(std::move(copy));
    return entry->second;
  }

 private:
  void redirect(Instruction& instruction) const {
    for (Tile* tile : {&instruction.dst, &instruction.a, &instruction.b, &instruction.bias}) {
      if (tile->tensor >= 0) tile->tensor = tensors_[static_cast<size_t>(tile->tensor)];
    }
    for (auto* uses : {&instruction.waits, &instruction.sets}) {
      for (FlagUse& use : *uses) {
        if (use.flag >= 0) use.flag = flags_[static_cast<size_t>(use.flag)];
      }
    }
  }

  const Launch& from_;
  const std::vector<int>& tensors_;
  Launch& to_;
  std::vector<int> flags_;
  std::map<std::tuple<int, bool, Extras>, int> copies_;
};

Config with_value(Config config, const char* name, int64_t value) {
  for (auto& entry : config.values) {
    if (entry.first == name) entry.second = value;
  }
  return config;
}

/// The cube core of a group in a launch, perhaps a new one.
CoreProgram& cube_core(Launch& launch, int group) {
  for (CoreProgram& core : launch.cores) {
    if (core.kind == CoreKind::kAic && core.group == group) return core;
  }
  CoreProgram core;
  core.kind = CoreKind::kAic;
  core.group = group;
  launch.cores.push_back(std::move(core));
  return launch.cores.back();
}

}  // namespace

size_t ProductPart::part_of(int64_t row) const {
  const auto at = std::ranges::upper_bound(row_ends, row);
  TW_CHECK(at != row_ends.end(), "rows of a product are less than m");
  return static_cast<size_t>(at - row_ends.begin());
}

ProductPart add_product(const PlannedProduct& product, const Machine& machine,
                        const std::vector<int>& tensors, std::span<const int> after, bool row_parts,
                        ProductTurns& turns, Launch& launch) {
  // The parts of a depth would meet on vector cores, which have other work.
  Config config = with_value(product.config, "split_k", 1);
  const int64_t tile_m = round_up(config.at("tile_m"), int64_t{16});
  const int64_t tile_rows = ceil_div(product.matrices.m, tile_m);
  const int64_t tiles = tile_rows * ceil_div(product.matrices.n, config.at("tile_n"));
  row_parts = row_parts && tile_rows > 1 && tiles > machine.cores.aic;
  if (row_parts) config = with_value(with_value(config, "swizzle", 0), "core_rows", 0);
  const Launch alone = build_gemm_launch(product.problem, config, machine, product.matrices.m);

  ProductPart part;
  const int64_t parts = row_parts ? std::min<int64_t>(most_row_parts(turns), tile_rows) : 1;
  for (int64_t i = 1; i <= parts; ++i) {
    part.row_ends.push_back(std::min(product.matrices.m, tile_rows * i / parts * tile_m));
  }
  // By core and part the last task with a row of it, or of one before.
  std::vector<std::vector<size_t>> last(alone.cores.size());
  std::vector<int> producers(part.row_ends.size(), 0);
  for (size_t core = 0; core < alone.cores.size(); ++core) {
    last[core].assign(part.row_ends.size(), SIZE_MAX);
    for (size_t task = 0; task < alone.cores[core].tasks.size(); ++task) {
      const auto bindings = bindings_of(alone, alone.cores[core], task);
      for (size_t i = part.part_of(bindings[kFirstRow]); i < part.row_ends.size(); ++i) {
        last[core][i] = task;
      }
    }
    for (size_t i = 0; i < part.row_ends.size(); ++i) producers[i] += last[core][i] != SIZE_MAX;
  }
  for (size_t i = 0; i < part.row_ends.size(); ++i) {
    part.flags.push_back(
        launch.add_flag({"rows" + std::to_string(part.row_ends[i]), FlagScope::kLaunch,
                         FlagMeaning::kData, Memory::kGm, 0, producers[i]}));
  }
  Splice splice(alone, tensors, launch);
  for (size_t core = 0; core < alone.cores.size(); ++core) {
    const CoreProgram& from = alone.cores[core];
    CoreProgram& to = cube_core(launch, from.group);
    for (size_t task = 0; task < from.tasks.size(); ++task) {
      const auto bindings = bindings_of(alone, from, task);
      const int number = from.tasks[task].template_id;
      Extras extras;
      for (const int flag : after) {
        if (task == 0 && turns.waited.insert({from.group, flag}).second) {
          extras.waits.push_back(flag);
        }
      }
      // The buffers are the last product's until that is through.
      if (task == 0 && !to.tasks.empty()) extras.waits.push_back(turns.turn);
      if (task + 1 == from.tasks.size() && turns.turn >= 0) extras.sets.push_back(turns.turn);
      for (size_t i = 0; i < part.flags.size(); ++i) {
        if (last[core][i] == task) extras.sets.push_back(part.flags[i]);
      }
      const Template& shape = alone.templates[static_cast<size_t>(number)];
      const bool loops = shape.count.at(bindings, alone.tables, 0) > 0;
      to.add(splice.template_of(number, loops, extras), bindings);
    }
  }
  return part;
}

}  // namespace tilewright
