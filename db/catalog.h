#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tilewright {

class Store;

/// Something that a query can read from.
struct CatalogEntry {
  std::string name;
  bool is_view = false;
  std::vector<std::string> columns;
  std::optional<int64_t> rows;  ///< where they can be counted without reading the rows themselves
};

/// All views and then all tables, both by name. Counting walks an index of each table: some 10 ms
/// for a million rows; the rest is there at once.
enum class RowCounts : uint8_t { kLeftOut, kCounted };
std::vector<CatalogEntry> catalog_of(Store& store, RowCounts counts);

}  // namespace tilewright
