#include "core/space/empty_space.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/space/listed_space.h"
#include "core/space/space_expression.h"

namespace tilewright {
namespace {

Space space_of(const std::vector<std::string>& expressions) {
  std::vector<Parameter> parameters = {
      {"a", "", {1, 2, 3}}, {"b", "", {1, 2, 3}}, {"c", "", {1, 2}}};
  std::vector<Constraint> constraints;
  for (const std::string& text : expressions) {
    constraints.push_back(expression_constraint(text, parameters));
  }
  return {std::move(parameters), std::move(constraints)};
}

TEST(EmptySpace, HasNothingToExplainWhereThereIsAConfig) {
  EXPECT_EQ(why_empty(space_of({})), "");
  EXPECT_EQ(why_empty(space_of({"a == b", "c > 1"})), "");
  EXPECT_EQ(why_empty(Space()), "");
}

TEST(EmptySpace, NamesTheConstraintThatEmptiesItAlone) {
  EXPECT_EQ(why_empty(space_of({"a > b", "c > 5", "a == 3"})),
            "constraint 'c > 5' leaves none of the 6 that remain, whatever "
            "other constraints say");
  EXPECT_EQ(why_empty(space_of({"a > 4"})),
            "constraint 'a > 4' leaves none of the 18 that there are, whatever "
            "other constraints say");
}

TEST(EmptySpace, NamesTheConstraintsThatExcludeEachOther) {
  EXPECT_EQ(why_empty(space_of({"a > b", "c == 1", "b > 2", "a < 3"})),
            "constraint 'b > 2' leaves none of the 3 that remain; without it 1 "
            "would be ('a > b' and 'b > 2' exclude each other)");
  EXPECT_EQ(why_empty(space_of({"a > b", "b > c", "a == 2", "a < b"})),
            "constraint 'a == 2' leaves none of the 1 that remain; without it "
            "others leave none either ('a > b', 'b > c' and 'a == 2' exclude each other)");
}

TEST(EmptySpace, NamesAParameterWithoutValues) {
  EXPECT_EQ(why_empty(Space({{"a", "", {1}}, {"b", "", {}}}, {})), "b has no values");
}

TEST(EmptySpace, KnowsListsOfRows) {
  const Space listed = listed_space({{"a", "", {1, 2}}, {"b", "", {1, 2}}}, {{1, 2}, {2, 1}});
  std::vector<Constraint> constraints = listed.constraints();
  constraints.push_back(expression_constraint("a == b", listed.parameters()));
  EXPECT_EQ(why_empty(Space(listed.parameters(), constraints)),
            "constraint 'a == b' leaves none of the 2 that remain; without it "
            "2 would be ('listed' and 'a == b' exclude each other)");
}

TEST(EmptySpace, AnExpressionWithoutAValueSaysWhy) {
  EXPECT_EQ(
      why_empty(space_of({"a / (b - b) > 1"})),
      "constraint 'a / (b - b) > 1' leaves none of the 18 that there are (it has no value for "
      "a=1,b=1: division by zero), whatever other constraints say");
}

}  // namespace
}  // namespace tilewright
