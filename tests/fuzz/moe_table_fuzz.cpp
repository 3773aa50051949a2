// Any name and text read as a table of vLLM's fused MoE give a table that survives being written,
// or an Error. The first line of the input is the name.

#include <nlohmann/json.hpp>

#include "db/formats/moe_table.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = text_of(data, size);
  const size_t border = std::min(input.find('\n'), input.size());
  const std::string_view text = input.substr(std::min(border + 1, input.size()));
  MoeTable table;
  if (!accepted([&] { table = read_moe_table(text, input.substr(0, border), "moe"); })) return 0;
  TW_CHECK(!table.entries.empty(), "a table has entries");
  nearest_entry(table, 100);
  TW_CHECK(read_moe_table(write_moe_table(table), moe_file_name(table), "again") == table,
           "a table that was written is read again");
  TW_CHECK(moe_table_of(to_json(table), "json") == table, "the database gives it back");
  return 0;
}
