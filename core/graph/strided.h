#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/graph/value.h"

namespace tilewright {

/// Distances, in elements, between neighbours of each dimension of a row-major array.
std::vector<int64_t> row_major_strides(std::span<const int64_t> dims);

/// Product of dims, at most kMaxElements.
int64_t count_of(std::span<const int64_t> dims);

/// `list[index]` for each index.
std::vector<int64_t> picked(std::span<const int64_t> list, std::span<const int64_t> indices);

/// The numbers in [0, rank) that `list` does not hold, ascending.
std::vector<int64_t> all_but(int64_t rank, std::span<const int64_t> list);

/// Where an array's elements lie, seen through an index of some dimensions.
struct Strided {
  std::vector<int64_t> strides = {};
  int64_t offset = 0;
};

/// Visits the indices of `dims` in row-major order, and for each the offsets of N arrays.
template <size_t N>
class StridedWalk {
 public:
  StridedWalk(std::span<const int64_t> dims, const std::array<Strided, N>& arrays)
      : dims_(dims.begin(), dims.end()), arrays_(arrays), index_(dims.size(), 0) {
    for (size_t i = 0; i < N; ++i) at_[i] = arrays_[i].offset;
    done_ = count_of(dims) == 0;
  }

  bool done() const { return done_; }
  int64_t at(size_t array) const { return at_[array]; }
  const std::vector<int64_t>& index() const { return index_; }

  void next() {
    for (size_t d = dims_.size(); d-- > 0;) {
      if (++index_[d] < dims_[d]) {
        for (size_t i = 0; i < N; ++i) at_[i] += arrays_[i].strides[d];
        return;
      }
      index_[d] = 0;
      for (size_t i = 0; i < N; ++i) at_[i] -= arrays_[i].strides[d] * (dims_[d] - 1);
    }
    done_ = true;
  }

 private:
  std::vector<int64_t> dims_;
  std::array<Strided, N> arrays_;
  std::vector<int64_t> index_;
  std::array<int64_t, N> at_{};
  bool done_ = false;
};

/// Copies the elements of a block of `dims` from one array to another.
void copy_block(std::span<const int64_t> dims, const Element* from, const Strided& source,
                Element* to, const Strided& target);

/// The dimensions of `value` in another order: dimension i of the result is order[i] of the value.
Value permuted(const Value& value, std::span<const int64_t> order);

}  // namespace tilewright
