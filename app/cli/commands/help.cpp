// `tilewright help`.

#include "app/cli/help.h"

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"

namespace tilewright {

int run_help(Context& context) {
  const std::vector<std::string>& names = context.arguments().positionals();
  const Stream& out = context.console().out();
  context.print(names.empty() ? program_help(out) : command_help(find_command(names[0]), out));
  return kExitOk;
}

}  // namespace tilewright
