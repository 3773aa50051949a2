#include <gtest/gtest.h>

#include "core/base/error.h"
#include "simulator/functional.h"
#include "simulator/hazards.h"
#include "simulator/profile.h"
#include "simulator/timing.h"
#include "tests/simulator/toy.h"

namespace tilewright {
namespace {

/// The toy machine with a fabric: 4 B/cycle a link at an efficiency of one half of 8 GB/s, 100
/// cycles of latency.
Machine toy_fabric(Topology topology, int64_t chips = 4) {
  Machine machine = toy_machine();
  machine.fabric = {topology, chips, 8, 0.1, 0.5, {}};
  return machine;
}

constexpr int64_t kCols = 512;  // of f16: 1024 B take 256 cycles over a link

Tile gm(int tensor) {
  return {.space = Memory::kGm, .tensor = tensor, .rows = 1, .cols = kCols};
}

Tile ub() {
  return {.space = Memory::kUb, .rows = 1, .cols = kCols};
}

/// A copy of a row from a tensor of one chip to one of another by a vector core of `core_chip`.
/// Returns the core's number.
size_t add_copy(Launch& launch, int in_chip, int core_chip, int out_chip, int set_flag = -1,
                int wait_flag = -1) {
  const auto add = [&](const char* name, int chip) {
    return launch.add_tensor({.name = name,
                              .type = DType::kF16,
                              .rows = 1,
                              .cols = kCols,
                              .sector_rows = 1,
                              .sector_cols = kCols,
                              .warm = true,
                              .chip = chip});
  };
  const int in = add("in", in_chip);
  const int out = add("out", out_chip);
  if (launch.flags.empty()) launch.add_flag({.name = "full", .scope = FlagScope::kCore});
  Instruction load;
  load.opcode = Opcode::kLoad;
  load.a = gm(in);
  load.dst = ub();
  load.sets = {FlagUse{0}};
  if (wait_flag >= 0) load.waits = {FlagUse{wait_flag}};
  Instruction store;
  store.opcode = Opcode::kStore;
  store.a = ub();
  store.dst = gm(out);
  store.waits = {FlagUse{0}};
  if (set_flag >= 0) store.sets = {FlagUse{set_flag, When::kAlways, out_chip}};
  Template body;
  body.name = "copy";
  body.kind = CoreKind::kAiv;
  body.prologue = {load, store};
  CoreProgram program;
  program.kind = CoreKind::kAiv;
  program.chip = core_chip;
  program.add(launch.add_template(body), {});
  launch.cores.push_back(program);
  return launch.cores.size() - 1;
}

double cycles(const Launch& launch, const Machine& machine) {
  return static_cast<double>(time_detailed(launch, machine).ticks) / kTicksPerCycle;
}

TEST(Fabric, AStoreTakesTheLinksTimeAndArrivesALatencyLater) {
  Launch launch;
  add_copy(launch, 0, 0, 1);
  const TimingResult result = time_detailed(launch, toy_fabric(Topology::kFullMesh));
  // Load 1024 / 32, link 1024 / 4, latency.
  EXPECT_EQ(result.ticks, (32 + 256 + 100) * kTicksPerCycle);
  // The store alone would take 64 cycles at 16 B/cycle: the rest and the latency are the link's.
  EXPECT_EQ(result.critical_path.ticks[Cause::link().id()], (256 - 64 + 100) * kTicksPerCycle);
  EXPECT_EQ(result.critical_path.total(), result.ticks);
  EXPECT_EQ(result.cores[0].end_ticks, (32 + 256) * kTicksPerCycle);
  EXPECT_EQ(result.memory.link_bytes, 1024);
  EXPECT_EQ(result.chips, 2);
}

TEST(Fabric, ALoadWaitsForItsRequestAndItsAnswer) {
  Launch launch;
  add_copy(launch, 1, 0, 0);
  const TimingResult result = time_detailed(launch, toy_fabric(Topology::kFullMesh));
  EXPECT_EQ(result.ticks, (256 + 2 * 100 + 64) * kTicksPerCycle);
  // The core works with MTE2: what its load spends on the link is no work.
  EXPECT_EQ(result.engine.ticks[Cause::link().id()], (256 - 32 + 200) * kTicksPerCycle);
  EXPECT_EQ(result.engine.total(), result.ticks);
}

TEST(Fabric, FlagsOfPeersTakeTheLatencyOfTheWay) {
  for (const auto& [topology, hops] :
       {std::pair(Topology::kFullMesh, 1), std::pair(Topology::kSwitch, 2),
        std::pair(Topology::kRing, 2)}) {
    Launch launch;
    launch.add_flag({.name = "full", .scope = FlagScope::kCore});
    const int sent = launch.add_flag({.name = "sent", .scope = FlagScope::kPeer});
    add_copy(launch, 0, 0, 2, sent);
    add_copy(launch, 2, 2, 2, -1, sent);
    const TimingResult result = time_detailed(launch, toy_fabric(topology));
    const int64_t way = hops * 100;
    EXPECT_EQ(result.ticks, (32 + 256 + way + 32 + 64) * kTicksPerCycle);
    EXPECT_EQ(result.critical_path.ticks[Cause::link().id()], (192 + way) * kTicksPerCycle);
    EXPECT_EQ(find_hazards(launch, toy_fabric(topology)).size(), 0U);
  }
}

TEST(Fabric, TransfersOverOneLinkShareIt) {
  const Machine mesh = toy_fabric(Topology::kFullMesh);
  const Machine joined = toy_fabric(Topology::kSwitch);
  Launch launch;
  add_copy(launch, 0, 0, 1);
  add_copy(launch, 0, 0, 2);
  // Two links of a mesh; one to the switch, which both ways share, two latencies on.
  EXPECT_EQ(cycles(launch, mesh), 32 + 256 + 100);
  EXPECT_EQ(cycles(launch, joined), 32 + 2 * 256 + 200);
  // What goes the other way is not in the way.
  Launch both;
  add_copy(both, 0, 0, 1);
  add_copy(both, 1, 1, 0);
  EXPECT_EQ(cycles(both, mesh), 32 + 256 + 100);
}

TEST(Fabric, LongWaysRoundARingCrossTheLinksOfOthers) {
  // 0 to 2 and 1 to 2 share the link from 1 to 2.
  const Machine ring = toy_fabric(Topology::kRing, 5);
  Launch launch;
  add_copy(launch, 0, 0, 2);
  add_copy(launch, 1, 1, 2);
  EXPECT_EQ(cycles(launch, ring), 32 + 2 * 256 + 200);
}

TEST(Fabric, EachChipHasItsOwnMemory) {
  // Four cores of one chip share its HBM; spread over four chips each has one.
  Machine machine = toy_fabric(Topology::kFullMesh);
  machine.hbm.gb_per_s = 16;  // 16 B/cycle
  const auto time = [&](bool spread) {
    Launch launch;
    for (int i = 0; i < 4; ++i) {
      const int chip = spread ? i : 0;
      const size_t core = add_copy(launch, chip, chip, chip);
      launch.cores[core].group = i;
    }
    for (Tensor& tensor : launch.tensors) tensor.warm = false;
    return cycles(launch, machine);
  };
  EXPECT_EQ(time(true), 64 + 64);
  EXPECT_EQ(time(false), 4 * 64 + 64);
}

TEST(Fabric, TheFunctionalRunMovesBytesBetweenChips) {
  const Machine machine = toy_fabric(Topology::kFullMesh);
  Launch launch;
  launch.add_flag({.name = "full", .scope = FlagScope::kCore});
  const int sent = launch.add_flag({.name = "sent", .scope = FlagScope::kPeer});
  add_copy(launch, 0, 0, 2, sent);
  add_copy(launch, 2, 2, 2, -1, sent);
  launch.templates[1].prologue[0].a.tensor = 1;  // what has come
  GmImage image = make_image(launch);
  std::vector<float> values(kCols);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  image[0] = write_tensor(launch.tensors[0], values);
  run_functional(launch, machine, image);
  EXPECT_EQ(read_tensor(launch.tensors[3], image[3]), values);
  EXPECT_EQ(find_hazards(launch, machine).size(), 0U);
  // Without the flag the second core may read what has not come yet.
  launch.templates[1].prologue[0].waits = {};
  const std::vector<Hazard> hazards = find_hazards(launch, machine);
  ASSERT_FALSE(hazards.empty());
  EXPECT_EQ(hazards[0].kind, "read_before_write");
}

TEST(Fabric, ProfilesNameTheLink) {
  Launch launch;
  add_copy(launch, 0, 0, 1);
  const LaunchProfile profile = profile_launch(launch, toy_fabric(Topology::kFullMesh));
  int64_t ticks = 0;
  for (const WaitProfile& wait : profile.waits) ticks += wait.on == "link" ? wait.ticks : 0;
  EXPECT_EQ(ticks, (256 - 64) * kTicksPerCycle);
}

std::string refusal(const Launch& launch, const Machine& machine) {
  try {
    validate(launch, machine);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Fabric, RefusesWhatCannotBe) {
  const Machine machine = toy_fabric(Topology::kFullMesh, 2);
  Launch far;
  add_copy(far, 0, 0, 2);
  EXPECT_NE(refusal(far, machine).find("more than the machine's fabric joins"), std::string::npos);

  Launch alone;
  alone.add_flag({.name = "full", .scope = FlagScope::kCore});
  const int sent = alone.add_flag({.name = "sent", .scope = FlagScope::kPeer});
  add_copy(alone, 0, 0, 1, sent);
  EXPECT_NE(refusal(alone, machine).find("a peer that is not there"), std::string::npos);

  Launch unnamed = alone;
  unnamed.templates[0].prologue[1].sets[0].chip = -1;
  EXPECT_NE(refusal(unnamed, machine).find("must name a chip"), std::string::npos);

  Launch barrier;
  barrier.add_flag({.name = "full", .scope = FlagScope::kLaunch});
  add_copy(barrier, 0, 0, 1);
  EXPECT_NE(refusal(barrier, machine).find("share a barrier"), std::string::npos);
}

TEST(Fabric, OneChipIsTimedAsWithoutAFabric) {
  Machine alone = toy_machine();
  alone.fabric = {};
  const Launch launch = copy_launch(6, 2, 3);
  EXPECT_EQ(time_detailed(launch, alone).ticks,
            time_detailed(launch, toy_fabric(Topology::kRing)).ticks);
}

}  // namespace
}  // namespace tilewright
