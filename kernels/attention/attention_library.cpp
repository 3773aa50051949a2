#include "kernels/attention/attention_library.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

std::string AttentionLibraryKernel::summary() const {
  return "baseline: a kernel for each stage, fixed tiles, tasks dealt as they come";
}

Problem AttentionLibraryKernel::problem(const ProblemRequest& request) const {
  Problem problem = AttentionKernel::problem(request);
  int stages = 0;
  for (const char* count : {"sequences", "decodes", "verifies"}) stages += problem.size(count) > 0;
  if (stages > 1) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("{} computes one stage a launch: give sequences, decodes or verifies", name()));
  }
  return problem;
}

AttentionSequence library_verify(AttentionSequence sequence, int64_t group) {
  sequence.tokens = ceil_div(round_up(sequence.tokens * group, kLibraryRows), group);
  sequence.full_mask = true;
  return sequence;
}

Config attention_library_config(const AttentionShape& shape,
                                std::span<const AttentionSequence> sequences,
                                const Machine& machine) {
  const Space all = attention_space(shape, machine);
  Config config = attention_default(shape, false, machine);
  const auto set = [&](std::string_view name, int64_t value) {
    const auto at = std::ranges::find(config.values, name, &std::pair<std::string, int64_t>::first);
    TW_CHECK(at != config.values.end(), "the space of attention has the library's parameters");
    at->second = value;
  };
  set("tile_q", kLibraryRows);
  set("pipeline", 4);
  set("preload", 2);
  set("fifo", 4);
  set("chain", 0);
  set("assignment", 2);
  for (auto& [name, value] : config.values) {
    if (name == "split_kv") value = 1;
  }
  std::string why;
  for (const int64_t tile_kv : {256, 128, 64, 32, 16}) {
    set("tile_kv", tile_kv);
    why = all.violation(config);
    if (!why.empty()) continue;
    if (decodes_only(sequences)) set("assignment", kWholeRequests);
    return config;
  }
  throw Error(ErrorKind::kInfeasible, fmt::format("no tile of {} fits machine {}: {}",
                                                  kAttentionLibrary, machine.name, why));
}

Config AttentionLibraryKernel::default_config(const Problem& problem,
                                              const Machine& machine) const {
  return attention_library_config(attention_shape(problem), attention_sequences(problem), machine);
}

Launch AttentionLibraryKernel::build(const Problem& problem, const Config& config,
                                     const Machine& machine) const {
  Launch launch = build_attention_launch(attention_shape(problem), attention_sequences(problem),
                                         config, machine, attention_blocks(problem));
  launch.name = problem.text();
  return launch;
}

Space AttentionLibraryKernel::space(const Problem& problem, const Machine& machine) const {
  std::vector<Parameter> parameters;
  for (const auto& [name, value] : default_config(problem, machine).values) {
    parameters.push_back({name, "fixed", {value}});
  }
  return {std::move(parameters), {}};
}

}  // namespace tilewright
