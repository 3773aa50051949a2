#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/graph/op_graph.h"
#include "core/graph/shape.h"
#include "core/graph/topological_order.h"

namespace tilewright {
namespace {

TEST(GraphShape, NamesEveryElementType) {
  for (int i = 0; i < static_cast<int>(ElementType::kTuple); ++i) {
    const auto type = static_cast<ElementType>(i);
    EXPECT_EQ(find_element_type(name_of(type)), type) << name_of(type);
  }
  EXPECT_EQ(find_element_type("tuple"), std::nullopt);
  EXPECT_EQ(find_element_type("f31"), std::nullopt);
}

TEST(GraphShape, ClassifiesElementTypes) {
  EXPECT_TRUE(is_float(ElementType::kF8E4M3FN));
  EXPECT_FALSE(is_float(ElementType::kC64));
  EXPECT_TRUE(is_complex(ElementType::kC128));
  EXPECT_TRUE(is_integer(ElementType::kU4));
  EXPECT_FALSE(is_signed_integer(ElementType::kU4));
  EXPECT_FALSE(is_integer(ElementType::kPred));
  EXPECT_TRUE(is_array(ElementType::kPred));
  EXPECT_FALSE(is_array(ElementType::kToken));
}

TEST(GraphShape, GivesTheTypesOfTheNpu) {
  EXPECT_EQ(npu_type_of(ElementType::kF32), DType::kF32);
  EXPECT_EQ(npu_type_of(ElementType::kF16), DType::kF16);
  EXPECT_EQ(npu_type_of(ElementType::kBF16), DType::kBF16);
  EXPECT_EQ(npu_type_of(ElementType::kS8), DType::kI8);
  EXPECT_EQ(npu_type_of(ElementType::kS32), DType::kI32);
  EXPECT_EQ(npu_type_of(ElementType::kF64), std::nullopt);
}

TEST(GraphShape, CountsElementsAndBytes) {
  EXPECT_EQ(element_count(array_shape(ElementType::kF32)), 1);
  EXPECT_EQ(element_count(array_shape(ElementType::kF32, {2, 3, 4})), 24);
  EXPECT_EQ(element_count(array_shape(ElementType::kF32, {2, 0, kMaxElements - 1})), 0);
  EXPECT_EQ(byte_count(array_shape(ElementType::kBF16, {2, 3})), 12);
  EXPECT_EQ(byte_count(array_shape(ElementType::kC128, {2})), 32);
  EXPECT_EQ(byte_count(array_shape(ElementType::kS4, {3})), 3);
  EXPECT_EQ(byte_count(array_shape(ElementType::kToken)), 0);
  const Shape pair =
      tuple_shape({array_shape(ElementType::kF32, {2}), array_shape(ElementType::kS8, {3})});
  EXPECT_EQ(byte_count(pair), 11);
}

TEST(GraphShape, RefusesWhatCannotBeCounted) {
  const std::vector<std::vector<int64_t>> absurd = {
      {kMaxElements},
      {-1},
      {1 << 24, 1 << 24},
      {INT64_MAX, INT64_MAX, INT64_MAX},
      {1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30},
  };
  for (const std::vector<int64_t>& dims : absurd) {
    EXPECT_THROW(byte_count(array_shape(ElementType::kF32, dims)), Error) << dims[0];
  }
  EXPECT_EQ(element_count(array_shape(ElementType::kF32, {(1 << 24) - 1, 1 << 24})),
            kMaxElements - (1 << 24));
  const Shape large = array_shape(ElementType::kC128, {kMaxElements - 1});
  EXPECT_THROW(byte_count(tuple_shape(std::vector<Shape>(2, large))), Error);
}

TEST(GraphShape, IsWrittenAsHloText) {
  Shape shape = array_shape(ElementType::kF32, {2, 3});
  EXPECT_EQ(to_text(shape), "f32[2,3]{1,0}");
  EXPECT_EQ(to_text(shape, false), "f32[2,3]");
  shape.minor_to_major = {0, 1};
  shape.layout_note = "T(8,128)S(5)";
  shape.dynamic = {true, false};
  EXPECT_EQ(to_text(shape), "f32[<=2,3]{0,1:T(8,128)S(5)}");
  EXPECT_EQ(to_text(array_shape(ElementType::kS32)), "s32[]");
  EXPECT_EQ(to_text(tuple_shape({array_shape(ElementType::kS32), tuple_shape({})})), "(s32[], ())");
}

TEST(GraphShape, ComparesValuesWithoutLayouts) {
  const Shape plain = array_shape(ElementType::kF32, {2, 3});
  Shape other = plain;
  other.minor_to_major = {0, 1};
  EXPECT_NE(plain, other);
  EXPECT_TRUE(same_value_shape(plain, other));
  EXPECT_TRUE(same_value_shape(tuple_shape({plain}), tuple_shape({other})));
  EXPECT_FALSE(same_value_shape(tuple_shape({plain}), tuple_shape({plain, plain})));
  EXPECT_FALSE(same_value_shape(plain, array_shape(ElementType::kF16, {2, 3})));
  EXPECT_TRUE(same_dims(plain, array_shape(ElementType::kF16, {2, 3})));
}

TEST(GraphOpcode, FindsEveryOpcodeByItsName) {
  for (int i = 0; i < kHloOpcodeCount - 1; ++i) {
    const auto opcode = static_cast<HloOpcode>(i);
    EXPECT_EQ(parse_opcode(name_of(opcode)), opcode) << name_of(opcode);
  }
  EXPECT_EQ(parse_opcode("unknown"), HloOpcode::kUnknown);
  EXPECT_EQ(parse_opcode("zoom"), HloOpcode::kUnknown);
  EXPECT_EQ(parse_opcode(""), HloOpcode::kUnknown);
  EXPECT_EQ(name_of(HloOpcode::kGetTupleElement), "get-tuple-element");
}

TEST(GraphOpcode, KnowsArityAndTraits) {
  EXPECT_EQ(arity_of(HloOpcode::kSelect), 3);
  EXPECT_EQ(arity_of(HloOpcode::kReduce), std::nullopt);
  EXPECT_TRUE(is_elementwise(HloOpcode::kTanh));
  EXPECT_TRUE(is_elementwise(HloOpcode::kConvert));
  EXPECT_FALSE(is_elementwise(HloOpcode::kBroadcast));
  EXPECT_TRUE(is_collective(HloOpcode::kAllReduce));
  EXPECT_TRUE(has_side_effect(HloOpcode::kAllReduce));
  EXPECT_TRUE(has_side_effect(HloOpcode::kSend));
  EXPECT_TRUE(has_side_effect(HloOpcode::kUnknown));
  EXPECT_FALSE(has_side_effect(HloOpcode::kWhile));
}

TEST(GraphUsers, ListsEachReaderOnce) {
  Computation computation = {.name = "c"};
  computation.ops = {{.name = "p"}, {.name = "a"}, {.name = "b"}};
  computation.ops[1].operands = {0, 0};
  computation.ops[2].operands = {0, 1};
  const Users users(computation);
  EXPECT_EQ(std::vector<int32_t>(users.of(0).begin(), users.of(0).end()),
            (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(std::vector<int32_t>(users.of(1).begin(), users.of(1).end()),
            (std::vector<int32_t>{2}));
  EXPECT_TRUE(users.of(2).empty());
}

TEST(GraphLiteral, ComparesFloatsByTheirBits) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ((Literal{.floats = {nan}}), (Literal{.floats = {nan}}));
  EXPECT_NE((Literal{.floats = {0.0}}), (Literal{.floats = {-0.0}}));
  EXPECT_NE((Literal{.floats = {1.0}}), (Literal{.floats = {1.0, 2.0}}));
}

TEST(TopologicalOrder, KeepsWhatIsInOrder) {
  const std::vector<std::vector<int32_t>> sorted = {{}, {0}, {}, {1, 1, 2}};
  EXPECT_EQ(topological_order(sorted).order, (std::vector<int32_t>{0, 1, 2, 3}));
  const std::vector<std::vector<int32_t>> mixed = {{2}, {}, {1}, {0}};
  EXPECT_EQ(topological_order(mixed).order, (std::vector<int32_t>{1, 2, 0, 3}));
}

TEST(TopologicalOrder, NamesACircle) {
  const std::vector<std::vector<int32_t>> circle = {{1}, {2, 4}, {3}, {1}, {}};
  const TopologicalOrder result = topological_order(circle);
  EXPECT_TRUE(result.order.empty());
  EXPECT_EQ(result.cycle, (std::vector<int32_t>{1, 2, 3}));
  const std::vector<std::vector<int32_t>> itself = {{0}};
  EXPECT_EQ(topological_order(itself).cycle, std::vector<int32_t>{0});
}

}  // namespace
}  // namespace tilewright
