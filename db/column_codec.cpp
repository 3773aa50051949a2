#include "db/column_codec.h"

#include <fmt/format.h>
#include <zlib.h>

#include "core/base/error.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxVarintBytes = 10;  // 64 bits, 7 a byte

const Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<const Bytef*>(text.data());
}
Bytef* bytes_of(std::string& text) {
  return reinterpret_cast<Bytef*>(text.data());
}

uint64_t zigzag(uint64_t difference) {
  const bool is_negative = difference >> 63 != 0;
  return is_negative ? ~(difference << 1) : difference << 1;
}
uint64_t unzigzag(uint64_t code) {
  return (code & 1) != 0 ? ~(code >> 1) : code >> 1;
}

void append_varint(std::string& bytes, uint64_t value) {
  while (value >= 0x80) {
    bytes += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  bytes += static_cast<char>(value);
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::kFailed, why);
}

uint64_t take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (shift == 63 && byte > 1) break;
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  refuse("a number in it does not end");
}

std::string inflated(std::string_view bytes, int64_t most) {
  std::string plain(static_cast<size_t>(most), '\0');
  uLongf size = plain.size();
  uLong used = bytes.size();
  const int code = uncompress2(bytes_of(plain), &size, bytes_of(bytes), &used);
  if (code == Z_BUF_ERROR) refuse("it is cut off, or holds more than it says");
  if (code != Z_OK) refuse("it does not unpack");
  if (used != bytes.size()) refuse("something stands behind its end");
  plain.resize(size);
  return plain;
}

}  // namespace

std::string encode_column(std::span<const int64_t> values) {
  TW_CHECK(!values.empty() && std::ssize(values) <= kMaxChunkRows, "a chunk has some rows");
  std::string plain;
  uint64_t last = 0;
  for (const int64_t value : values) {
    append_varint(plain, zigzag(static_cast<uint64_t>(value) - last));
    last = static_cast<uint64_t>(value);
  }
  uLongf size = compressBound(plain.size());
  std::string packed(size, '\0');
  const int code =
      compress2(bytes_of(packed), &size, bytes_of(plain), plain.size(), Z_DEFAULT_COMPRESSION);
  TW_CHECK(code == Z_OK, "a buffer of the bound's size is large enough");
  packed.resize(size);
  return packed;
}

std::vector<int64_t> decode_column(std::string_view bytes, int64_t rows) {
  if (rows < 1 || rows > kMaxChunkRows) refuse(fmt::format("a chunk cannot have {} rows", rows));
  const std::string plain = inflated(bytes, rows * kMaxVarintBytes);
  std::vector<int64_t> values(static_cast<size_t>(rows));
  std::string_view rest = plain;
  uint64_t last = 0;
  for (int64_t& value : values) {
    if (rest.empty()) refuse(fmt::format("it holds less than {} rows", rows));
    last += unzigzag(take_varint(rest));
    value = static_cast<int64_t>(last);
  }
  if (!rest.empty()) refuse(fmt::format("it holds more than {} rows", rows));
  return values;
}

}  // namespace tilewright
