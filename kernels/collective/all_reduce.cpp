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
    const auto at = [&](int tensor, int64_t piece) { return RowPlace{tensor, 0, piece * part}; };
    for (int64_t step = 0; step < ranks; ++step) {
      const int64_t piece = around(rank, -step, ranks);
      std::vector<RowPlace> sources = {at(in, piece)};
      if (step > 0) {
        sources.push_back(summed.arrived(at(first_work + in, piece), step - 1));
      }
      if (step < ranks - 1) {
        const RowPlace target = at(first_work + static_cast<int>(next), piece);
        steps.add(rank, piece, sources, {summed.leaving(target, rank, step)});
      } else {
        const RowPlace target = at(static_cast<int>(ranks + next), piece);
        steps.add(rank, piece, sources, {handed.leaving(target, rank, 0), at(out, piece)});
      }
    }
    for (int64_t step = 1; step < ranks - 1; ++step) {
      const int64_t piece = around(rank, 1 - step, ranks);
      const RowPlace target = at(static_cast<int>(ranks + next), piece);
      steps.add(rank, piece, {handed.arrived(at(out, piece), step - 1)},
                {handed.leaving(target, rank, step)});
    }
  }
  steps.run(depth);
  return std::move(builder.launch());
}

/// What a rank of a tree does with a tile.
struct TreeTemplates {
  int first_up = -1;  // with the tiles of the first step
  int up = -1;
  int down = -1;  // -1: hands nothing on
};

/// The exchange along a tree: flags, room for what children send, and the templates.
class Tree {
 public:
  Tree(CollectiveBuilder& builder, int64_t ranks) : builder_(builder), ranks_(ranks) {
    for (int64_t level = 0; level < tree_levels(ranks); ++level) {
      up_.push_back(builder.add_peer_flag(fmt::format("up{}", level)));
    }
    down_ = builder.add_peer_flag("down");
    for (int64_t rank = 0; rank < ranks; ++rank) {
      nodes_.push_back(node_of(rank, ranks));
      const int64_t children = std::ssize(nodes_.back().children);
      const std::string name = fmt::format("work{}", rank);
      work_.push_back(
          children == 0 ? -1 : builder.add_tensor(name, static_cast<int>(rank), children, true));
    }
  }

  TreeTemplates add_templates(int64_t rank) {
    const TreeNode& node = nodes_[static_cast<size_t>(rank)];
    const RowPlace out = {static_cast<int>(ranks_ + rank), 0, 0};
    std::vector<RowPlace> sources = what_comes_up(rank);
    std::vector<RowPlace> below = where_down(node);
    TreeTemplates templates;
    if (node.parent < 0) {
      below.push_back(out);
      templates.first_up = templates.up = builder_.add_template("root", sources, below);
      return templates;
    }
    const auto level = static_cast<size_t>(node.level);
    const RowPlace parent = {work_[static_cast<size_t>(node.parent)], node.level, 0, up_[level],
                             static_cast<int>(node.parent)};
    const std::string name = fmt::format("up{}", rank);
    templates.first_up = templates.up = builder_.add_template(name, sources, {parent});
    if (below.empty()) {
      // A leaf hands nothing on; it goes on when the sums of the step before have come.
      sources[0].flag = down_;
      templates.up = builder_.add_template(name + " again", sources, {parent});
    } else {
      const RowPlace come = {out.tensor, 0, 0, down_};
      templates.down = builder_.add_template(fmt::format("down{}", rank), {come}, below);
    }
    return templates;
  }

 private:
  /// The rank's own tile, then those of its children, from the nearest.
  std::vector<RowPlace> what_comes_up(int64_t rank) const {
    std::vector<RowPlace> sources = {{static_cast<int>(rank), 0, 0}};
    const auto r = static_cast<size_t>(rank);
    for (size_t i = 0; i < nodes_[r].children.size(); ++i) {
      sources.push_back({work_[r], static_cast<int64_t>(i), 0, up_[i]});
    }
    return sources;
  }

  /// The farthest child first: it has the largest tree below it.
  std::vector<RowPlace> where_down(const TreeNode& node) const {
    std::vector<RowPlace> below;
    for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
      below.push_back({static_cast<int>(ranks_ + *child), 0, 0, down_, static_cast<int>(*child)});
    }
    return below;
  }

  CollectiveBuilder& builder_;
  int64_t ranks_;
  std::vector<int> up_;  // flags, by level
  int down_ = -1;
  std::vector<TreeNode> nodes_;
  std::vector<int> work_;  // tensors with a row for each child
};

/// Tiles go up in steps of `depth`, and their sums down before the next step begins.
Launch build_tree(CollectiveBuilder& builder, int64_t ranks, int64_t depth) {
  Tree tree(builder, ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const TreeTemplates templates = tree.add_templates(rank);
    const auto r = static_cast<size_t>(rank);
    for (int64_t core = 0; core < builder.shares().cores; ++core) {
      const int64_t begin = builder.first_tile(core);
      const int64_t end = builder.last_tile(core);
      for (int64_t first = begin; first < end; first += depth) {
        const int64_t last = std::min(end, first + depth);
        const int up = first == begin ? templates.first_up : templates.up;
        for (int64_t tile = first; tile < last; ++tile) builder.run(r, core, up, 0, tile);
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
    std::vector<RowPlace> sources;
    for (int from = 0; from < ranks; ++from) sources.push_back({from, 0, piece * part});
    std::vector<int> templates;
    for (int64_t order = 0; order < visits.orders; ++order) {
      std::vector<size_t> loads;
      std::vector<RowPlace> targets;
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
  return static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(ranks - 1)));
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
