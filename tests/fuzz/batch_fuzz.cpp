// Any text read as a batch gives jobs or an Error; jobs have names of their own and a target.

#include <set>

#include "app/cli/batch_file.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<BatchJob> jobs;
  if (!accepted([&] { jobs = read_batch(text_of(data, size), "batch.json"); })) return 0;
  TW_CHECK(!jobs.empty(), "a batch has jobs");
  std::set<std::string> names;
  for (const BatchJob& job : jobs) {
    TW_CHECK(names.insert(job.name).second, "names are unique");
    TW_CHECK(!job.tokens.empty() && !job.tokens.front().starts_with('-'), "a target comes first");
  }
  return 0;
}
