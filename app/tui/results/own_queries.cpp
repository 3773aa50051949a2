#include "app/tui/results/own_queries.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMostBytes = 4 << 20;

std::string checked_name(std::string_view text) {
  const std::string name(trim(text));
  if (name.empty() || name.size() > kMostQueryName || printable(name) != name) {
    throw Error(ErrorKind::kUsage,
                fmt::format("a query is kept under a name of 1 to {} characters, not '{}'",
                            kMostQueryName, printable(name)));
  }
  return name;
}

void write_queries(const std::string& path, const std::vector<OwnQuery>& queries) {
  Json list = Json::array();
  for (const OwnQuery& query : queries) list.push_back({{"name", query.name}, {"sql", query.sql}});
  std::error_code none;  // what is wrong with the folder is said of the file
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), none);
  write_file(path,
             Json{{"queries", list}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace

std::vector<OwnQuery> read_own_queries(const std::string& path) {
  if (path.empty()) return {};
  std::string text;
  try {
    text = read_file(path, kMostBytes);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) return {};
    throw;
  }
  const Json json = parse_json(text, path);
  std::vector<OwnQuery> queries;
  std::set<std::string> names;
  for (const JsonReader& entry : JsonReader(json, path).at("queries").items()) {
    OwnQuery query = {entry.at("name").string(), entry.at("sql").string()};
    if (!names.insert(query.name).second) entry.fail("has the name of an earlier one");
    queries.push_back(std::move(query));
    if (queries.size() > kMostOwnQueries) entry.fail("is one query too many");
  }
  return queries;
}

std::vector<OwnQuery> save_own_query(const std::string& path, const OwnQuery& query) {
  if (path.empty()) {
    throw Error(ErrorKind::kUsage, "there is no folder to keep queries in: HOME is not set");
  }
  std::vector<OwnQuery> queries = read_own_queries(path);
  const bool deletes = query.sql.empty();
  // What a file holds can be taken away whatever its name is.
  const std::string name = deletes ? query.name : checked_name(query.name);
  const size_t before = queries.size();
  std::erase_if(queries, [&](const OwnQuery& one) { return one.name == name; });
  if (deletes && queries.size() == before) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("there is no query '{}' in {}", printable(name), printable(path)));
  }
  if (!deletes) queries.push_back({name, query.sql});
  if (queries.size() > kMostOwnQueries) {
    throw Error(ErrorKind::kUsage, fmt::format("{} holds {} queries already; d deletes one",
                                               printable(path), kMostOwnQueries));
  }
  std::ranges::sort(queries, {}, &OwnQuery::name);
  write_queries(path, queries);
  return queries;
}

}  // namespace tilewright
