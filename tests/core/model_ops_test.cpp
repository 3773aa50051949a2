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

void expect_gemm(const ModelOp& op, int64_t m, int64_t n, int64_t k, int64_t repeat) {
  EXPECT_EQ(op.kind, OpKind::kGemm) << op.name;
  EXPECT_EQ(op.rows, m) << op.name;
  EXPECT_EQ(op.columns, n) << op.name;
  EXPECT_EQ(op.depth, k) << op.name;
  EXPECT_EQ(op.repeat, repeat) << op.name;
}

/// Weights that the GEMMs of a step hold, each read once.
int64_t gemm_weights(const std::vector<ModelOp>& ops) {
  int64_t sum = 0;
  for (const ModelOp& op : ops) {
    if (op.kind == OpKind::kGemm) sum += op.columns * op.depth * op.repeat;
  }
  return sum;
}

TEST(DecoderOps, FollowTheOrderOfALayer) {
  std::vector<std::string> names;
  for (const ModelOp& op : decoder_ops(load_model("qwen2-7b"), 32, 4)) names.push_back(op.name);
  const std::vector<std::string> kWant = {"embedding", "rms_norm", "qkv",          "rope",
                                          "attention", "o_proj",   "add_rms_norm", "gate_up",
                                          "silu_mul",  "down",     "lm_head",      "sample"};
  EXPECT_EQ(names, kWant);
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

TEST(DecoderOps, ReadEveryWeightOfADenseModelOnce) {
  for (const char* name : {"llama-2-7b", "llama-3.1-70b", "qwen3-32b"}) {
    const ModelConfig model = load_model(name);
    const int64_t input_embedding = model.vocab * model.hidden;
    EXPECT_EQ(gemm_weights(decoder_ops(model, 1, 1)), model.parameters() - input_embedding);
  }
}

TEST(DecoderOps, ReadTheActiveWeightsOfAMixtureForOneTokenAndAllForMany) {
  for (const char* name : {"mixtral-8x7b", "deepseek-v2-lite"}) {
    const ModelConfig model = load_model(name);
    const int64_t input_embedding = model.vocab * model.hidden;
    EXPECT_EQ(gemm_weights(decoder_ops(model, 1, 1)), model.active_parameters() - input_embedding);
    EXPECT_EQ(gemm_weights(decoder_ops(model, 512, 1)), model.parameters() - input_embedding);
  }
}

TEST(DecoderOps, ShareRowsEvenlyAmongExperts) {
  const auto ops = by_name(decoder_ops(load_model("mixtral-8x7b"), 9, 9));
  expect_gemm(ops.at("router"), 9, 8, 4096, 32);
  expect_gemm(ops.at("expert_gate_up"), 3, 2 * 14336, 4096, 32 * 8);
  expect_gemm(ops.at("expert_down"), 3, 4096, 14336, 32 * 8);
  EXPECT_EQ(ops.at("expert_permute").rows, 18);
  EXPECT_FALSE(ops.contains("gate_up"));
}

TEST(DecoderOps, AbsorbTheUpProjectionsOfLatentAttention) {
  const auto ops = by_name(decoder_ops(load_model("deepseek-v2-lite"), 5, 5));
  expect_gemm(ops.at("q_proj"), 5, 16 * 192, 2048, 27);
  expect_gemm(ops.at("kv_a_proj"), 5, 576, 2048, 27);
  expect_gemm(ops.at("q_absorb"), 5, 512, 128, 27 * 16);
  expect_gemm(ops.at("v_absorb"), 5, 128, 512, 27 * 16);
  expect_gemm(ops.at("o_proj"), 5, 2048, 2048, 27);
  expect_gemm(ops.at("gate_up"), 5, 2 * 10944, 2048, 1);
  expect_gemm(ops.at("shared_gate_up"), 5, 2 * 2 * 1408, 2048, 26);
  expect_gemm(ops.at("expert_down"), 1, 2048, 1408, 26 * 30);
  EXPECT_EQ(ops.at("rope").heads, 17);
  EXPECT_EQ(ops.at("rope").columns, 64);
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
