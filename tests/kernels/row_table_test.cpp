#include "kernels/gemm/row_table.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

Config tile(int64_t rows) {
  return Config{{{"tile_m", rows}}};
}

TEST(RowTable, AnswersAsThePlanDoesForEveryMultiple) {
  Plan plan;
  plan.tables.push_back({"gemm", 3, DType::kF16, 64, 32, "none", {}, {}, {}});
  plan.tables[0].ranges = {{1, 16, tile(16), 1}, {17, 48, tile(48), 1}, {49, 256, tile(128), 1}};
  const RowTable table(std::span<const PlanRange>(plan.tables[0].ranges), 256);
  EXPECT_EQ(table.entries(), 16);
  for (int64_t m = kRowMultiple; m <= 1000; m += kRowMultiple) {
    EXPECT_EQ(table.at(m), plan.find("gemm", DType::kF16, 64, 32, "none", m)->config) << m;
  }
}

TEST(RowTable, ServesRowsWithTheirMultiplesConfig) {
  const std::vector<TunedRow> winners = {{64, tile(64), 2}, {16, tile(16), 1}, {32, tile(32), 1}};
  const RowTable table(std::span<const TunedRow>(winners), 64);
  EXPECT_EQ(table.entries(), 4);
  EXPECT_EQ(table.at(1), tile(16));
  EXPECT_EQ(table.at(16), tile(16));
  EXPECT_EQ(table.at(17), tile(32));
  EXPECT_EQ(table.at(33), tile(64));
  EXPECT_EQ(table.at(5000), tile(64));
}

}  // namespace
}  // namespace tilewright
