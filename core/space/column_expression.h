#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/space/staged_expression.h"

namespace tilewright {

/// The truth of a staged expression at all points of its last stages at once. A point is a place
/// for each of these stages, numbered with the last stage fastest. Numbers are doubles here, whole
/// ones too, which are exact below 2^53; where one is not, or an operation fails, the point is
/// evaluated as any single one is, so that the meaning is the same.
class ColumnExpression {
 public:
  /// Nothing where there is no stage before the last ones, where numbers do not suffice (texts,
  /// lists) and where columns would take more than kMaxColumnBytes.
  static std::optional<ColumnExpression> of(const StagedExpression& staged);

  /// The first of the stages that the points are of; at least 1.
  size_t first_stage() const { return first_; }
  size_t points() const { return points_; }
  /// How far points are apart whose places of that stage are neighbours.
  size_t stride(size_t stage) const { return strides_[stage - first_]; }

  /// Finds the truth of all points; `staged` is what this was made of, with the inputs before
  /// first_stage() set, and loses those behind. Whether any point is true.
  bool evaluate(StagedExpression& staged);
  bool holds(size_t point) const { return truth_[point] != 0; }
  /// The truth of `count` points as bits, the first one lowest; bits behind are 0.
  void row(size_t point, size_t count, std::span<uint64_t> bits) const;

  static constexpr size_t kMaxColumnBytes = size_t{1} << 25;

 private:
  /// What a column holds.
  enum class Numbers : uint8_t { kWhole, kDecimal, kBoth };
  /// How an operand is found: one value, changing with the inputs before; a column made once; a
  /// column made anew, part by part.
  enum class Source : uint8_t { kUniform, kFixed, kMade };
  struct Operand {
    Source source = Source::kUniform;
    uint32_t slot = 0;
    Numbers numbers = Numbers::kWhole;
  };
  struct Step {
    Operator op;
    std::array<Operand, 3> in;
    Operand out;
    std::vector<double> members;  ///< of kIn: the numbers in the list
  };
  struct Uniform {
    uint32_t from;  ///< register of the staged expression
    Numbers numbers;
  };

  static constexpr size_t kLanes = 128;  // of one part of a column
  using Lanes = std::array<double, kLanes>;
  using Flags = std::array<int64_t, kLanes>;

  friend class ColumnCompiler;

  bool load(const StagedExpression& staged);
  const double* lanes(const Operand& operand, size_t part) const;
  void run(const Step& step, size_t part);
  void run_each(const Step& step, size_t part);
  bool run_power(const Step& step, size_t part);
  bool singly(StagedExpression& staged, size_t point);

  size_t first_ = 0;
  size_t points_ = 0;
  std::vector<size_t> strides_;  // of the stages from first_
  std::vector<size_t> widths_;   // likewise: values
  std::vector<Step> steps_;
  Operand result_;
  std::vector<Uniform> uniforms_;
  std::vector<Lanes> uniform_;  // by slot, as the next two are
  std::vector<std::vector<double>> fixed_;
  std::vector<Lanes> made_;
  std::vector<uint8_t> failing_;  // points at which a fixed column has no number; or empty
  Flags flags_ = {};              // lanes whose point is to be evaluated alone
  std::vector<uint8_t> truth_;    // by point, whole parts and 64 behind
  std::vector<size_t> places_;    // that the staged expression was given last
};

}  // namespace tilewright
