#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

/// How a chunk of a column of whole numbers is packed, by name in the database. "delta-zlib": the
/// difference of each number to the one before (modulo 2^64, the first to 0), zigzag (the sign in
/// the lowest bit), as varints of 7 bits a byte with the lowest bits first, all in one zlib stream.
inline constexpr std::string_view kColumnCodec = "delta-zlib";

/// Most numbers in a chunk.
inline constexpr int64_t kMaxChunkRows = int64_t{1} << 16;

/// Packs 1 to kMaxChunkRows numbers.
std::string encode_column(std::span<const int64_t> values);

/// Unpacks exactly `rows` numbers. Error (failed), without naming where it was, for bytes that are
/// none of encode_column()'s with as many numbers; takes memory for `rows` numbers at most.
std::vector<int64_t> decode_column(std::string_view bytes, int64_t rows);

}  // namespace tilewright
