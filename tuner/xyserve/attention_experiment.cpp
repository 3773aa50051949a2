#include "tuner/xyserve/attention_experiment.h"

#include <algorithm>
#include <utility>

#include "core/base/thread_pool.h"
#include "kernels/attention/attention_library.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

/// What is tried beside the kernel's default: tiles, and how far the pipeline runs ahead.
struct Candidate {
  int64_t tile_q, tile_kv, pipeline, preload, fifo;
};
constexpr Candidate kCandidates[] = {
    {128, 256, 4, 2, 4}, {128, 256, 4, 4, 8}, {64, 256, 4, 4, 8},
    {16, 256, 4, 4, 8},  {128, 128, 4, 4, 8}, {16, 128, 4, 4, 8},
};
/// Tokens of a case from which on only the first candidates are tried: it takes seconds to time.
constexpr int64_t kLargeCase = 64'000'000;
constexpr size_t kFewCandidates = 2;

double time_of(const AttentionShape& shape, const std::vector<AttentionSequence>& sequences,
               const Config& config, const Machine& machine) {
  const Launch launch = build_attention_launch(shape, sequences, config, machine);
  return machine.us_of_ticks(time_launch(launch, machine, Fidelity::kAuto).ticks);
}

bool decodes_only(const std::vector<AttentionSequence>& sequences) {
  return std::ranges::all_of(sequences, [](const AttentionSequence& s) { return s.tokens == 1; });
}

/// Legal configs to try for a batch, the default first.
std::vector<Config> configs_of(const AttentionCase& of, const Machine& machine) {
  const Space space = attention_space(of.shape, machine);
  const Config standard = attention_default(of.shape, decodes_only(of.sequences), machine);
  std::vector<Config> configs = {standard};
  double pairs = 0;
  for (const AttentionSequence& s : of.sequences) {
    pairs += static_cast<double>(s.tokens) * static_cast<double>(s.context + s.tokens);
  }
  const bool is_large = pairs > static_cast<double>(kLargeCase);
  for (const Candidate& candidate : kCandidates) {
    if (is_large && configs.size() > kFewCandidates) break;
    Config config = standard;
    for (auto& [name, value] : config.values) {
      if (name == "tile_q") value = candidate.tile_q;
      if (name == "tile_kv") value = candidate.tile_kv;
      if (name == "pipeline") value = candidate.pipeline;
      if (name == "preload") value = candidate.preload;
      if (name == "fifo") value = candidate.fifo;
    }
    if (config != standard && space.violation(config).empty()) configs.push_back(config);
  }
  return configs;
}

AttentionTimes times_of(AttentionCase of, const Machine& machine) {
  AttentionTimes times;
  for (const Config& config : configs_of(of, machine)) {
    const double us = time_of(of.shape, of.sequences, config, machine);
    if (times.time_us > 0 && us >= times.time_us) continue;
    times.time_us = us;
    times.config = config;
  }
  times.library_us = library_attention_us(of.shape, of.sequences, machine);
  const double hbm = machine.hbm.gb_per_s * 1e3;  // bytes a us
  times.concat_us = concat_us(of.shape, of.sequences, machine);
  const double peak = machine.peak_flops(of.shape.type) * 1e-6;  // a us
  const double flops = unmasked_flops(of.shape, of.sequences);
  const double bytes = kv_bytes(of.shape, of.sequences);
  times.mfu = flops / times.time_us / peak;
  times.mbu = bytes / times.time_us / hbm;
  times.library_mfu = flops / times.library_us / peak;
  times.library_mbu = bytes / times.library_us / hbm;
  times.of = std::move(of);
  return times;
}

}  // namespace

std::vector<std::vector<AttentionSequence>> library_launches(
    const AttentionShape& shape, const std::vector<AttentionSequence>& sequences) {
  std::vector<AttentionSequence> prefills, decodes, verifies;
  for (const AttentionSequence& s : sequences) {
    if (s.mask == AttentionMask::kTree) {
      verifies.push_back(library_verify(s, shape.group()));
    } else {
      (s.tokens == 1 ? decodes : prefills).push_back(s);
    }
  }
  std::vector<std::vector<AttentionSequence>> launches;
  for (auto* stage : {&prefills, &decodes, &verifies}) {
    if (!stage->empty()) launches.push_back(std::move(*stage));
  }
  return launches;
}

double library_attention_us(const AttentionShape& shape,
                            const std::vector<AttentionSequence>& sequences,
                            const Machine& machine) {
  double us = 0;
  for (const auto& launch : library_launches(shape, sequences)) {
    AttentionShape stage = shape;
    stage.tree_masks = launch.front().full_mask;
    us += time_of(stage, launch, attention_library_config(stage, machine), machine);
  }
  return us;
}

double concat_us(const AttentionShape& shape, const std::vector<AttentionSequence>& sequences,
                 const Machine& machine) {
  int64_t rows = 0;
  for (const AttentionSequence& s : sequences) rows += s.tokens > 1 ? s.context : 0;
  if (rows == 0) return 0;
  const Kernel& copy = find_kernel("elementwise");
  ProblemRequest request;
  request.sizes = {{"rows", 2 * rows * shape.kv_heads}, {"cols", shape.dim}};
  request.dtype = name_of(shape.type);
  const Problem problem = copy.problem(request);
  const Launch launch = copy.build(problem, copy.default_config(problem, machine), machine);
  return machine.us_of_ticks(time_launch(launch, machine, Fidelity::kAuto).ticks);
}

double unmasked_flops(const AttentionShape& shape,
                      const std::vector<AttentionSequence>& sequences) {
  double pairs = 0;
  for (const AttentionSequence& s : sequences) {
    pairs += static_cast<double>(s.tokens) * static_cast<double>(s.context + s.tokens);
  }
  return 2.0 * static_cast<double>(shape.heads * (shape.dim + shape.value_dim())) * pairs;
}

double kv_bytes(const AttentionShape& shape, const std::vector<AttentionSequence>& sequences) {
  double keys = 0;
  for (const AttentionSequence& s : sequences) keys += static_cast<double>(s.context + s.tokens);
  return keys * static_cast<double>(shape.kv_heads * (shape.dim + shape.value_dim()) *
                                    bytes_of(shape.type));
}

std::vector<AttentionTimes> run_attention_experiment(std::vector<AttentionCase> cases,
                                                     const Machine& machine,
                                                     const ExperimentHooks& hooks) {
  std::vector<AttentionTimes> times(cases.size());
  const auto work = [&](size_t i) {
    AttentionCase& each = cases[i];
    each.shape.tree_masks = std::ranges::any_of(
        each.sequences, [](const AttentionSequence& s) { return s.mask == AttentionMask::kTree; });
    times[i] = times_of(std::move(each), machine);
  };
  const auto done = [&](size_t i) {
    if (hooks.progress) hooks.progress("attention", i + 1, times.size());
  };
  parallel_in_order(times.size(), hooks.jobs, work, done, [] { return false; });
  return times;
}

}  // namespace tilewright
