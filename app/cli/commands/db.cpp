// `tilewright db`: care of the results database.

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "app/cli/actions.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "core/base/error.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

using Names = std::span<const std::string>;

bool is_empty_file(const std::string& path) {
  std::error_code failure;
  return std::filesystem::file_size(path, failure) == 0 && !failure;
}

/// A file too damaged to be opened is a finding, too.
std::vector<std::string> findings_of(const Context& context) {
  try {
    return context.open_existing_store(OpenMode::kReadOnly).check();
  } catch (const DamagedError& error) {
    return {error.finding()};
  }
}

int check_db(Context& context, Names) {
  const std::string& path = context.globals().db;
  if (is_empty_file(path)) {
    throw Error(ErrorKind::kCheckFailed,
                fmt::format("database {}: the file is empty, nothing was recorded yet", path));
  }
  const std::vector<std::string> findings = findings_of(context);
  if (context.globals().json) {
    Json json = output_object();
    json["path"] = context.globals().db;
    json["ok"] = findings.empty();
    json["findings"] = findings;
    context.print_json(json);
  } else {
    for (const std::string& finding : findings) context.print(finding + "\n");
    context.print(fmt::format("{}: {}\n", context.globals().db,
                              findings.empty() ? "ok" : "damaged; restore a copy"));
  }
  return findings.empty() ? kExitOk : kExitCheckFailed;
}

int vacuum_db(Context& context, Names) {
  Store store = context.open_existing_store(OpenMode::kReadWrite);
  const int64_t before = store.info().bytes;
  store.vacuum();
  const int64_t after = store.info().bytes;
  if (context.globals().json) {
    Json json = output_object();
    json["path"] = context.globals().db;
    json["bytes_before"] = before;
    json["bytes"] = after;
    context.print_json(json);
  } else {
    context.print(fmt::format("{}: {} before, {} now\n", context.globals().db,
                              format_bytes(static_cast<double>(before)),
                              format_bytes(static_cast<double>(after))));
  }
  return kExitOk;
}

int merge_db(Context& context, Names names) {
  Store store = context.open_store();
  const MergeCounts counts = store.merge(names[0]);
  const std::pair<const char*, int64_t> rows[] = {
      {"machines", counts.machines},
      {"runs", counts.runs},
      {"problems", counts.problems},
      {"measurements", counts.measurements},
      {"attempts", counts.attempts},
      {"trials", counts.trials},
      {"winners", counts.winners},
      {"served_problems", counts.served_problems},
      {"serving_chunks", counts.serving_chunks},
  };
  if (context.globals().json) {
    Json json = output_object();
    json["path"] = context.globals().db;
    json["from"] = names[0];
    Json& added = json["added"] = Json::object();
    for (const auto& [name, count] : rows) added[name] = count;
    context.print_json(json);
    return kExitOk;
  }
  QueryResult table;
  table.columns = {"added from " + names[0], "rows"};
  for (const auto& [name, count] : rows) table.rows.push_back({name, count});
  context.print_table(table);
  return kExitOk;
}

int db_info(Context& context, Names) {
  // With write access an older schema is brought up to date; an empty file is not made a database.
  const std::string& path = context.globals().db;
  const bool is_writable = ::access(path.c_str(), W_OK) == 0 && !is_empty_file(path);
  Store store =
      context.open_existing_store(is_writable ? OpenMode::kReadWrite : OpenMode::kReadOnly);
  const StoreInfo info = store.info();
  if (context.globals().json) {
    Json json = output_object();
    json["path"] = info.path;
    json["bytes"] = info.bytes;
    json["log_bytes"] = info.log_bytes;
    json["schema_version"] = info.schema_version;
    Json& rows = json["rows"] = Json::object();
    for (const auto& [table, count] : info.rows) rows[table] = count;
    context.print_json(json);
    return kExitOk;
  }
  context.print(fmt::format("{}: {}, log {}, schema {}\n\n", context.heading(info.path),
                            format_bytes(static_cast<double>(info.bytes)),
                            format_bytes(static_cast<double>(info.log_bytes)),
                            info.schema_version));
  QueryResult table;
  table.columns = {"table", "rows"};
  for (const auto& [name, count] : info.rows) table.rows.push_back({name, count});
  context.print_table(table);
  return kExitOk;
}

}  // namespace

int run_db(Context& context) {
  const Action actions[] = {{"check", 0, 0, check_db},
                            {"vacuum", 0, 0, vacuum_db},
                            {"merge", 1, 1, merge_db},
                            {"info", 0, 0, db_info}};
  return run_action(context, "db", actions);
}

}  // namespace tilewright
