#include <algorithm>

#include "core/graph/interpreter_ops.h"
#include "core/graph/scalar_program.h"
#include "core/graph/strided.h"

namespace tilewright {
namespace {

/// Kept runs shorter than this are not worth a run of the program each.
constexpr int64_t kLongRun = 32;

/// A reduction seen as: for each place of the outer kept dimensions, for each of the reduced ones
/// in row-major order, a run of elements that belong to a run of results.
struct Reduction {
  std::vector<Value> inputs;
  std::vector<int64_t> outer_dims;
  Strided outer;
  std::vector<int64_t> reduced_dims;
  Strided reduced;
  int64_t run = 1;
};

/// Elements of the innermost dimensions that are all kept, or all reduced.
int64_t trailing(const std::vector<int64_t>& dims, const std::vector<int64_t>& which,
                 size_t* count) {
  int64_t run = 1;
  *count = 0;
  for (size_t d = dims.size(); d-- > 0;) {
    if (std::find(which.begin(), which.end(), static_cast<int64_t>(d)) == which.end()) break;
    run *= dims[d];
    ++*count;
  }
  return run;
}

std::vector<int64_t> without_last(const std::vector<int64_t>& list, size_t count) {
  return {list.begin(), list.end() - static_cast<std::ptrdiff_t>(count)};
}

/// Results of all inputs, filled with the first values.
std::vector<Value> first_values(const OpCall& call, size_t count) {
  std::vector<Value> results;
  for (size_t i = 0; i < count; ++i) {
    results.emplace_back(count == 1 ? call.shape() : call.shape().parts[i]);
    std::ranges::fill(results.back().writable(), call.operands[count + i].elements()[0]);
  }
  return results;
}

/// One known op over trailing dimensions: a fold over each run of the input.
void fold_rows(const Elementwise& op, const Value& input, const std::vector<int64_t>& reduced,
               Value& result) {
  const std::vector<int64_t>& dims = input.shape().dims;
  const std::vector<int64_t> strides = row_major_strides(dims);
  size_t inner = 0;
  const auto run = static_cast<size_t>(trailing(dims, reduced, &inner));
  const std::vector<int64_t> kept = all_but(input.shape().rank(), reduced);
  std::vector<int64_t> sorted = reduced;
  std::ranges::sort(sorted);
  const std::vector<int64_t> outer = without_last(sorted, inner);
  const Element* in = input.elements().data();
  Element* out = result.writable().data();
  for (StridedWalk<1> place(picked(dims, kept), {{{picked(strides, kept)}}}); !place.done();
       place.next(), ++out) {
    for (StridedWalk<1> row(picked(dims, outer), {{{picked(strides, outer), place.at(0)}}});
         !row.done(); row.next()) {
      *out = fold(op, *out, in + row.at(0), run);
    }
  }
}

Reduction plan(std::vector<Value> inputs, std::vector<int64_t> reduced) {
  std::ranges::sort(reduced);
  std::vector<int64_t> kept = all_but(inputs[0].shape().rank(), reduced);
  size_t inner = 0;
  const std::vector<int64_t> old_dims = inputs[0].shape().dims;
  const bool long_runs = trailing(old_dims, kept, &inner) >= kLongRun;
  if (!long_runs && count_of(picked(old_dims, kept)) > 1) {
    // Reduced dimensions first: then all results are one run.
    std::vector<int64_t> order = reduced;
    order.insert(order.end(), kept.begin(), kept.end());
    for (Value& input : inputs) input = permuted(input, order);
    for (size_t i = 0; i < order.size(); ++i) {
      (i < reduced.size() ? reduced[i] : kept[i - reduced.size()]) = static_cast<int64_t>(i);
    }
  }
  const std::vector<int64_t>& dims = inputs[0].shape().dims;
  const std::vector<int64_t> strides = row_major_strides(dims);
  Reduction plan;
  plan.run = trailing(dims, kept, &inner);
  const std::vector<int64_t> outer = without_last(kept, inner);
  plan.outer_dims = picked(dims, outer);
  plan.outer = {picked(strides, outer)};
  plan.reduced_dims = picked(dims, reduced);
  plan.reduced = {picked(strides, reduced)};
  plan.inputs = std::move(inputs);
  return plan;
}

/// One chunk of at most kLanes results, from all the elements that belong to them.
void reduce_chunk(const Reduction& plan, ScalarProgram& program, std::vector<Value>& results,
                  int64_t result_at, int64_t input_at, size_t lanes) {
  const size_t count = results.size();
  std::vector<const Element*> parameters(2 * count);
  std::vector<Element*> out(count);
  for (size_t i = 0; i < count; ++i) {
    out[i] = results[i].writable().data() + result_at;
    parameters[i] = out[i];
  }
  for (StridedWalk<1> step(plan.reduced_dims, {{{plan.reduced.strides, input_at}}}); !step.done();
       step.next()) {
    for (size_t i = 0; i < count; ++i) {
      parameters[count + i] = plan.inputs[i].elements().data() + step.at(0);
    }
    program.run(parameters, lanes);
    for (size_t i = 0; i < count; ++i) std::copy_n(program.result(i), lanes, out[i]);
  }
}

}  // namespace

Value evaluate_reduce(const OpCall& call) {
  const size_t count = call.operands.size() / 2;
  const std::vector<int64_t>& reduced = call.op.get<Dimensions>().dims;
  ScalarProgram program(call.graph, call.op.called[0], call.arithmetic);
  std::vector<Value> results = first_values(call, count);
  const Value& first = call.operands[0];
  const auto single = program.single_op();
  const bool last_is_reduced =
      std::find(reduced.begin(), reduced.end(), first.shape().rank() - 1) != reduced.end();
  if (count == 1 && single && last_is_reduced) {
    fold_rows(*single, first, reduced, results[0]);
    return std::move(results[0]);
  }
  std::vector<Value> inputs;
  for (size_t i = 0; i < count; ++i) inputs.push_back(std::move(call.operands[i]));
  const Reduction reduction = plan(std::move(inputs), reduced);
  constexpr auto kLanes = static_cast<int64_t>(ScalarProgram::kLanes);
  int64_t result_at = 0;
  for (StridedWalk<1> outer(reduction.outer_dims, {reduction.outer}); !outer.done();
       outer.next(), result_at += reduction.run) {
    for (int64_t begin = 0; begin < reduction.run; begin += kLanes) {
      reduce_chunk(reduction, program, results, result_at + begin, outer.at(0) + begin,
                   static_cast<size_t>(std::min(kLanes, reduction.run - begin)));
    }
  }
  return count == 1 ? std::move(results[0]) : Value(std::move(results));
}

}  // namespace tilewright
