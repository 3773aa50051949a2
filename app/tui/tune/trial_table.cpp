#include "app/tui/tune/trial_table.h"

#include <utility>

#include "core/base/error.h"

namespace tilewright {

void TrialTable::add(const SeenTrial& trial, std::span<const int64_t> values) {
  TW_CHECK(values.size() == parameters_, "a config has a value for each parameter");
  last_.trials.push_back(trial);
  last_.values.insert(last_.values.end(), values.begin(), values.end());
  if (last_.trials.size() < kBlockRows) return;
  full_.push_back(std::make_shared<const Block>(std::exchange(last_, {})));
}

const TrialTable::Block& TrialTable::block_of(size_t row) const {
  const size_t block = row / kBlockRows;
  return block < full_.size() ? *full_[block] : last_;
}

const SeenTrial& TrialTable::trial(size_t row) const {
  return block_of(row).trials[row % kBlockRows];
}

std::span<const int64_t> TrialTable::values(size_t row) const {
  const std::span<const int64_t> all = block_of(row).values;
  return all.subspan(row % kBlockRows * parameters_, parameters_);
}

}  // namespace tilewright
