#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/random.h"
#include "core/model/checkpoint.h"
#include "tests/temp_folder.h"

namespace tilewright {

/// A tensor as a file holds it.
struct RawTensor {
  std::string type = "F32";
  std::vector<int64_t> shape;
  std::string bytes;
};

using RawTensors = std::map<std::string, RawTensor>;

/// Eight bytes of length, then the header, then the data.
inline std::string safetensors_bytes(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

inline std::string safetensors_bytes(const RawTensors& tensors) {
  std::string header = R"({"__metadata__": {"format": "pt"})";
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    header += fmt::format(R"(, "{}": {{"dtype": "{}", "shape": {}, "data_offsets": [{}, {}]}})",
                          name, tensor.type, shape_text(tensor.shape), data.size(),
                          data.size() + tensor.bytes.size());
    data += tensor.bytes;
  }
  return safetensors_bytes(header + "}", data);
}

/// Encodes values; `values` becomes what a reader will see.
inline std::string encode(std::vector<float>& values, const std::string& type) {
  std::string bytes;
  for (float& value : values) {
    if (type == "F32") {
      bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
      continue;
    }
    const uint16_t half = type == "F16" ? f32_to_f16(value) : f32_to_bf16(value);
    value = type == "F16" ? f16_to_f32(half) : bf16_to_f32(half);
    bytes.append(reinterpret_cast<const char*>(&half), sizeof half);
  }
  return bytes;
}

/// A checkpoint with random weights: a config.json, and how the weights are stored.
struct CheckpointRecipe {
  std::string config;
  std::string type = "F32";
  int shards = 1;
  uint64_t seed = 1;
};

/// Random weights that keep the residual stream of about unit size.
inline std::vector<float> random_weights(const WeightSpec& spec, Random& random) {
  int64_t count = 1;
  for (const int64_t size : spec.shape) count *= size;
  const bool is_norm = spec.name.ends_with("norm.weight");
  const bool is_matrix = spec.shape.size() == 2 && spec.name.find("embed") == std::string::npos;
  const double scale =
      is_matrix ? 2 / std::sqrt(static_cast<double>(spec.shape[1])) : (is_norm ? 0.2 : 0.7);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>((is_norm ? 1.0 : 0.0) + scale * random.normal()));
  }
  return values;
}

/// Writes the checkpoint into `folder`; returns its weights as a reader sees them.
inline std::map<std::string, std::vector<float>> write_checkpoint(const TempFolder& folder,
                                                                  const CheckpointRecipe& recipe) {
  folder.file("config.json", recipe.config);
  Random random(recipe.seed);
  std::map<std::string, std::vector<float>> weights;
  std::vector<RawTensors> shards(static_cast<size_t>(recipe.shards));
  std::string map;
  size_t next = 0;
  for (const WeightSpec& spec : weight_specs(parse_model_config(recipe.config, "config.json"))) {
    std::vector<float>& values = weights[spec.name] = random_weights(spec, random);
    const size_t shard = next++ % shards.size();
    shards[shard][spec.name] = {recipe.type, spec.shape, encode(values, recipe.type)};
    map +=
        fmt::format(R"({}"{}": "part-{}.safetensors")", map.empty() ? "" : ", ", spec.name, shard);
  }
  if (recipe.shards == 1) {
    folder.file("model.safetensors", safetensors_bytes(shards[0]));
    return weights;
  }
  for (size_t i = 0; i < shards.size(); ++i) {
    folder.file(fmt::format("part-{}.safetensors", i), safetensors_bytes(shards[i]));
  }
  folder.file("model.safetensors.index.json",
              fmt::format(R"({{"metadata": {{}}, "weight_map": {{{}}}}})", map));
  return weights;
}

}  // namespace tilewright
