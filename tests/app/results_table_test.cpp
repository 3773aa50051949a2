// Rows of a result: sorted, filtered, described; and the text of a query as it is typed.

#include <gtest/gtest.h>

#include <limits>

#include "app/tui/results/query_table.h"
#include "app/tui/results/sql_text.h"
#include "app/tui/results/text_edit.h"
#include "core/base/random.h"

namespace tilewright {
namespace {

std::shared_ptr<const QueryTable> some_table() {
  auto table = std::make_shared<QueryTable>();
  table->columns = {"kernel", "time"};
  table->rows = {{std::string("gemm"), int64_t{30}},
                 {std::string("flash"), 2.5},
                 {std::string("gemm"), {}},
                 {std::string("GEMV"), std::string("slow")},
                 {{}, int64_t{30}}};
  settle_columns(*table);
  return table;
}

std::vector<uint32_t> rows_in(const RowOrder& order) {
  return arrange(some_table(), order).rows;
}

TEST(QueryTable, SortsNullBeforeNumbersBeforeTextsAndKeepsEqualOnesInPlace) {
  EXPECT_EQ(rows_in({}), (std::vector<uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(rows_in({1, false, {}}), (std::vector<uint32_t>{2, 1, 0, 4, 3}));
  EXPECT_EQ(rows_in({1, true, {}}), (std::vector<uint32_t>{3, 0, 4, 1, 2}));
}

TEST(QueryTable, FiltersByATextAnywhereOrAValueInOneColumn) {
  EXPECT_EQ(rows_in({-1, false, {"GEM", -1}}), (std::vector<uint32_t>{0, 2, 3}));
  EXPECT_EQ(rows_in({-1, false, {"gemm", 0}}), (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(rows_in({-1, false, {"", 1, true}}), (std::vector<uint32_t>{2}));
  EXPECT_EQ(rows_in({-1, false, {"30", -1}}), (std::vector<uint32_t>{0, 4}));
  EXPECT_TRUE(rows_in({-1, false, {"no such", -1}}).empty());
}

TEST(QueryTable, DescribesAColumnOfNumbers) {
  auto table = std::make_shared<QueryTable>();
  table->columns = {"x"};
  for (int64_t i = 1; i <= 5; ++i) table->rows.push_back({i});
  table->rows.push_back({{}});
  settle_columns(*table);
  const ColumnFacts facts = describe(std::make_shared<ArrangedRows>(arrange(table, {})), 0);
  EXPECT_EQ(facts.count, 6);
  EXPECT_EQ(facts.nulls, 1);
  EXPECT_EQ(facts.distinct, 6);
  ASSERT_TRUE(facts.has_numbers);
  EXPECT_EQ(facts.min, 1);
  EXPECT_EQ(facts.p50, 3);
  EXPECT_EQ(facts.max, 5);
  EXPECT_EQ(facts.mean, 3);
  EXPECT_EQ(facts.histogram.front(), 1);
  EXPECT_EQ(facts.histogram[12], 1);
  EXPECT_EQ(facts.histogram.back(), 1);
}

TEST(QueryTable, CountsValuesMostFrequentFirst) {
  const auto rows = std::make_shared<ArrangedRows>(arrange(some_table(), {}));
  const ColumnFacts facts = describe(rows, 0);
  ASSERT_EQ(facts.frequent.size(), 4u);
  EXPECT_EQ(facts.frequent[0].value, "gemm");
  EXPECT_EQ(facts.frequent[0].count, 2);
  EXPECT_TRUE(facts.frequent[1].is_null) << "of equally frequent ones NULL is first";
  EXPECT_EQ(facts.frequent[2].value, "GEMV");
  EXPECT_FALSE(facts.has_numbers);
}

TEST(QueryTable, EquallyFrequentNumbersAreInTheirOrder) {
  auto table = std::make_shared<QueryTable>();
  table->columns = {"number"};
  table->rows = {{1018.8}, {int64_t{-3}}, {106.2}, {int64_t{9}}};
  settle_columns(*table);
  const ColumnFacts facts = describe(std::make_shared<ArrangedRows>(arrange(table, {})), 0);
  std::vector<std::string> order;
  for (const ValueCount& value : facts.frequent) order.push_back(value.value);
  EXPECT_EQ(order, (std::vector<std::string>{"-3", "9", "106.2", "1018.8"}));
}

TEST(QueryTable, HugeAndEqualNumbersHaveAHistogram) {
  auto table = std::make_shared<QueryTable>();
  table->columns = {"huge", "equal"};
  const double most = std::numeric_limits<double>::max();
  table->rows = {
      {most, 1.0}, {-most, 1.0}, {0.0, 1.0}, {std::numeric_limits<double>::infinity(), 1.0}};
  settle_columns(*table);
  const auto rows = std::make_shared<ArrangedRows>(arrange(table, {}));
  const ColumnFacts huge = describe(rows, 0);
  EXPECT_EQ(huge.histogram.front(), 1);
  EXPECT_EQ(huge.histogram.back(), 1);
  EXPECT_EQ(describe(rows, 1).histogram.front(), 4);
}

TEST(QueryTable, ColumnsOfNumbersStandAtTheRight) {
  const auto table = some_table();
  EXPECT_FALSE(table->is_right[0]);
  EXPECT_FALSE(table->is_right[1]) << "it holds a text";
  EXPECT_EQ(table->widths, (std::vector<int>{6, 4}));
}

TEST(TextEdit, EditsSeveralLines) {
  TextEdit edit("SELECT a\nFROM käse");
  EXPECT_EQ(edit.line_count(), 2u);
  EXPECT_EQ(edit.line(), 1u);
  EXPECT_EQ(edit.column(), 9u);
  edit.take(keys::kUp);
  EXPECT_EQ(edit.column(), 8u) << "a shorter line ends before";
  edit.take(Key{U','});
  edit.take(keys::kEnter);
  EXPECT_EQ(edit.utf8(), "SELECT a,\n\nFROM käse");
  edit.take(keys::kBackspace);
  edit.take(keys::kDown);
  edit.take(keys::kHome);
  edit.take(keys::kDelete);
  EXPECT_EQ(edit.utf8(), "SELECT a,\nROM käse");
  edit.take(keys::kEnd);
  edit.take(keys::ctrl('u'));
  EXPECT_EQ(edit.utf8(), "SELECT a,\n");
}

TEST(TextEdit, KeepsControlCharactersOut) {
  TextEdit edit;
  edit.insert(U"a\x1b[31m\tb\r\nc");
  EXPECT_EQ(edit.utf8(), "a[31m  b\nc");
}

TEST(TextEdit, SurvivesRandomKeys) {
  Random rng(3);
  TextEdit edit;
  for (int step = 0; step < 5000; ++step) {
    const uint64_t dice = rng.below(24);
    edit.take(dice < 15   ? Key{static_cast<char32_t>(keys::kEnter.code + dice)}
              : dice < 20 ? Key{U'x'}
                          : keys::kEnter);
    ASSERT_LE(edit.cursor, edit.text.size());
    ASSERT_LT(edit.line(), edit.line_count());
  }
}

std::vector<CatalogEntry> some_catalog() {
  return {{"runs", true, {"id", "kind", "status"}, 3},
          {"winners", true, {"run", "kernel", "config"}, 9},
          {"run", false, {"id", "seed"}, 3}};
}

/// What completes a text at its '|'.
std::vector<std::string> choices(std::string text) {
  const size_t cursor = text.find('|');
  text.erase(cursor, 1);
  return complete_sql(TextEdit(text).text, cursor, some_catalog()).choices;
}

using Words = std::vector<std::string>;

TEST(SqlCompletion, KnowsTablesColumnsKeywordsAndFunctions) {
  EXPECT_EQ(choices("SELECT * FROM ru|"), (Words{"runs", "run"}));
  EXPECT_EQ(choices("SELECT * FROM |"), (Words{"runs", "winners", "run"}));
  EXPECT_EQ(choices("SELECT st| FROM runs"), (Words{"status"}));
  EXPECT_EQ(choices("SELECT w.co| FROM winners AS w"), (Words{"config"}));
  EXPECT_EQ(choices("SELECT w.| FROM winners w"), (Words{"run", "kernel", "config"}));
  EXPECT_EQ(choices("SELECT * FROM runs wher|"), (Words{"where"}));
  EXPECT_EQ(choices("SELECT * FROM runs WHER|"), (Words{"WHERE"}));
  EXPECT_EQ(choices("SELECT dense| FROM runs"), (Words{"dense_rank"}));
  EXPECT_TRUE(choices("SELECT 'ru|'").empty());
  EXPECT_TRUE(choices("SELECT 1 -- ru|").empty());
  EXPECT_TRUE(choices("SELECT nothing.like| FROM runs").empty());
}

TEST(SqlTokens, EndWhereSqliteEndsThem) {
  const std::u32string text = U"SELECT 'it''s' /* x */, \"a b\" -- end\n:kernels 1.5e3";
  std::vector<SqlWord> words;
  for (const SqlToken& token : sql_tokens(text)) words.push_back(token.word);
  EXPECT_EQ(words, (std::vector<SqlWord>{SqlWord::kKeyword, SqlWord::kString, SqlWord::kComment,
                                         SqlWord::kSign, SqlWord::kName, SqlWord::kComment,
                                         SqlWord::kName, SqlWord::kNumber}));
  EXPECT_EQ(sql_tokens(U"'open").back().end, 5u);
  EXPECT_EQ(sql_tokens(U"/* open").back().end, 7u);
}

TEST(SqlTokens, PlacesOfBytesAreThoseOfCharacters) {
  EXPECT_EQ(characters_before(U"'kä' x", 6), 5u);
  EXPECT_EQ(characters_before(U"ab", 99), 2u);
}

}  // namespace
}  // namespace tilewright
