// `tilewright tui`: the workbench.

#include <cstdlib>

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
  options.globals = globals;
  options.machine =
      std::make_shared<const NamedMachine>(NamedMachine{globals.machine, context.machine()});
  options.has_color = globals.color_out;
  options.most_colors = parse_color_depth(arguments.text("colors"));
  if (arguments.has("glyphs")) options.glyphs = parse_glyph_set(arguments.text("glyphs"));
  if (arguments.has("theme")) options.theme = parse_theme(arguments.text("theme"));
  if (arguments.has("no-mouse")) options.mouse = false;
  options.session = arguments.text("session");
  options.is_fresh = arguments.has("fresh");
  options.machine_is_given = globals.settings.at("machine").source != "built-in";
  options.frames_per_second = static_cast<int>(arguments.integer("fps", 1, 60));
  const WorkbenchEnd end = run_workbench(options);
  if (!end.warning.empty()) context.warn(end.warning);
  if (end.is_busy) std::_Exit(end.status);
  return end.status;
}

}  // namespace tilewright
