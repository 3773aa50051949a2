// Tunings under mpirun: the real binary on several processes, one of them killed.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/app/program.h"
#include "tuner/session/mpi_link.h"

namespace tilewright {
namespace {

using Arguments = std::vector<std::string>;

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class ClusterTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_mpi()) GTEST_SKIP() << "built without MPI";
    if (std::system("mpirun --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "mpirun is missing";
    sandbox_.environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
    sandbox_.environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
    sandbox_.environment["TMPDIR"] = "/tmp";  // Open MPI's sockets need a short path
  }

  void launch_with(const Arguments& more) {
    sandbox_.launcher = Arguments{"mpirun", "--oversubscribe"} + more;
  }

  /// Rows that may not depend on where they were made.
  std::string rows(const std::string& db) {
    sandbox_.launcher = {};
    return sandbox_
        .run({"query",
              "select problem, config, status, time_us, reason, counters from measurements "
              "order by id",
              "--csv", "--db", db})
        .out;
  }

  Sandbox sandbox_;
  const Arguments simulated_ = {"tune",     "gemm",           "--shape",    "m=256,n=256,k=512",
                                "--budget", "evaluations=40", "--strategy", "random",
                                "--json"};
};

TEST_F(ClusterTest, SlowRowsAndOutputAreThoseOfThreads) {
  const Outcome threads = sandbox_.run(simulated_ + Arguments{"--db", "threads.db"});
  ASSERT_EQ(threads.status, 0) << threads.err;
  for (const char* processes : {"1", "2", "4"}) {
    launch_with({"-n", processes});
    const std::string db = fmt::format("mpi{}.db", processes);
    const Outcome outcome = sandbox_.run(simulated_ + Arguments{"--db", db});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(without_wall_times(outcome.out), without_wall_times(threads.out));
    EXPECT_EQ(rows(db), rows("threads.db"));
  }
}

TEST_F(ClusterTest, SlowKilledWorkerLosesNothing) {
  // Each evaluation leaves the number of its worker, which is the parent of its process.
  sandbox_.file("time.sh", "echo $PPID >> pids\nsleep 0.03\necho $((100 + $1 % 7 + $2 % 5))\n");
  const Arguments command = {"tune",          "gemm",
                             "--shape",       "m=256,n=256,k=512",
                             "--budget",      "evaluations=40",
                             "--strategy",    "random",
                             "--repetitions", "1",
                             "--evaluator",   "cmd /bin/sh time.sh {tile_m} {tile_k}",
                             "--json"};
  ASSERT_EQ(sandbox_.run(command + Arguments{"--db", "threads.db"}).status, 0);
  std::filesystem::remove(sandbox_.path("pids"));

  launch_with({"--enable-recovery", "-n", "4"});
  const pid_t process = sandbox_.start(command + Arguments{"--db", "killed.db"});
  pid_t worker = 0;
  while (worker == 0) {
    std::istringstream pids(std::filesystem::exists(sandbox_.path("pids")) ? sandbox_.read("pids")
                                                                           : "");
    std::vector<pid_t> seen;
    for (pid_t pid = 0; pids >> pid;) seen.push_back(pid);
    if (seen.size() >= 12) worker = seen.back();
    std::this_thread::yield();
  }
  ASSERT_EQ(::kill(worker, SIGKILL), 0);
  const Outcome outcome = sandbox_.wait(process);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("is gone; others evaluate what it had"), std::string::npos)
      << outcome.err;
  EXPECT_EQ(rows("killed.db"), rows("threads.db"));
}

TEST_F(ClusterTest, SlowUsageErrorEndsAllProcesses) {
  launch_with({"-n", "3"});
  const Outcome outcome = sandbox_.run({"tune", "gemn", "--shape", "m=1,n=1,k=1"});
  EXPECT_EQ(outcome.status, 3);
  const size_t first = outcome.err.find("did you mean 'gemm'");
  EXPECT_NE(first, std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("did you mean 'gemm'", first + 1), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace tilewright
