#include "tuner/advice/launch_estimate.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "simulator/cost.h"
#include "simulator/memory.h"
#include "simulator/steps.h"
#include "simulator/timing.h"
#include "tuner/advice/group_clock.h"
#include "tuner/advice/launch_traffic.h"

namespace tilewright {

namespace {

/// Cores that are looked at as one: by group where cores hand over to each other, else one by one.
std::vector<std::vector<size_t>> groups_of(const Launch& launch) {
  const bool hands_over = std::ranges::any_of(
      launch.flags, [](const Flag& flag) { return flag.scope == FlagScope::kGroup; });
  std::vector<std::vector<size_t>> groups;
  for (size_t core = 0; core < launch.cores.size(); ++core) {
    if (!hands_over) {
      groups.push_back({core});
      continue;
    }
    const auto group = static_cast<size_t>(launch.cores[core].group);
    if (groups.size() <= group) groups.resize(group + 1);
    groups[group].push_back(core);
  }
  std::erase_if(groups, [](const std::vector<size_t>& group) { return group.empty(); });
  return groups;
}

/// The first group, the one in the middle, the last, and the one with the most tasks: one of them
/// ends last, or nearly.
std::vector<size_t> busiest(const Launch& launch, const std::vector<std::vector<size_t>>& groups) {
  const auto work = [&](const std::vector<size_t>& group) {
    size_t tasks = 0;
    for (const size_t core : group) tasks += launch.cores[core].tasks.size();
    return tasks;
  };
  std::set<size_t> chosen = {0, groups.size() - 1, groups.size() / 2};
  size_t most = 0;
  for (size_t g = 1; g < groups.size(); ++g) {
    if (work(groups[g]) > work(groups[most])) most = g;
  }
  chosen.insert(most);
  return {chosen.begin(), chosen.end()};
}

/// What a core gets of its own rate on a port of `rate` bytes a cycle, which `cores` want `each` of
/// for a share `use` of the time, each at times of its own: the number of the others that are there
/// at a moment is binomial.
double share_of(double rate, double each, double cores, double use) {
  use = std::clamp(use, 0.0, 1.0);
  const auto others = static_cast<int>(cores) - 1;
  double slowdown = 0;
  for (int k = 0; k <= others; ++k) {
    const double chance =
        std::exp(std::lgamma(others + 1.0) - std::lgamma(k + 1.0) - std::lgamma(others - k + 1.0)) *
        std::pow(use, k) * std::pow(1 - use, others - k);
    slowdown += chance * std::max(1.0, (k + 1) * each / rate);
  }
  return slowdown > 0 ? 1 / slowdown : 1;
}

MemoryShares shares_of(const Launch& launch, const Machine& machine,
                       const GroupClock::Result& use) {
  double reads = 0, writes = 0, cores = 0;
  for (const CoreProgram& core : launch.cores) {
    const bool aic = core.kind == CoreKind::kAic;
    cores += 1;
    reads += aic ? machine.mte2.l1_bytes_per_cycle : machine.mte2.ub_bytes_per_cycle;
    writes += aic ? machine.fixpipe.bytes_per_cycle : machine.mte3.bytes_per_cycle;
  }
  MemoryShares shares;
  shares.read = share_of(machine.l2.read_bytes_per_cycle, reads / cores, cores, use.reading);
  shares.write = share_of(machine.l2.write_bytes_per_cycle, writes / cores, cores, use.writing);
  shares.hbm_cores = cores * use.fetching;
  return shares;
}

}  // namespace

int64_t estimate_ticks(const Launch& launch, const Machine& machine) {
  if (launch.cores.empty()) return launch_ticks_of(machine);
  // What chips do to each other over links is no sum of what each does.
  if (chip_count(launch) > 1) return time_detailed(launch, machine).ticks;
  const LaunchTraffic traffic = traffic_of(launch, machine);
  StepCache steps(launch, machine);
  const std::vector<std::vector<size_t>> groups = groups_of(launch);
  const std::vector<size_t> chosen = busiest(launch, groups);
  // First as if all cores always used the memory, then as much as that says they do.
  GroupClock::Result use{0, 1, 1, 1};
  int64_t end = 0;
  for (int pass = 0; pass < 2; ++pass) {
    GroupClock clock(launch, machine, traffic, steps, shares_of(launch, machine, use));
    end = 0;
    GroupClock::Result most;
    for (const size_t g : chosen) {
      const GroupClock::Result result = clock.play(groups[g]);
      end = std::max(end, result.end);
      if (result.end >= most.end) most = result;
    }
    use = most;
  }
  const int64_t hbm = to_ticks(traffic.hbm_bytes / hbm_bytes_per_cycle(machine));
  return std::max(end, launch_ticks_of(machine) + hbm);
}

}  // namespace tilewright
