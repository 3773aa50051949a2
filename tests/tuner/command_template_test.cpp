#include "tuner/evaluate/command_template.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"

namespace tilewright {
namespace {

using Words = std::vector<std::string>;

const Problem kProblem = parse_problem("gemm f16 f16 f16 nd nz nd m=512 n=4096 k=64 epilogue=none");
const Config kConfig = parse_config("tile_m=128,tile_n=256");

Words words_of(std::string_view text) {
  return CommandTemplate(text).words(kProblem, kConfig);
}

std::string refusal_of(std::string_view text) {
  try {
    CommandTemplate(text).check(
        kProblem, std::vector<Parameter>{{"tile_m", "", {128}}, {"tile_n", "", {256}}});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.message();
  }
  return "";
}

TEST(CommandTemplate, FillsInConfigSizesAndTexts) {
  EXPECT_EQ(words_of("bench {tile_m}x{tile_n} --m={m} {kernel}"),
            (Words{"bench", "128x256", "--m=512", "gemm"}));
  EXPECT_EQ(words_of("b {config} {problem}"), (Words{"b", kConfig.text(), kProblem.text()}));
}

TEST(CommandTemplate, SplitsByQuotesAndKeepsEverythingElse) {
  EXPECT_EQ(words_of(R"(  a 'b c' "d \"e\" \n" f\ g ''  $HOME;x|y "a"'b'c )"),
            (Words{"a", "b c", "d \"e\" \\n", "f g", "", "$HOME;x|y", "abc"}));
}

TEST(CommandTemplate, ValueNeverSplitsAWord) {
  EXPECT_EQ(words_of("b {problem}").size(), 2u);
  EXPECT_EQ(words_of("b '{tile_m} {tile_n}'"), (Words{"b", "128 256"}));
}

TEST(CommandTemplate, DoubledBracesAreBraces) {
  EXPECT_EQ(words_of("awk '{{print {tile_m}}}'"), (Words{"awk", "{print 128}"}));
}

TEST(CommandTemplate, ConfigWinsOverASizeOfTheSameName) {
  EXPECT_EQ(CommandTemplate("b {m}").words(kProblem, parse_config("m=7")), (Words{"b", "7"}));
}

TEST(CommandTemplate, UnknownPlaceholderSuggestsTheNearest) {
  EXPECT_EQ(refusal_of("b {tile_m} {n}"), "");
  EXPECT_NE(refusal_of("b {tile_x}").find("did you mean 'tile_m'"), std::string::npos);
  EXPECT_NE(refusal_of("b {zzzzzzz}").find("it gives tile_m, tile_n, m, n, k, kernel"),
            std::string::npos);
}

TEST(CommandTemplate, RefusesWhatIsNotClosed) {
  for (const char* text : {"", "   ", "b 'x", "b \"x", "b {m", "b m}", "b {}", "b \\"}) {
    EXPECT_NE(refusal_of(text), "") << text;
  }
}

TEST(CommandTemplate, QuotingDoesNotChangeWhatTheCommandIs) {
  EXPECT_EQ(CommandTemplate("b 'x' {m}").canonical(), CommandTemplate("b  \"x\" {m}").canonical());
  EXPECT_NE(CommandTemplate("b {m}").canonical(), CommandTemplate("b {{m}}").canonical());
  EXPECT_NE(CommandTemplate("b x y").canonical(), CommandTemplate("b 'x y'").canonical());
}

TEST(CommandTemplate, DoubledBracesAreNoPlaceholders) {
  EXPECT_TRUE(has_placeholder("bench {tile_m}"));
  EXPECT_TRUE(has_placeholder("bench {{ {tile_m}"));
  EXPECT_FALSE(has_placeholder("bench {{tile_m}}"));
  EXPECT_FALSE(has_placeholder("bench"));
}

}  // namespace
}  // namespace tilewright
