#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/database.h"

namespace tilewright {

/// "TWdb", the application id in the header of every results database.
constexpr int64_t kApplicationId = 0x54576462;

/// The schema version that this program writes, PRAGMA user_version.
int schema_version();

/// Makes the connection ready: a new or empty file gets the schema, an older one is migrated. A
/// file that is not a results database, or that a newer program wrote, is refused before a byte of
/// it changes. Error (failed) says which of these it is.
void prepare_schema(Database& database, OpenMode mode);

/// What of a prepared database's tables, views, triggers and indexes is not defined as this program
/// defines it, a sentence each: SQLite notices a damaged definition only where it needs it. What
/// the user added is left out.
std::vector<std::string> check_schema(Database& database);

}  // namespace tilewright
