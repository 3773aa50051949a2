#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/model/model_config.h"
#include "core/model/safetensors.h"

namespace tilewright {

/// A tensor that a model is made of, under its Hugging Face name.
struct WeightSpec {
  std::string name;
  std::vector<int64_t> shape;  ///< matrices are [out, in]
};

/// All tensors of a model, in order of use. Error (failed) for an architecture whose weights are
/// not read (multi-head latent attention).
std::vector<WeightSpec> weight_specs(const ModelConfig& model);

/// A Hugging Face checkpoint folder: config.json, and model.safetensors or the files that
/// model.safetensors.index.json names. Opening reads headers only and checks that exactly the
/// model's tensors are there, in their shapes.
class Checkpoint {
 public:
  /// Errors (not found, failed) name file and tensor; missing, misshapen and unused tensors are all
  /// listed in one message each. An index may only name files beside itself.
  explicit Checkpoint(const std::string& folder);

  const ModelConfig& model() const { return model_; }

  /// The elements of one of the model's tensors. Error (failed) when they cannot be read, or are
  /// not numbers (infinite, NaN).
  std::vector<float> read(const std::string& name) const;

 private:
  struct Place {
    size_t file;
    size_t tensor;
  };

  void open_files(const std::string& folder);
  void open_index(const std::string& folder, const std::string& index);
  void check_tensors(const std::string& folder) const;

  ModelConfig model_;
  std::vector<SafetensorsFile> files_;
  std::vector<std::string> paths_;  ///< of files_
  std::map<std::string, Place> tensors_;
};

}  // namespace tilewright
