// Reading, checking and flattening op graphs, at the size of a large model's module.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>

#include "core/graph/flatten.h"
#include "core/graph/hlo_reader.h"
#include "core/graph/hlo_writer.h"
#include "core/graph/infer_shape.h"

namespace tilewright {
namespace {

/// `layers` blocks of a norm, a matrix product and a residual, ten ops each, with the metadata that
/// frameworks write.
std::string layered_module(int64_t layers) {
  std::string text = R"(HloModule layers
sum { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }
ENTRY e {
  x0 = f32[512,1024]{1,0} parameter(0)
  w = f32[1024,1024]{1,0} parameter(1)
  zero = f32[] constant(0)
)";
  for (int64_t i = 1; i <= layers; ++i) {
    const std::string note = fmt::format(
        ", metadata={{op_name=\"jit(step)/decoder/layer_{}/self_attention/op\" stack_frame_id={}}}",
        i, i);
    text += fmt::format(
        "  q{0} = f32[512,1024]{{1,0}} multiply(x{1}, x{1}){2}\n"
        "  s{0} = f32[512]{{0}} reduce(q{0}, zero), dimensions={{1}}, to_apply=sum{2}\n"
        "  c{0} = f32[] constant({3})\n"
        "  k{0} = f32[512]{{0}} broadcast(c{0}), dimensions={{}}{2}\n"
        "  d{0} = f32[512]{{0}} multiply(s{0}, k{0}){2}\n"
        "  r{0} = f32[512]{{0}} rsqrt(d{0}){2}\n"
        "  b{0} = f32[512,1024]{{1,0}} broadcast(r{0}), dimensions={{0}}{2}\n"
        "  n{0} = f32[512,1024]{{1,0}} multiply(x{1}, b{0}){2}\n"
        "  y{0} = f32[512,1024]{{1,0}} dot(n{0}, w), lhs_contracting_dims={{1}}, "
        "rhs_contracting_dims={{0}}{2}\n"
        "  x{0} = f32[512,1024]{{1,0}} add(x{1}, y{0}){2}\n",
        i, i - 1, note, 1.0 / static_cast<double>(i));
  }
  return text + "}\n";
}

const std::string& large_text() {
  static const std::string text = layered_module(1000);
  return text;
}

const OpGraph& large_graph() {
  static const OpGraph graph = parse_hlo(large_text(), "bench");
  return graph;
}

void GraphReadHlo(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_hlo(large_text(), "bench"));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(large_text().size()));
  state.counters["ops"] = static_cast<double>(op_count(large_graph()));
}
BENCHMARK(GraphReadHlo)->Unit(benchmark::kMillisecond);

void GraphWriteHlo(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(to_hlo(large_graph()));
}
BENCHMARK(GraphWriteHlo)->Unit(benchmark::kMillisecond);

void GraphCheckShapes(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(check_shapes(large_graph()).checked);
}
BENCHMARK(GraphCheckShapes)->Unit(benchmark::kMillisecond);

void GraphFlatten(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(flatten(large_graph()));
}
BENCHMARK(GraphFlatten)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tilewright
