#include "kernels/collective/closed_form.h"

#include <algorithm>
#include <bit>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/collective/all_reduce.h"

namespace tilewright {

namespace {

/// What the formulas are made of; us and bytes.
struct Terms {
  double ranks = 0, cores = 0, tile = 0;
  int64_t tiles = 0;       ///< of a core in a part
  double link = 0;         ///< of a tile over a link, alone
  double latency = 0;      ///< of a link
  double load = 0;         ///< of a tile that is in L2
  double load_fixed = 0;   ///< of that
  double first_load = 0;   ///< of one that is not
  double add = 0;          ///< one tile to another
  double store_fixed = 0;  ///< of a store
  double store = 0;        ///< of a tile to the own chip
  bool ahead = false;      ///< a load is asked for while the one before comes
};

double vector_us(const Machine& machine, double elements, DType type) {
  const auto repeats = [&](double width) {
    return elements * width / static_cast<double>(machine.vector.repeat_bytes);
  };
  const auto cost = [&](VectorOp op) {
    const VectorCost& entry = machine.vector.cost_of(op, false);
    return entry.head + entry.slope * repeats(4) + entry.tail;
  };
  const double converts = type == DType::kF32 ? 0 : 3 * cost(VectorOp::kConvert);
  return (converts + cost(VectorOp::kAdd)) / machine.cores.clock_mhz;
}

Terms terms_of(const Problem& problem, const Shares& shares, const Machine& machine) {
  const double clock = machine.cores.clock_mhz;
  Terms terms;
  terms.ranks = static_cast<double>(problem.size("ranks"));
  terms.cores = static_cast<double>(shares.cores);
  terms.tiles = shares.per_core;
  // A tile may be longer than what there is.
  const auto elements = static_cast<double>(std::min(shares.tile, shares.elements));
  terms.tile = elements * static_cast<double>(bytes_of(problem.types[0]));
  terms.link = terms.tile / (machine.fabric.link_gb_per_s * machine.fabric.efficiency * 1e3);
  terms.latency = machine.fabric.latency_us;
  terms.load = (machine.mte2.fixed_cycles + terms.tile / machine.mte2.ub_bytes_per_cycle) / clock;
  terms.load_fixed = machine.mte2.fixed_cycles / clock;
  terms.first_load = terms.load + machine.hbm.read_latency_cycles / clock;
  terms.ahead = terms.tile >= static_cast<double>(machine.mte2.lookahead_burst_bytes);
  terms.add = vector_us(machine, elements, problem.types[0]);
  terms.store_fixed = machine.mte3.fixed_cycles / clock;
  terms.store = terms.store_fixed + terms.tile / machine.mte3.bytes_per_cycle / clock;
  return terms;
}

/// Time between two visits of a customer to the same of `stations`, each of which serves all that
/// are there at once in fair shares.
double closed_cycle(int64_t customers, double stations, double service, double away) {
  double queue = 0;
  double cycle = 0;
  for (int64_t k = 1; k <= customers; ++k) {
    const double stay = service * (1 + queue);
    cycle = stations * stay + away;
    queue = static_cast<double>(k) * stay / cycle;
  }
  return cycle;
}

/// Links from a rank of the tree up to rank 0, at most: the ones in its number.
int64_t longest_way_up(int64_t ranks) {
  int longest = 0;
  for (int64_t rank = 1; rank < ranks; ++rank) {
    longest = std::max(longest, std::popcount(static_cast<uint64_t>(rank)));
  }
  return longest;
}

double ring_us(const Terms& terms, const CollectiveKernel& kernel, int64_t depth) {
  const double steps = terms.ranks - 1;
  const bool sums = kernel.name() != "all_gather";
  const bool gathers = kernel.name() != "reduce_scatter";
  const double tile = terms.cores * terms.link + terms.store_fixed;
  const double way = tile + terms.latency;
  // The own tile of the next step comes while the sum is on its way.
  const double adding = terms.load + std::max(terms.first_load, terms.add + way);
  double total = terms.first_load + (sums && !gathers ? terms.add + terms.store : 0);
  for (int64_t first = 0; first < terms.tiles; first += depth) {
    const double links = static_cast<double>(std::min(depth, terms.tiles - first)) * tile;
    if (sums) total += steps * std::max(links, adding);
    if (gathers) total += steps * std::max(links, terms.load + way);
  }
  return total;
}

double tree_us(const Terms& terms) {
  const auto ranks = static_cast<int64_t>(terms.ranks);
  const auto up = static_cast<double>(longest_way_up(ranks));
  const auto down = static_cast<double>(tree_levels(ranks));
  const double way = terms.cores * terms.link + terms.store_fixed + terms.latency;
  return terms.first_load +
         static_cast<double>(terms.tiles) * ((up + down) * (way + terms.load) + up * terms.add);
}

/// What a core waits for a tile of all ranks while it uses no link. Behind its own tile, which is
/// short, and before all loads that are not asked for ahead, a load waits for its request and its
/// answer; `cold`: and for the HBM of the other chip.
double waits_for_a_tile(const Terms& terms, bool cold) {
  const double others = terms.ranks - 1;
  const double shared = terms.cores / others * terms.link;
  const double round_trip = 2 * terms.latency;
  const double own = terms.ahead ? terms.load : terms.first_load;
  const double first = terms.ahead ? std::max(0.0, round_trip - own) : round_trip;
  const double next = terms.ahead ? std::max(0.0, round_trip - shared) : round_trip;
  const double hbm = cold && !terms.ahead ? terms.first_load - terms.load : 0;
  return own + first + (others - 1) * next + others * (terms.load_fixed + hbm);
}

double direct_load_us(const Terms& terms, bool twice, bool cold) {
  const double others = terms.ranks - 1;
  const auto tiles = static_cast<double>(terms.tiles);
  const double waits = waits_for_a_tile(terms, cold);
  const double loads = tiles * (terms.cores * terms.link + waits) + others * terms.add;
  if (!twice) return loads + terms.store;
  // The stores of a tile use the links beside the loads of the next.
  return loads + tiles * terms.cores * terms.link + others * terms.store_fixed + terms.store +
         terms.latency;
}

double direct_store_us(const Terms& terms, const Shares& shares) {
  const int64_t on_link = std::max<int64_t>(1, shares.cores / shares.lanes);
  const auto ways = static_cast<double>(std::max<int64_t>(1, shares.lanes / shares.cores));
  return terms.first_load + terms.latency +
         static_cast<double>(terms.tiles) * ways *
             closed_cycle(on_link, 1, terms.link, terms.store_fixed);
}

/// Bytes of the busiest link over its bandwidth.
double links_us(const CollectiveKernel& kernel, const Problem& problem, Exchange exchange,
                const Machine& machine) {
  const auto ranks = static_cast<double>(problem.size("ranks"));
  const double bytes = static_cast<double>(problem.size("elements")) *
                       static_cast<double>(bytes_of(problem.types[0]));
  const double whole = bytes / (machine.fabric.link_gb_per_s * machine.fabric.efficiency * 1e3);
  if (exchange == Exchange::kDirect) return whole;
  if (exchange == Exchange::kDirectTwice) return 2 * whole / ranks;
  if (exchange == Exchange::kTree) {
    const int64_t count = problem.size("ranks");
    return whole * static_cast<double>(longest_way_up(count) + tree_levels(count));
  }
  return kernel.name() == "all_reduce" ? 2 * (ranks - 1) / ranks * whole : (ranks - 1) * whole;
}

}  // namespace

CollectiveTime closed_form(const CollectiveKernel& kernel, const Problem& problem,
                           const Config& config, const Machine& machine) {
  if (machine.fabric.topology != Topology::kFullMesh) {
    throw Error(ErrorKind::kUsage, "the closed form of a collective is one for a full mesh, not " +
                                       std::string(name_of(machine.fabric.topology)));
  }
  const Exchange exchange = exchange_of(config);
  const Shares shares = kernel.shares_of(problem, config);
  const Terms terms = terms_of(problem, shares, machine);
  const bool loads = kernel.name() == "all_reduce" || kernel.name() == "reduce_scatter";
  double total = 0;
  if (exchange == Exchange::kRing) {
    total = ring_us(terms, kernel, config.at("depth"));
  } else if (exchange == Exchange::kTree) {
    total = tree_us(terms);
  } else if (loads) {
    // A tile of all ranks' inputs is in L2 once its own chip has loaded it.
    const bool twice = exchange == Exchange::kDirectTwice;
    total = direct_load_us(terms, twice, twice || kernel.name() == "reduce_scatter");
  } else {
    total = direct_store_us(terms, shares);
  }
  CollectiveTime time;
  time.launch_us =
      machine.launch.launch_us + machine.launch.dispatch_cycles / machine.cores.clock_mhz;
  time.links_us = links_us(kernel, problem, exchange, machine);
  time.waits_us = total - time.links_us;
  return time;
}

}  // namespace tilewright
