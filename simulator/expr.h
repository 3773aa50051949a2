#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/hash.h"

namespace tilewright {

/// A whole number of an instruction template that is known only when it runs: affine in the task's
/// bindings and in the loop index, optionally looked up in a table or taken modulo a ring size.
///
///   inner  = constant + step * index + sum of coefficient * binding
///   affine: inner
///   ring:   outer + scale * (inner mod modulus)
///   table:  outer + scale * table[inner]
///   outer  = offset + sum of coefficient * binding
class Expr {
 public:
  static constexpr int kMaxTerms = 3;
  static constexpr int kMaxOuterTerms = 2;
  enum class Kind : uint8_t { kAffine, kRing, kTable };

  /// A plain number.
  Expr(int64_t constant = 0) : constant_(constant) {}  // NOLINT: numbers are expressions

  static Expr binding(int slot);
  static Expr index();

  /// Slot of a ring of `modulus` buffers; `inner` must not be negative when it runs.
  static Expr ring(const Expr& inner, int64_t modulus);
  /// Element of the launch's table `table`.
  static Expr table(int table, const Expr& inner);

  friend Expr operator+(const Expr& a, const Expr& b);
  friend Expr operator*(const Expr& a, int64_t factor);

  /// The value for a task's bindings at a loop index.
  int64_t at(std::span<const int64_t> bindings, std::span<const std::vector<int64_t>> tables,
             int64_t index) const;

  /// True when the value does not depend on the loop index.
  bool is_loop_invariant() const { return step_ == 0; }
  /// Of an affine value: what it gains from one loop index to the next.
  int64_t step() const { return step_; }
  bool is_affine() const { return kind_ == Kind::kAffine; }
  bool is_constant() const { return step_ == 0 && kind_ == Kind::kAffine && terms_[0].slot < 0; }
  int64_t constant() const { return constant_; }

  /// Highest binding slot used, -1 for none; table used, -1 for none.
  int highest_slot() const;
  int table_id() const { return kind_ == Kind::kTable ? static_cast<int>(modulus_or_table_) : -1; }
  void add_to(Hasher& hasher) const;
  /// Calls use(slot) for every binding.
  template <typename Use>
  void for_each_slot(Use use) const {
    for (const Term& term : terms_) {
      if (term.slot >= 0) use(term.slot);
    }
    for (const Term& term : outer_) {
      if (term.slot >= 0) use(term.slot);
    }
  }

 private:
  struct Term {
    int32_t slot = -1;
    int64_t coefficient = 0;
  };

  static void add_term(std::span<Term> terms, const Term& term);

  Kind kind_ = Kind::kAffine;
  int64_t constant_ = 0;
  int64_t step_ = 0;
  std::array<Term, kMaxTerms> terms_{};
  std::array<Term, kMaxOuterTerms> outer_{};
  int64_t offset_ = 0;
  int64_t scale_ = 1;
  int64_t modulus_or_table_ = 0;
};

}  // namespace tilewright
