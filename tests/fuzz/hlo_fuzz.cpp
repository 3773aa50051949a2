// Any text as HLO is refused with a place or gives a graph whose invariants hold; written, it is
// read back as the same, and its flat form is a sound graph too.

#include "core/graph/flatten.h"
#include "core/graph/hlo_reader.h"
#include "core/graph/hlo_writer.h"
#include "core/graph/infer_shape.h"
#include "core/graph/regions.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

namespace {

void check_computation(const OpGraph& graph, size_t index) {
  const Computation& computation = graph.computations[index];
  for (size_t i = 0; i < computation.ops.size(); ++i) {
    const Op& op = computation.ops[i];
    for (const int32_t operand : op.operands) {
      TW_CHECK(operand >= 0 && operand < static_cast<int32_t>(i), "operands come first");
    }
    for (const int32_t before : op.control_predecessors) {
      TW_CHECK(before >= 0 && before < static_cast<int32_t>(i), "control predecessors come first");
    }
    for (const int32_t callee : op.called) {
      TW_CHECK(callee >= 0 && callee < static_cast<int32_t>(index), "callees come first");
    }
    TW_CHECK(byte_count(op.shape) >= 0, "sizes can be counted");
  }
  for (size_t i = 0; i < computation.parameters.size(); ++i) {
    const Op& parameter = computation.op(computation.parameters[i]);
    TW_CHECK(parameter.get<ParameterNumber>().number == static_cast<int64_t>(i),
             "parameters have their numbers");
  }
}

void check_graph(const OpGraph& graph) {
  for (size_t i = 0; i < graph.computations.size(); ++i) check_computation(graph, i);
  check_shapes(graph);
  TW_CHECK(parse_hlo(to_hlo(graph), "again") == graph, "what is written is read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  OpGraph graph;
  if (!accepted([&] { graph = parse_hlo(text_of(data, size), "hlo"); })) return 0;
  check_graph(graph);
  OpGraph flat;
  if (!accepted([&] { flat = flatten(graph); })) return 0;
  check_graph(flat);
  TW_CHECK(!region_runs(flat).empty(), "the entry is a region");
  return 0;
}
