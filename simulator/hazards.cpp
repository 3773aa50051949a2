#include "simulator/hazards.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "simulator/layout.h"
#include "simulator/serial_order.h"

namespace tilewright {

namespace {

constexpr size_t kMaxHazards = 100;

/// A lane is a pipe of a core; an event is the sequence-th instruction on its lane.
struct Event {
  int lane = -1;
  int sequence = 0;
  int name = 0;  ///< into HazardSearch::names_
};

/// For each lane, up to which event everything is known to have happened.
using Clock = std::vector<int>;

/// Bytes [key, end) of a buffer with the same history.
struct Stretch {
  int64_t end = 0;
  Event writer;
  std::vector<Event> readers;  // since the write, the last one of each lane
};
using History = std::map<int64_t, Stretch>;

struct Segment {
  int64_t begin = 0;
  int64_t end = 0;
};

/// Splits stretches so that none crosses `at`.
void split_at(History& history, int64_t at) {
  auto after = history.upper_bound(at);
  if (after == history.begin()) return;
  auto stretch = std::prev(after);
  if (stretch->first == at || stretch->second.end <= at) return;
  Stretch tail = stretch->second;
  stretch->second.end = at;
  history.emplace(at, std::move(tail));
}

class HazardSearch {
 public:
  HazardSearch(const Launch& launch, const Machine& machine)
      : launch_(launch),
        machine_(machine),
        lanes_(static_cast<int>(launch.cores.size()) * kPipeCount),
        clocks_(static_cast<size_t>(lanes_), Clock(static_cast<size_t>(lanes_))),
        on_chip_(launch.cores.size() * kMemoryCount),
        tensors_(launch.tensors.size()),
        is_written_(launch.tensors.size()),
        instances_(launch),
        flags_(launch.flags.size()) {
    for (const Template& body : launch.templates) {
      for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
        for (const Instruction& instruction : *list) {
          if (instruction.dst.space == Memory::kGm) {
            is_written_[static_cast<size_t>(instruction.dst.tensor)] = true;
          }
        }
      }
    }
  }

  std::vector<Hazard> run() {
    const std::vector<SerialStep> stuck =
        walk_in_order(launch_, [&](const SerialStep& step) { visit(step); });
    for (const SerialStep& step : stuck) {
      std::string flags;
      for (const FlagUse& use : step.instruction->waits) {
        if (!step.applies(use)) continue;
        flags += (flags.empty() ? "" : ", ") + launch_.flags[static_cast<size_t>(use.flag)].name;
      }
      report("never_set",
             fmt::format("{} (task {}, iteration {}) waits for {}, of which one is "
                         "never set before it",
                         step.where(), step.task, step.index, flags),
             {name_id(step), -1, 0});
    }
    return std::move(hazards_);
  }

 private:
  int name_id(const SerialStep& step) {
    const auto [entry, is_new] = name_ids_.try_emplace(
        {step.template_id, step.section, step.position}, static_cast<int>(names_.size()));
    if (is_new) names_.push_back(describe(launch_, step.template_id, step.section, step.position));
    return entry->second;
  }

  void visit(const SerialStep& step) {
    const Pipe pipe = step.instruction->pipe();
    const int lane = step.core * kPipeCount + static_cast<int>(pipe);
    Clock& clock = clocks_[static_cast<size_t>(lane)];
    for (const FlagUse& use : step.instruction->waits) {
      if (step.applies(use)) wait(step.core, use, clock);
    }
    const Event event{lane, ++clock[static_cast<size_t>(lane)], name_id(step)};
    const Instruction& instruction = *step.instruction;
    const bool adds = instruction.opcode == Opcode::kMmad &&
                      (instruction.accumulate == Accumulate::kAlways ||
                       (instruction.accumulate == Accumulate::kUnlessFirst && !step.first));
    if (instruction.a.used()) access(step, instruction.a, event, clock, false);
    if (instruction.b.used()) access(step, instruction.b, event, clock, false);
    const bool selects = instruction.opcode == Opcode::kVector &&
                         instruction.vector_op == VectorOp::kSelect;
    if (adds || selects) access(step, instruction.dst, event, clock, false);
    if (!adds && instruction.bias.used()) access(step, instruction.bias, event, clock, false);
    access(step, instruction.dst, event, clock, true);
    for (const FlagUse& use : instruction.sets) {
      if (step.applies(use)) {
        flags_[static_cast<size_t>(use.flag)][instances_.set(use, step.core)]
            .sets[step.core]
            .push_back(clock);
      }
    }
  }

  /// Joins what every producer had seen at the set that this wait takes.
  void wait(int core, const FlagUse& use, Clock& clock) {
    const Flag& flag = launch_.flags[static_cast<size_t>(use.flag)];
    FlagState& state = flags_[static_cast<size_t>(use.flag)][instances_.waited(use, core)];
    const int64_t number = state.waits[core]++ - flag.initial;
    if (number < 0) return;
    // Nobody else takes the sets of a copy that one core has for itself.
    const bool taken = flag.scope == FlagScope::kCore || flag.scope == FlagScope::kPeer;
    for (auto& [producer, sets] : state.sets) {
      Clock& seen = sets[static_cast<size_t>(number)];
      for (size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], seen[i]);
      if (taken) Clock().swap(seen);
    }
  }

  bool happened_before(const Event& event, const Clock& clock) const {
    return clock[static_cast<size_t>(event.lane)] >= event.sequence;
  }

  void access(const SerialStep& step, const Tile& tile, const Event& event, const Clock& clock,
              bool writes) {
    if (tile.space == Memory::kGm) {
      const Tensor& tensor = launch_.tensors[static_cast<size_t>(tile.tensor)];
      const int64_t row = step.value(tile.row);
      const int64_t col = step.value(tile.col);
      const int64_t rows = step.value(tile.rows);
      const int64_t cols = step.value(tile.cols);
      const int64_t width = bytes_of(tensor.type);
      const bool inside =
          row >= 0 && col >= 0 && row + rows <= tensor.rows && col + cols <= tensor.cols;
      if (!inside) {
        report(
            "outgrown",
            fmt::format("{} touches rows {}+{}, columns {}+{} of tensor {}, which has "
                        "{} x {}",
                        step.where(), row, rows, col, cols, tensor.name, tensor.rows, tensor.cols),
            {event.name, -2, tile.tensor});
        return;
      }
      if (!is_written_[static_cast<size_t>(tile.tensor)]) return;
      for (int64_t r = row; r < row + rows; ++r) {
        const int64_t begin = (r * tensor.cols + col) * width;
        touch(step, tensors_[static_cast<size_t>(tile.tensor)], tensor.name,
              {begin, begin + cols * width}, event, clock, writes, tensor.workspace);
      }
      return;
    }
    check_place(step, tile, event);
    History& history =
        on_chip_[static_cast<size_t>(step.core) * kMemoryCount + static_cast<size_t>(tile.space)];
    for (const Segment& segment : segments_of(step, tile)) {
      touch(step, history, std::string(name_of(tile.space)), segment, event, clock, writes, true);
    }
  }

  static TileLayout layout_at(const SerialStep& step, const Tile& tile) {
    return layout_of(tile, step.value(tile.rows), step.value(tile.cols));
  }

  void check_place(const SerialStep& step, const Tile& tile, const Event& event) {
    const int64_t offset = step.value(tile.offset);
    const TileLayout layout = layout_at(step, tile);
    const int64_t capacity = capacity_of(machine_, tile.space);
    if (offset < 0 || offset + layout.bytes() > capacity) {
      report("outgrown",
             fmt::format("{} needs bytes {} to {} of {}, which has {}: {} too many", step.where(),
                         offset, offset + layout.bytes(), name_of(tile.space), capacity,
                         offset + layout.bytes() - capacity),
             {event.name, -2, static_cast<int>(tile.space)});
    }
    // Sub-tiles of a larger tile start at blocks of 32 bytes of it; whole tiles are aligned.
    const int64_t align = tile.stride > 0 ? kFractalRowBytes : alignment_of(tile.space);
    if (offset % align != 0) {
      report("misaligned",
             fmt::format("{} starts at byte {} of {}, which is not a multiple of {}", step.where(),
                         offset, name_of(tile.space), align),
             {event.name, -3, static_cast<int>(tile.space)});
    }
  }

  int64_t alignment_of(Memory space) const {
    const auto& buffers = machine_.buffers;
    switch (space) {
      case Memory::kL0A:
        return buffers.l0a_align;
      case Memory::kL0B:
        return buffers.l0b_align;
      case Memory::kL0C:
        return buffers.l0c_align;
      case Memory::kUb:
        return buffers.ub_align;
      case Memory::kBt:
        return buffers.bt_align;
      case Memory::kFb:
        return buffers.fb_align;
      default:
        return buffers.l1_align;
    }
  }

  /// The bytes that hold real elements, as few stretches as possible. Padding columns of a fractal
  /// count as part of it.
  std::vector<Segment> segments_of(const SerialStep& step, const Tile& tile) const {
    const TileLayout layout = layout_at(step, tile);
    const int64_t base = step.value(tile.offset);
    std::vector<Segment> segments;
    const auto add = [&](int64_t begin, int64_t end) {
      if (!segments.empty() && segments.back().end == base + begin) {
        segments.back().end = base + end;
      } else {
        segments.push_back({base + begin, base + end});
      }
    };
    const int64_t width = bytes_of(layout.type);
    if (layout.layout == Layout::kNd) {
      for (int64_t r = 0; r < layout.rows; ++r) {
        add(layout.offset(r, 0), layout.offset(r, 0) + layout.cols * width);
      }
    } else if (layout.layout == Layout::kZn) {
      const int64_t row_bytes = layout.fractal_row_bytes;
      for (int64_t c = 0; c < layout.cols; c += row_bytes / width) {
        add(layout.offset(0, c), layout.offset(0, c) + layout.rows * row_bytes);
      }
    } else {
      add(0, layout.bytes());
    }
    return segments;
  }

  void touch(const SerialStep& step, History& history, const std::string& buffer,
             const Segment& segment, const Event& event, const Clock& clock, bool writes,
             bool starts_empty) {
    split_at(history, segment.begin);
    split_at(history, segment.end);
    auto stretch = history.lower_bound(segment.begin);
    int64_t covered = segment.begin;
    for (; stretch != history.end() && stretch->first < segment.end; ++stretch) {
      if (!writes && starts_empty && stretch->first > covered) {
        unwritten(step, buffer, {covered, stretch->first}, event);
      }
      covered = stretch->second.end;
      check(step, buffer, stretch->first, stretch->second, event, clock, writes, starts_empty);
      if (writes) continue;
      auto& readers = stretch->second.readers;
      const auto same = std::find_if(readers.begin(), readers.end(), [&](const Event& reader) {
        return reader.lane == event.lane;
      });
      if (same == readers.end()) {
        readers.push_back(event);
      } else {
        *same = event;
      }
    }
    if (writes) {
      history.erase(history.lower_bound(segment.begin), history.lower_bound(segment.end));
      history[segment.begin] = {segment.end, event, {}};
    } else if (covered < segment.end) {
      if (starts_empty) {
        unwritten(step, buffer, {covered, segment.end}, event);
      } else {
        history[covered] = {segment.end, Event{}, {event}};
      }
    }
  }

  void check(const SerialStep& step, const std::string& buffer, int64_t begin,
             const Stretch& stretch, const Event& event, const Clock& clock, bool writes,
             bool starts_empty) {
    const Event& writer = stretch.writer;
    if (writer.lane >= 0 && !happened_before(writer, clock)) {
      conflict(writes ? "overwrite" : "read_before_write", step, buffer, {begin, stretch.end},
               writer, event, writes ? "overwrites what" : "reads what", "writes");
    } else if (!writes && writer.lane < 0 && starts_empty) {
      unwritten(step, buffer, {begin, stretch.end}, event);
    }
    if (!writes) return;
    for (const Event& reader : stretch.readers) {
      if (!happened_before(reader, clock)) {
        conflict("overwrite_while_read", step, buffer, {begin, stretch.end}, reader, event,
                 "overwrites what", "may still be reading");
      }
    }
  }

  void unwritten(const SerialStep& step, const std::string& buffer, const Segment& bytes,
                 const Event& event) {
    report("read_before_write",
           fmt::format("{} reads bytes {} to {} of {}, which nothing wrote", step.where(),
                       bytes.begin, bytes.end, buffer),
           {event.name, -4, 0});
  }

  void conflict(const char* kind, const SerialStep& step, const std::string& buffer,
                const Segment& bytes, const Event& earlier, const Event& later, const char* does,
                const char* did) {
    const int other_core = earlier.lane / kPipeCount;
    const auto from = static_cast<Pipe>(earlier.lane % kPipeCount);
    const auto to = static_cast<Pipe>(later.lane % kPipeCount);
    report(kind,
           fmt::format("{} {} {} (core {}) {}: bytes {} to {} of {}; missing: a flag from {} to {}",
                       step.where(), does, names_[static_cast<size_t>(earlier.name)], other_core,
                       did, bytes.begin, bytes.end, buffer, name_of(from), name_of(to)),
           {later.name, earlier.name, 0});
  }

  void report(const char* kind, std::string message, std::tuple<int, int, int> pair) {
    if (hazards_.size() >= kMaxHazards || !seen_.insert({kind, pair}).second) return;
    hazards_.push_back({kind, std::move(message)});
  }

  struct FlagState {
    std::map<int, std::vector<Clock>> sets;  // by producing core
    std::map<int, int64_t> waits;            // by waiting core
  };

  const Launch& launch_;
  const Machine& machine_;
  int lanes_;
  std::vector<Clock> clocks_;     // by lane
  std::vector<History> on_chip_;  // by core and memory
  std::vector<History> tensors_;
  std::vector<bool> is_written_;  // by tensor
  FlagInstances instances_;
  std::vector<std::map<int64_t, FlagState>> flags_;  // by flag, then by instance
  std::map<std::tuple<int, int, int>, int> name_ids_;
  std::vector<std::string> names_;
  std::set<std::pair<std::string, std::tuple<int, int, int>>> seen_;
  std::vector<Hazard> hazards_;
};

}  // namespace

std::vector<Hazard> find_hazards(const Launch& launch, const Machine& machine) {
  validate(launch, machine);
  return HazardSearch(launch, machine).run();
}

}  // namespace tilewright
