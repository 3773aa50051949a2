#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <vector>

#include "core/machine/machine.h"
#include "core/space/space.h"
#include "kernels/gemm/gemm_shape.h"
#include "simulator/launch.h"

namespace tilewright {

/// The sizes that a config gives a GEMM's buffers. Tiles are in whole fractals.
struct GemmTiles {
  GemmTiles(const GemmShape& shape, const Config& config, const Machine& machine);

  int64_t tile_m, tile_n;  ///< of C; with two sides tile_n columns of each
  int64_t chunk, step;     ///< depth in L1 and in L0
  int64_t l1_buffers, l0_buffers, l0c_buffers;
  int64_t parts;  ///< of the depth (split-K)
  int64_t swizzle, core_rows, cores;
};

/// Vector cores that take rows of the same tile.
constexpr int kMostHalves = 2;

/// What cube and vector cores of a GEMM share. Tensors 0, 1, 2 are A, B, C; -1: not there.
struct GemmLinks {
  int bias = -1;        ///< a column for all columns of all experts
  int scales = -1;      ///< as many rows of two f32: the scale, and the rest of the hardware's word
  int row_scales = -1;  ///< a column for all rows
  int residual = -1;
  /// Workspace between cube and vectors, f32. Whole depth: kSumsSlots tiles for each cube core.
  /// With split-K the parts of C one below the other.
  int sums = -1;
  int halves = 0;  ///< vector cores of a group that take rows; 0: the fixpipe finishes C
  std::array<int, kMostHalves> sums_ready{-1, -1};  ///< flags of a group, by half
  std::array<int, kMostHalves> sums_free{-1, -1};
  int all_summed = -1;  ///< flag of the launch (split-K): every cube core is through
};
constexpr int64_t kSumsSlots = 2;

/// The cube side of a GEMM's launch: loads, moves, products, and the drain through the fixpipe.
class GemmCube {
 public:
  GemmCube(const GemmShape& shape, const GemmTiles& tiles, const GemmLinks& links, Launch& launch);

  /// A task for one cube core.
  struct Work {
    int64_t row = 0;  ///< of A and C
    int64_t rows = 0;
    int64_t col = 0;  ///< of C
    int64_t cols = 0;
    int64_t expert = 0;
    int64_t part = 0;
    int64_t sums_row = 0;  ///< of the workspace: the core's first, or the part's
    bool is_last = false;  ///< of its core
  };
  /// What a core has done before: positions in its rings.
  struct Progress {
    int64_t chunks = 0;
    int64_t steps = 0;
    int64_t tiles = 0;
  };
  void add(const Work& work, Progress& before, CoreProgram& core);

 private:
  struct Variant {
    bool full = false;  // whole chunks in the body
    int64_t rest = 0;   // depth of the last chunk, when it is not whole
    bool bias = false;
    bool is_last = false;
    auto operator<=>(const Variant&) const = default;
  };
  struct Chunk {
    int64_t depth = 0;
    Expr number = 0;  // within the task
    bool opens = false;
    bool ends = false;
    bool in_body = false;
    bool bias = false;
  };

  int template_of(const Variant& variant);
  void add_channels(std::vector<Instruction>& list, bool bias) const;
  void add_chunk(std::vector<Instruction>& list, const Chunk& chunk) const;
  void add_step(std::vector<Instruction>& list, const Chunk& chunk, int64_t number) const;
  void add_drains(std::vector<Instruction>& list, const Variant& variant) const;
  Instruction load_a(const Chunk& chunk) const;
  Instruction load_b(const Chunk& chunk, int64_t side) const;
  Instruction load_channels(int tensor, int64_t side, const Tile& to) const;
  Instruction move(const Tile& from, const Tile& to) const;
  Tile a_chunk(const Chunk& chunk, int64_t from, const Expr& depth) const;
  Tile b_chunk(const Chunk& chunk, int64_t side, int64_t from, const Expr& depth) const;
  Tile biases(Memory space, int64_t side) const;
  Tile scales(Memory space, int64_t side) const;
  Tile sums(int64_t side) const;
  int64_t a_bytes() const;
  int64_t b_bytes() const;  // of one side

  const GemmShape& shape_;
  const GemmTiles& tiles_;
  const GemmLinks& links_;
  Launch& launch_;
  int64_t width_;
  int64_t sides_;
  DType sum_type_;
  std::map<Variant, int> templates_;
  int l1_full_ = -1, l1_free_ = -1, l0_full_ = -1, l0_free_ = -1, c_full_ = -1, c_free_ = -1;
  int channels_full_ = -1, channels_free_ = -1, bt_free_ = -1, fb_free_ = -1;
};

}  // namespace tilewright
