#pragma once

#include <string>
#include <vector>

namespace tilewright {

/// SQL that the user keeps under a name, in a JSON file: {"queries": [{"name": ..., "sql":
/// ...}]}.
struct OwnQuery {
  std::string name;
  std::string sql;

  friend bool operator==(const OwnQuery&, const OwnQuery&) = default;
};

constexpr size_t kMostOwnQueries = 1000;
constexpr size_t kMostQueryName = 60;  ///< characters

/// The queries of a file, in its order; none where there is no file. Error (failed) with the file's
/// name for one that does not hold queries.
std::vector<OwnQuery> read_own_queries(const std::string& path);

/// Keeps a query under a name, in place of what was there, or takes that name away where the SQL is
/// empty; gives all queries, by name. Errors as read_own_queries(), so that a damaged file is not
/// written over; (usage) for a name or a number of queries that is out of bounds; (not found) where
/// there is none to take away.
std::vector<OwnQuery> save_own_query(const std::string& path, const OwnQuery& query);

}  // namespace tilewright
