#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

/// JSON documents keep the order of their keys, so that what we write is the same bytes every time.
/// Include <nlohmann/json.hpp> in the .cpp that looks inside one.
using Json = nlohmann::ordered_json;

/// Parses JSON with // and /* */ comments. `where` names the source in errors, which give
/// "where:line:column: what". Depth (64) and the keys of one object (16,384) are bounded, duplicate
/// keys are refused.
Json parse_json(std::string_view text, const std::string& where);

/// The same for one line of a file of JSON lines: `where` already names the line, and errors give
/// "where:column: what".
Json parse_json_line(std::string_view line, const std::string& where);

/// A value inside a parsed document together with its place ("file: key.path[3]"), so that each
/// typed read can say what is wrong and where. Reads throw Error (failed).
class JsonReader {
 public:
  /// The document must outlive the reader.
  JsonReader(const Json& document, std::string where);

  bool has(std::string_view key) const;
  /// Member of an object; an error when it is absent.
  JsonReader at(std::string_view key) const;
  /// Elements of an array.
  std::vector<JsonReader> items() const;
  /// Keys of an object, in order.
  std::vector<std::string> keys() const;

  bool is_null() const;
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;
  bool is_number() const;

  std::string string() const;
  bool boolean() const;
  int64_t integer(int64_t min, int64_t max) const;
  double number(double min, double max) const;

  /// Throws when the object has a key outside `known`, suggesting the nearest known one.
  void only(const std::set<std::string>& known) const;

  /// Throws an Error of kind failed: "place: message".
  [[noreturn]] void fail(const std::string& message) const;

  const Json& raw() const { return *value_; }
  const std::string& where() const { return where_; }

 private:
  const Json* value_;
  std::string where_;
};

}  // namespace tilewright
