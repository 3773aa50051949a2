#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "simulator/local_block.h"
#include "simulator/memory.h"
#include "simulator/path_log.h"
#include "simulator/steps.h"
#include "simulator/timing.h"
#include "simulator/turn_queue.h"

namespace tilewright {

/// The composed timing model: the same launch, with work merged that need not be told apart.
///
/// - Loads of several iterations of a template's body go over the shared memory as one transfer,
///   whose time is then shared out evenly among them.
/// - What a core does by itself in an iteration (moves and products) is worked out in one go when
///   its loads have ended, exactly as the detailed model would, and remembered: most iterations
///   find the pipes in a state that was met before.
/// - Drained tiles take the time that they need alone.
///
/// Pipe and buffer release times are carried across all borders. Left out is the time that the
/// scalar unit takes to issue an instruction.
class ComposedTiming {
 public:
  /// `roles` from roles_of_flags(). `merge`: most iterations whose loads go as one.
  ComposedTiming(const Launch& launch, const Machine& machine, std::vector<FlagRole> roles,
                 int64_t merge);

  /// Nothing when a flag is never set: the detailed model then says which.
  std::optional<TimingResult> run();

 private:
  // Places of pipes in arrays by pipe.
  static constexpr auto kCube = static_cast<size_t>(Pipe::kCube);
  static constexpr auto kMte1 = static_cast<size_t>(Pipe::kMte1);
  static constexpr auto kMte2 = static_cast<size_t>(Pipe::kMte2);
  static constexpr auto kFixp = static_cast<size_t>(Pipe::kFixp);

  /// The local work of a section, and the loads and drains beside it.
  struct Section {
    std::vector<const Step*> loads;
    std::vector<const Step*> drains;
    LocalBlock block;
  };
  struct ResolvedSections {
    const ResolvedTemplate* steps = nullptr;
    std::array<Section, 3> sections;
  };
  /// Back-to-back work of a pipe that the log does not know yet: it goes there as one record when
  /// something else may have waited for its end.
  struct Stretch {
    bool open = false;
    int64_t start = 0;
    int64_t end = 0;
    int64_t products = 0;  // of its time, by the cube
    PathLog::Moment from = 0;
    bool after_load = false;  // of working: `from` is the end of loading at...
    int64_t loaded_at = 0;    // ...this time
    PathLog::Parts parts;     // of loading
  };
  /// A core and the group that it works on: some iterations of a body, or a prologue or epilogue.
  struct Core {
    int id = 0;
    const CoreProgram* program = nullptr;
    LocalState state;
    int64_t load_free = 0;  // of MTE2
    int64_t issued = 0;     // of what comes before the next loads in program order
    int64_t drain_free = 0;
    // Ends of what ran last: on MTE2, on the cube (and before that), on FIXP.
    PathLog::Moment loaded = 0;
    PathLog::Moment worked = 0;
    PathLog::Moment worked_before = 0;
    PathLog::Moment drained = 0;
    size_t task = 0;
    size_t section = 0;
    int64_t first = 0;  // iteration of the group
    int64_t iterations = 0;
    int64_t count = 0;  // iterations of the task's body
    ResolvedSections* sections = nullptr;
    size_t load = 0;                  // of the section's loads: the transfer in flight
    int64_t load_start = 0;           // of the group's first load
    int64_t stream_start = 0;         // of the transfer in flight
    std::vector<int64_t> load_ticks;  // of one iteration, by load of the section, last seen
    int32_t ahead = -1;               // transfer that was requested already
    PathLog::Parts parts;             // of the group's transfers
    int64_t each_ticks = 0;           // of an iteration of the group, and parts
    PathLog::Parts each_parts;
    std::vector<int32_t> brought;  // sectors, by them
    Stretch loading;
    Stretch working;
    std::array<int64_t, Cause::kCount> engine{};
    CoreCounters counters;
  };
  /// A transfer's turn in the global order of time: a core's loads, or a drain.
  struct Turn {
    int64_t time = 0;
    int32_t core = 0;
    const Step* drain = nullptr;  // null: the loads of the core's group
    size_t task = 0;
    static bool later(const Turn& a, const Turn& b) {
      return a.time != b.time ? a.time > b.time : a.core > b.core;
    }
  };

  /// Whether the loads of a template's iterations can be merged without changing what they cost.
  bool can_merge(const Template& body, std::span<const int64_t> bindings);
  void start_next_group(Core& core);
  bool enter_next_group(Core& core);
  ResolvedSections& sections_of(const Core& core);
  const Section& section_of(const Core& core) const {
    return core.sections->sections[core.section];
  }
  uint8_t when_of(const Core& core, int64_t iteration) const;
  void take_turn(const Turn& turn);
  std::vector<SectorGrid> merged_grids();
  void coarsen(const Template& body, std::span<const int64_t> bindings,
               std::vector<SectorGrid>& grids) const;
  void set_owner(int32_t transfer, int32_t core);
  int32_t request_load(Core& core, size_t load, int64_t now);
  void stream_load(Core& core, int64_t now);
  void load_done(Core& core, const MemorySystem::Done& done);
  void loads_done(Core& core, int64_t total);
  void load_iteration(Core& core, uint8_t when, int64_t ticks, const PathLog::Parts& parts);
  /// Following iterations of the group, from number `next` of it, that are like the one just done;
  /// runs them and returns how many.
  int64_t repeat_iterations(Core& core, int64_t next);
  int64_t like_the_last(const Core& core, int64_t next) const;
  void run_block(Core& core, uint8_t when, int64_t data);
  /// Adds a block to what the cube has been doing, from data that came with the last load.
  void extend_working(Core& core, const BlockRun& run, bool after_load, int64_t cube_free);
  /// Writes the log of what the core has been doing until `time` on MTE2, or of all.
  void log_loading(Core& core, int64_t time);
  void log_stretches(Core& core);
  void account_block(Core& core, const BlockRun& run, int64_t cube_free);
  void account_repeats(Core& core, const BlockRun& run, int64_t count, int64_t moves_free,
                       int64_t cube_free);
  /// Of a wait of the cube for a flag; -1: for its issue.
  Cause cause_of(int32_t flag) const;
  void run_drains(Core& core);
  void ended(PathLog::Moment moment, int64_t time);
  void compact_log();
  TimingResult result();

  const Launch& launch_;
  const Machine& machine_;
  int64_t merge_ = 1;
  int64_t most_merged_ = 1;
  StepCache cache_;
  std::optional<MemorySystem> memory_;
  int64_t launch_ticks_ = 0;
  PathLog log_;
  int64_t flag_ticks_ = 0;
  std::vector<FlagRole> roles_;     // by flag
  std::vector<Pipe> flag_setters_;  // by flag
  std::vector<Core> cores_;
  std::vector<std::unique_ptr<ResolvedSections>> resolved_;
  TurnQueue<Turn> turns_;
  std::vector<int32_t> owners_;  // core by transfer; -1: a drain
  int64_t last_end_ = 0;
  PathLog::Moment last_ = 0;
  int64_t drain_end_ = 0;  // of the last transfer of a drain
  bool stuck_ = false;
};

}  // namespace tilewright
