#include "core/model/decoder_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "core/graph/hlo_reader.h"
#include "core/graph/hlo_writer.h"

namespace tilewright {
namespace {

std::set<std::string> model_ops_in(const DecoderGraph& layer) {
  std::set<std::string> names;
  for (const Op& op : layer.graph.entry_computation().ops) {
    names.insert(std::string(model_op_of(op.name)));
  }
  return names;
}

TEST(DecoderGraph, HoldsEveryOpOfTheLayerOfEveryModel) {
  for (const std::string& name : model_names()) {
    const ModelConfig model = load_model(name);
    for (const bool quantized : {false, true}) {
      for (const int64_t tp : {1, 2}) {
        RankLayout layout;
        layout.parallel.tp = tp;
        layout.quantized = quantized;
        if (query_heads(model, 1, 0).count % tp != 0) continue;
        const DecoderGraph layer = decoder_graph(model, 48, layout);
        const std::set<std::string> names = model_ops_in(layer);
        for (const ModelOp& op : layer.ops) {
          EXPECT_TRUE(names.contains(op.name)) << name << ": " << op.name;
        }
        // Shapes are checked by the reader; the text reads back.
        EXPECT_EQ(parse_hlo(to_hlo(layer.graph), "again"), layer.graph) << name;
      }
    }
  }
}

TEST(DecoderGraph, LinksTheLayerFromInputToResults) {
  const DecoderGraph layer = decoder_graph(load_model("qwen2-7b"), 16);
  const Computation& entry = layer.graph.entry_computation();
  const Users users(entry);
  for (size_t i = 0; i < entry.ops.size(); ++i) {
    const auto op = static_cast<int32_t>(i);
    EXPECT_TRUE(op == entry.root || !users.of(op).empty()) << entry.op(op).name;
  }
  EXPECT_EQ(entry.root_op().shape.parts.size(), 2u);
}

TEST(DecoderGraph, NumbersOpsThatComeAgain) {
  const DecoderGraph layer = decoder_graph(load_model("qwen2-7b"), 16);
  const auto count = [&](std::string_view name) {
    return std::ranges::count(layer.ops, name, &ModelOp::name);
  };
  EXPECT_EQ(count("add_rms_norm"), 1);
  EXPECT_EQ(count("add_rms_norm_2"), 1);
}

}  // namespace
}  // namespace tilewright
