#include "core/graph/opcode.h"

#include <algorithm>
#include <array>

namespace tilewright {
namespace {

constexpr int kAny = -1;

/// What an opcode is, beside its number of operands.
enum class Trait : uint8_t { kPlain, kElementwise, kCollective, kEffect };

struct OpcodeFacts {
  std::string_view name;
  int arity;
  Trait trait = Trait::kPlain;
};

constexpr Trait kE = Trait::kElementwise;
constexpr Trait kC = Trait::kCollective;
constexpr Trait kX = Trait::kEffect;

/// In the order of HloOpcode, which is that of the names.
constexpr std::array<OpcodeFacts, kHloOpcodeCount> kOpcodes = {{
    {"abs", 1, kE},
    {"acos", 1, kE},
    {"acosh", 1, kE},
    {"add", 2, kE},
    {"add-dependency", 2},
    {"after-all", kAny},
    {"all-gather", kAny, kC},
    {"all-gather-done", 1, kC},
    {"all-gather-start", kAny, kC},
    {"all-reduce", kAny, kC},
    {"all-reduce-done", 1, kC},
    {"all-reduce-start", kAny, kC},
    {"all-to-all", kAny, kC},
    {"and", 2, kE},
    {"asin", 1, kE},
    {"asinh", 1, kE},
    {"async-done", 1, kX},
    {"async-start", kAny, kX},
    {"async-update", 1, kX},
    {"atan2", 2, kE},
    {"atanh", 1, kE},
    {"batch-norm-grad", 5},
    {"batch-norm-inference", 5},
    {"batch-norm-training", 3},
    {"bitcast", 1},
    {"bitcast-convert", 1},
    {"broadcast", 1},
    {"call", kAny},
    {"cbrt", 1, kE},
    {"ceil", 1, kE},
    {"cholesky", 1},
    {"clamp", 3, kE},
    {"collective-broadcast", kAny, kC},
    {"collective-permute", kAny, kC},
    {"collective-permute-done", 1, kC},
    {"collective-permute-start", kAny, kC},
    {"compare", 2, kE},
    {"complex", 2, kE},
    {"concatenate", kAny},
    {"conditional", kAny},
    {"constant", 0},
    {"convert", 1, kE},
    {"convolution", 2},
    {"copy", 1, kE},
    {"copy-done", 1},
    {"copy-start", 1},
    {"cosh", 1, kE},
    {"cosine", 1, kE},
    {"count-leading-zeros", 1, kE},
    {"custom-call", kAny, kX},
    {"divide", 2, kE},
    {"domain", 1},
    {"dot", kAny},
    {"dynamic-reshape", kAny},
    {"dynamic-slice", kAny},
    {"dynamic-update-slice", kAny},
    {"erf", 1, kE},
    {"exponential", 1, kE},
    {"exponential-minus-one", 1, kE},
    {"fft", 1},
    {"floor", 1, kE},
    {"fusion", kAny},
    {"gather", 2},
    {"get-dimension-size", 1},
    {"get-tuple-element", 1},
    {"imag", 1, kE},
    {"infeed", 1, kX},
    {"iota", 0},
    {"is-finite", 1, kE},
    {"log", 1, kE},
    {"log-plus-one", 1, kE},
    {"logistic", 1, kE},
    {"map", kAny},
    {"maximum", 2, kE},
    {"minimum", 2, kE},
    {"multiply", 2, kE},
    {"negate", 1, kE},
    {"not", 1, kE},
    {"opt-barrier", 1},
    {"or", 2, kE},
    {"outfeed", 2, kX},
    {"pad", 2},
    {"parameter", 0},
    {"partition-id", 0},
    {"popcnt", 1, kE},
    {"power", 2, kE},
    {"ragged-all-to-all", kAny, kC},
    {"ragged-dot", 3},
    {"real", 1, kE},
    {"recv", 1, kX},
    {"recv-done", 1, kX},
    {"reduce", kAny},
    {"reduce-precision", 1, kE},
    {"reduce-scatter", kAny, kC},
    {"reduce-window", kAny},
    {"remainder", 2, kE},
    {"replica-id", 0},
    {"reshape", 1},
    {"reverse", 1},
    {"rng", kAny, kX},
    {"rng-bit-generator", 1},
    {"rng-get-and-update-state", 0, kX},
    {"round-nearest-afz", 1, kE},
    {"round-nearest-even", 1, kE},
    {"rsqrt", 1, kE},
    {"scaled-dot", kAny},
    {"scan", kAny},
    {"scatter", kAny},
    {"select", 3, kE},
    {"select-and-scatter", 3},
    {"send", 2, kX},
    {"send-done", 1, kX},
    {"set-dimension-size", 2},
    {"shift-left", 2, kE},
    {"shift-right-arithmetic", 2, kE},
    {"shift-right-logical", 2, kE},
    {"sign", 1, kE},
    {"sine", 1, kE},
    {"sinh", 1, kE},
    {"slice", 1},
    {"sort", kAny},
    {"sqrt", 1, kE},
    {"stochastic-convert", 2, kE},
    {"subtract", 2, kE},
    {"tan", 1, kE},
    {"tanh", 1, kE},
    {"topk", 1},
    {"transpose", 1},
    {"triangular-solve", 2},
    {"tuple", kAny},
    {"while", 1},
    {"xor", 2, kE},
    {"unknown", kAny, kX},
}};
static_assert(std::is_sorted(kOpcodes.begin(), kOpcodes.end() - 1,
                             [](const OpcodeFacts& a, const OpcodeFacts& b) {
                               return a.name < b.name;
                             }),
              "parse_opcode searches by halves");

const OpcodeFacts& facts_of(HloOpcode opcode) {
  return kOpcodes[static_cast<size_t>(opcode)];
}

}  // namespace

std::string_view name_of(HloOpcode opcode) {
  return facts_of(opcode).name;
}

HloOpcode parse_opcode(std::string_view name) {
  const auto end = kOpcodes.end() - 1;
  const auto at = std::lower_bound(
      kOpcodes.begin(), end, name,
      [](const OpcodeFacts& facts, std::string_view wanted) { return facts.name < wanted; });
  if (at == end || at->name != name) return HloOpcode::kUnknown;
  return static_cast<HloOpcode>(at - kOpcodes.begin());
}

std::optional<int> arity_of(HloOpcode opcode) {
  const int arity = facts_of(opcode).arity;
  return arity == kAny ? std::nullopt : std::optional(arity);
}

bool is_elementwise(HloOpcode opcode) {
  return facts_of(opcode).trait == Trait::kElementwise;
}
bool is_collective(HloOpcode opcode) {
  return facts_of(opcode).trait == Trait::kCollective;
}

bool has_side_effect(HloOpcode opcode) {
  return is_collective(opcode) || facts_of(opcode).trait == Trait::kEffect;
}

}  // namespace tilewright
