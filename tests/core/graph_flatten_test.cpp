#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "core/base/random.h"
#include "core/graph/flatten.h"
#include "core/graph/hlo_writer.h"
#include "core/graph/infer_shape.h"
#include "core/graph/regions.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

OpGraph flat(const std::string& text) {
  return flatten(parse_hlo(text, "m.hlo"));
}

std::vector<std::string> names_of(const Computation& computation) {
  std::vector<std::string> names;
  for (const Op& op : computation.ops) names.push_back(op.name);
  return names;
}

using Names = std::vector<std::string>;

TEST(Flatten, InlinesCallsAndFusions) {
  const OpGraph graph = flat(R"(HloModule m
inner { a = f32[2] parameter(0) ROOT n = f32[2] negate(a) }
outer {
  a = f32[2] parameter(0)
  b = f32[2] parameter(1)
  c = f32[2] call(b), to_apply=inner
  ROOT s = f32[2] subtract(a, c)
}
ENTRY e {
  x = f32[2] parameter(0)
  y = f32[2] parameter(1)
  n = f32[2] exponential(x)
  c = f32[2] call(n, y), to_apply=outer
  ROOT d = f32[2] fusion(c, x), kind=kLoop, calls=outer
})");
  ASSERT_EQ(graph.computations.size(), 1u);
  const Computation& entry = graph.entry_computation();
  EXPECT_EQ(names_of(entry), (Names{"x", "y", "n", "n.1", "s", "n.2", "s.1"}));
  EXPECT_EQ(to_hlo_line(graph, entry, entry.op(4)), "%s = f32[2]{0} subtract(%n, %n.1)");
  EXPECT_EQ(to_hlo_line(graph, entry, entry.op(6)), "%s.1 = f32[2]{0} subtract(%s, %n.2)");
  EXPECT_EQ(entry.op(3).line, 2);
  EXPECT_EQ(entry.root, 6);
}

TEST(Flatten, RemovesIdentities) {
  const OpGraph graph = flat(module_of(R"(
  x = f32[2,3] parameter(0)
  a = f32[2,3] custom-call(x), custom_call_target="Sharding"
  b = f32[2,3]{0,1} copy(a)
  c = f32[2,3] convert(b)
  d = f32[2,3] reshape(c)
  f = f32[2,3] broadcast(d), dimensions={0,1}
  g = f32[2,3] transpose(f), dimensions={0,1}
  h = f32[2,3] slice(g), slice={[0:2], [0:3]}
  i = (f32[2,3], f32[2,3]) tuple(h, x)
  j = (f32[2,3], f32[2,3]) opt-barrier(i)
  k = f32[2,3] get-tuple-element(j), index=0
  ROOT r = f32[2,3] negate(k))"));
  EXPECT_EQ(names_of(graph.entry_computation()), (Names{"x", "r"}));
}

TEST(Flatten, KeepsWhatOnlyLooksLikeAnIdentity) {
  const OpGraph graph = flat(module_of(R"(
  x = f32[3,3] parameter(0)
  a = f32[3,3] custom-call(x), custom_call_target="Mystery"
  b = bf16[3,3] convert(a)
  c = bf16[3,3] transpose(b), dimensions={1,0}
  d = bf16[3,3] broadcast(c), dimensions={1,0}
  f = bf16[3,3] reverse(d), dimensions={0}
  g = bf16[3,3]{0,1} bitcast(f)
  ROOT h = bf16[9] reshape(g))"));
  EXPECT_EQ(names_of(graph.entry_computation()), (Names{"x", "a", "b", "c", "d", "f", "g", "h"}));
}

TEST(Flatten, RemovesDeadOpsButNoSideEffects) {
  const OpGraph graph = flat(R"(HloModule m
quiet { p = f32[] parameter(0) ROOT n = f32[] negate(p) }
loud { p = f32[] parameter(0) k = token[] after-all() o = token[] outfeed(p, k) }
yes { ROOT p = f32[] parameter(0) }
say { p = f32[] parameter(0) k = token[] after-all() o = token[] outfeed(p, k) ROOT r = f32[] negate(p) }
ENTRY e {
  x = f32[] parameter(0)
  unused = f32[] parameter(1)
  dead = f32[] exponential(x)
  deader = f32[] call(dead), to_apply=quiet
  gone = f32[] custom-call(x), custom_call_target="pure"
  kept = f32[] custom-call(x), custom_call_target="print", custom_call_has_side_effect=true
  t = pred[] constant(true)
  c = f32[] conditional(t, x, x), true_computation=yes, false_computation=say
  odd = f32[] zoom-in(x)
  ROOT r = f32[] negate(x)
})");
  EXPECT_EQ(names_of(graph.entry_computation()),
            (Names{"x", "unused", "kept", "t", "c", "odd", "r"}));
  EXPECT_EQ(graph.computations.size(), 3u);
  const Computation& entry = graph.entry_computation();
  EXPECT_TRUE(has_side_effect(graph, entry.op(4)));
  EXPECT_FALSE(has_side_effect(graph, entry.op(6)));
}

TEST(Flatten, KeepsOpsWithControlDependences) {
  const OpGraph graph = flat(R"(HloModule m
f { p = f32[] parameter(0) ROOT n = f32[] negate(p) }
ENTRY e {
  x = f32[] parameter(0)
  a = f32[] copy(x)
  b = f32[] call(x), to_apply=f, control-predecessors={a}
  c = f32[] copy(b)
  ROOT d = f32[] add(c, c)
})");
  EXPECT_EQ(names_of(graph.entry_computation()), (Names{"x", "a", "b", "d"}));
  EXPECT_EQ(graph.computations.size(), 2u);
}

TEST(Flatten, KeepsTheResultTuple) {
  const OpGraph graph = flat(module_of(R"(
  x = f32[] parameter(0)
  c = f32[] copy(x)
  ROOT t = (f32[], f32[]) tuple(c, x))"));
  EXPECT_EQ(graph.entry_computation().root_op().opcode, HloOpcode::kTuple);
  EXPECT_EQ(graph.entry_computation().root_op().operands, (std::vector<int32_t>{0, 0}));
}

TEST(Flatten, RefusesCallsThatMultiplyWithoutBound) {
  std::string text = "HloModule m\nc0 { ROOT p = f32[] parameter(0) }\n";
  for (int i = 1; i < 40; ++i) {
    text += fmt::format(
        "c{0} {{\n p = f32[] parameter(0)\n a = f32[] call(p), to_apply=c{1}\n"
        " b = f32[] call(a), to_apply=c{1}\n}}\n",
        i, i - 1);
  }
  const OpGraph graph = parse_hlo(text, "m.hlo");
  EXPECT_THROW(flatten(graph), Error);
}

TEST(Flatten, RefusesLargeOpsThatAreCalledTooOften) {
  std::string text = "HloModule m\nf {\n p = f32[] parameter(0)\n r = f32[] abs(p), n={" +
                     std::string(1'000'000, 'x') + "}\n}\nENTRY e {\n p = f32[] parameter(0)\n";
  for (int i = 0; i < 1'200; ++i) text += fmt::format(" a{} = f32[] call(p), to_apply=f\n", i);
  EXPECT_THROW(flatten(parse_hlo(text + "}\n", "m.hlo")), Error);
}

/// Scalar f32 programs, evaluated the slow way.
class Scalars {
 public:
  explicit Scalars(const OpGraph& graph) : graph_(graph) {}

  /// Parts of the result of a computation.
  std::vector<float> run(const Computation& computation, const std::vector<float>& inputs) const {
    std::vector<std::vector<float>> values;
    for (const Op& op : computation.ops) {
      const auto in = [&](size_t i) { return values[static_cast<size_t>(op.operands[i])]; };
      std::vector<float> all;
      for (size_t i = 0; i < op.operands.size(); ++i) {
        const std::vector<float> parts = in(i);
        all.insert(all.end(), parts.begin(), parts.end());
      }
      values.push_back(apply(op, all, inputs));
    }
    return values[static_cast<size_t>(computation.root)];
  }

 private:
  std::vector<float> apply(const Op& op, const std::vector<float>& in,
                           const std::vector<float>& inputs) const {
    switch (op.opcode) {
      case HloOpcode::kParameter:
        return {inputs[static_cast<size_t>(op.get<ParameterNumber>().number)]};
      case HloOpcode::kSubtract:
        return {in[0] - in[1]};
      case HloOpcode::kMultiply:
        return {in[0] * in[1]};
      case HloOpcode::kGetTupleElement:
        return {in[static_cast<size_t>(op.get<TupleIndex>().index)]};
      case HloOpcode::kCall:
        return run(graph_.computation(op.called[0]), in);
      default:
        return in;  // copy, tuple, sharding
    }
  }

  const OpGraph& graph_;
};

/// Computations of two scalars that call earlier ones, pass pairs about, and copy.
std::string random_calls(uint64_t seed) {
  Random random(seed);
  std::string text = "HloModule m\n";
  const auto pick = [&](int64_t bound) {
    return static_cast<int64_t>(random.below(static_cast<uint64_t>(bound)));
  };
  for (int64_t c = 0; c < 5; ++c) {
    text += fmt::format("c{} {{\n x0 = f32[] parameter(0)\n x1 = f32[] parameter(1)\n", c);
    for (int64_t i = 2; i < 9; ++i) {
      const int64_t a = pick(i);
      const int64_t b = pick(i);
      const int64_t kind = pick(c == 0 ? 4 : 6);
      if (kind == 0) {
        text += fmt::format(" x{} = f32[] subtract(x{}, x{})\n", i, a, b);
      } else if (kind == 1) {
        text += fmt::format(" x{} = f32[] multiply(x{}, x{})\n", i, a, b);
      } else if (kind == 2) {
        text += fmt::format(" x{} = f32[] copy(x{})\n", i, a);
      } else if (kind == 3) {
        text += fmt::format(
            " t{0} = (f32[], f32[]) tuple(x{1}, x{2})\n"
            " x{0} = f32[] get-tuple-element(t{0}), index={3}\n",
            i, a, b, pick(2));
      } else {
        text += fmt::format(
            " u{0} = (f32[], f32[]) call(x{1}, x{2}), to_apply=c{3}\n"
            " x{0} = f32[] get-tuple-element(u{0}), index={4}\n",
            i, a, b, pick(c), pick(2));
      }
    }
    text += fmt::format(" ROOT r = (f32[], f32[]) tuple(x{}, x8)\n}}\n", pick(9));
  }
  return text;
}

TEST(Flatten, PreservesWhatRandomProgramsCompute) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const OpGraph graph = parse_hlo(random_calls(seed), "m.hlo");
    const OpGraph flattened = flatten(graph);
    const std::vector<float> inputs = {1.25f, -0.5f};
    EXPECT_EQ(Scalars(graph).run(graph.entry_computation(), inputs),
              Scalars(flattened).run(flattened.entry_computation(), inputs))
        << to_hlo(graph);
    EXPECT_EQ(flattened.computations.size(), 1u);
    EXPECT_EQ(parse_hlo(to_hlo(flattened), "flat"), flattened);
    EXPECT_EQ(flatten(flattened), flattened);
  }
}

/// A loop over (counter, limit, value), with the parts of the usual pattern open.
std::string loop(const std::string& first, const std::string& compare, const std::string& step) {
  return R"(HloModule m
cond {
  p = (s32[], s32[], f32[]) parameter(0)
  i = s32[] get-tuple-element(p), index=0
  n = s32[] get-tuple-element(p), index=1
  ten = s32[] constant(10)
  ROOT c = pred[] compare()" +
         compare + R"(
}
body {
  p = (s32[], s32[], f32[]) parameter(0)
  i = s32[] get-tuple-element(p), index=0
  n = s32[] get-tuple-element(p), index=1
  x = f32[] get-tuple-element(p), index=2
  one = s32[] constant(1)
  three = s32[] constant(3)
  next = s32[] )" +
         step + R"(
  y = f32[] add(x, x)
  ROOT r = (s32[], s32[], f32[]) tuple(next, n, y)
}
ENTRY e {
  x = f32[] parameter(0)
  unknown = s32[] parameter(1)
  zero = s32[] constant(0)
  twenty = s32[] constant(20)
  t = (s32[], s32[], f32[]) tuple()" +
         first + R"(, twenty, x)
  w = (s32[], s32[], f32[]) while(t), condition=cond, body=body
  ROOT v = f32[] get-tuple-element(w), index=2
})";
}

std::optional<int64_t> trips(const std::string& text) {
  const OpGraph graph = flat(text);
  const Computation& entry = graph.entry_computation();
  for (const Op& op : entry.ops) {
    if (op.opcode == HloOpcode::kWhile) return trip_count(graph, entry, op);
  }
  return std::nullopt;
}

TEST(TripCount, OfTheUsualCounters) {
  EXPECT_EQ(trips(loop("zero", "i, ten), direction=LT", "add(i, one)")), 10);
  EXPECT_EQ(trips(loop("zero", "ten, i), direction=GT", "add(one, i)")), 10);
  EXPECT_EQ(trips(loop("zero", "i, ten), direction=LE", "add(i, one)")), 11);
  EXPECT_EQ(trips(loop("zero", "i, ten), direction=LT", "add(i, three)")), 4);
  EXPECT_EQ(trips(loop("twenty", "i, ten), direction=GT", "subtract(i, three)")), 4);
  EXPECT_EQ(trips(loop("twenty", "i, ten), direction=GE", "subtract(i, one)")), 11);
  EXPECT_EQ(trips(loop("twenty", "i, ten), direction=LT", "add(i, one)")), 0);
  EXPECT_EQ(trips(loop("zero", "i, n), direction=LT", "add(i, one)")), 20);
}

TEST(TripCount, IsUnknownOtherwise) {
  EXPECT_EQ(trips(loop("unknown", "i, ten), direction=LT", "add(i, one)")), std::nullopt);
  EXPECT_EQ(trips(loop("zero", "i, ten), direction=NE", "add(i, one)")), std::nullopt);
  EXPECT_EQ(trips(loop("zero", "i, ten), direction=LT", "subtract(i, one)")), std::nullopt);
  EXPECT_EQ(trips(loop("zero", "i, ten), direction=LT", "multiply(i, three)")), std::nullopt);
  EXPECT_EQ(trips(loop("zero", "i, ten), direction=LT", "add(n, one)")), std::nullopt);
  EXPECT_EQ(trips(loop("zero", "i, i), direction=LT", "add(i, one)")), std::nullopt);
}

TEST(TripCount, OfAScalarStateAndOfANote) {
  const std::string scalar = R"(HloModule m
body { p = s32[] parameter(0) one = s32[] constant(1) ROOT n = s32[] add(one, p) }
cond { p = s32[] parameter(0) five = s32[] constant(5) ROOT c = pred[] compare(five, p), direction=GT }
ENTRY e { zero = s32[] constant(0) ROOT w = s32[] while(zero), condition=cond, body=body }
)";
  EXPECT_EQ(trips(scalar), 5);
  std::string noted = loop("unknown", "i, ten), direction=LT", "add(i, one)");
  const std::string body = "body=body";
  noted.insert(noted.find(body) + body.size(),
               R"(, backend_config={"known_trip_count":{"n":"7"},"x":1})");
  EXPECT_EQ(trips(noted), 7);
}

TEST(RegionRuns, CountTheRunsOfLoops) {
  const OpGraph graph = flat(loop("zero", "i, ten), direction=LT", "add(i, one)"));
  std::map<std::string, std::optional<int64_t>> runs;
  const std::vector<RegionRuns> regions = region_runs(graph);
  for (const RegionRuns& region : regions) {
    runs[graph.computation(region.computation).name] = region.runs;
  }
  EXPECT_EQ(regions[0].computation, graph.entry);
  EXPECT_EQ(runs,
            (std::map<std::string, std::optional<int64_t>>{{"e", 1}, {"body", 10}, {"cond", 11}}));
}

TEST(RegionRuns, LeaveOutScalarFunctionsAndAddUpCallers) {
  const OpGraph graph = flat(R"(HloModule m
sum { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }
branch {
  x = f32[4] parameter(0)
  z = f32[] constant(0)
  ROOT r = f32[] reduce(x, z), dimensions={0}, to_apply=sum
}
ENTRY e {
  x = f32[4] parameter(0)
  p = pred[] parameter(1)
  a = f32[] conditional(p, x, x), true_computation=branch, false_computation=branch
  ROOT b = f32[] conditional(p, x, x), true_computation=branch, false_computation=branch
})");
  const std::vector<RegionRuns> regions = region_runs(graph);
  ASSERT_EQ(regions.size(), 2u);
  EXPECT_EQ(regions[1].runs, 2);
}

TEST(RegionRuns, DoNotCountBehindAnUnknownLoop) {
  const OpGraph graph = flat(loop("unknown", "i, ten), direction=LT", "add(i, one)"));
  for (const RegionRuns& region : region_runs(graph)) {
    EXPECT_EQ(region.runs.has_value(), region.computation == graph.entry);
  }
}

TEST(Flatten, TakesEveryRealModule) {
  const std::vector<std::string> paths = data_modules();
  if (paths.empty()) GTEST_SKIP() << "no real modules; set TILEWRIGHT_DATA";
  for (const std::string& path : paths) {
    const OpGraph graph = flatten(read_hlo(path));
    check_shapes(graph);
    EXPECT_EQ(flatten(graph), graph) << path;
    EXPECT_EQ(parse_hlo(to_hlo(graph), path), graph) << path;
    for (const RegionRuns& region : region_runs(graph))
      EXPECT_TRUE(region.runs.has_value()) << path;
    for (const Computation& computation : graph.computations) {
      for (const Op& op : computation.ops) EXPECT_NE(op.opcode, HloOpcode::kCall) << path;
    }
  }
}

}  // namespace
}  // namespace tilewright
