#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/base/json.h"
#include "db/formats/byte_source.h"

namespace tilewright {

/// How a JSON file that is one object is read without ever holding all of it: the entries of one
/// of its members, which may be many, are handed out one at a time.
struct JsonStream {
  /// The member with many entries, an object or a list; empty: every member is an entry.
  std::string entries_in;
  /// One entry and its key; of a list the key is its number, from 0. `where`: "file:line: key".
  std::function<void(std::string_view key, const Json& value, const std::string& where)> entry;
  /// Every other member, whole.
  std::function<void(std::string_view key, const Json& value, const std::string& where)> member =
      [](std::string_view, const Json&, const std::string&) {};
};

/// Reads a file that is one JSON object, with comments allowed; the bare words NaN, Infinity and
/// -Infinity are read as texts. Depth (64), the values in one
/// entry (4,194,304) and the keys of one object in it (4,096) are bounded; no key may stand twice
/// in one. Error (failed) "file:line:column: what" for anything that is no such JSON.
///
/// Returns whether the file is whole. With `may_be_cut` a file that just ends within the member of
/// entries, as a process that was killed while it appended leaves it, is no error: what was handed
/// out were its whole entries.
bool stream_json(ByteSource& source, const JsonStream& stream, bool may_be_cut = false);

/// The key of the first member of the object that a JSON text begins with, and of the others as
/// far as `text`, which may be cut anywhere, goes; empty when it begins with anything else.
std::vector<std::string> leading_keys(std::string_view text);

}  // namespace tilewright
