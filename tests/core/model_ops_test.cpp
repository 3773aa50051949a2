#include <gtest/gtest.h>

#include <map>

#include "core/model/ops.h"

namespace tilewright {
namespace {

std::map<std::string, ModelOp> by_name(const std::vector<ModelOp>& ops) {
  std::map<std::string, ModelOp> found;
  for (const ModelOp& op : ops) {
    EXPECT_TRUE(found.emplace(op.name, op).second) << op.name << " stands twice";
  }
  return found;
}

std::vector<std::string> names_of(const std::vector<ModelOp>& ops) {
  std::vector<std::string> names;
  for (const ModelOp& op : ops) names.push_back(op.name);
  return names;
}

void expect_gemm(const ModelOp& op, int64_t m, int64_t n, int64_t k, int64_t repeat) {
  EXPECT_EQ(op.kind, op.groups > 0 ? OpKind::kGroupedGemm : OpKind::kGemm) << op.name;
  EXPECT_EQ(op.rows, m) << op.name;
  EXPECT_EQ(op.columns, n) << op.name;
  EXPECT_EQ(op.depth, k) << op.name;
  EXPECT_EQ(op.repeat, repeat) << op.name;
}

RankLayout layout_of(int64_t tp, int64_t pp, int64_t stage) {
  return {{tp, pp}, stage, false};
}

TEST(DecoderOps, FuseGemmsWithWhatCanBeTheirEpilogue) {
  const auto sections = decoder_sections(load_model("qwen2-7b"), 32, 4, {});
  std::vector<std::string> offered;
  const auto all = with_fusions(sections, [&](const OpFusion& fusion) {
    offered.push_back(fusion.name);
    return true;
  });
  const std::vector<std::string> want = {"o_proj+add_rms_norm", "gate_up+silu_mul",
                                         "down+add_rms_norm"};
  EXPECT_EQ(offered, want);
  const std::vector<std::string> layer = {"qkv",
                                          "rope",
                                          "attention",
                                          "o_proj+add_rms_norm",
                                          "rms_norm",
                                          "gate_up+silu_mul",
                                          "down+add_rms_norm",
                                          "rms_norm"};
  EXPECT_EQ(names_of(all[1].ops), layer);
  const ModelOp& gate = all[1].ops[5];
  EXPECT_EQ(gate.columns, 18944);  // of the result; B has those of gate and up
  EXPECT_EQ(gate.epilogue, "silu_mul");
  EXPECT_EQ(all[1].ops[3].epilogue, "residual");
  EXPECT_EQ(all[1].ops[4].kind, OpKind::kRmsNorm);
  // Nobody wants one: nothing changes.
  const auto none = with_fusions(sections, [](const OpFusion&) { return false; });
  for (size_t i = 0; i < sections.size(); ++i) {
    EXPECT_EQ(names_of(none[i].ops), names_of(sections[i].ops));
  }
}

TEST(DecoderOps, DoNotFuseAcrossExchangesOrExperts) {
  const auto offers = [](const std::string& model, int64_t tp) {
    RankLayout layout;
    layout.parallel.tp = tp;
    std::vector<std::string> names;
    with_fusions(decoder_sections(load_model(model), 32, 4, layout), [&](const OpFusion& fusion) {
      names.push_back(fusion.name);
      return false;
    });
    return names;
  };
  EXPECT_EQ(offers("qwen2-7b", 2), std::vector<std::string>{"gate_up+silu_mul"});
  for (const std::string& model : model_names()) {
    for (const std::string& name : offers(model, 1)) EXPECT_NE(name.find("expert_"), 0u) << model;
  }
}

TEST(DecoderOps, FollowTheOrderOfALayer) {
  const std::vector<std::string> kWant = {"embedding", "rms_norm", "qkv",          "rope",
                                          "attention", "o_proj",   "add_rms_norm", "gate_up",
                                          "silu_mul",  "down",     "lm_head",      "sample"};
  EXPECT_EQ(names_of(decoder_ops(load_model("qwen2-7b"), 32, 4)), kWant);
}

TEST(DecoderOps, HaveTheSizesOfTheTableOfLinears) {
  const auto ops = by_name(decoder_ops(load_model("qwen2-7b"), 100, 7));
  expect_gemm(ops.at("qkv"), 100, (28 + 2 * 4) * 128, 3584, 28);
  expect_gemm(ops.at("o_proj"), 100, 3584, 28 * 128, 28);
  expect_gemm(ops.at("gate_up"), 100, 2 * 18944, 3584, 28);
  expect_gemm(ops.at("down"), 100, 3584, 18944, 28);
  expect_gemm(ops.at("lm_head"), 7, 152064, 3584, 1);
  EXPECT_EQ(ops.at("rms_norm").repeat, 1);
  EXPECT_EQ(ops.at("add_rms_norm").repeat, 56);
  EXPECT_EQ(ops.at("rope").heads, 32);
  EXPECT_EQ(ops.at("rope").columns, 128);
  EXPECT_EQ(ops.at("silu_mul").columns, 18944);
  EXPECT_EQ(ops.at("sample").rows, 7);
}

TEST(DecoderOps, HoldEveryWeightOfAModelOnce) {
  for (const char* name : {"llama-2-7b", "llama-3.1-70b", "mixtral-8x7b", "deepseek-v2-lite"}) {
    const ModelConfig model = load_model(name);
    EXPECT_EQ(rank_weight_bytes(model, {}), model.weight_bytes()) << name;
  }
}

TEST(DecoderOps, ShareTheWeightsOutAmongRanksAndStages) {
  const ModelConfig model = load_model("llama-3.1-70b");
  EXPECT_EQ(4 * rank_weight_bytes(model, layout_of(4, 1, 0)), model.weight_bytes());
  int64_t stages = 0;
  for (int64_t stage = 0; stage < 4; ++stage)
    stages += rank_weight_bytes(model, layout_of(2, 4, stage));
  EXPECT_EQ(2 * stages, model.weight_bytes());
}

TEST(DecoderOps, ReplicateKvHeadsThatAreFewerThanTheRanks) {
  const ModelConfig model = load_model("qwen2-7b");  // 28 heads, 4 KV heads
  const auto ops = by_name(decoder_ops(model, 8, 8, layout_of(2, 1, 0)));
  expect_gemm(ops.at("qkv"), 8, (14 + 2 * 2) * 128, 3584, 28);
  const ModelConfig large = load_model("llama-3.1-70b");  // 64 heads, 8 KV heads
  const auto many = by_name(decoder_ops(large, 8, 8, layout_of(16, 1, 0)));
  expect_gemm(many.at("qkv"), 8, (4 + 2) * 128, 8192, 80);
  EXPECT_EQ(rank_kv_bytes_per_token(large, layout_of(16, 1, 0)), 80 * 2 * 128 * 2);
  EXPECT_EQ(rank_kv_bytes_per_token(large, layout_of(8, 1, 0)), 80 * 2 * 128 * 2);
  EXPECT_EQ(rank_kv_bytes_per_token(large, layout_of(4, 1, 0)), 80 * 2 * 2 * 128 * 2);
}

TEST(DecoderOps, ReduceAfterBothHalvesOfALayerAndGatherLogits) {
  const auto ops = by_name(decoder_ops(load_model("llama-3.1-70b"), 64, 3, layout_of(8, 1, 0)));
  EXPECT_EQ(ops.at("all_reduce").repeat, 2 * 80);
  EXPECT_EQ(ops.at("all_reduce").rows, 64);
  EXPECT_EQ(ops.at("all_reduce").columns, 8192);
  EXPECT_EQ(ops.at("embedding_all_reduce").repeat, 1);
  EXPECT_EQ(ops.at("all_gather").rows, 3);
  EXPECT_EQ(ops.at("all_gather").columns, 128256 / 8);
  expect_gemm(ops.at("lm_head"), 3, 128256 / 8, 8192, 1);
  expect_gemm(ops.at("o_proj"), 64, 8192, 8 * 128, 80);
  expect_gemm(ops.at("down"), 64, 8192, 28672 / 8, 80);
}

TEST(DecoderOps, PassResultsOnFromStageToStage) {
  const ModelConfig model = load_model("llama-2-7b");
  const auto first = by_name(decoder_ops(model, 16, 2, layout_of(2, 2, 0)));
  const auto last = by_name(decoder_ops(model, 16, 2, layout_of(2, 2, 1)));
  EXPECT_EQ(first.at("qkv").repeat + last.at("qkv").repeat, 32);
  // Norms: two a layer and the final one, the first of them without a residual.
  EXPECT_EQ(first.at("add_rms_norm").repeat + last.at("add_rms_norm").repeat, 64);
  EXPECT_EQ(first.at("send").repeat, 2);
  EXPECT_EQ(first.at("send").columns, 4096 / 2);
  EXPECT_FALSE(first.contains("lm_head"));
  EXPECT_FALSE(last.contains("embedding"));
  EXPECT_FALSE(last.contains("send"));
  expect_gemm(last.at("lm_head"), 2, 16000, 4096, 1);
}

TEST(DecoderOps, QuantiseWhatEachLinearOfALayerReads) {
  const auto ops =
      by_name(decoder_ops(load_model("llama-2-7b"), 10, 10, {.parallel = {}, .quantized = true}));
  EXPECT_TRUE(ops.at("qkv").quantized);
  EXPECT_EQ(ops.at("down_quantize").columns, 11008);
  EXPECT_EQ(ops.at("o_proj_quantize").rows, 10);
  EXPECT_FALSE(ops.at("lm_head").quantized);
  const ModelConfig model = load_model("llama-2-7b");
  const int64_t kept = 2 * model.vocab * model.hidden * 2;
  EXPECT_EQ(rank_weight_bytes(model, {.parallel = {}, .quantized = true}),
            (model.weight_bytes() - kept) / 2 + kept);
}

TEST(DecoderOps, GroupTheExpertsOfALayerInOneGemm) {
  const auto ops = by_name(decoder_ops(load_model("mixtral-8x7b"), 9, 9));
  expect_gemm(ops.at("router"), 9, 8, 4096, 32);
  expect_gemm(ops.at("expert_gate_up"), 18, 2 * 14336, 4096, 32);
  expect_gemm(ops.at("expert_down"), 18, 4096, 14336, 32);
  EXPECT_EQ(ops.at("expert_down").groups, 8);
  EXPECT_EQ(ops.at("router_top_k").groups, 2);
  EXPECT_EQ(ops.at("expert_permute").rows, 18);
  EXPECT_EQ(ops.at("expert_unpermute").rows, 9);
  EXPECT_FALSE(ops.contains("gate_up"));
}

TEST(DecoderOps, AbsorbTheUpProjectionsOfLatentAttention) {
  const auto ops = by_name(decoder_ops(load_model("deepseek-v2-lite"), 5, 5));
  expect_gemm(ops.at("q_proj"), 5, 16 * 192, 2048, 27);
  expect_gemm(ops.at("kv_a_proj"), 5, 576, 2048, 27);
  expect_gemm(ops.at("q_absorb"), 5 * 16, 512, 128, 27);
  expect_gemm(ops.at("v_absorb"), 5 * 16, 128, 512, 27);
  EXPECT_EQ(ops.at("v_absorb").groups, 16);
  expect_gemm(ops.at("o_proj"), 5, 2048, 2048, 27);
  expect_gemm(ops.at("gate_up"), 5, 2 * 10944, 2048, 1);
  expect_gemm(ops.at("shared_gate_up"), 5, 2 * 2 * 1408, 2048, 26);
  expect_gemm(ops.at("expert_down"), 30, 2048, 1408, 26);
  EXPECT_EQ(ops.at("rope").heads, 17);
  EXPECT_EQ(ops.at("rope").columns, 64);
  EXPECT_EQ(ops.at("kv_write").columns, 576);
}

TEST(DecoderOps, NormaliseQueriesAndKeysOfQwen3) {
  const auto ops = by_name(decoder_ops(load_model("qwen3-32b"), 3, 1));
  EXPECT_EQ(ops.at("qk_norm").rows, 3 * 72);
  EXPECT_EQ(ops.at("qk_norm").columns, 128);
  EXPECT_EQ(ops.at("qk_norm").repeat, 64);
}

TEST(DecoderOps, LeaveTheHeadOutWhenNothingIsSampled) {
  const auto ops = by_name(decoder_ops(load_model("llama-2-7b"), 64, 0));
  EXPECT_FALSE(ops.contains("lm_head"));
  EXPECT_FALSE(ops.contains("sample"));
}

}  // namespace
}  // namespace tilewright
