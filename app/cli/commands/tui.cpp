// `tilewright tui`: the workbench.

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/tui/workbench.h"
#include "core/base/error.h"

namespace tilewright {

namespace {

/// Whether this process may write the file and beside it, as a database needs.
bool may_write(const std::string& path) {
  std::error_code none;
  const std::filesystem::path file = std::filesystem::absolute(path, none);
  const auto may = [](const std::filesystem::path& what) {
    return ::faccessat(AT_FDCWD, what.c_str(), W_OK, AT_EACCESS) == 0;
  };
  return may(file) && may(file.parent_path());
}

/// Makes the database; where it is there and must not be written, why. Error for one that cannot be
/// read either, or that is in use.
std::string obstacle_to_keeping(const Context& context) {
  try {
    context.open_store();
    return "";
  } catch (const Error& error) {
    if (may_write(context.globals().db)) throw;
    try {
      context.open_existing_store(OpenMode::kReadOnly);
    } catch (const Error&) {
      throw error;  // of this one the remedy is to be read
    }
    return error.message();
  }
}

}  // namespace

int run_tui(Context& context) {
  const Arguments& arguments = context.arguments();
  const Globals& globals = context.globals();
  WorkbenchOptions options;
  options.not_kept = obstacle_to_keeping(context);
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
