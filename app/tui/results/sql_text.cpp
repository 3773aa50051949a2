#include "app/tui/results/sql_text.h"

#include <algorithm>
#include <array>

#include "app/tui/grid.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Of SQLite's, those that a statement that only reads may have.
constexpr auto kKeywords = std::to_array<std::string_view>(
    {"all",    "and",       "as",     "asc",       "between", "by",        "case",
     "cast",   "collate",   "cross",  "current",   "desc",    "distinct",  "else",
     "end",    "escape",    "except", "exclude",   "exists",  "explain",   "filter",
     "first",  "following", "from",   "full",      "glob",    "group",     "groups",
     "having", "in",        "inner",  "intersect", "is",      "isnull",    "join",
     "last",   "left",      "like",   "limit",     "natural", "not",       "notnull",
     "null",   "nulls",     "offset", "on",        "or",      "order",     "outer",
     "over",   "partition", "plan",   "preceding", "query",   "range",     "recursive",
     "right",  "rows",      "select", "then",      "ties",    "unbounded", "union",
     "using",  "values",    "when",   "where",     "window",  "with"});

constexpr auto kFunctions = std::to_array<std::string_view>(
    {"abs",          "avg",        "ceil",         "coalesce", "count",  "dense_rank", "exp",
     "first_value",  "floor",      "group_concat", "ifnull",   "iif",    "instr",      "json_each",
     "json_extract", "lag",        "last_value",   "lead",     "length", "ln",         "log2",
     "lower",        "max",        "min",          "nullif",   "printf", "rank",       "replace",
     "round",        "row_number", "substr",       "sum",      "total",  "upper"});

bool is_keyword(std::string_view lower) {
  return std::ranges::find(kKeywords, lower) != kKeywords.end();
}

bool is_digit(char32_t c) {
  return c >= U'0' && c <= U'9';
}

bool is_letter(char32_t c) {
  return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z') || c == U'_' || c >= 0x80;
}

/// Behind the text in quotes that begins at `begin`; a doubled quote is one in the text.
size_t quoted_end(std::u32string_view text, size_t begin) {
  const char32_t quote = text[begin];
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] != quote) continue;
    if (i + 1 == text.size() || text[i + 1] != quote) return i + 1;
    ++i;
  }
  return text.size();
}

size_t end_after(std::u32string_view text, size_t begin, std::u32string_view mark) {
  const size_t found = text.find(mark, begin);
  return found == std::u32string_view::npos ? text.size() : found + mark.size();
}

template <typename Belongs>
size_t run_end(std::u32string_view text, size_t begin, const Belongs& belongs) {
  size_t end = begin;
  while (end < text.size() && belongs(text[end])) ++end;
  return end;
}

SqlToken token_at(std::u32string_view text, size_t begin) {
  const char32_t c = text[begin];
  const std::u32string_view rest = text.substr(begin);
  if (c == U'\'') return {SqlWord::kString, begin, quoted_end(text, begin)};
  if (c == U'"' || c == U'`') return {SqlWord::kName, begin, quoted_end(text, begin)};
  if (rest.starts_with(U"--")) return {SqlWord::kComment, begin, end_after(text, begin, U"\n")};
  if (rest.starts_with(U"/*")) {
    return {SqlWord::kComment, begin, end_after(text, begin + 2, U"*/")};
  }
  const auto in_word = [](char32_t each) { return is_letter(each) || is_digit(each); };
  if (is_digit(c)) {
    return {SqlWord::kNumber, begin,
            run_end(text, begin, [&](char32_t each) { return in_word(each) || each == U'.'; })};
  }
  if (is_letter(c) || c == U':') {
    const size_t end = run_end(text, begin + 1, in_word);
    const std::string word = lower_case(utf8_of(text.substr(begin, end - begin)));
    return {is_keyword(word) ? SqlWord::kKeyword : SqlWord::kName, begin, end};
  }
  return {SqlWord::kSign, begin, begin + 1};
}

std::string lower_word(std::u32string_view text, const SqlToken& token) {
  return lower_case(utf8_of(text.substr(token.begin, token.end - token.begin)));
}

const CatalogEntry* entry_named(const std::vector<CatalogEntry>& catalog, std::string_view name) {
  const auto found = std::ranges::find(catalog, name, &CatalogEntry::name);
  return found == catalog.end() ? nullptr : &*found;
}

/// What is read from under a name: a table or view, itself or by its alias.
const CatalogEntry* source_named(std::u32string_view text, const std::vector<SqlToken>& tokens,
                                 std::string_view name, const std::vector<CatalogEntry>& catalog) {
  if (const CatalogEntry* entry = entry_named(catalog, name)) return entry;
  for (size_t i = 1; i < tokens.size(); ++i) {
    if (tokens[i].word != SqlWord::kName || lower_word(text, tokens[i]) != name) continue;
    const size_t before = lower_word(text, tokens[i - 1]) == "as" && i >= 2 ? i - 2 : i - 1;
    if (const CatalogEntry* entry = entry_named(catalog, lower_word(text, tokens[before]))) {
      return entry;
    }
  }
  return nullptr;
}

/// Choices that begin with what was typed, each once, in their order.
class Choices {
 public:
  explicit Choices(std::string typed) : typed_(std::move(typed)) {}

  void add(std::string_view choice) {
    const bool is_known = std::ranges::find(list, choice) != list.end();
    if (choice.size() > typed_.size() && choice.starts_with(typed_) && !is_known) {
      list.emplace_back(choice);
    }
  }
  void add_columns(const CatalogEntry& entry) {
    for (const std::string& column : entry.columns) add(column);
  }

  std::vector<std::string> list;

 private:
  std::string typed_;
};

void add_sources(const std::vector<CatalogEntry>& catalog, Choices& choices) {
  for (const CatalogEntry& entry : catalog) choices.add(entry.name);
}

/// Columns of the tables that the text names; of all views where it names none yet.
void add_known_columns(std::u32string_view text, const std::vector<SqlToken>& tokens,
                       const std::vector<CatalogEntry>& catalog, Choices& choices) {
  bool has_source = false;
  for (const SqlToken& token : tokens) {
    if (token.word != SqlWord::kName) continue;
    if (const CatalogEntry* entry = entry_named(catalog, lower_word(text, token))) {
      choices.add_columns(*entry);
      has_source = true;
    }
  }
  if (has_source) return;
  for (const CatalogEntry& entry : catalog) {
    if (entry.is_view) choices.add_columns(entry);
  }
}

/// Keywords come back in capitals where they were begun so.
std::string as_typed(const std::string& choice, char32_t first) {
  if (first < U'A' || first > U'Z') return choice;
  std::string text = choice;
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

}  // namespace

std::vector<SqlToken> sql_tokens(std::u32string_view text) {
  std::vector<SqlToken> tokens;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == U' ' || text[i] == U'\n') {
      ++i;
      continue;
    }
    tokens.push_back(token_at(text, i));
    i = tokens.back().end;
  }
  return tokens;
}

SqlCompletion complete_sql(std::u32string_view text, size_t cursor,
                           const std::vector<CatalogEntry>& catalog) {
  const std::vector<SqlToken> tokens = sql_tokens(text);
  const auto at = std::ranges::find_if(
      tokens, [&](const SqlToken& token) { return token.begin < cursor && cursor <= token.end; });
  const auto is_word = [](SqlWord word) {
    return word == SqlWord::kName || word == SqlWord::kKeyword;
  };
  if (at != tokens.end() && !is_word(at->word) && at->word != SqlWord::kSign) return {};
  const bool is_begun = at != tokens.end() && is_word(at->word);
  const size_t begin = is_begun ? at->begin : cursor;
  Choices choices(lower_case(utf8_of(text.substr(begin, cursor - begin))));
  // The words before the one that is typed.
  const auto place = static_cast<size_t>(
      std::ranges::count_if(tokens, [&](const SqlToken& token) { return token.end <= begin; }));
  const std::string before = place > 0 ? lower_word(text, tokens[place - 1]) : "";
  if (before == "." && place > 1) {
    if (const CatalogEntry* entry =
            source_named(text, tokens, lower_word(text, tokens[place - 2]), catalog)) {
      choices.add_columns(*entry);
    }
    return {begin, choices.list};
  }
  if (before == "from" || before == "join") {
    add_sources(catalog, choices);
    return {begin, choices.list};
  }
  if (!is_begun) return {};
  add_known_columns(text, tokens, catalog, choices);
  const size_t names = choices.list.size();
  for (const std::string_view keyword : kKeywords) choices.add(keyword);
  for (const std::string_view function : kFunctions) choices.add(function);
  for (size_t i = names; i < choices.list.size(); ++i) {
    choices.list[i] = as_typed(choices.list[i], text[begin]);
  }
  add_sources(catalog, choices);
  return {begin, choices.list};
}

size_t characters_before(std::u32string_view text, int offset) {
  int bytes = 0;
  size_t characters = 0;
  while (characters < text.size() && bytes < offset) {
    bytes += static_cast<int>(utf8_of(text.substr(characters, 1)).size());
    ++characters;
  }
  return characters;
}

}  // namespace tilewright
