#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "db/catalog.h"

namespace tilewright {

/// SQL as it is typed: its words, and what may come next.

enum class SqlWord : uint8_t { kKeyword, kName, kNumber, kString, kComment, kSign };

struct SqlToken {
  SqlWord word = SqlWord::kSign;
  size_t begin = 0;  ///< characters before it
  size_t end = 0;
};

/// The words of a text, blanks left out. Texts and comments that do not end reach to the end.
std::vector<SqlToken> sql_tokens(std::u32string_view text);

/// A word that is being typed, and what it may become.
struct SqlCompletion {
  size_t begin = 0;  ///< characters before the word
  std::vector<std::string> choices;
};

/// What completes the word that ends at the cursor. After a dot the columns of the table (or of
/// what has that alias); after FROM and JOIN what can be read from; else columns of the tables in
/// the text, keywords and functions. Empty inside texts and comments and where nothing fits.
SqlCompletion complete_sql(std::u32string_view text, size_t cursor,
                           const std::vector<CatalogEntry>& catalog);

/// Characters before the byte at `offset` of the text's UTF-8.
size_t characters_before(std::u32string_view text, int offset);

}  // namespace tilewright
