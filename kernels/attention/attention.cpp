#include "kernels/attention/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "core/base/random.h"
#include "kernels/attention/attention_ub.h"

namespace tilewright {

namespace {

AttentionShape shape_of(const Problem& problem) {
  return {problem.types[0], problem.size("heads"), problem.size("kv_heads"), problem.size("dim"),
          problem.size("block")};
}

std::vector<AttentionSequence> sequences_of(const Problem& problem) {
  const AttentionSequence each{problem.size("tokens"), problem.size("context")};
  return std::vector<AttentionSequence>(static_cast<size_t>(problem.size("sequences")), each);
}

/// What a config puts into each buffer (the layout in attention_launch.cpp).
struct Footprint {
  int64_t l1, l0a, l0b, l0c, ub;
};

Footprint footprint(const AttentionShape& shape, int64_t tile_q, int64_t tile_kv,
                    const Machine& machine) {
  const int64_t width = bytes_of(shape.type);
  const int64_t q = tile_q * shape.dim * width;
  const int64_t kv = tile_kv * shape.dim * width;
  const int64_t p = tile_q * tile_kv * width;
  return {2 * q + 4 * kv + 2 * p, q + p, 2 * kv, tile_q * (tile_kv + shape.dim) * 4,
          AttentionUb(shape, tile_q, tile_kv, machine).bytes};
}

Constraint fits(const char* name, int64_t capacity, const AttentionShape& shape,
                const Machine& machine, int64_t Footprint::*part) {
  const auto needed = [=](std::span<const int64_t> v) {
    return footprint(shape, v[0], v[1], machine).*part;
  };
  return {name,
          {"tile_q", "tile_kv"},
          [=](std::span<const int64_t> v) -> std::string {
            const int64_t bytes = needed(v);
            if (bytes <= capacity) return "";
            return fmt::format(
                "needs {} of {}, the machine has {}: {} too many; a smaller tile_q or "
                "tile_kv would fit",
                format_bytes(static_cast<double>(bytes)), name,
                format_bytes(static_cast<double>(capacity)),
                format_bytes(static_cast<double>(bytes - capacity)));
          },
          Resource{needed, capacity}};
}

}  // namespace

Space attention_space(const AttentionShape& shape, const Machine& machine) {
  std::vector<int64_t> tile_kv;
  for (int64_t tokens : {16, 32, 64, 128, 256}) {
    if (tokens % shape.block_size == 0) tile_kv.push_back(tokens);
  }
  std::vector<Parameter> parameters = {
      {"tile_q", "rows of a query tile: tokens x query heads of a KV head", {16, 32, 64, 128}},
      {"tile_kv", "tokens of a KV tile", tile_kv}};
  std::vector<Constraint> constraints = {
      fits("L1", machine.buffers.l1_bytes, shape, machine, &Footprint::l1),
      fits("L0A", machine.buffers.l0a_bytes, shape, machine, &Footprint::l0a),
      fits("L0B", machine.buffers.l0b_bytes, shape, machine, &Footprint::l0b),
      fits("L0C", machine.buffers.l0c_bytes, shape, machine, &Footprint::l0c),
      fits("UB", machine.buffers.ub_bytes, shape, machine, &Footprint::ub)};
  const int64_t group = shape.heads / shape.kv_heads;
  constraints.push_back(
      {"group", {"tile_q"}, [group](std::span<const int64_t> v) -> std::string {
         if (v[0] >= group) return "";
         return fmt::format("tile_q={} is less than the {} query heads of a KV head", v[0], group);
       }});
  return {std::move(parameters), std::move(constraints)};
}

Config attention_default(const AttentionShape& shape, bool decode_only, const Machine& machine) {
  const Space space = attention_space(shape, machine);
  const int64_t group = shape.heads / shape.kv_heads;
  const Config* best = nullptr;
  const std::vector<Config> legal = space.enumerate();
  const auto score = [&](const Config& config) {
    const int64_t tile_q = config.at("tile_q");
    // A decode has `group` rows: the smallest tile that holds them; else the largest up to 128.
    const int64_t rows = decode_only ? -tile_q : tile_q;
    return std::pair(decode_only && tile_q < group ? INT64_MIN : rows,
                     std::min<int64_t>(config.at("tile_kv"), 128));
  };
  for (const Config& config : legal) {
    if (!best || score(config) > score(*best)) best = &config;
  }
  if (!best) {
    throw Error(
        ErrorKind::kInfeasible,
        fmt::format("attention with {} heads, {} KV heads, dim {} and blocks of {} tokens "
                    "fits no tile on machine {}",
                    shape.heads, shape.kv_heads, shape.dim, shape.block_size, machine.name));
  }
  return *best;
}

std::string AttentionKernel::summary() const {
  return "causal attention over a paged KV cache, prefill and decode mixed, online softmax";
}

std::vector<SizeInfo> AttentionKernel::sizes() const {
  return {{"sequences", "sequences in the batch", 1},
          {"tokens", "new tokens of each sequence"},
          {"context", "tokens in its KV cache before", 0, 0},
          {"heads", "query heads"},
          {"kv_heads", "KV heads", 1},
          {"dim", "elements of a head", 128},
          {"block", "tokens in a KV block", 128}};
}

Problem AttentionKernel::problem(const ProblemRequest& request) const {
  Problem problem;
  problem.kernel = name();
  problem.sizes = read_sizes(*this, request);
  const DType type = parse_dtype(request.dtype.empty() ? "bf16" : request.dtype);
  if (type != DType::kF16 && type != DType::kBF16) {
    throw Error(ErrorKind::kUsage,
                fmt::format("attention works on f16 or bf16, not {}", name_of(type)));
  }
  problem.types = {type, type, type};
  problem.layouts = {"nd", "nd", "nd"};
  const auto refuse = [&](const std::string& why) { throw Error(ErrorKind::kUsage, why); };
  const int64_t heads = problem.size("heads");
  const int64_t block = problem.size("block");
  if (heads % problem.size("kv_heads") != 0) {
    refuse(
        fmt::format("heads={} is not a multiple of kv_heads={}", heads, problem.size("kv_heads")));
  }
  if (heads / problem.size("kv_heads") > 128) {
    refuse(fmt::format("heads={} with kv_heads={} share a KV head among more than 128 query heads",
                       heads, problem.size("kv_heads")));
  }
  if (problem.size("dim") % 16 != 0 || problem.size("dim") > 256) {
    refuse(fmt::format("dim={} is not a multiple of 16 up to 256", problem.size("dim")));
  }
  if (block % 16 != 0 || block > 256 || 256 % block != 0) {
    refuse(fmt::format("block={} is not 16, 32, 64, 128 or 256", block));
  }
  const double cells = static_cast<double>(problem.size("sequences")) *
                       static_cast<double>(problem.size("tokens") + problem.size("context")) *
                       static_cast<double>(heads * problem.size("dim"));
  if (cells > 0x1p40) refuse("the KV cache would have more than 2^40 elements");
  if (!request.epilogue.empty() && request.epilogue != "none") {
    refuse(fmt::format("attention has no epilogue '{}'; known is none", request.epilogue));
  }
  if (!request.layout.empty() && request.layout != "nd") {
    refuse(fmt::format("attention has no layout '{}'; known is nd", request.layout));
  }
  return problem;
}

Space AttentionKernel::space(const Problem& problem, const Machine& machine) const {
  return attention_space(shape_of(problem), machine);
}

Config AttentionKernel::default_config(const Problem& problem, const Machine& machine) const {
  return attention_default(shape_of(problem), problem.size("tokens") == 1, machine);
}

Launch AttentionKernel::build(const Problem& problem, const Config& config,
                              const Machine& machine) const {
  const AttentionShape shape = shape_of(problem);
  const std::vector<AttentionSequence> sequences = sequences_of(problem);
  int64_t blocks = 0;
  for (const AttentionSequence& s : sequences)
    blocks += ceil_div(s.context + s.tokens, shape.block_size);
  // The table must matter: physical blocks stand in the reverse of their logical order.
  std::vector<int64_t> block_of(static_cast<size_t>(blocks));
  for (int64_t i = 0; i < blocks; ++i) block_of[static_cast<size_t>(i)] = blocks - 1 - i;
  Launch launch = build_attention_launch(shape, sequences, config, machine, std::move(block_of));
  launch.name = problem.text();
  return launch;
}

void AttentionKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                  GmImage& image) const {
  for (int tensor = 0; tensor < 3; ++tensor) fill_tensor(launch, tensor, -1, 1, values, image);
}

std::vector<ExpectedTensor> AttentionKernel::reference(const Problem& problem, const Launch& launch,
                                                       const GmImage& inputs) const {
  const AttentionShape shape = shape_of(problem);
  const int64_t sequences = problem.size("sequences");
  const int64_t tokens = problem.size("tokens");
  const int64_t context = problem.size("context");
  const int64_t group = shape.heads / shape.kv_heads;
  const int64_t dim = shape.dim;
  const int64_t blocks = ceil_div(context + tokens, shape.block_size);
  const std::vector<float> q = read_tensor(launch.tensors[0], inputs[0]);
  const std::vector<float> k = read_tensor(launch.tensors[1], inputs[1]);
  const std::vector<float> v = read_tensor(launch.tensors[2], inputs[2]);
  const int64_t rows = launch.tensors[0].rows;
  ExpectedTensor out{6, rows, dim, std::vector<double>(static_cast<size_t>(rows * dim)), 0, 0};
  std::vector<double> weights;
  for (int64_t row = 0; row < rows; ++row) {
    // Row = (kv head, sequence, token, head in group).
    const int64_t head = row / (sequences * tokens * group);
    const int64_t sequence = row / (tokens * group) % sequences;
    const int64_t token = row / group % tokens;
    const int64_t visible = context + token + 1;
    const auto kv_row = [&](int64_t position) {
      const int64_t block =
          launch.tables[0][static_cast<size_t>(sequence * blocks + position / shape.block_size)];
      return (block * shape.kv_heads + head) * shape.block_size + position % shape.block_size;
    };
    weights.assign(static_cast<size_t>(visible), 0);
    double largest = -INFINITY;
    for (int64_t p = 0; p < visible; ++p) {
      double score = 0;
      for (int64_t d = 0; d < dim; ++d) {
        score += static_cast<double>(q[static_cast<size_t>(row * dim + d)]) *
                 static_cast<double>(k[static_cast<size_t>(kv_row(p) * dim + d)]);
      }
      weights[static_cast<size_t>(p)] = score / std::sqrt(static_cast<double>(dim));
      largest = std::max(largest, weights[static_cast<size_t>(p)]);
    }
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(weight - largest);
    for (int64_t p = 0; p < visible; ++p) {
      for (int64_t d = 0; d < dim; ++d) {
        out.values[static_cast<size_t>(row * dim + d)] +=
            weights[static_cast<size_t>(p)] / sum *
            static_cast<double>(v[static_cast<size_t>(kv_row(p) * dim + d)]);
      }
    }
  }
  // Probabilities are rounded to the type before they meet values of size up to 1, and the result
  // is rounded once more.
  const double unit = shape.type == DType::kF16 ? 0x1p-11 : 0x1p-8;
  out.absolute = 2 * unit;
  out.relative = unit;
  return {out};
}

}  // namespace tilewright
