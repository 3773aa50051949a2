#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/graph/infer_shape.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

/// Parameters that the ops under test read, one for each letter in use.
const std::string kParameters = R"(
  x = f32[2,3,4]{2,1,0} parameter(0)
  y = f32[2,3,4]{2,1,0} parameter(1)
  s = f32[] parameter(2)
  m = f32[4,4]{1,0} parameter(3)
  i = s32[2,3,4]{2,1,0} parameter(4)
  n = s32[] parameter(5)
  b = pred[2,3,4]{2,1,0} parameter(6)
  z = c64[2,3,4]{2,1,0} parameter(7)
  v = f32[3]{0} parameter(8)
  g = s32[5,2]{1,0} parameter(9)
  h = bf16[2,3,4]{2,1,0} parameter(10)
  p = pred[] parameter(11)
  t = (f32[2]{0}, s32[]) parameter(12)
  k = token[] parameter(13)
  u = f32[5,4]{1,0} parameter(14)
)";

std::string with_parameters(const std::string& op) {
  return module_with_functions(kParameters + "  ROOT r = " + op);
}

void expect_accepted(const std::vector<std::string>& ops) {
  for (const std::string& op : ops) {
    EXPECT_EQ(hlo_error(with_parameters(op)), "") << op;
  }
}

struct BadOp {
  std::string op;
  std::string message;
};

void expect_refused(const std::vector<BadOp>& ops) {
  for (const BadOp& bad : ops) {
    const std::string message = hlo_error(with_parameters(bad.op));
    EXPECT_NE(message.find("op 'r': "), std::string::npos) << bad.op << "\nsays: " << message;
    EXPECT_NE(message.find(bad.message), std::string::npos) << bad.op << "\nsays: " << message;
  }
}

TEST(InferShape, OfUnaryOps) {
  for (const HloOpcode opcode : {HloOpcode::kAbs,
                                 HloOpcode::kAcos,
                                 HloOpcode::kAcosh,
                                 HloOpcode::kAsin,
                                 HloOpcode::kAsinh,
                                 HloOpcode::kAtanh,
                                 HloOpcode::kCbrt,
                                 HloOpcode::kCeil,
                                 HloOpcode::kCopy,
                                 HloOpcode::kCosh,
                                 HloOpcode::kCosine,
                                 HloOpcode::kErf,
                                 HloOpcode::kExponential,
                                 HloOpcode::kExponentialMinusOne,
                                 HloOpcode::kFloor,
                                 HloOpcode::kLog,
                                 HloOpcode::kLogPlusOne,
                                 HloOpcode::kLogistic,
                                 HloOpcode::kNegate,
                                 HloOpcode::kReal,
                                 HloOpcode::kRoundNearestAfz,
                                 HloOpcode::kRoundNearestEven,
                                 HloOpcode::kRsqrt,
                                 HloOpcode::kSign,
                                 HloOpcode::kSine,
                                 HloOpcode::kSinh,
                                 HloOpcode::kSqrt,
                                 HloOpcode::kTan,
                                 HloOpcode::kTanh,
                                 HloOpcode::kImag}) {
    expect_accepted({fmt::format("f32[2,3,4] {}(x)", name_of(opcode))});
    expect_refused(
        {{fmt::format("f32[2,3] {}(x)", name_of(opcode)),
          "is stated as f32[2,3], its operands give f32[2,3,4]"},
         {fmt::format("f32[] {}(x, x)", name_of(opcode)), "needs 1 operands, and has 2"}});
  }
  expect_accepted({"s32[2,3,4] popcnt(i)", "s32[2,3,4] count-leading-zeros(i)",
                   "pred[2,3,4] not(b)", "s32[2,3,4] not(i)", "pred[2,3,4] is-finite(x)",
                   "f32[2,3,4] abs(z)", "f32[2,3,4] imag(z)", "c64[2,3,4] tanh(z)",
                   "bf16[2,3,4] convert(x)", "(f32[2], s32[]) copy(t)",
                   "f32[2,3,4] reduce-precision(x), exponent_bits=8, mantissa_bits=7"});
  expect_refused({{"f32[2,3,4] not(x)", "is not defined for f32"},
                  {"s32[2,3,4] tanh(i)", "is not defined for s32"},
                  {"f32[2,3,4] popcnt(x)", "is not defined for f32"},
                  {"f32[2,3,4] is-finite(x)", "its operands give pred[2,3,4]"},
                  {"f32[2] negate(t)", "an array is needed"}});
}

TEST(InferShape, OfBinaryAndTernaryOps) {
  for (const HloOpcode opcode : {HloOpcode::kAdd, HloOpcode::kAtan2, HloOpcode::kDivide,
                                 HloOpcode::kMaximum, HloOpcode::kMinimum, HloOpcode::kMultiply,
                                 HloOpcode::kPower, HloOpcode::kRemainder, HloOpcode::kSubtract}) {
    const std::string_view name = name_of(opcode);
    expect_accepted({fmt::format("f32[2,3,4] {}(x, y)", name)});
    expect_refused({{fmt::format("f32[2,3,4] {}(x, s)", name), "operands are f32[2,3,4] and f32[]"},
                    {fmt::format("f32[2,3,4] {}(x, i)", name), "operands are f32 and s32"},
                    {fmt::format("f32[4,4] {}(x, y)", name), "is stated as f32[4,4]"}});
  }
  for (const HloOpcode opcode : {HloOpcode::kAnd, HloOpcode::kOr, HloOpcode::kXor}) {
    const std::string_view name = name_of(opcode);
    expect_accepted(
        {fmt::format("pred[2,3,4] {}(b, b)", name), fmt::format("s32[2,3,4] {}(i, i)", name)});
    expect_refused({{fmt::format("f32[2,3,4] {}(x, y)", name), "is not defined for f32"}});
  }
  for (const HloOpcode opcode :
       {HloOpcode::kShiftLeft, HloOpcode::kShiftRightArithmetic, HloOpcode::kShiftRightLogical}) {
    expect_accepted({fmt::format("s32[2,3,4] {}(i, i)", name_of(opcode))});
    expect_refused(
        {{fmt::format("pred[2,3,4] {}(b, b)", name_of(opcode)), "is not defined for pred"}});
  }
  expect_accepted({"pred[2,3,4] compare(x, y), direction=LT", "c64[2,3,4] complex(x, y)",
                   "bf16[2,3,4] stochastic-convert(x, i)", "f32[2,3,4] add(x, h)",
                   "f32[2,3,4] select(b, x, y)", "f32[2,3,4] select(p, x, y)",
                   "f32[2,3,4] clamp(s, x, s)", "f32[2,3,4] clamp(x, x, y)"});
  expect_refused({{"f32[2,3,4] compare(x, y), direction=LT", "its operands give pred[2,3,4]"},
                  {"f32[2,3,4] select(x, x, y)", "operand 0 must be pred"},
                  {"f32[2,3,4] select(b, x, s)", "operands are f32[2,3,4] and f32[]"},
                  {"f32[2,3,4] clamp(n, x, s)", "operands are s32 and f32"},
                  {"c64[2,3,4] complex(i, i)", "is not defined for s32"}});
}

TEST(InferShape, OfMovingOps) {
  expect_accepted({
      "f32[2,7,3,4] broadcast(x), dimensions={0,2,3}",
      "f32[5] broadcast(s)",
      "f32[4,3] broadcast(v), dimensions={1}",
      "f32[4,3,2] broadcast(x), dimensions={2,1,0}",
      "f32[6,4] reshape(x)",
      "f32[1,24,1] reshape(x)",
      "bf16[12,4] bitcast(x)",
      "s32[2,3,4] bitcast-convert(x)",
      "f32[4,2,3] transpose(x), dimensions={2,0,1}",
      "f32[2,3,4] reverse(x), dimensions={0,2}",
      "f32[2,9,4] concatenate(x, y, x), dimensions={1}",
      "f32[1,2,2] slice(x), slice={[0:1], [1:3], [0:4:2]}",
      "f32[0,3,4] slice(x), slice={[2:2], [0:3], [0:4]}",
      "f32[1,3,4] dynamic-slice(x, n, n, n), dynamic_slice_sizes={1,3,4}",
      "f32[2,3,4] dynamic-update-slice(x, y, n, n, n)",
      "f32[5,3,11] pad(x, s), padding=1_2x0_0x-1_2_2",
      "s32[4,5] iota(), iota_dimension=1",
      "s32[] iota(), iota_dimension=0",
      "f32[5,3,4] gather(x, g), offset_dims={1,2}, collapsed_slice_dims={0}, "
      "start_index_map={0,2}, "
      "index_vector_dim=1, slice_sizes={1,3,4}",
      "f32[3,5,2] gather(m, g), offset_dims={0}, collapsed_slice_dims={0}, start_index_map={0}, "
      "index_vector_dim=2, slice_sizes={1,3}",
      "f32[4,4] scatter(m, g, s5), update_window_dims={}, inserted_window_dims={0,1}, "
      "scatter_dims_to_operand_dims={0,1}, index_vector_dim=1, to_apply=sum\n"
      "  s5 = f32[5] parameter(15)",
  });
  expect_refused({
      {"f32[2,3,5] broadcast(x), dimensions={0,1,2}", "dimension 2 of f32[2,3,4] does not fit"},
      {"f32[2,3,4] broadcast(x), dimensions={0,1}", "2 dimensions for the operand f32[2,3,4]"},
      {"f32[2,3,4] broadcast(v), dimensions={3}", "dimensions name 3, there are 3"},
      {"f32[2,3,4] broadcast(x), dimensions={0,1,1}", "dimensions name a dimension twice"},
      {"bf16[2,3,4] broadcast(x), dimensions={0,1,2}", "its operands give f32[2,3,4]"},
      {"f32[5,5] reshape(x)", "f32[2,3,4] has 24 elements, f32[5,5] has 25"},
      {"s32[24] reshape(x)", "its operands give f32[24]"},
      {"f32[25] bitcast(x)", "f32[2,3,4] has 96 bytes, f32[25] has 100"},
      {"f32[2,3,4] transpose(x), dimensions={2,0,1}", "its operands give f32[4,2,3]"},
      {"f32[2,3] transpose(x), dimensions={0,1}", "must name each dimension once"},
      {"f32[2,3,4] reverse(x), dimensions={3}", "dimensions name 3, there are 3"},
      {"f32[2,4,4] concatenate(x, m), dimensions={1}", "operand 1 is f32[4,4], operand 0 is"},
      {"f32[2,6,4] concatenate(x, i), dimensions={1}", "operand 1 is s32[2,3,4]"},
      {"f32[2,6,4] concatenate(x, y), dimensions={0,1}", "exactly one dimension is needed"},
      {"f32[2,6,4] concatenate(), dimensions={1}", "needs 1 operands or more, and has 0"},
      {"f32[3,3,4] slice(x), slice={[0:3], [0:3], [0:4]}", "range [0:3:1] is outside dimension 0"},
      {"f32[2,3,4] slice(x), slice={[2:1], [0:3], [0:4]}", "range [2:1:1] is outside"},
      {"f32[2,3] slice(x), slice={[0:2], [0:3]}", "one range a dimension is needed"},
      {"f32[1,3,4] dynamic-slice(x, n, n), dynamic_slice_sizes={1,3,4}", "2 start indices for"},
      {"f32[1,3,4] dynamic-slice(x, n, n, s), dynamic_slice_sizes={1,3,4}", "must be integers"},
      {"f32[3,3,4] dynamic-slice(x, n, n, n), dynamic_slice_sizes={3,3,4}",
       "size 3 of dimension 0"},
      {"f32[2,3,4] dynamic-update-slice(x, i, n, n, n)", "the update has another type"},
      {"f32[2,3,4] dynamic-update-slice(x, m, n, n, n)", "one size a dimension is needed"},
      {"f32[2,3,4] pad(x, n), padding=0_0x0_0x0_0", "a scalar of the operand's type"},
      {"f32[2,3,4] pad(x, s), padding=0_0x0_0", "padding for each dimension is needed"},
      {"f32[2,3,4] pad(x, s), padding=-2_-1x0_0x0_0", "cuts away more than there is"},
      {"f32[2,3,4] pad(x, s), padding=0_0x0_0x0_0_281474976710655", "too many to count"},
      {"s32[4] iota(), iota_dimension=1", "s32[4] has no dimension 1"},
      {"pred[4] iota(), iota_dimension=0", "counts in numbers"},
      {"f32[5,3,4] gather(x, g), offset_dims={1,2}, collapsed_slice_dims={0}, start_index_map={0}, "
       "index_vector_dim=1, slice_sizes={1,3,4}",
       "index vectors of 2 elements for 1 dimensions"},
      {"f32[5,3,4] gather(x, g), offset_dims={1}, collapsed_slice_dims={0}, start_index_map={0,1}, "
       "index_vector_dim=1, slice_sizes={1,3,4}",
       "offset_dims must hold the dimensions of a slice"},
      {"f32[5,3,4] gather(x, g), offset_dims={1,2}, collapsed_slice_dims={0}, "
       "start_index_map={0,1}, "
       "index_vector_dim=1, slice_sizes={2,3,4}",
       "dimensions that vanish must have size 1"},
      {"f32[4,4] scatter(m, g, v), update_window_dims={}, inserted_window_dims={0,1}, "
       "scatter_dims_to_operand_dims={0,1}, index_vector_dim=1, to_apply=sum",
       "the updates do not fit the indices"},
      {"f32[4,4] scatter(m, g), update_window_dims={}, inserted_window_dims={0,1}, "
       "scatter_dims_to_operand_dims={0,1}, index_vector_dim=1, to_apply=sum",
       "operands, indices and updates are needed"},
  });
}

TEST(InferShape, OfContractions) {
  expect_accepted({
      "f32[2,3,4] dot(x, m), lhs_contracting_dims={2}, rhs_contracting_dims={0}",
      "f32[2,3,3] dot(x, y), lhs_batch_dims={0}, rhs_batch_dims={0}, lhs_contracting_dims={2}, "
      "rhs_contracting_dims={2}",
      "bf16[2,3,4] dot(i, mh), lhs_contracting_dims={2}, rhs_contracting_dims={0}\n"
      "  mh = bf16[4,4] parameter(15)",
      "f32[2,3,4,4,4] dot(x, m), lhs_contracting_dims={}, rhs_contracting_dims={}",
      "f32[2,3,4] dot(h, m), lhs_contracting_dims={2}, rhs_contracting_dims={1}",
      "f32[2,3] reduce(x, s), dimensions={2}, to_apply=sum",
      "f32[] reduce(x, s), dimensions={0,1,2}, to_apply=sum",
      "(f32[2,4], f32[2,4]) reduce(x, y, s, s), dimensions={1}, to_apply=pair_sum",
      "f32[2,3,4] map(x, y), dimensions={0,1,2}, to_apply=sum",
      "pred[2,3,4] map(x, y), dimensions={0,1,2}, to_apply=larger",
      "f32[2,2,2] reduce-window(x, s), window={size=1x2x2 stride=1x1x2}, to_apply=sum",
      "f32[2,3,4] select-and-scatter(x, w, s), window={size=1x1x2 stride=1x1x2}, select=larger, "
      "scatter=sum\n  w = f32[2,3,2] parameter(15)",
      "f32[2,3,4] sort(x), dimensions={1}, to_apply=larger",
      "(f32[2,3,2], s32[2,3,2]) topk(x), k=2, largest=true",
      "c64[2,3,3] fft(x), fft_type=RFFT, fft_length={4}",
      "f32[2,3,6] fft(z), fft_type=IRFFT, fft_length={6}",
      "c64[2,3,4] fft(z), fft_type=FFT, fft_length={3,4}",
      "f32[4,4] cholesky(m), lower=true",
      "f32[5,4] triangular-solve(m, u), lower=true, transpose_a=NO_TRANSPOSE",
      "(f32[2,3,4], f32[3], f32[3]) batch-norm-training(x, v, v), epsilon=0.001, feature_index=1",
      "f32[2,3,4] batch-norm-inference(x, v, v, v, v), epsilon=0.001, feature_index=1",
      "(f32[2,3,4], f32[3], f32[3]) batch-norm-grad(x, v, v, v, y), epsilon=1, feature_index=1",
      "f32[2,2,5] convolution(x, c), window={size=2}, dim_labels=b0f_0io->b0f\n"
      "  c = f32[2,4,5] parameter(15)",
      "f32[2,6,6] convolution(x, c), window={size=2 pad=1_1 lhs_dilate=2}, "
      "dim_labels=b0f_0io->b0f, "
      "feature_group_count=2\n  c = f32[2,2,6] parameter(15)",
  });
  expect_refused({
      {"f32[2,3,4] dot(x, m), lhs_contracting_dims={1}, rhs_contracting_dims={0}",
       "contracting dimensions 1 of f32[2,3,4] and 0 of f32[4,4] differ"},
      {"f32[2,3,4] dot(x, m), lhs_contracting_dims={2,1}, rhs_contracting_dims={0}",
       "2 contracting dimensions on the left, 1 on the right"},
      {"f32[2,3,4] dot(x, m), lhs_contracting_dims={3}, rhs_contracting_dims={0}",
       "dimensions of the left side name 3, there are 3"},
      {"f32[2,3,4] dot(x, y), lhs_batch_dims={0}, rhs_batch_dims={0}, lhs_contracting_dims={0}, "
       "rhs_contracting_dims={2}",
       "dimensions of the left side name a dimension twice"},
      {"s32[2,3,4] dot(x, m), lhs_contracting_dims={2}, rhs_contracting_dims={0}",
       "its operands give f32[2,3,4]"},
      {"f32[2,3] reduce(x, s), dimensions={1}, to_apply=sum", "its operands give f32[2,4]"},
      {"f32[2,3] reduce(x, v), dimensions={2}, to_apply=sum",
       "values to begin with must be scalars"},
      {"f32[2,3] reduce(x), dimensions={2}, to_apply=sum", "one value to begin with is needed"},
      {"f32[2,3] reduce(x, s), dimensions={2}, to_apply=pair_sum", "two parameters for each value"},
      {"(f32[2], f32[2]) reduce(x, m, s, s), dimensions={1}, to_apply=pair_sum", "the same dims"},
      {"f32[2,3,4] map(x, y, x), dimensions={0,1,2}, to_apply=sum", "one scalar for each operand"},
      {"f32[2,3,4] reduce-window(x, s), window={size=2x2}, to_apply=sum",
       "dimensions it moves over"},
      {"f32[2,3,4] select-and-scatter(x, y, s), window={size=1x1x2 stride=1x1x2}, select=larger, "
       "scatter=sum",
       "one element for each window"},
      {"f32[2,3,4] sort(x), dimensions={1}, to_apply=sum", "compare two elements of each operand"},
      {"f32[2,3,4] sort(x), dimensions={3}, to_apply=larger", "dimensions name 3"},
      {"(f32[2,3,5], s32[2,3,5]) topk(x), k=5", "k is more than there are"},
      {"c64[2,3,4] fft(x), fft_type=RFFT, fft_length={4}", "its operands give c64[2,3,3]"},
      {"f32[2,3,4] cholesky(x), lower=true", "must hold square matrices"},
      {"f32[2,3,4] triangular-solve(m, x), lower=true", "operand 1 matrices"},
      {"f32[2,3,4] batch-norm-inference(x, v, v, v, v), epsilon=1, feature_index=2",
       "one element a feature"},
      {"f32[2,3,4] batch-norm-inference(x, v, v, v, v), epsilon=1, feature_index=3",
       "feature_index is outside"},
      {"f32[2,2,5] convolution(x, y), window={size=2}, dim_labels=b0f_0io->b0f",
       "4 input features in 1 groups do not fit the kernel f32[2,3,4]"},
      {"f32[2,2,5] convolution(x, m), window={size=2}, dim_labels=b0f_0io->b0f", "the same rank"},
      {"f32[2,2,5] convolution(x, c), window={size=3}, dim_labels=b0f_0io->b0f\n"
       "  c = f32[2,4,5] parameter(15)",
       "the window must have the size of the kernel"},
  });
}

TEST(InferShape, OfTuplesAndControlFlow) {
  const std::string functions = R"(HloModule m
cond { p = (s32[], f32[2]) parameter(0) i = s32[] get-tuple-element(p), index=0
  ROOT r = pred[] compare(i, i), direction=LT }
body { ROOT p = (s32[], f32[2]) parameter(0) }
other { ROOT p = f32[2] parameter(0) }
same { p = f32[2] parameter(0) ROOT r = f32[2] negate(p) }
scalar { p = f32[2] parameter(0) ROOT r = f32[] constant(1) }
ENTRY e {
  t = (s32[], f32[2]) parameter(0)
  x = f32[2] parameter(1)
  n = s32[] parameter(2)
  p = pred[] parameter(3)
  ROOT r = )";
  for (const std::string op : {
           "f32[2] get-tuple-element(t), index=1",
           "(f32[2], (s32[], f32[2])) tuple(x, t)",
           "() tuple()",
           "f32[2] call(x), to_apply=same",
           "f32[2] fusion(x), kind=kLoop, calls=same",
           "(s32[], f32[2]) while(t), condition=cond, body=body",
           "f32[2] conditional(p, x, x), true_computation=same, false_computation=other",
           "f32[2] conditional(n, x, x, x), branch_computations={same, other, same}",
           "(s32[], f32[2]) opt-barrier(t)",
           "s32[] get-dimension-size(x), dimensions={0}",
           "f32[<=2] set-dimension-size(x, n), dimensions={0}",
           "f32[9] custom-call(x, n), custom_call_target=\"any\"",
       }) {
    EXPECT_EQ(hlo_error(functions + op + " }"), "") << op;
  }
  const std::vector<BadOp> bad = {
      {"f32[2] get-tuple-element(t), index=2", "(s32[], f32[2]) has no part 2"},
      {"f32[2] get-tuple-element(x), index=0", "f32[2] has no part 0"},
      {"(f32[2]) tuple(x, t)", "its operands give (f32[2], (s32[], f32[2]))"},
      {"f32[2] call(n), to_apply=same", "gives s32[] to 'same', whose parameter 0 is f32[2]"},
      {"f32[2] call(x, x), to_apply=same", "gives 2 values to 'same', which takes 1"},
      {"f32[] call(x), to_apply=same", "its operands give f32[2]"},
      {"(s32[], f32[2]) while(t), condition=body, body=body", "the condition must give pred[]"},
      {"f32[2] while(x), condition=cond, body=same", "gives f32[2] to 'cond'"},
      {"(s32[], f32[2]) while(t), condition=cond, body=cond", "the body makes pred[] of"},
      {"f32[2] conditional(p, x, x), true_computation=same, false_computation=scalar",
       "all branches must give the same shape"},
      {"f32[2] conditional(x, x, x), true_computation=same, false_computation=same",
       "operand 0 must be pred[] for two branches, or s32[]"},
      {"f32[2] conditional(p, x), true_computation=same, false_computation=same",
       "needs 3 operands, and has 2"},
      {"f32[3] custom-call(x), custom_call_target=\"Sharding\"", "its operands give f32[2]"},
      {"s32[] get-dimension-size(x), dimensions={1}", "dimensions name 1, there are 1"},
  };
  for (const BadOp& op : bad) {
    EXPECT_NE(hlo_error(functions + op.op + " }").find(op.message), std::string::npos)
        << op.op << "\nsays: " << hlo_error(functions + op.op + " }");
  }
}

TEST(InferShape, OfTheRuntime) {
  expect_accepted({
      "token[] after-all(k, k)",
      "f32[2,3,4] add-dependency(x, k)",
      "f32[2,3,4] domain(x), domain={kind=\"sharding\", entry={}, exit={}}",
      "f32[2,3,4] all-reduce(x), replica_groups={}, to_apply=sum",
      "(f32[2,3,4], f32[4,4]) all-reduce(x, m), replica_groups=[2,4]<=[4,2]T(1,0), to_apply=sum",
      "f32[2,12,4] all-gather(x), replica_groups={{0,1,2,3}}, dimensions={1}",
      "f32[2,3,2] reduce-scatter(x), replica_groups={{0,1}}, dimensions={2}, to_apply=sum",
      "f32[2,3,4] all-to-all(x), replica_groups={{0,1}}, dimensions={0}",
      "(f32[2,3,4], f32[2,3,4]) all-to-all(x, y), replica_groups={{0,1}}",
      "f32[2,3,4] collective-permute(x), source_target_pairs={{0,1},{1,0}}",
      "f32[2,3,4] collective-broadcast(x), replica_groups={{0,1}}",
      "(f32[2,3,4], f32[2,6,4]) all-gather-start(x), dimensions={1}",
      "(f32[2,3,4], f32[2,3,4], u32[], u32[]) collective-permute-start(x), source_target_pairs={}",
      "(f32[2,3,4], f32[2,3,4], u32[]) copy-start(x)",
      "(f32[2,3,4], u32[], token[]) send(x, k), channel_id=1",
      "(f32[2,3,4], u32[], token[]) recv(k), channel_id=1",
      "(f32[2], token[]) infeed(k)",
      "token[] outfeed(x, k), outfeed_config=\"a,b\"",
      "u32[] partition-id()",
      "u32[] replica-id()",
      "f32[9] rng(s, s), distribution=rng_uniform",
      "(s32[5,2], u32[7]) rng-bit-generator(g), algorithm=rng_default",
      "u64[2] rng-get-and-update-state(), delta=1",
  });
  expect_refused({
      {"f32[2,3,4] after-all(k)", "its operands give token[]"},
      {"f32[2,4,4] all-gather(x), dimensions={1}",
       "4 elements of dimension 1 are no multiple of 3"},
      {"f32[2,3,3] reduce-scatter(x), dimensions={2}, to_apply=sum", "4 elements of dimension 2"},
      {"f32[2,3,4] all-gather(x), dimensions={3}", "dimensions name 3"},
      {"f32[4,4] all-reduce(x), to_apply=sum", "its operands give f32[2,3,4]"},
      {"(f32[4,4], f32[2,3,4], u32[]) copy-start(x)", "does not begin with f32[2,3,4] twice"},
      {"(f32[4,4], f32[4,4]) all-gather-start(x), dimensions={0}",
       "does not begin with the operand"},
      {"(s32[5,3], u32[7]) rng-bit-generator(g), algorithm=rng_default",
       "does not begin with the state"},
      {"s32[] partition-id()", "its operands give u32[]"},
  });
}

TEST(InferShape, RefusesTuplesThatAreHandedOnWithoutBound) {
  std::string text = "HloModule m\nENTRY e {\n  t = (";
  for (int i = 0; i < 10'000; ++i) text += "s8[],";
  text += ") parameter(0)\n  k = token[] parameter(1)\n  r = f32[] custom-call(";
  for (int i = 0; i < 1'100; ++i) text += "t,";
  text += "t), custom_call_target=\"c\"\n}\n";
  EXPECT_NE(hlo_error(text).find("operands have more than 10,000,000 parts"), std::string::npos);
}

TEST(InferShape, CountsWhatItTrusts) {
  const OpGraph graph = parse_hlo(
      with_parameters(
          "f32[7] ragged-dot(u, m, n), lhs_contracting_dims={1}, rhs_contracting_dims={0}"),
      "m.hlo");
  const ShapeCheck check = check_shapes(graph);
  EXPECT_EQ(check.trusted, 1);
  EXPECT_EQ(check.checked, op_count(graph) - 1);
}

TEST(InferShape, AnswersForAnOpThatIsNotInTheGraphYet) {
  const OpGraph graph = parse_hlo(with_parameters("f32[2,3,4] negate(x)"), "m.hlo");
  const Op sum = {.name = "sum", .opcode = HloOpcode::kAdd, .operands = {0, 1}};
  EXPECT_EQ(infer_shape(graph, graph.entry_computation(), sum),
            array_shape(ElementType::kF32, {2, 3, 4}));
}

}  // namespace
}  // namespace tilewright
