#include "core/model/model_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "core/base/error.h"
#include "core/model/parallel.h"
#include "core/model/rope.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

double billions(int64_t parameters) {
  return std::round(static_cast<double>(parameters) / 1e7) / 100;
}

struct Published {
  const char* name;
  double parameters;  // in units of 1e9
  double active;
  int64_t kv_bytes;
};

// Published sizes of the models; KV at 16 bits.
constexpr Published kPublished[] = {
    {"llama-2-7b", 6.74, 6.74, 524288},      {"llama-2-13b", 13.02, 13.02, 819200},
    {"llama-2-70b", 68.98, 68.98, 327680},   {"llama-3.1-8b", 8.03, 8.03, 131072},
    {"llama-3.1-70b", 70.55, 70.55, 327680}, {"qwen2-7b", 7.62, 7.62, 57344},
    {"qwen2.5-32b", 32.76, 32.76, 262144},   {"qwen2.5-72b", 72.70, 72.70, 327680},
    {"qwen3-32b", 32.76, 32.76, 262144},     {"mixtral-8x7b", 46.70, 12.88, 131072},
    {"deepseek-v2-lite", 15.71, 2.66, 31104}};

TEST(ModelPresets, HaveThePublishedSizes) {
  EXPECT_EQ(model_names().size(), std::size(kPublished));
  for (const Published& want : kPublished) {
    const ModelConfig model = load_model(want.name);
    EXPECT_EQ(model.name, want.name);
    EXPECT_DOUBLE_EQ(billions(model.parameters()), want.parameters) << want.name;
    EXPECT_DOUBLE_EQ(billions(model.active_parameters()), want.active) << want.name;
    EXPECT_EQ(model.kv_bytes_per_token(), want.kv_bytes) << want.name;
    EXPECT_EQ(model.weight_bytes(), 2 * model.parameters()) << want.name;
  }
}

TEST(ModelPresets, AgreeWithTheFilesOfTheirPublishers) {
  const char* set = std::getenv("TILEWRIGHT_DATA");
  const std::filesystem::path data =
      set ? std::filesystem::path(set)
          : std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / ".." / "shared" / "data";
  if (!std::filesystem::is_directory(data / "models")) {
    GTEST_SKIP() << "no folder " << data / "models"
                 << "; set TILEWRIGHT_DATA";
  }
  const std::pair<const char*, const char*> kFiles[] = {{"llama-2-7b", "llama-2-7b"},
                                                        {"llama-3.1-8b", "llama-3.1-8b"},
                                                        {"llama-3.1-70b", "llama-3.1-70b"},
                                                        {"qwen2-7b", "qwen2-7b-instruct"},
                                                        {"qwen2.5-72b", "qwen2.5-72b-instruct"},
                                                        {"qwen3-32b", "qwen3-32b"},
                                                        {"mixtral-8x7b", "mixtral-8x7b-v0.1"},
                                                        {"deepseek-v2-lite", "deepseek-v2-lite"}};
  for (const auto& [name, file] : kFiles) {
    ModelConfig theirs = load_model((data / "models" / (std::string(file) + ".json")).string());
    theirs.name = name;
    EXPECT_EQ(load_model(name), theirs) << name;
  }
}

std::string config_with(const std::string& more, const std::string& architecture) {
  return R"({"architectures": [")" + architecture + R"("], "hidden_size": 256,
    "num_hidden_layers": 2, "num_attention_heads": 8, "intermediate_size": 512,
    "vocab_size": 1000, "max_position_embeddings": 2048)" +
         more + "}";
}

ModelConfig parse(const std::string& more, const std::string& architecture = "LlamaForCausalLM") {
  return parse_model_config(config_with(more, architecture), "config.json");
}

TEST(ModelConfigReader, FillsInWhatTheFileLeavesUnsaid) {
  const ModelConfig model = parse("");
  EXPECT_EQ(model.rope_theta, 10000);
  EXPECT_EQ(model.rope_scaling, "none");
  EXPECT_EQ(model.kv_heads, 8);
  EXPECT_EQ(model.head_dim, 32);
  EXPECT_EQ(model.dtype, DType::kBF16);
  EXPECT_EQ(model.sliding_window, 0);
  EXPECT_FALSE(model.tied_embeddings);
  EXPECT_FALSE(model.qkv_bias);
}

TEST(ModelConfigReader, KnowsTheHabitsOfTheFamilies) {
  EXPECT_TRUE(parse("", "Qwen2ForCausalLM").qkv_bias);
  EXPECT_TRUE(parse(R"(, "attention_bias": true)").qkv_bias);
  EXPECT_TRUE(parse("", "Qwen3ForCausalLM").qk_norm);
  EXPECT_FALSE(parse("", "Qwen3ForCausalLM").qkv_bias);
  const std::string window = R"(, "sliding_window": 512, "max_window_layers": 1)";
  EXPECT_EQ(parse(window, "MistralForCausalLM").sliding_window, 512);
  EXPECT_EQ(parse(window, "Qwen2ForCausalLM").sliding_window, 0);
  EXPECT_EQ(parse(window + R"(, "use_sliding_window": true)", "Qwen2ForCausalLM").sliding_window,
            512);
  EXPECT_EQ(parse(window + R"(, "use_sliding_window": false)").sliding_window, 0);
  EXPECT_EQ(parse(R"(, "head_dim": 128)").head_dim, 128);
}

TEST(ModelConfigReader, ReadsRopeOfOldAndNewTransformers) {
  const ModelConfig older =
      parse(R"(, "rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0})");
  EXPECT_EQ(older.rope_theta, 5e5);
  EXPECT_EQ(older.rope_scaling, "linear");
  EXPECT_EQ(older.rope_factor, 2);
  const ModelConfig newer = parse(
      R"(, "dtype": "float16",
         "rope_parameters": {"rope_theta": 1e6, "rope_type": "yarn", "factor": 40})");
  EXPECT_EQ(newer.rope_theta, 1e6);
  EXPECT_EQ(newer.rope_scaling, "yarn");
  EXPECT_EQ(newer.rope_factor, 40);
  EXPECT_EQ(newer.dtype, DType::kF16);
  EXPECT_EQ(parse(R"(, "rope_scaling": null)").rope_scaling, "none");
  EXPECT_EQ(parse(R"(, "rope_scaling": {"rope_type": "default"})").rope_scaling, "none");
}

TEST(ModelConfigReader, ReadsHowRopeIsScaled) {
  const ModelConfig llama = parse(
      R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
         "high_freq_factor": 4, "original_max_position_embeddings": 8192})");
  EXPECT_EQ(llama.rope_low_freq_factor, 1);
  EXPECT_EQ(llama.rope_high_freq_factor, 4);
  EXPECT_EQ(llama.rope_original_positions, 8192);
  const ModelConfig yarn = parse(R"(, "rope_scaling": {"type": "yarn", "factor": 4})");
  EXPECT_EQ(yarn.rope_original_positions, 2048);
  EXPECT_EQ(yarn.rope_beta_fast, 32);
  EXPECT_EQ(yarn.rope_beta_slow, 1);
  EXPECT_DOUBLE_EQ(yarn.rope_attention_factor, 0.1 * std::log(4) + 1);
  const ModelConfig given = parse(
      R"(, "rope_scaling": {"type": "yarn", "factor": 4, "attention_factor": 1.5, "beta_fast": 8,
         "truncate": false})");
  EXPECT_EQ(given.rope_attention_factor, 1.5);
  EXPECT_EQ(given.rope_beta_fast, 8);
  EXPECT_FALSE(given.rope_truncate);
  const ModelConfig same = parse(
      R"(, "rope_scaling": {"type": "yarn", "factor": 40, "mscale": 0.7, "mscale_all_dim": 0.7})");
  EXPECT_EQ(same.rope_attention_factor, 1);
}

TEST(Rope, LeavesShortWavesAndStretchesLongOnesOfLlama3) {
  ModelConfig model = load_model("llama-3.1-8b");
  const Rope rope = rope_of(model);
  model.rope_scaling = "none";
  const Rope plain = rope_of(model);
  ASSERT_EQ(rope.frequencies.size(), 64u);
  EXPECT_EQ(plain.frequencies[0], 1);
  EXPECT_DOUBLE_EQ(plain.frequencies[32], 1 / std::sqrt(5e5));
  EXPECT_EQ(rope.frequencies[0], plain.frequencies[0]);
  EXPECT_DOUBLE_EQ(rope.frequencies[63], plain.frequencies[63] / 8);
  // Pair 32 makes 8192 / (2 pi sqrt(5e5)) = 1.84 turns, between 1 and 4.
  const double smooth = (8192 / (2 * 3.14159265358979 * std::sqrt(5e5)) - 1) / 3;
  EXPECT_NEAR(rope.frequencies[32] / plain.frequencies[32], (1 - smooth) / 8 + smooth, 1e-12);
}

TEST(ModelConfigReader, KnowsWhichLayersHaveAWindow) {
  const std::string window = R"(, "use_sliding_window": true, "sliding_window": 9)";
  const ModelConfig later = parse(window + R"(, "max_window_layers": 1)", "Qwen3ForCausalLM");
  EXPECT_EQ(later.window_of(0), 0);
  EXPECT_EQ(later.window_of(1), 9);
  EXPECT_EQ(parse(window, "Qwen2ForCausalLM").sliding_window, 0);  // from layer 28 on
  const ModelConfig listed = parse(
      window + R"(, "layer_types": ["sliding_attention", "full_attention"])", "Qwen2ForCausalLM");
  EXPECT_EQ(listed.window_of(0), 9);
  EXPECT_EQ(listed.window_of(1), 0);
  EXPECT_EQ(parse(window, "MistralForCausalLM").window_of(1), 9);
  EXPECT_THROW(parse(window + R"(, "layer_types": ["full_attention"])", "Qwen2ForCausalLM"), Error);
  EXPECT_THROW(parse(window + R"(, "layer_types": ["x", "full_attention"])"), Error);
}

TEST(ModelConfigReader, CountsTiedEmbeddingsOnce) {
  const int64_t untied = parse("").parameters();
  EXPECT_EQ(untied - parse(R"(, "tie_word_embeddings": true)").parameters(), 1000 * 256);
}

TEST(ModelConfigReader, NamesFileAndKeyOfWhatIsWrong) {
  const struct {
    std::string text;
    std::string message;
  } kCases[] = {
      {"[]", "config.json: expected an object"},
      {"{", "config.json:1:2: not valid JSON"},
      {"{}", "config.json: key 'architectures' is missing"},
      {R"({"architectures": []})", "config.json: architectures: is empty"},
      {R"({"architectures": ["GPT2LMHeadModel"]})",
       "architecture 'GPT2LMHeadModel' is not known; known are DeepseekV2ForCausalLM, "},
      {R"({"architectures": ["LlamaForCausalLM"]})", "config.json: key 'hidden_size' is missing"},
      {R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 0})",
       "config.json: hidden_size: 0 is outside [1, "},
      {R"({"architectures": ["LlamaForCausalLM"], "hidden_size": -4096})",
       "config.json: hidden_size: -4096 is outside"},
      {R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 99999999999})",
       "config.json: hidden_size: 99999999999 is outside"},
      {R"({"architectures": ["LlamaForCausalLM"], "hidden_size": "4096"})",
       "config.json: hidden_size: expected a whole number"},
      {config_with(R"(, "num_key_value_heads": 3)", "LlamaForCausalLM"),
       "config.json: num_key_value_heads: 3 does not divide the 8 attention heads"},
      {config_with(R"(, "hidden_act": "gelu")", "LlamaForCausalLM"),
       "hidden_act: activation 'gelu'"},
      {config_with(R"(, "torch_dtype": "float8")", "LlamaForCausalLM"),
       "torch_dtype: type 'float8'"},
      {config_with(R"(, "rope_scaling": {"rope_type": "su"})", "LlamaForCausalLM"),
       "rope_scaling.rope_type: scaling 'su' is not known"},
      {config_with(R"(, "rope_scaling": {"rope_type": "yarn"})", "LlamaForCausalLM"),
       "rope_scaling: key 'factor' is missing"},
      {config_with(R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8})", "LlamaForCausalLM"),
       "rope_scaling: key 'low_freq_factor' is missing"},
      {config_with(R"(, "rope_parameters": {"partial_rotary_factor": 0.5})", "LlamaForCausalLM"),
       "partial_rotary_factor: heads that are rotated in part"},
      {config_with(R"(, "num_local_experts": 8, "num_experts_per_tok": 9)", "MixtralForCausalLM"),
       "num_experts_per_tok: 9 is outside [1, 8]"},
      {config_with("", "DeepseekV2ForCausalLM"), "key 'kv_lora_rank' is missing"},
  };
  for (const auto& [text, message] : kCases) {
    try {
      parse_model_config(text, "config.json");
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kFailed);
      EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
    }
  }
}

TEST(ModelConfigReader, RefusesSizesWhoseProductOverflows) {
  const std::string text = R"({"architectures": ["MixtralForCausalLM"], "hidden_size": 1048576,
    "num_hidden_layers": 4096, "num_attention_heads": 65536, "intermediate_size": 67108864,
    "vocab_size": 67108864, "max_position_embeddings": 4096, "num_local_experts": 65536,
    "num_experts_per_tok": 2})";
  EXPECT_THROW(parse_model_config(text, "big.json"), Error);
}

TEST(Parallel, SplitsOrReplicatesKvHeads) {
  ModelConfig model = load_model("llama-3.1-70b");  // 64 query heads, 8 KV heads
  EXPECT_EQ(kv_heads(model, 4, 1).first, 2);
  EXPECT_EQ(kv_heads(model, 4, 1).count, 2);
  EXPECT_EQ(kv_heads(model, 16, 3).first, 1);
  EXPECT_EQ(kv_heads(model, 16, 3).count, 1);
  for (int64_t tp : {1, 2, 4, 8, 16, 32, 64}) {
    for (int64_t rank = 0; rank < tp; ++rank) {
      const PartRange queries = query_heads(model, tp, rank);
      const PartRange kv = kv_heads(model, tp, rank);
      EXPECT_EQ(queries.first / 8, kv.first) << tp;
      EXPECT_EQ((queries.first + queries.count - 1) / 8, kv.first + kv.count - 1) << tp;
    }
  }
}

TEST(Parallel, CoversVocabularyAndLayersOnce) {
  ModelConfig model = load_model("qwen2-7b");
  model.vocab = 13;
  for (int64_t tp : {1, 2, 4, 7, 28}) {
    int64_t reached = 0;
    for (int64_t rank = 0; rank < tp; ++rank) {
      const PartRange rows = vocab_rows(model, tp, rank);
      EXPECT_EQ(rows.first, std::min<int64_t>(reached, 13));
      reached += rows.count;
    }
    EXPECT_EQ(reached, 13);
  }
  for (int64_t pp = 1; pp <= model.layers; ++pp) {
    int64_t reached = 0;
    for (int64_t stage = 0; stage < pp; ++stage) {
      const PartRange layers = stage_layers(model, pp, stage);
      EXPECT_EQ(layers.first, reached);
      EXPECT_GE(layers.count, 1);
      reached += layers.count;
    }
    EXPECT_EQ(reached, model.layers);
  }
}

TEST(Parallel, GivesWhatIsLeftOverToTheStagesBeforeTheLast) {
  ModelConfig model;
  model.layers = 10;
  const int64_t kWanted[] = {2, 3, 3, 2};
  for (int64_t stage = 0; stage < 4; ++stage) {
    EXPECT_EQ(stage_layers(model, 4, stage).count, kWanted[stage]);
  }
}

TEST(Parallel, SaysWhatDoesNotDivide) {
  const ModelConfig model = load_model("qwen2-7b");  // 28 heads, 4 KV heads, 28 layers
  const std::pair<Parallel, const char*> kCases[] = {
      {{8, 1}, "tp 8 does not divide the model's 28 attention heads"},
      {{7, 1}, "tp 7 does not divide the model's 18944 FFN columns"},
      {{1, 29}, "pp 29 leaves stages without a layer"},
      {{0, 1}, "must be at least 1"},
  };
  for (const auto& [parallel, message] : kCases) {
    try {
      check_parallel(model, parallel);
      ADD_FAILURE() << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
    }
  }
  EXPECT_NO_THROW(check_parallel(model, {4, 28}));
}

TEST(LoadModel, TakesFilesAndFolders) {
  const TempFolder folder;
  const std::string config = folder.file("config.json", config_with("", "LlamaForCausalLM"));
  EXPECT_EQ(load_model(folder.path()).name, config);
  EXPECT_EQ(load_model(config).hidden, 256);
  std::filesystem::remove(config);
  EXPECT_THROW(load_model(folder.path()), Error);
}

TEST(LoadModel, SuggestsTheNearestName) {
  try {
    load_model("qwen2-7B");
    FAIL() << "accepted an unknown name";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(error.message().find("did you mean 'qwen2-7b'?"), std::string::npos);
  }
}

}  // namespace
}  // namespace tilewright
