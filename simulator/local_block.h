#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "simulator/flags.h"
#include "simulator/launch.h"
#include "simulator/steps.h"

namespace tilewright {

/// What a flag of a composable launch stands between.
enum class FlagRole : uint8_t {
  kUnused,
  kInternal,  ///< moves and products
  kData,      ///< loads and moves: the bytes are there
  kSpace,     ///< moves and loads: a slot is free
  kFull,      ///< products and drains
  kDrained,   ///< drains and products
};

/// Roles of a launch's flags, by flag; nothing when the launch cannot be composed: cube cores only,
/// flags of one core only, drains outside of loops, sizes that do not change from iteration to
/// iteration, and local work that hangs together (LocalBlock).
std::optional<std::vector<FlagRole>> roles_of_flags(const Launch& launch);

/// How an iteration of a composable launch's loop compares with the latency of HBM.
struct LoopNature {
  bool looks_ahead = false;    ///< loads are requested ahead of their turn
  bool hides_latency = false;  ///< its products take longer than the latency
  /// Loads that are requested ahead hide each other's latency, by how much depends on when exactly
  /// each starts; it matters unless the products hide it anyway.
  bool can_be_composed() const { return !looks_ahead || hides_latency; }
};
LoopNature nature_of_loop(const Launch& launch, const Machine& machine);

/// Times of sets that were not waited for yet, earliest first: a ring.
struct TimeQueue {
  uint32_t count = 0;
  uint32_t first = 0;
  std::array<int64_t, kFlagDepth> times{};

  int64_t at(uint32_t i) const { return times[(first + i) % kFlagDepth]; }
  /// False when the counter is full.
  bool push(int64_t time) {
    if (count == kFlagDepth) return false;
    times[(first + count++) % kFlagDepth] = time;
    return true;
  }
  /// False when nobody has set the flag.
  bool pop(int64_t& time) {
    if (count == 0) return false;
    time = at(0);
    first = (first + 1) % kFlagDepth;
    --count;
    return true;
  }
};

/// The pipes of a core and what its flags hold.
struct LocalState {
  std::array<int64_t, kPipeCount> free{};
  std::array<bool, kPipeCount> ran{};
  std::vector<TimeQueue> flags;
};

/// What an iteration's local work did.
struct BlockRun {
  int64_t work_start = -1;  ///< of the first product; -1: there is none
  int64_t work_end = 0;     ///< of the last one
  int32_t reason = -1;      ///< flag that the first product waited for last; -1: none
  int64_t waited = 0;       ///< by products after the first one
  int32_t waited_for = -1;  ///< flag of the longest of these waits
  /// When the queues had room for the last of its instructions: what comes after them in program
  /// order is not issued before. 0: the queues hold all of them.
  int64_t issued = 0;
  bool stuck = false;  ///< a flag was never set, or set too often
};

/// The local work (moves and products) of one iteration of a section, worked out exactly. Every
/// instruction of it depends on the first one, so that only times after its start matter; a state
/// of the pipes that was met before, relative to that start, is looked up instead.
class LocalBlock {
 public:
  LocalBlock() = default;
  LocalBlock(const std::vector<Step>& steps, const std::vector<FlagRole>& roles, int64_t flag_ticks,
             int64_t queue_depth);

  bool empty() const { return ops_.empty(); }

  /// Runs one iteration whose data are there at `data`; `when`: WhenBits.
  BlockRun run(LocalState& state, uint8_t when, int64_t data);

  /// Whether the last run found all pipes at rest, and they and all that it set came to rest
  /// again within `ticks` of its start: with WhenBits `when`, iterations that far apart are alike.
  bool rests_within(uint8_t when, int64_t ticks) const {
    return last_is_met_ && met_[last_met_].when == when && met_[last_met_].at_rest &&
           met_[last_met_].span <= ticks;
  }
  /// One more iteration like the last, when that is so.
  BlockRun repeat(LocalState& state, int64_t data) const {
    return apply(met_[last_met_], state, data);
  }

  const std::array<int64_t, kPipeCount>& busy() const { return busy_; }
  const std::array<int64_t, kPipeCount>& instructions() const { return instructions_; }
  int64_t flops() const { return flops_; }

 private:
  struct Op {
    Pipe pipe = Pipe::kMte1;
    bool waits_for_data = false;
    uint8_t wait_count = 0;
    uint8_t set_count = 0;
    std::array<StepFlag, Instruction::kMaxFlags> waits{};
    std::array<StepFlag, Instruction::kMaxFlags> sets{};
    int64_t busy = 0;
    int64_t head = 0;
    int64_t set_delay = 0;  // from its end until a waiting instruction may start
    int64_t instructions = 1;
    bool makes_room = false;  // its start lets the last instruction of its pipe into the queue
  };
  static constexpr size_t kMaxKey = 20;
  static constexpr size_t kMaxSets = 6;
  using Key = std::array<int64_t, kMaxKey>;
  /// A state that was met: relative to the first instruction's start, before and after.
  struct Met {
    uint8_t when = 0;
    bool at_rest = false;  // before: no pipe busy, no flag to come
    int64_t span = 0;      // until everything after it has happened
    size_t size = 0;
    Key before{};
    Key after{};
    uint32_t set_count = 0;  // of flags to loads and drains
    std::array<std::pair<int16_t, int64_t>, kMaxSets> sets{};
    BlockRun run;
  };
  using Counts = std::array<uint32_t, kMaxSets>;

  void add_op(const Step& step, const std::vector<FlagRole>& roles, int64_t flag_ticks);
  void mark_room(int64_t queue_depth);
  int64_t start_of_first(const LocalState& state, int64_t data) const;
  /// The part of the state that matters, relative to `base`; 0 when it is too large.
  size_t key_of(const LocalState& state, uint8_t when, int64_t base, Key& key) const;
  BlockRun work_out(LocalState& state, uint8_t when, int64_t data) const;
  BlockRun apply(const Met& met, LocalState& state, int64_t base) const;
  bool is_at_rest(uint8_t when, const Key& before) const;
  void remember(uint8_t when, const Key& before, size_t size, int64_t base, const LocalState& state,
                const Counts& counts, const BlockRun& run);

  std::vector<Op> ops_;
  /// Internal and drained flags that it waits for or sets, by the bits first and last.
  const std::vector<int16_t>& state_flags(uint8_t when) const { return state_flags_[when & 3]; }

  std::vector<Pipe> pipes_;  // that its instructions use
  std::array<std::vector<int16_t>, 4> state_flags_;
  std::vector<int16_t> output_flags_;  // to loads and drains that it sets
  std::array<int64_t, kPipeCount> busy_{};
  std::array<int64_t, kPipeCount> instructions_{};
  int64_t flops_ = 0;
  std::vector<Met> met_;
  size_t last_met_ = 0;
  bool last_is_met_ = false;  // the last run is in met_
  size_t next_met_ = 0;
};

}  // namespace tilewright
