#include "simulator/vector_functional.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tilewright {
namespace {

using Values = std::vector<float>;

VectorOperand one_row(const Values& values) {
  return {1, static_cast<int64_t>(values.size()), values};
}

Values result_of(VectorOp op, const Values& a, const Values& b, int64_t cols, int64_t divisor = 1,
                 double scalar = 0) {
  VectorOperand dst{1, cols, {}};
  apply_vector_op(op, one_row(a), one_row(b), {scalar, divisor}, dst);
  return dst.values;
}

TEST(BlockReduction, EndsWithAShorterBlock) {
  const Values a = {1, 5, -2, 7, 3};
  EXPECT_EQ(result_of(VectorOp::kBlockSum, a, {}, 3, 2), (Values{6, 5, 3}));
  EXPECT_EQ(result_of(VectorOp::kBlockMax, a, {}, 3, 2), (Values{5, 7, 3}));
  EXPECT_EQ(result_of(VectorOp::kBlockMin, a, {}, 3, 2), (Values{1, -2, 3}));
  EXPECT_TRUE(fits_vector_op(VectorOp::kBlockMax, false, 1, 5, 1, 3, 2));
  EXPECT_FALSE(fits_vector_op(VectorOp::kBlockMax, false, 1, 5, 1, 2, 2));
}

TEST(Gather, TakesTheIndexedColumnsAndNothingBeyondTheRow) {
  const Values got = result_of(VectorOp::kGather, {10, 11, 12}, {2, 0, 2, 3}, 4);
  EXPECT_EQ(Values(got.begin(), got.begin() + 3), (Values{12, 10, 12}));
  EXPECT_TRUE(std::isnan(got[3]));
}

TEST(Index, CountsFromItsScalar) {
  EXPECT_EQ(result_of(VectorOp::kIndex, {}, {}, 4, 1, -1), (Values{-1, 0, 1, 2}));
}

TEST(Less, GivesOneOrZero) {
  EXPECT_EQ(result_of(VectorOp::kLess, {1, 2, 3}, {2, 2, 2}, 3), (Values{1, 0, 0}));
}

TEST(Sort, KeepsEqualKeysInTheirOrderAndSortsEachRunAlone) {
  Values keys(34, 0.0F);
  Values payloads;
  for (int i = 0; i < 34; ++i) payloads.push_back(static_cast<float>(i));
  keys[31] = 5;
  keys[7] = 5;
  keys[33] = 9;
  const Values records = result_of(VectorOp::kSort, keys, payloads, 68);
  EXPECT_EQ(Values(records.begin(), records.begin() + 6), (Values{5, 7, 5, 31, 0, 0}));
  EXPECT_EQ(Values(records.begin() + 64, records.end()), (Values{9, 33, 0, 32}));
}

TEST(Sort, PutsNanFirstAndMinusInfinityLast) {
  const float inf = std::numeric_limits<float>::infinity();
  const Values records = result_of(VectorOp::kSort, {-inf, 1, std::nanf("")}, {0, 1, 2}, 6);
  EXPECT_TRUE(std::isnan(records[0]));
  EXPECT_EQ(Values(records.begin() + 1, records.end()), (Values{2, 1, 1, -inf, 0}));
}

TEST(Merge, MergesFourRunsAndTheRestApart) {
  // Runs of two records: keys 9 1 | 5 4 | 9 3 | 2 0 and 7 6 | 8.
  const Values runs = {9, 0, 1, 1, 5, 2, 4, 3, 9, 4, 3, 5, 2, 6, 0, 7, 7, 8, 6, 9, 8, 10};
  EXPECT_EQ(result_of(VectorOp::kMerge, runs, {}, 22, 2),
            (Values{9, 0, 9, 4, 5, 2, 4, 3, 3, 5, 2, 6, 1, 1, 0, 7, 8, 10, 7, 8, 6, 9}));
}

TEST(Merge, DoesNotSortWhatIsNotSorted) {
  const Values runs = {1, 0, 9, 1, 5, 2, 4, 3};
  EXPECT_EQ(result_of(VectorOp::kMerge, runs, {}, 8, 2), (Values{5, 2, 4, 3, 1, 0, 9, 1}));
}

}  // namespace
}  // namespace tilewright
