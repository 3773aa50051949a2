#include "app/cli/commands/commands.h"

namespace tilewright {

int run_calibrate(Context&) {
  return 0;
}

}  // namespace tilewright
