// Several processes on one database, and what becomes of it when one of them is not let.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "db/store.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

class ProcessesTest : public StoreTest {
 protected:
  /// A child process that ends with status 0 when the action does, and otherwise with 1.
  static pid_t start(const std::function<void()>& action) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    try {
      action();
    } catch (const Error& error) {
      const std::string line = error.message() + "\n";
      if (::write(2, line.data(), line.size()) < 0) ::_exit(2);
      ::_exit(1);
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }

  static bool succeeded(pid_t child) {
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  static void kill(pid_t child) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }

  /// Becomes somebody who may not write where root may.
  static void become_nobody() {
    if (::geteuid() != 0) return;
    constexpr uid_t kNobody = 65534;
    if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(3);
  }

  void make_folder_read_only() const { ::chmod(folder_.path().c_str(), 0555); }
  void TearDown() override { ::chmod(folder_.path().c_str(), 0755); }
};

TEST_F(ProcessesTest, WritersTakeTurnsAndLoseNothing) {
  { with_run(); }
  constexpr int kEach = 300;
  std::vector<pid_t> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.push_back(start([&, writer] {
      Store store = open();
      const int64_t run = store.begin_run(tuning_run());
      for (int i = 0; i < kEach; ++i) {
        const int m = i % 2 == 0 ? 1 + i : 1 + i * 10 + writer;  // half of it is measured thrice
        store.record(key(m), ok(m), run, 0, "d");
      }
    }));
  }
  for (const pid_t writer : writers) EXPECT_TRUE(succeeded(writer));
  Store store = open();
  EXPECT_TRUE(store.check().empty());
  for (int64_t run = 2; run <= 4; ++run) {
    EXPECT_EQ(store.trials(run).size(), static_cast<size_t>(kEach)) << run;
  }
}

TEST_F(ProcessesTest, OneFileIsMadeByManyAtOnce) {
  for (int round = 0; round < 4; ++round) {
    const std::string name = "round" + std::to_string(round) + ".db";
    std::vector<pid_t> makers;
    for (int maker = 0; maker < 6; ++maker) {
      makers.push_back(start([&, maker] {
        with_run(name).record(key(maker + 1), ok(1), 1, 0, "d");
        if (!Store::open(path(name), OpenMode::kReadOnly).find(key(maker + 1))) ::_exit(4);
      }));
    }
    for (const pid_t maker : makers) EXPECT_TRUE(succeeded(maker));
    Store store = open(name);
    EXPECT_TRUE(store.check().empty());
    EXPECT_EQ(store.info().rows.at(1).second, 6);  // runs
  }
}

TEST_F(ProcessesTest, ReadersNeitherFailNorFailAWriterUnderLoad) {
  { with_run(); }
  const pid_t writer = start([&] {
    for (int m = 1;; ++m) {
      // A connection that ends when it is the last takes the log away with it.
      Store store = open();
      for (int i = 0; i < 50; ++i) store.record(key(m * 100 + i), ok(m), 1, 0, "d");
    }
  });
  size_t seen = 0;
  for (int i = 0; i < 150; ++i) {
    Store reader = Store::open(path(), OpenMode::kReadOnly);
    const size_t now = reader.trials(1).size();
    EXPECT_GE(now, seen) << "what was committed stays";
    seen = now;
    if (i % 50 == 0) {
      EXPECT_TRUE(reader.check().empty());
    }
  }
  int status = 0;
  EXPECT_EQ(::waitpid(writer, &status, WNOHANG), 0) << "the writer goes on";
  kill(writer);
  EXPECT_GT(seen, 0u);
}

TEST_F(ProcessesTest, WhoWaitsInVainIsToldWhoHoldsTheDatabase) {
  if (::access("/proc/locks", R_OK) != 0) GTEST_SKIP() << "this system does not tell of locks";
  { with_run(); }
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t holder = start([&] {
    Store store = open();
    const Transaction transaction(store.database());
    if (::write(ready[1], "x", 1) != 1) ::_exit(5);
    ::pause();
  });
  char x = 0;
  ASSERT_EQ(::read(ready[0], &x, 1), 1);
  Store store = Store::open(path(), OpenMode::kReadWrite, 10);
  const Error error = error_of([&] { store.record(key(), ok(1), 1, 0, ""); });
  EXPECT_NE(error.message().find("process " + std::to_string(holder) + ", `"), std::string::npos)
      << error.message();
  EXPECT_NE(error.message().find("running for"), std::string::npos) << error.message();
  kill(holder);
  store.record(key(), ok(1), 1, 0, "");  // whoever was killed holds nothing
}

TEST_F(ProcessesTest, AWriterWaitsForAnotherToFinish) {
  { with_run(); }
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t holder = start([&] {
    Store store = open();
    Transaction transaction(store.database());
    if (::write(ready[1], "x", 1) != 1) ::_exit(5);
    ::usleep(100'000);
    transaction.commit();
  });
  char x = 0;
  ASSERT_EQ(::read(ready[0], &x, 1), 1);
  with_run().record(key(), ok(1), 1, 0, "");
  EXPECT_TRUE(succeeded(holder));
}

TEST_F(ProcessesTest, ADatabaseAtRestIsReadInAReadOnlyFolder) {
  { with_run().record(key(), ok(1), 1, 0, "d"); }
  make_folder_read_only();
  EXPECT_TRUE(succeeded(start([&] {
    become_nobody();
    Store store = Store::open(path(), OpenMode::kReadOnly);
    EXPECT_TRUE(store.find(key()).has_value());
    EXPECT_TRUE(store.check().empty());
    const Error error = error_of([&] { open().record(key(2), ok(1), 1, 0, "d"); });
    EXPECT_NE(error.message().find("read-only"), std::string::npos) << error.message();
  })));
}

TEST_F(ProcessesTest, WhatAKilledWriterLeftIsReadInAReadOnlyFolder) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t writer = start([&] {
    Store store = with_run();
    for (int m = 1; m <= 20; ++m) store.record(key(m), ok(m), 1, 0, "d");
    if (::write(ready[1], "x", 1) != 1) ::_exit(5);
    ::pause();
  });
  char x = 0;
  ASSERT_EQ(::read(ready[0], &x, 1), 1);
  kill(writer);
  ASSERT_EQ(::access((path() + "-wal").c_str(), F_OK), 0);
  make_folder_read_only();
  EXPECT_TRUE(succeeded(start([&] {
    become_nobody();
    Store store = Store::open(path(), OpenMode::kReadOnly);
    for (int m = 1; m <= 20; ++m) EXPECT_TRUE(store.find(key(m)).has_value()) << m;
  })));
}

TEST_F(ProcessesTest, AFileThatMayNotGrowKeepsWhatWasRecorded) {
  int recorded[2];
  ASSERT_EQ(::pipe(recorded), 0);
  const pid_t writer = start([&] {
    ::signal(SIGXFSZ, SIG_IGN);  // as the program does
    Store store = with_run();
    const rlimit limit{400'000, 400'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int m = 0;
    const Error error = error_of([&] {
      for (;; ++m) store.record(key(m + 1), ok(1), 1, 0, "d");
    });
    EXPECT_NE(error.message().find("everything recorded before is kept"), std::string::npos)
        << error.message();
    if (::write(recorded[1], &m, sizeof m) != sizeof m) ::_exit(5);
  });
  int count = 0;
  ASSERT_EQ(::read(recorded[0], &count, sizeof count), static_cast<ssize_t>(sizeof count));
  EXPECT_TRUE(succeeded(writer));
  EXPECT_GT(count, 3);
  Store store = open();
  EXPECT_TRUE(store.check().empty());
  EXPECT_EQ(store.trials(1).size(), static_cast<size_t>(count));
  store.record(key(count + 1), ok(1), 1, 0, "d");
}

}  // namespace
}  // namespace tilewright
