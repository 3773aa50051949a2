#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/integers.h"
#include "kernels/attention/attention.h"

namespace tilewright {

namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr double kUnit = 0x1p-24;  // of f32

/// What a query row sees: the rows of k (and v) that hold its keys, and what is added to its
/// scores.
struct Keys {
  std::vector<int64_t> rows;
  std::vector<double> added;
};

/// One query row at a time, in f64, with a bound on the error of a launch.
///
/// A score's error, in the exponent: that of the sum of its products, of their scaling and of the
/// differences to maxima (a chain of them telescopes), and that of each exponential on its way; so
/// probabilities are wrong by a factor of at most e^d, d = the score's error + the largest one, but
/// never by more than 1. They are rounded to the type before they meet the values.
class RowReference {
 public:
  RowReference(const AttentionShape& shape, std::vector<float> q, std::vector<float> k,
               std::vector<float> v)
      : dim_(shape.dim),
        v_dim_(shape.value_dim()),
        v_pitch_(shape.latent ? shape.dim : v_dim_),
        type_(shape.type),
        q_(std::move(q)),
        k_(std::move(k)),
        v_(std::move(v)) {}

  /// Writes v_dim values and allowed errors.
  void compute(int64_t query, const Keys& keys, double* values, double* errors) {
    score(query, keys);
    const double largest = *std::max_element(scores_.begin(), scores_.end());
    std::fill(values, values + v_dim_, 0.0);
    std::fill(errors, errors + v_dim_, 0.0);
    if (largest == kMinusInfinity) return;  // it sees no key
    double sum = 0;
    for (double score : scores_) sum += std::exp(score - largest);
    const std::vector<float>& v = v_.empty() ? k_ : v_;
    const double log_sum = largest + std::log(sum);
    for (size_t p = 0; p < scores_.size(); ++p) {
      const double weight = std::exp(scores_[p] - log_sum);
      for (int64_t c = 0; c < v_dim_; ++c)
        values[c] +=
            weight * static_cast<double>(v[static_cast<size_t>(keys.rows[p] * v_pitch_ + c)]);
    }
    bound(keys, v, log_sum, largest, values, errors);
  }

 private:
  void score(int64_t query, const Keys& keys) {
    const double scale = 1 / std::sqrt(static_cast<double>(dim_));
    scores_.assign(keys.rows.size(), 0);
    score_errors_.assign(keys.rows.size(), 0);
    for (size_t p = 0; p < keys.rows.size(); ++p) {
      double sum = 0;
      double size = 0;
      for (int64_t d = 0; d < dim_; ++d) {
        const double product =
            static_cast<double>(q_[static_cast<size_t>(query * dim_ + d)]) *
            static_cast<double>(k_[static_cast<size_t>(keys.rows[p] * dim_ + d)]);
        sum += product;
        size += std::abs(product);
      }
      scores_[p] = sum * scale + keys.added[p];
      score_errors_[p] = scale * (sum_error(dim_) * size + 3 * kUnit * std::abs(sum));
    }
  }

  void bound(const Keys& keys, const std::vector<float>& v, double log_sum, double largest,
             const double* values, double* errors) const {
    const auto count = static_cast<double>(keys.rows.size());
    double range = 0;
    double largest_error = 0;
    for (size_t p = 0; p < scores_.size(); ++p) {
      largest_error = std::max(largest_error, score_errors_[p]);
      if (scores_[p] > kMinusInfinity)
        range = std::max({range, std::abs(scores_[p]), std::abs(largest - scores_[p])});
    }
    // KV tiles have at least one token each; every one may rescale by a rounded exponential.
    const double chain = 8 * kUnit * range + 4 * kUnit * (count + 1);
    const double unit =
        rounding_unit(type_) + 2 * sum_error(static_cast<int64_t>(count)) + 8 * kUnit * count;
    for (size_t p = 0; p < scores_.size(); ++p) {
      const double d = score_errors_[p] + largest_error + chain;
      const double log_weight = scores_[p] - log_sum;
      const double most = std::exp(std::min(0.0, log_weight + d));
      const double wrong = std::min(most, std::exp(log_weight) * std::expm1(std::min(d, 700.0)));
      for (int64_t c = 0; c < v_dim_; ++c) {
        const double value =
            static_cast<double>(v[static_cast<size_t>(keys.rows[p] * v_pitch_ + c)]);
        errors[c] += wrong * std::abs(value - values[c]) +
                     (most * unit + subnormal_error(type_)) * std::abs(value);
      }
    }
    for (int64_t c = 0; c < v_dim_; ++c)
      errors[c] = errors[c] * (1 + rounding_unit(type_)) + subnormal_error(type_);
  }

  int64_t dim_, v_dim_, v_pitch_;
  DType type_;
  std::vector<float> q_, k_, v_;
  std::vector<double> scores_, score_errors_;
};

}  // namespace

ExpectedTensor attention_reference(const AttentionShape& shape,
                                   std::span<const AttentionSequence> sequences,
                                   std::span<const int64_t> block_of, const Launch& launch,
                                   const GmImage& inputs) {
  const auto read = [&](const char* name) {
    const auto tensor = static_cast<size_t>(tensor_named(launch, name));
    return read_tensor(launch.tensors[tensor], inputs[tensor]);
  };
  RowReference reference(shape, read("q"), read("k"),
                         shape.latent ? std::vector<float>() : read("v"));
  std::vector<float> mask;
  int64_t mask_cols = 0;
  const bool has_mask = std::ranges::any_of(
      sequences, [](const AttentionSequence& s) { return s.mask == AttentionMask::kTree; });
  if (has_mask) {
    mask = read("mask");
    mask_cols = launch.tensors[static_cast<size_t>(tensor_named(launch, "mask"))].cols;
  }
  const int64_t group = shape.group();
  const int64_t v_dim = shape.value_dim();
  int64_t all_tokens = 0;
  for (const AttentionSequence& s : sequences) all_tokens += s.tokens;
  const int64_t rows = all_tokens * shape.heads;
  ExpectedTensor out{tensor_named(launch, "out"), rows, v_dim, {}, 0, rounding_unit(shape.type)};
  out.values.resize(static_cast<size_t>(rows * v_dim));
  out.errors.resize(out.values.size());
  int64_t first_token = 0;
  int64_t first_block = 0;
  int64_t mask_row = 0;
  for (const AttentionSequence& s : sequences) {
    const int64_t keys = s.context + s.tokens;
    for (int64_t head = 0; head < shape.kv_heads; ++head) {
      for (int64_t token = 0; token < s.tokens; ++token) {
        const int64_t visible = s.mask == AttentionMask::kCausal ? s.context + token + 1 : keys;
        Keys seen;
        for (int64_t p = 0; p < visible; ++p) {
          const int64_t block = block_of[static_cast<size_t>(first_block + p / shape.block_size)];
          seen.rows.push_back((block * shape.kv_heads + head) * shape.block_size +
                              p % shape.block_size);
          const bool corner = s.mask == AttentionMask::kTree && p >= s.corner();
          const int64_t at = (mask_row + token) * mask_cols + kMaskMargin + p - s.corner();
          seen.added.push_back(corner ? static_cast<double>(mask[static_cast<size_t>(at)]) : 0);
        }
        for (int64_t member = 0; member < group; ++member) {
          const int64_t row = (head * all_tokens + first_token + token) * group + member;
          reference.compute(row, seen, &out.values[static_cast<size_t>(row * v_dim)],
                            &out.errors[static_cast<size_t>(row * v_dim)]);
        }
      }
    }
    first_token += s.tokens;
    first_block += ceil_div(keys, shape.block_size);
    if (s.mask == AttentionMask::kTree) mask_row += s.tokens;
  }
  return out;
}

std::vector<ExpectedTensor> AttentionKernel::reference(const Problem& problem, const Launch& launch,
                                                       const GmImage& inputs) const {
  return {attention_reference(attention_shape(problem), attention_sequences(problem),
                              attention_blocks(problem), launch, inputs)};
}

namespace {

/// A tree of drafts for each sequence that has one: a token sees itself and those above it. With
/// the pattern of minus infinity some rows are hidden as a whole.
std::vector<float> tree_masks(std::span<const AttentionSequence> sequences, int64_t cols,
                              const InputValues& values) {
  std::vector<float> mask;
  int64_t tokens = 0;
  for (const AttentionSequence& s : sequences)
    tokens += s.mask == AttentionMask::kTree ? s.tokens : 0;
  const std::vector<float> random = input_values(
      DType::kF32, tokens, 1, 0, 1, {values.seed, InputPattern::kUniform}, /*stream=*/99);
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  for (const AttentionSequence& s : sequences) {
    if (s.mask != AttentionMask::kTree) continue;
    const size_t first = mask.size();
    for (int64_t token = 0; token < s.tokens; ++token) {
      std::vector<float> row(static_cast<size_t>(cols), 0);
      const auto corner = static_cast<std::ptrdiff_t>(kMaskMargin + s.context - s.corner());
      std::fill_n(row.begin() + corner, s.tokens, kHidden);
      const float draw = random[mask.size() / static_cast<size_t>(cols)];
      if (token > 0) {
        const auto parent = static_cast<int64_t>(draw * static_cast<float>(token));
        const auto above =
            mask.begin() + static_cast<std::ptrdiff_t>(first) + parent * cols;
        std::copy(above + corner, above + corner + token, row.begin() + corner);
      }
      row[static_cast<size_t>(corner + token)] = 0;
      if (values.pattern == InputPattern::kMinusInf && token % 4 == 3)
        std::fill_n(row.begin() + corner, s.tokens, kHidden);
      mask.insert(mask.end(), row.begin(), row.end());
    }
  }
  return mask;
}

}  // namespace

void AttentionKernel::fill_inputs(const Problem& problem, const Launch& launch,
                                  const InputValues& values, GmImage& image) const {
  // Scores of minus infinity come from masks.
  InputValues plain = values;
  if (plain.pattern == InputPattern::kMinusInf) plain.pattern = InputPattern::kUniform;
  for (const char* name : {"q", "k", "v"}) {
    if (std::ranges::find(launch.tensors, name, &Tensor::name) == launch.tensors.end()) continue;
    fill_tensor(launch, tensor_named(launch, name), -1, 1, plain, image);
  }
  const auto mask = std::ranges::find(launch.tensors, "mask", &Tensor::name);
  if (mask == launch.tensors.end()) return;
  image[static_cast<size_t>(mask - launch.tensors.begin())] =
      write_tensor(*mask, tree_masks(attention_sequences(problem), mask->cols, values));
}

}  // namespace tilewright
