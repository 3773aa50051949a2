#include "simulator/functional.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "simulator/aligned_bytes.h"
#include "simulator/convert.h"
#include "simulator/l1_buffer.h"
#include "simulator/layout.h"
#include "simulator/right_buffer.h"
#include "simulator/serial_order.h"
#include "simulator/tile_product.h"
#include "simulator/vector_functional.h"

namespace tilewright {

namespace {

/// The on-chip memories of a core. They hold NaN patterns where nothing was written, and take up
/// room only as far as they are touched.
class Buffers {
 public:
  /// Of L0A, L0C and UB.
  uint8_t* at(Memory space, int64_t offset, int64_t size) {
    return bytes_[static_cast<size_t>(space)].with_size(offset + size) + offset;
  }
  L1Buffer& l1() { return l1_; }
  RightBuffer& l0b() { return l0b_; }

  void clear() {
    for (AlignedBytes& bytes : bytes_) bytes.clear();
    l1_.clear();
    l0b_.clear();
  }

 private:
  std::array<AlignedBytes, kMemoryCount> bytes_;
  L1Buffer l1_;
  RightBuffer l0b_;
};

/// The cores' buffers. Those of a core that has run to its end serve the next core that begins.
class AllBuffers {
 public:
  explicit AllBuffers(const Launch& launch) : cores_(launch.cores.size()) {
    for (const CoreProgram& core : launch.cores) left_.push_back(launch.instruction_count(core));
  }

  Buffers& of(int core) {
    std::unique_ptr<Buffers>& buffers = cores_[static_cast<size_t>(core)];
    if (!buffers && !unused_.empty()) {
      buffers = std::move(unused_.back());
      unused_.pop_back();
      buffers->clear();
    }
    if (!buffers) buffers = std::make_unique<Buffers>();
    return *buffers;
  }

  /// The core has executed an instruction.
  void count(int core) {
    const auto c = static_cast<size_t>(core);
    if (--left_[c] == 0) unused_.push_back(std::move(cores_[c]));
  }

 private:
  std::vector<std::unique_ptr<Buffers>> cores_;
  std::vector<int64_t> left_;  // instructions, by core
  std::vector<std::unique_ptr<Buffers>> unused_;
};

bool is_whole(DType type) {
  return type == DType::kI8 || type == DType::kI32;
}

/// Rounded to nearest even; beyond i32 its end, NaN 0.
int32_t to_whole(float value) {
  if (value != value) return 0;
  if (value >= 0x1p31f) return std::numeric_limits<int32_t>::max();
  if (value < -0x1p31f) return std::numeric_limits<int32_t>::min();
  return static_cast<int32_t>(std::nearbyint(value));
}

class FunctionalRun {
 public:
  FunctionalRun(const Launch& launch, const Machine& machine, GmImage& image)
      : launch_(launch),
        machine_(machine),
        image_(image),
        buffers_(launch),
        is_written_(launch.tensors.size()) {
    for (const Template& body : launch.templates) {
      for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
        for (const Instruction& instruction : *list) {
          if (instruction.dst.space == Memory::kGm) {
            is_written_[static_cast<size_t>(instruction.dst.tensor)] = true;
          }
        }
      }
    }
  }

  void run() {
    const std::vector<SerialStep> stuck = walk_in_order(launch_, [&](const SerialStep& step) {
      step_ = &step;
      core_ = &buffers_.of(step.core);
      execute(*step.instruction);
      buffers_.count(step.core);
    });
    if (!stuck.empty()) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("launch {} waits for a flag that is never set before it in program "
                              "order",
                              stuck.front().where()));
    }
  }

 private:
  /// A tile's layout and bytes.
  struct Operand {
    TileLayout layout;
    uint8_t* bytes = nullptr;  ///< none in L1 and L0B
    TilePlace place;           ///< of a tensor's tile in the tensor
    int64_t offset = 0;        ///< in an on-chip memory
  };

  int64_t value(const Expr& expr) const { return step_->value(expr); }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kFailed, fmt::format("launch {}: {}", step_->where(), what));
  }

  Operand on_chip(const Tile& tile) {
    const TileLayout layout = layout_of(tile, value(tile.rows), value(tile.cols));
    const int64_t offset = value(tile.offset);
    const int64_t capacity = capacity_of(machine_, tile.space);
    if (offset < 0 || layout.rows <= 0 || layout.cols <= 0 || offset + layout.bytes() > capacity) {
      fail(fmt::format("needs bytes {} to {} of {}, which has {}", offset, offset + layout.bytes(),
                       name_of(tile.space), capacity));
    }
    const bool by_bytes = tile.space != Memory::kL1 && tile.space != Memory::kL0B;
    uint8_t* bytes = by_bytes ? core_->at(tile.space, offset, layout.bytes()) : nullptr;
    return {layout, bytes, {}, offset};
  }

  /// The tensor that holds the tile, after checking that a rectangle of that size lies inside.
  Operand in_tensor(const Tile& tile, int64_t rows, int64_t cols) {
    const Tensor& tensor = launch_.tensors[static_cast<size_t>(tile.tensor)];
    const TilePlace place{value(tile.row), value(tile.col)};
    if (place.row < 0 || place.col < 0 || rows <= 0 || cols <= 0 ||
        place.row + rows > tensor.rows || place.col + cols > tensor.cols) {
      fail(fmt::format("touches rows {}+{}, columns {}+{} of tensor {}, which has {} x {}",
                       place.row, rows, place.col, cols, tensor.name, tensor.rows, tensor.cols));
    }
    return {layout_of(tensor), image_[static_cast<size_t>(tile.tensor)].data(), place, 0};
  }

  void check_same_type(const Operand& from, const Operand& to) const {
    if (from.layout.type == to.layout.type) return;
    fail(fmt::format("copies {} to {}; only fixpipe and vector instructions convert",
                     name_of(from.layout.type), name_of(to.layout.type)));
  }

  void copy(const Operand& from, const Operand& to, int64_t rows, int64_t cols) const {
    check_same_type(from, to);
    copy_rectangle(from.layout, from.bytes, from.place, to.layout, to.bytes, to.place, rows, cols);
  }

  void execute(const Instruction& instruction) {
    switch (instruction.opcode) {
      case Opcode::kLoad:
        load(instruction);
        return;
      case Opcode::kStore: {
        const Operand from = on_chip(instruction.a);
        copy(from, in_tensor(instruction.dst, from.layout.rows, from.layout.cols), from.layout.rows,
             from.layout.cols);
        return;
      }
      case Opcode::kMove:
        move(instruction);
        return;
      case Opcode::kMmad:
        if (instruction.a.type == DType::kI8) {
          multiply<int32_t>(instruction);
        } else {
          multiply<float>(instruction);
        }
        return;
      case Opcode::kFixpipe:
        drain(instruction);
        return;
      case Opcode::kVector:
        compute(instruction);
        return;
    }
  }

  void load(const Instruction& instruction) {
    const Operand to = on_chip(instruction.dst);
    const Operand from = in_tensor(instruction.a, to.layout.rows, to.layout.cols);
    if (instruction.dst.space != Memory::kL1) {
      return copy(from, to, to.layout.rows, to.layout.cols);
    }
    check_same_type(from, to);
    core_->l1().load(to.layout, to.offset, {from.layout, from.bytes, from.place},
                     !is_written_[static_cast<size_t>(instruction.a.tensor)]);
  }

  void move(const Instruction& instruction) {
    const Operand from = on_chip(instruction.a);
    const Operand to = on_chip(instruction.dst);
    const int64_t rows = instruction.transpose ? from.layout.cols : from.layout.rows;
    const int64_t cols = instruction.transpose ? from.layout.rows : from.layout.cols;
    if (to.layout.rows != rows || to.layout.cols != cols) {
      fail(fmt::format("moves {} x {} elements to a tile of {} x {}", rows, cols, to.layout.rows,
                       to.layout.cols));
    }
    check_same_type(from, to);
    const TileSource source = core_->l1().read(from.layout, from.offset);
    if (instruction.dst.space == Memory::kL0B) {
      core_->l0b().write(to.layout, to.offset, source, instruction.transpose);
    } else {
      copy_rectangle(source.layout, source.bytes, source.place, to.layout, to.bytes, {},
                     from.layout.rows, from.layout.cols, instruction.transpose);
    }
  }

  void check_product(const Operand& a, const Operand& b, const Operand& c) const {
    if (a.layout.cols != b.layout.rows || c.layout.rows != a.layout.rows ||
        c.layout.cols != b.layout.cols) {
      fail(fmt::format("{} x {} times {} x {} does not give {} x {}", a.layout.rows, a.layout.cols,
                       b.layout.rows, b.layout.cols, c.layout.rows, c.layout.cols));
    }
    if (a.layout.layout != Layout::kZz || b.layout.layout != Layout::kNz ||
        c.layout.layout != Layout::kZn) {
      fail(fmt::format("multiplies {} by {} to {}; the cube unit multiplies {} by {} to {}",
                       name_of(a.layout.layout), name_of(b.layout.layout), name_of(c.layout.layout),
                       name_of(Layout::kZz), name_of(Layout::kNz), name_of(Layout::kZn)));
    }
    if (a.layout.type == DType::kI32 || b.layout.type != a.layout.type ||
        c.layout.type != accumulator_of(a.layout.type)) {
      fail(
          fmt::format("multiplies {} by {} to {}; the cube unit multiplies i8 to i32 and f16, "
                      "bf16 or f32 to f32",
                      name_of(a.layout.type), name_of(b.layout.type), name_of(c.layout.type)));
    }
  }

  /// The elements as numbers of the cube unit: where they are, or else converted into `room`.
  template <typename Scalar>
  static const Scalar* values_of(DType type, const uint8_t* elements, int64_t bytes,
                                 AlignedBytes& room) {
    const auto address = reinterpret_cast<uintptr_t>(elements);
    if (bytes_of(type) == static_cast<int>(sizeof(Scalar)) && address % alignof(Scalar) == 0) {
      return reinterpret_cast<const Scalar*>(elements);
    }
    const int64_t count = bytes / bytes_of(type);
    const auto values =
        reinterpret_cast<Scalar*>(room.with_size(count * static_cast<int64_t>(sizeof(Scalar))));
    widen(type, elements, count, values);
    return values;
  }

  template <typename Scalar>
  void multiply(const Instruction& instruction) {
    const Operand a = on_chip(instruction.a);
    const Operand b = on_chip(instruction.b);
    const Operand c = on_chip(instruction.dst);
    check_product(a, b, c);
    const DType type = a.layout.type;
    // The padding takes part, as it does in the hardware: it ends in the padding of L0C.
    const uint8_t* rows = core_->l0b().read_rows(b.layout, b.offset);
    const Scalar* left = values_of<Scalar>(type, a.bytes, a.layout.bytes(), left_);
    const Scalar* right = values_of<Scalar>(type, rows, b.layout.bytes(), right_);
    const bool add = instruction.accumulate == Accumulate::kAlways ||
                     (instruction.accumulate == Accumulate::kUnlessFirst && !step_->first);
    const int64_t sum_rows = round_up(std::max(c.layout.rows, c.layout.stride), kFractalRows);
    const bool biased = !add && instruction.bias.used();
    if (biased) start_from_bias<Scalar>(instruction.bias, c, sum_rows);
    multiply_tiles({c.layout.rows, c.layout.cols, a.layout.cols, kFractalRowBytes / bytes_of(type),
                    sum_rows, add || biased},
                   left, right, reinterpret_cast<Scalar*>(c.bytes));
  }

  /// Every row of the tile of sums becomes the column of biases.
  template <typename Scalar>
  void start_from_bias(const Tile& tile, const Operand& sums, int64_t sum_rows) {
    const Operand bias = on_chip(tile);
    if (bias.layout.type != sums.layout.type || bias.layout.rows != sums.layout.cols ||
        bias.layout.cols != 1 || bias.layout.layout != Layout::kNd) {
      fail(fmt::format("biases of {} x {} {} do not suit sums of {} columns of {}",
                       bias.layout.rows, bias.layout.cols, name_of(bias.layout.type),
                       sums.layout.cols, name_of(sums.layout.type)));
    }
    const auto* values = reinterpret_cast<const Scalar*>(bias.bytes);
    auto* start = reinterpret_cast<Scalar*>(sums.bytes);
    for (int64_t col = 0; col < sums.layout.cols; col += kFractalRows) {
      const int64_t real = std::min(kFractalRows, sums.layout.cols - col);
      Scalar* row = start + col * sum_rows;
      for (int64_t r = 0; r < sums.layout.rows; ++r, row += kFractalRows) {
        std::fill(std::copy_n(values + col, real, row), row + kFractalRows, Scalar{0});
      }
    }
  }

  void drain(const Instruction& instruction) {
    const Operand from = on_chip(instruction.a);
    const int64_t rows = from.layout.rows;
    const int64_t cols = from.layout.cols;
    const Operand to = in_tensor(instruction.dst, rows, cols);
    if (instruction.b.used() || instruction.relu) return drain_changed(instruction, from, to);
    if (from.layout.type == to.layout.type) return copy(from, to, rows, cols);
    if (bytes_of(from.layout.type) != 4 || is_whole(from.layout.type) != is_whole(to.layout.type)) {
      fail(fmt::format("cannot convert {} to {}", name_of(from.layout.type),
                       name_of(to.layout.type)));
    }
    if (from.layout.type == DType::kI32) {
      convert<int32_t>(from, to);
    } else {
      convert<float>(from, to);
    }
  }

  /// Scales and rectifies sums on their way.
  void drain_changed(const Instruction& instruction, const Operand& from, const Operand& to) {
    const int64_t rows = from.layout.rows;
    const int64_t cols = from.layout.cols;
    const bool whole = is_whole(from.layout.type);
    const bool scaled = instruction.b.used();
    if (whole && !scaled && to.layout.type != DType::kI32) {
      fail(fmt::format("converts {} to {} without scales", name_of(from.layout.type),
                       name_of(to.layout.type)));
    }
    const TileLayout matrix{Layout::kNd, to.layout.type, rows, cols};
    const Operand changed{matrix, right_.with_size(matrix.bytes()), {}, 0};
    if (whole) {
      wholes_.resize(static_cast<size_t>(rows * cols));
      unpack(from.layout, from.bytes, wholes_.data());
    }
    if (whole && !scaled) {
      for (int32_t& value : wholes_) value = std::max(value, 0);
      pack(matrix, wholes_.data(), changed.bytes);
      return copy(changed, to, rows, cols);
    }
    std::vector<float>& values = result_.values;
    values.resize(static_cast<size_t>(rows * cols));
    if (whole) {
      std::copy(wholes_.begin(), wholes_.end(), values.begin());
    } else {
      unpack(from.layout, from.bytes, values.data());
    }
    if (scaled) scale_columns(instruction.b, cols, values);
    if (instruction.relu) {
      for (float& value : values) value = value < 0 ? 0.0F : value;
    }
    pack_values(values, changed);
    copy(changed, to, rows, cols);
  }

  void scale_columns(const Tile& tile, int64_t cols, std::vector<float>& values) {
    const Operand scales = on_chip(tile);
    if (scales.layout.type != DType::kF32 || scales.layout.rows != cols ||
        scales.layout.cols != 2 || scales.layout.layout != Layout::kNd) {
      fail(fmt::format("{} x {} {} are no scales of {} columns", scales.layout.rows,
                       scales.layout.cols, name_of(scales.layout.type), cols));
    }
    const auto* words = reinterpret_cast<const float*>(scales.bytes);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] *= words[2 * (i % static_cast<size_t>(cols))];
    }
  }

  /// f32 values as elements of the tile's type.
  void pack_values(const std::vector<float>& values, const Operand& to) {
    if (!is_whole(to.layout.type)) return pack(to.layout, values.data(), to.bytes);
    wholes_.resize(values.size());
    std::transform(values.begin(), values.end(), wholes_.begin(), to_whole);
    pack(to.layout, wholes_.data(), to.bytes);
  }

  /// Converts whole fractals, whatever lies in their padding, and copies the real elements.
  template <typename Scalar>
  void convert(const Operand& from, const Operand& to) {
    const int64_t width = bytes_of(to.layout.type);
    TileLayout converted = from.layout;
    converted.type = to.layout.type;
    converted.fractal_row_bytes = kFractalRows * width;
    const int64_t bytes = from.layout.bytes();
    uint8_t* elements = right_.with_size(bytes);
    const int64_t count = bytes / bytes_of(from.layout.type);
    narrow(values_of<Scalar>(from.layout.type, from.bytes, bytes, left_), count, to.layout.type,
           elements);
    copy({converted, elements, {}, 0}, to, from.layout.rows, from.layout.cols);
  }

  void read(const Operand& from, VectorOperand& operand) {
    operand.rows = from.layout.rows;
    operand.cols = from.layout.cols;
    operand.values.resize(static_cast<size_t>(operand.rows * operand.cols));
    if (is_whole(from.layout.type)) {
      wholes_.resize(operand.values.size());
      unpack(from.layout, from.bytes, wholes_.data());
      std::copy(wholes_.begin(), wholes_.end(), operand.values.begin());
    } else {
      unpack(from.layout, from.bytes, operand.values.data());
    }
  }

  void read(const Operand& from, WholeOperand& operand) {
    operand.rows = from.layout.rows;
    operand.cols = from.layout.cols;
    operand.values.resize(static_cast<size_t>(operand.rows * operand.cols));
    unpack(from.layout, from.bytes, operand.values.data());
  }

  /// An operand of a vector operation whose result has that size.
  template <typename Values>
  void read(const Instruction& instruction, const Tile& tile, const TileLayout& result,
            Values& operand) {
    if (!tile.used()) return;
    const Operand from = on_chip(tile);
    const TileLayout& layout = from.layout;
    const VectorOp op = instruction.vector_op;
    if (!fits_vector_op(op, &tile == &instruction.b, layout.rows, layout.cols, result.rows,
                        result.cols, instruction.divisor)) {
      fail(fmt::format("{} of {} x {} does not give {} x {}", name_of(op), layout.rows, layout.cols,
                       result.rows, result.cols));
    }
    read(from, operand);
  }

  /// Copies of whole numbers do not go through f32, which is too narrow for them.
  bool copy_whole_numbers(const Instruction& instruction, const Operand& to) {
    const VectorOp op = instruction.vector_op;
    if (op != VectorOp::kCopy && op != VectorOp::kConvert) return false;
    const Operand from = on_chip(instruction.a);
    if (!is_whole(from.layout.type) || !is_whole(to.layout.type) ||
        from.layout.rows != to.layout.rows || from.layout.cols != to.layout.cols) {
      return false;
    }
    wholes_.resize(static_cast<size_t>(to.layout.rows * to.layout.cols));
    unpack(from.layout, from.bytes, wholes_.data());
    pack(to.layout, wholes_.data(), to.bytes);
    return true;
  }

  /// What works on 32-bit whole numbers as such; other operations take them as f32.
  bool compute_wholes(const Instruction& instruction, const Operand& to) {
    const VectorOp op = instruction.vector_op;
    const auto is_whole_tile = [](const Tile& tile) {
      return !tile.used() || tile.type == DType::kI32;
    };
    const bool gives_wholes = to.layout.type == DType::kI32;
    switch (op) {
      case VectorOp::kLess:
      case VectorOp::kLessEqual:
      case VectorOp::kEqual:
        if (gives_wholes || !is_whole_tile(instruction.a) || !is_whole_tile(instruction.b)) {
          return false;
        }
        read(instruction, instruction.a, to.layout, whole_a_);
        read(instruction, instruction.b, to.layout, whole_b_);
        result_.rows = to.layout.rows;
        result_.cols = to.layout.cols;
        compare_wholes(op, whole_a_, whole_b_, result_);
        pack_values(result_.values, to);
        return true;
      case VectorOp::kSelect:
        if (!gives_wholes || !is_whole_tile(instruction.b)) return false;
        read(instruction, instruction.a, to.layout, a_);
        read(instruction, instruction.b, to.layout, whole_b_);
        read(to, whole_result_);
        select_wholes(a_, whole_b_, whole_result_);
        break;
      case VectorOp::kAdd:
      case VectorOp::kSub:
      case VectorOp::kMul:
      case VectorOp::kAnd:
      case VectorOp::kOr:
      case VectorOp::kShiftLefts:
      case VectorOp::kShiftRights:
      case VectorOp::kDup:
      case VectorOp::kCopy:
        if (!gives_wholes || !is_whole_tile(instruction.a) || !is_whole_tile(instruction.b) ||
            !std::isfinite(instruction.scalar)) {
          if (op >= VectorOp::kAnd) {
            fail(fmt::format("{} of {}; it is one of i32", name_of(op),
                             name_of(to.layout.type)));
          }
          return false;
        }
        read(instruction, instruction.a, to.layout, whole_a_);
        read(instruction, instruction.b, to.layout, whole_b_);
        whole_result_.rows = to.layout.rows;
        whole_result_.cols = to.layout.cols;
        apply_whole_op(op, whole_a_, whole_b_, instruction.scalar, whole_result_);
        break;
      default:
        return false;
    }
    pack(to.layout, whole_result_.values.data(), to.bytes);
    return true;
  }

  void check_blocks(const Instruction& instruction) const {
    const VectorOp op = instruction.vector_op;
    if (!reduces_blocks(op)) return;
    if (instruction.divisor * bytes_of(instruction.a.type) != machine_.buffers.ub_align) {
      fail(fmt::format("reduces blocks of {} elements, not of {} bytes", instruction.divisor,
                       machine_.buffers.ub_align));
    }
  }

  void compute(const Instruction& instruction) {
    const VectorOp op = instruction.vector_op;
    const bool binary = op <= VectorOp::kDiv || op == VectorOp::kLess || op == VectorOp::kGather ||
                        op == VectorOp::kSort || op == VectorOp::kSelect ||
                        op == VectorOp::kAnd || op == VectorOp::kOr ||
                        op == VectorOp::kLessEqual || op == VectorOp::kEqual;
    const bool unary = op != VectorOp::kDup && op != VectorOp::kIndex;
    if ((unary && !instruction.a.used()) || (binary && !instruction.b.used())) {
      fail(fmt::format("{} lacks an operand", name_of(op)));
    }
    if (instruction.divisor <= 0) fail("has a divisor below 1");
    check_blocks(instruction);
    // UB may move when it grows, so every operand has to be there before one is used.
    for (const Tile* tile : {&instruction.a, &instruction.b}) {
      if (tile->used()) on_chip(*tile);
    }
    const Operand to = on_chip(instruction.dst);
    if (copy_whole_numbers(instruction, to) || compute_wholes(instruction, to)) return;
    read(instruction, instruction.a, to.layout, a_);
    read(instruction, instruction.b, to.layout, b_);
    result_.rows = to.layout.rows;
    result_.cols = to.layout.cols;
    if (op == VectorOp::kSelect) read(to, result_);
    const double scalar = op == VectorOp::kMask
                              ? static_cast<double>(value(instruction.scalar_expr))
                              : instruction.scalar;
    const int64_t first_row = value(instruction.row_expr);
    if (first_row < 0) fail("has rows before its first position");
    apply_vector_op(op, a_, b_, {scalar, instruction.divisor, first_row}, result_);
    pack_values(result_.values, to);
  }

  const Launch& launch_;
  const Machine& machine_;
  GmImage& image_;
  AllBuffers buffers_;
  std::vector<bool> is_written_;      // by tensor
  const SerialStep* step_ = nullptr;  // at hand
  Buffers* core_ = nullptr;           // of the step
  // Room for operands, kept from instruction to instruction.
  AlignedBytes left_, right_;
  std::vector<int32_t> wholes_;
  VectorOperand a_, b_, result_;
  WholeOperand whole_a_, whole_b_, whole_result_;
};

}  // namespace

GmImage make_image(const Launch& launch) {
  GmImage image;
  for (const Tensor& tensor : launch.tensors) {
    const TileLayout layout = layout_of(tensor);
    image.emplace_back(static_cast<size_t>(layout.bytes()), uint8_t{0xff});
  }
  return image;
}

void run_functional(const Launch& launch, const Machine& machine, GmImage& image) {
  validate(launch, machine);
  for (size_t t = 0; t < launch.tensors.size(); ++t) {
    const Tensor& tensor = launch.tensors[t];
    const TileLayout layout = layout_of(tensor);
    TW_CHECK(image.size() == launch.tensors.size() &&
                 static_cast<int64_t>(image[t].size()) == layout.bytes(),
             "the image has the launch's tensors");
  }
  FunctionalRun(launch, machine, image).run();
}

std::vector<float> read_tensor(const Tensor& tensor, const std::vector<uint8_t>& bytes) {
  const TileLayout layout = layout_of(tensor);
  std::vector<float> values(static_cast<size_t>(tensor.rows * tensor.cols));
  if (is_whole(tensor.type)) {
    std::vector<int32_t> whole(values.size());
    unpack(layout, bytes.data(), whole.data());
    std::copy(whole.begin(), whole.end(), values.begin());
  } else {
    unpack(layout, bytes.data(), values.data());
  }
  return values;
}

std::vector<int32_t> read_whole_tensor(const Tensor& tensor, const std::vector<uint8_t>& bytes) {
  std::vector<int32_t> values(static_cast<size_t>(tensor.rows * tensor.cols));
  unpack(layout_of(tensor), bytes.data(), values.data());
  return values;
}

std::vector<uint8_t> write_whole_tensor(const Tensor& tensor, const std::vector<int32_t>& values) {
  const TileLayout layout = layout_of(tensor);
  std::vector<uint8_t> bytes(static_cast<size_t>(layout.bytes()));
  pack(layout, values.data(), bytes.data());
  return bytes;
}

std::vector<uint8_t> write_tensor(const Tensor& tensor, const std::vector<float>& values) {
  const TileLayout layout = layout_of(tensor);
  std::vector<uint8_t> bytes(static_cast<size_t>(layout.bytes()));
  if (is_whole(tensor.type)) {
    std::vector<int32_t> whole(values.size());
    std::transform(values.begin(), values.end(), whole.begin(), to_whole);
    pack(layout, whole.data(), bytes.data());
  } else {
    pack(layout, values.data(), bytes.data());
  }
  return bytes;
}

}  // namespace tilewright
