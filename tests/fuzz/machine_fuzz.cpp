// Any text read as a machine file gives a machine or an Error. A machine that was accepted is
// written as canonical text that reads back as the same machine.

#include "core/machine/machine.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const bool calibrated : {true, false}) {
    Machine machine;
    if (!accepted([&] { machine = parse_machine(text_of(data, size), "m.json", calibrated); })) {
      continue;
    }
    const std::string text = machine_json(machine);
    const Machine again = parse_machine(text, "canonical", calibrated);
    TW_CHECK(again.fingerprint() == machine.fingerprint(), "canonical text keeps the fingerprint");
    TW_CHECK(machine_json(again) == text, "canonical text is a fixed point");
  }
  return 0;
}
