#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/op_graph.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

/// What `tilewright fuse` plans: an HLO module, or a layer of a model.
struct FuseSource {
  std::string name;    ///< path of a module; a model's preset, config.json or folder
  int64_t tokens = 0;  ///< of a model's layer
  int64_t tp = 1;      ///< chips that share it
  std::string quantization = "none";

  bool is_model() const;
  bool operator==(const FuseSource&) const = default;
};

/// Reads it, and prepares it for planners.
OpGraph load_fuse_graph(const FuseSource& source);

/// --budget of the planner `tilewright`, as far as it was given.
struct FuseBudget {
  std::optional<int64_t> kernels;      ///< of a region, judged by the latency evaluator
  std::optional<int64_t> simulations;  ///< of a region; 0: the latency evaluator judges alone
  double seconds = 0;                  ///< of the graph; 0: no limit

  /// The options with this budget; seconds are none of them.
  PlanOptions applied(PlanOptions options) const;
};
/// "kernels=N,simulations=N,seconds=S". Error (usage).
FuseBudget parse_fuse_budget(std::string_view text);

/// Values of the command's options. Error (usage, not found) says what is allowed.
double parse_launch_us(std::string_view text, std::string_view what);  ///< "2us", or a number of us
bool parse_on_off(std::string_view text, std::string_view what);
std::vector<const FusionPlanner*> parse_planners(std::string_view names);  ///< "xla,tilewright"

}  // namespace tilewright
