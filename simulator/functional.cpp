#include "simulator/functional.h"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "simulator/layout.h"
#include "simulator/serial_order.h"
#include "simulator/vector_functional.h"

namespace tilewright {

namespace {

template <typename Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The buffers of a core.
using Buffers = std::array<std::vector<uint8_t>, kMemoryCount>;

class FunctionalRun {
 public:
  FunctionalRun(const Launch& launch, const Machine& machine, GmImage& image)
      : launch_(launch), image_(image), buffers_(launch.cores.size()) {
    for (size_t c = 0; c < buffers_.size(); ++c) {
      const bool aic = launch.cores[c].kind == CoreKind::kAic;
      for (Memory space : {Memory::kL1, Memory::kL0A, Memory::kL0B, Memory::kL0C, Memory::kUb}) {
        if (aic == (space == Memory::kUb)) continue;
        buffers_[c][static_cast<size_t>(space)].assign(
            static_cast<size_t>(capacity_of(machine, space)), 0xff);
      }
    }
  }

  void run() {
    const std::vector<SerialStep> stuck = walk_in_order(launch_, [&](const SerialStep& step) {
      step_ = &step;
      execute(buffers_[static_cast<size_t>(step.core)], *step.instruction);
    });
    if (!stuck.empty()) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("launch {} waits for a flag that is never set before it in program "
                              "order",
                              stuck.front().where()));
    }
  }

 private:
  int64_t value(const Expr& expr) const { return step_->value(expr); }

  TileLayout layout_of(const Tile& tile) const {
    return {tile.layout, tile.type, value(tile.rows), value(tile.cols), tile.stride};
  }

  uint8_t* bytes_of_tile(Buffers& core, const Tile& tile, const TileLayout& layout) {
    std::vector<uint8_t>& buffer = core[static_cast<size_t>(tile.space)];
    const int64_t offset = value(tile.offset);
    if (offset < 0 || layout.rows <= 0 || layout.cols <= 0 ||
        offset + layout.bytes() > static_cast<int64_t>(buffer.size())) {
      throw Error(
          ErrorKind::kFailed,
          fmt::format("{}: needs bytes {} to {} of {}, which has {}", "launch " + step_->where(),
                      offset, offset + layout.bytes(), name_of(tile.space), buffer.size()));
    }
    return buffer.data() + offset;
  }

  /// The tensor's layout, after checking that the tile lies inside.
  TileLayout tensor_layout(const Tile& tile, int64_t rows, int64_t cols) const {
    const Tensor& tensor = launch_.tensors[static_cast<size_t>(tile.tensor)];
    const int64_t row = value(tile.row);
    const int64_t col = value(tile.col);
    if (row < 0 || col < 0 || rows <= 0 || cols <= 0 || row + rows > tensor.rows ||
        col + cols > tensor.cols) {
      throw Error(
          ErrorKind::kFailed,
          fmt::format("{}: touches rows {}+{}, columns {}+{} of tensor {}, which has {} x {}",
                      "launch " + step_->where(), row, rows, col, cols, tensor.name, tensor.rows,
                      tensor.cols));
    }
    return {tensor.layout, tensor.type, tensor.rows, tensor.cols, 0};
  }

  void execute(Buffers& core, const Instruction& instruction) {
    switch (instruction.opcode) {
      case Opcode::kLoad: {
        const TileLayout to = layout_of(instruction.dst);
        const TileLayout from = tensor_layout(instruction.a, to.rows, to.cols);
        copy_rectangle(from, image_[static_cast<size_t>(instruction.a.tensor)].data(),
                       {value(instruction.a.row), value(instruction.a.col)}, to,
                       bytes_of_tile(core, instruction.dst, to), {}, to.rows, to.cols);
        return;
      }
      case Opcode::kStore: {
        const TileLayout from = layout_of(instruction.a);
        const TileLayout to = tensor_layout(instruction.dst, from.rows, from.cols);
        copy_rectangle(from, bytes_of_tile(core, instruction.a, from), {}, to,
                       image_[static_cast<size_t>(instruction.dst.tensor)].data(),
                       {value(instruction.dst.row), value(instruction.dst.col)}, from.rows,
                       from.cols);
        return;
      }
      case Opcode::kMove: {
        const TileLayout from = layout_of(instruction.a);
        const TileLayout to = layout_of(instruction.dst);
        copy_rectangle(from, bytes_of_tile(core, instruction.a, from), {}, to,
                       bytes_of_tile(core, instruction.dst, to), {}, from.rows, from.cols,
                       instruction.transpose);
        return;
      }
      case Opcode::kMmad: {
        const bool add = instruction.accumulate == Accumulate::kAlways ||
                         (instruction.accumulate == Accumulate::kUnlessFirst && !step_->first);
        if (instruction.a.type == DType::kI8) {
          multiply<int32_t>(core, instruction, add);
        } else {
          multiply<float>(core, instruction, add);
        }
        return;
      }
      case Opcode::kFixpipe:
        if (instruction.a.type == DType::kI32) {
          drain<int32_t>(core, instruction);
        } else {
          drain<float>(core, instruction);
        }
        return;
      case Opcode::kVector:
        compute(core, instruction);
        return;
    }
  }

  template <typename Scalar>
  void multiply(Buffers& core, const Instruction& instruction, bool add) {
    const TileLayout a = layout_of(instruction.a);
    const TileLayout b = layout_of(instruction.b);
    const TileLayout c = layout_of(instruction.dst);
    if (a.cols != b.rows || c.rows != a.rows || c.cols != b.cols) {
      throw Error(ErrorKind::kFailed, fmt::format("{}: {} x {} times {} x {} does not give {} x {}",
                                                  "launch " + step_->where(), a.rows, a.cols,
                                                  b.rows, b.cols, c.rows, c.cols));
    }
    Matrix<Scalar> left(a.rows, a.cols);
    Matrix<Scalar> right(b.rows, b.cols);
    Matrix<Scalar> sum = Matrix<Scalar>::Zero(c.rows, c.cols);
    unpack(a, bytes_of_tile(core, instruction.a, a), left.data());
    unpack(b, bytes_of_tile(core, instruction.b, b), right.data());
    uint8_t* target = bytes_of_tile(core, instruction.dst, c);
    if (add) unpack(c, target, sum.data());
    sum.noalias() += left * right;
    pack(c, sum.data(), target);
  }

  template <typename Scalar>
  void drain(Buffers& core, const Instruction& instruction) {
    const TileLayout from = layout_of(instruction.a);
    const TileLayout to = tensor_layout(instruction.dst, from.rows, from.cols);
    std::vector<Scalar> values(static_cast<size_t>(from.rows * from.cols));
    unpack(from, bytes_of_tile(core, instruction.a, from), values.data());
    const TileLayout plain{Layout::kNd, to.type, from.rows, from.cols, 0};
    std::vector<uint8_t> converted(static_cast<size_t>(plain.bytes()));
    pack(plain, values.data(), converted.data());
    copy_rectangle(plain, converted.data(), {}, to,
                   image_[static_cast<size_t>(instruction.dst.tensor)].data(),
                   {value(instruction.dst.row), value(instruction.dst.col)}, from.rows, from.cols);
  }

  VectorOperand operand(Buffers& core, const Tile& tile) {
    VectorOperand operand;
    if (!tile.used()) return operand;
    const TileLayout layout = layout_of(tile);
    operand.rows = layout.rows;
    operand.cols = layout.cols;
    operand.values.resize(static_cast<size_t>(layout.rows * layout.cols));
    const uint8_t* bytes = bytes_of_tile(core, tile, layout);
    if (tile.type == DType::kI32) {
      std::vector<int32_t> whole(operand.values.size());
      unpack(layout, bytes, whole.data());
      std::copy(whole.begin(), whole.end(), operand.values.begin());
    } else {
      unpack(layout, bytes, operand.values.data());
    }
    return operand;
  }

  void compute(Buffers& core, const Instruction& instruction) {
    const TileLayout to = layout_of(instruction.dst);
    VectorOperand result{to.rows, to.cols, {}};
    const double scalar = instruction.vector_op == VectorOp::kMask
                              ? static_cast<double>(value(instruction.scalar_expr))
                              : instruction.scalar;
    apply_vector_op(instruction.vector_op, operand(core, instruction.a),
                    operand(core, instruction.b), scalar, instruction.divisor, result);
    uint8_t* target = bytes_of_tile(core, instruction.dst, to);
    if (to.type == DType::kI32) {
      const std::vector<int32_t> whole(result.values.begin(), result.values.end());
      pack(to, whole.data(), target);
    } else {
      pack(to, result.values.data(), target);
    }
  }

  const Launch& launch_;
  GmImage& image_;
  std::vector<Buffers> buffers_;      // by core
  const SerialStep* step_ = nullptr;  // at hand
};

}  // namespace

GmImage make_image(const Launch& launch) {
  GmImage image;
  for (const Tensor& tensor : launch.tensors) {
    const TileLayout layout{tensor.layout, tensor.type, tensor.rows, tensor.cols, 0};
    image.emplace_back(static_cast<size_t>(layout.bytes()), uint8_t{0xff});
  }
  return image;
}

void run_functional(const Launch& launch, const Machine& machine, GmImage& image) {
  validate(launch, machine);
  for (size_t t = 0; t < launch.tensors.size(); ++t) {
    const Tensor& tensor = launch.tensors[t];
    const TileLayout layout{tensor.layout, tensor.type, tensor.rows, tensor.cols, 0};
    TW_CHECK(image.size() == launch.tensors.size() &&
                 static_cast<int64_t>(image[t].size()) == layout.bytes(),
             "the image has the launch's tensors");
  }
  FunctionalRun(launch, machine, image).run();
}

std::vector<float> read_tensor(const Tensor& tensor, const std::vector<uint8_t>& bytes) {
  const TileLayout layout{tensor.layout, tensor.type, tensor.rows, tensor.cols, 0};
  std::vector<float> values(static_cast<size_t>(tensor.rows * tensor.cols));
  if (tensor.type == DType::kI8 || tensor.type == DType::kI32) {
    std::vector<int32_t> whole(values.size());
    unpack(layout, bytes.data(), whole.data());
    std::copy(whole.begin(), whole.end(), values.begin());
  } else {
    unpack(layout, bytes.data(), values.data());
  }
  return values;
}

std::vector<uint8_t> write_tensor(const Tensor& tensor, const std::vector<float>& values) {
  const TileLayout layout{tensor.layout, tensor.type, tensor.rows, tensor.cols, 0};
  std::vector<uint8_t> bytes(static_cast<size_t>(layout.bytes()));
  if (tensor.type == DType::kI8 || tensor.type == DType::kI32) {
    const std::vector<int32_t> whole(values.begin(), values.end());
    pack(layout, whole.data(), bytes.data());
  } else {
    pack(layout, values.data(), bytes.data());
  }
  return bytes;
}

}  // namespace tilewright
