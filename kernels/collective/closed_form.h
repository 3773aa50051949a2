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
///   tree, a tile a round, l = ceil(log2 n) levels down and the u links of the longest way up:
///       (u + l) P (C t / B + a + o); u = l where n is a power of two
///   direct loads (all-reduce, reduce-scatter): a core goes to n - 1 links in turn, each of which
///       C / (n - 1) cores share fairly, then to its own tile; cores keep step:
///       P (C t / B + what each load waits for its request and answer)
///     -> S / B for large S; loads too short to be asked for ahead wait 2 a each
///   direct in two halves: loads and stores of S / n at once, over the same links:
///       P (2 C t / B + the same waits)
///   direct stores (all-gather, all-to-all, send): each link has C / n cores (a send C):
///       P times the cycle of such cores round one station, then a.
///
/// That cycle is mean value analysis' (Reiser and Lavenberg, 1980).
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
