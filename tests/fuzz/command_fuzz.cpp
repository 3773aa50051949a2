// Any text is a command template or refused, and a template without placeholders gives as many
// words whatever the config. Any bytes that a command prints are times, a failure or an Error;
// times are finite and above 0. Any bytes from another process are a message, which survives
// encoding, or an Error.

#include <cmath>

#include "tests/fuzz/fuzz.h"
#include "tuner/evaluate/command_output.h"
#include "tuner/evaluate/command_template.h"
#include "tuner/session/evaluation_messages.h"

using namespace tilewright;

namespace {

void fuzz_template(std::string_view text) {
  static const Problem problem =
      parse_problem("gemm f16 f16 f16 nd nz nd m=512 n=4096 k=64 epilogue=none");
  accepted([&] {
    const CommandTemplate command(text);
    const auto words = command.words(problem, parse_config("tile_m=1"));
    TW_CHECK(!words.empty(), "a command has a program");
    TW_CHECK(words.size() == command.words(problem, parse_config("tile_m=99")).size(),
             "a value never splits a word");
  });
}

void fuzz_output(std::string_view text) {
  CommandOutput output;
  if (!accepted([&] { output = read_command_output(text); })) return;
  TW_CHECK((output.status == AttemptStatus::kOk) == !output.times_us.empty(), "times when ok");
  for (const double time_us : output.times_us) {
    TW_CHECK(std::isfinite(time_us) && time_us > 0, "a time is one");
  }
}

void fuzz_message(std::string_view bytes) {
  EvaluationMessage message;
  if (!accepted([&] { message = decode_evaluation_message(bytes); })) return;
  const std::string text = encode(message);
  TW_CHECK(encode(decode_evaluation_message(text)) == text, "a message survives encoding");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = text_of(data, size);
  fuzz_template(text);
  fuzz_output(text);
  fuzz_message(text);
  return 0;
}
