#include "db/column_codec.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace tilewright {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

/// zlib's stream of any bytes.
std::string deflated(const std::string& plain) {
  uLongf size = compressBound(plain.size());
  std::string packed(size, '\0');
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                     reinterpret_cast<const Bytef*>(plain.data()), plain.size()),
            Z_OK);
  packed.resize(size);
  return packed;
}

std::string reason(const std::string& bytes, int64_t rows) {
  try {
    decode_column(bytes, rows);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    return error.message();
  }
  return "";
}

TEST(ColumnCodec, GivesBackEveryNumber) {
  const std::vector<int64_t> values = {0, -1, 1, 63, 64, -64, -65, kMost, kLeast, kMost, 0, kLeast};
  EXPECT_EQ(decode_column(encode_column(values), std::ssize(values)), values);
}

TEST(ColumnCodec, PacksDifferencesAsZigzagVarints) {
  // 3, then -1 (2 - 3), then 300 (302 - 2) = zigzag 600 = 0b100'1011000.
  EXPECT_EQ(encode_column(std::vector<int64_t>{3, 2, 302}),
            deflated(std::string("\x06\x01\xd8\x04", 4)));
}

TEST(ColumnCodec, TakesLittleForColumnsThatGrowEvenly) {
  std::vector<int64_t> ends;
  for (int64_t i = 0; i < kMaxChunkRows; ++i) ends.push_back(i * 23'456'789);
  const std::string bytes = encode_column(ends);
  EXPECT_LT(bytes.size(), 2000u);
  EXPECT_EQ(decode_column(bytes, kMaxChunkRows), ends);
}

TEST(ColumnCodec, RefusesWhatItDidNotMake) {
  const std::string good = encode_column(std::vector<int64_t>{1, 2, 3});
  EXPECT_NE(reason(good, 2).find("more than 2 rows"), std::string::npos);
  EXPECT_NE(reason(good, 4).find("less than 4 rows"), std::string::npos);
  EXPECT_NE(reason(good, 0).find("cannot have 0 rows"), std::string::npos);
  EXPECT_NE(reason(good, -1).find("cannot have -1 rows"), std::string::npos);
  EXPECT_NE(reason(good, kMaxChunkRows + 1).find("cannot have 65537 rows"), std::string::npos);
  EXPECT_NE(reason(good + "x", 3).find("behind its end"), std::string::npos);
  EXPECT_NE(reason(good.substr(0, good.size() - 1), 3), "");
  EXPECT_NE(reason("", 3), "");
  EXPECT_NE(reason("plain text", 3).find("does not unpack"), std::string::npos);
  std::string changed = good;
  changed[changed.size() - 1] = static_cast<char>(changed.back() ^ 1);
  EXPECT_NE(reason(changed, 3).find("does not unpack"), std::string::npos) << "its checksum";
}

TEST(ColumnCodec, RefusesNumbersWithoutEnd) {
  EXPECT_NE(reason(deflated("\x80"), 1).find("does not end"), std::string::npos);
  EXPECT_NE(reason(deflated(std::string(10, '\xff')), 1).find("does not end"), std::string::npos);
  EXPECT_NE(reason(deflated(std::string(9, '\xff') + '\x02'), 1).find("does not end"),
            std::string::npos)
      << "more than 64 bits";
}

TEST(ColumnCodec, UnpacksNoMoreThanItsRowsCanTake) {
  const std::string bomb = deflated(std::string(100'000'000, '\0'));
  EXPECT_NE(reason(bomb, 1000).find("holds more than it says"), std::string::npos);
}

}  // namespace
}  // namespace tilewright
