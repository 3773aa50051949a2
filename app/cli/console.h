#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace tilewright {

/// Terminal roles that text may be coloured for.
enum class Style { kBold, kDim, kGood, kBad };

/// One of the two output streams of the process: what it is connected to and how it is written.
class Stream {
 public:
  /// `descriptor` is 1 or 2; `color` decides whether styled() colours.
  explicit Stream(int descriptor);
  /// Connected to nothing: the listener gets what is written.
  explicit Stream(std::function<void(std::string_view)> listener);

  bool is_terminal() const { return is_terminal_; }
  /// Columns of the terminal, 80 when unknown.
  int columns() const;
  void set_color(bool on) { color_ = on; }
  std::string styled(Style style, std::string_view text) const;

  /// Writes everything, or throws Error (failed) with the system's reason.
  void write(std::string_view text) const;

 private:
  int descriptor_;
  bool is_terminal_;
  bool color_ = false;
  std::function<void(std::string_view)> listener_ = {};
};

/// Data goes to stdout, messages and progress to stderr. The only place of the program that prints.
class Console {
 public:
  Console() : out_(1), err_(2) {}
  /// Of a command that runs where nothing may be printed: the listener gets its messages, from
  /// whatever thread speaks, and its data are for nobody.
  explicit Console(std::function<void(std::string_view)> listener)
      : out_([](std::string_view) {}), err_(std::move(listener)) {}

  Stream& out() { return out_; }
  Stream& err() { return err_; }
  const Stream& err() const { return err_; }

  /// Adds data to be written by flush(), so that a command that fails has printed nothing.
  void print(std::string_view text) { data_ += text; }
  void discard() { data_.clear(); }
  /// Writes the data; Error (failed) when it cannot be written (a full disk, a closed descriptor).
  void flush();

  /// A line to stderr. Where stderr itself is broken there is nobody left to tell.
  void message(std::string_view line) const;

 private:
  Stream out_;
  Stream err_;
  std::string data_;
};

}  // namespace tilewright
