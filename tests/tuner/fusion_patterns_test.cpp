#include "tests/tuner/fusion_fixture.h"
#include "tuner/fusion/patterns.h"

namespace tilewright {
namespace {

using Nodes = std::vector<int32_t>;

/// What of a chain of figure 4 a set holds, besides what all chains share: 0, 1 or 2 of 2.
int held(const Nodes& nodes, int32_t head, int32_t next) {
  return (std::ranges::binary_search(nodes, head) ? 1 : 0) +
         (std::ranges::binary_search(nodes, next) ? 1 : 0);
}

/// Whole chains down to vertex 1 are what pays; of a chain that is cut, beside another one, little
/// is left.
std::optional<double> figure_score(const Nodes& nodes) {
  const bool has_1 = std::ranges::binary_search(nodes, 1);
  double score = 0;
  int whole = 0;
  int cut = 0;
  const std::pair<int32_t, int32_t> chains[] = {{5, 2}, {6, 3}, {7, 4}};
  const double worth[] = {10, 9, 8};
  for (size_t i = 0; i < 3; ++i) {
    const int part = held(nodes, chains[i].first, chains[i].second);
    if (part == 2 && has_1) {
      score += worth[i];
      ++whole;
    } else if (part > 0) {
      score += 0.1 * part;
      ++cut;
    }
  }
  return whole > 0 ? score - 5 * cut : score - 0.05 * (cut > 1 ? cut : 0);
}

std::vector<Nodes> nodes_of(const std::vector<Pattern>& patterns) {
  std::vector<Nodes> list;
  for (const Pattern& pattern : patterns) list.push_back(pattern.nodes);
  return list;
}

// Figure 4 of FusionStitching 2020: V8 has the consumers V5, V6 and V7.
TEST(ReducePatterns, FindsTheListsOfThePublishedExample) {
  const auto chain = [](int32_t head, int32_t next) {
    return std::vector<Pattern>{{{head}, 0}, {{next, head}, 0}, {{1, next, head}, 0}};
  };
  const std::vector<Pattern> first =
      reduce_patterns(8, {chain(5, 2), chain(6, 3)}, 3, figure_score);
  EXPECT_EQ(nodes_of(first), (std::vector<Nodes>{{1, 2, 3, 5, 6, 8}, {1, 2, 5, 8}, {1, 3, 6, 8}}));
  const std::vector<Pattern> second = reduce_patterns(8, {chain(7, 4)}, 3, figure_score);
  EXPECT_EQ(nodes_of(second), (std::vector<Nodes>{{1, 4, 7, 8}, {4, 7, 8}, {7, 8}}));
  const std::vector<Pattern> all =
      reduce_patterns(8, {chain(5, 2), chain(6, 3), chain(7, 4)}, 3, figure_score);
  EXPECT_EQ(nodes_of(all),
            (std::vector<Nodes>{{1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 4, 5, 7, 8}, {1, 3, 4, 6, 7, 8}}));
}

TEST(ReducePatterns, LeavesOutWhatCannotBeAKernel) {
  const std::vector<Pattern> found =
      reduce_patterns(8, {{{{5}, 0}}, {{{6}, 0}}}, 3, [](const Nodes& nodes) {
        return nodes.size() > 2 ? std::nullopt : std::optional<double>(nodes.size());
      });
  EXPECT_EQ(nodes_of(found), (std::vector<Nodes>{{5, 8}, {6, 8}, {8}}));
}

TEST(IsConvex, SeesPathsThroughOthers) {
  const FusionFixture at(module_of(R"(x = f32[8]{0} parameter(0)
a = f32[8]{0} negate(x)
b = f32[8]{0} exponential(a)
ROOT c = f32[8]{0} add(a, b))"));
  EXPECT_TRUE(is_convex(at.graph, at.ops({"a", "b", "c"})));
  EXPECT_TRUE(is_convex(at.graph, at.ops({"b", "c"})));
  EXPECT_FALSE(is_convex(at.graph, at.ops({"a", "c"})));
}

}  // namespace
}  // namespace tilewright
