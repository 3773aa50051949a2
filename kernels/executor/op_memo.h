#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace tilewright {

/// Times of launches that were simulated, by a text that says everything which they depend on:
/// problem, config and machine. As a time is a function of its text alone, executors of any models
/// may share one in any order, from any threads, and none of their results changes.
class OpMemo {
 public:
  /// The time in ns under `key`; where nobody asked for it before, what `simulate` answers.
  int64_t at(const std::string& key, const std::function<int64_t()>& simulate);

  /// The same for a time that `derive` works out from others, which is no launch of its own.
  int64_t derived(const std::string& key, const std::function<int64_t()>& derive);

  /// Launches that were simulated, and questions that were answered from memory.
  int64_t simulated() const;
  int64_t remembered() const;

 private:
  int64_t find_or(const std::string& key, const std::function<int64_t()>& make, bool is_launch);

  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, int64_t, std::less<>> ns_;
  int64_t simulated_ = 0;
  int64_t remembered_ = 0;
};

}  // namespace tilewright
