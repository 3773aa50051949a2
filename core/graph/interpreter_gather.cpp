#include <algorithm>
#include <optional>

#include "core/graph/interpreter_ops.h"
#include "core/graph/scalar_program.h"
#include "core/graph/strided.h"

namespace tilewright {
namespace {

/// The index vectors that gather and scatter read from their array of indices, one for each place
/// of its other dimensions (the batch), as indices into the operand.
class StartIndices {
 public:
  StartIndices(const Value& indices, int64_t vector_dimension, size_t operand_rank,
               std::span<const int64_t> operand_dims, std::span<const int64_t> operand_batching,
               std::span<const int64_t> own_batching)
      : indices_(indices), start_(operand_rank, 0) {
    const std::vector<int64_t>& dims = indices.shape().dims;
    const std::vector<int64_t> strides = row_major_strides(dims);
    const std::vector<int64_t> vector_dims = {vector_dimension};
    batch_dims_ = all_but(static_cast<int64_t>(dims.size()), vector_dims);
    batch_ = {picked(strides, batch_dims_)};
    if (vector_dimension < static_cast<int64_t>(dims.size())) {
      vector_stride_ = strides[static_cast<size_t>(vector_dimension)];
    }
    operand_dims_.assign(operand_dims.begin(), operand_dims.end());
    for (size_t i = 0; i < operand_batching.size(); ++i) {
      const auto at = std::find(batch_dims_.begin(), batch_dims_.end(), own_batching[i]);
      shared_.emplace_back(operand_batching[i], at - batch_dims_.begin());
    }
  }

  std::vector<int64_t> batch_extents() const { return picked(indices_.shape().dims, batch_dims_); }
  const Strided& batch() const { return batch_; }

  /// The index vector at a place of the batch.
  const std::vector<int64_t>& at(int64_t offset, const std::vector<int64_t>& batch_index) {
    for (size_t i = 0; i < operand_dims_.size(); ++i) {
      start_[static_cast<size_t>(operand_dims_[i])] =
          index_at(indices_, offset + static_cast<int64_t>(i) * vector_stride_);
    }
    for (const auto& [dimension, batch] : shared_) {
      start_[static_cast<size_t>(dimension)] = batch_index[static_cast<size_t>(batch)];
    }
    return start_;
  }

 private:
  const Value& indices_;
  std::vector<int64_t> start_;
  std::vector<int64_t> batch_dims_;
  Strided batch_;
  int64_t vector_stride_ = 1;
  std::vector<int64_t> operand_dims_;
  std::vector<std::pair<int64_t, int64_t>> shared_;  ///< of the operand and of the batch
};

std::vector<int64_t> joined(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::vector<int64_t> result = a;
  result.insert(result.end(), b.begin(), b.end());
  return result;
}

/// A window of the updates added into one place of the operands, element by element.
class Combiner {
 public:
  explicit Combiner(const OpCall& call)
      : program_(call.graph, call.op.called[0], call.arithmetic), count_(call.operands.size() / 2) {
    lanes_.resize(2 * count_);
    for (std::vector<Element>& lane : lanes_) lane.resize(ScalarProgram::kLanes);
    for (const std::vector<Element>& lane : lanes_) parameters_.push_back(lane.data());
  }

  /// targets[i][to + k * to_stride] = f(itself, updates[i][from + k * from_stride]), k < count.
  void combine(const std::vector<Element*>& targets, int64_t to, int64_t to_stride,
               const std::vector<const Element*>& updates, int64_t from, int64_t from_stride,
               int64_t count) {
    constexpr auto kLanes = static_cast<int64_t>(ScalarProgram::kLanes);
    for (int64_t begin = 0; begin < count; begin += kLanes) {
      const int64_t lanes = std::min(kLanes, count - begin);
      for (size_t i = 0; i < count_; ++i) {
        for (int64_t k = 0; k < lanes; ++k) {
          const auto lane = static_cast<size_t>(k);
          lanes_[i][lane] = targets[i][to + (begin + k) * to_stride];
          lanes_[count_ + i][lane] = updates[i][from + (begin + k) * from_stride];
        }
      }
      program_.run(parameters_, static_cast<size_t>(lanes));
      for (size_t i = 0; i < count_; ++i) {
        const Element* result = program_.result(i);
        for (int64_t k = 0; k < lanes; ++k) targets[i][to + (begin + k) * to_stride] = result[k];
      }
    }
  }

 private:
  ScalarProgram program_;
  size_t count_;
  std::vector<std::vector<Element>> lanes_;
  std::vector<const Element*> parameters_;
};

/// A window's dimensions apart from the last one, which is its run.
struct Rows {
  std::vector<int64_t> dims = {};
  Strided operand = {};
  Strided updates = {};
  int64_t run = 1;
  int64_t operand_stride = 1;
  int64_t updates_stride = 1;
};

Rows rows_of(const std::vector<int64_t>& dims, const std::vector<int64_t>& operand_strides,
             const std::vector<int64_t>& update_strides) {
  Rows rows = {dims, {operand_strides}, {update_strides}};
  if (dims.empty()) return rows;
  rows.run = dims.back();
  rows.operand_stride = operand_strides.back();
  rows.updates_stride = update_strides.back();
  rows.dims.pop_back();
  rows.operand.strides.pop_back();
  rows.updates.strides.pop_back();
  return rows;
}

/// The windows that a scatter writes: their extents in the operand and their places in the updates.
class Windows {
 public:
  Windows(const ScatterDimensions& dims, const std::vector<int64_t>& operand_dims,
          const std::vector<int64_t>& update_dims)
      : operand_dims_(operand_dims),
        strides_(row_major_strides(operand_dims)),
        extents_(operand_dims.size(), 1) {
    const std::vector<int64_t> window = all_but(
        static_cast<int64_t>(rank()), joined(dims.inserted_window_dims, dims.input_batching_dims));
    const std::vector<int64_t> sizes = picked(update_dims, dims.update_window_dims);
    for (size_t i = 0; i < window.size(); ++i) extents_[static_cast<size_t>(window[i])] = sizes[i];
    const std::vector<int64_t> strides = row_major_strides(update_dims);
    rows_ = rows_of(sizes, picked(strides_, window), picked(strides, dims.update_window_dims));
    batch_ = {picked(strides,
                     all_but(static_cast<int64_t>(update_dims.size()), dims.update_window_dims))};
  }

  size_t rank() const { return operand_dims_.size(); }
  const Rows& rows() const { return rows_; }
  const Strided& batch() const { return batch_; }

  /// Where the window that starts there begins in the operand; none when it is not wholly inside.
  std::optional<int64_t> place(const std::vector<int64_t>& start) const {
    int64_t offset = 0;
    for (size_t d = 0; d < start.size(); ++d) {
      if (start[d] < 0 || start[d] > operand_dims_[d] - extents_[d]) return std::nullopt;
      offset += strides_[d] * start[d];
    }
    return offset;
  }

 private:
  std::vector<int64_t> operand_dims_;
  std::vector<int64_t> strides_;
  std::vector<int64_t> extents_;
  Rows rows_;
  Strided batch_;
};

}  // namespace

Value evaluate_gather(const OpCall& call) {
  const auto& dims = call.op.get<GatherDimensions>();
  const Value& operand = call.operands[0];
  const std::vector<int64_t>& extents = operand.shape().dims;
  const int64_t rank = operand.shape().rank();
  StartIndices indices(call.operands[1], dims.index_vector_dim, extents.size(),
                       dims.start_index_map, dims.operand_batching_dims,
                       dims.start_indices_batching_dims);
  Value result(call.shape());
  const std::vector<int64_t> result_strides = row_major_strides(call.shape().dims);
  const Strided batch = {picked(result_strides, all_but(call.shape().rank(), dims.offset_dims))};
  const std::vector<int64_t> window =
      all_but(rank, joined(dims.collapsed_slice_dims, dims.operand_batching_dims));
  const std::vector<int64_t> window_dims = picked(dims.slice_sizes, window);
  const std::vector<int64_t> strides = row_major_strides(extents);
  Strided source = {picked(strides, window)};
  Strided target = {picked(result_strides, dims.offset_dims)};
  Element* out = result.writable().data();
  for (StridedWalk<2> walk(indices.batch_extents(), {indices.batch(), batch}); !walk.done();
       walk.next()) {
    const std::vector<int64_t>& start = indices.at(walk.at(0), walk.index());
    source.offset = 0;
    for (size_t d = 0; d < start.size(); ++d) {
      source.offset +=
          strides[d] * std::clamp<int64_t>(start[d], 0, extents[d] - dims.slice_sizes[d]);
    }
    target.offset = walk.at(1);
    copy_block(window_dims, operand.elements().data(), source, out, target);
  }
  return result;
}

Value evaluate_scatter(const OpCall& call) {
  const auto& dims = call.op.get<ScatterDimensions>();
  const size_t count = call.operands.size() / 2;
  const Windows windows(dims, call.operands[0].shape().dims, call.operands[count + 1].shape().dims);
  StartIndices indices(call.operands[count], dims.index_vector_dim, windows.rank(),
                       dims.scatter_dims_to_operand_dims, dims.input_batching_dims,
                       dims.scatter_indices_batching_dims);
  Combiner combiner(call);
  std::vector<Value> results;
  std::vector<Element*> targets;
  std::vector<const Element*> updates;
  for (size_t i = 0; i < count; ++i) {
    results.push_back(std::move(call.operands[i]));
    targets.push_back(results.back().writable().data());
    updates.push_back(call.operands[count + 1 + i].elements().data());
  }
  const Rows& rows = windows.rows();
  const bool any = call.operands[count + 1].size() > 0;
  for (StridedWalk<2> walk(indices.batch_extents(), {indices.batch(), windows.batch()});
       any && !walk.done(); walk.next()) {
    const auto base = windows.place(indices.at(walk.at(0), walk.index()));
    // A window that is not wholly inside is dropped.
    if (!base) continue;
    for (StridedWalk<2> row(rows.dims, {rows.operand, rows.updates}); !row.done(); row.next()) {
      combiner.combine(targets, *base + row.at(0), rows.operand_stride, updates,
                       walk.at(1) + row.at(1), rows.updates_stride, rows.run);
    }
  }
  return count == 1 ? std::move(results[0]) : Value(std::move(results));
}

}  // namespace tilewright
