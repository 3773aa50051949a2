#pragma once

#include <cstdint>

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

}  // namespace tilewright
