#pragma once

#include <string>
#include <utility>

namespace tilewright {

/// What went wrong, as far as a caller can act on it. Each kind is one documented exit status of
/// the program (docs/formats.md, "Exit status").
enum class ErrorKind {
  kFailed = 1,    ///< the operation failed: I/O, a damaged file, a full disk
  kUsage = 2,     ///< the request makes no sense: unknown option, malformed value
  kNotFound = 3,  ///< a name, file or row does not exist
  kCheckFailed =
      4,  ///< a check said no: numerics, hazards, a plan of another machine, stale results
  kInfeasible = 5,  ///< no configuration fits the machine
};

/// The one exception type of the project. The message says what happened, with which value, where
/// (file:line:column for files) and what to do about it. Libraries throw it, `app` catches it once.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

  /// The same error with the place where it happened put in front: "place: message".
  Error in(const std::string& place) const { return {kind_, place + ": " + message_}; }

 private:
  ErrorKind kind_;
  std::string message_;
};

/// Prints "file:line: check failed: condition (why)" to stderr and aborts. Used by TW_CHECK only.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why);

}  // namespace tilewright

/// Aborts, in every build, when an invariant of our own code is broken. Never for bad input.
#define TW_CHECK(condition, why) \
  ((condition) ? void(0) : ::tilewright::check_failed(__FILE__, __LINE__, #condition, why))
