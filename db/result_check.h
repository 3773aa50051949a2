#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "db/database.h"

namespace tilewright {

/// What contradicts itself in the results, beyond what SQLite knows of: texts that are not
/// canonical, the table `best`, gaps in what runs tried, measurements that nobody tried and winners
/// that nobody measured. Empty when nothing does; at most a few lines for each kind.
std::vector<std::string> check_results(Database& database);

/// Throws DamagedError, naming the row, where a stored config is none.
void check_config(const Database& database, std::string_view table, int64_t id,
                  std::string_view config);

}  // namespace tilewright
