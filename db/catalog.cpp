#include "db/catalog.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "db/store.h"

namespace tilewright {

namespace {

/// Views with one row for each row of a table: what they join to it is there by a foreign key.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kRowForRow = {
    {{"attempts", "attempt"},
     {"best_measurements", "best"},
     {"measurements", "measurement"},
     {"runs", "run"},
     {"served_problems", "served_problem"},
     {"sessions", "session"},
     {"trials", "trial"},
     {"winners", "winner"}}};

std::optional<int64_t> rows_of(const StoreInfo& info, std::string_view name) {
  const auto* const view =
      std::ranges::find(kRowForRow, name, &decltype(kRowForRow)::value_type::first);
  const std::string_view table = view == kRowForRow.end() ? name : view->second;
  for (const auto& [counted, rows] : info.rows) {
    if (counted == table) return rows;
  }
  return std::nullopt;
}

}  // namespace

std::vector<CatalogEntry> catalog_of(Store& store, RowCounts counts) {
  const StoreInfo info = counts == RowCounts::kCounted ? store.info() : StoreInfo{};
  std::vector<CatalogEntry> entries;
  Statement row(store.database(),
                "SELECT entry.name, entry.type = 'view', field.name "
                "FROM sqlite_schema AS entry JOIN pragma_table_info(entry.name) AS field "
                "WHERE entry.type IN ('table', 'view') AND entry.name NOT GLOB 'sqlite_*' "
                "ORDER BY entry.type DESC, entry.name, field.cid");
  while (row.step()) {
    if (entries.empty() || entries.back().name != row.text(0)) {
      entries.push_back({row.text(0), row.integer(1) != 0, {}, rows_of(info, row.text(0))});
    }
    entries.back().columns.push_back(row.text(2));
  }
  return entries;
}

}  // namespace tilewright
