// Any file read as a cache of Kernel Tuner, packed or not, gives a sound table or an Error.

#include "tests/fuzz/result_file.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz_reader(text_of(data, size), "kernel-tuner");
  return 0;
}
