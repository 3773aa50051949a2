#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

/// One tensor of a safetensors file.
struct TensorEntry {
  std::string name;
  std::string type;  ///< as the file says: "F32", "BF16", ...
  std::vector<int64_t> shape;
  int64_t begin = 0;  ///< bytes, from the end of the header
  int64_t end = 0;
};

/// Reads the header of a safetensors file: a JSON object of name -> {dtype, shape, data_offsets},
/// and of __metadata__. `data_bytes` is what the file has behind it. The format's own rules hold:
/// types are known, each tensor has as many bytes as its shape says, and together they cover the
/// data without overlap or hole. Error (failed) names file, tensor and what is wrong. In the order
/// of the data.
std::vector<TensorEntry> parse_safetensors_header(std::string_view header, int64_t data_bytes,
                                                  const std::string& where);

/// A safetensors file whose header is sound. It is read piece by piece and never mapped, so that a
/// file which shrinks meanwhile is an Error.
class SafetensorsFile {
 public:
  /// Error (not found, failed): no such file, not a plain file, or its header is damaged.
  explicit SafetensorsFile(const std::string& path);

  const std::vector<TensorEntry>& tensors() const { return tensors_; }

  /// All elements of a tensor of this file, F16 and BF16 widened. Error (failed) for any other
  /// type, and when the file can no longer be read.
  std::vector<float> read(const TensorEntry& tensor) const;

 private:
  std::string path_;
  int64_t data_begin_ = 0;
  std::vector<TensorEntry> tensors_;
};

/// "[512, 128]".
std::string shape_text(const std::vector<int64_t>& shape);

}  // namespace tilewright
