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
  for (auto& groups : consumers) groups.resize(static_cast<size_t>(machine_.cores.aic));
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
            const int group = whole ? 0 : cores_[c].program->group;
            consumers[static_cast<size_t>(use.flag)][static_cast<size_t>(group)].insert(
                static_cast<int>(c));
          }
        }
      }
    }
  }
  const FlagSet from_start{launch_ticks_, 0, 0, Pipe::kScalar};
  const auto fill = [&](LocalFlag& flag, int count) {
    for (int i = 0; i < count; ++i) flag.push(from_start);
  };
  is_direct_.assign(launch_.flags.size(), 0);
  direct_consumer_.resize(launch_.flags.size());
  for (size_t f = 0; f < launch_.flags.size(); ++f) {
    const Flag& flag = launch_.flags[f];
    TW_CHECK(flag.initial <= static_cast<int>(kFlagDepth), "initial sets fit the flag's counter");
    if (flag.scope == FlagScope::kCore) {
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
}

SharedFlag& DetailedTiming::shared_flag(int core, const StepFlag& use) {
  const int group =
      use.scope == FlagScope::kLaunch ? 0 : cores_[static_cast<size_t>(core)].program->group;
  return shared_[static_cast<size_t>(use.flag)][static_cast<size_t>(group)];
}

const FlagSet* DetailedTiming::find_set(int core, const StepFlag& use) {
  if (use.scope == FlagScope::kCore || is_direct_[static_cast<size_t>(use.flag)]) {
    LocalFlag& local = cores_[static_cast<size_t>(core)].flags[static_cast<size_t>(use.flag)];
    return local.ready() ? &local.front() : nullptr;
  }
  SharedFlag& shared = shared_flag(core, use);
  return shared.ready(core) ? &shared.front(core) : nullptr;
}

int32_t DetailedTiming::missing_flag(int core, const Entry& entry) {
  for (uint8_t i = 0; i < entry.step->wait_count; ++i) {
    const StepFlag& use = entry.step->waits[i];
    if (applies(use, entry) && !find_set(core, use)) return use.flag;
  }
  return -1;
}

void DetailedTiming::flag_arrived(int core_id, int32_t flag) {
  Core& core = cores_[static_cast<size_t>(core_id)];
  for (size_t p = 0; p < core.pipes.size(); ++p) {
    if (core.pipes[p].missing_flag != flag) continue;
    core.pipes[p].missing_flag = -1;
    core.ready |= 1u << p;
  }
}

void DetailedTiming::take_flags(int core, const Entry& entry) {
  for (uint8_t i = 0; i < entry.step->wait_count; ++i) {
    const StepFlag& use = entry.step->waits[i];
    if (!applies(use, entry)) continue;
    if (use.scope == FlagScope::kCore || is_direct_[static_cast<size_t>(use.flag)]) {
      LocalFlag& local = cores_[static_cast<size_t>(core)].flags[static_cast<size_t>(use.flag)];
      paths_.release(local.front().node);
      local.pop();
      continue;
    }
    const int32_t node = shared_flag(core, use).pop(core);
    if (node >= 0) paths_.release(node);
  }
}

void DetailedTiming::set_flags(int core_id, const Entry& entry, int64_t end, int32_t node,
                               int64_t tail) {
  Core& core = cores_[static_cast<size_t>(core_id)];
  for (uint8_t i = 0; i < entry.step->set_count; ++i) {
    const StepFlag& use = entry.step->sets[i];
    if (!applies(use, entry)) continue;
    const FlagSet set{end, tail + flag_ticks_[static_cast<size_t>(use.scope)], node,
                      entry.step->pipe};
    const auto flag = static_cast<size_t>(use.flag);
    int owner = core_id;
    if (is_direct_[flag]) {
      owner = direct_consumer_[flag][static_cast<size_t>(core.program->group)];
      if (owner < 0) continue;  // nobody of this group waits for it
    }
    const bool is_local = use.scope == FlagScope::kCore || is_direct_[flag];
    LocalFlag* local = is_local ? &cores_[static_cast<size_t>(owner)].flags[flag] : nullptr;
    SharedFlag* shared = local ? nullptr : &shared_flag(core_id, use);
    if (local ? local->full() : shared->full(core_id)) {
      throw Error(
          ErrorKind::kFailed,
          fmt::format("launch {}: core {}: {}: flag {} is set more than {} times ahead of "
                      "its waits",
                      launch_.name, core_id, cache_.names()[static_cast<size_t>(entry.step->name)],
                      launch_.flags[static_cast<size_t>(use.flag)].name, kFlagDepth));
    }
    paths_.hold(node);
    if (local) {
      local->push(set);
      flag_arrived(owner, use.flag);
      if (owner != core_id) wake(owner);
      continue;
    }
    int32_t forgotten = -1;
    const bool complete = shared->push(core_id, set, forgotten);
    if (forgotten >= 0) paths_.release(forgotten);
    if (complete) {
      for (const auto& consumer : shared->consumers()) {
        flag_arrived(consumer.core, use.flag);
        wake(consumer.core);
      }
    }
  }
}

}  // namespace tilewright
