#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tilewright {

/// Numbers distinct tuples of words 0, 1, ... in the order in which they come, and finds one again
/// in constant time. The numbers depend on nothing but the tuples.
class TupleTable {
 public:
  /// The number of a tuple, and whether it is new.
  std::pair<uint32_t, bool> intern(std::span<const uint32_t> tuple);

  std::span<const uint32_t> operator[](uint32_t number) const;
  size_t size() const { return ends_.size(); }
  size_t words() const { return words_.size(); }

 private:
  void grow();

  std::vector<uint32_t> words_;  // of all tuples, one behind the other
  std::vector<size_t> ends_;     // of each tuple in words_
  // Open addressing: 0, or a number + 1 and above it the tuple's hash, which tells most tuples
  // apart without looking at them.
  std::vector<uint64_t> slots_;
};

}  // namespace tilewright
