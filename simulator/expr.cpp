#include "simulator/expr.h"

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

Expr Expr::binding(int slot) {
  Expr expr;
  expr.terms_[0] = {slot, 1};
  return expr;
}

Expr Expr::index() {
  Expr expr;
  expr.step_ = 1;
  return expr;
}

Expr Expr::ring(const Expr& inner, int64_t modulus) {
  TW_CHECK(inner.kind_ == Kind::kAffine && modulus > 0, "a ring is indexed by an affine value");
  Expr expr = inner;
  expr.kind_ = Kind::kRing;
  expr.modulus_or_table_ = modulus;
  return expr;
}

Expr Expr::table(int table, const Expr& inner) {
  TW_CHECK(inner.kind_ == Kind::kAffine && table >= 0, "a table is indexed by an affine value");
  Expr expr = inner;
  expr.kind_ = Kind::kTable;
  expr.modulus_or_table_ = table;
  return expr;
}

void Expr::add_term(std::span<Term> terms, const Term& term) {
  const auto place = std::find_if(terms.begin(), terms.end(),
                                  [&](const Term& t) { return t.slot == term.slot || t.slot < 0; });
  TW_CHECK(place != terms.end(), "an expression has few bindings");
  *place = {term.slot, (place->slot < 0 ? 0 : place->coefficient) + term.coefficient};
}

Expr operator+(const Expr& a, const Expr& b) {
  if (a.kind_ == Expr::Kind::kAffine && b.kind_ != Expr::Kind::kAffine) return b + a;
  Expr sum = a;
  const bool affine = a.kind_ == Expr::Kind::kAffine;
  TW_CHECK(affine || (b.kind_ == Expr::Kind::kAffine && b.step_ == 0),
           "only numbers and bindings can be added to a ring or table value");
  (affine ? sum.constant_ : sum.offset_) += b.constant_;
  sum.step_ += b.step_;
  for (const Expr::Term& term : b.terms_) {
    if (term.slot < 0) continue;
    Expr::add_term(affine ? std::span<Expr::Term>(sum.terms_) : std::span<Expr::Term>(sum.outer_),
                   term);
  }
  return sum;
}

Expr operator*(const Expr& a, int64_t factor) {
  Expr product = a;
  if (a.kind_ != Expr::Kind::kAffine) {
    product.offset_ *= factor;
    product.scale_ *= factor;
    for (Expr::Term& term : product.outer_) term.coefficient *= factor;
    return product;
  }
  product.constant_ *= factor;
  product.step_ *= factor;
  for (Expr::Term& term : product.terms_) term.coefficient *= factor;
  return product;
}

int64_t Expr::at(std::span<const int64_t> bindings, std::span<const std::vector<int64_t>> tables,
                 int64_t index) const {
  int64_t inner = constant_ + step_ * index;
  for (const Term& term : terms_) {
    if (term.slot < 0) break;
    inner += term.coefficient * bindings[static_cast<size_t>(term.slot)];
  }
  if (kind_ == Kind::kAffine) return inner;
  int64_t outer = offset_;
  for (const Term& term : outer_) {
    if (term.slot < 0) break;
    outer += term.coefficient * bindings[static_cast<size_t>(term.slot)];
  }
  if (kind_ == Kind::kRing) return outer + scale_ * (inner % modulus_or_table_);
  const std::vector<int64_t>& table = tables[static_cast<size_t>(modulus_or_table_)];
  if (inner < 0 || inner >= static_cast<int64_t>(table.size())) {
    throw Error(ErrorKind::kFailed, "a template reads outside its table");
  }
  return outer + scale_ * table[static_cast<size_t>(inner)];
}

void Expr::add_to(Hasher& hasher) const {
  hasher.add(static_cast<int64_t>(kind_)).add(constant_).add(step_);
  for (const Term& term : terms_) hasher.add(int64_t{term.slot}).add(term.coefficient);
  for (const Term& term : outer_) hasher.add(int64_t{term.slot}).add(term.coefficient);
  hasher.add(offset_).add(scale_).add(modulus_or_table_);
}

int Expr::highest_slot() const {
  int highest = -1;
  for_each_slot([&](int slot) { highest = std::max(highest, slot); });
  return highest;
}

}  // namespace tilewright
