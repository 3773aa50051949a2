// What happens to a tuning session from outside: killed, without room, in company.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>

#include "db/store.h"
#include "tests/app/program.h"

namespace tilewright {
namespace {

const std::vector<std::string> kTune = {
    "tune",   "gemm",   "--shape", "m=32,n=64,k=64", "--within",        "0",      "--strategy",
    "random", "--seed", "5",       "--budget",       "evaluations=150", "--quiet"};

using Results = std::map<std::string, std::pair<AttemptStatus, double>>;

/// Everything that the tuning runs of a database measured, by config.
Results results_of(Store& store) {
  Results results;
  const auto last = store.latest_run(RunKind::kTune);
  for (int64_t run = 1; last && run <= last->id; ++run) {
    for (const StoredTrial& trial : store.trials(run)) {
      results[trial.key.config] = {trial.measurement.status, trial.measurement.time_us};
    }
  }
  return results;
}

/// The winner of the last run: config and time.
std::pair<std::string, double> winner_of(const std::string& path) {
  Store store = Store::open(path, OpenMode::kReadOnly);
  const auto run = store.latest_run(RunKind::kTune);
  if (!run) return {};
  const std::vector<Winner> winners = store.load_winners(run->id);
  if (winners.size() != 1) return {};
  return {winners[0].config, winners[0].time_us};
}

class KilledSessionTest : public testing::Test {
 protected:
  void SetUp() override {
    sandbox.environment["TILEWRIGHT_DB"] = sandbox.path("reference.db");
    const auto begin = std::chrono::steady_clock::now();
    const Outcome outcome = sandbox.run(kTune);
    duration_us =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    winner = winner_of(sandbox.path("reference.db"));
    Store store = Store::open(sandbox.path("reference.db"), OpenMode::kReadOnly);
    expected = results_of(store);
    ASSERT_GT(expected.size(), 100u);
    ASSERT_GT(winner.second, 0);
  }

  /// Works on a database of that name from now on; returns its path.
  std::string use(const std::string& name) {
    sandbox.environment["TILEWRIGHT_DB"] = sandbox.path(name);
    return sandbox.path(name);
  }

  /// Runs the session in a process that was prepared; status 98 when it could not be.
  Outcome run_under(const std::function<bool()>& prepare) {
    const pid_t process = ::fork();
    if (process == 0) {
      const int file = ::open(sandbox.path(".err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
      ::dup2(file, 1);
      ::dup2(file, 2);
      if (!prepare()) ::_exit(98);
      sandbox.become_program(kTune);
    }
    sandbox.stdout_path = "/dev/null";
    const Outcome outcome = sandbox.wait(process);
    sandbox.stdout_path.clear();
    return outcome;
  }

  Sandbox sandbox;
  double duration_us = 0;  ///< of a session that nobody disturbs
  std::pair<std::string, double> winner;
  Results expected;
};

TEST_F(KilledSessionTest, SlowAnyMomentOfDeathKeepsWhatWasCommittedAndLeadsToTheSameWinner) {
  std::mt19937_64 random(11);
  int kills = 0;
  int killed_with_results = 0;
  for (int session = 0; kills < 200; ++session) {
    const std::string path = use("killed" + std::to_string(session) + ".db");
    size_t before = 0;
    for (bool completed = false; !completed && kills < 200;) {
      const pid_t process = sandbox.start(kTune);
      ::usleep(static_cast<useconds_t>(static_cast<double>(random() % 1000) / 1000 * duration_us));
      ::kill(process, SIGKILL);
      completed = sandbox.wait(process).status == 0;
      if (completed) continue;
      ++kills;
      std::error_code none;
      if (std::filesystem::file_size(path, none) == 0 || none) continue;
      Store store = Store::open(path, OpenMode::kReadWrite);
      ASSERT_TRUE(store.check().empty()) << store.check()[0];
      const Results results = results_of(store);
      ASSERT_GE(results.size(), before) << "what was there stays";
      before = results.size();
      killed_with_results += results.empty() ? 0 : 1;
      for (const auto& [config, result] : results) {
        ASSERT_TRUE(expected.contains(config)) << config;
        ASSERT_EQ(result, expected.at(config)) << config;
      }
    }
    const Outcome outcome = sandbox.run(kTune);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(winner_of(path), winner);
    EXPECT_EQ(sandbox.run({"db", "check"}).status, 0);
    std::filesystem::remove(path);
  }
  EXPECT_GT(killed_with_results, 20) << "most moments are those before and in the search";
}

TEST_F(KilledSessionTest, AFullDiskEndsASessionThatIsResumedWhenThereIsRoom) {
  const std::string path = use("full.db");
  const Outcome full = run_under([] {
    const rlimit limit{300'000, 300'000};
    return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
  });
  EXPECT_EQ(full.status, 1) << full.err;
  EXPECT_NE(full.err.find("everything recorded before is kept"), std::string::npos) << full.err;
  {
    Store store = Store::open(path, OpenMode::kReadOnly);
    EXPECT_TRUE(store.check().empty());
    EXPECT_LT(results_of(store).size(), expected.size());
  }
  EXPECT_EQ(sandbox.run(kTune).status, 0);
  EXPECT_EQ(winner_of(path), winner);
}

TEST_F(KilledSessionTest, TwoSessionsOnOneDatabaseBothFinishWithTheSameWinner) {
  const std::string path = use("shared.db");
  const pid_t first = sandbox.start(kTune);
  const pid_t second = sandbox.start(kTune);
  EXPECT_EQ(sandbox.wait(first).status, 0);
  const Outcome outcome = sandbox.wait(second);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  Store store = Store::open(path, OpenMode::kReadOnly);
  EXPECT_TRUE(store.check().empty());
  EXPECT_EQ(results_of(store), expected);
  for (const int64_t run : {1, 2}) {
    const std::vector<Winner> winners = store.load_winners(run);
    ASSERT_EQ(winners.size(), 1u) << run;
    EXPECT_EQ(winners[0].config, winner.first);
  }
}

TEST_F(KilledSessionTest, QuestionsAreAnsweredWhileASessionRuns) {
  const std::string path = use("busy.db");
  EXPECT_EQ(sandbox.run(kTune).status, 0);
  const pid_t process = sandbox.start({"tune", "gemm", "--shape", "m=64,n=64,k=64", "--strategy",
                                       "random", "--budget", "evaluations=400", "--quiet"});
  Sandbox reader;
  reader.environment["TILEWRIGHT_DB"] = path;
  for (int i = 0; i < 5; ++i) {
    const Outcome best = reader.run({"query", "best", "--csv"});
    EXPECT_EQ(best.status, 0) << best.err;
    EXPECT_EQ(reader.run({"db", "check"}).status, 0);
  }
  const Outcome outcome = sandbox.wait(process);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
}

TEST_F(KilledSessionTest, AReadOnlyDatabaseIsASentence) {
  const std::string path = use("read_only.db");
  std::filesystem::copy_file(sandbox.path("reference.db"), path);
  const std::string before = sandbox.read("read_only.db");
  const std::string folder = std::filesystem::path(path).parent_path();
  ::chmod(folder.c_str(), 0555);
  const Outcome outcome = run_under([] {
    constexpr uid_t kNobody = 65534;  // root may write everywhere
    return ::geteuid() != 0 || (::setgid(kNobody) == 0 && ::setuid(kNobody) == 0);
  });
  ::chmod(folder.c_str(), 0755);
  if (outcome.status == 99) GTEST_SKIP() << "nobody may not run the program here";
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("read-only"), std::string::npos) << outcome.err;
  EXPECT_TRUE(sandbox.read("read_only.db") == before);
}

}  // namespace
}  // namespace tilewright
