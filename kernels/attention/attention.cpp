#include "kernels/attention/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "core/base/text.h"
#include "kernels/attention/attention_library.h"
#include "kernels/attention/decode_launch.h"

namespace tilewright {

namespace {

constexpr AttentionMask kMasks[] = {AttentionMask::kNone, AttentionMask::kCausal,
                                    AttentionMask::kTree};
constexpr int64_t kLargestGroup = 128;
constexpr int64_t kLargestDim = 256;
constexpr int64_t kLargestLatentDim = 1024;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::kUsage, why);
}

AttentionMask parse_mask(std::string_view text) {
  std::vector<std::string> names;
  for (const AttentionMask mask : kMasks) {
    if (name_of(mask) == text) return mask;
    names.emplace_back(name_of(mask));
  }
  refuse(fmt::format("attention has no mask '{}'{}; known are {}", printable(text),
                     did_you_mean(text, names), join(names, ", ")));
}

void check_heads(const Problem& problem) {
  const int64_t heads = problem.size("heads");
  const int64_t kv_heads = problem.size("kv_heads");
  if (heads % kv_heads != 0)
    refuse(fmt::format("heads={} is not a multiple of kv_heads={}", heads, kv_heads));
  if (heads / kv_heads > kLargestGroup) {
    refuse(fmt::format("heads={} with kv_heads={} share a KV head among more than {} query heads",
                       heads, kv_heads, kLargestGroup));
  }
  const int64_t dim = problem.size("dim");
  const int64_t v_dim = problem.size("v_dim");
  const int64_t largest = v_dim > 0 ? kLargestLatentDim : kLargestDim;
  if (dim % 16 != 0 || dim > largest)
    refuse(fmt::format("dim={} is not a multiple of 16 up to {}", dim, largest));
  if (v_dim % 16 != 0 || v_dim > dim) {
    refuse(
        fmt::format("v_dim={} is not a multiple of 16 up to dim={}, nor 0 for values of their "
                    "own with dim elements",
                    v_dim, dim));
  }
}

void check_batch(const Problem& problem, AttentionMask mask) {
  const std::vector<AttentionSequence> sequences = attention_sequences(problem);
  if (sequences.empty()) refuse("a batch without sequences, decodes and verifies has no work");
  if (mask == AttentionMask::kTree && problem.size("verifies") == 0)
    refuse("mask=tree is for the drafts of verifies, of which the batch has none");
  double tokens = 0;
  for (const AttentionSequence& s : sequences)
    tokens += static_cast<double>(s.tokens) + static_cast<double>(s.context);
  const double cells = tokens * static_cast<double>(problem.size("heads") * problem.size("dim"));
  if (cells > 0x1p40) refuse("the KV cache would have more than 2^40 elements");
}

/// Decodes or verifies without a word on prefills are a batch without any.
ProblemRequest with_sequences(ProblemRequest request) {
  const auto gives = [&](const char* size) {
    const auto given = request.sizes.find(size);
    return given != request.sizes.end() && given->second > 0;
  };
  const bool has_others = gives("decodes") || gives("verifies");
  if (has_others && !request.sizes.contains("tokens")) request.sizes.try_emplace("sequences", 0);
  return request;
}

/// Sequences that a batch may have in all; each is a row in tables of its own.
constexpr int64_t kMostSequences = 1 << 20;

}  // namespace

std::string_view name_of(AttentionMask mask) {
  switch (mask) {
    case AttentionMask::kNone:
      return "none";
    case AttentionMask::kCausal:
      return "causal";
    case AttentionMask::kTree:
      return "tree";
  }
  return "";
}

int tensor_named(const Launch& launch, std::string_view name) {
  const auto found = std::ranges::find(launch.tensors, name, &Tensor::name);
  TW_CHECK(found != launch.tensors.end(), "the launch has a tensor of that name");
  return static_cast<int>(found - launch.tensors.begin());
}

AttentionShape attention_shape(const Problem& problem) {
  AttentionShape shape;
  shape.type = problem.types[0];
  shape.heads = problem.size("heads");
  shape.kv_heads = problem.size("kv_heads");
  shape.dim = problem.size("dim");
  shape.block_size = problem.size("block");
  shape.v_dim = problem.size("v_dim");
  shape.latent = shape.v_dim > 0;
  shape.tree_masks = problem.mask == name_of(AttentionMask::kTree);
  return shape;
}

std::vector<AttentionSequence> attention_sequences(const Problem& problem) {
  const AttentionMask mask = parse_mask(problem.mask);
  const AttentionMask plain = mask == AttentionMask::kNone ? mask : AttentionMask::kCausal;
  std::vector<AttentionSequence> sequences;
  const auto add = [&](const char* count, const AttentionSequence& sequence) {
    sequences.insert(sequences.end(), static_cast<size_t>(problem.size(count)), sequence);
  };
  add("sequences", {problem.size("tokens"), problem.size("context"), plain});
  add("decodes", {1, problem.size("decode_context"), plain});
  const AttentionSequence verify{problem.size("drafts") + 1, problem.size("verify_context"), mask};
  const bool by_library = problem.kernel == kAttentionLibrary && mask == AttentionMask::kTree;
  add("verifies", by_library ? library_verify(verify, attention_shape(problem).group()) : verify);
  return sequences;
}

bool decodes_only(std::span<const AttentionSequence> sequences) {
  return std::ranges::all_of(
      sequences, [](const AttentionSequence& sequence) { return sequence.tokens == 1; });
}

std::vector<int64_t> attention_blocks(const Problem& problem) {
  int64_t blocks = 0;
  for (const AttentionSequence& s : attention_sequences(problem))
    blocks += ceil_div(s.context + s.tokens, problem.size("block"));
  std::vector<int64_t> block_of(static_cast<size_t>(blocks));
  std::iota(block_of.rbegin(), block_of.rend(), 0);
  return block_of;
}

std::string AttentionKernel::summary() const {
  return "attention over a paged KV cache: prefill, decode and verify mixed, online softmax";
}

std::vector<SizeInfo> AttentionKernel::sizes() const {
  return {{"sequences", "prefills in the batch (0 where only decodes or verifies are given)", 1, 0},
          {"tokens", "new tokens of each prefill", std::nullopt, 1, "sequences"},
          {"context", "tokens in its KV cache before", 0, 0, "sequences"},
          {"heads", "query heads"},
          {"kv_heads", "KV heads", 1},
          {"dim", "elements of a head", 128},
          {"block", "tokens in a KV block", 128},
          {"decodes", "sequences with one new token", 0, 0},
          {"decode_context", "tokens in their KV cache before", 0, 0, "decodes"},
          {"verifies", "sequences with drafts to verify", 0, 0},
          {"drafts", "drafts of each, beside one new token", 0, 0, "verifies"},
          {"verify_context", "tokens in their KV cache before", 0, 0, "verifies"},
          {"v_dim", "values are the keys' first elements, so many (MLA); 0: of their own", 0, 0}};
}

std::vector<std::string> AttentionKernel::masks() const {
  // What a request that says nothing gets stands first.
  std::vector<std::string> names = {std::string(name_of(AttentionMask::kCausal))};
  for (const AttentionMask mask : kMasks) {
    if (mask != AttentionMask::kCausal) names.emplace_back(name_of(mask));
  }
  return names;
}

Problem AttentionKernel::problem(const ProblemRequest& request) const {
  Problem problem;
  problem.kernel = name();
  problem.sizes = read_sizes(*this, with_sequences(request));
  const DType type = parse_dtype(request.dtype.empty() ? "bf16" : request.dtype);
  if (type != DType::kF16 && type != DType::kBF16 && type != DType::kF32)
    refuse(fmt::format("attention works on f16, bf16 or f32, not {}", name_of(type)));
  problem.types = {type, type, type};
  problem.layouts = {"nd", "nd", "nd"};
  problem.mask = request.mask.empty() ? name_of(AttentionMask::kCausal) : request.mask;
  const AttentionMask mask = parse_mask(problem.mask);
  check_heads(problem);
  for (const char* count : {"sequences", "decodes", "verifies"}) {
    if (problem.size(count) > kMostSequences)
      refuse(fmt::format("{}={} is more than {}", count, problem.size(count), kMostSequences));
  }
  check_batch(problem, mask);
  if (!request.epilogue.empty() && request.epilogue != "none")
    refuse(fmt::format("attention has no epilogue '{}'; known is none", request.epilogue));
  if (!request.layout.empty() && request.layout != "nd")
    refuse(fmt::format("attention has no layout '{}'; known is nd", request.layout));
  return problem;
}

double AttentionKernel::work(const Problem& problem) const {
  double pairs = 0;
  for (const AttentionSequence& s : attention_sequences(problem))
    pairs += static_cast<double>(s.tokens) * static_cast<double>(s.context + s.tokens);
  return pairs * static_cast<double>(problem.size("heads") * problem.size("dim"));
}

Space batch_space(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                  const Machine& machine) {
  return is_decode_launch(shape, sequences, machine) ? decode_space(shape, machine)
                                                     : attention_space(shape, machine);
}

Config batch_default(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                     const Machine& machine) {
  if (is_decode_launch(shape, sequences, machine))
    return decode_default(shape, decode_keys(sequences), machine);
  return attention_default(shape, decodes_only(sequences), machine);
}

Launch build_batch_launch(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                          const Config& config, const Machine& machine,
                          std::vector<int64_t> block_of) {
  if (!is_decode_launch(shape, sequences, machine))
    return build_attention_launch(shape, sequences, config, machine, std::move(block_of));
  return build_decode_launch(shape, {decode_keys(sequences), std::move(block_of)}, config, machine);
}

Space AttentionKernel::space(const Problem& problem, const Machine& machine) const {
  return batch_space(attention_shape(problem), attention_sequences(problem), machine);
}

Config AttentionKernel::default_config(const Problem& problem, const Machine& machine) const {
  return batch_default(attention_shape(problem), attention_sequences(problem), machine);
}

Launch AttentionKernel::build(const Problem& problem, const Config& config,
                              const Machine& machine) const {
  Launch launch = build_batch_launch(attention_shape(problem), attention_sequences(problem), config,
                                     machine, attention_blocks(problem));
  launch.name = problem.text();
  return launch;
}

}  // namespace tilewright
