#include "simulator/serial_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace tilewright {

namespace {

/// Counts of one copy of a flag.
struct FlagCount {
  std::map<int, int64_t> sets;   // by core
  std::map<int, int64_t> waits;  // by core
};

/// A core's place in its program.
struct Place {
  size_t task = 0;
  size_t section = 0;
  size_t position = 0;
  int64_t iteration = 0;
};

class SerialWalk {
 public:
  SerialWalk(const Launch& launch, const std::function<void(const SerialStep&)>& visit)
      : launch_(launch),
        visit_(visit),
        instances_(launch),
        places_(launch.cores.size()),
        flags_(launch.flags.size()) {}

  std::vector<SerialStep> run() {
    for (bool progress = true; progress;) {
      progress = false;
      for (size_t core = 0; core < places_.size(); ++core) {
        while (step(static_cast<int>(core))) progress = true;
      }
    }
    std::vector<SerialStep> stuck;
    for (size_t core = 0; core < places_.size(); ++core) {
      SerialStep next;
      if (find_next(static_cast<int>(core), next)) stuck.push_back(next);
    }
    return stuck;
  }

 private:
  static const std::vector<Instruction>& section_of(const Template& body, size_t section) {
    return section == 0 ? body.prologue : section == 1 ? body.body : body.epilogue;
  }

  /// Moves the core to its next instruction; false at the end of its program.
  bool find_next(int core, SerialStep& next) {
    const CoreProgram& program = launch_.cores[static_cast<size_t>(core)];
    Place& place = places_[static_cast<size_t>(core)];
    while (place.task < program.tasks.size()) {
      const CoreProgram::Task& task = program.tasks[place.task];
      const Template& body = launch_.templates[static_cast<size_t>(task.template_id)];
      const auto bindings = std::span<const int64_t>(program.bindings)
                                .subspan(static_cast<size_t>(task.first_binding));
      const int64_t count = body.count.at(bindings, launch_.tables, 0);
      const std::vector<Instruction>& list = section_of(body, place.section);
      if (place.section == 1 && place.position == list.size() && place.iteration + 1 < count) {
        ++place.iteration;
        place.position = 0;
      }
      const bool skipped = place.section == 1 && count <= 0;
      if (!skipped && place.position < list.size()) {
        const bool in_body = place.section == 1;
        next = {&launch_,
                &list[place.position],
                bindings,
                place.iteration,
                core,
                static_cast<int>(place.task),
                task.template_id,
                static_cast<int>(place.section),
                static_cast<int>(place.position),
                !in_body || place.iteration == 0,
                !in_body || place.iteration + 1 == count};
        return true;
      }
      place.position = 0;
      place.iteration = 0;
      if (++place.section == 3) {
        place.section = 0;
        ++place.task;
      }
    }
    return false;
  }

  bool step(int core) {
    SerialStep next;
    if (!find_next(core, next)) return false;
    for (const FlagUse& use : next.instruction->waits) {
      if (next.applies(use) && !is_set(core, use)) return false;
    }
    for (const FlagUse& use : next.instruction->waits) {
      if (next.applies(use)) ++count_of(use, instances_.waited(use, core)).waits[core];
    }
    visit_(next);
    for (const FlagUse& use : next.instruction->sets) {
      if (next.applies(use)) ++count_of(use, instances_.set(use, core)).sets[core];
    }
    ++places_[static_cast<size_t>(core)].position;
    return true;
  }

  FlagCount& count_of(const FlagUse& use, int64_t instance) {
    return flags_[static_cast<size_t>(use.flag)][instance];
  }

  bool is_set(int core, const FlagUse& use) {
    const Flag& declared = launch_.flags[static_cast<size_t>(use.flag)];
    FlagCount& count = count_of(use, instances_.waited(use, core));
    int64_t sets = 0;
    if (static_cast<int>(count.sets.size()) >= declared.producers) {
      sets = INT64_MAX;
      for (const auto& [setter, number] : count.sets) sets = std::min(sets, number);
      sets = std::min(sets, INT64_MAX - declared.initial);
    }
    return count.waits[core] < sets + declared.initial;
  }

  const Launch& launch_;
  const std::function<void(const SerialStep&)>& visit_;
  FlagInstances instances_;
  std::vector<Place> places_;
  std::vector<std::map<int64_t, FlagCount>> flags_;  // by flag, then by instance
};

}  // namespace

std::string SerialStep::where() const {
  return fmt::format("{}: core {}: {}", launch->name, core,
                     describe(*launch, template_id, section, position));
}

FlagInstances::FlagInstances(const Launch& launch) : launch_(launch) {
  if (has_peer_flags(launch)) peers_ = peers_of(launch);
}

int64_t FlagInstances::waited(const FlagUse& use, int core) const {
  const CoreProgram& program = launch_.cores[static_cast<size_t>(core)];
  switch (launch_.flags[static_cast<size_t>(use.flag)].scope) {
    case FlagScope::kCore:
    case FlagScope::kPeer:
      return core;
    case FlagScope::kGroup:
      return (int64_t{program.chip} << 32) + program.group;
    case FlagScope::kLaunch:
      return 0;
  }
  return 0;
}

int64_t FlagInstances::set(const FlagUse& use, int core) const {
  if (use.chip < 0) return waited(use, core);
  return peers_[static_cast<size_t>(core)][static_cast<size_t>(use.chip)];
}

std::vector<SerialStep> walk_in_order(const Launch& launch,
                                      const std::function<void(const SerialStep&)>& visit) {
  return SerialWalk(launch, visit).run();
}

}  // namespace tilewright
