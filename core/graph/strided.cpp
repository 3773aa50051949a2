#include "core/graph/strided.h"

#include <algorithm>

namespace tilewright {
namespace {

struct Dimension {
  int64_t size;
  int64_t from;
  int64_t to;
};

/// The fewest dimensions that say the same: without those of one element, neighbours joined where
/// both arrays step evenly over them. At least one.
std::vector<Dimension> joined(std::span<const int64_t> dims, const Strided& source,
                              const Strided& target) {
  std::vector<Dimension> joined;
  for (size_t d = 0; d < dims.size(); ++d) {
    const Dimension next = {dims[d], source.strides[d], target.strides[d]};
    if (next.size == 1) continue;
    if (!joined.empty()) {
      Dimension& outer = joined.back();
      if (outer.from == next.from * next.size && outer.to == next.to * next.size) {
        outer = {outer.size * next.size, next.from, next.to};
        continue;
      }
    }
    joined.push_back(next);
  }
  if (joined.empty()) joined.push_back({1, 1, 1});
  return joined;
}

void copy_run(const Dimension& run, const Element* from, Element* to) {
  if (run.to == 1 && run.from == 1) {
    std::copy_n(from, run.size, to);
  } else if (run.to == 1 && run.from == 0) {
    std::fill_n(to, run.size, *from);
  } else {
    for (int64_t i = 0; i < run.size; ++i) to[i * run.to] = from[i * run.from];
  }
}

/// Dimensions beside one of no elements may be of any size; their product stops growing there.
int64_t bounded_product(int64_t a, int64_t b) {
  return b > 0 && a > kMaxElements / b ? kMaxElements : a * b;
}

}  // namespace

std::vector<int64_t> row_major_strides(std::span<const int64_t> dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t d = dims.size(); d-- > 1;) strides[d - 1] = bounded_product(strides[d], dims[d]);
  return strides;
}

int64_t count_of(std::span<const int64_t> dims) {
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return 0;
  int64_t count = 1;
  for (const int64_t dim : dims) count = bounded_product(count, dim);
  return count;
}

std::vector<int64_t> picked(std::span<const int64_t> list, std::span<const int64_t> indices) {
  std::vector<int64_t> result;
  result.reserve(indices.size());
  for (const int64_t index : indices) result.push_back(list[static_cast<size_t>(index)]);
  return result;
}

std::vector<int64_t> all_but(int64_t rank, std::span<const int64_t> list) {
  std::vector<int64_t> result;
  for (int64_t d = 0; d < rank; ++d) {
    if (std::find(list.begin(), list.end(), d) == list.end()) result.push_back(d);
  }
  return result;
}

void copy_block(std::span<const int64_t> dims, const Element* from, const Strided& source,
                Element* to, const Strided& target) {
  if (count_of(dims) == 0) return;
  const std::vector<Dimension> all = joined(dims, source, target);
  const Dimension& run = all.back();
  std::vector<int64_t> outer;
  std::array<Strided, 2> arrays = {{{{}, source.offset}, {{}, target.offset}}};
  for (size_t d = 0; d + 1 < all.size(); ++d) {
    outer.push_back(all[d].size);
    arrays[0].strides.push_back(all[d].from);
    arrays[1].strides.push_back(all[d].to);
  }
  for (StridedWalk<2> walk(outer, arrays); !walk.done(); walk.next()) {
    copy_run(run, from + walk.at(0), to + walk.at(1));
  }
}

Value permuted(const Value& value, std::span<const int64_t> order) {
  const std::vector<int64_t>& dims = value.shape().dims;
  Value result(array_shape(value.shape().type, picked(dims, order)));
  const std::vector<int64_t>& to_dims = result.shape().dims;
  copy_block(to_dims, value.elements().data(), {picked(row_major_strides(dims), order)},
             result.writable().data(), {row_major_strides(to_dims)});
  return result;
}

}  // namespace tilewright
