// `replay CHECKPOINT --reference FILE` through the real binary, on a checkpoint that the test
// writes and a reference that a plain model computes.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/app/program.h"
#include "tests/kernels/plain_model.h"
#include "tests/random_checkpoint.h"

namespace tilewright {
namespace {

using Arguments = std::vector<std::string>;

constexpr int64_t kSteps = 6;

/// A checkpoint folder, with its reference inside the sandbox.
class ReplayReference : public testing::Test {
 protected:
  void SetUp() override {
    const CheckpointRecipe recipe{R"({"architectures": ["Qwen3ForCausalLM"], "hidden_size": 32,
      "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
      "intermediate_size": 48, "vocab_size": 61, "max_position_embeddings": 256, "head_dim": 16,
      "rope_theta": 1000, "tie_word_embeddings": true})",
                                  "BF16", 2, 11};
    const auto weights = write_checkpoint(folder_, recipe);
    const PlainModel plain(parse_model_config(recipe.config, "config.json"), weights);
    reference_ = {{"vocab_size", 61}};
    for (const std::vector<int32_t>& prompt :
         std::vector<std::vector<int32_t>>{{7}, {1, 2, 3, 1, 2, 3, 1, 2}, {1, 2, 3, 1, 2, 3, 9}}) {
      reference_["cases"].push_back(case_of(plain, prompt));
    }
    write_reference();
  }

  nlohmann::json case_of(const PlainModel& plain, std::vector<int32_t> ids) const {
    nlohmann::json result = {{"name", std::to_string(ids.size())}, {"prompt", ids}};
    for (int64_t step = 0; step < kSteps; ++step) {
      const PlainModel::Vector row = plain.logits(ids);
      const auto largest = std::max_element(row.begin(), row.end());
      ids.push_back(static_cast<int32_t>(largest - row.begin()));
      result["greedy"].push_back(ids.back());
      result["max_logit"].push_back(*largest);
      if (step < 2) result["full_logits_first2"].push_back(row);
    }
    return result;
  }

  void write_reference() { sandbox_.file("reference.json", reference_.dump()); }

  Outcome replay(const Arguments& more) {
    Arguments arguments = {"replay", folder_.path(), "--reference", "reference.json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return sandbox_.run(arguments);
  }

  TempFolder folder_;
  Sandbox sandbox_;
  nlohmann::json reference_;
};

TEST_F(ReplayReference, HoldsWhateverTheOptions) {
  const Arguments kGates[] = {{},
                              {"--chunk", "4"},
                              {"--block-size", "4", "--prefix-cache", "off"},
                              {"--block-size", "4", "--kv-blocks", "6"},
                              {"--speculate", "ngram:3"},
                              {"--speculate", "model:3,name=" + folder_.path()},
                              {"--policy", "xyserve", "--chunk", "5", "--prefix-cache", "blocks"},
                              {"--tp", "2", "--pp", "3", "--async", "on"}};
  for (Arguments gate : kGates) {
    gate.push_back("--json");
    const Outcome outcome = replay(gate);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto json = nlohmann::json::parse(outcome.out);
    EXPECT_EQ(json["tokens_equal"], 3 * kSteps);
    EXPECT_EQ(json["tokens_total"], 3 * kSteps);
    EXPECT_LT(json["max_logit_error"], 1e-3);
    EXPECT_EQ(json["logits_compared"], 3 * (2 * 61 + kSteps));
    EXPECT_EQ(json["cases"].size(), 3u);
  }
}

TEST_F(ReplayReference, HoldsOnTheSimulatedKernels) {
  for (Arguments gate :
       {Arguments{}, {"--chunk", "4", "--block-size", "8", "--speculate", "ngram:2"}}) {
    gate.insert(gate.end(), {"--executor", "simulated", "--json"});
    const Outcome outcome = replay(gate);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto json = nlohmann::json::parse(outcome.out);
    EXPECT_EQ(json["tokens_equal"], 3 * kSteps);
    EXPECT_EQ(json["executor"], "simulated");
    EXPECT_LT(json["max_logit_error"], 1e-3);
  }
}

TEST_F(ReplayReference, SaysTheSameTokensOfASeedWhateverTheOptions) {
  sandbox_.file(
      "prompts.jsonl",
      "{\"prompt\": [1, 2, 3], \"output_tokens\": 9}\n{\"prompt\": [7], \"output_tokens\": 6}\n");
  const auto say = [&](const Arguments& more) {
    Arguments arguments = {"replay", folder_.path(), "--prompts", "prompts.jsonl"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return sandbox_.run(arguments);
  };
  const Arguments sampled = {"--temperature", "1", "--seed", "5"};
  const Outcome plain = say(sampled);
  ASSERT_EQ(plain.status, 0) << plain.err;
  EXPECT_NE(plain.out, say({}).out);
  EXPECT_NE(plain.out, say({"--temperature", "1", "--seed", "6"}).out);
  for (const Arguments& more : {Arguments{"--chunk", "2", "--block-size", "4", "--kv-blocks", "4"},
                                {"--tp", "2", "--async", "on"},
                                {"--top-p", "1", "--top-k", "61", "--max-num-seqs", "1"}}) {
    Arguments both = sampled;
    both.insert(both.end(), more.begin(), more.end());
    const Outcome outcome = say(both);
    EXPECT_EQ(outcome.out, plain.out) << more[0] << outcome.err;
  }
  const std::string first = plain.out.substr(0, plain.out.find(' '));
  Arguments stopping = sampled;
  stopping.insert(stopping.end(), {"--stop-token-ids", first, "--json"});
  const auto json = nlohmann::json::parse(say(stopping).out);
  EXPECT_EQ(json["outputs"][0]["token_ids"], nlohmann::json({std::stoi(first)}));
  EXPECT_EQ(json["outputs"][0]["finish_reason"], "stop");
  EXPECT_EQ(say({"--top-p", "0"}).status, 2);
  EXPECT_EQ(say({"--max-model-len", "5"}).status, 5);
  EXPECT_EQ(replay({"--temperature", "1"}).status, 2);
}

TEST_F(ReplayReference, FailsTheCheckForATokenAndForALogit) {
  const auto right = reference_;
  reference_["cases"][1]["greedy"][kSteps - 1] =
      (reference_["cases"][1]["greedy"][kSteps - 1].get<int>() + 1) % 61;
  write_reference();
  const Outcome token = replay({});
  EXPECT_EQ(token.status, 4);
  EXPECT_NE(token.err.find("17 of 18 tokens equal"), std::string::npos) << token.err;
  reference_ = right;
  reference_["cases"][0]["full_logits_first2"][1][5] =
      reference_["cases"][0]["full_logits_first2"][1][5].get<double>() + 0.01;
  write_reference();
  EXPECT_EQ(replay({}).status, 4);
}

TEST_F(ReplayReference, SaysWhichOptionMakesNoSense) {
  const std::pair<Arguments, const char*> kCases[] = {
      {{"--executor", "magic"}, "--executor is 'magic'; it is native"},
      {{"--speculate", "ngram"}, "no number of drafts; give ngram:K"},
      {{"--speculate", "ngram:0"}, "0 drafts; give ngram:K"},
      {{"--prefix-cache", "maybe"}, "it is on, off, or blocks"},
      {{"--workload", "chat"}, "--workload has no meaning with --reference"},
      {{"--executor", "simulated", "--tp", "2"}, "--tp is of the native executor"},
      {{"--tp", "3"}, "tp 3 does not divide the model's 4 attention heads"},
      {{"--chunk", "4", "--max-num-batched-tokens", "8"}, "are the same"}};
  for (const auto& [arguments, message] : kCases) {
    const Outcome outcome = replay(arguments);
    EXPECT_EQ(outcome.status, 2) << arguments.back();
    EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(sandbox_.run({"replay", "qwen2-7b", "--chunk", "4"}).status, 2);
}

}  // namespace
}  // namespace tilewright
