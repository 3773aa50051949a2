// Any text as T1 is refused with a place or gives a space whose numbers can be followed, and what
// is written of it is read back as the same.

#include "core/space/empty_space.h"
#include "core/space/space_index.h"
#include "core/space/t1.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

namespace {

/// Products that are numbered within milliseconds, whatever the constraints.
constexpr int64_t kSmallProduct = 10'000;

void check_problem(const T1Problem& problem) {
  if (problem.space.product_size() > kSmallProduct) return;
  const SpaceIndex index(problem.space);
  TW_CHECK(why_empty(problem.space).empty() == (index.size() > 0), "what is empty has a reason");
  if (index.size() == 0) return;
  const Config config = index.config(index.size() - 1);
  TW_CHECK(problem.space.violation(config).empty(), "only legal configs have numbers");
  TW_CHECK(index.rank_of(config) == index.size() - 1, "a config has its number");
  TW_CHECK(problem.space.parse(problem.space.text(config)) == config, "texts round-trip");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  T1Problem problem;
  if (!accepted([&] { problem = read_t1(text_of(data, size), "t1"); })) return 0;
  accepted([&] { check_problem(problem); });
  std::string written;
  if (!accepted([&] { written = write_t1(problem); })) return 0;
  TW_CHECK(write_t1(read_t1(written, "again")) == written, "what is written is read back");
  return 0;
}
