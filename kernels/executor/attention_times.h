#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/machine/machine.h"
#include "core/serving/executor.h"
#include "core/space/problem.h"
#include "kernels/attention/attention.h"
#include "kernels/executor/lowering.h"
#include "kernels/executor/op_memo.h"

namespace tilewright {

/// The decodes of a batch, as far as their time is a matter of them.
struct DecodeLoads {
  int64_t count = 0;
  int64_t contexts = 0;  ///< summed
  /// Of a library, which deals whole requests to cores: decodes and summed contexts of each core.
  struct Core {
    int64_t count = 0;
    int64_t contexts = 0;
  };
  std::vector<Core> cores = {};

  /// Mean context when each has `steps` tokens more.
  double mean_context(int64_t steps) const {
    return static_cast<double>(contexts + steps * count) / static_cast<double>(count);
  }
  /// Keys that the busiest core has beyond the mean of those that have any, likewise.
  double uneven_keys(int64_t steps) const;
};

/// Time of a layer's attention of any batch, from simulations of a few.
///
/// A batch is described by few numbers, and only batches on a grid of these are simulated, when
/// they are first needed. What lies between is interpolated (docs/model.md, "Serving steps"):
///
///   few tokens   decodes and verifications: their number, mean tokens and mean context. Where all
///                slices of the batch have one token the kernel's own decode launch is timed, else
///                its mixed one. A library's decodes, which go to the cores request by request, are
///                simulated with equal contexts, and the keys that the busiest core has beyond the
///                mean are added at the speed of a core alone.
///   many tokens  prefill chunks, all together: their tokens, and the mean number of keys that a
///                token sees. Work is the product of both, in whatever chunks it comes.
///
/// A mixed launch takes the sum of both. The result is a function of the batch and the machine
/// alone, whatever was asked before.
class AttentionTimes {
 public:
  AttentionTimes(const AttentionShape& shape, const Machine& machine, Lowering lowering,
                 OpMemo& memo);

  /// ns of a batch.
  double ns(const Batch& batch);

  /// The decodes of a batch.
  DecodeLoads decodes_of(const Batch& batch) const;

  /// ns of decodes alone, each with `steps` tokens more.
  double decode_ns(const DecodeLoads& decodes, int64_t steps);

  /// ns of the very batch, simulated.
  int64_t simulated_ns(const Batch& batch) const;

  /// Problems of the launches that a batch is, with its prefills, decodes and verifications each
  /// at their means, as a problem has one length for each of them.
  std::vector<Problem> mean_problems(const Batch& batch) const;

 private:
  enum class Part : uint8_t { kDecodes, kFewTokens, kManyTokens };
  using Sequences = std::vector<AttentionSequence>;

  /// The slices that one launch computes, as far as its time is a matter of their sums.
  struct Sums {
    int64_t few = 0;  ///< slices of few tokens
    double few_tokens = 0;
    double few_context = 0;
    double many_tokens = 0;
    double many_keys = 0;  ///< that tokens see, summed over tokens
    bool decodes_only = true;
  };
  static void add(const SequenceSlice& slice, Sums& sums);

  /// Context nodes of one number of slices and tokens with their times; < 0: not simulated yet.
  using Line = std::vector<double>;
  /// Mean keys of a number of prefill tokens, and the chunks that have them.
  struct ManyPoint {
    double keys = 0;
    int64_t chunks = 1;
    int64_t context = 0;
    double ns = -1;
  };

  double time_of(const Sums& sums);
  double few_ns(Part part, double tokens, int64_t count, double context);
  /// Numbers of slices between which, or beyond which, a time lies on a line.
  std::pair<int64_t, int64_t> few_counts(Part part, int64_t count) const;
  double few_at(Part part, int64_t tokens, int64_t count, double context);
  /// Contexts of a simulated batch of few tokens.
  std::vector<int64_t> node_contexts(Part part, int64_t count, int64_t mean) const;
  double few_node(Part part, int64_t tokens, int64_t count, size_t node, Line& line) const;
  double many_ns(double tokens, double mean_keys);
  double many_at(int64_t tokens, double mean_keys);
  double many_node(int64_t tokens, ManyPoint& point) const;
  /// One launch of the kernel that the lowering has for such sequences.
  int64_t launch_ns(Part part, const Sequences& sequences) const;

  AttentionShape shape_;
  const Machine& machine_;
  Lowering lowering_;
  OpMemo& memo_;
  std::string key_;
  std::map<std::tuple<Part, int64_t, int64_t>, Line> few_;  // by part, tokens, count
  std::map<int64_t, std::vector<ManyPoint>> many_;          // by tokens
};

}  // namespace tilewright
