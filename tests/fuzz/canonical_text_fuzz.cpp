// Any text read as a problem, a config, a data type, a status or a number gives a value or an
// Error. Canonical texts have one spelling: what was accepted is written as the same bytes.

#include "core/base/text.h"
#include "core/space/measurement.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = text_of(data, size);
  accepted([&] { TW_CHECK(parse_problem(text).text() == text, "a problem has one spelling"); });
  Config config;
  if (accepted([&] { config = parse_config(text); })) {
    TW_CHECK(parse_config(config.text()) == config, "a config survives writing and reading");
  }
  accepted([&] { parse_int(text, "number"); });
  accepted([&] { parse_number(text, "number"); });
  accepted([&] { TW_CHECK(name_of(parse_attempt_status(text)) == text, "a status is its name"); });
  accepted([&] {
    const std::string type(text);
    TW_CHECK(name_of(parse_dtype(type)) == type, "a type is its name");
  });
  return 0;
}
