#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

/// How the links of a fabric run.
enum class Topology : uint8_t {
  kFullMesh,  ///< a link between every two chips
  kRing,      ///< chip i to chip i + 1, the last to the first
  kSwitch,    ///< a link from every chip to one switch
  kLinks,     ///< as listed
};
std::string_view name_of(Topology topology);
/// Error (usage) suggests the nearest name.
Topology parse_topology(std::string_view name);

/// A link: bytes go both ways, each way for itself. Ends are chips by number, or switches, which
/// have the numbers from Fabric::chips on.
struct FabricLink {
  int64_t a = 0;
  int64_t b = 0;
  double gb_per_s = 0;    ///< one way, nominal
  double latency_us = 0;  ///< one way

  friend bool operator==(const FabricLink&, const FabricLink&) = default;
};

/// The fabric that joins several chips of one kind. Bandwidth and latency are those of every link
/// unless the list of links says otherwise.
struct Fabric {
  Topology topology = Topology::kFullMesh;
  int64_t chips = 1;                   ///< 1: there is no fabric
  double link_gb_per_s = 1;            ///< one way, nominal
  double latency_us = 0;               ///< of a link, one way
  double efficiency = 1;               ///< share of the nominal bandwidth that transfers reach
  std::vector<FabricLink> links = {};  ///< of kLinks

  friend bool operator==(const Fabric&, const Fabric&) = default;
};

/// The links of any topology, in a fixed order.
std::vector<FabricLink> links_of(const Fabric& fabric);

/// Ways between chips: a shortest one in links; of several the one through the lowest numbers. Two
/// ways along the same links back and forth need not be the same.
class Routes {
 public:
  explicit Routes(const Fabric& fabric);

  /// One way of a link: 2 * link from its end a to b, 2 * link + 1 back.
  using Way = int32_t;
  /// The ways from chip to chip, in order; empty when they are the same chip or nothing joins them.
  const std::vector<Way>& between(int64_t from, int64_t to) const {
    return routes_[static_cast<size_t>(from * chips_ + to)];
  }
  const std::vector<FabricLink>& links() const { return links_; }

 private:
  int64_t chips_ = 1;
  std::vector<FabricLink> links_;
  std::vector<std::vector<Way>> routes_;  // by from * chips + to
};

/// What is wrong with a fabric: a link from a node to itself or to an unknown one, chips that
/// nothing joins; "" when nothing is.
std::string fault_of(const Fabric& fabric);

/// The topology and, of kLinks, the list, on one line: "links 0-1:28 GB/s,0.5 us 1-2:...".
std::string topology_text(const Fabric& fabric);

}  // namespace tilewright
