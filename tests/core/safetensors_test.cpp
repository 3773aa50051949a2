#include "core/model/safetensors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "core/base/error.h"
#include "core/model/checkpoint.h"
#include "tests/random_checkpoint.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

#define EXPECT_SAYS(action, part)                                         \
  do {                                                                    \
    const std::string said = message_of([&] { action; });                 \
    EXPECT_NE(said.find(part), std::string::npos) << "it says: " << said; \
  } while (false)

TEST(SafetensorsHeader, GivesTensorsInTheOrderOfTheirData) {
  const auto tensors = parse_safetensors_header(
      R"({"__metadata__": {"format": "pt"},
          "b": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [4, 16]},
          "empty": {"dtype": "F32", "shape": [0, 7], "data_offsets": [4, 4]},
          "scalar": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}   )",
      16, "f");
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].name, "scalar");
  EXPECT_EQ(tensors[1].name, "empty");
  EXPECT_EQ(tensors[2].name, "b");
  EXPECT_EQ(tensors[2].type, "BF16");
  EXPECT_EQ(tensors[2].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(tensors[2].begin, 4);
  EXPECT_EQ(tensors[2].end, 16);
}

TEST(SafetensorsHeader, NamesTensorAndPlaceOfWhatIsWrong) {
  const auto one = [](const std::string& tensor) { return R"({"w": )" + tensor + "}"; };
  const struct {
    std::string header;
    int64_t data_bytes;
    const char* message;
  } kCases[] = {
      {"", 0, "f:1:1: not valid JSON"},
      {"[]", 0, "f: the header is not a JSON object"},
      {one("7"), 0, "f: w: expected an object"},
      {one("{}"), 0, "f: w: key 'dtype' is missing"},
      {one(R"({"dtype": "F7", "shape": [1], "data_offsets": [0, 4]})"), 4,
       "w.dtype: type 'F7' is not known; known are BOOL"},
      {one(R"({"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]})"), 4, "shape[0]: -1"},
      {one(R"({"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]})"), 4, "shape[0]: expected"},
      {one(R"({"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 4]})"), 4,
       "has 4 bytes, but shape"},
      {one(R"({"dtype": "F32", "shape": [99999999999999999999], "data_offsets": [0, 4]})"), 4,
       "shape[0]"},
      {one(R"({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]})"), 4,
       "w: has 4 bytes, but shape [2] of F32 needs 8"},
      {one(R"({"dtype": "F32", "shape": [1], "data_offsets": [4, 0]})"), 4,
       "end 0 is before begin 4"},
      {one(R"({"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]})"), 4, "data_offsets[0]: -4"},
      {one(R"({"dtype": "F32", "shape": [1], "data_offsets": [0]})"), 4, "expected two numbers"},
      {one(R"({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})"), 4,
       "end 8 is beyond the 4 bytes of data; the file is truncated"},
      {one(R"({"dtype": "F32", "shape": [1], "data_offsets": [0, 4]})"), 8,
       "the tensors end at byte 4 of 8"},
      {one(R"({"dtype": "F32", "shape": [1], "data_offsets": [4, 8]})"), 8,
       "bytes 0 to 4 of the data, before tensor w, belong to no tensor"},
      {one(R"({"dtype": "F32", "shape": [1], "data_offsets": [0, 4], "extra": 1})"), 4,
       "unknown key 'extra'"},
      {R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
           "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}})",
       8, "tensors a and b overlap at byte 4"},
      {R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
           "a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}})",
       8, "key a stands twice"},
      {R"({"a": )" + std::string(100, '[') + std::string(100, ']') + "}", 0, "nested deeper"},
      {one(R"({"dtype": "F32", "shape": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],
               "data_offsets": [0, 4]})"),
       4, "has 17 dimensions"},
  };
  for (const auto& each : kCases) {
    EXPECT_SAYS(parse_safetensors_header(each.header, each.data_bytes, "f"), each.message);
  }
}

TEST(SafetensorsHeader, BoundsTheNumberOfTensors) {
  std::string header = "{";
  for (int i = 0; i < 16'385; ++i) {
    header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                          i == 0 ? "" : ",", i);
  }
  EXPECT_SAYS(parse_safetensors_header(header + "}", 0, "f"), "more than 16384 keys");
}

TEST(SafetensorsFile, WidensTheHalvesExactly) {
  const TempFolder folder;
  RawTensors tensors;
  std::vector<float> values = {1, -2.5f, 0, 1024};
  for (const std::string type : {"F32", "F16", "BF16"}) {
    tensors[type] = {type, {2, 2}, encode(values, type)};
  }
  const SafetensorsFile file(folder.file("x.safetensors", safetensors_bytes(tensors)));
  ASSERT_EQ(file.tensors().size(), 3u);
  for (const TensorEntry& tensor : file.tensors()) EXPECT_EQ(file.read(tensor), values);
}

TEST(SafetensorsFile, RefusesFilesThatLieAboutTheirLength) {
  const TempFolder folder;
  const auto open = [&](std::string_view bytes) {
    SafetensorsFile(folder.file("x.safetensors", bytes));
  };
  using namespace std::string_literals;
  EXPECT_SAYS(open(""), "0 bytes are too few");
  EXPECT_SAYS(open("\2\0\0"s), "3 bytes are too few");
  EXPECT_SAYS(open("\3\0\0\0\0\0\0\0{}"s), "states a header of 3 bytes, but only 2 follow");
  EXPECT_SAYS(open("\xff\xff\xff\xff\xff\xff\xff\xff{}"s),
              "states a header of 18446744073709551615");
  EXPECT_SAYS(open("PK\3\4 a zip archive"s), "not a safetensors file");
  EXPECT_SAYS(SafetensorsFile(folder.path("absent")), "no such file");
  EXPECT_SAYS(SafetensorsFile(folder.path()), "not a plain file");
}

TEST(SafetensorsFile, RefusesWeightsOfOtherTypesAndFilesThatShrink) {
  const TempFolder folder;
  RawTensors tensors;
  tensors["ids"] = {"I64", {1}, std::string(8, '\0')};
  tensors["w"] = {"F32", {2}, std::string(8, '\0')};
  const std::string bytes = safetensors_bytes(tensors);
  const SafetensorsFile file(folder.file("x.safetensors", bytes));
  EXPECT_SAYS(file.read(file.tensors()[0]), "ids: weights of type I64 are not read; convert them");
  folder.file("x.safetensors", bytes.substr(0, bytes.size() - 1));
  EXPECT_SAYS(file.read(file.tensors()[1]), "w: its 8 bytes cannot be read");
}

const std::string kConfig = R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 8,
  "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 10,
  "max_position_embeddings": 64})";

/// The tensors of kConfig, all zero.
RawTensors zero_tensors() {
  RawTensors tensors;
  for (const WeightSpec& spec : weight_specs(parse_model_config(kConfig, "config.json"))) {
    int64_t count = 4;
    for (const int64_t size : spec.shape) count *= size;
    tensors[spec.name] = {"F32", spec.shape, std::string(static_cast<size_t>(count), '\0')};
  }
  return tensors;
}

/// A checkpoint folder of one file.
void write_single(const TempFolder& folder, const RawTensors& tensors) {
  folder.file("config.json", kConfig);
  folder.file("model.safetensors", safetensors_bytes(tensors));
}

TEST(Checkpoint, ReadsOneFileAndSeveralAlike) {
  for (const int shards : {1, 3}) {
    const TempFolder folder;
    const auto weights = write_checkpoint(folder, {kConfig, "BF16", shards});
    const Checkpoint checkpoint(folder.path());
    EXPECT_EQ(checkpoint.model().hidden, 8);
    for (const auto& [name, values] : weights) EXPECT_EQ(checkpoint.read(name), values) << name;
  }
}

TEST(Checkpoint, NamesAllTensorsThatAreMissing) {
  const TempFolder folder;
  RawTensors tensors = zero_tensors();
  tensors.erase("model.norm.weight");
  tensors.erase("model.layers.1.mlp.up_proj.weight");
  write_single(folder, tensors);
  EXPECT_SAYS(Checkpoint(folder.path()),
              "lacks 2 of the tensors of LlamaForCausalLM: model.layers.1.mlp.up_proj.weight, "
              "model.norm.weight; is config.json");
}

TEST(Checkpoint, NamesAllTensorsOfTheWrongShape) {
  const TempFolder folder;
  RawTensors tensors = zero_tensors();
  tensors["lm_head.weight"].shape = {8, 10};
  tensors["model.layers.0.mlp.down_proj.weight"].shape = {96};
  write_single(folder, tensors);
  EXPECT_SAYS(Checkpoint(folder.path()),
              "model.layers.0.mlp.down_proj.weight is [96] and must be [8, 12], lm_head.weight is "
              "[8, 10] and must be [10, 8]");
}

TEST(Checkpoint, RefusesTensorsThatTheModelWouldIgnore) {
  const TempFolder folder;
  RawTensors tensors = zero_tensors();
  tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {"F32", {1}, "\0\0\0\0"};
  tensors["model.layers.0.self_attn.rotary_emb.inv_freq"].bytes.assign(4, '\0');
  write_single(folder, tensors);
  EXPECT_EQ(message_of([&] { Checkpoint checkpoint(folder.path()); }), "no error");
  tensors["model.layers.0.self_attn.q_proj.bias"] = {"F32", {8}, std::string(32, '\0')};
  write_single(folder, tensors);
  EXPECT_SAYS(Checkpoint(folder.path()),
              "has no use, so that its results would be wrong: "
              "model.layers.0.self_attn.q_proj.bias");
}

TEST(Checkpoint, NeedsNoHeadWhereEmbeddingsAreTied) {
  const TempFolder folder;
  const std::string config =
      kConfig.substr(0, kConfig.size() - 1) + R"(, "tie_word_embeddings": true})";
  RawTensors tensors = zero_tensors();
  write_single(folder, tensors);
  folder.file("config.json", config);
  EXPECT_EQ(message_of([&] { Checkpoint checkpoint(folder.path()); }), "no error");
  tensors.erase("lm_head.weight");
  folder.file("model.safetensors", safetensors_bytes(tensors));
  EXPECT_EQ(message_of([&] { Checkpoint checkpoint(folder.path()); }), "no error");
}

TEST(Checkpoint, RefusesWeightsThatAreNoNumbers) {
  const TempFolder folder;
  RawTensors tensors = zero_tensors();
  tensors["model.norm.weight"].bytes.replace(8, 4, "\xff\xff\xff\x7f");
  write_single(folder, tensors);
  const Checkpoint checkpoint(folder.path());
  EXPECT_SAYS(checkpoint.read("model.norm.weight"), "model.norm.weight: element 2 is nan");
}

TEST(Checkpoint, SaysWhatAFolderLacks) {
  const TempFolder folder;
  EXPECT_SAYS(Checkpoint(folder.path("absent")), "a checkpoint is a folder with config.json");
  EXPECT_SAYS(Checkpoint(folder.path()), "config.json");
  folder.file("config.json", kConfig);
  EXPECT_SAYS(Checkpoint(folder.path()),
              "neither model.safetensors nor model.safetensors.index.json is there");
  folder.file("config.json", R"({"architectures": ["GPT2LMHeadModel"]})");
  EXPECT_SAYS(Checkpoint(folder.path()), "known are DeepseekV2ForCausalLM, LlamaForCausalLM");
}

TEST(Checkpoint, RefusesAnIndexThatLies) {
  const TempFolder folder;
  const auto weights = write_checkpoint(folder, {kConfig, "F32", 2});
  const std::string index_path = folder.path("model.safetensors.index.json");
  const auto with_index = [&](const std::string& text) {
    folder.file("model.safetensors.index.json", text);
    Checkpoint checkpoint(folder.path());
  };
  for (const char* outside : {"../part-0.safetensors", "/etc/passwd", "..", "", "a/b", "./x"}) {
    EXPECT_SAYS(with_index(fmt::format(R"({{"weight_map": {{"w": "{}"}}}})", outside)),
                "is not the name of a file beside the index");
  }
  EXPECT_SAYS(with_index("{}"), "key 'weight_map' is missing");
  EXPECT_SAYS(with_index(R"({"weight_map": []})"), "expected an object of tensor names");
  EXPECT_SAYS(with_index(R"({"weight_map": {"w": 7}})"), "weight_map.w: expected a text");
  EXPECT_SAYS(with_index(R"({"weight_map": {"w": "absent.safetensors"}})"), "no such file");
  EXPECT_SAYS(with_index(R"({"weight_map": {"w": "part-0.safetensors"}})"),
              "which model.safetensors.index.json does not place there");
  RawTensors one;
  one["w"] = {"F32", {1}, std::string(4, '\0')};
  folder.file("part-0.safetensors", safetensors_bytes(one));
  EXPECT_SAYS(with_index(R"({"weight_map": {"w": "part-0.safetensors",
                             "lost": "part-0.safetensors"}})"),
              "lacks tensors that model.safetensors.index.json places there: lost");
}

TEST(Checkpoint, SaysThatLatentAttentionIsForTimingOnly) {
  ModelConfig model = load_model("deepseek-v2-lite");
  EXPECT_SAYS(weight_specs(model), "deepseek-v2-lite: DeepseekV2ForCausalLM runs in timing mode");
}

}  // namespace
}  // namespace tilewright
