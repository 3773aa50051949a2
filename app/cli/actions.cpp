#include "app/cli/actions.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

int run_action(Context& context, const std::string& command, std::span<const Action> actions) {
  const std::vector<std::string>& given = context.arguments().positionals();
  const std::span<const std::string> names = std::span(given).subspan(1);
  std::vector<std::string> known;
  for (const Action& action : actions) {
    known.push_back(action.name);
    if (action.name != given[0]) continue;
    if (names.size() >= action.min_names && names.size() <= action.max_names) {
      return action.run(context, names);
    }
    const std::string count = action.min_names == action.max_names
                                  ? fmt::format("{}", action.min_names)
                                  : fmt::format("{} to {}", action.min_names, action.max_names);
    throw Error(ErrorKind::kUsage,
                fmt::format("{0} {1} takes {2} name{3}, got {4}; see `tilewright help {0}`",
                            command, action.name, count, count == "1" ? "" : "s", names.size()));
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("{} has no action '{}'{} (actions: {})", command, printable(given[0]),
                          did_you_mean(given[0], known), join(known, ", ")));
}

}  // namespace tilewright
