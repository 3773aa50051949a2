#include "simulator/vector_functional.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

/// The larger and the smaller of two numbers as IEEE 754-2019 maximum and minimum: a NaN wins, +0
/// is larger than -0.
float larger(float a, float b) {
  if (a != a || b != b) return a + b;
  return a > b || (a == b && !std::signbit(a)) ? a : b;
}

float smaller(float a, float b) {
  if (a != a || b != b) return a + b;
  return a < b || (a == b && std::signbit(a)) ? a : b;
}

/// result = op(a) for each element; a single row or column of `a` stands for all.
template <typename In, typename Out, typename Op>
void for_each(const VectorValues<In>& a, VectorValues<Out>& result, Op op) {
  for (int64_t r = 0; r < result.rows; ++r) {
    const In* in = a.row(r);
    Out* out = result.row(r);
    if (a.cols == 1) {
      std::fill(out, out + result.cols, op(in[0]));
    } else {
      for (int64_t c = 0; c < result.cols; ++c) out[c] = op(in[c]);
    }
  }
}

template <typename In, typename Out, typename Op>
void for_each(const VectorValues<In>& a, const VectorValues<In>& b, VectorValues<Out>& result,
              Op op) {
  for (int64_t r = 0; r < result.rows; ++r) {
    const In* left = a.row(r);
    const In* right = b.row(r);
    Out* out = result.row(r);
    if (a.cols > 1 && b.cols > 1) {
      for (int64_t c = 0; c < result.cols; ++c) out[c] = op(left[c], right[c]);
    } else {
      const int64_t left_step = a.cols > 1 ? 1 : 0;
      const int64_t right_step = b.cols > 1 ? 1 : 0;
      for (int64_t c = 0; c < result.cols; ++c) {
        out[c] = op(left[c * left_step], right[c * right_step]);
      }
    }
  }
}

/// result = op(row) for each row of `a`, given as first element and number of elements.
template <typename Op>
void for_each_row(const VectorOperand& a, VectorOperand& result, Op op) {
  for (int64_t r = 0; r < result.rows; ++r) *result.row(r) = op(a.row(r), a.cols);
}

float row_sum(const float* values, int64_t count) {
  float sum = 0;
  for (int64_t c = 0; c < count; ++c) sum += values[c];
  return sum;
}

float row_max(const float* values, int64_t count) {
  float largest = values[0];
  for (int64_t c = 1; c < count; ++c) largest = larger(largest, values[c]);
  return largest;
}

float row_min(const float* values, int64_t count) {
  float smallest = values[0];
  for (int64_t c = 1; c < count; ++c) smallest = smaller(smallest, values[c]);
  return smallest;
}

template <typename Number>
void compare(VectorOp op, const VectorValues<Number>& a, const VectorValues<Number>& b,
             VectorOperand& result) {
  if (op == VectorOp::kLess) {
    for_each(a, b, result, [](Number x, Number y) { return x < y ? 1.0f : 0.0f; });
  } else if (op == VectorOp::kLessEqual) {
    for_each(a, b, result, [](Number x, Number y) { return x <= y ? 1.0f : 0.0f; });
  } else {
    for_each(a, b, result, [](Number x, Number y) { return x == y ? 1.0f : 0.0f; });
  }
}

/// The first NaN counts as the largest.
float row_arg_max(const float* values, int64_t count) {
  int64_t best = 0;
  for (int64_t c = 1; c < count && values[best] == values[best]; ++c) {
    if (!(values[c] <= values[best])) best = c;
  }
  return static_cast<float>(best);
}

void mask(const VectorOperand& a, const VectorScalars& with, VectorOperand& result) {
  for (int64_t r = 0; r < result.rows; ++r) {
    const int64_t visible = std::clamp<int64_t>(
        static_cast<int64_t>(with.scalar) + (with.first_row + r) / with.divisor, 0, result.cols);
    const float* in = a.row(r);
    float* out = result.row(r);
    if (a.cols == 1) {
      std::fill(out, out + visible, in[0]);
    } else {
      std::copy(in, in + visible, out);
    }
    std::fill(out + visible, out + result.cols, -std::numeric_limits<float>::infinity());
  }
}

/// `result` holds what stays where the truth `a` is 0.
template <typename Number>
void select(const VectorOperand& a, const VectorValues<Number>& b, VectorValues<Number>& result) {
  for (int64_t r = 0; r < result.rows; ++r) {
    for (int64_t c = 0; c < result.cols; ++c) {
      if (a.row(r)[a.cols > 1 ? c : 0] != 0) result.row(r)[c] = b.row(r)[b.cols > 1 ? c : 0];
    }
  }
}

/// result[r][c] = op(block c of row r), blocks of `length` columns, the last one what is left.
template <typename Op>
void for_each_block(const VectorOperand& a, int64_t length, VectorOperand& result, Op op) {
  for (int64_t r = 0; r < result.rows; ++r) {
    for (int64_t c = 0; c < result.cols; ++c) {
      result.row(r)[c] = op(a.row(r) + c * length, std::min(length, a.cols - c * length));
    }
  }
}

void gather(const VectorOperand& a, const VectorOperand& index, VectorOperand& result) {
  for (int64_t r = 0; r < result.rows; ++r) {
    for (int64_t c = 0; c < result.cols; ++c) {
      const auto column = static_cast<int64_t>(index.row(r)[c]);
      const bool inside = column >= 0 && column < a.cols;
      result.row(r)[c] = inside ? a.row(r)[column] : std::numeric_limits<float>::quiet_NaN();
    }
  }
}

struct Record {
  float key = 0;
  float payload = 0;
};

bool before(const Record& x, const Record& y) {
  return x.key > y.key || (x.key != x.key && y.key == y.key);
}

/// Rows of keys and payloads to rows of records, sorted in runs.
void sort_runs(const VectorOperand& keys, const VectorOperand& payloads, VectorOperand& result) {
  std::vector<Record> records(static_cast<size_t>(keys.cols));
  for (int64_t r = 0; r < result.rows; ++r) {
    for (int64_t c = 0; c < keys.cols; ++c) {
      records[static_cast<size_t>(c)] = {keys.row(r)[c], payloads.row(r)[c]};
    }
    for (int64_t first = 0; first < keys.cols; first += kSortRun) {
      std::stable_sort(records.begin() + first,
                       records.begin() + std::min(keys.cols, first + kSortRun), before);
    }
    float* out = result.row(r);
    for (const Record& record : records) {
      *out++ = record.key;
      *out++ = record.payload;
    }
  }
}

/// Merges up to four runs of up to `length` records, `count` in all, by their first records: equal
/// ones in the order of the runs.
void merge_four(const float* records, int64_t count, int64_t length, float* out) {
  std::array<int64_t, 4> at = {0, length, 2 * length, 3 * length};
  const auto record_at = [&](int64_t i) { return Record{records[2 * i], records[2 * i + 1]}; };
  for (int64_t done = 0; done < count; ++done) {
    size_t best = at.size();
    for (size_t run = 0; run < at.size(); ++run) {
      const int64_t end = std::min(count, (static_cast<int64_t>(run) + 1) * length);
      if (at[run] >= end) continue;
      if (best == at.size() || before(record_at(at[run]), record_at(at[best]))) best = run;
    }
    const Record record = record_at(at[best]++);
    *out++ = record.key;
    *out++ = record.payload;
  }
}

void merge_runs(const VectorOperand& a, int64_t length, VectorOperand& result) {
  const int64_t records = a.cols / 2;
  for (int64_t r = 0; r < result.rows; ++r) {
    for (int64_t first = 0; first < records; first += 4 * length) {
      merge_four(a.row(r) + 2 * first, std::min(4 * length, records - first), length,
                 result.row(r) + 2 * first);
    }
  }
}

bool reduces_rows(VectorOp op) {
  return op == VectorOp::kRowSum || op == VectorOp::kRowMax || op == VectorOp::kRowArgMax;
}

}  // namespace

bool fits_vector_op(VectorOp op, bool second, int64_t rows, int64_t cols, int64_t dst_rows,
                    int64_t dst_cols, int64_t divisor) {
  const bool rows_fit = rows == dst_rows || (rows == 1 && !reduces_rows(op));
  if (!rows_fit) return false;
  if (reduces_rows(op)) return dst_cols == 1;
  switch (op) {
    case VectorOp::kBlockSum:
    case VectorOp::kBlockMax:
    case VectorOp::kBlockMin:
      return dst_cols == ceil_div(cols, divisor);
    case VectorOp::kGather:
      return !second || cols == dst_cols;
    case VectorOp::kSort:
      return 2 * cols == dst_cols;
    case VectorOp::kMerge:
      return cols == dst_cols && cols % 2 == 0;
    default:
      return cols == dst_cols || cols == 1;
  }
}

void apply_vector_op(VectorOp op, const VectorOperand& a, const VectorOperand& b,
                     const VectorScalars& with, VectorOperand& dst) {
  const auto number = static_cast<float>(with.scalar);
  dst.values.resize(static_cast<size_t>(dst.rows * dst.cols));
  switch (op) {
    case VectorOp::kAdd:
      return for_each(a, b, dst, [](float x, float y) { return x + y; });
    case VectorOp::kSub:
      return for_each(a, b, dst, [](float x, float y) { return x - y; });
    case VectorOp::kMul:
      return for_each(a, b, dst, [](float x, float y) { return x * y; });
    case VectorOp::kDiv:
      return for_each(a, b, dst, [](float x, float y) { return x / y; });
    case VectorOp::kMax:
      return for_each(a, b, dst, larger);
    case VectorOp::kMin:
      return for_each(a, b, dst, smaller);
    case VectorOp::kAdds:
      return for_each(a, dst, [=](float x) { return x + number; });
    case VectorOp::kMuls:
      return for_each(a, dst, [=](float x) { return x * number; });
    case VectorOp::kExp:
      return for_each(a, dst, [](float x) { return std::exp(x); });
    case VectorOp::kLn:
      return for_each(a, dst, [](float x) { return std::log(x); });
    case VectorOp::kSqrt:
      return for_each(a, dst, [](float x) { return std::sqrt(x); });
    case VectorOp::kRsqrt:
      return for_each(a, dst, [](float x) { return 1.0f / std::sqrt(x); });
    case VectorOp::kRowSum:
      return for_each_row(a, dst, row_sum);
    case VectorOp::kRowMax:
      return for_each_row(a, dst, row_max);
    case VectorOp::kRowArgMax:
      return for_each_row(a, dst, row_arg_max);
    case VectorOp::kDup:
      std::fill(dst.values.begin(), dst.values.end(), number);
      return;
    case VectorOp::kLess:
    case VectorOp::kLessEqual:
    case VectorOp::kEqual:
      return compare(op, a, b, dst);
    case VectorOp::kBlockSum:
      return for_each_block(a, with.divisor, dst, row_sum);
    case VectorOp::kBlockMax:
      return for_each_block(a, with.divisor, dst, row_max);
    case VectorOp::kBlockMin:
      return for_each_block(a, with.divisor, dst, row_min);
    case VectorOp::kIndex:
      for (int64_t i = 0; i < dst.rows * dst.cols; ++i) {
        dst.values[static_cast<size_t>(i)] =
            static_cast<float>(with.scalar + static_cast<double>(i % dst.cols));
      }
      return;
    case VectorOp::kGather:
      return gather(a, b, dst);
    case VectorOp::kSort:
      return sort_runs(a, b, dst);
    case VectorOp::kMerge:
      return merge_runs(a, with.divisor, dst);
    case VectorOp::kMask:
      return mask(a, with, dst);
    case VectorOp::kSelect:
      return select(a, b, dst);
    case VectorOp::kConvert:
    case VectorOp::kCopy:
      return for_each(a, dst, [](float x) { return x; });
    case VectorOp::kAnd:
    case VectorOp::kOr:
    case VectorOp::kShiftLefts:
    case VectorOp::kShiftRights:
      TW_CHECK(false, "bits are those of whole numbers");
  }
}

void apply_whole_op(VectorOp op, const WholeOperand& a, const WholeOperand& b, double scalar,
                    WholeOperand& dst) {
  dst.values.resize(static_cast<size_t>(dst.rows * dst.cols));
  // Without a sign, so that they wrap around.
  const auto wide = [](int32_t number) { return static_cast<uint32_t>(number); };
  const auto whole = [](uint32_t bits) { return static_cast<int32_t>(bits); };
  const auto shift = static_cast<uint32_t>(std::clamp(scalar, 0.0, 31.0));
  switch (op) {
    case VectorOp::kAdd:
      return for_each(a, b, dst, [&](int32_t x, int32_t y) { return whole(wide(x) + wide(y)); });
    case VectorOp::kSub:
      return for_each(a, b, dst, [&](int32_t x, int32_t y) { return whole(wide(x) - wide(y)); });
    case VectorOp::kMul:
      return for_each(a, b, dst, [&](int32_t x, int32_t y) { return whole(wide(x) * wide(y)); });
    case VectorOp::kAnd:
      return for_each(a, b, dst, [](int32_t x, int32_t y) { return x & y; });
    case VectorOp::kOr:
      return for_each(a, b, dst, [](int32_t x, int32_t y) { return x | y; });
    case VectorOp::kShiftLefts:
      return for_each(a, dst, [&](int32_t x) { return whole(wide(x) << shift); });
    case VectorOp::kShiftRights:
      return for_each(a, dst, [&](int32_t x) { return whole(wide(x) >> shift); });
    case VectorOp::kCopy:
      return for_each(a, dst, [](int32_t x) { return x; });
    case VectorOp::kDup:
      std::ranges::fill(dst.values, whole(static_cast<uint32_t>(std::llrint(scalar))));
      return;
    default:
      TW_CHECK(false, "an operation on whole numbers");
  }
}

void select_wholes(const VectorOperand& truth, const WholeOperand& b, WholeOperand& dst) {
  select(truth, b, dst);
}

void compare_wholes(VectorOp op, const WholeOperand& a, const WholeOperand& b, VectorOperand& dst) {
  dst.values.resize(static_cast<size_t>(dst.rows * dst.cols));
  compare(op, a, b, dst);
}

}  // namespace tilewright
