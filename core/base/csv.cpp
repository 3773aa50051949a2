#include "core/base/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kMaxQuotedBytes = size_t{1} << 20;

using More = std::function<std::optional<std::pair<std::string, std::string_view>>()>;

/// Reads the quoted field that begins at `at` and leaves `at` behind its closing quote. Null
/// `more`: it ends on its line.
std::string quoted_field(std::string_view& line, size_t& at, const std::string& where,
                         const More& more) {
  std::string field;
  ++at;
  for (;;) {
    for (; at < line.size(); ++at) {
      if (line[at] != '"') {
        field += line[at];
      } else if (at + 1 < line.size() && line[at + 1] == '"') {
        field += line[++at];
      } else {
        ++at;
        return field;
      }
    }
    if (!more) {
      throw Error(ErrorKind::kFailed, fmt::format("{}: a quoted field does not end on its line: {}",
                                                  where, printable(line)));
    }
    const auto next = field.size() <= kMaxQuotedBytes ? more() : std::nullopt;
    if (!next) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("{}: a quoted field does not end: {}", where, printable(field)));
    }
    field += next->first;
    line = next->second;
    at = 0;
  }
}

std::vector<std::string> fields_of(std::string_view line, const std::string& where,
                                   const More& more) {
  std::vector<std::string> fields;
  for (size_t at = 0;; ++at) {
    if (at < line.size() && line[at] == '"') {
      fields.push_back(quoted_field(line, at, where, more));
    } else {
      const size_t end = std::min(line.find(',', at), line.size());
      const std::string_view field = line.substr(at, end - at);
      fields.emplace_back(more ? trim(field) : field);
      at = end;
    }
    if (at >= line.size()) return fields;
    if (line[at] != ',') {
      throw Error(ErrorKind::kFailed,
                  fmt::format("{}:{}: expected a comma behind a quoted field", where, at + 1));
    }
  }
}

}  // namespace

std::vector<std::string> split_csv_line(std::string_view line, const std::string& where) {
  return fields_of(line, where, nullptr);
}

std::vector<std::string> split_csv_record(std::string_view line, const std::string& where,
                                          const More& more) {
  return fields_of(line, where, more);
}

}  // namespace tilewright
