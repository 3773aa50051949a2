#pragma once

#include <string>

#include "core/base/json.h"
#include "db/queries.h"

namespace tilewright {

/// A value as tables show it to people: numbers with at most six significant digits.
std::string shown_text(const Cell& cell);

/// A table for people: columns aligned, numbers to the right with at most six significant digits.
std::string to_table(const QueryResult& table);

/// The same in so many columns of the terminal where it would be wider: the last column is broken
/// at spaces, and the one before it is left out.
std::string to_wrapped_table(QueryResult table, int columns);

/// {"columns": [...], "rows": [{column: value}, ...]}; a column name that repeats gets "_2", ...
Json to_json(const QueryResult& table);

}  // namespace tilewright
