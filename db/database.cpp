#include "db/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "db/lock_holder.h"

namespace tilewright {

namespace {

/// What a result code of SQLite means for the person who uses the database, and what to do; damage
/// is a DamagedError instead.
Error error_of(int code, const std::string& path, const std::string& message) {
  const auto failed = [&](const std::string& text) {
    return Error(ErrorKind::kFailed, fmt::format("database {}: {}", path, text));
  };
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: {
      const std::string holder = lock_holder(path);
      return failed(
          fmt::format("locked by another process for too long{}; try again when it has finished",
                      holder.empty() ? "" : " (" + holder + ")"));
    }
    case SQLITE_READONLY:
      return failed("cannot be written: the file or its folder is read-only");
    case SQLITE_CANTOPEN:
      return failed("cannot be opened; does its folder exist, and may you write there?");
    case SQLITE_PERM:
      return failed("access denied (" + message + ")");
    case SQLITE_FULL:
      return failed("the disk is full; everything recorded before is kept, free some space");
    case SQLITE_IOERR:
      return failed("the disk reports an error (" + message +
                    "); everything recorded before is kept");
    case SQLITE_INTERRUPT:
      return failed("interrupted");
    case SQLITE_TOOBIG:
      return failed("a value is too large (" + message + ")");
    default:
      return failed(printable(message, 400));
  }
}

/// True for a file that nobody has open, in a folder where this process can make none: a reader
/// would fail for want of the shared memory that tells readers of writers.
bool is_at_rest(const std::string& path) {
  std::error_code none;
  const std::filesystem::path folder = std::filesystem::absolute(path, none).parent_path();
  return !none && ::faccessat(AT_FDCWD, folder.c_str(), W_OK, AT_EACCESS) != 0 &&
         !std::filesystem::exists(path + "-shm", none) &&
         !std::filesystem::exists(path + "-wal", none);
}

}  // namespace

std::string read_only_uri(const std::string& path) {
  std::string uri = "file:";
  const std::string absolute = std::filesystem::absolute(path).string();
  for (const char c : absolute) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    uri += plain || c == '/' || c == '.' || c == '-' || c == '_'
               ? std::string(1, c)
               : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri + (is_at_rest(absolute) ? "?immutable=1" : "?mode=ro");
}

DamagedError::DamagedError(const std::string& path, const std::string& finding)
    : Error(ErrorKind::kFailed,
            fmt::format("database {}: the file is damaged ({}); run `tilewright db check`, or "
                        "restore a copy",
                        path, finding)),
      finding_(finding) {}

Statement::Statement(const Database& database, std::string_view sql, SqlAuthor author)
    : database_(&database), author_(author) {
  const char* tail = nullptr;
  check(sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement_, &tail));
  const std::string_view rest = sql.substr(static_cast<size_t>(tail - sql.data()));
  if (statement_ == nullptr || !trim(rest).empty()) {
    sqlite3_finalize(std::exchange(statement_, nullptr));
    throw Error(ErrorKind::kUsage, "one SQL statement is expected, without others behind it");
  }
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      author_(other.author_),
      statement_(std::exchange(other.statement_, nullptr)) {}

void Statement::check(int code) const {
  if (code != SQLITE_OK) database_->fail(code, author_);
}

Statement& Statement::bind(int parameter, int64_t value) {
  check(sqlite3_bind_int64(statement_, parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  check(sqlite3_bind_double(statement_, parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view value) {
  // An empty view may point nowhere, which SQLite would take for NULL.
  const char* data = value.empty() ? "" : value.data();
  check(sqlite3_bind_text64(statement_, parameter, data, value.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  // As for texts, an empty one is no NULL.
  const char* data = bytes.empty() ? "" : bytes.data();
  check(sqlite3_bind_blob64(statement_, parameter, data, bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  check(sqlite3_bind_null(statement_, parameter));
  return *this;
}

bool Statement::bind_named(const std::string& name, std::string_view value) {
  const int parameter = sqlite3_bind_parameter_index(statement_, name.c_str());
  if (parameter == 0) return false;
  bind(parameter, value);
  return true;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    // The message belongs to the connection and is gone after a reset.
    try {
      database_->fail(code, author_);
    } catch (...) {
      sqlite3_reset(statement_);
      throw;
    }
  }
  sqlite3_reset(statement_);
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

int Statement::column_count() const {
  return sqlite3_column_count(statement_);
}
std::string Statement::column_name(int column) const {
  const char* name = sqlite3_column_name(statement_, column);
  return name ? name : "";
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
bool Statement::is_integer(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_INTEGER;
}
bool Statement::is_real(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_FLOAT;
}
int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(statement_, column);
}
std::string Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes ? std::string(bytes, static_cast<size_t>(size)) : std::string();
}

void Database::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}

Database::Database(const std::string& path, OpenMode mode, int busy_timeout_ms) : path_(path) {
  const int access = mode == OpenMode::kReadOnly ? SQLITE_OPEN_READONLY
                                                 : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  // URIs are on; "./" keeps a path from being taken for one.
  const std::string plain = path.starts_with("file:") ? "./" + path : path;
  const std::string name = mode == OpenMode::kReadOnly ? read_only_uri(path) : plain;
  std::error_code none;
  if (std::filesystem::is_directory(path, none)) {
    throw Error(ErrorKind::kFailed,
                fmt::format("database {}: is a folder; name a file with --db", path));
  }
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &connection,
                                   access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, nullptr);
  connection_.reset(connection);
  if (code != SQLITE_OK) fail(code);
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, busy_timeout_ms);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
}

void Database::set_busy_timeout(int milliseconds) {
  sqlite3_busy_timeout(handle(), milliseconds);
}

void Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

Statement& Database::cached(const char* sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    found = statements_.emplace(sql, Statement(*this, sql)).first;
  }
  found->second.reset();
  return found->second;
}

int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(handle());
}
int64_t Database::changed_rows() const {
  return sqlite3_changes64(handle());
}

std::string Database::header(int size) const {
  sqlite3_file* file = nullptr;
  int code = sqlite3_file_control(handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code != SQLITE_OK || file == nullptr || file->pMethods == nullptr) fail(SQLITE_CANTOPEN);
  sqlite3_int64 file_size = 0;
  code = file->pMethods->xFileSize(file, &file_size);
  if (code != SQLITE_OK) fail(code);
  std::string bytes(static_cast<size_t>(std::min<sqlite3_int64>(size, file_size)), '\0');
  if (bytes.empty()) return bytes;
  code = file->pMethods->xRead(file, bytes.data(), static_cast<int>(bytes.size()), 0);
  if (code != SQLITE_OK) fail(code);
  return bytes;
}

std::string Database::damage() const {
  std::string found;
  const auto take_first = [](void* into, int columns, char** texts, char**) {
    auto& first = *static_cast<std::string*>(into);
    if (first.empty() && columns > 0 && texts[0] != nullptr) first = texts[0];
    return 0;
  };
  const int code =
      sqlite3_exec(handle(), "PRAGMA quick_check(1)", take_first, &found, nullptr) & 0xff;
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) return sqlite3_errstr(code);
  if (found == "ok") return "";
  // SQLite puts the name of what it checked above what it found.
  if (found.starts_with("***")) found.erase(0, found.find('\n') + 1);
  return printable(found, 400);
}

void Database::fail(int code, SqlAuthor author) const {
  const char* message = connection_ ? sqlite3_errmsg(handle()) : sqlite3_errstr(code);
  const std::string text = printable(message ? message : "", 400);
  const int primary = code & 0xff;
  // A file without SQLite's magic is refused before SQLite reads it (schema.cpp), so that NOTADB
  // says the same as CORRUPT.
  const bool contradicts_us = primary == SQLITE_ERROR && author == SqlAuthor::kProgram;
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || contradicts_us) {
    throw DamagedError(path_, text);
  }
  if (author == SqlAuthor::kUser) {
    if (primary == SQLITE_ERROR) {
      throw SqlError(fmt::format("database {}: {}", path_, text), sqlite3_error_offset(handle()));
    }
    if (primary == SQLITE_AUTH) {
      throw SqlError(
          fmt::format("database {}: queries only read: write one SELECT, also with WITH before it; "
                      "`tilewright db` merges and cleans up, and what else is to be changed is "
                      "changed in a copy of the file with sqlite3 ({})",
                      path_, text),
          -1);
    }
  }
  if (primary == SQLITE_FULL) {
    // A page number that makes no sense is beyond what the largest disk holds.
    const std::string finding = damage();
    if (!finding.empty()) throw DamagedError(path_, finding);
  }
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_PROTOCOL) {
    throw LockedError(error_of(code, path_, text));
  }
  throw error_of(code, path_, text);
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.cached("BEGIN IMMEDIATE").run();
}

Transaction::~Transaction() {
  // After some errors (a full disk) SQLite has already rolled back.
  if (open_ && sqlite3_get_autocommit(database_.handle()) == 0) {
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  database_.cached("COMMIT").run();
  open_ = false;
}

}  // namespace tilewright
