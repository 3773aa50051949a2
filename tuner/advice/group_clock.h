#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/machine/machine.h"
#include "simulator/launch.h"
#include "simulator/steps.h"
#include "tuner/advice/launch_traffic.h"

namespace tilewright {

/// What a core gets of the memory that all share, taken as constant over the launch.
struct MemoryShares {
  double read = 1;   ///< of a core's own rate from L2, 0 to 1
  double write = 1;  ///< of a core's own rate to L2
  /// Cores that fetch from HBM at a time.
  double hbm_cores = 1;
};

/// When a group of cores (an AIC with its AIVs, or one of them alone) ends its program, by the
/// max-plus recurrence over pipes, flags and the scalar unit (docs/model.md, "Advice"). Transfers
/// take what MemoryShares says; there is no memory with a state. A loop is played for a few
/// iterations and a task for a few repetitions; the rest follows with their period.
class GroupClock {
 public:
  GroupClock(const Launch& launch, const Machine& machine, const LaunchTraffic& traffic,
             StepCache& steps, const MemoryShares& shares);

  struct Result {
    int64_t end = 0;      ///< ticks, launch included
    double reading = 0;   ///< share of the time that MTE2 pipes stream, mean of those cores
    double fetching = 0;  ///< share of the time that they stream or wait for HBM
    double writing = 0;   ///< share of the time that stores stream
  };
  /// `cores`: positions in the launch, all of one group.
  Result play(std::span<const size_t> cores);

 private:
  struct PipeClock {
    int64_t free = 0;
    int64_t count = 0;
    std::vector<int64_t> starts;  // of the latest instructions, a ring of the queue's depth
  };
  /// Ticks that transfers take of the memory, alike in every repetition.
  struct Use {
    double reading = 0;
    double fetching = 0;
    double writing = 0;
    void add(const Use& more, double times);
    Use since(const Use& before) const;
  };
  struct CoreClock {
    const CoreProgram* program = nullptr;
    size_t core = 0;
    std::array<PipeClock, kPipeCount> pipes;
    std::vector<std::vector<int64_t>> flags;  // sets not waited for, oldest first, by flag
    std::vector<int64_t> waits;               // of flags between cores, by flag
    int64_t issue = 0;
    int64_t end = 0;
    // The two loads before: their starts, when the last one might have started had MTE2 been free,
    // and whether it asks ahead.
    std::array<int64_t, 2> load_starts{};
    int64_t last_ready = 0;
    bool last_ahead = false;
    // Where it stands in its program.
    size_t task = 0;
    size_t section = 0;
    size_t position = 0;
    int64_t iteration = 0;
    size_t load = 0;          // number of the next load in its template
    size_t section_load = 0;  // of the first one in this section
    int64_t played = 0;
    Use use;
  };
  struct TaskInfo {
    const ResolvedTemplate* steps = nullptr;
    std::span<const int64_t> bindings;
    int64_t count = 0;
    uint64_t misses = 0;
    const std::vector<double>* sharers = nullptr;
  };
  /// Kinds of task: same steps, iterations and misses.
  using TaskKind = std::tuple<const ResolvedTemplate*, int64_t, uint64_t>;
  struct Repeats {
    int64_t played = 0;
    int64_t advance = 0;
    Use use;
  };

  TaskInfo task_of(const CoreClock& core) const;
  void begin(std::span<const size_t> cores);
  void play_alone(CoreClock& core);
  void play_task(CoreClock& core, const TaskInfo& task);
  void play_section(CoreClock& core, const TaskInfo& task, size_t section, int64_t iteration);
  void play_together();
  /// Runs until the program ends or a flag of another core is missing. Whether it moved.
  bool advance(CoreClock& core);
  bool run_step(CoreClock& core, const TaskInfo& task, const Step& step, int64_t iteration);
  bool flags_ready(CoreClock& core, const Step& step, uint8_t when, int64_t& time);
  int64_t shared_set(const CoreClock& core, const StepFlag& use) const;
  static int64_t asked_ahead(const CoreClock& core, int64_t start, int64_t ready);
  int64_t end_of_load(CoreClock& core, const TaskInfo& task, const Step& step, int64_t iteration,
                      int64_t start, int64_t ready);
  int64_t end_of_store(CoreClock& core, const TaskInfo& task, const Step& step, int64_t iteration,
                       int64_t start);
  static void shift(CoreClock& core, int64_t ticks);
  static uint8_t when_of(const TaskInfo& task, size_t section, int64_t iteration);

  const Launch& launch_;
  const Machine& machine_;
  const LaunchTraffic& traffic_;
  StepCache& steps_;
  MemoryShares shares_;
  std::vector<CoreClock> cores_;
};

}  // namespace tilewright
