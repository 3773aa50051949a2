#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/dtype.h"

namespace tilewright {

/// An op with its shapes, types and layouts: what a kernel computes, and half of the key under
/// which a measurement is found again.
///
/// Canonical text, fields in fixed order: kernel, types of its tensors, their layouts, sizes (in
/// the kernel's order), epilogue, and the mask of kernels that have one; for example `gemm f16 f16
/// f16 nd nz nd m=512 n=4096 k=4096 epilogue=none`.
struct Problem {
  std::string kernel;
  std::vector<DType> types;
  std::vector<std::string> layouts;
  std::vector<std::pair<std::string, int64_t>> sizes;
  std::string epilogue = "none";
  std::string mask = {};  ///< of kernels that have masks

  /// The canonical text.
  std::string text() const;
  /// The size of that name; the name must exist (a programming error otherwise).
  int64_t size(std::string_view name) const;
  bool has(std::string_view name) const;
  /// The same problem with one size changed; the name must exist.
  Problem with(std::string_view name, int64_t value) const;

  friend bool operator==(const Problem&, const Problem&) = default;
};

/// Reads a canonical text back: parse_problem(p.text()) == p, and no other spelling of p is
/// accepted. Error (failed) says what is wrong with it.
Problem parse_problem(std::string_view text);

}  // namespace tilewright
