#pragma once

#include "core/machine/machine.h"
#include "kernels/collective/collective.h"

namespace tilewright {

/// What a collective takes on a full mesh of links, by a formula instead of a simulation; us.
///
/// The alpha-beta model of point-to-point messages (Thakur, Rabenseifner and Gropp, Optimization of
/// Collective Communication Operations in MPICH, 2005) with what a core adds to every message. Of a
/// vector of S bytes, n ranks, links of B bytes a us, C cores with tiles of t bytes, P tiles a
/// core:
///
///   a = latency of a link;  o = load of a tile that has come, its sum, fixed costs of the store
///   ring, s steps (all-reduce 2 (n - 1), others n - 1), rounds of d tiles:
///       s * sum over rounds of max(d C t / B, C t / B + a + o)
///     -> s S / (n B) for large S, s (a + o) for small
///   tree of l = ceil(log2 n) levels, a tile a round:  2 l P (C t / B + a + o)
///   direct loads (all-reduce, reduce-scatter): a core goes to n - 1 links in turn, each of which
///       its cores share fairly; between two links it waits for 2 a + o, after all for its own
///       tile: P times the cycle of a closed network of n - 1 stations and C customers
///     -> S / B for large S and many cores, P ((n - 1) (2 a + o) + own) for small
///   direct in two halves: loads and stores of S / n at once, both over every link: 2 S / (n B)
///   direct stores (all-gather, all-to-all, send): each link has C / n cores (a send C): P times
///   the
///       cycle of one station, then a.
///
/// The cycle is that of mean value analysis (Reiser and Lavenberg, 1980), which is exact for fair
/// shares whatever the lengths of the transfers.
struct CollectiveTime {
  double launch_us = 0;
  double links_us = 0;  ///< the bytes of the busiest link over its bandwidth
  double waits_us = 0;  ///< latencies, staging through UB, links that stand idle meanwhile
  double total() const { return launch_us + links_us + waits_us; }
};

/// The ranks must be neighbours: Error (usage) on a fabric that is no full mesh. A tree is meant
/// with a depth of 1.
CollectiveTime closed_form(const CollectiveKernel& kernel, const Problem& problem,
                           const Config& config, const Machine& machine);

}  // namespace tilewright
