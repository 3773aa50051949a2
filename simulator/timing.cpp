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
    for (const CoreProgram::Task& task : core.tasks) {
      const Template& body = launch.templates[static_cast<size_t>(task.template_id)];
      const std::span<const int64_t> bindings(core.bindings.data() + task.first_binding,
                                              static_cast<size_t>(body.bindings));
      const int64_t count = body.count.at(bindings, launch.tables, 0);
      iterations += count;
      all.longest = std::max(all.longest, count);
    }
    all.most = std::max(all.most, iterations);
  }
  return all;
}

/// Iterations whose loads go as one: more in a long run, where they matter less each, and not most
/// of a loop.
int64_t merge_for(const Launch& launch) {
  constexpr int64_t kGroups = 48;
  constexpr int64_t kLoop = 3;
  constexpr int64_t kMost = 16;
  const Iterations iterations = iterations_of(launch);
  const int64_t most =
      std::min(iterations.most / kGroups, std::max<int64_t>(8, iterations.longest / kLoop));
  return std::clamp<int64_t>(most, 1, kMost);
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
  const bool composed = launch.instruction_count() >= kWorthComposing && merge_for(launch) > 1 &&
                        roles_of_flags(launch).has_value() && hides_latency(launch, machine);
  return composed ? Fidelity::kComposed : Fidelity::kDetailed;
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
  if (merge_for(launch) == 1 || !hides_latency(launch, machine)) {
    return DetailedTiming(launch, machine, nullptr).run();
  }
  std::optional<TimingResult> result =
      ComposedTiming(launch, machine, std::move(*roles), merge_for(launch)).run();
  return result ? *result : DetailedTiming(launch, machine, nullptr).run();
}

TimingResult time_launch(const Launch& launch, const Machine& machine, Fidelity fidelity) {
  return resolve(fidelity, launch, machine) == Fidelity::kComposed ? time_composed(launch, machine)
                                                                   : time_detailed(launch, machine);
}

}  // namespace tilewright
