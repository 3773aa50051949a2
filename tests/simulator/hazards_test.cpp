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
  EXPECT_TRUE(has(hazards, "read_before_write",
                  "copy: core 0: copy[body 1] muls reads what copy[body 0] load (core 0) writes: "
                  "bytes 0 to 1024 of UB; missing: a flag from MTE2 to VEC"))
      << kinds(hazards);
}

TEST(Hazards, WithoutTheSpaceFlagTheLoadOverwritesWhatIsRead) {
  Launch launch = copy_launch(4, 2);
  launch.templates[0].body[0].waits = {};
  const auto hazards = find_hazards(launch, toy_machine());
  EXPECT_TRUE(has(hazards, "overwrite_while_read",
                  "copy: core 0: copy[body 0] load overwrites what copy[body 2] store (core 0) may "
                  "still be reading: bytes 0 to 1024 of UB; missing: a flag from MTE3 to MTE2"))
      << kinds(hazards);
  EXPECT_TRUE(has(hazards, "overwrite",
                  "copy: core 0: copy[body 0] load overwrites what copy[body 1] muls (core 0) "
                  "writes: bytes 0 to 1024 of UB; missing: a flag from VEC to MTE2"))
      << kinds(hazards);
}

TEST(Hazards, AFlagThatNobodySetsIsNamed) {
  Launch launch = copy_launch(2, 1);
  launch.templates[0].body[2].sets = {};
  const auto hazards = find_hazards(launch, toy_machine());
  ASSERT_EQ(hazards.size(), 1u) << kinds(hazards);
  EXPECT_EQ(hazards[0].kind, "never_set");
  EXPECT_EQ(hazards[0].message,
            "copy: core 0: copy[body 0] load (task 0, iteration 1) waits for free, of which one is "
            "never set before it");
}

TEST(Hazards, CoresThatWaitForEachOtherAreBothNamed) {
  // Each core's first load waits for the other core's last store.
  Launch launch = copy_launch(1, 1, 2);
  const int flags[] = {
      launch.add_flag({"first_stored", FlagScope::kLaunch, FlagMeaning::kData, Memory::kGm, 0}),
      launch.add_flag({"second_stored", FlagScope::kLaunch, FlagMeaning::kData, Memory::kGm, 0})};
  Template other = launch.templates[0];
  for (int core = 0; core < 2; ++core) {
    Template& body = core == 0 ? launch.templates[0] : other;
    body.body[2].sets[1] = {flags[core]};
    body.body[0].waits[1] = {flags[1 - core]};
  }
  other.name = "other";
  launch.cores[1].tasks[0].template_id = launch.add_template(other);
  const auto hazards = find_hazards(launch, toy_machine());
  ASSERT_EQ(hazards.size(), 2u) << kinds(hazards);
  EXPECT_TRUE(has(hazards, "never_set", "core 0: copy[body 0] load")) << kinds(hazards);
  EXPECT_TRUE(has(hazards, "never_set", "second_stored")) << kinds(hazards);
  EXPECT_TRUE(has(hazards, "never_set", "core 1: other[body 0] load")) << kinds(hazards);
  EXPECT_TRUE(has(hazards, "never_set", "first_stored")) << kinds(hazards);
}

TEST(Hazards, BytesThatNothingWroteAreNamed) {
  Launch launch = copy_launch(2, 2);
  launch.templates[0].body[0].dst.cols = 256;
  launch.templates[0].body[0].a.cols = 256;
  const auto hazards = find_hazards(launch, toy_machine());
  EXPECT_TRUE(has(hazards, "read_before_write",
                  "copy: core 0: copy[body 1] muls reads bytes 512 to 1024 of UB, which nothing "
                  "wrote"))
      << kinds(hazards);
}

TEST(Hazards, AShrunkBufferIsOutgrown) {
  Machine machine = toy_machine();
  machine.buffers.ub_bytes = 1536;
  const auto hazards = find_hazards(copy_launch(2, 2), machine);
  EXPECT_TRUE(has(hazards, "outgrown",
                  "copy: core 0: copy[body 0] load needs bytes 1024 to 2048 of UB, which has 1536: "
                  "512 too many"))
      << kinds(hazards);
}

TEST(Hazards, ReadingAndWritingPastATensorIsNamed) {
  for (size_t tensor : {0u, 1u}) {
    Launch launch = copy_launch(3, 2);
    launch.tensors[tensor].rows = 2;
    const auto hazards = find_hazards(launch, toy_machine());
    ASSERT_EQ(hazards.size(), 1u) << kinds(hazards);
    EXPECT_EQ(hazards[0].kind, "outgrown");
    EXPECT_EQ(hazards[0].message, tensor == 0 ? "copy: core 0: copy[body 0] load touches rows 2+1, "
                                                "columns 0+512 of tensor in, which has 2 x 512"
                                              : "copy: core 0: copy[body 2] store touches rows "
                                                "2+1, columns 0+512 of tensor out, which has 2 x "
                                                "512");
  }
}

TEST(Hazards, AnUnalignedTileIsNamed) {
  // Also where the tile is a part of a larger one.
  for (int64_t stride : {0, 600}) {
    Launch launch = copy_launch(1, 1);
    for (Instruction& instruction : launch.templates[0].body) {
      for (Tile* tile : {&instruction.a, &instruction.dst}) {
        if (tile->space != Memory::kUb) continue;
        tile->offset = tile->offset + 2;
        tile->stride = stride;
      }
    }
    const auto hazards = find_hazards(launch, toy_machine());
    EXPECT_TRUE(has(hazards, "misaligned",
                    "copy: core 0: copy[body 0] load starts at byte 2 of UB, which is not a "
                    "multiple of 32"))
        << kinds(hazards);
  }
}

TEST(Hazards, CoresThatWriteTheSameRowsAreNamed) {
  Launch launch = copy_launch(2, 1, 2);
  launch.cores[1].bindings[0] = 0;
  const auto hazards = find_hazards(launch, toy_machine());
  EXPECT_TRUE(has(hazards, "overwrite",
                  "copy: core 1: copy[body 2] store overwrites what copy[body 2] store (core 0) "
                  "writes: bytes 0 to 1024 of out; missing: a flag from MTE3 to MTE3"))
      << kinds(hazards);
}

/// A launch that drains m x n sums from L0C of which `written` rows have been computed.
Launch drain_launch(int64_t written, int64_t rows, int64_t cols, int64_t offset) {
  const auto tile = [](Memory space, Layout layout, int64_t m, int64_t n, int64_t at, DType type) {
    Tile made;
    made.space = space;
    made.offset = at;
    made.rows = m;
    made.cols = n;
    made.type = type;
    made.layout = layout;
    return made;
  };
  Launch launch;
  launch.name = "drain";
  launch.add_tensor({"a", DType::kF16, Layout::kNd, 16, 16, 16, 16});
  launch.add_tensor({"c", DType::kF32, Layout::kNd, rows, cols, rows, cols});
  const auto flag = [&](const char* name) {
    return launch.add_flag({name, FlagScope::kCore, FlagMeaning::kData, Memory::kL0C, 0});
  };
  const int loaded = flag("loaded");
  const int moved = flag("moved");
  const int done = flag("done");
  Instruction load;
  load.opcode = Opcode::kLoad;
  load.a = {.space = Memory::kGm, .tensor = 0, .rows = 16, .cols = 16};
  load.dst = tile(Memory::kL1, Layout::kZn, 16, 16, 0, DType::kF16);
  load.sets[0] = {loaded};
  Instruction left;
  left.opcode = Opcode::kMove;
  left.a = load.dst;
  left.dst = tile(Memory::kL0A, Layout::kZz, 16, 16, 0, DType::kF16);
  left.waits[0] = {loaded};
  Instruction right = left;
  right.waits = {};
  right.dst = tile(Memory::kL0B, Layout::kNz, 16, 16, 0, DType::kF16);
  right.sets[0] = {moved};
  Instruction multiply;
  multiply.opcode = Opcode::kMmad;
  multiply.accumulate = Accumulate::kNever;
  multiply.a = left.dst;
  multiply.a.rows = written;
  multiply.b = right.dst;
  multiply.b.cols = cols;
  multiply.dst = tile(Memory::kL0C, Layout::kZn, written, cols, offset, DType::kF32);
  multiply.waits[0] = {moved};
  multiply.sets[0] = {done};
  Instruction drain;
  drain.opcode = Opcode::kFixpipe;
  drain.a = tile(Memory::kL0C, Layout::kZn, rows, cols, offset, DType::kF32);
  drain.dst = {.space = Memory::kGm, .tensor = 1, .rows = rows, .cols = cols, .type = DType::kF32};
  drain.waits[0] = {done};
  Template body;
  body.name = "drain";
  body.kind = CoreKind::kAic;
  body.prologue = {load, left, right, multiply, drain};
  launch.add_template(body);
  CoreProgram core;
  core.kind = CoreKind::kAic;
  core.add(0, {});
  launch.cores.push_back(core);
  return launch;
}

TEST(Hazards, SumsHaveFractalsOfSixteenColumns) {
  // A row of a fractal of sums has 16 x 4 bytes: rows 3 and 4 are bytes 192 to 320.
  EXPECT_TRUE(find_hazards(drain_launch(5, 5, 16, 0), toy_machine()).empty());
  const auto hazards = find_hazards(drain_launch(3, 5, 16, 0), toy_machine());
  ASSERT_EQ(hazards.size(), 1u) << kinds(hazards);
  EXPECT_EQ(hazards[0].kind, "read_before_write");
  EXPECT_EQ(hazards[0].message,
            "drain: core 0: drain[prologue 4] fixpipe reads bytes 192 to 320 of L0C, which nothing "
            "wrote");
}

TEST(Hazards, SumsOfEightColumnsFillAWholeFractal) {
  const Machine machine = toy_machine();
  const int64_t end = machine.buffers.l0c_bytes;
  EXPECT_TRUE(find_hazards(drain_launch(16, 16, 8, end - 1024), machine).empty());
  const auto hazards = find_hazards(drain_launch(16, 16, 8, end - 512), machine);
  EXPECT_TRUE(has(hazards, "outgrown", "512 too many")) << kinds(hazards);
}

}  // namespace
}  // namespace tilewright
