#include "core/space/expression.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"

namespace tilewright {
namespace {

std::string message_of(const std::string& text, const std::vector<std::string>& names = {}) {
  try {
    Expression(text, names);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.message();
  }
  return "";
}

std::string list_message_of(const std::string& text) {
  try {
    parse_value_list(text);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

std::string values_of(const std::string& text) {
  std::string all;
  for (const ExpressionValue& value : parse_value_list(text).values) {
    all += (all.empty() ? "" : " ") + text_of(value);
  }
  return all;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Case {
  const char* text;
  const char* result;
};

/// Results are those of Python 3.11.
const Case kPython[] = {
    {"7 // 2", "3"},
    {"-7 // 2", "-4"},
    {"7 // -2", "-4"},
    {"-7 % 3", "2"},
    {"7 % -3", "-2"},
    {"-7 % -3", "-1"},
    {"7.5 // 2", "3.0"},
    {"-7.5 // 2", "-4.0"},
    {"-7.5 % 2", "0.5"},
    {"7.5 % -2", "-0.5"},
    {"6 / 3", "2.0"},
    {"7 / 2", "3.5"},
    {"1 / 3", "0.3333333333333333"},
    {"115 / 2051", "0.0560702096538274"},
    {"2 ** 10", "1024"},
    {"2 ** -1", "0.5"},
    {"-2 ** 2", "-4"},
    {"2 ** 3 ** 2", "512"},
    {"(-8) ** 3", "-512"},
    {"0 ** 0", "1"},
    {"2.0 ** 0.5", "1.4142135623730951"},
    {"1 < 2 < 3", "True"},
    {"1 < 3 < 2", "False"},
    {"3 > 2 == 2", "True"},
    {"1 == 1.0", "True"},
    {"9007199254740993 == 9007199254740992.0", "False"},
    {"True + True", "2"},
    {"True == 1", "True"},
    {"not 0", "True"},
    {"not 3", "False"},
    {"0 or 5", "5"},
    {"3 or 5", "3"},
    {"0 and 5", "0"},
    {"3 and 5", "5"},
    {"3 and 0.0", "0.0"},
    {"'a' < 'b'", "True"},
    {"'abc' == 'abc'", "True"},
    {"'a' == 1", "False"},
    {"'a' != 1", "True"},
    {"3 in [1, 2, 3]", "True"},
    {"4 not in [1, 2, 3]", "True"},
    {"3 in (1, 2)", "False"},
    {"1.0 in [1]", "True"},
    {"'x' in ['y', 'x']", "True"},
    {"5 if 1 > 2 else 6", "6"},
    {"5 if 2 > 1 else 6", "5"},
    {"1 if 0 else 2 if 0 else 3", "3"},
    {"min(3, 1, 2)", "1"},
    {"max(3, 1, 2)", "3"},
    {"min([4, 2])", "2"},
    {"max(1, 1.0)", "1"},
    {"abs(-3)", "3"},
    {"abs(-2.5)", "2.5"},
    {"int(7.9)", "7"},
    {"int(-7.9)", "-7"},
    {"float(3)", "3.0"},
    {"round(2.5)", "2"},
    {"round(3.5)", "4"},
    {"round(-0.5)", "0"},
    {"len([1, 2, 3])", "3"},
    {"sum([1, 2, 3])", "6"},
    {"sum([0.5, 1])", "1.5"},
    {"any([0, 0, 3])", "True"},
    {"all([1, 0])", "False"},
    {"all([])", "True"},
    {"+True", "1"},
    {"-True", "-1"},
    {"--3", "3"},
    {"5 - 3 - 1", "1"},
    {"2 * 3 % 4", "2"},
    {"-3 % 5 * 2", "4"},
    {"10 // 3 * 3 + 10 % 3", "10"},
    {"1e3", "1000.0"},
    {"1.5e-3", "0.0015"},
    {"0.1 + 0.2", "0.30000000000000004"},
    {".5 * 2", "1.0"},
    {"1e16", "1e+16"},
    {"bool(0.0)", "False"},
    {"not 1 == 2", "True"},
    {"1 - -1", "2"},
    {"16 % (8.0 / 3)", "8.881784197001252e-16"},
    {"sum([i * i for i in range(4)])", "14"},
    {"0 or 1/4", "0.25"},
    {"32 % ((8 * 16)/32)", "0.0"},
    {"len('abc')", "3"},
};

TEST(Expression, HasTheMeaningThatPythonGivesIt) {
  for (const auto& [text, result] : kPython) {
    EXPECT_EQ(text_of(Expression(text, {}).evaluate({})), result) << text;
  }
}

/// The same with every literal number in the place of a name, so that bytecode computes it.
TEST(Expression, BytecodeAgreesWithTheTree) {
  const std::vector<std::string> names = {"a", "b", "c"};
  const char* formulas[] = {"a // b",
                            "a % b + c",
                            "a / b",
                            "a ** 2 - c",
                            "-a % b",
                            "a < b < c",
                            "a <= b != c > 2",
                            "a in [b, c]",
                            "a not in [b, c, 7]",
                            "min(a, b, c) * max([a, b])",
                            "abs(a - b) if a > c else round(a / b)",
                            "not (a == b and b == c)",
                            "a or b and c",
                            "sum([a, b, c]) % 4 == 0",
                            "any([a == b, b == c])",
                            "all([a, b, c])",
                            "a % ((b * c) / 3)",
                            "int(a / b) + len([a, b])",
                            "(a < b) + float(c)",
                            "bool(a) == True"};
  for (const std::string formula : formulas) {
    const Expression expression(formula, names);
    for (int64_t number = 0; number < 343; ++number) {
      const int64_t values[] = {number / 49 - 3, number / 7 % 7 - 3, number % 7 - 3};
      std::vector<ExpressionValue> inputs;
      for (const size_t input : expression.inputs()) inputs.push_back(int_value(values[input]));
      std::string text;
      for (size_t i = 0; i < formula.size(); ++i) {
        const bool alone = (i == 0 || !isalpha(formula[i - 1])) &&
                           (i + 1 == formula.size() || !isalpha(formula[i + 1]));
        const bool is_name = formula[i] >= 'a' && formula[i] <= 'c' && alone;
        text += is_name ? "(" + std::to_string(values[formula[i] - 'a']) + ")"
                        : std::string(1, formula[i]);
      }
      const ExpressionValue computed = expression.evaluate(inputs);
      if (computed.is_error()) {
        EXPECT_NE(message_of(text), "") << text;
      } else {
        EXPECT_EQ(text_of(computed), text_of(Expression(text, {}).evaluate({}))) << text;
      }
    }
  }
}

TEST(Expression, WhatIsNotAskedForMayFail) {
  const std::vector<std::string> names = {"a"};
  const ExpressionValue zero = int_value(0);
  const auto result = [&](const char* text) {
    return text_of(Expression(text, names).evaluate({&zero, 1}));
  };
  EXPECT_EQ(result("a == 0 or 8 % a == 0"), "True");
  EXPECT_EQ(result("a != 0 and 8 % a == 0"), "False");
  EXPECT_EQ(result("8 / a if a else 7"), "7");
  EXPECT_EQ(result("1 < a < 1 / a"), "False");
  EXPECT_EQ(result("8 % a == 0"), "division by zero");
  EXPECT_EQ(result("8 % a == 0 or True"), "division by zero");
  EXPECT_EQ(result("a + 'x'"), "an operator gets a type it has no meaning for");
  EXPECT_EQ(result("a - 9223372036854775807 - 2"), "a whole number leaves 64 bits");
  EXPECT_EQ(result("0 ** (a - 1)"), "zero to a negative power");
}

TEST(Expression, KnowsItsInputsAndTheParts) {
  const std::vector<std::string> names = {"a", "b", "c"};
  const Expression expression("c > 1 and a % 2 == 0", names);
  EXPECT_EQ(expression.inputs(), (std::vector<size_t>{0, 2}));
  EXPECT_EQ(expression.conjuncts().size(), 2u);
}

TEST(Expression, SaysWhereItIsMalformedAndWhatWasExpected) {
  const std::vector<std::string> names = {"tile_m", "tile_n"};
  const Case cases[] = {
      {"", "1:1: it ends where a number, a name, a text or '(' is expected"},
      {"tile_m %", "1:9: it ends where"},
      {"tile_m %% 2", "1:9: expected a number, a name, a text or '(', found '%'"},
      {"(tile_m", "1:8: it ends where ',' or ')' is expected"},
      {"tile_m tile_n", "1:8: expected an operator or the end, found 'tile_n'"},
      {"tile_m\n  == $", "2:6: '$' is no part of an expression"},
      {"tile_m && tile_n", "1:8: expected an operator or the end, found '&&'; write 'and'"},
      {"tile_m || 1", "write 'or'"},
      {"tile_m is 1", "write '=='"},
      {"tile_k == 1", "1:1: unknown name 'tile_k'; did you mean 'tile_m'?"},
      {"maxx(tile_m, 1)", "1:1: unknown function 'maxx'; did you mean 'max'?"},
      {"max(tile_m)", "max takes two or more values, or a list"},
      {"abs(1, 2)", "abs takes one value"},
      {"tile_m == 'x", "1:11: this text has no end"},
      {"tile_m == 1 / 0", "1:13: division by zero"},
      {"99999999999999999999 == tile_m", "1:1: 99999999999999999999 is not a number of 64 bits"},
      {"tile_m in range(tile_n)", "expected a list behind 'in'"},
      {"tile_m in [i for i in [tile_n]]", "expected a list behind 'in'"},
      {"[tile_m]", "a list of parameters has a meaning behind 'in'"},
      {"tile_m if 1", "it ends where 'else' is expected"},
      {"not", "1:4: it ends where"},
      {"1 +* 2", "1:4: expected a number"},
      {"a.b", "'.' is no part of an expression"},
      {"tile_m \xc3\xa4", "'\xc3\xa4' is no part of an expression"},
      {"tile_m \xff\xff", "'?' is no part of an expression"},
  };
  for (const auto& [text, part] : cases) {
    EXPECT_TRUE(contains(message_of(text, names), part))
        << text << " gives " << message_of(text, names);
  }
}

TEST(Expression, IsBoundedInLengthAndDepth) {
  EXPECT_TRUE(contains(message_of(std::string(2 << 20, '1')), "is longer than 1048576 bytes"));
  for (const char* open : {"(", "[", "-(", "2**", "not (", "abs("}) {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += open;
    EXPECT_TRUE(contains(message_of(text), "nested deeper than 100 levels")) << open;
  }
  std::string sum = "1";
  for (int i = 0; i < 5000; ++i) sum += "+1";
  EXPECT_TRUE(contains(message_of(sum), "more than 500 operations inside each other"));
  std::string nots = "1";
  for (int i = 0; i < 5000; ++i) nots = "not " + nots;
  EXPECT_TRUE(contains(message_of(nots), "more than 500 operations inside each other"));
  std::string alternatives = "a == 0";
  for (int i = 0; i < 5000; ++i) alternatives += " or a == 1";
  EXPECT_EQ(message_of(alternatives, {"a"}), "") << "alternatives stand beside each other";
}

TEST(ValueList, IsWhatPythonMakesOfIt) {
  const Case cases[] = {
      {"[16, 32, 64]", "16 32 64"},
      {"(1, 2)", "1 2"},
      {"[]", ""},
      {"range(3)", "0 1 2"},
      {"list(range(1, 9, 2))", "1 3 5 7"},
      {"range(8, 0, -3)", "8 5 2"},
      {"[32 * i for i in range(1, 4)]", "32 64 96"},
      {"[1] + [2 * i for i in range(1, 4)]", "1 2 4 6"},
      {"[2**i for i in range(6) if i % 2 == 0 if i > 0]", "4 16"},
      {"[10*i + j for i in range(2) for j in [1, i + 5]]", "1 5 11 16"},
      {"[i if i < 2 else -i for i in range(4)]", "0 1 -2 -3"},
      {"[len([j for j in range(i)]) for i in range(4)]", "0 1 2 3"},
      {"['float4', \"half\"]", "float4 half"},
      {"[0.5, 1, 2.0]", "0.5 1 2.0"},
      {"[True, False]", "True False"},
      {"[i for i in range(3)] + [i for i in range(2)]", "0 1 2 0 1"},
  };
  for (const auto& [text, values] : cases) EXPECT_EQ(values_of(text), values) << text;
}

TEST(ValueList, RefusesWhatIsNoListOrTooLong) {
  EXPECT_TRUE(contains(list_message_of("3"), "expected a list, such as [16, 32, 64]"));
  EXPECT_TRUE(contains(list_message_of("[i for i in 3]"), "1:13: expected a list"));
  EXPECT_TRUE(contains(list_message_of("[j for i in [1]]"), "1:2: unknown name 'j'"));
  EXPECT_TRUE(contains(list_message_of("range(1, 2, 0)"), "range with a step of 0"));
  EXPECT_TRUE(contains(list_message_of("[1 // i for i in range(2)]"), "division by zero"));
  EXPECT_TRUE(contains(list_message_of("range(1000001)"), "a list of more than 1000000 values"));
  EXPECT_TRUE(contains(list_message_of("range(9223372036854775807)"), "name fewer values"));
  EXPECT_TRUE(
      contains(list_message_of("[sum(range(1000)) for i in range(100000)]"), "name fewer values"));
}

}  // namespace
}  // namespace tilewright
