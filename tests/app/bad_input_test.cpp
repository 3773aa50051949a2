// The real binary on what users mistype and files that are not what they should be: one clear
// message, the documented status, nothing lost.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/app/program.h"

namespace tilewright {
namespace {

using Arguments = std::vector<std::string>;

struct Case {
  Arguments tokens;
  int status;
  std::vector<std::string> parts;  ///< of the message
};

void expect_refused(Sandbox& sandbox, const Case& each) {
  const Outcome outcome = sandbox.run(each.tokens);
  std::string line;
  for (const std::string& token : each.tokens) line += token + " ";
  EXPECT_EQ(outcome.status, each.status) << line << ": " << outcome.err;
  EXPECT_EQ(outcome.out, "") << line;
  EXPECT_TRUE(outcome.err.starts_with("tilewright: ")) << line << ": " << outcome.err;
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << line << ": " << outcome.err;
  for (const std::string& part : each.parts) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << line << ": " << outcome.err;
  }
}

TEST(BadInput, MeasurementsAndFitsAreCheckedBeforeAnythingRuns) {
  Sandbox sandbox;
  const std::string table = sandbox.file(
      "points.csv", "hardware,kernel,params,metric,unit,value\nAscend 910B4,gemm,,time,us,1\n");
  const std::string bad = sandbox.file("bad.csv", "hardware,kernel\nx,y\n");
  const auto fit = [&](const std::string& what) {
    return Arguments{"calibrate", "ascend-910b2", "--points", table, "--fit", what};
  };
  const Case cases[] = {
      {{"machine", "check", "--points", "none.csv"}, 3, {"none.csv"}},
      {{"machine", "check", "--points", bad}, 1, {"bad.csv:1", "'params' is missing"}},
      {fit("hbm.gb_per_sec"), 2, {"did you mean 'hbm.gb_per_s'?"}},
      {fit("cores.aic"), 2, {"'cores.aic' is no parameter that can be fitted"}},
      {fit("hbm.gb_per_s=5"), 2, {"expected bounds"}},
      {fit("hbm.gb_per_s=9:5"), 2, {"hold nothing"}},
      {fit("hbm.gb_per_s=0:5"), 2, {"go beyond"}},
      {fit("hbm.gb_per_s,hbm.gb_per_s"), 2, {"twice"}},
      {fit("measured_as.77.boundary_us"), 2, {"measured_as.77"}},
      {fit("hbm.gb_per_s"), 3, {"no rows to fit to"}},
      {{"calibrate", "none"}, 3, {"unknown machine 'none'"}},
      {{"calibrate", "ascend-910b2", "--validate", "2", "--points", table}, 2, {"validate"}},
  };
  for (const Case& each : cases) expect_refused(sandbox, each);
}

TEST(BadInput, UnknownNamesSuggestTheNearest) {
  Sandbox sandbox;
  const Case cases[] = {
      {{"rnu", "gemm"}, 2, {"unknown command 'rnu'", "did you mean 'run'"}},
      {{"help", "tuen"}, 2, {"did you mean 'tune'"}},
      {{"machine", "shwo"}, 2, {"did you mean 'show'"}},
      {{"run", "gem", "--shape", "m=1,n=1,k=1"}, 3, {"'gem'", "did you mean 'gemm'"}},
      {{"run", "gemm", "--shpe", "m=1"}, 2, {"did you mean '--shape'"}},
      {{"run", "gemm", "--shape", "m=1,n=1,k=1", "--machine", "ascend-910b"},
       3,
       {"did you mean 'ascend-910b1'"}},
      {{"machine", "show", "none.json"}, 3, {"none.json", "No such file"}},
      {{"kernel", "show", "gemm_paded"}, 3, {"did you mean 'gemm_padded'"}},
      {{"model", "show", "qwen2-7"}, 3, {"did you mean 'qwen2-7b'"}},
      {{"tune", "qwen2-7", "--workload", "chat"}, 3, {"did you mean 'qwen2-7b'"}},
      {{"tune", "gemn", "--shape", "m=1"}, 3, {"did you mean 'gemm'"}},
      {{"tune", "qwen2-7b", "--workload", "caht"}, 3, {"did you mean 'chat'"}},
      {{"replay", "qwen2-7b", "--workload", "none.csv"}, 3, {"none.csv"}},
      {{"tune", "gemm", "--shape", "m=1,n=1,k=1", "--strategy", "randon"},
       2,
       {"did you mean 'random'"}},
      {{"run", "gemm", "--shape", "m=1,n=1,k=1", "--config", "tile_mm=16"},
       2,
       {"did you mean 'tile_m'"}},
      {{"run", "gemm", "--shape", "m=1,n=1,k=1", "--fidelity", "detaild"},
       2,
       {"did you mean 'detailed'"}},
  };
  for (const Case& each : cases) expect_refused(sandbox, each);
  EXPECT_FALSE(std::filesystem::exists(sandbox.path("plan.json")));
}

TEST(BadInput, MalformedRequestsAreUsageErrors) {
  Sandbox sandbox;
  const auto shape = [](const char* text) { return Arguments{"run", "gemm", "--shape", text}; };
  const Case cases[] = {
      {shape("m=0,n=1,k=1"), 2, {"m=0", "outside"}},
      {shape("m=1,n=-4,k=1"), 2, {"n=-4", "outside"}},
      {shape("m=4294967296,n=1,k=1"), 2, {"m=4294967296"}},
      {shape("m=99999999999999999999,n=1,k=1"), 2, {"does not fit 64 bits"}},
      {shape("m=2147483647,n=2147483647,k=2147483647"), 2, {"m=2147483647"}},
      {shape("m=131072,n=131072,k=131072"), 2, {"too large"}},
      {{"run", "gemm", "--shape", "m=1000000,n=1000000,k=16", "--check"}, 2, {"--check", "TiB"}},
      {shape("m=1.5,n=1,k=1"), 2, {"1.5"}},
      {shape("m=abc,n=1,k=1"), 2, {"'abc' is not a whole number"}},
      {shape("garbage"), 2, {"garbage"}},
      {shape(""), 2, {"--shape"}},
      {shape("m=1,n=1"), 2, {"needs the size k"}},
      {shape("m=1,n=1,k=1,q=1"), 2, {"'q'"}},
      {shape("m=1,m=2,n=1,k=1"), 2, {"m twice"}},
      {{"run"}, 2, {"KERNEL"}},
      {{"run", "gemm", "twice"}, 2, {"'twice' is one too many"}},
      {{"run", "gemm", "--shape", "m=1,n=1,k=1", "--dtype", "f17"}, 2, {"f17"}},
      {{"run", "gemm", "--shape", "m=1,n=1,k=1", "--seed", "-1"}, 2, {"seed", "-1"}},
      {{"run", "gemm", "--shape", "m=1,n=1,k=1", "--check", "--values", "huge"},
       2,
       {"huge", "large"}},
      {{"run", "gemm", "--shape", "m=1,n=1,k=1", "--values", "tiny"}, 2, {"--values", "--check"}},
      {{"run", "gemm", "--shape", "m=1,n=1,k=1", "--jobs", "0"}, 2, {"jobs", "outside"}},
      {{"run", "gemm", "--shape", "m=9000,n=90000,k=40960", "--check"}, 2, {"--check", "--yes"}},
      {{"run", "attention", "--shape", "tokens=65536,heads=8", "--check"},
       2,
       {"the limit is 20 min", "--yes"}},
      {{"tune", "qwen2-7b"}, 2, {"--workload"}},
      {{"tune", "gemm", "--shape", "m=1,n=1,k=1", "--workload", "chat"}, 2, {"--workload"}},
      {{"tune", "qwen2-7b", "--workload", "chat", "--shape", "m=1"}, 2, {"--shape"}},
      {{"tune", "gemm", "--shape", "m=1,n=1,k=1", "--budget", "evaluations=0"}, 2, {"below 1"}},
      {{"tune", "gemm", "--shape", "m=1,n=1,k=1", "--budget", "seconds=nan"}, 2, {"nan"}},
      {{"tune", "gemm", "--shape", "m=1,n=1,k=1", "--budget", "gain=101"}, 2, {"at most 100"}},
      {{"tune", "gemm", "--shape", "m=1,n=1,k=1", "--budget", "gain=0"}, 2, {"above 0"}},
      {{"tune", "gemm", "--shape", "m=1,n=1,k=1", "--within", "0.5"}, 2, {"--within 0.5"}},
      {{"tune", "qwen2-7b", "--workload", "chat", "--for", "attention"}, 2, {"'attention'"}},
      {{"tune", "qwen2-7b", "--workload", "chat", "--for", "fusion"}, 2, {"gemm,fusion"}},
      {{"replay", "qwen2-7b", "--workload", "chat", "--limit", "0"}, 2, {"--limit"}},
      {{"replay", "qwen2-7b", "--workload", "chat", "--limit", "2", "--rate", "-1"}, 2, {"rate"}},
      {{"replay", "qwen2-7b", "--workload", "chat", "--slo", "ttft=soon"}, 2, {"soon"}},
      {{"replay", "qwen2-7b", "--workload", "chat", "--compare", "none"}, 2, {"--plan"}},
      {{"export"}, 2, {"-o FILE"}},
      {{"machine", "diff", "ascend-910b2"}, 2, {"takes 2 names"}},
      {{"model", "show", "qwen2-7b", "--tokens", "0"}, 2, {"--tokens"}},
      {{"--color", "sometimes", "machine", "list"}, 2, {"sometimes"}},
  };
  for (const Case& each : cases) expect_refused(sandbox, each);
}

TEST(BadInput, AConfigThatDoesNotFitSaysWhatWould) {
  Sandbox sandbox;
  expect_refused(sandbox, {{"run", "gemm", "--shape", "m=512,n=4096,k=4096", "--config",
                            "tile_m=256,tile_n=512"},
                           5,
                           {"L0C", "512 KiB", "128 KiB", "384 KiB too many", "would fit"}});
}

TEST(BadInput, AModelThatDoesNotFitSaysHowMuchIsMissing) {
  Sandbox sandbox;
  expect_refused(sandbox,
                 {{"replay", "llama-2-70b", "--workload", "chat", "--limit", "2"}, 5, {"GiB"}});
}

TEST(BadInput, NamesOfFilesAreNoCommandsForTheTerminal) {
  Sandbox sandbox;
  const std::string trace = "a\x1b[31m\rb.csv";
  sandbox.file(trace,
               "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,37,4\n");
  const std::string shown = "a?[31m?b.csv";
  for (const Arguments& tokens :
       {Arguments{"replay", "qwen2-7b", "--workload", trace},
        Arguments{"tune", "qwen2-7b", "--workload", trace, "--budget", "evaluations=1"},
        Arguments{"workload", "show", trace}, Arguments{"report", "1"}, Arguments{"report", "2"},
        Arguments{"diff", "1", "1"}, Arguments{"query", "runs"}}) {
    const Outcome outcome = sandbox.run(tokens);
    EXPECT_EQ(outcome.status, 0) << tokens[0] << ": " << outcome.err;
    EXPECT_EQ((outcome.out + outcome.err).find_first_of("\x1b\r"), std::string::npos)
        << tokens[0] << ": " << outcome.out;
  }
  EXPECT_NE(sandbox.run({"workload", "show", trace}).out.find(shown), std::string::npos);
}

TEST(BadInput, BrokenTraceLinesAreNamed) {
  Sandbox sandbox;
  const std::string header = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  const std::string row = "2023-11-16 18:15:46.6805900,374,44\n";
  struct Trace {
    std::string text;
    std::string place;
  };
  const Trace traces[] = {
      {header + row + "2023-11-16 18:15:47,three,44\n", "trace.csv:3"},
      {header + row + row + "2023-11-16 18:15:50,374\n", "trace.csv:4"},
      {header + "2023-11-16 18:15:47,0,44\n", "trace.csv:2"},
      {header, "trace.csv"},
      {"", "trace.csv"},
      {std::string("\x00\xff\xfe binary", 10), "trace.csv:1"},
      {"{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n{\"timestamp\":",
       "trace.csv:2"},
  };
  for (const Trace& trace : traces) {
    sandbox.file("trace.csv", trace.text);
    expect_refused(sandbox, {{"replay", "qwen2-7b", "--workload", "trace.csv"}, 1, {trace.place}});
  }
}

TEST(BadInput, DamagedConfigFilesAreNamedWithThePlace) {
  Sandbox sandbox;
  sandbox.file("tilewright.json", "{\n  \"machine\": oops\n}");
  expect_refused(sandbox, {{"machine", "list"}, 1, {"tilewright.json:2"}});
  sandbox.file("tilewright.json", R"({"machin": "ascend-910b2"})");
  expect_refused(sandbox, {{"machine", "list"}, 1, {"tilewright.json", "machine"}});
}

TEST(BadInput, MachineAndModelFilesAreParsedAsHostile) {
  Sandbox sandbox;
  const std::string deep(100'000, '[');
  for (const std::string& text : {std::string("{"), std::string("[]"), std::string("{}"), deep}) {
    const std::string path = sandbox.file("bad.json", text);
    expect_refused(sandbox, {{"machine", "show", path}, 1, {"bad.json"}});
    expect_refused(sandbox, {{"model", "show", path}, 1, {"bad.json"}});
  }
}

/// The database of someone else's application.
void make_foreign_database(const std::string& path) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)", nullptr, nullptr,
               nullptr);
  sqlite3_close(database);
}

TEST(BadInput, ForeignDatabasesAreRefusedAndUntouched) {
  Sandbox sandbox;
  make_foreign_database(sandbox.path("theirs.db"));
  sandbox.file("text.db", "not a database at all, just some words\n");
  for (const char* name : {"theirs.db", "text.db"}) {
    const std::string before = sandbox.read(name);
    const Arguments commands[] = {{"run", "gemm", "--shape", "m=1,n=1,k=1"},
                                  {"query", "runs"},
                                  {"db", "check"},
                                  {"db", "info"},
                                  {"export", "-o", "-"}};
    for (Arguments tokens : commands) {
      tokens.insert(tokens.end(), {"--db", name});
      expect_refused(sandbox, {tokens, 1, {name}});
    }
    EXPECT_EQ(sandbox.read(name), before);
  }
}

TEST(BadInput, DamagedDatabasesAreReported) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"tune", "gemm", "--shape", "m=256,n=256,k=256", "-q"}).status, 0);
  ASSERT_EQ(sandbox.run({"db", "vacuum"}).status, 0);
  std::string bytes = sandbox.read("results.db");
  ASSERT_GT(bytes.size(), 20'000u);
  for (size_t i = 8192; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  sandbox.file("results.db", bytes);
  const Outcome check = sandbox.run({"db", "check"});
  EXPECT_EQ(check.status, 4) << check.err;
  EXPECT_NE(check.out.find("damaged; restore a copy"), std::string::npos) << check.out;
  EXPECT_EQ((check.out + check.err).find("db check"), std::string::npos) << check.err;
  EXPECT_EQ(check.out.find("***"), std::string::npos) << check.out;
  const Outcome query = sandbox.run({"query", "winners"});
  EXPECT_EQ(query.status, 1);
  EXPECT_NE(query.err.find("damaged"), std::string::npos) << query.err;
}

TEST(BadInput, DamagedSchemasAreDamageForEveryCommand) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"tune", "gemm", "--shape", "m=256,n=256,k=256", "-q"}).status, 0);
  ASSERT_EQ(sandbox.run({"db", "vacuum"}).status, 0);
  const std::string whole = sandbox.read("results.db");
  for (const char* sql : {"DROP TABLE trial", "DROP VIEW trials", "PRAGMA user_version = 3"}) {
    sandbox.file("bad.db", whole);
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(sandbox.path("bad.db").c_str(), &connection), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sql;
    sqlite3_close(connection);
    const Outcome check = sandbox.run({"db", "check", "--db", "bad.db"});
    EXPECT_EQ(check.status, 4) << check.err;
    EXPECT_NE(check.out.find("bad.db: damaged; restore a copy"), std::string::npos) << check.out;
    const Arguments commands[] = {{"tune", "gemm", "--shape", "m=16,n=16,k=16"},
                                  {"query", "SELECT * FROM trials"},
                                  {"db", "info"},
                                  {"db", "vacuum"},
                                  {"export", "-o", "-"}};
    for (Arguments tokens : commands) {
      tokens.insert(tokens.end(), {"--db", "bad.db"});
      expect_refused(sandbox, {tokens, 1, {"bad.db", "damaged", "restore a copy"}});
    }
    expect_refused(sandbox, {{"db", "merge", "bad.db"}, 1, {"bad.db", "damaged"}});
  }
}

TEST(BadInput, EvaluatorsThatCannotBeStartedAreToldBeforeAnythingRuns) {
  Sandbox sandbox;
  sandbox.file("plain", "text");
  const auto with = [](const std::string& command) {
    return Arguments{"tune", "gemm", "--shape", "m=16,n=16,k=16", "--evaluator", command};
  };
  expect_refused(sandbox, {with("cmd ./plain"), 1, {"'./plain' is not executable"}});
  expect_refused(sandbox, {with("cmd ./absent"), 3, {"there is no program './absent'"}});
  expect_refused(sandbox, {with("cmd /"), 1, {"'/' is not executable"}});
}

TEST(BadInput, MergeNamesTheDamagedFile) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"tune", "gemm", "--shape", "m=256,n=256,k=256", "-q"}).status, 0);
  ASSERT_EQ(sandbox.run({"db", "vacuum"}).status, 0);
  const std::string whole = sandbox.read("results.db");
  for (const size_t first : {size_t{100}, size_t{8192}, whole.size() - 4096}) {
    std::string bytes = whole;
    for (size_t i = first; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
    sandbox.file("other.db", bytes);
    const Outcome merge = sandbox.run({"db", "merge", "other.db"});
    EXPECT_EQ(merge.status, 1) << first;
    EXPECT_NE(merge.err.find("database other.db: the file is damaged"), std::string::npos)
        << merge.err;
    EXPECT_EQ(sandbox.run({"db", "check", "--db", "other.db"}).status, 4) << first;
  }
  EXPECT_EQ(sandbox.run({"db", "check"}).status, 0);
}

TEST(BadInput, EmptyDatabasesAreCalledEmptyAndStayEmpty) {
  Sandbox sandbox;
  sandbox.file("results.db", "");
  expect_refused(sandbox, {{"db", "check"}, 4, {"results.db", "empty"}});
  expect_refused(sandbox, {{"db", "info"}, 1, {"results.db", "empty"}});
  EXPECT_EQ(sandbox.read("results.db"), "");
}

TEST(BadInput, MissingDatabasesAreNotFoundAndNotMade) {
  Sandbox sandbox;
  for (const Arguments& tokens : {Arguments{"query", "runs"}, Arguments{"db", "check"},
                                  Arguments{"db", "info"}, Arguments{"export", "-o", "p.json"}}) {
    expect_refused(sandbox, {tokens, 3, {"results.db"}});
  }
  EXPECT_FALSE(std::filesystem::exists(sandbox.path("results.db")));
}

TEST(BadInput, UnwritablePathsFailAndLeaveNothingBehind) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"tune", "gemm", "--shape", "m=64,n=64,k=64", "-q"}).status, 0);
  expect_refused(sandbox, {{"export", "-o", "nowhere/plan.json"}, 1, {"nowhere/plan.json"}});
  expect_refused(
      sandbox,
      {{"run", "gemm", "--shape", "m=64,n=64,k=64", "--trace", "no/t.json"}, 1, {"no/t.json"}});
  expect_refused(sandbox,
                 {{"run", "gemm", "--shape", "m=64,n=64,k=64", "--db", "no/r.db"}, 1, {"no/r.db"}});
  EXPECT_FALSE(std::filesystem::exists(sandbox.path("nowhere")));
}

TEST(BadInput, FullDisksAndLinksKeepWhatTheyAre) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"tune", "gemm", "--shape", "m=64,n=64,k=64", "-q"}).status, 0);
  std::filesystem::create_symlink("/dev/full", sandbox.path("full"));
  expect_refused(sandbox, {{"export", "-o", "full"}, 1, {"No space left"}});
  EXPECT_TRUE(std::filesystem::is_character_file(sandbox.path("full")));
  sandbox.file("real.json", "old");
  std::filesystem::create_symlink("real.json", sandbox.path("link.json"));
  EXPECT_EQ(sandbox.run({"export", "-o", "link.json", "-q"}).status, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(sandbox.path("link.json")));
  EXPECT_TRUE(nlohmann::json::accept(sandbox.read("real.json")));
}

TEST(BadInput, WrongQueriesAreUsageErrorsAndChangeNothing) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"run", "gemm", "--shape", "m=64,n=64,k=64"}).status, 0);
  expect_refused(sandbox, {{"query", "runz"}, 3, {"did you mean 'runs'"}});
  expect_refused(sandbox, {{"query", "SELEC 1"}, 2, {"syntax error"}});
  expect_refused(sandbox, {{"query", "SELECT 1; SELECT 2"}, 2, {"one SQL statement"}});
  EXPECT_NE(sandbox.run({"query", "DELETE FROM measurement"}).status, 0);
  EXPECT_EQ(sandbox.run({"query", "SELECT count(*) FROM measurements", "--csv"}).out,
            "count(*)\n1\n");
}

TEST(BadInput, MessagesHoldNoControlCharacters) {
  Sandbox sandbox;
  const std::string name = "x\x1b[31m\r\xc2\x9b.db";
  for (const Arguments& tokens :
       {Arguments{"query", "runs", "--db", name}, Arguments{"machine", "show", name},
        Arguments{"machine", "list", "--verbose", "--db", name}, Arguments{name}}) {
    const Outcome outcome = sandbox.run(tokens);
    for (const char* raw : {"\x1b", "\r", "\xc2\x9b"}) {
      EXPECT_EQ(outcome.err.find(raw), std::string::npos) << tokens[0];
    }
    EXPECT_NE(outcome.err.find("x?[31m?"), std::string::npos) << outcome.err;
  }
}

TEST(BadInput, HelpWorksWhateverTheSettingsAre) {
  Sandbox sandbox;
  sandbox.environment["TILEWRIGHT_JOBS"] = "abc";
  sandbox.file("tilewright.json", "{ broken");
  for (const Arguments& tokens : {Arguments{"help"}, Arguments{"help", "run"}}) {
    const Outcome outcome = sandbox.run(tokens);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("Usage"), std::string::npos);
  }
  EXPECT_NE(sandbox.run({"machine", "list"}).status, 0);
}

TEST(BadInput, NoOptionValueCrashesTheProgram) {
  Sandbox sandbox;
  const std::string values[] = {"",   "-",     "=",        ",",  "nan",  "inf",
                                "-1", "1e309", "\xff\xfe", "{}", "%s%n", std::string(10'000, 'x')};
  const Arguments options = {"--shape",  "--dtype",    "--layout",  "--epilogue",
                             "--config", "--fidelity", "--machine", "--seed",
                             "--jobs",   "--color",    "--values"};
  for (const std::string& option : options) {
    for (const std::string& value : values) {
      Arguments tokens = {"run", "gemm", "--json", option, value};
      if (option != "--shape") tokens.insert(tokens.end(), {"--shape", "m=16,n=16,k=16"});
      const Outcome outcome = sandbox.run(tokens);
      EXPECT_TRUE(outcome.status >= 0 && outcome.status <= 5)
          << option << " " << value << ": " << outcome.status;
    }
  }
}

}  // namespace
}  // namespace tilewright
