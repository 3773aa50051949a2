#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/json.h"

namespace tilewright {

/// A table of vLLM's fused-MoE kernel: for numbers of tokens the config that was fastest, without
/// its time. The name of its file is its key.
struct MoeTable {
  int64_t experts = 0;
  int64_t n = 0;  ///< intermediate size of a shard
  std::string device;
  std::string dtype;                 ///< "fp8_w8a8", ...; empty: that of the model
  std::vector<int64_t> block_shape;  ///< of block-wise quantisation; empty: none
  std::string triton_version;        ///< empty where the file does not say
  struct Entry {
    int64_t tokens = 0;
    std::vector<std::pair<std::string, int64_t>> values;  ///< in the order of the file
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::vector<Entry> entries;  ///< in the order of the file

  friend bool operator==(const MoeTable&, const MoeTable&) = default;
};

/// Numbers of tokens that vLLM's tuner makes an entry for.
extern const std::vector<int64_t> kMoeTokens;

/// Reads the text of such a file; `file_name` is its key, "E=8,N=4096,device_name=X,dtype=fp8_w8a8
/// .json" without folder. Error (failed), naming `where`, for a name or a text of another form,
/// tokens twice, or values that are no whole numbers.
MoeTable read_moe_table(std::string_view text, std::string_view file_name,
                        const std::string& where);

/// The text as vLLM writes it, byte for byte; and the name its file must have.
std::string write_moe_table(const MoeTable& table);
std::string moe_file_name(const MoeTable& table);

/// For the database: the table as one JSON object, and back. Errors as read_moe_table().
Json to_json(const MoeTable& table);
MoeTable moe_table_of(const Json& json, const std::string& where);

/// The entry that vLLM takes for a number of tokens: the nearest, of two as near the first. The
/// table has entries.
const MoeTable::Entry& nearest_entry(const MoeTable& table, int64_t tokens);

}  // namespace tilewright
