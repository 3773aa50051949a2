#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "app/cli/console.h"

namespace tilewright {

/// Progress on stderr: one rewritten line on a terminal, otherwise a line every 10 seconds, and
/// nothing at all when quiet. update() may be called from any thread, as often as one likes.
class Progress {
 public:
  Progress(const Stream& stream, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `line` is asked for the text only when it is time to show it.
  void update(const std::function<std::string()>& line);

  /// Takes the line away.
  void clear();

 private:
  void show(const std::string& text);

  const Stream& stream_;
  bool quiet_;
  std::mutex mutex_;  // guards what follows
  double next_;
  bool shown_ = false;
};

/// `text` in at most `columns` columns, with "..." in its middle where something is left out.
std::string elide_middle(const std::string& text, size_t columns);

}  // namespace tilewright
