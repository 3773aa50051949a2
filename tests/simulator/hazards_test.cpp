#include "simulator/hazards.h"

#include <gtest/gtest.h>

#include "tests/simulator/toy.h"

namespace tilewright {
namespace {

std::string kinds(const std::vector<Hazard>& hazards) {
  std::string text;
  for (const Hazard& hazard : hazards) text += hazard.kind + ": " + hazard.message + "\n";
  return text;
}

bool has(const std::vector<Hazard>& hazards, const std::string& kind, const std::string& part) {
  for (const Hazard& hazard : hazards) {
    if (hazard.kind == kind && hazard.message.find(part) != std::string::npos) return true;
  }
  return false;
}

TEST(Hazards, ACorrectProgramHasNone) {
  for (int slots : {1, 2, 4}) {
    const auto hazards = find_hazards(copy_launch(6, slots, 3), toy_machine());
    EXPECT_TRUE(hazards.empty()) << kinds(hazards);
  }
}

TEST(Hazards, WithoutTheDataFlagTheVectorReadsTooEarly) {
  Launch launch = copy_launch(4, 2);
  launch.templates[0].body[1].waits = {};
  const auto hazards = find_hazards(launch, toy_machine());
  EXPECT_TRUE(has(hazards, "read_before_write", "missing: a flag from MTE2 to VEC"))
      << kinds(hazards);
}

TEST(Hazards, WithoutTheSpaceFlagTheLoadOverwritesWhatIsRead) {
  Launch launch = copy_launch(4, 2);
  launch.templates[0].body[0].waits = {};
  const auto hazards = find_hazards(launch, toy_machine());
  EXPECT_TRUE(has(hazards, "overwrite_while_read", "missing: a flag from MTE3 to MTE2"))
      << kinds(hazards);
  EXPECT_TRUE(has(hazards, "overwrite", "copy[body 0] load")) << kinds(hazards);
}

TEST(Hazards, AFlagThatNobodySetsIsNamed) {
  Launch launch = copy_launch(2, 1);
  launch.templates[0].body[2].sets = {};
  const auto hazards = find_hazards(launch, toy_machine());
  EXPECT_TRUE(has(hazards, "never_set", "waits for free")) << kinds(hazards);
}

TEST(Hazards, BytesThatNothingWroteAreNamed) {
  Launch launch = copy_launch(2, 2);
  launch.templates[0].body[0].dst.cols = 256;
  launch.templates[0].body[0].a.cols = 256;
  const auto hazards = find_hazards(launch, toy_machine());
  EXPECT_TRUE(has(hazards, "read_before_write", "bytes 512 to 1024 of UB, which nothing wrote"))
      << kinds(hazards);
}

TEST(Hazards, AShrunkBufferIsOutgrown) {
  Machine machine = toy_machine();
  machine.buffers.ub_bytes = 1536;
  const auto hazards = find_hazards(copy_launch(2, 2), machine);
  EXPECT_TRUE(has(hazards, "outgrown", "of UB, which has 1536: 512 too many")) << kinds(hazards);
}

TEST(Hazards, AnUnalignedTileIsNamed) {
  Launch launch = copy_launch(1, 1);
  for (Instruction& instruction : launch.templates[0].body) {
    for (Tile* tile : {&instruction.a, &instruction.dst}) {
      if (tile->space == Memory::kUb) tile->offset = tile->offset + 2;
    }
  }
  const auto hazards = find_hazards(launch, toy_machine());
  EXPECT_TRUE(has(hazards, "misaligned", "byte 2 of UB")) << kinds(hazards);
}

TEST(Hazards, CoresThatWriteTheSameRowsAreNamed) {
  Launch launch = copy_launch(2, 1, 2);
  launch.cores[1].bindings[0] = 0;
  const auto hazards = find_hazards(launch, toy_machine());
  EXPECT_TRUE(has(hazards, "overwrite", "of out")) << kinds(hazards);
}

}  // namespace
}  // namespace tilewright
