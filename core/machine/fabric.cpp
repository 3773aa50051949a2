#include "core/machine/fabric.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array<std::string_view, 4> kTopologies = {"full_mesh", "ring", "switch", "links"};

/// Chips and the switches that links name.
int64_t node_count(const std::vector<FabricLink>& links, int64_t chips) {
  int64_t nodes = chips;
  for (const FabricLink& link : links) nodes = std::max({nodes, link.a + 1, link.b + 1});
  return nodes;
}

/// One way out of a node.
struct Exit {
  int64_t to = 0;
  Routes::Way way = 0;
};

/// The ways out of each node, lowest neighbour first.
std::vector<std::vector<Exit>> exits_of(const std::vector<FabricLink>& links, int64_t nodes) {
  std::vector<std::vector<Exit>> exits(static_cast<size_t>(nodes));
  for (size_t i = 0; i < links.size(); ++i) {
    const auto way = static_cast<Routes::Way>(2 * i);
    exits[static_cast<size_t>(links[i].a)].push_back({links[i].b, way});
    exits[static_cast<size_t>(links[i].b)].push_back({links[i].a, way + 1});
  }
  for (std::vector<Exit>& list : exits) {
    std::stable_sort(list.begin(), list.end(),
                     [](const Exit& x, const Exit& y) { return x.to < y.to; });
  }
  return exits;
}

/// How each node was reached from `from`, breadth first; the way is -1 where it was not.
std::vector<Exit> reached_from(int64_t from, const std::vector<std::vector<Exit>>& exits) {
  std::vector<Exit> by(exits.size(), {-1, -1});
  std::vector<int64_t> queue = {from};
  for (size_t i = 0; i < queue.size(); ++i) {
    for (const Exit& exit : exits[static_cast<size_t>(queue[i])]) {
      Exit& known = by[static_cast<size_t>(exit.to)];
      if (exit.to == from || known.way >= 0) continue;
      known = {queue[i], exit.way};
      queue.push_back(exit.to);
    }
  }
  return by;
}

}  // namespace

std::string_view name_of(Topology topology) {
  return kTopologies[static_cast<size_t>(topology)];
}

Topology parse_topology(std::string_view name) {
  for (size_t i = 0; i < kTopologies.size(); ++i) {
    if (kTopologies[i] == name) return static_cast<Topology>(i);
  }
  const std::vector<std::string> names(kTopologies.begin(), kTopologies.end());
  throw Error(ErrorKind::kUsage, fmt::format("unknown topology '{}'{} (known: {})", printable(name),
                                             did_you_mean(name, names), join(names, ", ")));
}

std::vector<FabricLink> links_of(const Fabric& fabric) {
  std::vector<FabricLink> links;
  const auto add = [&](int64_t a, int64_t b) {
    links.push_back({a, b, fabric.link_gb_per_s, fabric.latency_us});
  };
  switch (fabric.topology) {
    case Topology::kFullMesh:
      for (int64_t a = 0; a < fabric.chips; ++a) {
        for (int64_t b = a + 1; b < fabric.chips; ++b) add(a, b);
      }
      return links;
    case Topology::kRing:
      for (int64_t a = 0; a + 1 < fabric.chips; ++a) add(a, a + 1);
      if (fabric.chips > 2) add(fabric.chips - 1, 0);
      return links;
    case Topology::kSwitch:
      for (int64_t a = 0; a < fabric.chips; ++a) add(a, fabric.chips);
      return links;
    case Topology::kLinks:
      return fabric.links;
  }
  return links;
}

Routes::Routes(const Fabric& fabric)
    : chips_(fabric.chips),
      links_(links_of(fabric)),
      routes_(static_cast<size_t>(chips_ * chips_)) {
  const auto exits = exits_of(links_, node_count(links_, chips_));
  for (int64_t from = 0; from < chips_; ++from) {
    const std::vector<Exit> by = reached_from(from, exits);
    for (int64_t to = 0; to < chips_; ++to) {
      if (to == from || by[static_cast<size_t>(to)].way < 0) continue;
      std::vector<Way>& route = routes_[static_cast<size_t>(from * chips_ + to)];
      for (int64_t at = to; at != from; at = by[static_cast<size_t>(at)].to) {
        route.push_back(by[static_cast<size_t>(at)].way);
      }
      std::reverse(route.begin(), route.end());
    }
  }
}

std::string fault_of(const Fabric& fabric) {
  if (fabric.topology != Topology::kLinks) return "";
  const auto most = static_cast<int64_t>(fabric.chips + std::ssize(fabric.links));
  for (size_t i = 0; i < fabric.links.size(); ++i) {
    const FabricLink& link = fabric.links[i];
    if (link.a == link.b) return fmt::format("link {} joins node {} to itself", i, link.a);
    if (std::min(link.a, link.b) < 0 || std::max(link.a, link.b) >= most) {
      return fmt::format("link {} joins {} and {}; nodes have the numbers 0 to {}", i, link.a,
                         link.b, most - 1);
    }
  }
  const Routes routes(fabric);
  for (int64_t chip = 1; chip < fabric.chips; ++chip) {
    if (routes.between(0, chip).empty()) {
      return fmt::format("no way of links leads from chip 0 to chip {}", chip);
    }
  }
  return "";
}

std::string topology_text(const Fabric& fabric) {
  std::string text(name_of(fabric.topology));
  if (fabric.topology != Topology::kLinks) return text;
  for (const FabricLink& link : fabric.links) {
    text += fmt::format(" {}-{}:{} GB/s,{} us", link.a, link.b, link.gb_per_s, link.latency_us);
  }
  return text;
}

}  // namespace tilewright
