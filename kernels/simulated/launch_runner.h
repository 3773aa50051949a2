#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/serving/executor.h"
#include "core/space/problem.h"
#include "simulator/functional.h"
#include "simulator/launch.h"

namespace tilewright {

/// A matrix in the device's memory. Row-major ones have no gaps, so that the same bytes are a row a
/// token to one launch and a row a head to the next.
using GmBytes = std::vector<uint8_t>;

/// A launch that runs again and again on other data.
struct ReadyLaunch {
  Launch launch;
  int64_t ns = 0;  ///< simulated, once; 0 where times are not wanted
  /// What a run leaves in tensors that nobody gave (workspaces) stays until the next.
  GmImage image;
};

/// A tensor of a launch and the memory that it is in.
struct Operand {
  int tensor = 0;
  GmBytes* bytes = nullptr;
};

/// Runs launches functionally and adds their simulated times up by op.
class LaunchRunner {
 public:
  LaunchRunner(const Machine& machine, bool timed) : machine_(machine), timed_(timed) {}

  /// The launch of a problem as `build` makes it, built and timed once.
  ReadyLaunch& ready(const Problem& problem, const std::function<Launch()>& build);
  /// A launch of its own. `memory` may be the image of one that is no longer needed: it serves for
  /// the workspaces, with whatever they held.
  ReadyLaunch prepare(Launch launch, GmImage memory = {}) const;

  /// Runs on the operands' memory, which must be all that the launch reads and does not write
  /// itself. A row-major tensor has as many rows as its memory holds: at least those that the
  /// launch uses.
  void run(const std::string& op, ReadyLaunch& ready, std::initializer_list<Operand> operands);

  /// Times since the last call, by op in order of first appearance.
  std::vector<OpTime> take_times();

 private:
  Machine machine_;
  bool timed_;
  std::map<std::string, ReadyLaunch> launches_;  // by problem
  std::vector<OpTime> times_;
};

}  // namespace tilewright
