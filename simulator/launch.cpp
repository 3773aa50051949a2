#include "simulator/launch.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace tilewright {

namespace {

const std::vector<Instruction>& section_of(const Template& body, int section) {
  return section == 0 ? body.prologue : section == 1 ? body.body : body.epilogue;
}

/// Checks one launch; members keep the messages short.
class Validator {
 public:
  Validator(const Launch& launch, const Machine& machine) : launch_(launch), machine_(machine) {}

  void check() {
    where_ = [] { return "its flags"; };
    require(launch_.flags.size() < INT16_MAX, "are more than 32766");
    check_chips();
    check_tensors();
    for (size_t t = 0; t < launch_.templates.size(); ++t) {
      for (int section = 0; section < 3; ++section) {
        const auto& list = section_of(launch_.templates[t], section);
        for (size_t i = 0; i < list.size(); ++i) {
          where_ = [this, t, section, i] {
            return describe(launch_, static_cast<int>(t), section, static_cast<int>(i));
          };
          check_instruction(launch_.templates[t], list[i]);
        }
      }
      where_ = [this, t] { return launch_.templates[t].name; };
      check_expr(launch_.templates[t].count, launch_.templates[t].bindings);
      require(launch_.templates[t].count.is_loop_invariant(),
              "its count depends on the loop index");
    }
    check_cores();
    check_peers();
  }

 private:
  void require(bool holds, const char* what) const {
    if (!holds) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("launch {}: {}: {}", launch_.name, where_(), what));
    }
  }

  void check_chips() {
    const auto count = static_cast<int64_t>(chip_count(launch_));
    where_ = [] { return "its chips"; };
    require(count <= machine_.fabric.chips, "are more than the machine's fabric joins");
    for (const Tensor& tensor : launch_.tensors) require(tensor.chip >= 0, "have numbers from 0");
    for (const CoreProgram& core : launch_.cores) require(core.chip >= 0, "have numbers from 0");
    if (count == 1) return;
    for (const Flag& flag : launch_.flags) {
      require(flag.scope != FlagScope::kLaunch, "share a barrier; only flags of peers cross links");
    }
    const Routes routes(machine_.fabric);
    for (int64_t chip = 1; chip < count; ++chip) {
      require(!routes.between(0, chip).empty(), "are not all joined by the machine's fabric");
    }
  }

  void check_tensors() {
    for (const Tensor& tensor : launch_.tensors) {
      where_ = [&tensor] { return "tensor " + tensor.name; };
      require(tensor.rows > 0 && tensor.cols > 0, "has no elements");
      require(tensor.sector_rows > 0 && tensor.sector_cols > 0, "has no sector size");
      require(tensor.rows <= (int64_t{1} << 40) / tensor.cols, "is larger than 2^40 elements");
    }
  }

  void check_expr(const Expr& expr, int bindings) const {
    require(expr.highest_slot() < bindings, "uses a binding that its tasks do not give");
    require(expr.table_id() < static_cast<int>(launch_.tables.size()), "uses an unknown table");
  }

  void check_tile(const Tile& tile, int bindings, std::initializer_list<Memory> allowed) const {
    require(std::find(allowed.begin(), allowed.end(), tile.space) != allowed.end(),
            "has an operand in a space that its pipe cannot reach");
    if (tile.space == Memory::kGm) {
      require(tile.tensor >= 0 && tile.tensor < static_cast<int>(launch_.tensors.size()),
              "names an unknown tensor");
    }
    for (const Expr* expr : {&tile.row, &tile.col, &tile.offset, &tile.rows, &tile.cols}) {
      check_expr(*expr, bindings);
    }
  }

  void check_instruction(const Template& body, const Instruction& instruction) const {
    const int n = body.bindings;
    const bool aic = body.kind == CoreKind::kAic;
    const Pipe pipe = instruction.pipe();
    const bool cube_side = pipe == Pipe::kCube || pipe == Pipe::kMte1 || pipe == Pipe::kFixp;
    const bool vector_side = pipe == Pipe::kVec || pipe == Pipe::kMte3;
    require(!(aic && vector_side) && !(!aic && cube_side), "runs on a pipe that its core lacks");
    switch (instruction.opcode) {
      case Opcode::kLoad:
        check_tile(instruction.a, n, {Memory::kGm});
        check_tile(instruction.dst, n, {aic ? Memory::kL1 : Memory::kUb});
        break;
      case Opcode::kMove:
        check_tile(instruction.a, n, {Memory::kL1});
        check_tile(instruction.dst, n, {Memory::kL0A, Memory::kL0B, Memory::kBt, Memory::kFb});
        break;
      case Opcode::kMmad:
        check_tile(instruction.a, n, {Memory::kL0A});
        check_tile(instruction.b, n, {Memory::kL0B});
        check_tile(instruction.dst, n, {Memory::kL0C});
        if (instruction.bias.used()) check_tile(instruction.bias, n, {Memory::kBt});
        break;
      case Opcode::kFixpipe:
        check_tile(instruction.a, n, {Memory::kL0C});
        if (instruction.b.used()) check_tile(instruction.b, n, {Memory::kFb});
        check_tile(instruction.dst, n, {Memory::kGm});
        break;
      case Opcode::kVector:
        check_tile(instruction.dst, n, {Memory::kUb});
        if (instruction.a.used()) check_tile(instruction.a, n, {Memory::kUb});
        if (instruction.b.used()) check_tile(instruction.b, n, {Memory::kUb});
        check_expr(instruction.scalar_expr, n);
        check_expr(instruction.row_expr, n);
        break;
      case Opcode::kStore:
        check_tile(instruction.a, n, {Memory::kUb});
        check_tile(instruction.dst, n, {Memory::kGm});
        break;
    }
    for (const auto* uses : {&instruction.waits, &instruction.sets}) {
      for (const FlagUse& use : *uses) {
        require(use.flag < static_cast<int>(launch_.flags.size()), "uses an unknown flag");
        const bool names_chip = uses == &instruction.sets && is_peer(use);
        require((use.chip >= 0) == names_chip,
                "must name a chip where it sets a flag of a peer, and nowhere else");
        const auto is_same = [&](const FlagUse& other) {
          return uses == &instruction.waits && use.flag >= 0 && other.flag == use.flag &&
                 (other.when == use.when || other.when == When::kAlways ||
                  use.when == When::kAlways);
        };
        require(std::ranges::count_if(*uses, is_same) <= 1, "waits for one flag twice");
      }
    }
  }

  bool is_peer(const FlagUse& use) const {
    return use.flag >= 0 && launch_.flags[static_cast<size_t>(use.flag)].scope == FlagScope::kPeer;
  }

  /// Sets of peers' flags reach a core, and one core alone sets each copy.
  void check_peers() {
    if (!has_peer_flags(launch_)) return;
    const std::vector<std::vector<int>> peers = peers_of(launch_);
    std::map<std::pair<int, int>, size_t> setters;  // by flag and core that it is set for
    for (size_t c = 0; c < launch_.cores.size(); ++c) {
      std::set<int> seen;
      for (const CoreProgram::Task& task : launch_.cores[c].tasks) {
        if (!seen.insert(task.template_id).second) continue;
        const Template& body = launch_.templates[static_cast<size_t>(task.template_id)];
        where_ = [&body, c] { return fmt::format("core {}: {}", c, body.name); };
        for (int section = 0; section < 3; ++section) {
          for (const Instruction& instruction : section_of(body, section)) {
            for (const FlagUse& use : instruction.sets) {
              if (!is_peer(use)) continue;
              const bool on_chip = use.chip < static_cast<int>(peers[c].size());
              const int peer = on_chip ? peers[c][static_cast<size_t>(use.chip)] : -1;
              require(peer >= 0 && peer != static_cast<int>(c),
                      "sets a flag of a peer that is not there");
              const size_t setter = setters.try_emplace({use.flag, peer}, c).first->second;
              require(setter == c, "sets a flag of a peer that another core sets, too");
            }
          }
        }
      }
    }
  }

  void check_cores() {
    const auto groups = static_cast<size_t>(machine_.cores.aic * chip_count(launch_));
    std::vector<int> aics(groups);
    std::vector<int> aivs(groups);
    for (size_t c = 0; c < launch_.cores.size(); ++c) {
      const CoreProgram& core = launch_.cores[c];
      where_ = [c] { return fmt::format("core {}", c); };
      require(core.group >= 0 && core.group < machine_.cores.aic,
              "belongs to a group that the machine does not have");
      auto& count = core.kind == CoreKind::kAic ? aics : aivs;
      const int64_t limit = core.kind == CoreKind::kAic ? 1 : machine_.cores.aiv_per_aic;
      require(++count[static_cast<size_t>(core.chip * machine_.cores.aic + core.group)] <= limit,
              "is one more than the machine has in its group");
      for (const CoreProgram::Task& task : core.tasks) {
        require(
            task.template_id >= 0 && task.template_id < static_cast<int>(launch_.templates.size()),
            "runs an unknown template");
        const Template& body = launch_.templates[static_cast<size_t>(task.template_id)];
        require(body.kind == core.kind, "runs a template of the other kind of core");
        require(task.first_binding >= 0 &&
                    static_cast<size_t>(task.first_binding + body.bindings) <= core.bindings.size(),
                "gives too few bindings");
      }
    }
  }

  const Launch& launch_;
  const Machine& machine_;
  std::function<std::string()> where_;
};

void add(Hasher& hasher, const Tile& tile) {
  hasher.add(static_cast<int64_t>(tile.space)).add(int64_t{tile.tensor});
  for (const Expr* expr : {&tile.row, &tile.col, &tile.offset, &tile.rows, &tile.cols}) {
    expr->add_to(hasher);
  }
  hasher.add(tile.stride);
  hasher.add(static_cast<int64_t>(tile.type)).add(static_cast<int64_t>(tile.layout));
}

void add(Hasher& hasher, const Instruction& instruction) {
  hasher.add(static_cast<int64_t>(instruction.opcode));
  hasher.add(static_cast<int64_t>(instruction.vector_op));
  hasher.add(static_cast<int64_t>(instruction.accumulate));
  hasher.add(static_cast<int64_t>(instruction.transpose));
  hasher.add(std::bit_cast<int64_t>(instruction.scalar)).add(instruction.divisor);
  instruction.scalar_expr.add_to(hasher);
  if (!instruction.row_expr.is_constant() || instruction.row_expr.constant() != 0)
    instruction.row_expr.add_to(hasher);
  for (const Tile* tile : {&instruction.dst, &instruction.a, &instruction.b}) add(hasher, *tile);
  if (instruction.relu) hasher.add("relu");
  if (instruction.bias.used()) {
    hasher.add("bias");
    add(hasher, instruction.bias);
  }
  for (const auto* uses : {&instruction.waits, &instruction.sets}) {
    for (const FlagUse& use : *uses) {
      hasher.add(int64_t{use.flag}).add(static_cast<int64_t>(use.when));
      if (use.chip >= 0) hasher.add("chip").add(int64_t{use.chip});
    }
  }
}

}  // namespace

void CoreProgram::add(int template_id, std::initializer_list<int64_t> values) {
  add(template_id, std::span(values.begin(), values.size()));
}

void CoreProgram::add(int template_id, std::span<const int64_t> values) {
  tasks.push_back({template_id, static_cast<int32_t>(bindings.size())});
  bindings.insert(bindings.end(), values.begin(), values.end());
}

int Launch::add_tensor(Tensor tensor) {
  tensors.push_back(std::move(tensor));
  return static_cast<int>(tensors.size()) - 1;
}

int Launch::add_flag(Flag flag) {
  flags.push_back(std::move(flag));
  return static_cast<int>(flags.size()) - 1;
}

int Launch::add_table(std::vector<int64_t> table) {
  tables.push_back(std::move(table));
  return static_cast<int>(tables.size()) - 1;
}

int Launch::add_template(Template body) {
  templates.push_back(std::move(body));
  return static_cast<int>(templates.size()) - 1;
}

int64_t Launch::instruction_count() const {
  int64_t count = 0;
  for (const CoreProgram& core : cores) count += instruction_count(core);
  return count;
}

int64_t Launch::instruction_count(const CoreProgram& core) const {
  int64_t count = 0;
  for (const CoreProgram::Task& task : core.tasks) {
    const Template& body = templates[static_cast<size_t>(task.template_id)];
    const std::span<const int64_t> bindings(core.bindings);
    const int64_t iterations = std::max<int64_t>(
        body.count.at(bindings.subspan(static_cast<size_t>(task.first_binding)), tables, 0), 0);
    count += static_cast<int64_t>(body.prologue.size() + body.epilogue.size()) +
             iterations * static_cast<int64_t>(body.body.size());
  }
  return count;
}

std::span<const int64_t> bindings_of(const Launch& launch, const CoreProgram& core, size_t task) {
  const CoreProgram::Task& entry = core.tasks[task];
  const Template& body = launch.templates[static_cast<size_t>(entry.template_id)];
  return {core.bindings.data() + entry.first_binding, static_cast<size_t>(body.bindings)};
}

bool has_peer_flags(const Launch& launch) {
  return std::any_of(launch.flags.begin(), launch.flags.end(),
                     [](const Flag& flag) { return flag.scope == FlagScope::kPeer; });
}

int chip_count(const Launch& launch) {
  int last = 0;
  for (const CoreProgram& core : launch.cores) last = std::max(last, core.chip);
  for (const Tensor& tensor : launch.tensors) last = std::max(last, tensor.chip);
  return last + 1;
}

std::vector<std::vector<int>> peers_of(const Launch& launch) {
  using Place = std::tuple<CoreKind, int, int>;  // kind, group, number among those
  const auto chips = static_cast<size_t>(chip_count(launch));
  std::map<std::tuple<CoreKind, int, int>, int> counts;  // by kind, group and chip
  std::map<Place, std::vector<int>> cores;               // by place, then by chip
  std::vector<Place> places;
  for (size_t c = 0; c < launch.cores.size(); ++c) {
    const CoreProgram& core = launch.cores[c];
    const Place place{core.kind, core.group, counts[{core.kind, core.group, core.chip}]++};
    std::vector<int>& there = cores.try_emplace(place, chips, -1).first->second;
    there[static_cast<size_t>(core.chip)] = static_cast<int>(c);
    places.push_back(place);
  }
  std::vector<std::vector<int>> peers;
  for (const Place& place : places) peers.push_back(cores.at(place));
  return peers;
}

void validate(const Launch& launch, const Machine& machine) {
  Validator(launch, machine).check();
}

std::string describe(const Launch& launch, int template_id, int section, int position) {
  constexpr const char* kSections[] = {"prologue", "body", "epilogue"};
  const Template& body = launch.templates[static_cast<size_t>(template_id)];
  const Instruction& instruction = section_of(body, section)[static_cast<size_t>(position)];
  return fmt::format("{}[{} {}] {}", body.name, kSections[section], position,
                     instruction.opcode == Opcode::kVector ? name_of(instruction.vector_op)
                                                           : name_of(instruction.opcode));
}

int64_t capacity_of(const Machine& machine, Memory space) {
  switch (space) {
    case Memory::kGm:
      return 0;
    case Memory::kL1:
      return machine.buffers.l1_bytes;
    case Memory::kL0A:
      return machine.buffers.l0a_bytes;
    case Memory::kL0B:
      return machine.buffers.l0b_bytes;
    case Memory::kL0C:
      return machine.buffers.l0c_bytes;
    case Memory::kUb:
      return machine.buffers.ub_bytes;
    case Memory::kBt:
      return machine.buffers.bt_bytes;
    case Memory::kFb:
      return machine.buffers.fb_scale_bytes;
  }
  return 0;
}

uint64_t hash_of(const Launch& launch) {
  Hasher hasher;
  for (const Tensor& tensor : launch.tensors) {
    hasher.add(tensor.name).add(static_cast<int64_t>(tensor.type));
    hasher.add(static_cast<int64_t>(tensor.layout)).add(tensor.rows).add(tensor.cols);
    hasher.add(tensor.sector_rows).add(tensor.sector_cols).add(int64_t{tensor.warm});
    if (tensor.dirty || tensor.warm_parts != 1)
      hasher.add(int64_t{tensor.dirty}).add(tensor.warm_parts);
    if (tensor.chip != 0) hasher.add("chip").add(int64_t{tensor.chip});
  }
  for (const auto& table : launch.tables) {
    for (int64_t value : table) hasher.add(value);
    hasher.add("|");
  }
  for (const Flag& flag : launch.flags) {
    hasher.add(flag.name).add(static_cast<int64_t>(flag.scope));
    hasher.add(static_cast<int64_t>(flag.meaning)).add(static_cast<int64_t>(flag.space));
    hasher.add(int64_t{flag.initial}).add(int64_t{flag.producers});
  }
  for (const Template& body : launch.templates) {
    hasher.add(body.name).add(static_cast<int64_t>(body.kind)).add(int64_t{body.bindings});
    body.count.add_to(hasher);
    for (int section = 0; section < 3; ++section) {
      for (const Instruction& instruction : section_of(body, section)) add(hasher, instruction);
      hasher.add("|");
    }
  }
  for (const CoreProgram& core : launch.cores) {
    hasher.add(static_cast<int64_t>(core.kind)).add(int64_t{core.group});
    if (core.chip != 0) hasher.add("chip").add(int64_t{core.chip});
    for (const CoreProgram::Task& task : core.tasks) {
      hasher.add(int64_t{task.template_id}).add(int64_t{task.first_binding});
    }
    for (int64_t value : core.bindings) hasher.add(value);
  }
  return hasher.value();
}

}  // namespace tilewright
