#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/space/measurement.h"

namespace tilewright {

/// One try of a config.
struct SeenTrial {
  int64_t number = 0;  ///< among the tries of its problem, from 1
  double time_us = 0;  ///< 0: it gave none; where `is_screened` what a cheaper evaluator made of it
  AttemptStatus status = AttemptStatus::kOk;
  bool is_screened = false;

  void set(const Measurement& measurement) {
    status = measurement.status;
    time_us = status == AttemptStatus::kOk ? measurement.time_us : 0;
  }
  /// Whether the time counts.
  bool is_exact() const { return time_us > 0 && !is_screened; }
};

/// Tries with the values of their configs, in columns. A copy shares all but the newest rows, so
/// that a worker may hand one over many times a second while it goes on to add.
class TrialTable {
 public:
  explicit TrialTable(size_t parameters = 0) : parameters_(parameters) {}

  /// `values` has one for each parameter.
  void add(const SeenTrial& trial, std::span<const int64_t> values);

  size_t size() const { return full_.size() * kBlockRows + last_.trials.size(); }
  const SeenTrial& trial(size_t row) const;
  std::span<const int64_t> values(size_t row) const;

 private:
  static constexpr size_t kBlockRows = 512;
  struct Block {
    std::vector<SeenTrial> trials;
    std::vector<int64_t> values;
  };
  const Block& block_of(size_t row) const;

  size_t parameters_;
  std::vector<std::shared_ptr<const Block>> full_;  // shared with copies, never changed
  Block last_;
};

}  // namespace tilewright
