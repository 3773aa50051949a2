#pragma once

#include <array>
#include <cstdint>
#include <queue>
#include <span>
#include <string>
#include <vector>

#include "simulator/flags.h"
#include "simulator/memory.h"
#include "simulator/path_pool.h"
#include "simulator/steps.h"
#include "simulator/timing.h"

namespace tilewright {

/// The detailed timing model. Times on a core follow from max-plus propagation: an instruction
/// starts when its pipe is free, the scalar unit has issued it and its flags are set. Cores run
/// ahead of each other freely; only transfers over the shared memory are events in one global order
/// of time, which is enough, since a transfer found while processing an event never starts before
/// it.
class DetailedTiming {
 public:
  DetailedTiming(const Launch& launch, const Machine& machine, Timeline* timeline);

  TimingResult run();

 private:
  /// An instruction that the scalar unit has put into a pipe's queue.
  struct Entry {
    const Step* step = nullptr;
    PathPool::Stamp issued;  ///< holds its node
    int32_t task = 0;
    int32_t iteration = 0;
    bool first = true;
    bool last = true;
  };
  /// An in-order queue and what runs on it.
  struct PipeState {
    int64_t free_time = 0;
    int32_t free_node = 0;       // held
    uint32_t head = 0;           // of the queue
    uint32_t count = 0;          // entries in the queue
    uint32_t issued = 0;         // entries ever put into it, modulo its depth
    uint32_t popped = 0;         // entries ever taken out, modulo its depth
    bool ran = false;            // something has run on it
    bool in_flight = false;      // a transfer runs or waits for its turn in the global order
    bool streaming = false;      // its bytes move
    int32_t missing_flag = -1;   // that the queue's first entry waits for; -1: not known to wait
    bool ahead_pending = false;  // the next transfer's request is on its way to the memory
    int32_t ahead = -1;          // or made
    std::vector<Entry> queue;    // ring of the machine's depth; starts over when empty
    /// When the instruction a queue's depth before this one left the queue. The node is held and
    /// says why, when the queue was full (the scalar unit may be waiting for just that); it is -1
    /// otherwise.
    std::vector<PathPool::Stamp> slot_free;
    Entry current;          // of the transfer
    PathPool::Stamp start;  // of the transfer; holds its node
    int64_t transfer_bytes = 0;
    int32_t transfer = -1;
  };
  /// A core: its position in its program, and its pipes.
  struct Core {
    const CoreProgram* program = nullptr;
    std::array<PipeState, kPipeCount> pipes;
    std::vector<LocalFlag> flags;
    size_t task = 0;
    const ResolvedTemplate* steps = nullptr;  // of the current task; null before the first
    size_t section = 0;
    size_t position = 0;
    int64_t iteration = 0;
    int64_t count = 0;
    PathPool::Stamp issue;  // of the scalar unit; holds its node
    Pipe work = Pipe::kMte2;
    uint32_t ready = 0;         // pipes, as bits, whose first entry may start now
    bool may_issue = true;      // the scalar unit is not known to wait for room in a queue
    Pipe full = Pipe::kScalar;  // the pipe whose queue it waits for
    std::array<int64_t, Cause::kCount> engine{};
    bool in_worklist = false;
    CoreCounters counters;
  };
  /// A transfer's turn in the global order of time.
  struct Turn {
    int64_t time = 0;
    int32_t core = 0;
    Pipe pipe = Pipe::kMte2;
    bool ahead = false;
    bool operator>(const Turn& other) const {
      if (time != other.time) return time > other.time;
      if (ahead != other.ahead) return !ahead;
      if (core != other.core) return core > other.core;
      return pipe > other.pipe;
    }
  };
  struct Owner {
    int32_t core = 0;
    Pipe pipe = Pipe::kMte2;
  };

  void set_up_flags();
  void advance(int core);
  void issue(int core);
  bool enter_next_task(Core& core);
  bool try_start(int core, Pipe pipe);
  void look_ahead(int core);
  /// A flag that the entry waits for and that is not set, -1 when all are.
  int32_t missing_flag(int core, const Entry& entry);
  void flag_arrived(int core, int32_t flag);
  const FlagSet* find_set(int core, const StepFlag& use);
  SharedFlag& shared_flag(int core, const StepFlag& use);
  /// Why an instruction starts when it does.
  struct Reason {
    int flag = -1;                ///< -1: its pipe was busy or its issue came last
    Pipe setter = Pipe::kScalar;  ///< of the flag
  };
  PathPool::Stamp start_of(int core, const Entry& entry, const PipeState& pipe, Reason& reason);
  void take_flags(int core, const Entry& entry);
  void set_flags(int core, const Entry& entry, int64_t end, int32_t node, int64_t tail);
  void account_gap(Core& core, const PathPool::Stamp& start, int64_t pipe_free,
                   const Reason& reason);
  void pop_entry(PipeState& pipe, const PathPool::Stamp& start);
  /// Parts of a transfer's time that it waited for others.
  struct Waits {
    int64_t l2_ticks = 0;
    int64_t hbm_ticks = 0;
  };
  void finish(int core, Pipe pipe, const Entry& entry, const PathPool::Stamp& start, int64_t end,
              const Waits& waits);
  int32_t request(const Turn& turn, const Entry& entry);
  std::span<const int64_t> bindings_of(const Core& core, const Entry& entry) const {
    const CoreProgram::Task& task = core.program->tasks[static_cast<size_t>(entry.task)];
    return {core.program->bindings.data() + task.first_binding,
            static_cast<size_t>(entry.step->bindings)};
  }
  void take_turn(const Turn& turn);
  void transfer_done(const MemorySystem::Done& done);
  void wake(int core);
  void drain_worklist();
  [[noreturn]] void report_deadlock() const;
  TimingResult result();

  static bool applies(const StepFlag& use, const Entry& entry) {
    return use.when == When::kAlways || (use.when == When::kFirst ? entry.first : entry.last);
  }

  const Launch& launch_;
  const Machine& machine_;
  Timeline* timeline_;
  StepCache cache_;
  MemorySystem memory_;
  PathPool paths_;
  int64_t launch_ticks_ = 0;
  int64_t issue_ticks_ = 0;
  std::array<int64_t, 3> flag_ticks_{};  // by FlagScope
  std::vector<Core> cores_;
  std::vector<std::vector<SharedFlag>> shared_;  // by flag, then by group (or one for the launch)
  /// Flags between cores that one core sets and one core waits for, in every group: they live in
  /// the waiting core's own flags. By flag; then by group the waiting core, -1 for none.
  std::vector<char> is_direct_;
  std::vector<std::vector<int>> direct_consumer_;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;
  std::vector<Owner> owners_;  // by transfer
  std::vector<int> worklist_;
  int64_t last_end_ = 0;
  int32_t last_node_ = 0;  // held
};

}  // namespace tilewright
