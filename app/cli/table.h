#pragma once

#include <string>

#include "core/base/json.h"
#include "db/queries.h"

namespace tilewright {

/// A table for people: columns aligned, numbers to the right with at most six significant digits.
std::string to_table(const QueryResult& table);

/// {"columns": [...], "rows": [{column: value}, ...]}; a column name that repeats gets "_2", ...
Json to_json(const QueryResult& table);

}  // namespace tilewright
