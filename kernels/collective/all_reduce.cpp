#include "kernels/collective/all_reduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "kernels/collective/ring.h"

namespace tilewright {

namespace {

/// The binomial tree below rank 0: a rank's parent is the rank without its lowest bit.
struct TreeNode {
  int64_t parent = -1;
  int64_t level = -1;             // of the way to the parent
  std::vector<int64_t> children;  // from the nearest: child i is on level i
};

TreeNode node_of(int64_t rank, int64_t ranks) {
  TreeNode node;
  for (int64_t bit = 1; bit < ranks; bit *= 2) {
    if ((rank & bit) != 0) {
      node.parent = rank - bit;
      node.level = std::countr_zero(static_cast<uint64_t>(bit));
      return node;
    }
    if (rank + bit < ranks) node.children.push_back(rank + bit);
  }
  return node;
}

Launch build_ring(CollectiveBuilder& builder, int64_t ranks, int64_t depth) {
  const int first_work = static_cast<int>(2 * ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    builder.add_tensor(fmt::format("work{}", rank), rank, 1, true);
  }
  const RingFlags summed(builder, ranks, ranks - 1, "summed");
  const RingFlags handed(builder, ranks, ranks - 2, "handed");
  RingSteps steps(builder, ranks);
  const int64_t part = builder.shares().part;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const int in = static_cast<int>(rank);
    const int out = static_cast<int>(ranks + rank);
    const int64_t next = around(rank, 1, ranks);
    const auto at = [&](int tensor, int64_t piece) { return Place{tensor, 0, piece * part}; };
    for (int64_t step = 0; step < ranks; ++step) {
      const int64_t piece = around(rank, -step, ranks);
      std::vector<Place> sources = {at(in, piece)};
      if (step > 0) {
        sources.push_back(summed.arrived(at(first_work + in, piece), step - 1));
      }
      if (step < ranks - 1) {
        const Place target = at(first_work + static_cast<int>(next), piece);
        steps.add(rank, piece, sources, {summed.leaving(target, rank, step)});
      } else {
        const Place target = at(static_cast<int>(ranks + next), piece);
        steps.add(rank, piece, sources, {handed.leaving(target, rank, 0), at(out, piece)});
      }
    }
    for (int64_t step = 1; step < ranks - 1; ++step) {
      const int64_t piece = around(rank, 1 - step, ranks);
      const Place target = at(static_cast<int>(ranks + next), piece);
      steps.add(rank, piece, {handed.arrived(at(out, piece), step - 1)},
                {handed.leaving(target, rank, step)});
    }
  }
  steps.run(depth);
  return std::move(builder.launch());
}

/// Tiles go up in steps of `depth`, and the sums down before the next step begins.
Launch build_tree(CollectiveBuilder& builder, int64_t ranks, int64_t depth) {
  std::vector<int> up;
  for (int64_t level = 0; level < tree_levels(ranks); ++level) {
    up.push_back(builder.add_peer_flag(fmt::format("up{}", level)));
  }
  const int down = builder.add_peer_flag("down");
  std::vector<TreeNode> nodes;
  std::vector<int> work;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    nodes.push_back(node_of(rank, ranks));
    const auto children = static_cast<int64_t>(nodes.back().children.size());
    const int chip = static_cast<int>(rank);
    work.push_back(
        children == 0 ? -1 : builder.add_tensor(fmt::format("work{}", rank), chip, children, true));
  }
  struct Templates {
    int first_up = -1, up = -1, down = -1;
  };
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const auto r = static_cast<size_t>(rank);
    const TreeNode& node = nodes[r];
    const int out = static_cast<int>(ranks + rank);
    std::vector<Place> sources = {{static_cast<int>(rank), 0, 0}};
    std::vector<Place> below;
    for (size_t i = 0; i < node.children.size(); ++i) {
      sources.push_back({work[r], static_cast<int64_t>(i), 0, up[i]});
    }
    // The farthest child has the largest tree below it.
    for (size_t i = node.children.size(); i-- > 0;) {
      const auto child = static_cast<int>(node.children[i]);
      below.push_back({static_cast<int>(ranks) + child, 0, 0, down, child});
    }
    Templates templates;
    if (node.parent < 0) {
      below.push_back({out, 0, 0});
      templates.first_up = templates.up = builder.add_template("root", sources, below);
    } else {
      const Place parent = {work[static_cast<size_t>(node.parent)], node.level, 0,
                            up[static_cast<size_t>(node.level)], static_cast<int>(node.parent)};
      const auto name = fmt::format("up{}", rank);
      templates.first_up = builder.add_template(name, sources, {parent});
      templates.up = templates.first_up;
      if (below.empty()) {
        // A leaf hands nothing on; it goes on when the sum of a step before has come.
        sources[0].flag = down;
        templates.up = builder.add_template(name + " again", sources, {parent});
      } else {
        templates.down =
            builder.add_template(fmt::format("down{}", rank), {{out, 0, 0, down}}, below);
      }
    }
    for (int64_t core = 0; core < builder.shares().cores; ++core) {
      const int64_t begin = builder.first_tile(core);
      const int64_t end = builder.last_tile(core);
      for (int64_t first = begin; first < end; first += depth) {
        const int64_t last = std::min(end, first + depth);
        for (int64_t tile = first; tile < last; ++tile) {
          builder.run(r, core, tile - begin < depth ? templates.first_up : templates.up, 0, tile);
        }
        if (templates.down < 0) continue;
        for (int64_t tile = first; tile < last; ++tile) {
          builder.run(r, core, templates.down, 0, tile);
        }
      }
    }
  }
  return std::move(builder.launch());
}

/// Each rank sums tiles of all ranks, which it loads from where they are: all tiles, or those of
/// its own part, which it then stores on every rank.
Launch build_direct(CollectiveBuilder& builder, int64_t ranks, bool twice) {
  const Visits visits(ranks);
  const int64_t part = builder.shares().part;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const int64_t piece = twice ? rank : 0;
    std::vector<Place> sources;
    for (int from = 0; from < ranks; ++from) sources.push_back({from, 0, piece * part});
    std::vector<int> templates;
    for (int64_t order = 0; order < visits.orders; ++order) {
      std::vector<size_t> loads;
      std::vector<Place> targets;
      for (const int64_t other : visits.order(rank, order)) {
        loads.push_back(static_cast<size_t>(other));
        if (twice || other == rank) {
          targets.push_back({static_cast<int>(ranks + other), 0, piece * part});
        }
      }
      templates.push_back(
          builder.add_template(fmt::format("sum{}.{}", rank, order), sources, targets, loads));
    }
    for (int64_t core = 0; core < builder.shares().cores; ++core) {
      const int chosen = templates[static_cast<size_t>(core % visits.orders)];
      for (int64_t tile = builder.first_tile(core); tile < builder.last_tile(core); ++tile) {
        builder.run(static_cast<size_t>(rank), core, chosen, piece, tile);
      }
    }
  }
  return std::move(builder.launch());
}

}  // namespace

int64_t tree_levels(int64_t ranks) {
  return std::bit_width(static_cast<uint64_t>(ranks - 1));
}

int64_t AllReduceKernel::parts(const Problem& problem, Exchange exchange) const {
  const bool cut = exchange == Exchange::kRing || exchange == Exchange::kDirectTwice;
  return cut ? problem.size("ranks") : 1;
}

int64_t AllReduceKernel::sources(const Problem& problem, Exchange exchange) const {
  if (exchange == Exchange::kRing) return 2;
  if (exchange == Exchange::kTree) return 1 + tree_levels(problem.size("ranks"));
  return problem.size("ranks");
}

Launch AllReduceKernel::build(const Problem& problem, const Config& config,
                              const Machine& machine) const {
  const int64_t ranks = problem.size("ranks");
  CollectiveBuilder builder = start(problem, config, machine, 1, 1);
  builder.launch().flops = static_cast<double>((ranks - 1) * problem.size("elements"));
  switch (exchange_of(config)) {
    case Exchange::kRing:
      return build_ring(builder, ranks, config.at("depth"));
    case Exchange::kTree:
      return build_tree(builder, ranks, config.at("depth"));
    case Exchange::kDirect:
    case Exchange::kDirectTwice:
      break;
  }
  return build_direct(builder, ranks, exchange_of(config) == Exchange::kDirectTwice);
}

std::vector<ExpectedTensor> AllReduceKernel::reference(const Problem& problem, const Launch& launch,
                                                       const GmImage& inputs) const {
  const auto ranks = static_cast<int>(problem.size("ranks"));
  std::vector<ExpectedTensor> expected = {expected_sum(problem, launch, inputs, 0, ranks)};
  for (int rank = 1; rank < ranks; ++rank) {
    expected.push_back(expected.front());
    expected.back().tensor = ranks + rank;
  }
  return expected;
}

}  // namespace tilewright
