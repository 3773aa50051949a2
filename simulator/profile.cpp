#include "simulator/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/text.h"

namespace tilewright {

namespace {

/// Reasons to wait beside the launch's flags, numbered behind them.
enum OtherReason : size_t { kIssue, kHbm, kL2, kConflict, kLink, kOtherReasons };

constexpr std::array kKinds = {CoreKind::kAic, CoreKind::kAiv};

bool ran(const CoreCounters& core) {
  return std::ranges::any_of(core.instructions, [](int64_t count) { return count > 0; });
}

/// The pipes whose instructions set a flag: "MTE2", "MTE2/VEC"; "" for a flag that nobody sets.
std::string setters_of(const Launch& launch, int flag) {
  std::array<bool, kPipeCount> sets{};
  for (const Template& body : launch.templates) {
    for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
      for (const Instruction& instruction : *list) {
        for (const FlagUse& use : instruction.sets) {
          if (use.flag == flag) sets[static_cast<size_t>(instruction.pipe())] = true;
        }
      }
    }
  }
  std::vector<std::string> names;
  for (int pipe = 0; pipe < kPipeCount; ++pipe) {
    if (sets[static_cast<size_t>(pipe)]) names.emplace_back(name_of(static_cast<Pipe>(pipe)));
  }
  return join(names, "/");
}

}  // namespace

void ProfileSink::begin(const TimelineLanes& lanes) {
  ops_.assign(lanes.names.size(), {});
  for (size_t i = 0; i < ops_.size(); ++i) ops_[i].name = lanes.names[i];
  waits_.assign(kKinds.size() * kPipeCount, Sums(launch_.flags.size() + kOtherReasons));
  lanes_.assign(launch_.cores.size() * kPipeCount, {});
}

void ProfileSink::add(const TimelineEvent& event) {
  OpProfile& op = ops_[static_cast<size_t>(event.name)];
  op.kind = launch_.cores[static_cast<size_t>(event.core)].kind;
  op.pipe = event.pipe;
  ++op.count;
  op.ticks += event.end - event.start;
  op.bytes += event.bytes;
  op.flops += event.flops;

  const size_t others = launch_.flags.size();
  const size_t reason = idle_cause(event.reason) == IdleCause::kFlag
                            ? static_cast<size_t>(event.flag)
                            : others + kIssue;
  Lane& lane = lanes_[lane_of(event.core, event.pipe)];
  Sums& sums = waits_[sums_of(event.core, event.pipe)];
  if (lane.free_at < 0) {
    lane.first_start = event.start;
    lane.first_reason = reason;
  } else {
    sums[reason].add(event.start - lane.free_at);
  }
  lane.free_at = event.end;
  sums[others + kHbm].add(event.hbm_ticks);
  sums[others + kL2].add(event.l2_ticks);
  sums[others + kConflict].add(event.conflict_ticks);
  sums[others + kLink].add(event.link_ticks);
}

std::string ProfileSink::name_of_wait(size_t reason) const {
  const size_t flags = launch_.flags.size();
  if (reason < flags) {
    return fmt::format("flag {} of {}", launch_.flags[reason].name,
                       setters_of(launch_, static_cast<int>(reason)));
  }
  constexpr const char* kNames[] = {"issue", "hbm", "l2", "conflict", "link"};
  return kNames[reason - flags];
}

void ProfileSink::add_pipes(LaunchProfile& profile, int64_t launch_ticks) const {
  for (const CoreKind kind : kKinds) {
    for (int p = 0; p < kPipeCount; ++p) {
      PipeProfile pipe;
      pipe.kind = kind;
      pipe.pipe = static_cast<Pipe>(p);
      int64_t instructions = 0;
      for (const CoreCounters& core : profile.timing.cores) {
        if (core.kind != kind || !ran(core)) continue;
        const auto i = static_cast<size_t>(p);
        ++pipe.cores;
        pipe.busy_ticks += core.busy_ticks[i];
        pipe.wait_ticks += core.wait_ticks[i];
        instructions += core.instructions[i];
      }
      pipe.idle_ticks =
          pipe.cores * (profile.timing.ticks - launch_ticks) - pipe.busy_ticks - pipe.wait_ticks;
      if (instructions > 0) profile.pipes.push_back(pipe);
    }
  }
}

void ProfileSink::add_waits(LaunchProfile& profile, int64_t launch_ticks) const {
  std::vector<Sums> waits = waits_;
  for (size_t core = 0; core < launch_.cores.size(); ++core) {
    for (int p = 0; p < kPipeCount; ++p) {
      const auto pipe = static_cast<Pipe>(p);
      const Lane& lane = lanes_[lane_of(static_cast<int>(core), pipe)];
      if (lane.free_at < 0) continue;
      waits[sums_of(static_cast<int>(core), pipe)][lane.first_reason].add(lane.first_start -
                                                                          launch_ticks);
    }
  }
  for (size_t at = 0; at < waits.size(); ++at) {
    for (size_t reason = 0; reason < waits[at].size(); ++reason) {
      const Sum& sum = waits[at][reason];
      if (sum.count == 0) continue;
      profile.waits.push_back({kKinds[at / kPipeCount], static_cast<Pipe>(at % kPipeCount),
                               name_of_wait(reason), sum.count, sum.ticks});
    }
  }
  std::ranges::stable_sort(profile.waits, std::greater(), &WaitProfile::ticks);
}

LaunchProfile ProfileSink::profile(const TimingResult& timing) const {
  LaunchProfile profile;
  profile.timing = timing;
  for (const OpProfile& op : ops_) {
    if (op.count > 0) profile.ops.push_back(op);
  }
  // Every critical path begins with the whole launch and dispatch.
  const int64_t launch_ticks = timing.critical_path.ticks[Cause::launch().id()];
  add_pipes(profile, launch_ticks);
  add_waits(profile, launch_ticks);
  return profile;
}

LaunchProfile profile_launch(const Launch& launch, const Machine& machine, TimelineSink* beside) {
  ProfileSink sink(launch);
  std::optional<TeeSink> both;
  if (beside) both.emplace(sink, *beside);
  const TimingResult timing =
      time_detailed(launch, machine, both ? static_cast<TimelineSink*>(&*both) : &sink);
  return sink.profile(timing);
}

}  // namespace tilewright
