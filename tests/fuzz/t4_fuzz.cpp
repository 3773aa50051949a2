// Any file read as T4 gives a sound table, which can be written and read again, or an Error.

#include "tests/fuzz/result_file.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz_reader(text_of(data, size), "t4");
  return 0;
}
