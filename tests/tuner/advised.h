#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "kernels/kernel.h"
#include "simulator/profile.h"
#include "simulator/roofline.h"
#include "tuner/advice/advice.h"

namespace tilewright {

/// A kernel with sizes and a partial config, as a command line gives them.
struct AdvisedRequest {
  std::string kernel;
  std::map<std::string, int64_t> sizes;
  std::string config = "";
  std::string layout = "";
  std::string dtype = "";

  Problem problem() const {
    ProblemRequest request;
    request.sizes = sizes;
    request.layout = layout;
    request.dtype = dtype;
    return find_kernel(kernel).problem(request);
  }
  std::string text() const { return fmt::format("{} with {}", problem().text(), config); }
};

/// A run in detail with the advice on it.
struct Advised {
  Machine machine;
  Problem problem;
  Config config;
  double us = 0;
  std::vector<Advice> list;

  const Advice* find(std::string_view rule) const {
    const auto found =
        std::ranges::find_if(list, [&](const Advice& advice) { return advice.rule == rule; });
    return found == list.end() ? nullptr : &*found;
  }
  /// Whether the rule spoke, by itself or beside one that asks for the same change.
  bool has(std::string_view rule) const {
    return find(rule) != nullptr || std::ranges::any_of(list, [&](const Advice& advice) {
             return std::ranges::any_of(advice.also, [&](const std::string& also) {
               return also.starts_with(fmt::format("{}: ", rule));
             });
           });
  }
};

inline Advised advised(const Problem& problem, const Config& config, const Machine& machine) {
  const Kernel& kernel = find_kernel(problem.kernel);
  Advised run{machine, problem, config, 0, {}};
  const Launch launch = kernel.build(run.problem, run.config, machine);
  const LaunchProfile profile = profile_launch(launch, machine);
  const Roofline roofline = component_roofline(profile.timing, work_of(launch, machine), machine);
  run.us = machine.us_of_ticks(profile.timing.ticks);
  run.list = advise(kernel, run.problem, run.config, machine, profile, roofline);
  return run;
}

inline Advised advised(const AdvisedRequest& request,
                       const Machine& machine = load_machine("ascend-910b2")) {
  const Problem problem = request.problem();
  const Config config =
      complete_config(find_kernel(request.kernel), problem, machine, parse_config(request.config));
  return advised(problem, config, machine);
}

}  // namespace tilewright
