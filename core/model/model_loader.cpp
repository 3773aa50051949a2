#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/embedded.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/model/model_config.h"

namespace tilewright {

namespace {

/// Bounds of what a config.json may say; far above every published model, and low enough that no
/// product of two of them overflows.
constexpr int64_t kMaxLayers = 1 << 12;
constexpr int64_t kMaxWidth = 1 << 20;  // hidden and latent sizes
constexpr int64_t kMaxHeads = 1 << 16;  // heads and experts
constexpr int64_t kMaxTable = 1 << 26;  // FFN width, vocabulary
constexpr int64_t kMaxPositions = int64_t{1} << 31;
constexpr double kMaxParameters = 0x1p50;
constexpr int64_t kMaxFileBytes = 4 << 20;

enum class Mixture { kNone, kMixtral, kDeepseek };

/// What an architecture implies without its config.json saying so.
struct Family {
  std::string_view architecture;
  bool qkv_bias = false;  ///< unless `attention_bias` says otherwise
  bool qk_norm = false;
  bool output_bias = true;  ///< `attention_bias` holds for the output projection too
  bool ffn_bias = false;    ///< knows `mlp_bias`
  bool window_on = true;    ///< `sliding_window` counts without `use_sliding_window`
  bool latent_attention = false;
  Mixture mixture = Mixture::kNone;
};

constexpr Family kFamilies[] = {
    {.architecture = "DeepseekV2ForCausalLM",
     .latent_attention = true,
     .mixture = Mixture::kDeepseek},
    {.architecture = "LlamaForCausalLM", .ffn_bias = true},
    {.architecture = "MistralForCausalLM"},
    {.architecture = "MixtralForCausalLM", .mixture = Mixture::kMixtral},
    {.architecture = "Qwen2ForCausalLM",
     .qkv_bias = true,
     .output_bias = false,
     .window_on = false},
    {.architecture = "Qwen3ForCausalLM", .qk_norm = true, .window_on = false},
};

/// Member `key` unless it is absent or null: HF files use both to say "the default".
std::optional<JsonReader> find(const JsonReader& object, std::string_view key) {
  if (!object.has(key)) return std::nullopt;
  JsonReader value = object.at(key);
  if (value.is_null()) return std::nullopt;
  return value;
}

int64_t size_or(const JsonReader& object, std::string_view key, int64_t max, int64_t fallback) {
  const auto value = find(object, key);
  return value ? value->integer(1, max) : fallback;
}

double number_or(const JsonReader& object, std::string_view key, double min, double max,
                 double fallback) {
  const auto value = find(object, key);
  return value ? value->number(min, max) : fallback;
}

bool flag_or(const JsonReader& object, std::string_view key, bool fallback) {
  const auto value = find(object, key);
  return value ? value->boolean() : fallback;
}

const Family& read_family(const JsonReader& config) {
  const JsonReader list = config.at("architectures");
  const std::vector<JsonReader> names = list.items();
  if (names.empty()) list.fail("is empty; the model's class is needed");
  const std::string name = names.front().string();
  std::vector<std::string> known;
  for (const Family& family : kFamilies) {
    if (family.architecture == name) return family;
    known.emplace_back(family.architecture);
  }
  list.fail(fmt::format("architecture '{}' is not known; known are {}", printable(name),
                        join(known, ", ")));
}

DType read_dtype(const JsonReader& config) {
  auto value = find(config, "torch_dtype");
  if (!value) value = find(config, "dtype");  // transformers 5
  if (!value) return DType::kBF16;
  std::string name = value->string();
  if (name.starts_with("torch.")) name = name.substr(6);
  if (name == "bfloat16") return DType::kBF16;
  if (name == "float16") return DType::kF16;
  if (name == "float32") return DType::kF32;
  value->fail(
      fmt::format("type '{}' is not known; known are bfloat16, float16, float32", printable(name)));
}

std::string read_rope_type(const JsonReader& rope) {
  auto value = find(rope, "rope_type");
  if (!value) value = find(rope, "type");
  if (!value) return "none";
  std::string name = value->string();
  if (name == "default") return "none";
  constexpr std::array kKnown = {"dynamic", "linear", "llama3", "yarn"};
  if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
    value->fail(
        fmt::format("scaling '{}' is not known; known are default, dynamic, linear, llama3, yarn",
                    printable(name)));
  }
  return name;
}

void read_llama3(const JsonReader& rope, ModelConfig& model) {
  model.rope_low_freq_factor = rope.at("low_freq_factor").number(1e-6, 1e6);
  const JsonReader high = rope.at("high_freq_factor");
  model.rope_high_freq_factor = high.number(1e-6, 1e6);
  if (model.rope_high_freq_factor <= model.rope_low_freq_factor) {
    high.fail(fmt::format("{} is not above low_freq_factor {}", model.rope_high_freq_factor,
                          model.rope_low_freq_factor));
  }
  model.rope_original_positions =
      rope.at("original_max_position_embeddings").integer(1, kMaxPositions);
}

/// Peng et al. 2023, equation 22, with the two scales of DeepSeek.
double yarn_scale(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

void read_yarn(const JsonReader& rope, ModelConfig& model) {
  model.rope_original_positions =
      size_or(rope, "original_max_position_embeddings", kMaxPositions, model.max_positions);
  model.rope_beta_fast = number_or(rope, "beta_fast", 1e-6, 1e6, model.rope_beta_fast);
  model.rope_beta_slow = number_or(rope, "beta_slow", 1e-6, 1e6, model.rope_beta_slow);
  model.rope_truncate = flag_or(rope, "truncate", true);
  const double mscale = number_or(rope, "mscale", 0, 1e3, 0);
  const double all = number_or(rope, "mscale_all_dim", 0, 1e3, 0);
  const double derived = mscale > 0 && all > 0 ? yarn_scale(model.rope_factor, mscale) /
                                                     yarn_scale(model.rope_factor, all)
                                               : yarn_scale(model.rope_factor, 1);
  model.rope_attention_factor = number_or(rope, "attention_factor", 1e-6, 1e6, derived);
}

void read_rope(const JsonReader& config, ModelConfig& model) {
  // transformers 5 moved the base into the object and renamed it.
  auto rope = find(config, "rope_parameters");
  auto theta = rope ? find(*rope, "rope_theta") : std::nullopt;
  if (!rope) rope = find(config, "rope_scaling");
  if (!theta) theta = find(config, "rope_theta");
  if (theta) model.rope_theta = theta->number(1, 1e12);
  if (!rope) return;
  if (!rope->is_object()) rope->fail("expected an object or null");
  if (const auto part = find(*rope, "partial_rotary_factor"); part && part->number(0, 1) != 1) {
    part->fail("heads that are rotated in part are not supported");
  }
  model.rope_scaling = read_rope_type(*rope);
  if (model.rope_scaling == "none") return;
  model.rope_factor = rope->at("factor").number(1, 1e6);
  if (model.rope_scaling == "llama3") read_llama3(*rope, model);
  if (model.rope_scaling == "yarn") read_yarn(*rope, model);
}

void read_heads(const JsonReader& config, ModelConfig& model) {
  model.heads = config.at("num_attention_heads").integer(1, kMaxHeads);
  model.kv_heads = size_or(config, "num_key_value_heads", kMaxHeads, model.heads);
  if (model.heads % model.kv_heads != 0) {
    config.at("num_key_value_heads")
        .fail(
            fmt::format("{} does not divide the {} attention heads", model.kv_heads, model.heads));
  }
  const auto head_dim = find(config, "head_dim");
  if (!head_dim && model.hidden % model.heads != 0) {
    config.at("num_attention_heads")
        .fail(fmt::format("{} does not divide hidden_size {}, and head_dim is not given",
                          model.heads, model.hidden));
  }
  model.head_dim = head_dim ? head_dim->integer(1, kMaxHeads) : model.hidden / model.heads;
  model.v_head_dim = model.head_dim;
}

void read_latent_attention(const JsonReader& config, ModelConfig& model) {
  model.heads = config.at("num_attention_heads").integer(1, kMaxHeads);
  model.kv_heads = model.heads;
  model.kv_lora_rank = config.at("kv_lora_rank").integer(1, kMaxWidth);
  model.q_lora_rank = size_or(config, "q_lora_rank", kMaxWidth, 0);
  model.qk_nope_dim = config.at("qk_nope_head_dim").integer(1, kMaxHeads);
  model.qk_rope_dim = config.at("qk_rope_head_dim").integer(1, kMaxHeads);
  model.v_head_dim = config.at("v_head_dim").integer(1, kMaxHeads);
  // The file's own head_dim, where it has one, is the rotated part only.
  model.head_dim = model.qk_nope_dim + model.qk_rope_dim;
}

void read_experts(const JsonReader& config, Mixture mixture, ModelConfig& model) {
  if (mixture == Mixture::kNone) return;
  if (mixture == Mixture::kMixtral) {
    model.experts = config.at("num_local_experts").integer(1, kMaxHeads);
    model.expert_intermediate = model.intermediate;
  } else {
    model.experts = config.at("n_routed_experts").integer(1, kMaxHeads);
    model.expert_intermediate = config.at("moe_intermediate_size").integer(1, kMaxTable);
    if (const auto shared = find(config, "n_shared_experts")) {
      model.shared_experts = shared->integer(0, kMaxHeads);
    }
    if (const auto dense = find(config, "first_k_dense_replace")) {
      model.dense_layers = dense->integer(0, model.layers);
    }
    if (const auto every = find(config, "moe_layer_freq"); every && every->integer(1, 64) != 1) {
      every->fail("only 1 is supported: experts in every layer after the dense ones");
    }
  }
  model.experts_per_token = config.at("num_experts_per_tok").integer(1, model.experts);
}

void read_biases(const JsonReader& config, const Family& family, ModelConfig& model) {
  model.qkv_bias = flag_or(config, "attention_bias", family.qkv_bias);
  model.output_bias = family.output_bias && model.qkv_bias;
  model.ffn_bias = family.ffn_bias && flag_or(config, "mlp_bias", false);
}

/// One flag for each layer, or none where the window holds in all.
std::vector<bool> read_windowed_layers(const JsonReader& config, const Family& family,
                                       const ModelConfig& model) {
  std::vector<bool> windowed;
  if (const auto types = find(config, "layer_types")) {
    for (const JsonReader& type : types->items()) {
      const std::string name = type.string();
      if (name != "sliding_attention" && name != "full_attention") {
        type.fail(fmt::format("'{}' is not known; known are full_attention, sliding_attention",
                              printable(name)));
      }
      windowed.push_back(name == "sliding_attention");
    }
    if (std::ssize(windowed) != model.layers) {
      types->fail(fmt::format("has {} entries for {} layers", windowed.size(), model.layers));
    }
  } else if (!family.window_on) {
    const auto first = find(config, "max_window_layers");
    const int64_t full = first ? first->integer(0, kMaxPositions) : 28;
    for (int64_t layer = 0; layer < model.layers; ++layer) windowed.push_back(layer >= full);
  }
  if (std::find(windowed.begin(), windowed.end(), false) == windowed.end()) windowed.clear();
  return windowed;
}

void read_window(const JsonReader& config, const Family& family, ModelConfig& model) {
  const auto window = find(config, "sliding_window");
  if (!window || !flag_or(config, "use_sliding_window", family.window_on)) return;
  model.sliding_window = window->integer(1, kMaxPositions);
  model.windowed_layers = read_windowed_layers(config, family, model);
  const auto& layers = model.windowed_layers;
  if (layers.empty() || std::find(layers.begin(), layers.end(), true) != layers.end()) return;
  model.sliding_window = 0;
  model.windowed_layers.clear();
}

void check_size(const JsonReader& config, const ModelConfig& model) {
  const auto d = [](int64_t value) { return static_cast<double>(value); };
  const double widths = d(model.hidden + model.q_lora_rank + model.kv_lora_rank);
  const double heads = d(model.heads) * d(model.head_dim + model.v_head_dim);
  const double ffn = d(model.intermediate) +
                     d(model.experts + model.shared_experts) * d(model.expert_intermediate + 1);
  const double at_most =
      2 * d(model.vocab) * d(model.hidden) +
      d(model.layers) * (3 * widths * heads + widths * widths + 3 * d(model.hidden) * ffn);
  if (at_most > kMaxParameters) {
    config.fail(fmt::format("the sizes together give about {:.2g} parameters; the limit is {:.2g}",
                            at_most, kMaxParameters));
  }
}

bool is_file_or_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

ModelConfig parse_model_config(std::string_view text, const std::string& where) {
  const Json document = parse_json(text, where);
  const JsonReader config(document, where);
  const Family& family = read_family(config);

  ModelConfig model;
  model.name = where;
  model.architecture = family.architecture;
  model.dtype = read_dtype(config);
  model.hidden = config.at("hidden_size").integer(1, kMaxWidth);
  model.layers = config.at("num_hidden_layers").integer(1, kMaxLayers);
  model.intermediate = config.at("intermediate_size").integer(1, kMaxTable);
  model.vocab = config.at("vocab_size").integer(1, kMaxTable);
  model.max_positions = config.at("max_position_embeddings").integer(1, kMaxPositions);
  if (const auto eps = find(config, "rms_norm_eps")) model.norm_eps = eps->number(0, 1);
  model.tied_embeddings = flag_or(config, "tie_word_embeddings", false);
  read_biases(config, family, model);
  model.qk_norm = family.qk_norm;
  if (const auto act = find(config, "hidden_act"); act && act->string() != "silu") {
    act->fail(
        fmt::format("activation '{}' is not supported; only silu is", printable(act->string())));
  }
  if (family.latent_attention) {
    read_latent_attention(config, model);
  } else {
    read_heads(config, model);
  }
  read_rope(config, model);
  read_experts(config, family.mixture, model);
  read_window(config, family, model);
  check_size(config, model);
  return model;
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const EmbeddedFile& preset : model_presets()) names.emplace_back(preset.name);
  std::sort(names.begin(), names.end());
  return names;
}

ModelConfig load_model(const std::string& name_or_path) {
  for (const EmbeddedFile& preset : model_presets()) {
    if (preset.name == name_or_path) return parse_model_config(preset.text, name_or_path);
  }
  if (!is_file_or_folder(name_or_path)) {
    const std::vector<std::string> names = model_names();
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("model '{}' is neither built in nor a config.json or a folder with "
                    "one{}; built in are {}",
                    printable(name_or_path), did_you_mean(name_or_path, names), join(names, ", ")));
  }
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(name_or_path, ignored);
  const std::string path =
      folder ? (std::filesystem::path(name_or_path) / "config.json").string() : name_or_path;
  return parse_model_config(read_file(path, kMaxFileBytes), path);
}

}  // namespace tilewright
