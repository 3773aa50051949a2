#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/workload/workload.h"

namespace tilewright {

/// Which tokens of which requests are equal, without holding tokens that nobody knows. A token is
/// - a real id: of the prompt, of the recorded output, or made by a functional executor;
/// - or one of a piece of Workload::prefix_block_tokens prompt tokens, known by its prefix hash and
///   those of the pieces before: equal to the token at the same place of an equal piece;
/// - or unknown, and then equal to itself alone.
/// Positions count prompt, then output. The workload must outlive this.
class TokenIdentity {
 public:
  explicit TokenIdentity(const Workload& workload);

  /// A hash of the tokens [begin, end) of a request behind a prefix with hash `parent`: equal for
  /// equal tokens behind equal prefixes. The request's output must be known up to `end`, where it
  /// has ids.
  uint64_t hash(uint64_t parent, int64_t request, int64_t begin, int64_t end) const;

  /// How the tokens [begin, end) of `a` and `b` compare: how many are equal, and whether a's first
  /// other one comes before b's in some fixed order.
  struct Comparison {
    int64_t equal = 0;
    bool less = false;
  };
  Comparison compare(int64_t a, int64_t b, int64_t begin, int64_t end) const;

  /// Functional mode: prompt and output ids, which the engine makes longer.
  std::vector<int32_t>& ids(int64_t request) { return texts_[static_cast<size_t>(request)].ids; }
  const std::vector<int32_t>& ids(int64_t request) const {
    return texts_[static_cast<size_t>(request)].ids;
  }
  /// From now on the ids of all requests are their prompt's and what the engine adds.
  void use_functional_ids();

 private:
  enum class Kind : uint8_t { kId, kPiece, kUnknown };
  struct Text {
    int64_t prompt = 0;
    std::span<const int32_t> prompt_ids;
    std::span<const int32_t> output_ids;
    std::vector<uint64_t> pieces;  // hash of each piece and all before it
    std::vector<int32_t> ids;      // functional mode
  };
  /// Tokens from some position on that are alike.
  struct Run {
    Kind kind;
    uint64_t value;                // what makes the tokens equal to those of another run
    int64_t end;                   // of the run
    const int32_t* ids = nullptr;  // kId: from the position on
  };
  Run run_at(int64_t request, int64_t position) const;

  int64_t piece_tokens_;
  bool is_functional_ = false;
  std::vector<Text> texts_;
};

}  // namespace tilewright
