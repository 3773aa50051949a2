#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "simulator/fabric.h"
#include "simulator/flags.h"
#include "simulator/memory.h"
#include "simulator/path_log.h"
#include "simulator/steps.h"
#include "simulator/timing.h"
#include "simulator/turn_queue.h"

namespace tilewright {

/// The timing model. Times on a core follow from max-plus propagation: an instruction starts when
/// its pipe is free, the scalar unit has issued it and its flags are set. Cores run ahead of each
/// other freely; only transfers over the shared memory are events in one global order of time,
/// which is enough, since a transfer found while processing an event never starts before it.
class DetailedTiming {
 public:
  DetailedTiming(const Launch& launch, const Machine& machine, TimelineSink* sink);

  TimingResult run();

 private:
  /// An instruction in a pipe's queue. Once it has started, its slot keeps when and why: the next
  /// instruction to take the slot cannot be issued before.
  struct Entry {
    int64_t time = 0;  // of its issue; later of its start
    const Step* step = nullptr;
    PathLog::Moment from = 0;
    int32_t task = 0;
    int32_t iteration = 0;
    uint8_t when = kIsAny;  // WhenBits of this iteration
  };
  /// An in-order queue and what runs on it. What every instruction needs fills one cache line.
  struct alignas(64) PipeState {
    int64_t free_time = 0;
    int64_t busy = 0;          // ticks
    int64_t waited = 0;        // ticks between instructions
    int64_t instructions = 0;  // that have ended
    Entry* queue = nullptr;    // a ring of the machine's depth, in queues_
    PathLog::Moment last = 0;  // end of what ran last
    uint16_t head = 0;         // of the queue
    uint16_t count = 0;        // entries in the queue
    bool in_flight = false;    // a transfer runs or waits for its turn in the global order

    // The transfer in flight.
    bool streaming = false;      // its bytes move
    bool ahead_pending = false;  // the next transfer's request is on its way to the memory
    int32_t ahead = -1;          // or made
    int32_t ahead_in = 0;        // starts on this pipe until it is used
    int32_t transfer = -1;
    int32_t record = -1;
    int64_t start = 0;
    int64_t bytes = 0;
    Entry current;

    bool ran() const { return instructions > 0; }
  };
  /// A core: its position in its program, and its pipes.
  struct Core {
    int id = 0;
    const CoreProgram* program = nullptr;
    size_t group = 0;  // over all chips
    std::array<PipeState, kPipeCount> pipes;
    LocalFlag* flags = nullptr;  // in local_flags_
    const Step* next = nullptr;  // in program order
    const Step* section_end = nullptr;
    const ResolvedTemplate* steps = nullptr;  // of the current task; null before the first
    size_t task = 0;
    size_t section = 0;
    int64_t iteration = 0;
    int64_t count = 0;  // of the task's body
    uint8_t when = kIsAny;
    int64_t issue_time = 0;  // of the scalar unit
    PathLog::Moment issue_from = 0;
    Pipe work = Pipe::kMte2;
    uint32_t ready = 0;         // pipes, as bits, whose first entry may start now
    bool may_issue = true;      // the scalar unit is not known to wait for room in a queue
    Pipe full = Pipe::kScalar;  // the pipe whose queue it waits for
    bool in_worklist = false;
    std::array<int64_t, Cause::kCount> engine{};
    CoreCounters counters;
  };
  /// A transfer's turn in the global order of time.
  struct Turn {
    int64_t time = 0;
    int32_t core = 0;
    Pipe pipe = Pipe::kMte2;
    bool ahead = false;
    static bool later(const Turn& a, const Turn& b) {
      if (a.time != b.time) return a.time > b.time;
      if (a.ahead != b.ahead) return !a.ahead;
      if (a.core != b.core) return a.core > b.core;
      return a.pipe > b.pipe;
    }
  };
  struct Owner {
    int32_t core = 0;
    Pipe pipe = Pipe::kMte2;
  };
  /// When an instruction may start, and what that waited for.
  struct Start {
    int64_t time = 0;
    PathLog::Moment from = 0;
    Cause gap = Cause::issue();
    StartReason reason = StartReason::kPipe;
    int32_t flag = -1;
    Pipe setter = Pipe::kScalar;  // of the flag
  };

  void set_up_flags();
  void set_up_cores();
  void advance(int core);
  void issue(Core& core);
  bool enter_next_section(Core& core);
  bool enter_next_task(Core& core);
  void enter_iteration(Core& core, int64_t iteration);
  bool try_start(Core& core, Pipe pipe);
  /// False when a flag is not set; its arrival will make the pipe ready.
  bool find_start(Core& core, const Entry& entry, const PipeState& pipe, Start& start);
  void run_local(Core& core, Pipe pipe, const Entry& entry, int32_t record, int64_t start,
                 bool was_idle);
  const Entry& queued(const PipeState& pipe, uint32_t number) const;
  void look_ahead(int core);
  const FlagSet* find_set(Core& core, const StepFlag& use) {
    if (!use.local) return find_far_set(core, use);
    const LocalFlag& flag = core.flags[use.flag];
    return flag.ready() ? &flag.front() : nullptr;
  }
  const FlagSet* find_far_set(const Core& core, const StepFlag& use);
  bool flags_are_set(Core& core, const Entry& entry);
  SharedFlag& shared_flag(const Core& core, const StepFlag& use);
  void take_flags(Core& core, const Entry& entry);
  void set_flags(Core& core, const Entry& entry, int64_t end, int32_t record, int64_t tail);
  void set_peer_flag(const Core& core, const Step& step, const StepFlag& use, const FlagSet& set);
  void push_flag(int owner, const Core& setter, const Step& step, const StepFlag& use,
                 const FlagSet& set);
  void set_far_flag(const Core& core, const Step& step, const StepFlag& use, const FlagSet& set);
  [[noreturn]] void report_full_flag(const Core& core, const Step& step, const StepFlag& use) const;
  void account_gap(Core& core, PipeState& pipe, Pipe id, const Start& start);
  void account_end(Core& core, Pipe pipe, int32_t record, int64_t start, int64_t end);
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
  void compact_log();
  void begin_event(const Entry& entry, const Core& core, Pipe pipe, const Start& start,
                   int32_t record);
  void end_event(const Core& core, Pipe pipe, int64_t end, int64_t bytes, int64_t flops,
                 const PathLog::Parts& parts);
  /// Adds the core's cycles to the engine view.
  void add_engine(Core& core, TimingResult& result) const;
  TimelineLanes lanes() const;
  [[noreturn]] void report_deadlock() const;
  TimingResult result();

  const Launch& launch_;
  const Machine& machine_;
  TimelineSink* sink_;
  StepCache cache_;
  ChipMemories memory_;
  int64_t launch_ticks_ = 0;
  PathLog log_;
  int64_t issue_ticks_ = 0;
  uint16_t depth_ = 0;                   // of the queues
  std::array<int64_t, 4> flag_ticks_{};  // by FlagScope; of a peer without the links
  std::vector<Core> cores_;
  std::vector<Entry> queues_;
  std::vector<LocalFlag> local_flags_;           // by core, then by flag
  std::vector<std::vector<SharedFlag>> shared_;  // by flag, then by group (or one for the launch)
  /// Flags between cores that one core sets and one core waits for, in every group: they live in
  /// the waiting core's own flags. By flag; then by group the waiting core, -1 for none.
  std::vector<char> is_direct_;
  std::vector<std::vector<int>> direct_consumer_;
  std::vector<std::vector<int>> peers_;  // with flags of peers: by core, then by chip
  TurnQueue<Turn> turns_;
  std::vector<Owner> owners_;  // by transfer
  std::vector<int> worklist_;
  int64_t now_ = 0;  ///< time of the event that is being processed
  int64_t last_end_ = 0;
  PathLog::Moment last_ = 0;
  /// With a sink: the event of each pipe that has begun and not ended, and the event of each
  /// record.
  std::vector<std::array<TimelineEvent, kPipeCount>> open_events_;
  std::vector<int64_t> event_of_record_;
  int64_t events_ = 0;
};

}  // namespace tilewright
