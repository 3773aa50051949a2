#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "simulator/detailed.h"

// Flags of the detailed timing: where they live, whether they are set, taking and setting them.

namespace tilewright {

void DetailedTiming::set_up_flags() {
  shared_.resize(launch_.flags.size());
  // consumers[flag][group]: cores with an instruction that waits for the flag.
  std::vector<std::vector<std::set<int>>> consumers(launch_.flags.size());
  const auto group_count = static_cast<size_t>(machine_.cores.aic * chip_count(launch_));
  for (auto& groups : consumers) groups.resize(group_count);
  if (has_peer_flags(launch_)) peers_ = peers_of(launch_);
  for (size_t c = 0; c < cores_.size(); ++c) {
    std::set<int> seen;
    for (const CoreProgram::Task& task : cores_[c].program->tasks) {
      if (!seen.insert(task.template_id).second) continue;
      const Template& body = launch_.templates[static_cast<size_t>(task.template_id)];
      for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
        for (const Instruction& instruction : *list) {
          for (const FlagUse& use : instruction.waits) {
            if (use.flag < 0) continue;
            const bool whole =
                launch_.flags[static_cast<size_t>(use.flag)].scope == FlagScope::kLaunch;
            const size_t group = whole ? 0 : cores_[c].group;
            consumers[static_cast<size_t>(use.flag)][group].insert(static_cast<int>(c));
          }
        }
      }
    }
  }
  const FlagSet from_start{launch_ticks_, 0, Pipe::kScalar};
  const auto fill = [&](LocalFlag& flag, int count) {
    for (int i = 0; i < count; ++i) flag.push(from_start.time, from_start.from, from_start.setter);
  };
  is_direct_.assign(launch_.flags.size(), 0);
  direct_consumer_.resize(launch_.flags.size());
  for (size_t f = 0; f < launch_.flags.size(); ++f) {
    const Flag& flag = launch_.flags[f];
    TW_CHECK(flag.initial <= static_cast<int>(kFlagDepth), "initial sets fit the flag's counter");
    if (flag.scope == FlagScope::kCore || flag.scope == FlagScope::kPeer) {
      is_direct_[f] = flag.scope == FlagScope::kPeer;
      for (Core& core : cores_) fill(core.flags[f], flag.initial);
      continue;
    }
    is_direct_[f] = flag.scope == FlagScope::kGroup && flag.producers == 1 &&
                    std::all_of(consumers[f].begin(), consumers[f].end(),
                                [](const std::set<int>& members) { return members.size() <= 1; });
    for (const std::set<int>& members : consumers[f]) {
      if (is_direct_[f]) {
        direct_consumer_[f].push_back(members.empty() ? -1 : *members.begin());
        if (!members.empty()) {
          fill(cores_[static_cast<size_t>(*members.begin())].flags[f], flag.initial);
        }
      } else {
        shared_[f].emplace_back(flag.producers, std::vector<int>(members.begin(), members.end()),
                                static_cast<uint32_t>(flag.initial), from_start);
      }
    }
  }
  cache_.set_local_flags(is_direct_);
}

SharedFlag& DetailedTiming::shared_flag(const Core& core, const StepFlag& use) {
  const size_t group = use.scope == FlagScope::kLaunch ? 0 : core.group;
  return shared_[static_cast<size_t>(use.flag)][group];
}

const FlagSet* DetailedTiming::find_far_set(const Core& core, const StepFlag& use) {
  const SharedFlag& shared = shared_flag(core, use);
  return shared.ready(core.id) ? &shared.front(core.id) : nullptr;
}

bool DetailedTiming::flags_are_set(Core& core, const Entry& entry) {
  for (uint8_t i = 0; i < entry.step->wait_count; ++i) {
    const StepFlag& use = entry.step->waits[i];
    if ((use.when & entry.when) != 0 && !find_set(core, use)) return false;
  }
  return true;
}

void DetailedTiming::push_flag(int owner, const Core& setter, const Step& step, const StepFlag& use,
                               const FlagSet& set) {
  Core& waiting = cores_[static_cast<size_t>(owner)];
  LocalFlag& flag = waiting.flags[use.flag];
  if (flag.full()) report_full_flag(setter, step, use);
  flag.push(set.time, set.from, set.setter);
  waiting.ready |= flag.wake();
  wake(owner);
}

void DetailedTiming::set_peer_flag(const Core& core, const Step& step, const StepFlag& use,
                                   const FlagSet& set) {
  FlagSet arrived = set;
  arrived.time += memory_.latency(core.program->chip, use.chip);
  const int peer = peers_[static_cast<size_t>(core.id)][static_cast<size_t>(use.chip)];
  push_flag(peer, core, step, use, arrived);
}

void DetailedTiming::set_far_flag(const Core& core, const Step& step, const StepFlag& use,
                                  const FlagSet& set) {
  const auto flag = static_cast<size_t>(use.flag);
  if (use.scope == FlagScope::kPeer) return set_peer_flag(core, step, use, set);
  if (use.local) {
    const int owner = direct_consumer_[flag][core.group];
    if (owner >= 0) push_flag(owner, core, step, use, set);  // else nobody of this group waits
    return;
  }
  SharedFlag& shared = shared_flag(core, use);
  if (shared.full(core.id)) report_full_flag(core, step, use);
  if (!shared.push(core.id, set)) return;
  for (const auto& consumer : shared.consumers()) {
    Core& waiting = cores_[static_cast<size_t>(consumer.core)];
    waiting.ready |= waiting.flags[flag].wake();
    wake(consumer.core);
  }
}

void DetailedTiming::report_full_flag(const Core& core, const Step& step,
                                      const StepFlag& use) const {
  throw Error(ErrorKind::kFailed,
              fmt::format("launch {}: core {}: {}: flag {} is set more than {} times ahead of its "
                          "waits",
                          launch_.name, core.id, cache_.names()[static_cast<size_t>(step.name)],
                          launch_.flags[static_cast<size_t>(use.flag)].name, kFlagDepth));
}

}  // namespace tilewright
