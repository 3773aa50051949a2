#include "core/space/space_index.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/space/listed_space.h"
#include "core/space/space_expression.h"

namespace tilewright {
namespace {

std::vector<int64_t> counted(int64_t count) {
  std::vector<int64_t> values;
  for (int64_t i = 1; i <= count; ++i) values.push_back(i);
  return values;
}

/// Parameters a, b, c, ... with values 1 to `count`.
std::vector<Parameter> letters(size_t parameters, int64_t count) {
  std::vector<Parameter> all;
  for (size_t i = 0; i < parameters; ++i) {
    all.push_back({std::string(1, static_cast<char>('a' + i)), "", counted(count)});
  }
  return all;
}

Space expressed(std::vector<Parameter> parameters, const std::vector<std::string>& expressions) {
  std::vector<Constraint> constraints;
  for (const std::string& text : expressions) {
    constraints.push_back(expression_constraint(text, parameters));
  }
  return {std::move(parameters), std::move(constraints)};
}

/// Every config of the product that the space does not refuse, in order.
std::vector<std::vector<int>> filtered_product(const Space& space) {
  std::vector<std::vector<int>> legal;
  std::vector<int> places(space.parameters().size(), 0);
  for (int64_t number = 0; number < space.product_size(); ++number) {
    int64_t rest = number;
    Config config;
    for (size_t i = places.size(); i-- > 0;) {
      const auto& values = space.parameters()[i].values;
      places[i] = static_cast<int>(rest % std::ssize(values));
      rest /= std::ssize(values);
    }
    for (size_t i = 0; i < places.size(); ++i) {
      const Parameter& parameter = space.parameters()[i];
      config.values.emplace_back(parameter.name, parameter.values[static_cast<size_t>(places[i])]);
    }
    if (space.violation(config).empty()) legal.push_back(places);
  }
  return legal;
}

std::vector<int64_t> neighbours_by_search(const Space& space,
                                          const std::vector<std::vector<int>>& legal, size_t rank,
                                          Neighbourhood kind) {
  std::vector<std::pair<std::pair<size_t, int>, int64_t>> found;
  for (size_t other = 0; other < legal.size(); ++other) {
    std::vector<size_t> differing;
    for (size_t i = 0; i < legal[rank].size(); ++i) {
      if (legal[rank][i] != legal[other][i]) differing.push_back(i);
    }
    if (differing.size() != 1) continue;
    const size_t at = differing[0];
    const bool steps = kind == Neighbourhood::kAdjacent && space.parameters()[at].ordered;
    if (steps && std::abs(legal[rank][at] - legal[other][at]) != 1) continue;
    found.push_back({{at, legal[other][at]}, static_cast<int64_t>(other)});
  }
  std::ranges::sort(found);
  std::vector<int64_t> ranks;
  for (const auto& [key, other] : found) ranks.push_back(other);
  return ranks;
}

void expect_agrees_with_product(const Space& space) {
  const std::vector<std::vector<int>> legal = filtered_product(space);
  const SpaceIndex index(space);
  ASSERT_EQ(index.size(), std::ssize(legal));
  for (size_t rank = 0; rank < legal.size(); ++rank) {
    const auto number = static_cast<int64_t>(rank);
    ASSERT_EQ(index.places(number), legal[rank]);
    ASSERT_EQ(index.rank_of(legal[rank]), number);
    ASSERT_EQ(index.rank_of(index.config(number)), number);
  }
  int64_t refused = 0;
  std::vector<int> places(index.dimensions());
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    for (size_t d = 0; d < places.size(); ++d) {
      const auto values = static_cast<uint64_t>(space.parameters()[d].values.size());
      places[d] = static_cast<int>(random.below(values + 2)) - 1;
    }
    const bool is_legal = std::ranges::binary_search(legal, places);
    ASSERT_EQ(index.rank_of(places).has_value(), is_legal);
    refused += is_legal ? 0 : 1;
  }
  EXPECT_GT(refused, 0);
  for (size_t rank = 0; rank < legal.size(); rank += 1 + legal.size() / 10) {
    for (const auto kind : {Neighbourhood::kAdjacent, Neighbourhood::kAny}) {
      ASSERT_EQ(index.neighbours(static_cast<int64_t>(rank), kind),
                neighbours_by_search(space, legal, rank, kind));
    }
  }
  std::vector<Config> all = space.enumerate();
  ASSERT_EQ(all.size(), legal.size());
  for (size_t rank = 0; rank < legal.size(); ++rank) {
    ASSERT_EQ(all[rank], index.config(static_cast<int64_t>(rank)));
  }
}

TEST(SpaceIndex, AgreesWithTheFilteredProductWhateverConnectsTheParameters) {
  const std::vector<std::vector<std::string>> sets = {
      {},
      {"a < b"},
      {"a % c == 0", "b != d"},  // two groups, interleaved
      {"a + e == b", "c * d <= 6"},
      {"a * b * c * d * e <= 20"},
      {"e * d * c * b * a <= 20"},
      {"a % ((b * c) / d) == 0", "e in [a, 2]"},
      {"(a == 1 or b == 2) and (c > d or e == 1)"},
      {"a == 1 or 4 % (b - 1) == 0"},
      {"not (a == 3 and b == 3)", "min(c, d) > 1 or e < 3"},
      {"a == b == c == d == e"},
      {"a > 3"},
      {"1 == 1"},
      {"a >= 1"},
      {"a ** b - c ** d == e"},
      {"b % 2 == 0 and d % 2 == 1 and b % 2 == 0"}};
  for (const auto& set : sets) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(set, "; ")));
    expect_agrees_with_product(expressed(letters(5, 3), set));
    std::vector<Parameter> mixed = letters(5, 4);
    mixed[1].values = {2};
    mixed[2].ordered = false;
    mixed[4].values = {-3, 0, 2, 7};
    expect_agrees_with_product(expressed(mixed, set));
  }
}

/// A predicate that refuses about a third of all combinations, at random.
Constraint random_constraint(const std::vector<Parameter>& parameters, Random& random) {
  Constraint constraint;
  constraint.name = "random";
  for (size_t i = 1 + random.below(3); i > 0; --i) {
    constraint.parameters.push_back(parameters[random.below(parameters.size())].name);
  }
  constraint.violation = [seed = random.bits()](std::span<const int64_t> values) {
    uint64_t mixed = seed;
    for (const int64_t value : values) mixed = mix_bits(mixed, static_cast<uint64_t>(value));
    return mixed % 3 == 0 ? std::string("no") : std::string();
  };
  return constraint;
}

TEST(SpaceIndex, AgreesWithTheFilteredProductOfRandomSpaces) {
  Random random(7);
  for (int round = 0; round < 60; ++round) {
    std::vector<Parameter> parameters = letters(1 + random.below(6), 1);
    for (Parameter& parameter : parameters) {
      parameter.values = counted(1 + static_cast<int64_t>(random.below(4)));
      parameter.ordered = random.below(2) == 0;
    }
    std::vector<Constraint> constraints;
    for (uint64_t i = random.below(5); i > 0; --i) {
      constraints.push_back(random_constraint(parameters, random));
    }
    expect_agrees_with_product(Space(parameters, constraints));
    if (HasFatalFailure()) return;
  }
}

TEST(SpaceIndex, AgreesWithTheFilteredProductWhereRulesAreTooLargeForTables) {
  // 7^6 combinations are above what a predicate is tabulated for.
  const std::vector<Parameter> parameters = letters(6, 7);
  const Constraint sum = {
      "sum", {"f", "a", "b", "c", "d", "e"}, [](std::span<const int64_t> v) {
        return v[1] + 2 * v[2] + 3 * v[3] + v[4] + v[5] + v[0] == 20 ? "" : std::string("no");
      }};
  const Constraint few = expression_constraint("a % b == 0", parameters);
  const Space space(parameters, {sum, few});
  const SpaceIndex index(space);
  const Space same = expressed(parameters, {"a + 2*b + 3*c + d + e + f == 20", "a % b == 0"});
  const SpaceIndex other(same);
  ASSERT_EQ(index.size(), other.size());
  EXPECT_GT(index.size(), 100);
  for (int64_t rank = 0; rank < index.size(); ++rank) {
    ASSERT_EQ(index.places(rank), other.places(rank));
    ASSERT_EQ(index.rank_of(index.places(rank)), rank);
  }
}

/// Parameters of so many values that a rule over all of them is evaluated while they are walked.
std::vector<Parameter> wide(const std::vector<int64_t>& counts) {
  std::vector<Parameter> parameters = letters(counts.size(), 1);
  for (size_t i = 0; i < counts.size(); ++i) parameters[i].values = counted(counts[i]);
  return parameters;
}

/// Compares the index with what a function of the values says of the whole product.
template <typename Holds>
void expect_holds(const Space& space, const Holds& holds) {
  const SpaceIndex index(space);
  std::vector<int64_t> values(space.parameters().size());
  std::vector<int> places(values.size());
  int64_t legal = 0;
  for (int64_t number = 0; number < space.product_size(); ++number) {
    int64_t rest = number;
    for (size_t i = values.size(); i-- > 0;) {
      const auto& domain = space.parameters()[i].values;
      places[i] = static_cast<int>(rest % std::ssize(domain));
      values[i] = domain[static_cast<size_t>(places[i])];
      rest /= std::ssize(domain);
    }
    const bool is_legal = holds(values);
    if (is_legal && legal % 7 == 0) {
      ASSERT_LT(legal, index.size());
      ASSERT_EQ(index.places(legal), places);
    }
    if (number % 331 == 0) {
      ASSERT_EQ(index.rank_of(places).has_value(), is_legal);
    }
    legal += is_legal ? 1 : 0;
  }
  EXPECT_EQ(index.size(), legal);
  EXPECT_GT(legal, 0);
}

using Values = std::vector<int64_t>;

TEST(SpaceIndex, HasWhatEvaluatedRulesAllowWhateverElseConstrainsTheirParameters) {
  const std::vector<Parameter> two = wide({2100, 2100});
  expect_holds(expressed(two, {"a * b % 97 == 7", "(a + 2) / b < 1.5 or a > 2000"}),
               [](const Values& v) {
                 const bool ratio = 2 * (v[0] + 2) < 3 * v[1] || v[0] > 2000;
                 return v[0] * v[1] % 97 == 7 && ratio;
               });
  // The last level has a table too, and a predicate.
  const Constraint odd = {"odd", {"b", "a"}, [](std::span<const int64_t> v) {
                            return (v[0] ^ v[1]) % 2 != 0 ? "" : std::string("even");
                          }};
  std::vector<Constraint> all = expressed(two, {"a * b % 97 == 7", "b % 3 != a % 3"}).constraints();
  all.push_back(odd);
  expect_holds(Space(two, all), [](const Values& v) {
    return v[0] * v[1] % 97 == 7 && v[1] % 3 != v[0] % 3 && (v[0] ^ v[1]) % 2 != 0;
  });
  // Few points are left of each column by another rule, so that they are evaluated singly.
  expect_holds(expressed(two, {"b % 700 == a % 7", "a * b % 9 != 2"}),
               [](const Values& v) { return v[1] % 700 == v[0] % 7 && v[0] * v[1] % 9 != 2; });
}

TEST(SpaceIndex, HasWhatEvaluatedRulesAllowOfParametersThatAreNotTheLast) {
  expect_holds(expressed(wide({1500, 3, 3000, 2}),
                         {"a * c % 101 < 2", "a % b == 0", "d == 1 or c % 5 == b"}),
               [](const Values& v) {
                 return v[0] * v[2] % 101 < 2 && v[0] % v[1] == 0 &&
                        (v[3] == 1 || v[2] % 5 == v[1]);
               });
  // Several stages are in the columns of one rule, fewer in those of the other.
  expect_holds(expressed(wide({60, 30, 12, 13, 14}),
                         {"a * b * 7 % (c * d + e) == 3", "a ** 2 + b * d * 5 <= e * c * 30"}),
               [](const Values& v) {
                 return v[0] * v[1] * 7 % (v[2] * v[3] + v[4]) == 3 &&
                        v[0] * v[0] + v[1] * v[3] * 5 <= v[4] * v[2] * 30;
               });
}

TEST(SpaceIndex, HasWhatEvaluatedRulesAllowWhereSomeValuesAreTexts) {
  std::vector<Parameter> parameters = wide({2100, 1100, 2});
  parameters[2].values = {0, 1};
  parameters[2].labels = {"fast", "slow"};
  parameters[2].ordered = false;
  const auto holds = [](const Values& v) {
    return (v[0] > 5 && v[2] == 0) || v[0] * v[1] % 9 == 1;
  };
  expect_holds(expressed(parameters, {"c == 'fast' and a > 5 or a * b % 9 == 1"}), holds);
  expect_holds(expressed(parameters, {"(c if a > 5 else 'slow') == 'fast' or a * b % 9 == 1"}),
               holds);
}

TEST(SpaceIndex, OfManyIndependentGroupsIsSmall) {
  // 100 pairs of parameters of 4 values, interleaved over 2 x 13 of them: 10 legal of each pair.
  const std::vector<Parameter> parameters = letters(26, 4);
  std::vector<std::string> pairs;
  for (char c = 'a'; c < 'n'; ++c) {
    pairs.push_back(fmt::format("{} <= {}", c, static_cast<char>(c + 13)));
  }
  const SpaceIndex index(expressed(parameters, pairs));
  EXPECT_EQ(index.size(), 10'000'000'000'000);  // 10^13
  EXPECT_LT(index.bytes(), 8192);
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const auto rank = static_cast<int64_t>(random.below(10'000'000'000'000));
    const std::vector<int> places = index.places(rank);
    for (size_t p = 0; p < 13; ++p) ASSERT_LE(places[p], places[p + 13]);
    ASSERT_EQ(index.rank_of(places), rank);
  }
  EXPECT_THROW(index.space().enumerate(), Error);
}

TEST(SpaceIndex, OfALargeProductIsMadeOnceForAllCopiesOfTheSpace) {
  std::vector<Parameter> parameters = wide({2100, 2100});
  auto asked = std::make_shared<int64_t>(0);
  const Constraint counting = {"counting", {"a"}, [asked](std::span<const int64_t>) {
                                 ++*asked;
                                 return std::string();
                               }};
  const auto made_twice = [&] {
    const Space space(parameters, {counting});
    const Space copy = space;
    *asked = 0;
    EXPECT_EQ(SpaceIndex(space).size(), space.product_size());
    const int64_t once = *asked;
    EXPECT_GT(once, 0);
    EXPECT_EQ(SpaceIndex(copy).size(), space.product_size());
    return *asked - once;
  };
  EXPECT_EQ(made_twice(), 0);
  parameters[1].values = counted(3);
  EXPECT_GT(made_twice(), 0) << "of a small one nothing is kept";
  const Space space(parameters, {counting});
  const SpaceIndex index(space);
  *asked = 0;
  EXPECT_EQ(SpaceIndex(space).size(), index.size());
  EXPECT_EQ(*asked, 0) << "but what somebody holds is shared";
}

TEST(SpaceIndex, OfTooManyConfigsIsRefused) {
  EXPECT_EQ(SpaceIndex(Space(letters(20, 8), {})).size(), int64_t{1} << 60);
  try {
    SpaceIndex(Space(letters(21, 8), {}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(error.message().find("more than 2^62 legal configs"), std::string::npos);
  }
}

TEST(SpaceIndex, SamplesUniformlyByRank) {
  const SpaceIndex index(expressed(letters(3, 10), {"a * b <= c * 3"}));
  // Of a uniform sample, each half of the ranks is hit as often, and all ranks are configs.
  Random random(5);
  int64_t low = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto rank = static_cast<int64_t>(random.below(static_cast<uint64_t>(index.size())));
    const Config config = index.config(rank);
    ASSERT_LE(config.at("a") * config.at("b"), 3 * config.at("c"));
    low += 2 * rank < index.size() ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(low), 1000, 100);
}

TEST(SpaceIndex, OfATiledProductOfTheUsualKindIsCompact) {
  // A GEMM of work groups and vectors: 4^2 * 3^4 * 4^2 * 2^5 = 663,552 combinations.
  std::vector<Parameter> parameters = {
      {"rows", "", {16, 32, 64, 128}}, {"columns", "", {16, 32, 64, 128}},
      {"depth", "", {16, 32}},         {"threads_m", "", {8, 16, 32}},
      {"threads_n", "", {8, 16, 32}},  {"loads_m", "", {8, 16, 32}},
      {"loads_n", "", {8, 16, 32}},    {"vector_m", "", {1, 2, 4, 8}},
      {"vector_n", "", {1, 2, 4, 8}}};
  for (const char* name : {"stride_m", "stride_n", "local_a", "local_b"}) {
    parameters.push_back({name, "", {0, 1}});
  }
  const SpaceIndex index(expressed(
      parameters, {"rows % (threads_m * vector_m) == 0", "columns % (threads_n * vector_n) == 0",
                   "rows % (loads_m * vector_m) == 0", "columns % (loads_n * vector_n) == 0",
                   "depth % (threads_m * threads_n / loads_m) == 0",
                   "depth % (threads_m * threads_n / loads_n) == 0",
                   "not (rows == columns == 128 and threads_m == threads_n == 8)"}));
  EXPECT_EQ(index.space().product_size(), 663'552);
  EXPECT_EQ(index.size(), 116'928);
  EXPECT_LT(index.bytes(), index.size());
}

TEST(SpaceIndex, LabelsAreWhatExpressionsSee) {
  std::vector<Parameter> parameters = {
      {"precision", "", {0, 1, 2}, {"half", "single", "double"}, false},
      {"factor", "", {0, 1, 2}, {"0.25", "1", "2.5"}},
      {"cached", "", {0, 1}, {"False", "True"}, false},
      {"n", "", {1, 2}}};
  const auto texts = [&](const std::string& expression) {
    const Space space = expressed(parameters, {expression, "n == 1"});
    std::vector<std::string> all;
    for (const Config& config : space.enumerate()) all.push_back(space.text(config));
    return fmt::format("{}", fmt::join(all, " "));
  };
  EXPECT_EQ(texts("precision == 'half' and factor * 2 < 1 and cached"),
            "precision=half,factor=0.25,cached=True,n=1");
  EXPECT_EQ(texts("precision in ['double'] and factor >= 2 and not cached"),
            "precision=double,factor=2.5,cached=False,n=1");
  EXPECT_EQ(texts("precision < 'half'and factor == 1 and cached == False"),
            "precision=double,factor=1,cached=False,n=1");
}

TEST(ListedSpace, HasExactlyItsRows) {
  const std::vector<std::vector<int64_t>> rows = {{3, 1, 2}, {1, 2, 2}, {1, 1, 3}, {3, 1, 2}};
  const Space space = listed_space(letters(3, 3), rows);
  expect_agrees_with_product(space);
  EXPECT_EQ(SpaceIndex(space).size(), 3);
  EXPECT_EQ(space.violation(parse_config("a=1,b=1,c=1")), "is none of the 3 listed configs");
  EXPECT_EQ(SpaceIndex(listed_space(letters(3, 3), {})).size(), 0);
  EXPECT_EQ(SpaceIndex(listed_space({}, {{}})).size(), 1);
}

TEST(ListedSpace, WithFurtherConstraintsAndFewerValuesHasFewerRows) {
  const Space whole = listed_space(letters(3, 3), {{3, 1, 2}, {1, 2, 2}, {1, 1, 3}, {2, 2, 2}});
  std::vector<Parameter> parameters = whole.parameters();
  parameters[0].values = {1, 2};
  std::vector<Constraint> constraints = whole.constraints();
  constraints.push_back(expression_constraint("a + b < 4", parameters));
  const Space space(parameters, constraints);
  expect_agrees_with_product(space);
  EXPECT_EQ(SpaceIndex(space).size(), 2);
}

TEST(ListedSpace, CostsWhatItsRowsCostWhateverTheProduct) {
  Random random(11);
  std::vector<std::vector<int64_t>> rows;
  for (int i = 0; i < 4000; ++i) {
    std::vector<int64_t> row;
    for (int d = 0; d < 12; ++d) row.push_back(1 + static_cast<int64_t>(random.below(20)));
    rows.push_back(row);
  }
  const SpaceIndex index(listed_space(letters(12, 20), rows));
  EXPECT_EQ(index.size(), 4000);
  for (int64_t rank = 0; rank < index.size(); ++rank) {
    ASSERT_EQ(index.rank_of(index.places(rank)), rank);
  }
}

TEST(ListedSpace, RefusesRowsThatDoNotFit) {
  EXPECT_THROW(listed_space(letters(2, 3), {{1}}), Error);
  EXPECT_THROW(listed_space(letters(2, 3), {{1, 4}}), Error);
}

TEST(SpaceText, RoundTripsLabelsWhateverTheyContain) {
  const std::vector<std::string> labels = {"plain", "a,b",   "x=1",       "50%", "%2C",
                                           "",      " edge", "new\nline", "ü",   "a b"};
  std::vector<int64_t> values;
  for (size_t i = 0; i < labels.size(); ++i) values.push_back(static_cast<int64_t>(i));
  const Space space({{"MODE", "", values, labels, false}, {"n", "", {1, 2}}}, {});
  for (const Config& config : space.enumerate()) {
    EXPECT_EQ(space.parse(space.text(config)), config) << space.text(config);
  }
  EXPECT_EQ(space.text(space.parse("MODE=a%2Cb,n=2")), "MODE=a%2Cb,n=2");
  EXPECT_EQ(space.parse("n=2").text(), "n=2");
  const Space plain(letters(2, 3), {});
  EXPECT_EQ(plain.text(parse_config("a=1,b=3")), parse_config("a=1,b=3").text());
}

TEST(SpaceText, SaysWhatIsWrong) {
  const Space space({{"mode", "", {0, 1}, {"fast", "exact"}, false}, {"n", "", {1, 2}}}, {});
  const auto message = [&](const char* text) -> std::string {
    try {
      space.parse(text);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  };
  EXPECT_NE(message("mode=fsat").find("did you mean 'fast'"), std::string::npos);
  EXPECT_NE(message("mdoe=fast").find("did you mean 'mode'"), std::string::npos);
  EXPECT_NE(message("mode").find("is not NAME=VALUE"), std::string::npos);
  EXPECT_NE(message("n=1,n=2").find("n stands twice"), std::string::npos);
  EXPECT_NE(message("n=x").find("config value of n"), std::string::npos);
}

}  // namespace
}  // namespace tilewright
