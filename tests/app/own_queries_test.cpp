// The user's own queries: the file, and Results over it.

#include "app/tui/results/own_queries.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "tests/app/results_fixture.h"
#include "tests/app/terminal_program.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

TEST(OwnQueries, AreKeptReplacedAndDeletedByName) {
  const TempFolder folder;
  const std::string path = folder.path("a/b/queries.json");
  EXPECT_TRUE(read_own_queries(path).empty());
  save_own_query(path, {"sweep", "SELECT 1"});
  save_own_query(path, {"  best of n ", "SELECT 'it''s'\n-- two lines"});
  save_own_query(path, {"sweep", "SELECT 2"});
  const std::vector<OwnQuery> expected = {{"best of n", "SELECT 'it''s'\n-- two lines"},
                                          {"sweep", "SELECT 2"}};
  EXPECT_EQ(read_own_queries(path), expected);
  EXPECT_EQ(save_own_query(path, {"sweep", ""}).size(), 1u);
  EXPECT_THROW(save_own_query(path, {"sweep", ""}), Error);
}

TEST(OwnQueries, RefuseNamesThatCannotBeShown) {
  const TempFolder folder;
  const std::string path = folder.path("queries.json");
  for (const std::string& name : {std::string(), std::string("  "), std::string("a\x1b[31m"),
                                  std::string(kMostQueryName + 1, 'x')}) {
    EXPECT_THROW(save_own_query(path, {name, "SELECT 1"}), Error);
  }
  EXPECT_THROW(save_own_query("", {"x", "SELECT 1"}), Error);
}

TEST(OwnQueries, ADamagedFileIsSaidAndStaysAsItIs) {
  const TempFolder folder;
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("\xff\xfe\0", 3),
        std::string("{\"queries\": 7}"), std::string("{\"queries\": [{\"name\": 1}]}"),
        "{\"queries\": " + std::string(100'000, '['),
        std::string("{\"queries\": [{\"name\": \"a\", \"sql\": \"\"}, {\"name\": \"a\", "
                    "\"sql\": \"\"}]}")}) {
    const std::string path = folder.file("queries.json", text);
    EXPECT_THROW(read_own_queries(path), Error) << text.substr(0, 40);
    EXPECT_THROW(save_own_query(path, {"x", "SELECT 1"}), Error);
    EXPECT_EQ(read_file(path), text);
  }
}

TEST(OwnQueries, HostileNamesAreShownHarmlesslyAndCanBeDeleted) {
  State state = results_state();
  state.tune.globals.queries = "queries.json";
  auto catalog = std::make_shared<ResultsCatalog>(*state.results.catalog);
  set_own_queries(*catalog, {{"\x1b[31mevil\n", "\x1b[2J"}});
  catalog_loaded(state, catalog);
  press(state, "j j");
  const std::string text = draw(state).text();
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("my: "), std::string::npos);
  EXPECT_NE(text.find("evil"), std::string::npos);
  const Effects effects = press(state, "d");
  const auto* job = submitted<SaveQueryJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(std::get<SaveQueryJob>(job->request).name, "\x1b[31mevil\n");
  EXPECT_EQ(std::get<SaveQueryJob>(job->request).sql, "");
}

TEST(OwnQueries, ThoseOfTheProgramCannotBeDeleted) {
  State state = results_state();
  EXPECT_TRUE(press(state, "d").empty());
  EXPECT_NE(state.message.text.find("own"), std::string::npos);
}

TEST(OwnQueries, TheSqlOfTheEditorIsKeptUnderAName) {
  State state = results_state();
  put_sql(state.results, "SELECT 7");
  press(state, "s");
  type(state, "seven");
  const Effects effects = press(state, "Enter");
  const auto* job = submitted<SaveQueryJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(std::get<SaveQueryJob>(job->request).name, "seven");
  EXPECT_EQ(std::get<SaveQueryJob>(job->request).sql, "SELECT 7");
  finish(state, job->id,
         std::make_shared<const OwnQueries>(OwnQueries{{{"seven", "SELECT 7"}}, "seven", false}));
  EXPECT_NE(draw(state).text().find("my: seven"), std::string::npos);
  press(state, "j j");
  const Effects asked = press(state, "Enter");
  const auto* query = submitted<QueryJob>(asked);
  ASSERT_NE(query, nullptr);
  EXPECT_EQ(std::get<QueryJob>(query->request).sql, "SELECT 7");
}

TEST(OwnQueries, ComeBackInTheNextSession) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"run", "gemm", "--shape", "m=256,n=256,k=256"}).status, 0);
  {
    TerminalProgram program(sandbox, {});
    ASSERT_TRUE(program.shows("1 runs"));
    program.type("7");
    ASSERT_TRUE(program.shows("Saved queries"));
    program.type("nSELECT 40 + 2 AS answer\x1b");
    ASSERT_TRUE(program.shows("SQL  read-only"));
    program.type("sthe answer\r");
    ASSERT_TRUE(program.shows("my: the answer"));
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0);
  }
  TerminalProgram program(sandbox, {"tui", "--fresh"});
  ASSERT_TRUE(program.shows("1 runs"));
  program.type("7");
  ASSERT_TRUE(program.shows("my: the answer"));
  for (int i = 0; i < 11; ++i) program.type("j");
  program.type("\r");
  ASSERT_TRUE(program.shows("Result  1 row"));
  EXPECT_TRUE(program.shows("42"));
  program.type("\x1b[Z\x1b[Z");
  program.type("d");
  EXPECT_TRUE(program.hides("my: the answer"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

}  // namespace
}  // namespace tilewright
