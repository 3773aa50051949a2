// Any text kept as a session comes back or gives an Error, and the screen can be drawn after it.

#include "app/tui/screen.h"
#include "app/tui/session.h"
#include "tests/app/tui_fixture.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const State begin = test_state();
  State state = begin;
  Effects effects;
  const bool is_restored = accepted([&] { restore_session(state, text_of(data, size), effects); });
  TW_CHECK(is_restored || effects.empty(), "a session that is refused asks for nothing");
  const Grid grid = draw(state);
  TW_CHECK(grid.width() == state.width && grid.height() == state.height, "the screen is whole");
  return 0;
}
