#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tilewright {

/// How a database file is opened.
enum class OpenMode {
  kReadWrite,  ///< created when it does not exist
  kReadOnly,   ///< not found when it does not exist; never changes a row
};

class Database;

/// Who wrote the text of a statement: one of ours can only be wrong where the schema is not ours.
enum class SqlAuthor { kProgram, kUser };

/// The file is damaged: what SQLite found is no database, or contradicts itself.
class DamagedError : public Error {
 public:
  DamagedError(const std::string& path, const std::string& finding);
  /// What is wrong, without the path and without advice.
  const std::string& finding() const { return finding_; }

 private:
  std::string finding_;
};

/// Another process holds a lock that is needed.
class LockedError : public Error {
 public:
  explicit LockedError(const Error& error) : Error(error) {}
};

/// SQL of the user's is wrong, or not allowed.
class SqlError : public Error {
 public:
  SqlError(const std::string& message, int offset)
      : Error(ErrorKind::kUsage, message), offset_(offset) {}
  /// Bytes before what is wrong; -1 where SQLite does not know the place.
  int offset() const { return offset_; }

 private:
  int offset_;
};

/// One prepared SQL statement with its bound parameters. Parameters and columns count from 1 and 0,
/// as SQLite has them. All errors are Error with the path of the database.
class Statement {
 public:
  /// Prepares the one statement in `sql`. SQL that is wrong, then or in a step, is an Error (usage)
  /// where the user wrote it, else a DamagedError; so is more than one statement.
  Statement(const Database& database, std::string_view sql, SqlAuthor author = SqlAuthor::kProgram);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int parameter, int64_t value);
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, std::string_view value);
  Statement& bind_blob(int parameter, std::string_view bytes);
  Statement& bind_null(int parameter);
  /// A parameter by name (":name"); false when the statement has none of that name.
  bool bind_named(const std::string& name, std::string_view value);

  /// Runs to the next row; false at the end, where the statement is ready to run again.
  bool step();
  /// Runs a statement of which no rows are wanted.
  void run();
  void reset();

  int column_count() const;
  std::string column_name(int column) const;
  bool is_null(int column) const;
  bool is_integer(int column) const;
  bool is_real(int column) const;
  int64_t integer(int column) const;
  double real(int column) const;
  /// The bytes of a text or a blob.
  std::string text(int column) const;

  sqlite3_stmt* handle() const { return statement_; }

 private:
  void check(int code) const;

  const Database* database_;
  SqlAuthor author_;
  sqlite3_stmt* statement_ = nullptr;
};

/// A path as the URI by which SQLite opens it for reading; every byte but letters, digits and
/// / . - _ is escaped.
std::string read_only_uri(const std::string& path);

/// A connection to one SQLite file; used by one thread at a time.
class Database {
 public:
  /// `busy_timeout_ms`: how long a statement waits for other processes before it gives up.
  Database(const std::string& path, OpenMode mode, int busy_timeout_ms);
  Database(const Database&) = delete;  // statements refer to it
  Database& operator=(const Database&) = delete;

  const std::string& path() const { return path_; }
  sqlite3* handle() const { return connection_.get(); }

  /// Runs SQL text of any number of statements without parameters.
  /// How long a statement waits for a lock of another process.
  void set_busy_timeout(int milliseconds);
  void execute(const char* sql);

  /// The statement of that SQL text, prepared once and kept; it is reset before it is returned.
  Statement& cached(const char* sql);

  int64_t last_insert_id() const;
  /// Rows changed by the last INSERT, UPDATE or DELETE.
  int64_t changed_rows() const;

  /// The first `size` bytes of the file (fewer when it is shorter), without locks, recovery or
  /// other traces. Goes through SQLite because closing a descriptor of our own would drop the locks
  /// that this process holds on the file (sqlite.org/howtocorrupt.html, 2.2).
  std::string header(int size) const;

  /// Throws what SQLite's result code means to the user.
  [[noreturn]] void fail(int code, SqlAuthor author = SqlAuthor::kProgram) const;

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  /// The first thing that SQLite's quick check finds; "" where there is none.
  std::string damage() const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
  std::map<const char*, Statement> statements_;  ///< by address: callers pass literals
};

/// A cached statement that leaves no row pending, which would hold back checkpoints.
class Pending {
 public:
  explicit Pending(Statement& statement) : statement_(statement) {}
  ~Pending() { statement_.reset(); }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

 private:
  Statement& statement_;
};

/// Begins at once (so that it never fails for having read before it wrote) and rolls back unless
/// committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace tilewright
