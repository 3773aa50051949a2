// Rows know their processes again.

#include "db/run_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/base/json.h"

namespace tilewright {
namespace {

/// What this process says of itself, but for one value.
std::string changed(const char* key, const Json& value) {
  Json json = Json::parse(this_process());
  json["process"][key] = value;
  return json.dump();
}

TEST(RunProcess, LivesUntilItEnds) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text = this_process();
    ::_exit(::write(pipe[1], text.data(), text.size()) > 0 ? (::pause(), 0) : 1);
  }
  char buffer[1024];
  const ssize_t size = ::read(pipe[0], buffer, sizeof(buffer));
  ASSERT_GT(size, 0);
  const std::string text(buffer, static_cast<size_t>(size));
  EXPECT_EQ(state_of_process(text).pid, child);
  EXPECT_TRUE(state_of_process(text).is_alive);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(state_of_process(text).is_alive);
  EXPECT_TRUE(state_of_process(text).is_gone);
}

TEST(RunProcess, ANumberThatCameAgainIsAnotherProcess) {
  EXPECT_TRUE(state_of_process(this_process()).is_alive);
  EXPECT_TRUE(state_of_process(changed("start", 1)).is_gone);
  EXPECT_TRUE(state_of_process(changed("boot", "another")).is_gone);
}

TEST(RunProcess, NothingIsKnownOfProcessesElsewhereAndOfOtherTexts) {
  for (const std::string& text :
       {changed("host", "another"), changed("numbers", "pid:[1]"), changed("pid", "x"),
        changed("boot", 5), std::string(), std::string("{}"), std::string("{\"process\": 3}"),
        std::string("{\"gain\": 2}"), std::string("\xff{")}) {
    EXPECT_FALSE(state_of_process(text).is_alive) << text;
    EXPECT_FALSE(state_of_process(text).is_gone) << text;
  }
}

}  // namespace
}  // namespace tilewright
