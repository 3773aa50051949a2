#include "db/formats/byte_source.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "core/base/error.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

constexpr size_t kBlockBytes = size_t{1} << 18;
constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::ifstream opened(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw Error(ErrorKind::kFailed, fmt::format("{} is a folder, a file is needed", path));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int code = errno;
    throw Error(code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kFailed,
                fmt::format("cannot open {}: {}", path, std::strerror(code)));
  }
  return file;
}

}  // namespace

/// The bytes of the file, unpacked block by block.
class ByteSource::Input {
 public:
  explicit Input(const std::string& path)
      : path_(path), file_(opened(path)), packed_(kBlockBytes), plain_(kBlockBytes) {
    read();
    is_gzip_ = std::string_view(packed_.data(), packed_size_).starts_with(kGzipMagic);
    if (is_gzip_) {
      TW_CHECK(inflateInit2(&stream_, MAX_WBITS + 16) == Z_OK, "zlib has memory for its window");
      provide();
    }
  }
  ~Input() {
    if (is_gzip_) inflateEnd(&stream_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  /// The next bytes; empty at the end. Valid until the next call.
  std::string_view next() {
    if (is_gzip_) return unpack();
    if (!started_) {
      started_ = true;
    } else {
      read();
    }
    return {packed_.data(), packed_size_};
  }

  bool is_cut() const { return cut_; }
  bool is_gzip() const { return is_gzip_; }
  /// Bytes of the file that next() has used so far.
  int64_t bytes_used() const { return bytes_read_ - static_cast<int64_t>(stream_.avail_in); }

 private:
  void read() {
    file_.read(packed_.data(), static_cast<std::streamsize>(packed_.size()));
    if (file_.bad()) throw Error(ErrorKind::kFailed, fmt::format("cannot read {}", path_));
    packed_size_ = static_cast<size_t>(file_.gcount());
    bytes_read_ += file_.gcount();
  }

  void provide() {
    stream_.next_in = reinterpret_cast<Bytef*>(packed_.data());
    stream_.avail_in = static_cast<uInt>(packed_size_);
  }

  /// False at the end of the file.
  bool refill() {
    if (stream_.avail_in > 0) return true;
    read();
    provide();
    return packed_size_ > 0;
  }

  std::string_view unpack() {
    stream_.next_out = reinterpret_cast<Bytef*>(plain_.data());
    stream_.avail_out = static_cast<uInt>(plain_.size());
    while (stream_.avail_out == plain_.size()) {
      if (!refill()) {
        cut_ = inside_member_;
        break;
      }
      if (!inside_member_) TW_CHECK(inflateReset(&stream_) == Z_OK, "zlib starts a member anew");
      inside_member_ = true;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      if (code == Z_STREAM_END) {
        inside_member_ = false;
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        throw Error(
            ErrorKind::kFailed,
            fmt::format("{}: the gzip data is damaged behind byte {} of the file: {}", path_,
                        bytes_used(), stream_.msg == nullptr ? "it does not unpack" : stream_.msg));
      }
    }
    return {plain_.data(), plain_.size() - stream_.avail_out};
  }

  std::string path_;
  std::ifstream file_;
  std::vector<char> packed_;
  std::vector<char> plain_;
  size_t packed_size_ = 0;
  int64_t bytes_read_ = 0;
  z_stream stream_ = {};
  bool is_gzip_ = false;
  bool inside_member_ = false;
  bool started_ = false;
  bool cut_ = false;
};

ByteSource::ByteSource(const std::string& path, const ByteLimits& limits)
    : path_(path), limits_(limits), input_(std::make_unique<Input>(path)) {}

ByteSource::~ByteSource() = default;

bool ByteSource::refill() {
  if (exhausted_) return false;
  const std::string_view last(begin_, static_cast<size_t>(end_ - begin_));
  lines_before_ += std::ranges::count(last, '\n');
  const size_t line_end = last.rfind('\n');
  if (line_end != std::string_view::npos) {
    line_begin_ = before_ + static_cast<int64_t>(line_end) + 1;
  }
  before_ += std::ssize(last);

  const std::string_view block = input_->next();
  begin_ = next_ = counted_ = block.data();
  lines_counted_ = 0;
  end_ = begin_ + block.size();
  hash_.add(block);
  exhausted_ = block.empty();
  cut_ = input_->is_cut();
  const int64_t bytes = before_ + std::ssize(block);
  if (bytes > limits_.max_bytes) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{} holds more than {}, the limit for such a file", path_,
                            format_bytes(static_cast<double>(limits_.max_bytes))));
  }
  if (input_->is_gzip() && bytes > limits_.harmless_bytes &&
      bytes / limits_.max_ratio > input_->bytes_used()) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{} unpacks to more than {} times its size, which no table does: "
                            "unpack it yourself if it is one",
                            path_, limits_.max_ratio));
  }
  if (before_ - piece_begin_ > static_cast<int64_t>(limits_.max_piece_bytes)) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: one value or line takes more than {}", where(),
                            format_bytes(static_cast<double>(limits_.max_piece_bytes))));
  }
  return !exhausted_;
}

std::optional<std::string_view> ByteSource::line() {
  begin_piece();
  if (at_end()) return std::nullopt;
  const bool is_first = offset() == 0;
  line_.clear();
  line_end_.clear();
  while (!at_end()) {
    const char* stop = std::find(next_, end_, '\n');
    line_.append(next_, stop);
    next_ = stop;
    if (stop != end_) {
      ++next_;
      line_end_ = "\n";
      break;
    }
  }
  std::string_view text = line_;
  if (is_first && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.ends_with('\r')) {
    text.remove_suffix(1);
    line_end_.insert(0, 1, '\r');
  }
  return text;
}

std::string ByteSource::where_line() {
  lines_counted_ += std::count(counted_, next_, '\n');
  counted_ = next_;
  return fmt::format("{}:{}", path_, lines_before_ + lines_counted_ + 1);
}

std::string ByteSource::where() const {
  const char* last = next_ == begin_ ? begin_ : next_ - 1;
  const std::string_view behind(begin_, static_cast<size_t>(last - begin_));
  const size_t line_end = behind.rfind('\n');
  const int64_t column = line_end == std::string_view::npos
                             ? before_ - line_begin_ + std::ssize(behind)
                             : std::ssize(behind) - static_cast<int64_t>(line_end) - 1;
  return fmt::format("{}:{}:{}", path_, lines_before_ + std::ranges::count(behind, '\n') + 1,
                     column + 1);
}

std::string text_of_file(const std::string& path, int64_t max_bytes) {
  ByteLimits limits;
  limits.max_bytes = max_bytes;
  ByteSource source(path, limits);
  std::string text;
  for (; !source.at_end(); source.advance()) {
    text += source.peek();
    source.begin_piece();
  }
  return text;
}

std::string head_of(const std::string& path, size_t bytes) {
  ByteSource source(path);
  std::string head;
  while (head.size() < bytes && !source.at_end()) {
    head += source.peek();
    source.advance();
  }
  return head;
}

}  // namespace tilewright
