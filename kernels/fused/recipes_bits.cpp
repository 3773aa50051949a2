#include "kernels/fused/recipes_bits.h"

#include <fmt/format.h>

#include <optional>

#include "core/base/error.h"
#include "kernels/fused/recipe_writer.h"

namespace tilewright {

namespace {

/// The number of shifts that an op makes of all its elements; none where that is not known.
std::optional<int64_t> known_shift(const Computation& computation, const Op& op) {
  const Op* amount = &computation.operand(op, 1);
  if (amount->opcode == HloOpcode::kBroadcast) amount = &computation.operand(*amount, 0);
  if (amount->opcode != HloOpcode::kConstant) return std::nullopt;
  const Literal& literal = amount->get<Literal>();
  if (literal.integers.size() != 1 || literal.elided) return std::nullopt;
  const int64_t shift = literal.integers.front();
  return shift >= 0 && shift < 32 ? std::optional(shift) : std::nullopt;
}

}  // namespace

bool takes_or_gives_bits(const Computation& computation, const Op& op) {
  const auto is_u32 = [](const Shape& shape) { return shape.type == ElementType::kU32; };
  for (size_t i = 0; i < op.operands.size(); ++i) {
    if (is_u32(computation.operand(op, i).shape)) return true;
  }
  return is_u32(op.shape);
}

std::string why_no_recipe_of_bits(const Computation& computation, const Op& op) {
  const ElementType from = computation.operand(op, 0).shape.type;
  bool has_recipe = false;
  switch (op.opcode) {
    case HloOpcode::kAdd:
    case HloOpcode::kSubtract:
    case HloOpcode::kMultiply:
    case HloOpcode::kAnd:
    case HloOpcode::kOr:
    case HloOpcode::kXor:
    case HloOpcode::kNot:
    case HloOpcode::kCompare:
    case HloOpcode::kSelect:
      has_recipe = true;
      break;
    case HloOpcode::kShiftLeft:
    case HloOpcode::kShiftRightLogical:
      has_recipe = known_shift(computation, op).has_value();
      break;
    case HloOpcode::kConvert: {
      const ElementType other = from == ElementType::kU32 ? op.shape.type : from;
      has_recipe = other == ElementType::kPred || other == ElementType::kS32 ||
                   (is_float(other) && from == ElementType::kU32);
      break;
    }
    case HloOpcode::kBitcastConvert:
      has_recipe = op.shape.type == ElementType::kF32;
      break;
    default:
      break;
  }
  if (has_recipe) return "";
  return fmt::format("the vector unit has no {} of u32", name_of(op.opcode));
}

bool holds_bits(const VecProgram& program, int array) {
  return array >= 0 && program.arrays[static_cast<size_t>(array)].type == DType::kI32;
}

namespace {

/// Writes instructions on 32-bit whole numbers, which wrap around.
class BitsWriter {
 public:
  BitsWriter(int dst, VecProgram& program, std::vector<VecStep>& steps)
      : dst_(dst), program_(program), steps_(steps) {}

  void write(const Op& op, const std::vector<RecipeOperand>& operands) {
    const auto array = [&](size_t i) { return array_of(operands[i], DType::kI32); };
    switch (op.opcode) {
      case HloOpcode::kAdd:
        return put(VectorOp::kAdd, dst_, array(0), array(1));
      case HloOpcode::kSubtract:
        return put(VectorOp::kSub, dst_, array(0), array(1));
      case HloOpcode::kMultiply:
        return put(VectorOp::kMul, dst_, array(0), array(1));
      case HloOpcode::kAnd:
        return put(VectorOp::kAnd, dst_, array(0), array(1));
      case HloOpcode::kOr:
        return put(VectorOp::kOr, dst_, array(0), array(1));
      case HloOpcode::kXor: {
        // What either has, without what both have.
        const int a = array(0), b = array(1);
        const int either = temporary(DType::kI32);
        put(VectorOp::kOr, either, a, b);
        put(VectorOp::kAnd, dst_, a, b);
        return put(VectorOp::kSub, dst_, either, dst_);
      }
      case HloOpcode::kNot:
        return put(VectorOp::kSub, dst_, array_of({-1, -1}, DType::kI32), array(0));
      case HloOpcode::kShiftLeft:
        return put(VectorOp::kShiftLefts, dst_, array(0), -1, operands[1].value);
      case HloOpcode::kShiftRightLogical:
        return put(VectorOp::kShiftRights, dst_, array(0), -1, operands[1].value);
      case HloOpcode::kSelect: {
        const int chosen = array(1);
        const int truth = array_of(operands[0], DType::kF32);
        put(VectorOp::kCopy, dst_, array(2));
        return put(VectorOp::kSelect, dst_, truth, chosen);
      }
      case HloOpcode::kCompare:
        return RecipeWriter(dst_, program_, steps_)
            .compare(op.get<Comparison>().direction, {with_sign(array(0)), 0},
                     {with_sign(array(1)), 0});
      case HloOpcode::kBitcastConvert:
        put(VectorOp::kCopy, dst_, array(0));
        steps_.back().takes_bits = true;
        return;
      case HloOpcode::kConvert:
        return convert(op.shape.type, operands[0]);
      default:
        TW_CHECK(false, "planners ask before they fuse");
    }
  }

 private:
  int temporary(DType type) {
    program_.arrays.push_back({program_.arrays[static_cast<size_t>(dst_)].axes, type});
    return static_cast<int>(program_.arrays.size()) - 1;
  }
  void put(VectorOp op, int dst, int a = -1, int b = -1, double scalar = 0) {
    steps_.push_back({op, dst, a, b, -1, scalar});
  }
  int array_of(const RecipeOperand& operand, DType type) {
    if (!operand.is_fixed()) return operand.array;
    program_.arrays.push_back({{}, type});
    const int filled = static_cast<int>(program_.arrays.size()) - 1;
    put(VectorOp::kDup, filled, -1, -1, operand.value);
    return filled;
  }
  /// The number less 2^31: in the order of numbers with a sign.
  int with_sign(int a) {
    program_.arrays.push_back({program_.arrays[static_cast<size_t>(a)].axes, DType::kI32});
    const int moved = static_cast<int>(program_.arrays.size()) - 1;
    put(VectorOp::kAdd, moved, a, array_of({-1, -0x1p31}, DType::kI32));
    return moved;
  }
  void convert(ElementType to, const RecipeOperand& operand) {
    if (holds_bits(program_, dst_)) {
      if (operand.is_fixed()) return put(VectorOp::kDup, dst_, -1, -1, operand.value);
      return put(VectorOp::kConvert, dst_, operand.array);
    }
    const int a = array_of(operand, DType::kI32);
    if (to == ElementType::kPred) {
      const int zero = array_of({-1, 0}, DType::kI32);
      return RecipeWriter(dst_, program_, steps_)
          .compare(CompareDirection::kNe, {a, 0}, {zero, 0});
    }
    put(VectorOp::kConvert, dst_, a);
    if (to == ElementType::kS32) return;
    // What looks like a number below 0 is 2^32 more.
    const int below = temporary(DType::kF32);
    put(VectorOp::kLess, below, dst_, array_of({-1, 0}, DType::kF32));
    put(VectorOp::kMuls, below, below, -1, 0x1p32);
    put(VectorOp::kAdd, dst_, dst_, below);
  }

  int dst_;
  VecProgram& program_;
  std::vector<VecStep>& steps_;
};

}  // namespace

void add_recipe_of_bits(const Op& op, const std::vector<RecipeOperand>& operands, int dst,
                        VecProgram& program, std::vector<VecStep>& steps) {
  BitsWriter(dst, program, steps).write(op, operands);
}

}  // namespace tilewright
