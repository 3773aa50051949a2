// `tilewright tui`: the workbench.

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/tui/workbench.h"

namespace tilewright {

int run_tui(Context& context) {
  const Arguments& arguments = context.arguments();
  const Globals& globals = context.globals();
  WorkbenchOptions options;
  context.open_store();  // makes it, or says now what would be lost later
  options.db = globals.db;
  options.machine =
      std::make_shared<const NamedMachine>(NamedMachine{globals.machine, context.machine()});
  options.has_color = globals.color_out;
  options.color_depth = arguments.text("colors");
  options.glyphs = arguments.text("glyphs");
  options.theme = arguments.text("theme");
  options.mouse = !arguments.has("no-mouse");
  options.frames_per_second = static_cast<int>(arguments.integer("fps", 1, 60));
  return run_workbench(options);
}

}  // namespace tilewright
