#include "db/formats/json_stream.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxValues = size_t{1} << 22;
constexpr size_t kMaxKeys = 4096;

/// The characters of a source in which the bare words NaN, Infinity and -Infinity, which are no
/// JSON but what Python writes, are texts.
class JsonCharacters {
 public:
  explicit JsonCharacters(ByteSource& source) : source_(source) {}

  bool at_end() { return given_ == word_.size() && source_.at_end(); }
  /// The character at hand; not at_end().
  char peek() {
    if (given_ < word_.size()) return word_[given_];
    const char c = source_.peek();
    if (place_ != Place::kOutside || (c != 'N' && c != 'I' && c != '-')) return c;
    read_word();
    return word_[0];
  }
  void advance() {
    if (given_ < word_.size()) {
      ++given_;
      return;
    }
    follow(source_.peek());
    source_.advance();
  }

 private:
  enum class Place { kOutside, kText, kEscape, kSlash, kLineComment, kComment, kStar };

  /// Puts what is given instead of the word at hand into `word_`: itself, or a text.
  void read_word() {
    constexpr size_t kLongest = std::string_view("-Infinity").size();
    word_.clear();
    given_ = 0;
    do {
      word_ += source_.peek();
      source_.advance();
      // A number goes on as one.
    } while (word_.size() < kLongest && !source_.at_end() && is_letter(source_.peek()));
    if (word_ == "NaN" || word_ == "Infinity" || word_ == "-Infinity") word_ = '"' + word_ + '"';
  }

  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  void follow(char c) {
    switch (place_) {
      case Place::kText:
        if (c == '"') place_ = Place::kOutside;
        if (c == '\\') place_ = Place::kEscape;
        return;
      case Place::kEscape:
        place_ = Place::kText;
        return;
      case Place::kOutside:
        if (c == '"') place_ = Place::kText;
        if (c == '/') place_ = Place::kSlash;
        return;
      case Place::kSlash:
        place_ = c == '/' ? Place::kLineComment : c == '*' ? Place::kComment : Place::kOutside;
        return;
      case Place::kLineComment:
        if (c == '\n' || c == '\r') place_ = Place::kOutside;
        return;
      case Place::kComment:
        if (c == '*') place_ = Place::kStar;
        return;
      case Place::kStar:
        if (c != '*') place_ = c == '/' ? Place::kOutside : Place::kComment;
        return;
    }
  }

  ByteSource& source_;
  Place place_ = Place::kOutside;
  std::string word_;
  size_t given_ = 0;  // of the word
};

/// Characters as the parser wants them.
class CharIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  CharIterator() = default;
  explicit CharIterator(JsonCharacters& characters) : characters_(&characters) {}

  char operator*() const { return characters_->peek(); }
  CharIterator& operator++() {
    characters_->advance();
    return *this;
  }
  CharIterator operator++(int) { return ++*this; }
  /// Only ever asked about the end.
  friend bool operator==(const CharIterator& a, const CharIterator& b) {
    const CharIterator& at = a.characters_ != nullptr ? a : b;
    return at.characters_ == nullptr || at.characters_->at_end();
  }

 private:
  JsonCharacters* characters_ = nullptr;
};

/// The part of the parser's message that says what was expected.
std::string reason_of(const std::string& message) {
  const size_t column = message.find("column");
  const size_t at = message.find(": ", column == std::string::npos ? 0 : column);
  return printable(at == std::string::npos ? message : message.substr(at + 2), 160);
}

/// Takes the parser's events, builds one member or entry at a time and hands it out.
class Entries {
 public:
  Entries(ByteSource& source, const JsonStream& stream) : source_(source), stream_(stream) {}

  bool null() { return value(nullptr); }
  bool boolean(bool is_true) { return value(is_true); }
  bool number_integer(int64_t number) { return value(number); }
  bool number_unsigned(uint64_t number) { return value(number); }
  bool number_float(double number, const std::string&) { return value(number); }
  bool string(std::string& text) { return value(std::move(text)); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(size_t) { return start(Json::object()); }
  bool start_array(size_t) { return start(Json::array()); }
  bool end_object() { return end(); }
  bool end_array() { return end(); }

  bool key(std::string& name) {
    source_.begin_piece();
    if (open_.empty()) {
      (in_entries_ ? entry_key_ : member_key_) = std::move(name);
      where_.clear();
      return true;
    }
    Json::object_t& object = open_.back()->get_ref<Json::object_t&>();
    if (object.size() >= kMaxKeys) fail(fmt::format("an object with more than {} keys", kMaxKeys));
    const auto [place, is_new] = object.emplace(std::move(name), nullptr);
    if (!is_new) fail(fmt::format("key '{}' stands twice in one object", printable(place->first)));
    slot_ = &place->second;
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& error) {
    if (source_.is_cut()) {
      error_ = "the packed file ends before its text does";
    } else {
      error_ = "not valid JSON: " + reason_of(error.what());
    }
    return false;
  }

  const std::string& error() const { return error_; }
  bool began_entries() const { return began_entries_; }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kFailed, fmt::format("{}: {}", source_.where(), what));
  }

  /// Whether what comes now is the object around all, or the member of entries.
  bool is_frame() const { return depth_ == 0 || (depth_ == 1 && is_entries_member()); }
  bool is_entries_member() const {
    return !stream_.entries_in.empty() && member_key_ == stream_.entries_in;
  }

  /// The place for a value inside of what is being built.
  Json& place(Json json) {
    source_.begin_piece();
    if (++values_ > kMaxValues) fail("an entry with too many values");
    if (open_.empty()) {
      values_ = 1;
      where_ = source_.where_line();
      return root_ = std::move(json);
    }
    if (open_.back()->is_object()) return *slot_ = std::move(json);
    Json::array_t& list = open_.back()->get_ref<Json::array_t&>();
    return list.emplace_back(std::move(json));
  }

  template <typename T>
  bool value(T&& plain) {
    if (is_frame()) {
      fail(depth_ == 0 ? "expected an object"
                       : fmt::format("{} is no object and no list", stream_.entries_in));
    }
    place(Json(std::forward<T>(plain)));
    if (open_.empty()) hand_out();
    return true;
  }

  bool start(Json empty) {
    if (open_.size() + 2 > kMaxDepth) fail(fmt::format("nested deeper than {} levels", kMaxDepth));
    if (is_frame()) {
      if (depth_ == 0 && empty.is_array()) fail("expected an object");
      if (depth_ == 1) {
        if (began_entries_) fail(fmt::format("key '{}' stands twice", stream_.entries_in));
        began_entries_ = in_entries_ = true;
        is_list_ = empty.is_array();
      }
      ++depth_;
      source_.begin_piece();
      return true;
    }
    open_.push_back(&place(std::move(empty)));
    return true;
  }

  bool end() {
    source_.begin_piece();
    if (open_.empty()) {
      --depth_;
      in_entries_ = false;
      return true;
    }
    open_.pop_back();
    if (open_.empty()) hand_out();
    return true;
  }

  void hand_out() {
    if (in_entries_ && is_list_) entry_key_ = std::to_string(count_);
    if (in_entries_) ++count_;
    const std::string& name = in_entries_ ? entry_key_ : member_key_;
    const bool is_entry = in_entries_ || stream_.entries_in.empty();
    const std::string where =
        in_entries_ ? fmt::format("{}: {}[{}]", where_, stream_.entries_in, printable(name))
                    : fmt::format("{}: {}", where_, printable(name));
    (is_entry ? stream_.entry : stream_.member)(name, root_, where);
    root_ = nullptr;
  }

  ByteSource& source_;
  const JsonStream& stream_;
  size_t depth_ = 0;  // of the frame: 1 inside the object around all, 2 among the entries
  bool in_entries_ = false;
  bool began_entries_ = false;
  bool is_list_ = false;
  std::string member_key_;
  std::string entry_key_;
  size_t count_ = 0;
  std::string where_;  // of the member or entry that is being built
  Json root_;
  std::vector<Json*> open_;  // containers from the root to where the parser stands
  Json* slot_ = nullptr;     // of the key read last
  size_t values_ = 0;
  std::string error_;
};

/// Collects the keys of the outermost object.
class LeadingKeys {
 public:
  std::vector<std::string> keys;

  bool null() { return depth_ > 0; }
  bool boolean(bool) { return depth_ > 0; }
  bool number_integer(int64_t) { return depth_ > 0; }
  bool number_unsigned(uint64_t) { return depth_ > 0; }
  bool number_float(double, const std::string&) { return depth_ > 0; }
  bool string(std::string&) { return depth_ > 0; }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(size_t) {
    ++depth_;
    return true;
  }
  bool start_array(size_t) { return depth_++ > 0; }
  bool end_object() { return --depth_ > 0; }
  bool end_array() { return --depth_ > 0; }
  bool key(std::string& name) {
    if (depth_ == 1) keys.push_back(std::move(name));
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception&) { return false; }

 private:
  int depth_ = 0;
};

}  // namespace

bool stream_json(ByteSource& source, const JsonStream& stream, bool may_be_cut) {
  Entries entries(source, stream);
  JsonCharacters characters(source);
  const bool parsed = Json::sax_parse(CharIterator(characters), CharIterator(), &entries,
                                      Json::input_format_t::json, true, true);
  if (parsed) return true;
  if (may_be_cut && source.was_exhausted() && entries.began_entries()) return false;
  throw Error(ErrorKind::kFailed, fmt::format("{}: {}", source.where(), entries.error()));
}

std::vector<std::string> leading_keys(std::string_view text) {
  LeadingKeys found;
  Json::sax_parse(text.begin(), text.end(), &found, Json::input_format_t::json, false, true);
  return found.keys;
}

}  // namespace tilewright
