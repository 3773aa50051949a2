#include "core/model/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

/// Of the header; a model of 20,000 tensors has 3 MB.
constexpr int64_t kMaxHeaderBytes = 8 << 20;
constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxOffset = int64_t{1} << 62;
constexpr size_t kMaxRank = 16;

struct ElementType {
  const char* name;
  int64_t bytes;
};

constexpr ElementType kTypes[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
    {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
    {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8},
};

int64_t element_bytes(const JsonReader& type) {
  const std::string name = type.string();
  std::vector<std::string> known;
  for (const ElementType& each : kTypes) {
    if (name == each.name) return each.bytes;
    known.emplace_back(each.name);
  }
  type.fail(
      fmt::format("type '{}' is not known; known are {}", printable(name), join(known, ", ")));
}

/// Bytes that the shape stands for, capped where it is surely more than any file has.
int64_t bytes_of_shape(const std::vector<int64_t>& shape, int64_t element) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  int64_t bytes = element;
  for (const int64_t size : shape) {
    if (bytes > kMaxOffset / size) return kMaxOffset;
    bytes *= size;
  }
  return bytes;
}

TensorEntry read_entry(const JsonReader& reader, const std::string& name, int64_t data_bytes) {
  reader.only({"dtype", "shape", "data_offsets"});
  TensorEntry entry;
  entry.name = name;
  const int64_t element = element_bytes(reader.at("dtype"));
  entry.type = reader.at("dtype").string();
  const JsonReader shape = reader.at("shape");
  if (shape.is_array() && shape.raw().size() > kMaxRank) {
    shape.fail(fmt::format("has {} dimensions; at most {} are read", shape.raw().size(), kMaxRank));
  }
  for (const JsonReader& size : shape.items()) entry.shape.push_back(size.integer(0, kMaxOffset));
  const JsonReader offsets = reader.at("data_offsets");
  if (!offsets.is_array() || offsets.raw().size() != 2) {
    offsets.fail("expected two numbers, begin and end");
  }
  const std::vector<JsonReader> ends = offsets.items();
  entry.begin = ends[0].integer(0, kMaxOffset);
  entry.end = ends[1].integer(0, kMaxOffset);
  if (entry.end < entry.begin) {
    offsets.fail(fmt::format("end {} is before begin {}", entry.end, entry.begin));
  }
  if (entry.end > data_bytes) {
    offsets.fail(
        fmt::format("end {} is beyond the {} bytes of data; the file is truncated or its "
                    "header is wrong: fetch it again",
                    entry.end, data_bytes));
  }
  const int64_t wanted = bytes_of_shape(entry.shape, element);
  if (entry.end - entry.begin != wanted) {
    reader.fail(fmt::format("has {} bytes, but shape {} of {} needs {}", entry.end - entry.begin,
                            shape_text(entry.shape), entry.type, wanted));
  }
  return entry;
}

/// The tensors must follow each other: an overlap would give one byte two meanings, and bytes that
/// belong to nothing are a hiding place.
void check_cover(const std::vector<TensorEntry>& tensors, int64_t data_bytes,
                 const std::string& where) {
  int64_t reached = 0;
  const std::string* before = nullptr;
  for (const TensorEntry& tensor : tensors) {
    if (tensor.begin < reached) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("{}: tensors {} and {} overlap at byte {} of the data", where,
                              printable(*before), printable(tensor.name), tensor.begin));
    }
    if (tensor.begin > reached) {
      throw Error(
          ErrorKind::kFailed,
          fmt::format("{}: bytes {} to {} of the data, before tensor {}, belong to no tensor",
                      where, reached, tensor.begin, printable(tensor.name)));
    }
    reached = tensor.end;
    before = &tensor.name;
  }
  if (reached != data_bytes) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: the tensors end at byte {} of {} bytes of data", where, reached,
                            data_bytes));
  }
}

int64_t header_bytes(std::ifstream& file, int64_t file_bytes, const std::string& path) {
  std::array<char, kLengthBytes> raw = {};
  if (file_bytes < kLengthBytes || !file.read(raw.data(), kLengthBytes)) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: {} bytes are too few for a safetensors file", path, file_bytes));
  }
  const auto length = std::bit_cast<uint64_t>(raw);
  if (length > static_cast<uint64_t>(kMaxHeaderBytes)) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: states a header of {} bytes, the limit is {}; this is not a "
                            "safetensors file, or it is damaged",
                            path, length, format_bytes(static_cast<double>(kMaxHeaderBytes))));
  }
  const auto bytes = static_cast<int64_t>(length);
  if (bytes > file_bytes - kLengthBytes) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: states a header of {} bytes, but only {} follow; the file is "
                            "truncated: fetch it again",
                            path, bytes, file_bytes - kLengthBytes));
  }
  return bytes;
}

int64_t size_of_plain_file(const std::string& path) {
  std::error_code failure;
  if (!std::filesystem::exists(path, failure)) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no such file", path));
  }
  if (!std::filesystem::is_regular_file(path, failure)) {
    throw Error(ErrorKind::kFailed, fmt::format("{}: not a plain file", path));
  }
  const auto bytes = std::filesystem::file_size(path, failure);
  if (failure) {
    throw Error(ErrorKind::kFailed, fmt::format("{}: {}", path, failure.message()));
  }
  return static_cast<int64_t>(bytes);
}

template <typename Element, typename Widen>
std::vector<float> widened(const std::vector<char>& bytes, Widen widen) {
  std::vector<float> values(bytes.size() / sizeof(Element));
  for (size_t i = 0; i < values.size(); ++i) {
    Element element;
    std::memcpy(&element, bytes.data() + i * sizeof(Element), sizeof(Element));
    values[i] = widen(element);
  }
  return values;
}

}  // namespace

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::vector<TensorEntry> parse_safetensors_header(std::string_view header, int64_t data_bytes,
                                                  const std::string& where) {
  const Json document = parse_json(header, where);
  const JsonReader reader(document, where);
  std::vector<TensorEntry> tensors;
  if (!reader.is_object()) reader.fail("the header is not a JSON object");
  for (const auto& [name, value] : document.items()) {
    if (name == "__metadata__") continue;
    const JsonReader entry(value, fmt::format("{}: {}", where, printable(name)));
    tensors.push_back(read_entry(entry, name, data_bytes));
  }
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  check_cover(tensors, data_bytes, where);
  return tensors;
}

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path) {
  const int64_t file_bytes = size_of_plain_file(path);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorKind::kFailed, fmt::format("{}: cannot be opened", path));
  std::string header(static_cast<size_t>(header_bytes(file, file_bytes, path)), '\0');
  if (!file.read(header.data(), std::ssize(header))) {
    throw Error(ErrorKind::kFailed, fmt::format("{}: cannot be read", path));
  }
  data_begin_ = kLengthBytes + std::ssize(header);
  tensors_ = parse_safetensors_header(header, file_bytes - data_begin_, path);
}

std::vector<float> SafetensorsFile::read(const TensorEntry& tensor) const {
  if (tensor.type != "F32" && tensor.type != "F16" && tensor.type != "BF16") {
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: {}: weights of type {} are not read; convert them to F32, F16 or "
                            "BF16",
                            path_, printable(tensor.name), tensor.type));
  }
  std::vector<char> bytes(static_cast<size_t>(tensor.end - tensor.begin));
  std::ifstream file(path_, std::ios::binary);
  file.seekg(data_begin_ + tensor.begin);
  if (!file.read(bytes.data(), std::ssize(bytes))) {
    throw Error(ErrorKind::kFailed, fmt::format("{}: {}: its {} bytes cannot be read", path_,
                                                printable(tensor.name), bytes.size()));
  }
  if (tensor.type == "F16") return widened<uint16_t>(bytes, f16_to_f32);
  if (tensor.type == "BF16") return widened<uint16_t>(bytes, bf16_to_f32);
  return widened<float>(bytes, [](float value) { return value; });
}

}  // namespace tilewright
