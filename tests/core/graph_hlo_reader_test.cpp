#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/text.h"
#include "core/graph/hlo_reader.h"
#include "core/graph/infer_shape.h"
#include "tests/hlo_module.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

OpGraph parse(const std::string& text) {
  return parse_hlo(text, "m.hlo");
}

/// The op of that name in the entry.
const Op& find(const OpGraph& graph, const std::string& name) {
  for (const Op& op : graph.entry_computation().ops) {
    if (op.name == name) return op;
  }
  throw Error(ErrorKind::kNotFound, name);
}

/// The value of a constant of that shape.
Literal literal_of(const std::string& shape, const std::string& value) {
  const OpGraph graph = parse(module_of(fmt::format("c = {} constant({})", shape, value)));
  return graph.entry_computation().root_op().get<Literal>();
}

TEST(HloReader, ReadsTheThreePrintingStylesAsTheSameGraph) {
  const OpGraph bare =
      parse(R"(HloModule norm, entry_computation_layout={(f32[2,3]{1,0})->f32[2]{0}}

sum.1 {
  a.1 = f32[] parameter(0)
  b.1 = f32[] parameter(1)
  ROOT add.1 = f32[] add(a.1, b.1)
}

ENTRY main.2 {
  x.1 = f32[2,3]{1,0} parameter(0)
  zero.1 = f32[] constant(0)
  ROOT reduce.1 = f32[2]{0} reduce(x.1, zero.1), dimensions={1}, to_apply=sum.1
}
)");
  const OpGraph marked =
      parse(R"(HloModule norm, entry_computation_layout={(f32[2,3]{1,0})->f32[2]{0}}

%sum.1 (a.1: f32[], b.1: f32[]) -> f32[] {
  %a.1 = f32[] parameter(0)
  %b.1 = f32[] parameter(1)
  ROOT %add.1 = f32[] add(%a.1, %b.1)
}

ENTRY %main.2 (x.1: f32[2,3]) -> f32[2] {
  %x.1 = f32[2,3]{1,0} parameter(0)
  %zero.1 = f32[] constant(0)
  ROOT %reduce.1 = f32[2]{0} reduce(%x.1, %zero.1), dimensions={1}, to_apply=%sum.1
}
)");
  const OpGraph typed =
      parse(R"(HloModule norm, entry_computation_layout={(f32[2,3]{1,0})->f32[2]{0}}

%sum.1 (a.1: f32[], b.1: f32[]) -> f32[] {
  %a.1 = f32[] parameter(0)
  %b.1 = f32[] parameter(1)
  ROOT %add.1 = f32[] add(f32[] %a.1, f32[] %b.1)
}

ENTRY %main.2 (x.1: f32[2,3]) -> f32[2] {
  %x.1 = f32[2,3]{1,0} parameter(0)
  %zero.1 = f32[] constant(0)
  ROOT %reduce.1 = f32[2]{0} reduce(f32[2,3]{1,0} %x.1, f32[] %zero.1), dimensions={1}, to_apply=%sum.1
}
)");
  EXPECT_EQ(bare, marked);
  EXPECT_EQ(bare, typed);
  ASSERT_EQ(bare.computations.size(), 2u);
  const Computation& main = bare.entry_computation();
  EXPECT_EQ(main.name, "main.2");
  EXPECT_EQ(main.parameters, std::vector<int32_t>{0});
  EXPECT_EQ(main.root, 2);
  EXPECT_EQ(main.root_op().operands, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(main.root_op().called, std::vector<int32_t>{0});
  EXPECT_EQ(main.root_op().get<Dimensions>().dims, std::vector<int64_t>{1});
  EXPECT_EQ(main.root_op().line, 12);
  EXPECT_EQ(place_of(bare, main.root_op()), "m.hlo:12: op 'reduce.1'");
}

TEST(HloReader, ReadsHeaderTablesAndNotes) {
  const OpGraph graph = parse(R"(// a comment
HloModule jit_f, is_scheduled=true, input_output_alias={ {0}: (0, {}, may-alias), {1}: (1, {}, must-alias) }, entry_computation_layout={(f32[4]{0}, /*index=1*/s32[])->(f32[4]{0}, s32[])}, frontend_attributes={a="x, y",b={"q":[1,{"r":"}"}]}}

FileNames
1 "<frozen> \"quoted\" name.py"
2 "b, c.py"

FunctionNames
1 "f.<locals>.g"

FileLocations
1 {file_name_id=1 function_name_id=1 line=7 end_line=7 column=0 end_column=9}

StackFrames
1 {file_location_id=1 parent_frame_id=1}


ENTRY %main (x: f32[4], i: s32[]) -> (f32[4], s32[]) {
  %x = f32[4]{0} parameter(0), sharding={devices=[2,1]<=[2] last_tile_dim_replicate}
  %i = s32[] parameter(1), metadata={op_name="jit(f)/while/body" stack_frame_id=1}
  ROOT %t = (f32[4]{0}, /*index=1*/s32[]) tuple(f32[4]{0} %x, /*index=1*/s32[] %i), backend_config={"a":{"b":["}", "\""]}}
}, execution_thread="main"
)");
  EXPECT_EQ(graph.name, "jit_f");
  EXPECT_EQ(find_note(graph.notes, "is_scheduled"), "true");
  EXPECT_EQ(find_note(graph.notes, "frontend_attributes"), R"({a="x, y",b={"q":[1,{"r":"}"}]}})");
  ASSERT_EQ(graph.input_output_alias.size(), 2u);
  EXPECT_EQ(graph.input_output_alias[1],
            (Alias{.output = {1}, .parameter = 1, .parameter_index = {}, .must = true}));
  EXPECT_EQ(find_note(find(graph, "x").notes, "sharding"),
            "{devices=[2,1]<=[2] last_tile_dim_replicate}");
  EXPECT_EQ(origin_of(find(graph, "i")), "jit(f)/while/body");
  EXPECT_EQ(origin_of(find(graph, "x")), "");
  EXPECT_EQ(find_note(find(graph, "t").notes, "backend_config"), R"({"a":{"b":["}", "\""]}})");
  EXPECT_EQ(find_note(graph.entry_computation().notes, "execution_thread"), "\"main\"");
}

TEST(HloReader, ReadsShapesWithLayoutsTilesAndBounds) {
  const auto shape = [](const std::string& text) {
    return to_text(
        parse(module_of("p = " + text + " parameter(0)")).entry_computation().ops[0].shape);
  };
  for (const std::string text :
       {"f32[2,3]{1,0}", "f32[2,3]{0,1:T(8,128)(2,1)S(5)}", "pred[]",
        "(f32[1]{0}, (), (s4[2]{0:E(4)}))", "f32[<=8,2]{1,0}", "u32[]{:S(2)}",
        "f8e4m3b11fnuz[2]{0}", "token[]", "opaque[]", "f32[0]{0}", "f32[3,4]{1,0:D(D,C)}"}) {
    EXPECT_EQ(shape(text), text);
  }
  EXPECT_EQ(shape("f32[2,3]"), "f32[2,3]{1,0}");
  EXPECT_EQ(shape("f32[2,3]{auto}"), "f32[2,3]{1,0}");
  EXPECT_EQ(shape("f32[?,3]"), "f32[<=1,3]{1,0}");
}

TEST(HloReader, ReadsEveryKindOfLiteral) {
  EXPECT_EQ(literal_of("f32[]", "1.001e-05").floats, std::vector<double>{1.001e-05f});
  EXPECT_EQ(literal_of("bf16[]", "1.001e-05").floats, std::vector<double>{bf16_to_f32(0x3728)});
  EXPECT_EQ(literal_of("f64[]", "0.1").floats, std::vector<double>{0.1});
  EXPECT_EQ(literal_of("f16[]", "1e6").floats, std::vector<double>{INFINITY});
  EXPECT_EQ(literal_of("f32[]", "1e300").floats, std::vector<double>{INFINITY});
  EXPECT_EQ(literal_of("f32[]", "3.4028235e+38").floats,
            std::vector<double>{std::numeric_limits<float>::max()});
  EXPECT_EQ(literal_of("f32[]", "-3.4028236e+38").floats, std::vector<double>{-INFINITY});
  EXPECT_EQ(literal_of("f32[]", "-1e300").floats, std::vector<double>{-INFINITY});
  EXPECT_EQ(literal_of("pred[]", "true").integers, std::vector<int64_t>{1});
  EXPECT_EQ(literal_of("pred[2]{0}", "{0, 1}").integers, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(literal_of("s32[2,2]{1,0}", "{ { 1, -2 }, { 3, 4 } }").integers,
            (std::vector<int64_t>{1, -2, 3, 4}));
  EXPECT_EQ(literal_of("f32[1,2,1]{2,1,0}", "{ { /*i0=0*/ {1}, {2.5} } }").floats,
            (std::vector<double>{1, 2.5}));
  EXPECT_EQ(literal_of("u64[]", "18446744073709551615").integers, std::vector<int64_t>{-1});
  EXPECT_EQ(literal_of("s64[]", "-9223372036854775808").integers, std::vector<int64_t>{INT64_MIN});
  EXPECT_EQ(literal_of("c64[2]{0}", "{(1, 2), (-inf, 3)}").floats,
            (std::vector<double>{1, 2, -INFINITY, 3}));
  EXPECT_TRUE(literal_of("f32[0]{0}", "{}").floats.empty());
  EXPECT_TRUE(literal_of("f32[2,0,3]{2,1,0}", "{ { /*i0=0*/ }, { /*i0=1*/ } }").floats.empty());
  EXPECT_TRUE(literal_of("f32[1000,1000]{1,0}", "{...}").elided);
  const Literal tuple = literal_of("(f32[2]{0}, s32[])", "( {1, 2}, 7 )");
  ASSERT_EQ(tuple.parts.size(), 2u);
  EXPECT_EQ(tuple.parts[0].floats, (std::vector<double>{1, 2}));
  EXPECT_EQ(tuple.parts[1].integers, std::vector<int64_t>{7});
}

TEST(HloReader, KeepsTheSignOfNanAndZero) {
  const Literal values = literal_of("f32[6]{0}", "{nan, -nan, inf, -inf, -0, nan(0x7fc00001)}");
  ASSERT_EQ(values.floats.size(), 6u);
  EXPECT_TRUE(std::isnan(values.floats[0]) && !std::signbit(values.floats[0]));
  EXPECT_TRUE(std::isnan(values.floats[1]) && std::signbit(values.floats[1]));
  EXPECT_EQ(values.floats[2], INFINITY);
  EXPECT_EQ(values.floats[3], -INFINITY);
  EXPECT_TRUE(values.floats[4] == 0 && std::signbit(values.floats[4]));
  EXPECT_TRUE(std::isnan(values.floats[5]));
}

TEST(HloReader, PutsUsesBehindDefinitions) {
  const OpGraph graph = parse(module_of(R"(
  ROOT c = f32[] add(b, a)
  b = f32[] negate(a)
  a = f32[] parameter(0)
  d = f32[] abs(a), control-predecessors={e}
  e = f32[] abs(b))"));
  const Computation& entry = graph.entry_computation();
  std::vector<std::string> names;
  for (const Op& op : entry.ops) names.push_back(op.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c", "e", "d"}));
  EXPECT_EQ(entry.root_op().name, "c");
  EXPECT_EQ(entry.ops[4].control_predecessors, std::vector<int32_t>{3});
}

TEST(HloReader, PutsCalleesBeforeCallers) {
  const OpGraph graph = parse(R"(HloModule m
ENTRY e { p = f32[] parameter(0) ROOT r = f32[] call(p), to_apply=outer }
outer { p = f32[] parameter(0) ROOT r = f32[] call(p), to_apply=inner }
inner { ROOT p = f32[] parameter(0) }
)");
  EXPECT_EQ(graph.computations[0].name, "inner");
  EXPECT_EQ(graph.computations[1].name, "outer");
  EXPECT_EQ(graph.entry, 2);
}

TEST(HloReader, TakesTheLastComputationAndOpWithoutMarks) {
  const OpGraph graph = parse(R"(HloModule m
first { p = f32[] parameter(0) }
second { p = f32[] parameter(0) n = f32[] negate(p) }
)");
  EXPECT_EQ(graph.entry_computation().name, "second");
  EXPECT_EQ(graph.entry_computation().root_op().name, "n");
}

TEST(HloReader, KeepsUnknownOpcodesAsText) {
  const OpGraph graph = parse(module_of(R"(
  p = f32[4]{0} parameter(0)
  ROOT z = f32[2]{0} zoom-in(p), factor=2, to_apply=e2)") +
                              "e2 { p = f32[] parameter(0) }\n");
  const Op& zoom = graph.computations.back().ops.back();
  EXPECT_EQ(zoom.opcode, HloOpcode::kUnknown);
  EXPECT_EQ(zoom.get<UnknownOpcode>().name, "zoom-in");
  EXPECT_EQ(zoom.called.size(), 1u);
  EXPECT_EQ(find_note(zoom.notes, "factor"), "2");
  EXPECT_EQ(check_shapes(graph).trusted, 1);
}

TEST(HloReader, ReadsTypedAttributes) {
  const OpGraph graph = parse(module_of(R"(
  x = f32[1,8,8,4]{3,2,1,0} parameter(0)
  k = f32[3,3,2,6]{3,2,1,0} parameter(1)
  c = f32[1,4,2,6]{3,2,1,0} convolution(x, k), window={size=3x3 stride=2x2 pad=1_0x0_0 rhs_dilate=1x2 rhs_reversal=1x0}, dim_labels=b01f_01io->b01f, feature_group_count=2
  q = f32[] constant(0)
  d = f32[3,8,8,9]{3,2,1,0} pad(x, q), padding=1_1x0_0x-1_1x1_1_1
  s = f32[1,3,8,2]{3,2,1,0} slice(x), slice={[0:1], [1:7:2], [0:8], [2:4:1]}
  t = f32[1,8,8,4]{3,2,1,0} custom-call(x), custom_call_target="my \"call\" \101", api_version=API_VERSION_TYPED_FFI
  i = s32[4]{0} iota(), iota_dimension=0
  b = pred[4]{0} compare(i, i), direction=NE, type=SIGNED
  f = pred[1,8,8,4]{3,2,1,0} compare(x, x), direction=LE, type=TOTALORDER
  ROOT g = f32[1,8,8,4]{3,2,1,0} reduce-precision(x), exponent_bits=8, mantissa_bits=7)"));
  const auto& convolution = find(graph, "c").get<Convolution>();
  ASSERT_EQ(convolution.window.dims.size(), 2u);
  EXPECT_EQ(convolution.window.dims[0],
            (WindowDimension{.size = 3, .stride = 2, .pad_low = 1, .reversed = true}));
  EXPECT_EQ(convolution.window.dims[1].window_dilation, 2);
  EXPECT_EQ(convolution.kernel, (ConvolutionLabels{.batch = 3, .feature = 2, .spatial = {0, 1}}));
  EXPECT_EQ(convolution.feature_groups, 2);
  EXPECT_EQ(find(graph, "d").get<Padding>().low, (std::vector<int64_t>{1, 0, -1, 1}));
  EXPECT_EQ(find(graph, "d").get<Padding>().interior, (std::vector<int64_t>{0, 0, 0, 1}));
  EXPECT_EQ(find(graph, "s").get<SliceRanges>().stride, (std::vector<int64_t>{1, 2, 1, 1}));
  EXPECT_EQ(find(graph, "t").get<CustomCall>().target, "my \"call\" A");
  EXPECT_EQ(find_note(find(graph, "t").notes, "api_version"), "API_VERSION_TYPED_FFI");
  EXPECT_EQ(find(graph, "b").get<Comparison>().direction, CompareDirection::kNe);
  EXPECT_TRUE(find(graph, "f").get<Comparison>().total_order);
  EXPECT_EQ(find(graph, "g").get<ReducePrecision>().mantissa_bits, 7);
}

TEST(HloReader, ReadsAsyncAndFusionForms) {
  const OpGraph graph = parse(R"(HloModule m, is_scheduled=true
%fused (p.0: f32[4]) -> f32[4] {
  %p.0 = f32[4]{0} parameter(0)
  ROOT %n = f32[4]{0} negate(f32[4]{0} %p.0)
}
%wrapped (p.1: f32[4]) -> f32[4] {
  %p.1 = f32[4]{0} parameter(0)
  ROOT %f = f32[4]{0} fusion(f32[4]{0} %p.1), kind=kLoop, calls=%fused, backend_config={"fusion_backend_config":{"kind":"__triton"}}
}, execution_thread="parallel"
ENTRY %main (x: f32[4]) -> f32[4] {
  %x = f32[4]{0} parameter(0)
  %start = ((f32[4]{0}), f32[4]{0:S(1)}, s32[]) async-start(f32[4]{0} %x), async_execution_thread="parallel", calls=%wrapped
  %sugar = ((f32[4]{0}), f32[4]{0}, s32[]) custom-call-start(f32[4]{0} %x), custom_call_target="foo"
  %copy-start.1 = (f32[4]{0:S(5)}, f32[4]{0}, u32[]) copy-start(f32[4]{0} %x), cross_program_prefetch_index=0
  %copy-done.1 = f32[4]{0:S(5)} copy-done((f32[4]{0:S(5)}, f32[4]{0}, u32[]) %copy-start.1)
  ROOT %done = f32[4]{0} async-done(((f32[4]{0}), f32[4]{0:S(1)}, s32[]) %start), control-predecessors={%copy-done.1}
}
)");
  EXPECT_EQ(find(graph, "start").opcode, HloOpcode::kAsyncStart);
  EXPECT_EQ(find(graph, "start").called, std::vector<int32_t>{1});
  EXPECT_EQ(find(graph, "sugar").get<UnknownOpcode>().name, "custom-call-start");
  EXPECT_EQ(find(graph, "done").control_predecessors.size(), 1u);
  EXPECT_EQ(graph.computations[1].ops[1].get<FusionKind>().kind, "kLoop");
}

/// A hostile text and a part of what the reader must say of it, with its place.
struct BadText {
  std::string text;
  std::string message;
};

void expect_errors(const std::vector<BadText>& cases) {
  for (const BadText& bad : cases) {
    const std::string message = hlo_error(bad.text);
    EXPECT_NE(message.find(bad.message), std::string::npos)
        << printable(bad.text, 400) << "\nsays: " << message << "\nnot:  " << bad.message;
  }
}

TEST(HloReader, SaysWhereTheSyntaxIsWrong) {
  expect_errors({
      {"", "m.hlo:1:1: expected HloModule"},
      {"module { }", "m.hlo:1:1: expected HloModule"},
      {"HloModule", "m.hlo:1:10: expected the name of the module, found the end"},
      {"HloModule m", "m.hlo:1:12: expected the name of a computation, found the end"},
      {"HloModule m, a=1, a=2", "m.hlo:1:19: the attribute 'a' is stated twice"},
      {"HloModule m, a={[}", "m.hlo:1:18: expected ']' in a, found '}'"},
      {"HloModule m, a={(", "expected ')' before the end of a"},
      {"HloModule m, a=\"x", "m.hlo:1:16: the string of a has no end"},
      {"HloModule m /* x", "m.hlo:1:13: the comment has no end"},
      {"HloModule m\nENTRY e {", "m.hlo:2:10: expected the name of an op, or '}', found the end"},
      {"HloModule m\nENTRY e { }", "m.hlo:2:11: the computation has no ops"},
      {"HloModule m\ne (p: f32[] { p = f32[] parameter(0) }", "before the end of the parameters"},
      {"HloModule m\ne (p: f32[]) f32[] { }", "m.hlo:2:14: expected '->'"},
      {module_of("a f32[] parameter(0)"), "m.hlo:4:3: expected '=' behind the name of an op"},
      {module_of("a = f31[] parameter(0)"), "m.hlo:4:5: 'f31' is no element type"},
      {module_of("a = f32 parameter(0)"),
       "m.hlo:4:9: expected '[' behind the element type, found "
       "'parameter'"},
      {module_of("a = f32[2 parameter(0)"), "m.hlo:4:11: expected ',' or ']' behind a dimension"},
      {module_of("a = f32[]"), "m.hlo:5:1: expected an opcode, found '}'"},
      {module_of("a = f32[] parameter"), "m.hlo:5:1: expected '(' behind the opcode"},
      {module_of("a = f32[] parameter(x)"), "m.hlo:4:21: expected the number of a parameter"},
      {module_of("a = f32[] parameter(0"), "m.hlo:5:1: expected ',' or ')' behind an operand"},
      {module_of("p = f32[] parameter(0)\nb = f32[] negate(p p)"),
       "m.hlo:5:18: 'p' is no element type"},
  });
}

TEST(HloReader, SaysWhichNamesAreMissingOrTwice) {
  expect_errors({
      {module_of("a = f32[] parameter(0)\na = f32[] negate(a)"),
       "m.hlo:5:1: the op 'a' is defined twice"},
      {module_of("a = f32[] negate(b)"), "m.hlo:4:18: the computation has no op 'b'"},
      {module_of("a = f32[] constant(1), control-predecessors={%b}"),
       "m.hlo:4:47: the computation has no op 'b'"},
      {module_of("a = f32[] parameter(0)\nb = f32[] call(a), to_apply=c"),
       "m.hlo:5:29: the module has no computation 'c'"},
      {"HloModule m\ne { a = f32[] parameter(0) }\ne { a = f32[] parameter(0) }",
       "m.hlo:3:1: the computation 'e' is defined twice"},
      {"HloModule m\nENTRY a { p = f32[] parameter(0) }\nENTRY b { p = f32[] parameter(0) }",
       "m.hlo:3:7: the module has a second ENTRY"},
      {module_of("ROOT a = f32[] parameter(0)\nROOT b = f32[] negate(a)"),
       "m.hlo:5:1: the computation has a second ROOT"},
      {module_of("a = f32[] parameter(1)"),
       "m.hlo:4:1: parameter number 1 comes where 0 is expected"},
      {module_of("a = f32[] parameter(0)\nb = f32[] parameter(0)"),
       "m.hlo:5:1: parameter number 0 comes where 1 is expected"},
      {module_of("a = f32[] parameter(-1)"), "the number of a parameter is -1, outside 0 to"},
  });
}

TEST(HloReader, RefusesCircles) {
  expect_errors({
      {module_of("a = f32[] negate(a)"), "m.hlo:4:1: 1 ops wait for each other in a circle: 'a'"},
      {module_of("p = f32[] parameter(0)\na = f32[] negate(b)\nb = f32[] add(p, a)"),
       "m.hlo:5:1: 2 ops wait for each other in a circle: 'a', 'b'"},
      {module_of("p = f32[] parameter(0), control-predecessors={a}\na = f32[] negate(p)"),
       "2 ops wait for each other"},
      {"HloModule m\ne { p = f32[] parameter(0) r = f32[] call(p), to_apply=e }",
       "m.hlo:2:1: 1 computations call each other in a circle"},
      {"HloModule m\na { p = f32[] parameter(0) r = f32[] call(p), to_apply=b }\n"
       "b { p = f32[] parameter(0) r = f32[] call(p), to_apply=a }",
       "m.hlo:2:1: 2 computations call each other in a circle, 'a' the next one 'b'"},
  });
}

TEST(HloReader, RefusesAbsurdSizes) {
  expect_errors({
      {module_of("a = f32[281474976710656] parameter(0)"),
       "m.hlo:4:9: the extent of a dimension is 281474976710656, outside 0 to 281474976710655"},
      {module_of("a = f32[99999999999999999999] parameter(0)"), "does not fit 64 bits"},
      {module_of("a = f32[-1] parameter(0)"), "the extent of a dimension is -1, outside"},
      {module_of("a = f32[16777216,16777216] parameter(0)"),
       "m.hlo:4:5: f32[16777216,16777216] has too many elements"},
      {module_of("a = (f32[], f32[16777216,16777216]) parameter(0)"), "m.hlo:4:5: "},
      {module_of("a = f32[" + std::string(200, '1').replace(1, 1, ",") + "] parameter(0)"),
       "does not fit 64 bits"},
      {module_of("a = f32[1" +
                 [] {
                   std::string dims;
                   for (int i = 0; i < 64; ++i) dims += ",1";
                   return dims;
                 }() +
                 "] parameter(0)"),
       "an array has at most 64 dimensions"},
      {module_of("a = s8[] constant(128)"), "is 128, outside -128 to 127"},
      {module_of("a = u4[] constant(16)"), "is 16, outside 0 to 15"},
      {module_of("a = u64[] constant(-1)"), "expected a number of type u64"},
      {module_of("a = u64[] constant(18446744073709551616)"), "expected a number of type u64"},
      {module_of("a = f64[] constant(1e999)"), "is outside the range of f64"},
  });
}

TEST(HloReader, RefusesLiteralsThatDoNotFitTheirShape) {
  expect_errors({
      {module_of("a = f32[2]{0} constant({1})"), "has 1 elements, f32[2] states 2"},
      {module_of("a = f32[2]{0} constant({1, 2, 3})"), "expected '}' behind 2 elements, found ','"},
      {module_of("a = f32[2]{0} constant(1)"), "expected '{' before the elements"},
      {module_of("a = f32[] constant({1})"), "expected a number of the constant"},
      {module_of("a = f32[2,2]{1,0} constant({ {1, 2} })"), "dimension 0 of the constant has 1"},
      {module_of("a = s32[] constant(1.5)"), "expected ',' or ')' behind an operand, found '.5)'"},
      {module_of("a = c64[] constant(1)"), "expected '(' before a complex number"},
      {module_of("a = token[] constant(1)"), "token[] has no value"},
      {module_of("a = (f32[], f32[]) constant((1))"), "expected ',' between the parts of a tuple"},
  });
}

TEST(HloReader, RefusesMalformedAttributes) {
  const std::string x = "x = f32[4,4]{1,0} parameter(0)\n";
  expect_errors({
      {module_of(x + "a = f32[4,4] transpose(x)"),
       "expected ', dimensions=...' behind the operands"},
      {module_of(x + "a = f32[4,4] transpose(x), dimensions={0,b}"),
       "m.hlo:5:42: expected dimensions"},
      {module_of(x + "a = f32[4,4] transpose(x), dimensions={0,1} 2"),
       "expected nothing more in dimensions, found '2'"},
      {module_of(x + "a = pred[4,4] compare(x, x), direction=UP"),
       "expected EQ, NE, GE, GT, LE or LT, found 'UP'"},
      {module_of(x + "a = f32[4,4] slice(x), slice={[0:4], [0-4]}"), "expected ':'"},
      {module_of(x + "a = f32[4,4] slice(x), slice={[0:4], [0:4:0]}"), "is 0, outside 1 to"},
      {module_of(x + "a = f32[4,4] pad(x, x), padding=0_0x0"), "expected '_' between low and high"},
      {module_of(x + "a = f32[4,4] call(x)"), "call needs to_apply, and names 0 computations"},
      {module_of(x + "a = f32[4,4] while(x), body=e"),
       "while needs condition and body, and names 1"},
      {module_of(x + "a = f32[4,4] convolution(x, x), dim_labels=bf_io"),
       "expected labels such as"},
      {module_of(x + "a = f32[4,4] convolution(x, x), dim_labels=bb_io->bf"),
       "labels two dimensions"},
      {module_of(x + "a = f32[4,4] convolution(x, x), dim_labels=bx_io->bf"),
       "'x' labels no dimension"},
      {module_of(x + "a = f32[4,4] convolution(x, x), dim_labels=b1f_1io->b1f"), "does not label"},
      {module_of(
           x +
           "a = f32[4,4] convolution(x, x), window={size=3 pad=1_1x1_1}, dim_labels=b0f_0io->b0f"),
       "pad of the window has more than 1 dimensions"},
      {module_of(x + "a = f32[4,4] convolution(x, x), window={depth=3}, dim_labels=b0f_0io->b0f"),
       "a window has no field 'depth'"},
      {module_of(x + "a = f32[4,4] custom-call(x), custom_call_target=Sharding"),
       "expected the target of a custom call"},
      {module_of("a = f32[4,4]{1,1} parameter(0)"),
       "does not name each dimension of f32[4,4] once"},
      {module_of("a = f32[4,4]{0} parameter(0)"), "does not name each dimension of f32[4,4] once"},
  });
}

TEST(HloReader, RefusesStatementsThatContradictTheOps) {
  expect_errors({
      {module_of("p = f32[2]{0} parameter(0)\na = f32[2]{0} negate(f32[3]{0} p)"),
       "m.hlo:5:22: operand 'p' is stated as f32[3], and is f32[2]"},
      {"HloModule m\nENTRY e (p: f32[2]) -> f32[3] { p = f32[2] parameter(0) }",
       "m.hlo:2:24: the computation 'e' is stated to give f32[3], its root gives f32[2]"},
      {"HloModule m, entry_computation_layout={(f32[3])->f32[2]}\ne { p = f32[2] parameter(0) }",
       "entry_computation_layout states f32[3] for 'p', which is f32[2]"},
      {"HloModule m, entry_computation_layout={()->f32[2]}\ne { p = f32[2] parameter(0) }",
       "does not have the 1 parameters of the entry"},
      {"HloModule m, input_output_alias={ {0}: (0, {}, may-alias) }\ne { p = f32[2] parameter(0) }",
       "input_output_alias of parameter 0 leads outside of the shapes"},
      {"HloModule m, input_output_alias={ {}: (1, {}) }\ne { p = f32[2] parameter(0) }",
       "input_output_alias names parameter 1, the entry has 1"},
      {"HloModule m, input_output_alias={ {}: (0, {}, never-alias) }\ne { p = f32[2] parameter(0) "
       "}",
       "expected may-alias or must-alias"},
      {module_of("p = f32[2] parameter(0)\na = f32[3] negate(p)"),
       "m.hlo:5: op 'a': negate: is stated as f32[3], its operands give f32[2]"},
      {module_of("p = f32[2] parameter(0)\na = f32[2] add(p)"),
       "m.hlo:5: op 'a': add: needs 2 operands, and has 1"},
  });
}

TEST(HloReader, BoundsNesting) {
  std::string deep = module_of("a = " + std::string(100'000, '(') + " parameter(0)");
  EXPECT_NE(hlo_error(deep).find("tuples nest more than 64 levels"), std::string::npos);
  deep = module_of("a = f32[] constant(1), backend_config=" + std::string(100'000, '{'));
  EXPECT_NE(hlo_error(deep).find("nests more than 1,000 levels"), std::string::npos);
  deep = module_of("a = f32[] abs(" + std::string(100'000, '('));
  EXPECT_NE(hlo_error(deep).find("nests more than 1,000 levels"), std::string::npos);
}

TEST(HloReader, ReadsLongChainsWithoutRecursion) {
  std::string ops = "p = f32[] parameter(0)\n";
  // Backwards, so that every op stands before the one it reads.
  for (int i = 20'000; i > 0; --i) {
    ops += fmt::format("n{} = f32[] negate({})\n", i, i == 1 ? "p" : fmt::format("n{}", i - 1));
  }
  ops += "ROOT r = f32[] negate(n20000)";
  EXPECT_EQ(op_count(parse(module_of(ops))), 20'002);
  std::string chain = "HloModule m\nc0 { ROOT p = f32[] parameter(0) }\n";
  for (int i = 1; i < 5000; ++i) {
    chain += fmt::format("c{} {{ p = f32[] parameter(0) ROOT r = f32[] call(p), to_apply=c{} }}\n",
                         i, i - 1);
  }
  EXPECT_EQ(parse(chain).computations.size(), 5000u);
}

TEST(HloReader, RefusesTooLongTextAndZeroBytes) {
  EXPECT_NE(hlo_error(std::string("HloModule m\n\0 e { }", 20)).find("m.hlo:2:1: a zero byte"),
            std::string::npos);
  EXPECT_NE(hlo_error(std::string(kMaxHloBytes + 1, ' ')).find("at most 64 MiB"),
            std::string::npos);
}

TEST(HloReader, ReadsFiles) {
  const TempFolder folder;
  const std::string path = folder.file("a.hlo", module_of("p = f32[] parameter(0)"));
  EXPECT_EQ(read_hlo(path).source, path);
  EXPECT_THROW(read_hlo(folder.path("missing.hlo")), Error);
}

TEST(HloReader, ReadsAndChecksEveryRealModule) {
  const std::vector<std::string> paths = data_modules();
  if (paths.empty()) GTEST_SKIP() << "no real modules; set TILEWRIGHT_DATA";
  for (const std::string& path : paths) {
    const OpGraph graph = read_hlo(path);
    const ShapeCheck check = check_shapes(graph);
    EXPECT_EQ(check.trusted, 0) << path;
    EXPECT_EQ(check.checked, op_count(graph)) << path;
  }
}

}  // namespace
}  // namespace tilewright
