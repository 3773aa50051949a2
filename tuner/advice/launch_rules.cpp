#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/format.h"
#include "tuner/advice/rules.h"

namespace tilewright {

namespace {

std::optional<Finding> balance_waves(const Evidence& evidence) {
  const double idle = evidence.imbalance();
  if (idle < kNoticed) return std::nullopt;
  size_t most = 0, least = SIZE_MAX;
  for (const CoreProgram& core : evidence.launch.cores) {
    if (core.kind != evidence.kind()) continue;
    most = std::max(most, core.tasks.size());
    least = std::min(least, core.tasks.size());
  }
  return Finding{
      fmt::format("cores stand still {} of the time until the last one ends", format_share(idle)),
      fmt::format("{} {} cores worked, with {} to {} tasks each", evidence.working(evidence.kind()),
                  name_of(evidence.kind()), least, most),
      {{{{"tile_m", Direction::kNear}, {"tile_n", Direction::kNear}},
        {"tile_k0", "tile_k", "l0c_buffers", "core_rows", "swizzle", "split_k"}},
       {{{"core_rows", Direction::kAny}, {"swizzle", Direction::kAny}}},
       {{{"tile_rows", Direction::kNear}, {"tile_cols", Direction::kNear}}, {"buffers"}},
       {{{"tile_q", Direction::kNear}, {"tile_kv", Direction::kNear}}}}};
}

std::optional<Finding> use_more_cores(const Evidence& evidence) {
  const int64_t working = evidence.working(evidence.kind());
  const int64_t available = evidence.available(evidence.kind());
  if (working == 0 || working >= available) return std::nullopt;
  return Finding{
      fmt::format("only {} of {} {} cores have work", working, available, name_of(evidence.kind())),
      fmt::format("verdict {}: {}", name_of(evidence.roofline.verdict), evidence.roofline.reason),
      {{{{"tile_m", Direction::kDown}, {"tile_n", Direction::kDown}}, {"core_rows", "swizzle"}},
       {{{"core_rows", Direction::kAny}, {"swizzle", Direction::kAny}}},
       {{{"split_k", Direction::kUp}}, {"tile_k", "tile_k0", "core_rows", "swizzle"}},
       {{{"cores", Direction::kUp}}, {"tile_rows"}},
       {{{"tile_rows", Direction::kDown}, {"tile_cols", Direction::kDown}}},
       {{{"tile_q", Direction::kDown}}, {}}}};
}

std::optional<Finding> issue_less(const Evidence& evidence) {
  const double waits = std::max(evidence.path(Cause::issue()), evidence.engine(Cause::issue()));
  if (waits < kNoticed) return std::nullopt;
  double instructions = 0;
  for (const OpProfile& op : evidence.profile.ops) instructions += static_cast<double>(op.count);
  return Finding{
      fmt::format("pipes wait {} of the time until SCALAR issues their instructions",
                  format_share(waits)),
      fmt::format("{} instructions, {:.0f} cycles to issue each, a queue holds {}",
                  format_count(static_cast<int64_t>(instructions)),
                  evidence.machine.scalar.issue_cycles, evidence.machine.scalar.queue_depth),
      {{{{"tile_k0", Direction::kUp}, {"tile_k", Direction::kUp}}},
       {{{"tile_m", Direction::kUp}}, {"tile_k0", "tile_k", "core_rows", "swizzle"}},
       {{{"tile_n", Direction::kUp}}, {"tile_k0", "tile_k", "core_rows", "swizzle"}},
       {{{"tile_rows", Direction::kUp}, {"tile_cols", Direction::kUp}}, {"buffers"}},
       {{{"tile_q", Direction::kUp}, {"tile_kv", Direction::kUp}}, {"tile_q", "tile_kv"}}}};
}

std::optional<Finding> amortise_launch(const Evidence& evidence) {
  /// Below this the launch is what any kernel pays.
  constexpr double kLong = 0.15;
  const double launch = evidence.path(Cause::launch());
  if (launch < kLong) return std::nullopt;
  return Finding{
      fmt::format("launch and dispatch take {} of the time", format_share(launch)),
      fmt::format("{} of {} pass before the cores begin", format_us(launch * evidence.us()),
                  format_us(evidence.us())),
      {},
      {},
      {},
      "no config changes what a launch costs: fuse the op with its neighbours, or give a launch "
      "more rows"};
}

std::optional<Finding> at_the_roof(const Evidence& evidence) {
  const Verdict verdict = evidence.roofline.verdict;
  if (verdict != Verdict::kComputeBound && verdict != Verdict::kMemoryBound) return std::nullopt;
  const auto& components = evidence.roofline.components;
  const ComponentUse& used = *std::ranges::max_element(components, {}, &ComponentUse::utilisation);
  return Finding{fmt::format("{} is used to {} of its peak: the launch is at the roof",
                             name_of(used.component), format_share(used.utilisation())),
                 fmt::format("verdict {}: {}", name_of(verdict), evidence.roofline.reason),
                 {},
                 {},
                 {},
                 fmt::format("at most {} is left to gain on {}",
                             format_share(1 - used.utilisation()), name_of(used.component))};
}

constexpr std::array kRules = {
    AdviceFinder{{"balance_waves", "tiles that divide evenly where cores wait for the last one"},
                 balance_waves},
    AdviceFinder{{"use_more_cores", "smaller tiles where cores have no work"}, use_more_cores},
    AdviceFinder{{"issue_less", "larger instructions where pipes wait for SCALAR"}, issue_less},
    AdviceFinder{{"amortise_launch", "more work a launch where launching takes long"},
                 amortise_launch},
    AdviceFinder{{"at_the_roof", "says what bounds a launch that cannot be much faster"},
                 at_the_roof},
};

}  // namespace

std::span<const AdviceFinder> launch_rules() {
  return kRules;
}

}  // namespace tilewright
