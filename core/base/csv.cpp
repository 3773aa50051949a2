#include "core/base/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Reads the quoted field that begins at `at` and leaves `at` behind its closing quote.
std::string quoted_field(std::string_view line, size_t& at, const std::string& where) {
  std::string field;
  for (++at; at < line.size(); ++at) {
    if (line[at] != '"') {
      field += line[at];
    } else if (at + 1 < line.size() && line[at + 1] == '"') {
      field += line[++at];
    } else {
      ++at;
      return field;
    }
  }
  throw Error(ErrorKind::kFailed, fmt::format("{}: a quoted field does not end on its line: {}",
                                              where, printable(line)));
}

}  // namespace

std::vector<std::string> split_csv_line(std::string_view line, const std::string& where) {
  std::vector<std::string> fields;
  for (size_t at = 0;; ++at) {
    if (at < line.size() && line[at] == '"') {
      fields.push_back(quoted_field(line, at, where));
    } else {
      const size_t end = std::min(line.find(',', at), line.size());
      fields.emplace_back(line.substr(at, end - at));
      at = end;
    }
    if (at >= line.size()) return fields;
    if (line[at] != ',') {
      throw Error(ErrorKind::kFailed,
                  fmt::format("{}:{}: expected a comma behind a quoted field", where, at + 1));
    }
  }
}

}  // namespace tilewright
