#include "core/space/t1.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/space/space_expression.h"
#include "core/space/space_index.h"

namespace tilewright {
namespace {

/// A file whose parameters and conditions are given.
std::string t1_of(const std::string& parameters, const std::string& conditions = "") {
  return fmt::format(
      R"({{"General": {{"BenchmarkName": "sum"}},
          "ConfigurationSpace": {{"TuningParameters": [{}], "Conditions": [{}]}},
          "KernelSpecification": {{"KernelName": "sum_kernel", "ProblemSize": [1000, 2],
                                  "Anything": [null]}}}})",
      parameters, conditions);
}

constexpr const char* kRows =
    R"({"Name": "ROWS", "Type": "int", "Values": "[2**i for i in range(4, 7)]", "Default": [32]})";
constexpr const char* kUnroll =
    R"({"Name": "unroll", "Type": "int", "Values": [4, 1, 2], "Default": 9})";
constexpr const char* kMode =
    R"({"Name": "mode", "Type": "string", "Values": "['fast', 'exact']", "Default": "exact"})";
constexpr const char* kShare =
    R"({"Name": "share", "Type": "float", "Values": "[1, 0.5, 0.25]", "Default": 0.5})";
constexpr const char* kCached =
    R"({"Name": "cached", "Type": "bool", "Values": "[True, False]", "Default": true})";

T1Problem everything() {
  return read_t1(
      t1_of(fmt::format("{},{},{},{},{}", kRows, kUnroll, kMode, kShare, kCached),
            R"t1({"Expression": "ROWS * unroll * share < 64 and (cached or mode == 'fast')",
                "Parameters": ["ROWS", "unroll"]}, {"Expression": "unroll != 2"})t1"),
      "sum.json");
}

TEST(T1, GivesASpaceWithItsDefaultsAndSizes) {
  const T1Problem problem = everything();
  EXPECT_EQ(problem.name, "sum");
  EXPECT_EQ(problem.kernel, "sum_kernel");
  EXPECT_EQ(problem.sizes, (std::vector<int64_t>{1000, 2}));
  EXPECT_EQ(problem.space.parameters()[0].values, (std::vector<int64_t>{16, 32, 64}));
  EXPECT_EQ(problem.space.parameters()[1].values, (std::vector<int64_t>{1, 2, 4}));
  EXPECT_EQ(problem.space.parameters()[3].labels, (std::vector<std::string>{"0.25", "0.5", "1"}));
  EXPECT_EQ(problem.space.text(problem.defaults), "ROWS=32,mode=exact,share=0.5,cached=True")
      << "a default outside its list is left out";
  // ROWS * unroll * share < 64: 8 + 3 combinations with unroll 1 and 4; 3 of 4 modes of each.
  EXPECT_EQ(SpaceIndex(problem.space).size(), 33);
}

TEST(T1, RoundTrips) {
  const T1Problem problem = everything();
  const std::string text = write_t1(problem);
  const T1Problem again = read_t1(text, "again");
  EXPECT_EQ(write_t1(again), text);
  EXPECT_EQ(again.defaults, problem.defaults);
  EXPECT_EQ(again.space.enumerate(), problem.space.enumerate());
  EXPECT_EQ(again.space.parameters()[2].labels, problem.space.parameters()[2].labels);
  EXPECT_FALSE(again.space.parameters()[2].ordered);
  EXPECT_TRUE(again.space.parameters()[3].ordered);
}

TEST(T1, CannotHoldEverything) {
  T1Problem problem = everything();
  problem.space = Space({{"a", "", {1}}}, {{"odd", {"a"}, [](auto) { return std::string(); }}});
  EXPECT_THROW(write_t1(problem), Error);
  problem.space = Space({{"a", "", {0}, {"both ' and \""}, false}}, {});
  EXPECT_THROW(write_t1(problem), Error);
}

TEST(T1, SaysWhatIsWrongAndWhere) {
  const auto parameter = [](const std::string& name, const std::string& values) {
    return fmt::format(R"({{"Name": "{}", "Values": {}}})", name, values);
  };
  const struct {
    std::string text;
    const char* part;
  } cases[] = {
      {"{", "sum.json:1:2: not valid JSON"},
      {"{}", "ConfigurationSpace"},
      {t1_of(""), "no parameters; a space has at least one"},
      {t1_of(R"({"Values": "[1]"})"), "Name"},
      {t1_of(R"({"Name": "a"})"), "Values"},
      {t1_of(parameter("a b", "[1]")), "'a b' is not a name of letters, digits and _"},
      {t1_of(parameter("a", "[]")), "TuningParameters[0].Values: no values; give at least one"},
      {t1_of(parameter("a", "3")), "expected a list, or a text that is an expression of one"},
      {t1_of(parameter("a", "[[1]]")), "expected a number, a text, true or false"},
      {t1_of(parameter("a", R"("[1, 2")")), "1:6: it ends where ',' or ']' is expected"},
      {t1_of(parameter("a", R"("[1, 'x']")")), "values of several kinds"},
      {t1_of(parameter("a", "[2, 1, 2]")), "2 stands twice"},
      {t1_of(parameter("a", "[1, 1.0]")), "1.0 stands twice"},
      {t1_of(parameter("a", R"(["x", "y", "x"])")), "x stands twice"},
      {t1_of(parameter("a", "[1]") + "," + parameter("a", "[1]")), "parameter a stands twice"},
      {t1_of(kRows, R"({"Parameters": ["ROWS"]})"), "Expression"},
      {t1_of(kRows, R"({"Expression": "ROW == 1"})"),
       "Conditions[0].Expression: expression 'ROW == 1', 1:1: unknown name 'ROW'; did you mean "
       "'ROWS'?"},
      {t1_of(kRows, R"({"Expression": 3})"),
       "sum.json: ConfigurationSpace.Conditions[0].Expression: expected a text"},
      {t1_of(parameter("a", std::string(100, '['))), "sum.json:2:139: nested deeper"},
      {t1_of(kRows, R"({"Expression": "ROWS == 1", "Parameters": ["RWOS"]})"),
       "unknown parameter 'RWOS'; did you mean 'ROWS'?"},
  };
  for (const auto& [text, part] : cases) {
    try {
      read_t1(text, "sum.json");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kFailed);
      EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
      EXPECT_EQ(error.message().rfind("sum.json"), 0u) << "said twice: " << error.message();
    }
  }
}

std::string data_folder() {
  const char* set = std::getenv("TILEWRIGHT_DATA");
  const std::string data = set ? set : std::string(TILEWRIGHT_SOURCE_DIR) + "/../shared/data";
  return data + "/tuning/t1";
}

TEST(T1, ReadsPublishedProblems) {
  const std::string folder = data_folder();
  if (!std::filesystem::is_directory(folder)) {
    GTEST_SKIP() << "no folder " << folder << "; set TILEWRIGHT_DATA";
  }
  const struct {
    const char* name;
    int64_t product;
    int64_t legal;
  } cases[] = {{"convolution_milo", 10'240, 4'362},
               {"pnpoly", 4'092, 4'092},
               {"gemm_milo", 663'552, 116'928}};
  for (const auto& [name, product, legal] : cases) {
    const std::string path = fmt::format("{}/{}.t1.json", folder, name);
    const T1Problem problem = read_t1(read_file(path), path);
    EXPECT_EQ(problem.space.product_size(), product) << name;
    EXPECT_EQ(SpaceIndex(problem.space).size(), legal) << name;
    EXPECT_EQ(problem.defaults.values.size(), problem.space.parameters().size()) << name;
    EXPECT_EQ(write_t1(read_t1(write_t1(problem), "again")), write_t1(problem)) << name;
  }
}

}  // namespace
}  // namespace tilewright
