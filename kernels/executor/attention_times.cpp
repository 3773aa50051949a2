#include "kernels/executor/attention_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/attention/attention_library.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

/// The shortest context that is simulated; the others are its doubles.
constexpr int64_t kFirstContext = 64;
/// What a simulated batch of few tokens has at most in all KV heads, in keys and in slices, and a
/// prefill in query rows of all heads: beyond, all cores are busy for long, and time grows as it
/// did before.
constexpr int64_t kMostKeys = int64_t{1} << 19;
constexpr int64_t kMostTasks = 1024;
constexpr int64_t kMostRows = int64_t{1} << 15;
/// And decodes of a library, in rounds of its cores.
constexpr int64_t kMostRounds = 8;
constexpr double kUnhidden = 0.5;

int64_t bit_floor(int64_t value) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(value)));
}

/// A value between two nodes, or beyond them on the same line.
double on_line(double x, double x0, double y0, double x1, double y1) {
  return y0 + (y1 - y0) * (x - x0) / (x1 - x0);
}

/// Neighbours of `count` among the powers of two or, `fine`, 1, 2, 3, 4, 6, 8, 12, ...
std::pair<int64_t, int64_t> count_nodes(int64_t count, bool fine) {
  const int64_t floor = bit_floor(count);
  if (count == floor) return {count, count};
  if (!fine) return {floor, 2 * floor};
  const int64_t middle = floor + floor / 2;
  if (count < middle) return {floor, middle};
  return {middle, count == middle ? middle : 2 * floor};
}

/// Contexts from half to three halves of `mean`, in an order without a trend: batches in service
/// are as uneven.
std::vector<int64_t> spread_contexts(int64_t count, int64_t mean) {
  int64_t stride = std::max<int64_t>(1, count * 5 / 8);
  while (std::gcd(stride, count) != 1) ++stride;
  std::vector<int64_t> contexts;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = i * stride % count;
    contexts.push_back(mean / 2 + mean * (2 * place + 1) / (2 * count));
  }
  return contexts;
}

}  // namespace

double DecodeLoads::uneven_keys(int64_t steps) const {
  if (cores.empty()) return 0;
  int64_t most = 0;
  int64_t sum = 0;
  for (const Core& core : cores) {
    const int64_t keys = core.contexts + steps * core.count;
    most = std::max(most, keys);
    sum += keys;
  }
  return static_cast<double>(most) - static_cast<double>(sum) / static_cast<double>(cores.size());
}

AttentionTimes::AttentionTimes(const AttentionShape& shape, const Machine& machine,
                               Lowering lowering, OpMemo& memo)
    : shape_(shape),
      machine_(machine),
      lowering_(lowering),
      memo_(memo),
      key_(fmt::format("{} attention {} {} heads={} kv_heads={} dim={} v_dim={} latent={} block={}",
                       machine.fingerprint(), name_of(lowering), name_of(shape.type), shape.heads,
                       shape.kv_heads, shape.dim, shape.v_dim, shape.latent, shape.block_size)) {}

int64_t AttentionTimes::launch_ns(Part part, const Sequences& sequences) const {
  const auto time = [&](const Launch& launch) {
    return machine_.ns_of_ticks(time_launch(launch, machine_, Fidelity::kAuto).ticks);
  };
  if (lowering_ == Lowering::kXyserve) {
    if (part == Part::kDecodes) {
      const Config config = batch_default(shape_, sequences, machine_);
      return time(build_batch_launch(shape_, sequences, config, machine_));
    }
    const Config config = attention_default(shape_, false, machine_);
    return time(build_attention_launch(shape_, sequences, config, machine_));
  }
  AttentionShape shape = shape_;
  Sequences stage = sequences;
  if (part == Part::kFewTokens) {
    shape.tree_masks = true;
    for (AttentionSequence& sequence : stage) {
      sequence.mask = AttentionMask::kTree;
      sequence = library_verify(sequence, shape.group());
    }
  }
  const Config config = attention_library_config(shape, stage, machine_);
  return time(build_attention_launch(shape, stage, config, machine_));
}

void AttentionTimes::add(const SequenceSlice& slice, Sums& sums) {
  const auto tokens = static_cast<double>(slice.tokens);
  const auto context = static_cast<double>(slice.context);
  sums.decodes_only = sums.decodes_only && slice.tokens == 1;
  if (slice.tokens == 1 || slice.drafts > 0) {
    ++sums.few;
    sums.few_tokens += tokens;
    sums.few_context += context;
  } else {
    sums.many_tokens += tokens;
    sums.many_keys += tokens * (context + (tokens + 1) / 2);
  }
}

std::vector<int64_t> AttentionTimes::node_contexts(Part part, int64_t count, int64_t mean) const {
  if (part == Part::kDecodes && lowering_ == Lowering::kLibrary)
    return std::vector<int64_t>(static_cast<size_t>(count), mean);
  return spread_contexts(count, mean);
}

double AttentionTimes::few_node(Part part, int64_t tokens, int64_t count, size_t node,
                                Line& line) const {
  if (line.size() <= node) line.resize(node + 1, -1);
  if (line[node] >= 0) return line[node];
  const int64_t mean = kFirstContext << node;
  const std::string name = fmt::format("{} part={} count={} tokens={} context={}", key_,
                                       static_cast<int>(part), count, tokens, mean);
  const int64_t ns = memo_.at(name, [&] {
    Sequences sequences;
    for (const int64_t context : node_contexts(part, count, mean))
      sequences.push_back({tokens, context});
    return launch_ns(part, sequences);
  });
  return line[node] = static_cast<double>(ns);
}

double AttentionTimes::few_at(Part part, int64_t tokens, int64_t count, double context) {
  Line& line = few_[{part, tokens, count}];
  const int64_t most = kMostKeys / (count * shape_.kv_heads * kFirstContext);
  const int last = std::max(1, static_cast<int>(std::bit_width(static_cast<uint64_t>(most))) - 1);
  const auto doubles = static_cast<uint64_t>(context) / static_cast<uint64_t>(kFirstContext);
  const int node = std::clamp(static_cast<int>(std::bit_width(doubles)) - 1, 0, last - 1);
  const auto first = static_cast<double>(kFirstContext << node);
  return on_line(context, first, few_node(part, tokens, count, static_cast<size_t>(node), line),
                 2 * first, few_node(part, tokens, count, static_cast<size_t>(node) + 1, line));
}

std::pair<int64_t, int64_t> AttentionTimes::few_counts(Part part, int64_t count) const {
  const int64_t cores = machine_.cores.aic;
  if (part == Part::kDecodes && lowering_ == Lowering::kLibrary && count >= cores) {
    // Whole rounds of the cores, so that none has more than the others.
    const int64_t rounds = std::min(bit_floor(count / cores), kMostRounds / 2);
    if (count == rounds * cores) return {count, count};
    return {rounds * cores, 2 * rounds * cores};
  }
  const int64_t most = std::max<int64_t>(2, bit_floor(kMostTasks / shape_.kv_heads));
  if (count > most) return {most / 2, most};
  return count_nodes(count, part == Part::kDecodes);
}

double AttentionTimes::few_ns(Part part, double tokens, int64_t count, double context) {
  const auto at_tokens = [&](int64_t nodes) {
    const auto [below, above] = few_counts(part, count);
    const double at_below = few_at(part, nodes, below, context);
    if (below == above) return at_below;
    return on_line(static_cast<double>(count), static_cast<double>(below), at_below,
                   static_cast<double>(above), few_at(part, nodes, above, context));
  };
  const int64_t below = bit_floor(static_cast<int64_t>(tokens));
  const double at_below = at_tokens(below);
  if (tokens == static_cast<double>(below)) return at_below;
  return on_line(tokens, static_cast<double>(below), at_below, 2 * static_cast<double>(below),
                 at_tokens(2 * below));
}

DecodeLoads AttentionTimes::decodes_of(const Batch& batch) const {
  DecodeLoads decodes;
  for (const SequenceSlice& slice : batch.slices) {
    if (slice.tokens > 1) continue;
    ++decodes.count;
    decodes.contexts += slice.context;
  }
  if (lowering_ != Lowering::kLibrary || decodes.count == 0) return decodes;
  decodes.cores.resize(static_cast<size_t>(std::min(machine_.cores.aic, decodes.count)));
  size_t next = 0;
  for (const SequenceSlice& slice : batch.slices) {
    if (slice.tokens > 1) continue;
    DecodeLoads::Core& core = decodes.cores[next++ % decodes.cores.size()];
    ++core.count;
    core.contexts += slice.context;
  }
  return decodes;
}

double AttentionTimes::decode_ns(const DecodeLoads& decodes, int64_t steps) {
  const double mean = decodes.mean_context(steps);
  const double ns = few_ns(Part::kDecodes, 1, decodes.count, mean);
  const double uneven = decodes.uneven_keys(steps);
  if (uneven <= 0) return ns;
  const double keys = std::max(mean, static_cast<double>(kFirstContext));
  const double of_keys =
      few_at(Part::kDecodes, 1, 1, 2 * keys) - few_at(Part::kDecodes, 1, 1, keys);
  // While the busiest core goes on, the others end one after the other and leave it more of HBM's
  // rate than it has in an even batch: about half of the rest is hidden so.
  return ns + kUnhidden * uneven * of_keys / keys;
}

double AttentionTimes::many_node(int64_t tokens, ManyPoint& point) const {
  if (point.ns >= 0) return point.ns;
  const std::string name = fmt::format("{} chunks={} tokens={} context={}", key_, point.chunks,
                                       tokens / point.chunks, point.context);
  point.ns = static_cast<double>(memo_.at(name, [&] {
    const Sequences chunks(static_cast<size_t>(point.chunks),
                           {tokens / point.chunks, point.context});
    return launch_ns(Part::kManyTokens, chunks);
  }));
  return point.ns;
}

double AttentionTimes::many_at(int64_t tokens, double mean_keys) {
  std::vector<ManyPoint>& points = many_[tokens];
  if (points.empty()) {
    const auto add_point = [&](int64_t chunks, int64_t context) {
      const double keys =
          static_cast<double>(context) + static_cast<double>(tokens / chunks + 1) / 2;
      points.push_back({keys, chunks, context, -1});
    };
    // Small launches take longer contexts apart (split keys): there, one point more.
    if (tokens >= 64) add_point(4, 0);
    add_point(1, 0);
    add_point(1, 1024);
    if (tokens * shape_.heads <= kMostRows / 8) add_point(1, 4096);
  }
  size_t above = 1;
  while (above + 1 < points.size() && points[above].keys < mean_keys) ++above;
  ManyPoint& first = points[above - 1];
  ManyPoint& second = points[above];
  return on_line(mean_keys, first.keys, many_node(tokens, first), second.keys,
                 many_node(tokens, second));
}

double AttentionTimes::many_ns(double tokens, double mean_keys) {
  constexpr int64_t kLeastMost = 64;
  const int64_t most = std::max(kLeastMost, bit_floor(kMostRows / shape_.heads));
  const int64_t below = std::min(bit_floor(static_cast<int64_t>(tokens)), most / 2);
  const double at_below = many_at(below, mean_keys);
  if (tokens == static_cast<double>(below)) return at_below;
  return on_line(tokens, static_cast<double>(below), at_below, 2 * static_cast<double>(below),
                 many_at(2 * below, mean_keys));
}

double AttentionTimes::time_of(const Sums& sums) {
  double ns = 0;
  if (sums.few > 0) {
    const auto count = static_cast<double>(sums.few);
    const bool alone = sums.decodes_only;
    ns += few_ns(alone ? Part::kDecodes : Part::kFewTokens, sums.few_tokens / count, sums.few,
                 sums.few_context / count);
  }
  if (sums.many_tokens > 0) ns += many_ns(sums.many_tokens, sums.many_keys / sums.many_tokens);
  return ns;
}

double AttentionTimes::ns(const Batch& batch) {
  std::array<Sums, 3> launches;
  for (const SequenceSlice& slice : batch.slices) {
    size_t launch = 0;
    if (lowering_ == Lowering::kLibrary) launch = slice.drafts > 0 ? 2 : slice.tokens == 1 ? 1 : 0;
    add(slice, launches[launch]);
  }
  double ns = 0;
  if (lowering_ == Lowering::kLibrary && launches[1].few > 0) {
    ns += decode_ns(decodes_of(batch), 0);
    launches[1] = {};
  }
  for (const Sums& sums : launches) ns += time_of(sums);
  return ns;
}

int64_t AttentionTimes::simulated_ns(const Batch& batch) const {
  std::array<Sequences, 3> stages;  // prefills, decodes, verifications
  bool decodes_only = true;
  for (const SequenceSlice& slice : batch.slices) {
    const size_t stage = slice.drafts > 0 ? 2 : slice.tokens == 1 ? 1 : 0;
    const bool apart = lowering_ == Lowering::kLibrary;
    stages[apart ? stage : 0].push_back({slice.tokens, slice.context});
    decodes_only = decodes_only && slice.tokens == 1;
  }
  if (lowering_ == Lowering::kXyserve)
    return launch_ns(decodes_only ? Part::kDecodes : Part::kManyTokens, stages[0]);
  constexpr std::array<Part, 3> kParts = {Part::kManyTokens, Part::kDecodes, Part::kFewTokens};
  int64_t ns = 0;
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    if (!stages[stage].empty()) ns += launch_ns(kParts[stage], stages[stage]);
  }
  return ns;
}

std::vector<Problem> AttentionTimes::mean_problems(const Batch& batch) const {
  struct Mean {
    int64_t count = 0;
    int64_t tokens = 0;
    int64_t context = 0;

    int64_t of(int64_t sum) const { return (sum + count / 2) / count; }
  };
  std::array<Mean, 3> means;  // prefills, decodes, verifications
  for (const SequenceSlice& slice : batch.slices) {
    Mean& mean = means[slice.drafts > 0 ? 2 : slice.tokens == 1 ? 1 : 0];
    ++mean.count;
    mean.tokens += slice.tokens;
    mean.context += slice.context;
  }
  const auto problem_of = [&](const Mean& prefills, const Mean& decodes, const Mean& verifies) {
    ProblemRequest request;
    request.dtype = std::string(name_of(shape_.type));
    request.sizes = {{"heads", shape_.heads},      {"kv_heads", shape_.kv_heads},
                     {"dim", shape_.dim},          {"v_dim", shape_.latent ? shape_.v_dim : 0},
                     {"block", shape_.block_size}, {"sequences", prefills.count},
                     {"decodes", decodes.count},   {"verifies", verifies.count}};
    if (prefills.count > 0) {
      request.sizes["tokens"] = std::max<int64_t>(1, prefills.of(prefills.tokens));
      request.sizes["context"] = prefills.of(prefills.context);
    }
    if (decodes.count > 0) request.sizes["decode_context"] = decodes.of(decodes.context);
    if (verifies.count > 0) {
      request.sizes["drafts"] = std::max<int64_t>(1, verifies.of(verifies.tokens) - 1);
      request.sizes["verify_context"] = verifies.of(verifies.context);
    }
    const bool is_library = lowering_ == Lowering::kLibrary;
    if (is_library && verifies.count > 0) request.mask = name_of(AttentionMask::kTree);
    return find_kernel(is_library ? kAttentionLibrary : std::string_view("attention"))
        .problem(request);
  };
  if (lowering_ == Lowering::kXyserve) return {problem_of(means[0], means[1], means[2])};
  std::vector<Problem> problems;
  if (means[0].count > 0) problems.push_back(problem_of(means[0], {}, {}));
  if (means[1].count > 0) problems.push_back(problem_of({}, means[1], {}));
  if (means[2].count > 0) problems.push_back(problem_of({}, {}, means[2]));
  return problems;
}

}  // namespace tilewright
