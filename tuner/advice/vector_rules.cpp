#include <fmt/format.h>

#include <array>

#include "core/base/format.h"
#include "tuner/advice/rules.h"

namespace tilewright {

namespace {

/// Whether a launch streams through UB alone.
bool streams(const Evidence& evidence) {
  return evidence.uses(Pipe::kVec) && !evidence.uses(Pipe::kCube);
}

/// Share of the time in which VEC waits for what is loaded.
double starves(const Evidence& evidence) {
  return evidence.waits_for_data(Pipe::kVec);
}

std::optional<Finding> deepen_ring(const Evidence& evidence) {
  const double waits = evidence.waits_for_space(Pipe::kMte2, Memory::kUb);
  if (!streams(evidence) || waits < kNoticed || starves(evidence) < kNoticed) return std::nullopt;
  return Finding{
      fmt::format("loads wait {} of the time for room in UB while VEC waits {} for what they bring",
                  format_share(waits), format_share(starves(evidence))),
      fmt::format("MTE2 waits for UB {}, busy {}; VEC busy {}, MTE3 busy {}", format_share(waits),
                  format_share(evidence.busy(Pipe::kMte2)), format_share(evidence.busy(Pipe::kVec)),
                  format_share(evidence.busy(Pipe::kMte3))),
      {{{{"buffers", Direction::kUp}}, {"tile_rows", "tile_cols"}}}};
}

std::optional<Finding> enlarge_transfers(const Evidence& evidence) {
  /// The Ascend C guide's size for full bandwidth.
  constexpr double kGoodTransfer = 16384;
  const auto loads = evidence.ops(Pipe::kMte2);
  if (!streams(evidence) || loads.count == 0 || loads.bytes_each() >= kGoodTransfer) {
    return std::nullopt;
  }
  const double moving = evidence.path(Cause::busy(Pipe::kMte2)) + evidence.path(Cause::hbm()) +
                        evidence.path(Cause::l2()) + evidence.path(Cause::busy(Pipe::kMte3));
  if (moving < kNoticed) return std::nullopt;
  return Finding{
      fmt::format("transfers of {} do not reach the memory's rate and take {} of the critical path",
                  format_bytes(loads.bytes_each()), format_share(moving)),
      fmt::format("{} loads of {} take {:.0f} cycles each; {} reach full bandwidth",
                  format_count(static_cast<int64_t>(loads.count)), format_bytes(loads.bytes_each()),
                  loads.cycles_each(), format_bytes(kGoodTransfer)),
      {{{{"tile_rows", Direction::kUp}, {"tile_cols", Direction::kUp}}, {"buffers"}}}};
}

std::optional<Finding> shorten_pieces(const Evidence& evidence) {
  const double exposed = evidence.engine(Cause::fill()) + evidence.engine(Cause::drain());
  if (!streams(evidence) || exposed < kNoticed) return std::nullopt;
  return Finding{
      fmt::format("{} of the time VEC waits for its first tile or the last one is stored",
                  format_share(exposed)),
      fmt::format("fill {}, drain {}; loads of {}", format_share(evidence.engine(Cause::fill())),
                  format_share(evidence.engine(Cause::drain())),
                  format_bytes(evidence.ops(Pipe::kMte2).bytes_each())),
      {{{{"tile_rows", Direction::kDown}, {"tile_cols", Direction::kDown}}, {}}}};
}

std::optional<Finding> part_banks(const Evidence& evidence) {
  const double lost = evidence.loses(Pipe::kVec, "conflict");
  if (!streams(evidence) || lost < kNoticed) return std::nullopt;
  return Finding{fmt::format("operands meet in the same banks of UB, which costs {} of the time",
                             format_share(lost)),
                 fmt::format("VEC loses {} to conflicts and is busy {}", format_share(lost),
                             format_share(evidence.busy(Pipe::kVec))),
                 {{{{"tile_rows", Direction::kAny}, {"tile_cols", Direction::kAny}}, {"buffers"}}}};
}

std::optional<Finding> fewer_handovers(const Evidence& evidence) {
  const double crossing = evidence.path(Cause::handover()) + evidence.engine(Cause::handover());
  if (!evidence.uses(Pipe::kCube) || !evidence.uses(Pipe::kVec) || crossing < kNoticed) {
    return std::nullopt;
  }
  const auto products = evidence.ops(Pipe::kCube);
  return Finding{
      fmt::format("handing tiles over between cube and vector cores takes {} of the critical path",
                  format_share(evidence.path(Cause::handover()))),
      fmt::format("each of them costs {:.0f} cycles, a product {:.0f}; CUBE busy {}, VEC busy {}",
                  evidence.machine.sync.handover_cycles, products.cycles_each(),
                  format_share(evidence.busy(Pipe::kCube)),
                  format_share(evidence.busy(Pipe::kVec))),
      {{{{"tile_q", Direction::kUp}, {"tile_kv", Direction::kUp}}, {"tile_q", "tile_kv"}}}};
}

std::optional<Finding> widen_softmax(const Evidence& evidence) {
  if (!evidence.uses(Pipe::kCube) || !evidence.uses(Pipe::kVec)) return std::nullopt;
  const double vector = evidence.busy(Pipe::kVec);
  const double cube = evidence.busy(Pipe::kCube);
  if (vector < cube + kNoticed) return std::nullopt;
  const auto ops = evidence.ops(Pipe::kVec);
  return Finding{fmt::format("softmax keeps VEC busy {} of the time and CUBE only {}",
                             format_share(vector), format_share(cube)),
                 fmt::format("{} vector instructions of {:.0f} cycles each",
                             format_count(static_cast<int64_t>(ops.count)), ops.cycles_each()),
                 {{{{"tile_q", Direction::kAny}, {"tile_kv", Direction::kAny}}, {}}}};
}

constexpr std::array kRules = {
    AdviceFinder{{"deepen_ring", "more tiles in UB where loads wait for room"}, deepen_ring},
    AdviceFinder{{"enlarge_transfers", "larger tiles where transfers are short"},
                 enlarge_transfers},
    AdviceFinder{{"shorten_pieces", "smaller tiles where the first and last do not overlap"},
                 shorten_pieces},
    AdviceFinder{{"part_banks", "another tile where vector operands meet in banks"}, part_banks},
    AdviceFinder{
        {"fewer_handovers", "larger tiles where cube and vector cores wait for each other"},
        fewer_handovers},
    AdviceFinder{{"widen_softmax", "another tile where softmax takes longer than the products"},
                 widen_softmax},
};

}  // namespace

std::span<const AdviceFinder> vector_rules() {
  return kRules;
}

}  // namespace tilewright
