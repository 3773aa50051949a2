#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <sstream>

#include "core/base/file.h"
#include "kernels/kernel.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

// The panel: launches and times of every kernel's default config on fixed problems. A line holds
// kernel, its revision, the timing revision, the launch's hash and its ticks. When a launch or a
// time changes, measurements in users' databases are out of date, so the revision must have been
// raised; then TW_UPDATE_GOLDEN=1 rewrites the file (and fails, so that the difference is looked
// at).

const char* const kPath = TILEWRIGHT_SOURCE_DIR "/tests/golden/panel.txt";

std::vector<Problem> problems_of(const Kernel& kernel) {
  std::vector<Problem> problems;
  for (int64_t scale : {1, 3}) {
    ProblemRequest request;
    for (const SizeInfo& size : kernel.sizes()) {
      const std::map<std::string, int64_t> sizes = {{"m", 100 * scale},
                                                    {"n", 528 * scale},
                                                    {"k", 272 * scale},
                                                    {"rows", 40 * scale},
                                                    {"cols", 1024 * scale},
                                                    {"vocab", 500},
                                                    {"heads", 8 * scale},
                                                    {"kv_heads", scale},
                                                    {"dim", 64},
                                                    {"sequences", scale},
                                                    {"tokens", 20},
                                                    {"context", 150 * scale},
                                                    {"block", 64},
                                                    {"reads", 2},
                                                    {"writes", scale},
                                                    {"experts", 40 * scale},
                                                    {"skew", 50},
                                                    {"normalised", 1},
                                                    {"ranks", 2 * scale},
                                                    {"elements", 70000 * scale},
                                                    {"decodes", scale},
                                                    {"decode_context", 90},
                                                    {"verifies", scale},
                                                    {"drafts", 3},
                                                    {"verify_context", 70},
                                                    {"v_dim", 0}};
      // k is the depth of a product, or a few of many.
      const bool few = size.name == "k" && size.fallback;
      if (few) request.sizes[size.name] = 4 * scale;
      const auto known = sizes.find(size.name);
      if (!few && (known != sizes.end() || !size.fallback))
        request.sizes[size.name] = known->second;
    }
    // It computes one stage a launch.
    if (kernel.name() == "attention_library") {
      for (const char* size :
           {"decodes", "decode_context", "verifies", "drafts", "verify_context"}) {
        request.sizes[size] = 0;
      }
    }
    problems.push_back(kernel.problem(request));
  }
  return problems;
}

struct Line {
  int kernel_revision = 0;
  int timing_revision = 0;
  std::string hash;
  int64_t ticks = 0;
};

std::map<std::string, Line> measure() {
  const Machine machine = load_machine("ascend-910b2");
  std::map<std::string, Line> lines;
  for (const Kernel* kernel : all_kernels()) {
    for (const Problem& problem : problems_of(*kernel)) {
      const Launch launch =
          kernel->build(problem, kernel->default_config(problem, machine), machine);
      lines[problem.text()] = {kernel->revision(), kTimingRevision,
                               fmt::format("{:016x}", hash_of(launch)),
                               time_detailed(launch, machine).ticks};
    }
  }
  return lines;
}

std::string text_of(const std::map<std::string, Line>& lines) {
  std::string text;
  for (const auto& [problem, line] : lines) {
    text += fmt::format("{} {} {} {} | {}\n", line.kernel_revision, line.timing_revision, line.hash,
                        line.ticks, problem);
  }
  return text;
}

std::map<std::string, Line> read_panel() {
  std::map<std::string, Line> lines;
  std::istringstream text(read_file(kPath));
  for (std::string row; std::getline(text, row);) {
    Line line;
    std::istringstream fields(row);
    fields >> line.kernel_revision >> line.timing_revision >> line.hash >> line.ticks;
    lines[row.substr(row.find('|') + 2)] = line;
  }
  return lines;
}

TEST(Panel, LaunchesAndTimesChangeOnlyWithTheirRevisions) {
  const std::map<std::string, Line> now = measure();
  if (std::getenv("TW_UPDATE_GOLDEN")) {
    write_file(kPath, text_of(now));
    FAIL() << kPath << " rewritten; look at the difference";
  }
  const std::map<std::string, Line> before = read_panel();
  for (const auto& [problem, line] : now) {
    const auto known = before.find(problem);
    ASSERT_NE(known, before.end()) << problem << " is new: update the panel";
    const Line& old = known->second;
    const bool kernel_raised = line.kernel_revision > old.kernel_revision;
    const bool timing_raised = line.timing_revision > old.timing_revision;
    EXPECT_TRUE(line.hash == old.hash || kernel_raised)
        << problem << ": the launch changed, its kernel's revision() did not";
    EXPECT_TRUE(line.ticks == old.ticks || kernel_raised || timing_raised)
        << problem << ": the time changed, neither revision() nor kTimingRevision did";
    EXPECT_FALSE(kernel_raised || timing_raised)
        << problem << ": revision raised: update the panel";
  }
  EXPECT_EQ(now.size(), before.size());
}

}  // namespace
}  // namespace tilewright
