#include "app/tui/session.h"

#include <gtest/gtest.h>

#include "tests/app/lab_fixture.h"

namespace tilewright {
namespace {

/// The session of one run, with a part of its text replaced.
std::string session_with(std::string_view part, std::string_view other) {
  State state = lab_state();
  run_made_up(state, 100'000);
  std::string text = session_text(state);
  const size_t runs = text.find("\"runs\"");
  const size_t found = text.find(part, runs);
  if (found == std::string::npos) ADD_FAILURE() << "no " << part << " in " << text;
  return text.replace(found, part.size(), other);
}

size_t runs_brought_back(const std::string& text) {
  State state = lab_state();
  Effects effects;
  restore_session(state, text, effects);
  const RestoreRunsJob* job = job_in<RestoreRunsJob>(effects);
  return job ? job->runs.size() : 0;
}

TEST(Session, BringsBackItsRuns) {
  EXPECT_EQ(runs_brought_back(session_with("", "")), 1u);
}

TEST(Session, LeavesRunsBehindThatTheirKernelDoesNotTake) {
  EXPECT_EQ(runs_brought_back(session_with("l0c_buffers=1", "l0c_buffers=35")), 0u);
  EXPECT_EQ(runs_brought_back(session_with("l0c_buffers=", "l0d_buffers=")), 0u);
  EXPECT_EQ(runs_brought_back(session_with("m=1000 ", "")), 0u);
  EXPECT_EQ(runs_brought_back(session_with("m=1000 ", "m=0 ")), 0u);
  EXPECT_EQ(runs_brought_back(session_with("m=1000 ", "m=99999999999 ")), 0u);
  EXPECT_EQ(runs_brought_back(session_with("gemm f16 f16 f16 nd nd nd", "gemm")), 0u);
}

}  // namespace
}  // namespace tilewright
