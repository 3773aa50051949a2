#include "app/cli/options.h"

#include <gtest/gtest.h>

#include "app/cli/progress.h"
#include "app/cli/table.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {
namespace {

const std::vector<Option> kGlobals = {
    {"db", 0, "FILE", "", "a value"},
    {"quiet", 'q', "", "", "a switch"},
};
const std::vector<Option> kAll = {
    {"db", 0, "FILE", "", "a value"},         {"quiet", 'q', "", "", "a switch"},
    {"output", 'o', "FILE", "", "a value"},   {"limit", 0, "N", "7", "with a fallback"},
    {"shape", 0, "LIST", "", "a list", true}, {"json", 0, "", "", "a switch"},
};

std::string error_of(const std::vector<std::string>& tokens) {
  try {
    parse_options(tokens, kAll);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.message();
  }
  return "";
}

TEST(SplitCommand, FindsTheCommandBehindGlobalsAndTheirValues) {
  struct Case {
    std::vector<std::string> tokens;
    std::string command;
    size_t rest;
  };
  const Case cases[] = {
      {{"run", "gemm"}, "run", 1},
      {{"--db", "run", "tune", "x"}, "tune", 3},
      {{"--db=run", "tune"}, "tune", 1},
      {{"-q", "run", "--db", "x"}, "run", 3},
      {{"--quiet"}, "", 1},
      {{}, "", 0},
  };
  for (const Case& each : cases) {
    const SplitLine line = split_command(each.tokens, kGlobals);
    EXPECT_EQ(line.command, each.command);
    EXPECT_EQ(line.rest.size(), each.rest);
  }
}

TEST(SplitCommand, RefusesOptionsOfCommandsBeforeTheCommand) {
  const std::vector<std::string> tokens = {"--output", "x", "run"};
  EXPECT_THROW(split_command(tokens, kGlobals), Error);
}

TEST(ParseOptions, KeepsValuesSwitchesAndPositionals) {
  const std::vector<std::string> tokens = {"a", "--db=x",  "-q",  "-o",      "-",
                                           "b", "--shape", "m=1", "--shape", "n=2"};
  const Arguments arguments = parse_options(tokens, kAll);
  EXPECT_EQ(arguments.positionals(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(arguments.text("db"), "x");
  EXPECT_EQ(arguments.text("output"), "-");
  EXPECT_EQ(arguments.text("shape"), "m=1,n=2");
  EXPECT_TRUE(arguments.has("quiet"));
  EXPECT_FALSE(arguments.has("json"));
}

TEST(ParseOptions, FallsBackWhereNothingIsGiven) {
  const Arguments arguments = parse_options({}, kAll);
  EXPECT_FALSE(arguments.has("limit"));
  EXPECT_EQ(arguments.integer("limit", 0, 10), 7);
  EXPECT_THROW(arguments.integer("limit", 0, 6), Error);
}

TEST(ParseOptions, TakesEverythingBehindTwoDashesAsArguments) {
  const std::vector<std::string> tokens = {"a", "--", "--json", "-q"};
  const Arguments arguments = parse_options(tokens, kAll);
  EXPECT_EQ(arguments.positionals(), (std::vector<std::string>{"a", "--json", "-q"}));
}

TEST(ParseOptions, AcceptsNegativeNumbersAsValues) {
  const std::vector<std::string> tokens = {"--limit", "-5"};
  EXPECT_EQ(parse_options(tokens, kAll).integer("limit", -10, 10), -5);
}

TEST(ParseOptions, RepeatedSwitchesSayTheSame) {
  const std::vector<std::string> tokens = {"-q", "--quiet"};
  EXPECT_TRUE(parse_options(tokens, kAll).has("quiet"));
}

TEST(ParseOptions, RefusesWhatIsNotExactlyAnOption) {
  EXPECT_NE(error_of({"--jsno"}).find("did you mean '--json'"), std::string::npos);
  EXPECT_NE(error_of({"--js"}).find("did you mean '--json'"), std::string::npos);
  EXPECT_NE(error_of({"-x"}).find("unknown option '-x'"), std::string::npos);
  EXPECT_NE(error_of({"--db"}).find("--db"), std::string::npos);
  EXPECT_NE(error_of({"--db", "--json"}).find("--db"), std::string::npos);
  EXPECT_NE(error_of({"--limit", "1", "--limit", "2"}).find("twice"), std::string::npos);
  EXPECT_NE(error_of({"--json=yes"}).find("--json"), std::string::npos);
}

TEST(CheckPositionals, CountsThem) {
  const Positional expected[] = {{"A", "first", true}, {"B", "second", false}};
  const auto check = [&](const std::vector<std::string>& tokens) {
    check_positionals(parse_options(tokens, kAll), "test", expected);
  };
  EXPECT_THROW(check({}), Error);
  EXPECT_NO_THROW(check({"1"}));
  EXPECT_NO_THROW(check({"1", "2"}));
  EXPECT_THROW(check({"1", "2", "3"}), Error);
}

TEST(ParseAssignments, KeepsTheOrderAndRefusesTheRest) {
  const auto pairs = parse_assignments("m=1, n = 2", "--shape");
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[1], (std::pair<std::string, std::string>("n", "2")));
  for (const char* bad : {"", "m", "m=", "=1", "m=1,,n=2", "m=1,m=2", ","}) {
    EXPECT_THROW(parse_assignments(bad, "--shape"), Error) << bad;
  }
}

TEST(ElideMiddle, CutsToTheWidth) {
  EXPECT_EQ(elide_middle("abcdefghij", 10), "abcdefghij");
  EXPECT_EQ(elide_middle("abcdefghij", 9), "abc...hij");
  EXPECT_EQ(elide_middle("abcdefghij", 8), "abc...ij");
  EXPECT_EQ(elide_middle("abcdefghij", 2), "ab");
}

TEST(Table, AlignsByCodePointsAndKind) {
  QueryResult table;
  table.columns = {"name", "n"};
  table.rows = {{std::string("é"), int64_t{5}}, {std::string("bc\x1b[31m"), 1.5}};
  EXPECT_EQ(to_table(table),
            "name       n\n"
            "é          5\n"
            "bc?[31m  1.5\n");
}

}  // namespace
}  // namespace tilewright
