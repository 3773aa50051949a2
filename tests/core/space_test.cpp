#include "core/space/space.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "core/base/error.h"

namespace tilewright {
namespace {

ErrorKind kind_thrown(const std::function<void()>& action, std::string* message = nullptr) {
  try {
    action();
  } catch (const Error& error) {
    if (message) *message = error.message();
    return error.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorKind::kFailed;
}

/// tile_m x tile_n x stages, with tile_m * tile_n <= 512 and stages <= tile_m / 16.
Space small_space() {
  return Space(
      {{"tile_m", "rows", {16, 32}}, {"tile_n", "columns", {8, 16, 32}}, {"stages", "", {1, 2}}},
      {{"stages fit",
        {"stages", "tile_m"},
        [](std::span<const int64_t> v) {
          return v[0] <= v[1] / 16 ? "" : std::string("too many stages");
        }},
       {"tile fits", {"tile_m", "tile_n"}, [](std::span<const int64_t> v) {
          return v[0] * v[1] <= 512 ? "" : std::string("tile too large");
        }}});
}

TEST(Config, TextRoundTrips) {
  for (const char* text : {"", "a=1", "tile_m=128,tile_n=-4", "a=9223372036854775807"}) {
    EXPECT_EQ(parse_config(text).text(), text);
  }
}

TEST(Config, RefusesMalformedTextAsUsage) {
  for (const std::string text : {"a", "a=", "=1", "a=1,", ",a=1", "a=1,a=2", "a=1.5", "a=1=2",
                                 "a=9223372036854775808", "a\x01=1", "a b=1"}) {
    EXPECT_EQ(kind_thrown([&] { parse_config(text); }), ErrorKind::kUsage) << text;
  }
  EXPECT_EQ(kind_thrown([&] { parse_config(std::string(1 << 20, 'a')); }), ErrorKind::kUsage);
}

TEST(Space, EnumeratesExactlyTheLegalConfigsWithTheLastParameterFastest) {
  std::vector<std::string> texts;
  for (const Config& config : small_space().enumerate()) texts.push_back(config.text());
  const std::vector<std::string> expected = {
      "tile_m=16,tile_n=8,stages=1", "tile_m=16,tile_n=16,stages=1", "tile_m=16,tile_n=32,stages=1",
      "tile_m=32,tile_n=8,stages=1", "tile_m=32,tile_n=8,stages=2",  "tile_m=32,tile_n=16,stages=1",
      "tile_m=32,tile_n=16,stages=2"};
  EXPECT_EQ(texts, expected);
}

TEST(Space, ChecksAConstraintBeforeWalkingTheParametersBehindIt) {
  int64_t calls = 0;
  std::vector<int64_t> values(100);
  for (int64_t i = 0; i < 100; ++i) values[static_cast<size_t>(i)] = i;
  const Space space({{"a", "", values}, {"b", "", values}, {"c", "", values}},
                    {{"a is zero", {"a"}, [&](std::span<const int64_t> v) {
                        ++calls;
                        return v[0] == 0 ? "" : std::string("no");
                      }}});
  EXPECT_EQ(space.enumerate().size(), 10'000u);
  EXPECT_EQ(calls, 100);
}

TEST(Space, AConstraintWithoutParametersEmptiesTheSpace) {
  const Space space({{"a", "", {1, 2}}},
                    {{"never", {}, [](std::span<const int64_t>) { return std::string("no"); }}});
  EXPECT_TRUE(space.enumerate().empty());
  EXPECT_EQ(space.violation(parse_config("a=1")), "no");
}

TEST(Space, WithoutParametersHasOneConfig) {
  EXPECT_EQ(Space().enumerate().size(), 1u);
  EXPECT_EQ(Space().product_size(), 1);
}

TEST(Space, ProductSizeSaturates) {
  EXPECT_EQ(small_space().product_size(), 12);
  std::vector<Parameter> many;
  for (int i = 0; i < 70; ++i) many.push_back({fmt::format("p{}", i), "", {1, 2}});
  EXPECT_EQ(Space(many, {}).product_size(), std::numeric_limits<int64_t>::max());
  many.push_back({"none", "", {}});
  EXPECT_EQ(Space(many, {}).product_size(), 0);
}

TEST(Space, CompletesFromDefaultsInTheOrderOfTheParameters) {
  const Config defaults = parse_config("tile_m=16,tile_n=8,stages=1");
  const Config completed = small_space().complete(parse_config("stages=2,tile_m=32"), defaults);
  EXPECT_EQ(completed.text(), "tile_m=32,tile_n=8,stages=2");
}

TEST(Space, SaysWhyAConfigIsRefused) {
  const Config defaults = parse_config("tile_m=16,tile_n=8,stages=1");
  const struct {
    const char* config;
    ErrorKind kind;
    const char* part;
  } cases[] = {
      {"tile_k=1", ErrorKind::kUsage, "did you mean 'tile_m'"},
      {"tile_n=9", ErrorKind::kUsage, "tile_n=9 is not one of 8, 16, 32"},
      {"stages=2", ErrorKind::kInfeasible, "too many stages"},
      {"tile_m=32,tile_n=32", ErrorKind::kInfeasible, "tile too large"},
  };
  for (const auto& expected : cases) {
    const Config config = parse_config(expected.config);
    std::string message;
    EXPECT_EQ(kind_thrown([&] { small_space().complete(config, defaults); }, &message),
              expected.kind);
    EXPECT_NE(message.find(expected.part), std::string::npos) << message;
  }
}

TEST(Space, ReportsTheFirstViolationInTheOrderOfTheConstraints) {
  const Config both_broken = parse_config("tile_m=16,tile_n=8,stages=2");
  EXPECT_EQ(small_space().violation(both_broken), "too many stages");
  EXPECT_EQ(small_space().violation(parse_config("tile_m=32,tile_n=32,stages=2")),
            "tile too large");
  EXPECT_EQ(small_space().violation(parse_config("tile_m=32,tile_n=16,stages=2")), "");
  EXPECT_EQ(small_space().violation(parse_config("tile_m=48,tile_n=16,stages=2")),
            "tile_m=48 is not one of 16, 32");
}

TEST(Space, EnumeratesLargeProductsOnlyAsFarAsTheyAreLegal) {
  std::vector<int64_t> values;
  for (int64_t i = 1; i <= 100; ++i) values.push_back(i);
  const auto equal = [](std::span<const int64_t> v) {
    return v[0] == v[1] ? "" : std::string("differ");
  };
  const Space space(
      {{"a", "", values}, {"b", "", values}, {"c", "", values}, {"d", "", values}},
      {{"ab", {"a", "b"}, equal}, {"bc", {"b", "c"}, equal}, {"cd", {"d", "c"}, equal}});
  EXPECT_EQ(space.product_size(), 100'000'000);
  EXPECT_EQ(space.enumerate().size(), 100u);
}

TEST(Space, SaysWhatConfigsUseWhetherTheyFitOrNot) {
  const auto area = [](std::span<const int64_t> v) { return v[0] * v[1]; };
  const auto anything = [](std::span<const int64_t>) { return std::string(); };
  const Space space({{"a", "", {1, 2, 4}}, {"b", "", {1, 8}}},
                    {{"odd", {"a"}, anything},
                     {"L1", {"b", "a"}, anything, Resource{area, 16}},
                     {"L2", {"b"}, anything, Resource{[](auto v) { return v[0]; }, 8}}});
  EXPECT_EQ(space.uses(parse_config("a=4,b=8")),
            (std::vector<ResourceUse>{{"L1", 32, 16}, {"L2", 8, 8}}));
  EXPECT_FALSE(space.uses(parse_config("a=4,b=8"))[0].fits());
  EXPECT_TRUE(space.uses(parse_config("a=2,b=8"))[0].fits());
  EXPECT_EQ(space.uses(parse_config("a=3,b=8")), (std::vector<ResourceUse>{{"L2", 8, 8}}))
      << "what depends on a value outside its list is not known";
  EXPECT_TRUE(space.uses({}).empty());
}

}  // namespace
}  // namespace tilewright
