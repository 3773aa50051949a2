// Any text read as a table of rules gives rules or an Error, and patterns end on any text.

#include "tests/fuzz/fuzz.h"
#include "tuner/calibrate/row_rules.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = text_of(data, size);
  accepted([&] { parse_row_rules(text, "rules.json"); });
  const size_t half = text.size() / 2;
  fits_pattern(text.substr(0, half), text.substr(half));
  find_numbers(text.substr(0, half), text.substr(half));
  return 0;
}
