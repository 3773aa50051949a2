#include "kernels/executor/op_memo.h"

namespace tilewright {

int64_t OpMemo::at(const std::string& key, const std::function<int64_t()>& simulate) {
  return find_or(key, simulate, true);
}

int64_t OpMemo::derived(const std::string& key, const std::function<int64_t()>& derive) {
  return find_or(key, derive, false);
}

int64_t OpMemo::find_or(const std::string& key, const std::function<int64_t()>& make,
                        bool is_launch) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = ns_.find(key);
    if (known != ns_.end()) {
      if (is_launch) ++remembered_;
      return known->second;
    }
  }
  const int64_t ns = make();
  const std::lock_guard lock(mutex_);
  if (is_launch) ++simulated_;
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
