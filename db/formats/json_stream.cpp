#include "db/formats/json_stream.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxValues = size_t{1} << 22;
constexpr size_t kMaxKeys = 4096;

/// A ByteSource as the parser wants it.
class CharIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  CharIterator() = default;
  explicit CharIterator(ByteSource& source) : source_(&source) {}

  char operator*() const { return source_->peek(); }
  CharIterator& operator++() {
    source_->advance();
    return *this;
  }
  CharIterator operator++(int) { return ++*this; }
  /// Only ever asked about the end.
  friend bool operator==(const CharIterator& a, const CharIterator& b) {
    const CharIterator& at = a.source_ != nullptr ? a : b;
    return at.source_ == nullptr || at.source_->at_end();
  }

 private:
  ByteSource* source_ = nullptr;
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
  const bool parsed = Json::sax_parse(CharIterator(source), CharIterator(), &entries,
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
