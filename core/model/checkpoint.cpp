#include "core/model/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxIndexBytes = 16 << 20;
constexpr size_t kMaxFiles = 4096;
constexpr int64_t kMaxTensors = 1 << 17;
constexpr int64_t kTensorsOfLayer = 16;  ///< at most, experts left out
constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

/// Appends the tensors of one layer.
class LayerSpecs {
 public:
  LayerSpecs(const ModelConfig& model, int64_t layer, std::vector<WeightSpec>& specs)
      : model_(model), prefix_(fmt::format("model.layers.{}.", layer)), specs_(specs) {}

  void add_attention() {
    const int64_t query = model_.heads * model_.head_dim;
    const int64_t kv = model_.kv_heads * model_.head_dim;
    add("input_layernorm.weight", {model_.hidden});
    add_linear("self_attn.q_proj", query, model_.hidden, model_.qkv_bias);
    add_linear("self_attn.k_proj", kv, model_.hidden, model_.qkv_bias);
    add_linear("self_attn.v_proj", kv, model_.hidden, model_.qkv_bias);
    add_linear("self_attn.o_proj", model_.hidden, query, model_.output_bias);
    if (model_.qk_norm) {
      add("self_attn.q_norm.weight", {model_.head_dim});
      add("self_attn.k_norm.weight", {model_.head_dim});
    }
    add("post_attention_layernorm.weight", {model_.hidden});
  }

  void add_ffn() {
    add_linear("mlp.gate_proj", model_.intermediate, model_.hidden, model_.ffn_bias);
    add_linear("mlp.up_proj", model_.intermediate, model_.hidden, model_.ffn_bias);
    add_linear("mlp.down_proj", model_.hidden, model_.intermediate, model_.ffn_bias);
  }

  void add_experts() {
    add_linear("block_sparse_moe.gate", model_.experts, model_.hidden, false);
    for (int64_t expert = 0; expert < model_.experts; ++expert) {
      const std::string name = fmt::format("block_sparse_moe.experts.{}.", expert);
      add_linear(name + "w1", model_.expert_intermediate, model_.hidden, false);
      add_linear(name + "w3", model_.expert_intermediate, model_.hidden, false);
      add_linear(name + "w2", model_.hidden, model_.expert_intermediate, false);
    }
  }

 private:
  void add(const std::string& name, std::vector<int64_t> shape) {
    specs_.push_back({prefix_ + name, std::move(shape)});
  }
  void add_linear(const std::string& name, int64_t out, int64_t in, bool bias) {
    add(name + ".weight", {out, in});
    if (bias) add(name + ".bias", {out});
  }

  const ModelConfig& model_;
  std::string prefix_;
  std::vector<WeightSpec>& specs_;
};

std::string path_in(const std::string& folder, const std::string& name) {
  return (std::filesystem::path(folder) / name).string();
}

bool is_there(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// "a, b, c and 12 more".
std::string listed(const std::vector<std::string>& names, size_t limit) {
  std::vector<std::string> shown;
  for (const std::string& name : names) {
    if (shown.size() == limit) break;
    shown.push_back(printable(name, 120));
  }
  const size_t left = names.size() - shown.size();
  return join(shown, ", ") + (left > 0 ? fmt::format(" and {} more", left) : "");
}

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::kFailed, where + ": " + what);
}

/// Tensors that a file may hold although the model does not use them: the frequencies that old
/// transformers stored, and a head that repeats the embedding.
bool may_be_left(const ModelConfig& model, const std::string& name) {
  return name.ends_with(".rotary_emb.inv_freq") ||
         (model.tied_embeddings && name == "lm_head.weight");
}

void check_file_name(const JsonReader& value, const std::string& name) {
  const std::filesystem::path path(name);
  if (name.empty() || path.filename() != path || name == "." || name == ".." ||
      name.find('\0') != std::string::npos) {
    value.fail(fmt::format("'{}' is not the name of a file beside the index", printable(name)));
  }
}

}  // namespace

std::vector<WeightSpec> weight_specs(const ModelConfig& model) {
  if (model.is_mla()) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: {} runs in timing mode only; weights are read of "
                            "LlamaForCausalLM, MistralForCausalLM, MixtralForCausalLM, "
                            "Qwen2ForCausalLM, Qwen3ForCausalLM",
                            model.name, model.architecture));
  }
  if (model.layers * (kTensorsOfLayer + 3 * model.experts) > kMaxTensors) {
    throw Error(
        ErrorKind::kFailed,
        fmt::format("{}: {} layers of {} experts are more tensors than the {} that are read",
                    model.name, model.layers, model.experts, kMaxTensors));
  }
  std::vector<WeightSpec> specs;
  specs.push_back({"model.embed_tokens.weight", {model.vocab, model.hidden}});
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    LayerSpecs layer_specs(model, layer, specs);
    layer_specs.add_attention();
    if (model.experts > 0) {
      layer_specs.add_experts();
    } else {
      layer_specs.add_ffn();
    }
  }
  specs.push_back({"model.norm.weight", {model.hidden}});
  if (!model.tied_embeddings) specs.push_back({"lm_head.weight", {model.vocab, model.hidden}});
  return specs;
}

Checkpoint::Checkpoint(const std::string& folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: not a folder; a checkpoint is a folder with config.json and {}",
                            folder, kSingle));
  }
  model_ = load_model(folder);
  open_files(folder);
  check_tensors(folder);
}

void Checkpoint::open_files(const std::string& folder) {
  const std::string single = path_in(folder, kSingle);
  const std::string index = path_in(folder, kIndex);
  if (!is_there(single)) {
    if (is_there(index)) return open_index(folder, index);
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: neither {} nor {} is there; weights of other formats must be "
                            "converted to safetensors",
                            folder, kSingle, kIndex));
  }
  files_.emplace_back(single);
  paths_.push_back(single);
  const std::vector<TensorEntry>& tensors = files_.back().tensors();
  for (size_t i = 0; i < tensors.size(); ++i) tensors_[tensors[i].name] = {0, i};
}

void Checkpoint::open_index(const std::string& folder, const std::string& index) {
  const Json document = parse_json(read_file(index, kMaxIndexBytes), index);
  const JsonReader map = JsonReader(document, index).at("weight_map");
  if (!map.is_object()) map.fail("expected an object of tensor names to file names");
  std::map<std::string, std::set<std::string>> promised;  // names by file
  for (const auto& [name, value] : map.raw().items()) {
    const JsonReader reader(value, fmt::format("{}: weight_map.{}", index, printable(name)));
    const std::string file = reader.string();
    check_file_name(reader, file);
    promised[file].insert(name);
  }
  if (promised.size() > kMaxFiles) {
    map.fail(fmt::format("names {} files; the limit is {}", promised.size(), kMaxFiles));
  }
  for (const auto& [file, names] : promised) {
    paths_.push_back(path_in(folder, file));
    files_.emplace_back(paths_.back());
    const std::vector<TensorEntry>& tensors = files_.back().tensors();
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (!names.contains(tensors[i].name)) {
        fail(paths_.back(), fmt::format("holds {}, which {} does not place there",
                                        printable(tensors[i].name), kIndex));
      }
      tensors_[tensors[i].name] = {files_.size() - 1, i};
    }
    std::vector<std::string> absent;
    for (const std::string& name : names) {
      if (!tensors_.contains(name)) absent.push_back(name);
    }
    if (!absent.empty()) {
      fail(paths_.back(), fmt::format("lacks tensors that {} places there: {}", kIndex,
                                      listed(absent, absent.size())));
    }
  }
}

void Checkpoint::check_tensors(const std::string& folder) const {
  std::vector<std::string> missing;
  std::vector<std::string> misshapen;
  std::set<std::string> used;
  for (const WeightSpec& spec : weight_specs(model_)) {
    used.insert(spec.name);
    const auto found = tensors_.find(spec.name);
    if (found == tensors_.end()) {
      missing.push_back(spec.name);
      continue;
    }
    const Place place = found->second;
    const std::vector<int64_t>& shape = files_[place.file].tensors()[place.tensor].shape;
    if (shape == spec.shape) continue;
    misshapen.push_back(fmt::format("{} is {} and must be {}", spec.name, shape_text(shape),
                                    shape_text(spec.shape)));
  }
  if (!missing.empty()) {
    fail(folder, fmt::format("lacks {} of the tensors of {}: {}; is config.json that of these "
                             "weights?",
                             missing.size(), model_.architecture, listed(missing, missing.size())));
  }
  if (!misshapen.empty()) {
    fail(folder, fmt::format("tensors whose shapes are not those of config.json: {}",
                             listed(misshapen, misshapen.size())));
  }
  std::vector<std::string> unused;
  for (const auto& [name, place] : tensors_) {
    if (!used.contains(name) && !may_be_left(model_, name)) unused.push_back(name);
  }
  if (!unused.empty()) {
    fail(folder, fmt::format("holds tensors for which {} with this config.json has no use, so that "
                             "its results would be wrong: {}",
                             model_.architecture, listed(unused, 32)));
  }
}

std::vector<float> Checkpoint::read(const std::string& name) const {
  const auto found = tensors_.find(name);
  TW_CHECK(found != tensors_.end(), "only the model's own tensors are asked for");
  const Place place = found->second;
  const SafetensorsFile& file = files_[place.file];
  std::vector<float> values = file.read(file.tensors()[place.tensor]);
  const auto odd = std::find_if_not(values.begin(), values.end(),
                                    [](float value) { return std::isfinite(value); });
  if (odd != values.end()) {
    fail(paths_[place.file], fmt::format("{}: element {} is {}, not a finite number", name,
                                         odd - values.begin(), *odd));
  }
  return values;
}

}  // namespace tilewright
