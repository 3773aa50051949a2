#include "core/machine/fabric.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/machine/machine.h"

namespace tilewright {
namespace {

/// The nodes that a way passes, from its first.
std::vector<int64_t> nodes_of(const Routes& routes, int64_t from, int64_t to) {
  std::vector<int64_t> nodes = {from};
  for (const Routes::Way way : routes.between(from, to)) {
    const FabricLink& link = routes.links()[static_cast<size_t>(way / 2)];
    EXPECT_EQ(nodes.back(), way % 2 == 0 ? link.a : link.b);
    nodes.push_back(way % 2 == 0 ? link.b : link.a);
  }
  return nodes;
}

using Nodes = std::vector<int64_t>;

TEST(Routes, AreShortestAndTakeTheLowestNumbers) {
  Fabric fabric{Topology::kFullMesh, 8, 28, 0.5, 0.7};
  EXPECT_EQ(links_of(fabric).size(), 28U);
  EXPECT_EQ(nodes_of(Routes(fabric), 5, 2), Nodes({5, 2}));

  fabric.topology = Topology::kRing;
  EXPECT_EQ(links_of(fabric).size(), 8U);
  EXPECT_EQ(nodes_of(Routes(fabric), 7, 1), Nodes({7, 0, 1}));
  EXPECT_EQ(nodes_of(Routes(fabric), 2, 6), Nodes({2, 1, 0, 7, 6}));
  fabric.chips = 2;
  EXPECT_EQ(links_of(fabric).size(), 1U);

  fabric.topology = Topology::kSwitch;
  EXPECT_EQ(nodes_of(Routes(fabric), 0, 1), Nodes({0, 2, 1}));

  // Two boxes of two chips, joined by a switch.
  fabric = {Topology::kLinks, 4, 1, 0, 1, {{0, 1, 9, 1}, {2, 3, 9, 1}, {1, 4, 5, 2}, {4, 2, 5, 2}}};
  EXPECT_EQ(fault_of(fabric), "");
  EXPECT_EQ(nodes_of(Routes(fabric), 3, 0), Nodes({3, 2, 4, 1, 0}));
  EXPECT_TRUE(Routes(fabric).between(1, 1).empty());
}

TEST(Fabric, SaysWhatIsWrongWithItsLinks) {
  Fabric fabric{Topology::kLinks, 3, 1, 0, 1, {{0, 1, 1, 1}}};
  EXPECT_EQ(fault_of(fabric), "no way of links leads from chip 0 to chip 2");
  fabric.links.push_back({2, 2, 1, 1});
  EXPECT_EQ(fault_of(fabric), "link 1 joins node 2 to itself");
  fabric.links.back() = {2, 99, 1, 1};
  EXPECT_EQ(fault_of(fabric), "link 1 joins 2 and 99; nodes have the numbers 0 to 4");
}

std::string refusal(const Json& document) {
  try {
    parse_machine(document.dump(), "m.json", true);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Fabric, IsReadFromMachineFilesAndWrittenBack) {
  const Machine preset = load_machine("ascend-910b2");
  EXPECT_EQ(preset.fabric.topology, Topology::kFullMesh);
  EXPECT_EQ(preset.fabric.chips, 8);
  // 196 GB/s one way a chip over its seven links.
  EXPECT_EQ(preset.fabric.link_gb_per_s * 7, 196);

  Json document = parse_json(machine_json(preset), "preset");
  Json& fabric = document["datasheet"]["fabric"];
  fabric["chips"] = 3;
  fabric["topology"] = "links";
  fabric["links"] = parse_json(R"([{"a": 0, "b": 1}, {"a": 1, "b": 2, "gb_per_s": 5}])", "m");
  const Machine machine = parse_machine(document.dump(), "m.json", true);
  const std::vector<FabricLink> links = {{0, 1, 28, 0.5}, {1, 2, 5, 0.5}};
  EXPECT_EQ(machine.fabric.links, links);
  EXPECT_EQ(parse_machine(machine_json(machine), "m.json", true).fabric, machine.fabric);
  EXPECT_NE(machine.fingerprint(), preset.fingerprint());

  fabric["topology"] = "rign";
  EXPECT_NE(refusal(document).find("did you mean 'ring'?"), std::string::npos);
  fabric["topology"] = "ring";
  EXPECT_NE(refusal(document).find("needs the topology"), std::string::npos);
  fabric["topology"] = "links";
  fabric["links"] = Json::array();
  EXPECT_NE(refusal(document).find("no way of links leads"), std::string::npos);

  document["datasheet"].erase("fabric");
  EXPECT_EQ(parse_machine(document.dump(), "m.json", true).fabric, Fabric{});
}

}  // namespace
}  // namespace tilewright
