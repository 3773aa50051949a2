#include "tuner/advice/evidence.h"

#include <fmt/format.h>

#include <algorithm>

namespace tilewright {

double Evidence::share(const Breakdown& breakdown, Cause cause) const {
  const auto whole = static_cast<double>(std::max<int64_t>(1, profile.timing.ticks));
  return static_cast<double>(breakdown.ticks[cause.id()]) / whole;
}

bool Evidence::uses(Pipe pipe) const {
  return std::ranges::any_of(profile.pipes,
                             [&](const PipeProfile& each) { return each.pipe == pipe; });
}

double Evidence::busy(Pipe pipe) const {
  double ticks = 0, cores = 0;
  for (const PipeProfile& each : profile.pipes) {
    if (each.pipe != pipe) continue;
    ticks += static_cast<double>(each.busy_ticks);
    cores += static_cast<double>(each.cores);
  }
  return cores > 0 ? ticks / cores / static_cast<double>(profile.timing.ticks) : 0;
}

double Evidence::waits(Pipe pipe, const std::function<bool(std::string_view)>& reason) const {
  double cores = 0;
  for (const PipeProfile& each : profile.pipes) {
    if (each.pipe == pipe) cores += static_cast<double>(each.cores);
  }
  if (cores == 0) return 0;
  double ticks = 0;
  for (const WaitProfile& wait : profile.waits) {
    if (wait.pipe == pipe && reason(wait.on)) ticks += static_cast<double>(wait.ticks);
  }
  return ticks / cores / static_cast<double>(profile.timing.ticks);
}

double Evidence::waits_for_flags(Pipe pipe, FlagMeaning meaning, Memory space) const {
  return waits(pipe, [&](std::string_view on) {
    return std::ranges::any_of(launch.flags, [&](const Flag& flag) {
      return flag.meaning == meaning && (meaning == FlagMeaning::kData || flag.space == space) &&
             on.starts_with(fmt::format("flag {} of ", flag.name));
    });
  });
}

double Evidence::waits_for_data(Pipe pipe) const {
  return waits_for_flags(pipe, FlagMeaning::kData, Memory::kGm);
}

double Evidence::waits_for_space(Pipe pipe, Memory space) const {
  return waits_for_flags(pipe, FlagMeaning::kSpace, space);
}

double Evidence::loses(Pipe pipe, std::string_view reason) const {
  return waits(pipe, [&](std::string_view on) { return on == reason; });
}

Evidence::Ops Evidence::ops(Pipe pipe) const {
  Ops sum;
  for (const OpProfile& op : profile.ops) {
    if (op.pipe != pipe) continue;
    sum.count += static_cast<double>(op.count);
    sum.bytes += static_cast<double>(op.bytes);
    sum.flops += static_cast<double>(op.flops);
    sum.cycles += static_cast<double>(op.ticks) / static_cast<double>(kTicksPerCycle);
  }
  return sum;
}

int64_t Evidence::working(CoreKind kind) const {
  for (const PipeProfile& each : profile.pipes) {
    if (each.kind == kind) return each.cores;
  }
  return 0;
}

int64_t Evidence::available(CoreKind kind) const {
  return machine.cores.aic * (kind == CoreKind::kAic ? 1 : machine.cores.aiv_per_aic);
}

double Evidence::imbalance() const {
  double ends = 0, last = 0, cores = 0;
  for (const CoreCounters& core : profile.timing.cores) {
    const bool ran =
        std::ranges::any_of(core.instructions, [](int64_t count) { return count > 0; });
    if (core.kind != kind() || !ran) continue;
    const auto end = static_cast<double>(core.end_ticks);
    ends += end;
    last = std::max(last, end);
    cores += 1;
  }
  if (cores == 0) return 0;
  return (last - ends / cores) / static_cast<double>(std::max<int64_t>(1, profile.timing.ticks));
}

}  // namespace tilewright
