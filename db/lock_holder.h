#pragma once

#include <string>

namespace tilewright {

/// The process that holds the write lock of an SQLite file, for people: "process 4711, `tilewright
/// tune gemm`, running for 12 s". Empty when nobody does, or where the system does not tell: what
/// Linux says in /proc of the locks that SQLite takes (sqlite.org/walformat.html, 2.3.1), so that a
/// process that was killed is never named.
std::string lock_holder(const std::string& path);

}  // namespace tilewright
