#include "kernels/executor/op_memo.h"

namespace tilewright {

int64_t OpMemo::at(const std::string& key, const std::function<int64_t()>& simulate) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = ns_.find(key);
    if (known != ns_.end()) {
      ++remembered_;
      return known->second;
    }
  }
  const int64_t ns = simulate();
  const std::lock_guard lock(mutex_);
  ++simulated_;
  return ns_.try_emplace(key, ns).first->second;
}

int64_t OpMemo::simulated() const {
  const std::lock_guard lock(mutex_);
  return simulated_;
}

int64_t OpMemo::remembered() const {
  const std::lock_guard lock(mutex_);
  return remembered_;
}

}  // namespace tilewright
