#include "core/space/column_expression.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/random.h"

namespace tilewright {
namespace {

using Domains = std::vector<std::vector<ExpressionValue>>;

template <typename T>
const T& one_of(Random& random, const std::vector<T>& all) {
  return all[random.below(all.size())];
}

/// What columns and single points may differ about: signs, zeros, where doubles and 64 bits end.
const std::vector<int64_t> kWholes = {0,
                                      1,
                                      2,
                                      3,
                                      5,
                                      7,
                                      64,
                                      -1,
                                      -2,
                                      -3,
                                      -8,
                                      1000003,
                                      94906267,
                                      -3037000500,
                                      (int64_t{1} << 53) - 1,
                                      (int64_t{1} << 53) + 1,
                                      -(int64_t{1} << 53) + 1,
                                      int64_t{1} << 62,
                                      std::numeric_limits<int64_t>::max(),
                                      std::numeric_limits<int64_t>::min()};
const std::vector<double> kDecimals = {0.0, 0.5, 1.0, 1.5, -0.5, -2.5, 3.25, 1e-300, 1e308, 7e15};

ExpressionValue random_value(Random& random, uint64_t kind) {
  if (kind == 0) return int_value(static_cast<int64_t>(random.below(12)) - 4);
  if (kind == 1) return int_value(one_of(random, kWholes));
  if (kind == 2) return float_value(one_of(random, kDecimals));
  if (kind == 3) return bool_value(random.below(2) == 0);
  return random_value(random, random.below(4));  // some of each
}

/// An expression over `names` whose operations are at most `depth` inside each other.
std::string random_text(Random& random, const std::vector<std::string>& names, int depth) {
  static const std::vector<std::string> kConstants = {
      "0", "1", "2", "3", "-4", "7", "2.5", "0.0", "-1.5", "True", "9007199254740993", "1e200"};
  static const std::vector<std::string> kBinary = {"+", "-",  "*", "/",   "//", "%",  "**",
                                                   "<", "<=", ">", ">=",  "==", "!=", "+",
                                                   "*", "//", "%", "and", "or", "<",  "=="};
  static const std::vector<std::string> kFunctions = {"abs", "int", "float", "bool", "round"};
  if (depth == 0 || random.below(8) == 0) {
    return random.below(3) == 0 ? one_of(random, kConstants) : one_of(random, names);
  }
  const auto part = [&] { return random_text(random, names, depth - 1); };
  switch (random.below(14)) {
    case 0:
      return fmt::format("({} < {} <= {})", part(), part(), part());
    case 1:
      return fmt::format("({} if {} else {})", part(), part(), part());
    case 2:
      return fmt::format("{}({}, {})", random.below(2) == 0 ? "min" : "max", part(), part());
    case 3:
      return fmt::format("({} {} [0, 2, 2.5, 'a', True])", part(),
                         random.below(2) == 0 ? "in" : "not in");
    case 4:
      return fmt::format("({} in ({}, {}))", part(), part(), part());
    case 5:
      return fmt::format("(not {})", part());
    case 6:
      return fmt::format("(-{})", part());
    case 7:
      return fmt::format("{}({})", one_of(random, kFunctions), part());
    case 8:
      return fmt::format("({} ** {})", part(), random.below(4));
    default:
      return fmt::format("({} {} {})", part(), one_of(random, kBinary), part());
  }
}

/// Of the points of `columns`, with places before them given: how many differ from the expression.
struct Comparison {
  int64_t columns = 0;  ///< conjuncts that have them
  int64_t points = 0;
  int64_t legal = 0;
};

/// Compares every point of the product; `program` is one conjunct of an expression.
void compare(const std::string& text, const ExpressionProgram& program, const Domains& domains,
             Comparison& found) {
  std::vector<size_t> order;
  for (size_t i = 0; i < domains.size(); ++i) order.push_back(i);
  StagedExpression staged(program, order, domains);
  std::optional<ColumnExpression> columns = ColumnExpression::of(staged);
  if (!columns) return;
  ++found.columns;
  size_t outer = 1;
  for (size_t k = 0; k < columns->first_stage(); ++k) outer *= domains[k].size();
  std::vector<size_t> places(domains.size(), 0);
  for (size_t prefix = 0; prefix < outer; ++prefix) {
    size_t rest = prefix;
    for (size_t k = columns->first_stage(); k-- > 0; rest /= domains[k].size()) {
      places[k] = rest % domains[k].size();
    }
    for (size_t k = 0; k < columns->first_stage(); ++k) staged.set(k, places[k]);
    const bool any = columns->evaluate(staged);
    bool expected_any = false;
    std::vector<uint64_t> bits((columns->points() + 63) / 64, ~uint64_t{0});
    columns->row(0, columns->points(), bits);
    for (size_t point = 0; point < bits.size() * 64; ++point) {
      const bool bit = (bits[point / 64] >> point % 64 & 1) != 0;
      if (point >= columns->points()) {
        ASSERT_FALSE(bit);
        continue;
      }
      std::vector<ExpressionValue> registers = program.registers;
      std::string given;
      for (size_t k = 0; k < domains.size(); ++k) {
        if (k >= columns->first_stage()) {
          places[k] = point / columns->stride(k) % domains[k].size();
        }
        registers[k] = domains[k][places[k]];
        given += " " + text_of(registers[k]);
      }
      for (const auto& instruction : program.code) run(instruction, registers);
      const bool expected = is_true(registers[program.result]);
      ASSERT_EQ(columns->holds(point), expected) << text << " of" << given;
      ASSERT_EQ(bit, expected);
      expected_any = expected_any || expected;
      ++found.points;
      found.legal += expected ? 1 : 0;
    }
    ASSERT_EQ(any, expected_any) << text;
  }
}

TEST(ColumnExpression, FindsTheTruthOfSinglePointsOfAnyExpression) {
  Random random(7);
  const std::vector<std::string> all = {"a", "b", "c", "d"};
  Comparison found;
  constexpr int kExpressions = 8000;
  int64_t conjuncts = 0;
  for (int i = 0; i < kExpressions; ++i) {
    const std::vector<std::string> names(all.begin(),
                                         all.begin() + 2 + static_cast<int>(random.below(3)));
    const std::string text = random_text(random, names, 1 + static_cast<int>(random.below(5)));
    std::optional<Expression> expression;
    try {
      expression.emplace(text, names);
    } catch (const Error&) {
      continue;  // a part without names has no value
    }
    Domains domains;
    for (size_t k = 0; k < expression->inputs().size(); ++k) {
      const uint64_t kind = random.below(5);
      std::vector<ExpressionValue> domain;
      const uint64_t count = 1 + random.below(k == 0 ? 3 : 14);
      for (uint64_t v = 0; v < count; ++v) domain.push_back(random_value(random, kind));
      domains.push_back(std::move(domain));
    }
    for (const ExpressionProgram& program : expression->conjuncts()) {
      ++conjuncts;
      compare(text, program, domains, found);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(found.columns, conjuncts / 2);
  EXPECT_GT(found.points, 500000);
  EXPECT_GT(found.legal, found.points / 8);
  EXPECT_LT(found.legal, found.points / 8 * 7);
}

/// A decimal of any sign and size.
double random_decimal(Random& random) {
  const int exponent = static_cast<int>(random.below(140)) - 70;
  return std::ldexp(random.uniform() - 0.5, exponent);
}

TEST(ColumnExpression, DividesDecimalsToTheLastBit) {
  Random random(11);
  const std::vector<std::string> names = {"a", "b"};
  Comparison found;
  for (int i = 0; i < 20000; ++i) {
    double x = random_decimal(random);
    double y = random_decimal(random);
    if (i % 2 == 0) {  // quotients next to whole numbers
      y = 0.1 * static_cast<double>(1 + random.below(1000)) * (random.below(2) == 0 ? 1 : -1);
      const int bits = static_cast<int>(random.below(52));
      x = y * std::floor(std::ldexp(random.uniform() - 0.5, bits));
      if (i % 4 == 0) x = std::nextafter(x, 0.0);
    }
    for (const auto& [symbol, op] :
         {std::pair("%", Operator::kModulo), std::pair("//", Operator::kFloorDivide)}) {
      const ExpressionValue result = apply(op, float_value(x), float_value(y));
      ASSERT_EQ(result.kind, ExpressionValue::Kind::kFloat);
      const std::string text = fmt::format("a {} b == {:.17e}", symbol, result.number);
      const Domains domains = {{float_value(x)}, {float_value(y), float_value(2 * y)}};
      compare(text, Expression(text, names).conjuncts().front(), domains, found);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_EQ(found.columns, 40000);
  EXPECT_GE(found.legal, 40000);
}

ExpressionProgram program_of(const std::string& text, const std::vector<std::string>& names) {
  return Expression(text, names).conjuncts().front();
}

std::vector<ExpressionValue> counted(int64_t first, int64_t last) {
  std::vector<ExpressionValue> values;
  for (int64_t i = first; i <= last; ++i) values.push_back(int_value(i));
  return values;
}

TEST(ColumnExpression, TakesAsManyStagesAsMakeAColumnButNeverTheFirst) {
  const auto columns_of = [](const std::string& text, size_t stages, int64_t values) {
    const std::vector<std::string> names = {"a", "b", "c", "d", "e"};
    const std::vector<size_t> order = {0, 1, 2, 3, 4};
    return ColumnExpression::of(StagedExpression(program_of(text, names),
                                                 std::span(order).first(stages),
                                                 Domains(stages, counted(1, values))));
  };
  const auto few = columns_of("a + b + c + d + e > 3", 5, 10);
  ASSERT_TRUE(few);
  EXPECT_EQ(few->points(), 1000U);
  EXPECT_EQ(few->first_stage(), 2U);
  EXPECT_EQ(few->stride(2), 100U);
  EXPECT_EQ(few->stride(4), 1U);
  const auto many = columns_of("a + b > 3", 2, 20000);
  ASSERT_TRUE(many);
  EXPECT_EQ(many->points(), 20000U);
  EXPECT_EQ(many->first_stage(), 1U);
  EXPECT_FALSE(columns_of("a > 3", 1, 100));
  EXPECT_FALSE(columns_of("a + b > 3", 2, 5000000)) << "columns of 40 MB";
}

TEST(ColumnExpression, LeavesWhatIsNoNumberToSinglePoints) {
  const std::string fast = "fast";
  const std::string slow = "slow";
  const std::vector<ExpressionValue> texts = {text_value(&fast), text_value(&slow)};
  const std::vector<std::string> names = {"a", "b"};
  const std::vector<size_t> order = {0, 1};
  Comparison found;
  const auto compared = [&](const std::string& text, const Domains& domains) {
    const Expression expression(text, names);
    compare(text, expression.conjuncts().front(), domains, found);
    return found.columns;
  };
  EXPECT_EQ(compared("a == b", {texts, texts}), 0);
  EXPECT_EQ(compared("a == b", {counted(0, 3), texts}), 0);
  // What depends on one of them alone is known before.
  EXPECT_EQ(compared("a == 'fast' or b > 2", {texts, counted(0, 3)}), 1);
  EXPECT_EQ(compared("a > 2 or b == 'fast'", {counted(0, 3), texts}), 2);
  EXPECT_EQ(compared("b == 0 or a % b == 0", {counted(-9, 9), counted(-5, 300)}), 3);
  EXPECT_EQ(compared("a == 0 or b % a == 0", {counted(-9, 9), counted(-5, 300)}), 4);
  // A power of whole numbers may be a decimal after all.
  EXPECT_EQ(compared("(a ** -1 + b) ** 3 * 1e12 % 2 < 1", {counted(-9, 9), counted(-9, 20)}), 5);
  EXPECT_EQ(compared("(b ** -1 + a) ** 3 * 1e12 % 2 < 1", {counted(-9, 9), counted(-9, 20)}), 6);
  EXPECT_GT(found.legal, 1000);
}

}  // namespace
}  // namespace tilewright
