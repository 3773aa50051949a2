#include "tuner/xyserve/attention_experiment.h"

#include <algorithm>
#include <utility>

#include "core/base/thread_pool.h"
#include "kernels/attention/attention_library.h"
#include "kernels/attention/attention_work.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

using Values = std::vector<std::pair<std::string_view, int64_t>>;

/// What is tried beside the kernel's default: tiles, and how far the pipeline runs ahead.
const std::vector<Values>& candidates() {
  static const std::vector<Values> all = {
      {{"tile_q", 128}, {"tile_kv", 256}, {"preload", 2}, {"fifo", 4}},
      {{"tile_q", 128}, {"tile_kv", 256}, {"preload", 4}, {"fifo", 8}},
      {{"tile_q", 64}, {"tile_kv", 256}, {"preload", 4}, {"fifo", 8}},
      {{"tile_q", 32}, {"tile_kv", 256}, {"preload", 4}, {"fifo", 8}},
      {{"tile_q", 128}, {"tile_kv", 128}, {"preload", 4}, {"fifo", 8}},
      {{"tile_q", 32}, {"tile_kv", 128}, {"preload", 4}, {"fifo", 8}}};
  return all;
}

/// The same for batches of decodes, which have a space of their own.
const std::vector<Values>& decode_candidates() {
  static const std::vector<Values> all = {
      {{"pipeline", 2}, {"tile_kv", 64}},
      {{"pipeline", 2}, {"lead", 4}},
      {{"pipeline", 2}, {"buffers", 2}, {"max_keys", 4096}},
      {{"pipeline", 2}, {"buffers", 2}, {"max_keys", 4096}, {"split_kv", 1}},
      {{"pipeline", 3}, {"buffers", 2}, {"lead", 1}, {"fetch", 4}},
      {{"pipeline", 3}, {"buffers", 2}, {"lead", 1}, {"fetch", 4}, {"split_kv", 1}}};
  return all;
}

/// Tokens of a case from which on only the first candidates are tried: it takes seconds to time.
constexpr int64_t kLargeCase = 64'000'000;
constexpr size_t kFewCandidates = 2;

double time_of(const Launch& launch, const Machine& machine) {
  return machine.us_of_ticks(time_launch(launch, machine, Fidelity::kAuto).ticks);
}

/// Legal configs to try for a batch, the default first.
std::vector<Config> configs_of(const AttentionCase& of, const Machine& machine) {
  const Space space = batch_space(of.shape, of.sequences, machine);
  const Config standard = batch_default(of.shape, of.sequences, machine);
  std::vector<Config> configs = {standard};
  double pairs = 0;
  for (const AttentionSequence& s : of.sequences) {
    pairs += static_cast<double>(s.tokens) * static_cast<double>(s.context + s.tokens);
  }
  const bool is_large = pairs > static_cast<double>(kLargeCase);
  for (const Values& changed : decodes_only(of.sequences) ? decode_candidates() : candidates()) {
    if (is_large && configs.size() > kFewCandidates) break;
    Config config = standard;
    for (const auto& [name, value] : changed) {
      for (auto& known : config.values) {
        if (known.first == name) known.second = value;
      }
    }
    if (config != standard && space.violation(config).empty()) configs.push_back(config);
  }
  return configs;
}

AttentionFigures times_of(AttentionCase of, const Machine& machine) {
  AttentionFigures times;
  for (const Config& config : configs_of(of, machine)) {
    const Launch launch = build_batch_launch(of.shape, of.sequences, config, machine);
    const double us = time_of(launch, machine);
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
  const double memory_us = bytes / hbm;
  const double compute_us = flops_of(of.shape, of.sequences) / peak;
  times.bound_us = std::max(memory_us, compute_us);
  times.memory_bound = memory_us >= compute_us;
  times.counts_concat = of.result.starts_with("mixed");
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
    const Config config = attention_library_config(stage, launch, machine);
    us += time_of(build_attention_launch(stage, launch, config, machine), machine);
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
  return time_of(launch, machine);
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

std::vector<AttentionFigures> run_attention_experiment(std::vector<AttentionCase> cases,
                                                       const Machine& machine,
                                                       const ExperimentHooks& hooks) {
  std::vector<AttentionFigures> times(cases.size());
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
