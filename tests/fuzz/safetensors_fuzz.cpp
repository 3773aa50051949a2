// Any bytes read as a safetensors file give tensors or an Error. Tensors that were accepted lie
// within the file, cover it without overlap, and can be read.

#include "core/model/safetensors.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFile kFile("model.safetensors");
  const std::string_view bytes = text_of(data, size);
  kFile.write(bytes);
  accepted([&] {
    const SafetensorsFile file(kFile.path());
    int64_t reached = 0;
    for (const TensorEntry& tensor : file.tensors()) {
      TW_CHECK(tensor.begin == reached && tensor.end >= reached, "tensors follow each other");
      TW_CHECK(tensor.end <= static_cast<int64_t>(size), "tensors lie within the file");
      reached = tensor.end;
      accepted([&] { file.read(tensor); });
    }
  });
  // Headers alone, since random bytes hardly ever state their own length.
  accepted([&] { parse_safetensors_header(bytes, static_cast<int64_t>(size), "header"); });
  accepted([&] { parse_safetensors_header(bytes, 0, "header"); });
  return 0;
}
