// Any file read as an op_summary of msprof gives sound tables or an Error.

#include "tests/fuzz/result_file.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz_reader(text_of(data, size), "op-summary");
  return 0;
}
