#include "simulator/timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/text.h"
#include "simulator/composed.h"
#include "simulator/detailed.h"

namespace tilewright {

namespace {

constexpr std::array kFidelities = {Fidelity::kAuto, Fidelity::kDetailed, Fidelity::kComposed};

/// Below this the detailed model is done within a fraction of a millisecond.
constexpr int64_t kWorthComposing = 6000;

struct Iterations {
  int64_t most = 0;     // of loops on the busiest core
  int64_t longest = 0;  // of one loop
};

Iterations iterations_of(const Launch& launch) {
  Iterations all;
  for (const CoreProgram& core : launch.cores) {
    int64_t iterations = 0;
    for (size_t t = 0; t < core.tasks.size(); ++t) {
      const Template& body = launch.templates[static_cast<size_t>(core.tasks[t].template_id)];
      const int64_t count = body.count.at(bindings_of(launch, core, t), launch.tables, 0);
      iterations += count;
      all.longest = std::max(all.longest, count);
    }
    all.most = std::max(all.most, iterations);
  }
  return all;
}

/// Iterations whose loads go as one: more in a long run, where they matter less each. 1: the launch
/// is not composed.
int64_t merge_for(const Launch& launch, const Machine& machine) {
  constexpr int64_t kGroups = 48;
  constexpr int64_t kMost = 16;
  // Without long products each start matters more: not most of a loop.
  constexpr int64_t kShort = 8;
  constexpr int64_t kLoop = 3;
  const Iterations iterations = iterations_of(launch);
  if (iterations.most < 2 * kGroups) return 1;
  const LoopNature nature = nature_of_loop(launch, machine);
  if (!nature.can_be_composed()) return 1;
  const int64_t most = nature.hides_latency ? kMost : std::max(kShort, iterations.longest / kLoop);
  return std::clamp<int64_t>(iterations.most / kGroups, 1, std::min(most, kMost));
}

}  // namespace

std::string_view name_of(Fidelity fidelity) {
  constexpr std::string_view kNames[] = {"auto", "detailed", "composed"};
  return kNames[static_cast<size_t>(fidelity)];
}

Fidelity parse_fidelity(std::string_view name) {
  std::vector<std::string> names;
  for (Fidelity fidelity : kFidelities) {
    if (name_of(fidelity) == name) return fidelity;
    names.emplace_back(name_of(fidelity));
  }
  throw Error(ErrorKind::kUsage, fmt::format("unknown fidelity '{}'{} (known: {})", printable(name),
                                             did_you_mean(name, names), join(names, ", ")));
}

Fidelity resolve(Fidelity fidelity, const Launch& launch, const Machine& machine) {
  if (fidelity != Fidelity::kAuto) return fidelity;
  const bool composed = launch.instruction_count() >= kWorthComposing &&
                        roles_of_flags(launch).has_value() && merge_for(launch, machine) > 1;
  return composed ? Fidelity::kComposed : Fidelity::kDetailed;
}

bool can_be_composed(const Launch& launch) {
  return roles_of_flags(launch).has_value();
}

TimingResult time_detailed(const Launch& launch, const Machine& machine, TimelineSink* sink) {
  validate(launch, machine);
  return DetailedTiming(launch, machine, sink).run();
}

TimingResult time_composed(const Launch& launch, const Machine& machine) {
  validate(launch, machine);
  std::optional<std::vector<FlagRole>> roles = roles_of_flags(launch);
  if (!roles) {
    throw Error(ErrorKind::kFailed,
                fmt::format("launch {}: cannot be composed: only launches of cube cores that load, "
                            "multiply and drain each for itself can; time it in detail",
                            launch.name));
  }
  // Where nothing would be merged, where each load's start matters, and where a flag is never set,
  // the detailed model answers.
  const int64_t merge = merge_for(launch, machine);
  if (merge == 1) return DetailedTiming(launch, machine, nullptr).run();
  std::optional<TimingResult> result =
      ComposedTiming(launch, machine, std::move(*roles), merge).run();
  return result ? *result : DetailedTiming(launch, machine, nullptr).run();
}

TimingResult time_launch(const Launch& launch, const Machine& machine, Fidelity fidelity) {
  return resolve(fidelity, launch, machine) == Fidelity::kComposed ? time_composed(launch, machine)
                                                                   : time_detailed(launch, machine);
}

}  // namespace tilewright
