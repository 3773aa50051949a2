// A chunk of a serving run's log as a foreign database may hold it: it gives as many numbers as it
// claims, which come back from being packed again, or an Error. The first two bytes are the rows.

#include "db/column_codec.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const int64_t rows = data[0] | data[1] << 8;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::vector<int64_t> values;
  if (!accepted([&] { values = decode_column(bytes, rows); })) return 0;
  TW_CHECK(std::ssize(values) == rows, "all rows are there");
  TW_CHECK(decode_column(encode_column(values), rows) == values, "packing loses nothing");
  return 0;
}
