#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "core/base/random.h"
#include "core/graph/hlo_writer.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

/// Reads the text, writes it, and reads that again.
void expect_round_trip(const std::string& text) {
  const OpGraph graph = parse_hlo(text, "m.hlo");
  const std::string written = to_hlo(graph);
  EXPECT_EQ(parse_hlo(written, "written"), graph) << written;
  EXPECT_EQ(to_hlo(parse_hlo(written, "written")), written);
}

TEST(HloWriter, WritesPlainHloText) {
  const OpGraph graph = parse_hlo(R"(HloModule m, is_scheduled=true
sum {
  a = f32[] parameter(0)
  b = f32[] parameter(1)
  ROOT r = f32[] add(a, b)
}
ENTRY e {
  x = f32[2,3] parameter(0), sharding={replicated}
  z = f32[] constant(-1.5)
  ROOT y = f32[2] reduce(x, z), dimensions={1}, to_apply=sum
}, execution_thread="main"
)",
                                  "m.hlo");
  EXPECT_EQ(to_hlo(graph), R"(HloModule m, is_scheduled=true

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %r = f32[] add(%a, %b)
}

ENTRY %e (x: f32[2,3]) -> f32[2] {
  %x = f32[2,3]{1,0} parameter(0), sharding={replicated}
  %z = f32[] constant(-1.5)
  ROOT %y = f32[2]{0} reduce(%x, %z), dimensions={1}, to_apply=%sum
}, execution_thread="main"
)");
  const Computation& entry = graph.entry_computation();
  EXPECT_EQ(to_hlo_line(graph, entry, entry.ops[1]), "%z = f32[] constant(-1.5)");
}

TEST(HloWriter, GivesBackEveryAttribute) {
  expect_round_trip(module_with_functions(R"(
  x = f32[2,3,4]{0,2,1:T(8,128)S(1)} parameter(0), metadata={op_name="a/b" source_line=3}
  n = s32[] parameter(1)
  s = f32[] constant(0.1)
  i = s32[5,2]{1,0} constant({...})
  k = f32[2,2,6] parameter(2)
  z = c64[2,3,4] complex(x, x)
  dot = f32[2,3,3] dot(x, x), lhs_batch_dims={0}, rhs_batch_dims={0}, lhs_contracting_dims={2}, rhs_contracting_dims={2}, operand_precision={highest,default}
  slice = f32[1,2,2] slice(x), slice={[0:1], [1:3], [0:4:2]}
  ds = f32[1,3,4] dynamic-slice(x, n, n, n), dynamic_slice_sizes={1,3,4}
  pad = f32[5,3,11] pad(x, s), padding=1_2x0_0x-1_2_2
  pad0 = f32[] pad(s, s), padding=
  gather = f32[5,3,4] gather(x, i), offset_dims={1,2}, collapsed_slice_dims={0}, start_index_map={0,2}, index_vector_dim=1, slice_sizes={1,3,4}, indices_are_sorted=true
  u = f32[5,3] constant({...})
  scatter = f32[2,3,4] scatter(x, i, u), update_window_dims={1}, inserted_window_dims={0,2}, scatter_dims_to_operand_dims={0,2}, index_vector_dim=1, unique_indices=true, to_apply=sum
  window = f32[2,2,2] reduce-window(x, s), window={size=1x2x2 stride=1x1x2}, to_apply=sum
  conv = f32[2,6,6] convolution(x, k), window={size=2 pad=1_1 lhs_dilate=2 rhs_reversal=1}, dim_labels=b0f_0io->b0f, feature_group_count=2
  compare = pred[2,3,4] compare(x, x), direction=GE, type=TOTALORDER
  call = f32[7] custom-call(x), custom_call_target="a\"b\\c\nd", called_computations={sum, larger}, custom_call_has_side_effect=true
  rng = f32[9] rng(s, s), distribution=rng_normal
  bits = (s32[5,2], u32[7]) rng-bit-generator(i), algorithm=rng_three_fry
  fft = c64[2,3,3] fft(x), fft_type=RFFT, fft_length={4}
  sort = f32[2,3,4] sort(x), dimensions={1}, is_stable=true, to_apply=larger
  m = f32[4,4] constant({...})
  cholesky = f32[4,4] cholesky(m), lower=true
  solve = f32[4,4] triangular-solve(m, m), left_side=true, unit_diagonal=true, transpose_a=TRANSPOSE
  v = f32[3] constant({1, 2, 3})
  norm = f32[2,3,4] batch-norm-inference(x, v, v, v, v), epsilon=0.001, feature_index=1
  fusion = f32[] fusion(s, s), kind=kLoop, calls=sum
  topk = (f32[2,3,2], s32[2,3,2]) topk(x), k=2, largest=false
  precision = f32[2,3,4] reduce-precision(x), exponent_bits=8, mantissa_bits=7
  gathered = f32[2,6,4] all-gather(x), replica_groups=[1,2]<=[2], dimensions={1}
  all = (f32[2,3,4], f32[]) all-to-all(x, s), replica_groups={{0,1}}
  element = f32[] get-tuple-element(all), index=1
  iota = s32[4] iota(), iota_dimension=0
  zoom = f32[] zoom-in(x, s), to_apply=sum, factor={1,{2}}
  ROOT last = f32[2,3,4] negate(x), control-predecessors={zoom, call})"));
}

TEST(HloWriter, GivesBackControlFlow) {
  expect_round_trip(R"(HloModule m, input_output_alias={ {}: (0, {1}, must-alias) }
cond { p = (s32[], f32[2]) parameter(0) ROOT r = pred[] constant(false) }
body { ROOT p = (s32[], f32[2]) parameter(0) }
same { ROOT p = f32[2] parameter(0) }
less { p = f32[2] parameter(0) ROOT r = f32[2] negate(p) }
ENTRY e {
  t = (s32[], f32[2]) parameter(0)
  p = pred[] constant(true)
  w = (s32[], f32[2]) while(t), condition=cond, body=body, backend_config={"known_trip_count":{"n":"3"}}
  n = s32[] get-tuple-element(w), index=0
  x = f32[2] get-tuple-element(w), index=1
  two = f32[2] conditional(p, x, x), true_computation=same, false_computation=less
  ROOT any = f32[2] conditional(n, two, x), branch_computations={less, same}
}
)");
}

TEST(HloWriter, GivesBackLiteralsBitForBit) {
  expect_round_trip(module_of(R"(
  a = f32[7]{0} constant({nan, -nan, inf, -inf, -0, 1e-45, 3.4028235e+38})
  b = bf16[2]{0} constant({0.1, -3e38})
  c = f64[3]{0} constant({0.1, 5e-324, 1.7976931348623157e308})
  d = c128[1]{0} constant({(0.1, -inf)})
  e = u64[1]{0} constant({18446744073709551615})
  f = pred[2,1]{1,0} constant({ {1}, {0} })
  g = f32[0,2]{1,0} constant({})
  h = f32[2,0]{1,0} constant({ {}, {} })
  i = ((s32[], f16[2]{0}), ()) constant(( ( 1, {65504, 0.1} ), ( ) ))
  j = f8e4m3fn[2]{0} constant({448, -0.001953125})
  ROOT k = s4[2]{0} constant({-8, 7}))"));
}

/// A random program of elementwise, shaping and reducing ops on f32 and bf16 matrices.
std::string random_module(uint64_t seed) {
  Random random(seed);
  const auto below = [&](int64_t bound) {
    return static_cast<int64_t>(random.below(static_cast<uint64_t>(bound)));
  };
  std::string ops = "x0 = f32[4,8] parameter(0)\n";
  const int64_t count = 2 + below(30);
  for (int64_t i = 1; i <= count; ++i) {
    const std::string name = fmt::format("x{}", i);
    const std::string a = fmt::format("x{}", below(i));
    const std::string b = fmt::format("x{}", below(i));
    const auto bits = static_cast<uint32_t>(random.bits());
    const auto value = std::bit_cast<float>(bits);
    switch (below(5)) {
      case 0:
        ops += fmt::format("{} = f32[4,8] add({}, {})\n", name, a, b);
        break;
      case 1:
        ops += fmt::format("{} = f32[4,8] tanh({}), metadata={{op_name=\"t{}\"}}\n", name, a, i);
        break;
      case 2:
        ops += fmt::format(
            "t{0} = f32[8,4]{{0,1}} transpose({1}), dimensions={{1,0}}\n"
            "{2} = f32[4,8] transpose(t{0}), dimensions={{1,0}}\n",
            i, a, name);
        break;
      case 3:
        ops += fmt::format(
            "c{0} = f32[] constant({1})\n"
            "r{0} = f32[4] reduce({2}, c{0}), dimensions={{1}}, to_apply=sum\n"
            "{3} = f32[4,8] broadcast(r{0}), dimensions={{0}}\n",
            i, std::isnan(value) ? "nan" : fmt::format("{}", value), a, name);
        break;
      default:
        ops += fmt::format(
            "s{0} = f32[4,3] slice({1}), slice={{[0:4], [{2}:{3}]}}\n"
            "z{0} = f32[] constant(0)\n"
            "{4} = f32[4,8] pad(s{0}, z{0}), padding=0_0x{2}_{5}\n",
            i, a, i % 5, i % 5 + 3, name, 5 - i % 5);
    }
  }
  return module_with_functions(ops);
}

TEST(HloWriter, GivesBackRandomGraphs) {
  for (uint64_t seed = 0; seed < 200; ++seed) expect_round_trip(random_module(seed));
}

TEST(HloWriter, GivesBackEveryRealModule) {
  const std::vector<std::string> paths = data_modules();
  if (paths.empty()) GTEST_SKIP() << "no real modules; set TILEWRIGHT_DATA";
  for (const std::string& path : paths) {
    const OpGraph graph = read_hlo(path);
    EXPECT_EQ(parse_hlo(to_hlo(graph), path), graph) << path;
  }
}

}  // namespace
}  // namespace tilewright
