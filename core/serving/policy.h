#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

/// In which order running requests are given tokens.
enum class RunningOrder : uint8_t {
  kAdmission,        ///< as they were admitted
  kDecodesFirst,     ///< decodes and verifications, then prompts
  kDecodesReserved,  ///< as admitted, but prompts leave what decodes and verifications will need
};

/// What must be free before a waiting request is admitted.
enum class AdmissionGate : uint8_t {
  kOption,         ///< blocks of all its tokens so far if scheduler_reserve_full_isl is on
  kWholeSequence,  ///< blocks of all its tokens so far
  kMaxLength,      ///< blocks of its longest output, on top of those of all running ones
};

/// Which waiting request is admitted next.
enum class WaitingOrder : uint8_t {
  kArrival,        ///< or priority, as ServingOptions::scheduling_policy says
  kLongestPrefix,  ///< the one of which the prefix cache has the most
};

/// What serving engines decide differently from each other.
struct Policy {
  std::string_view name;
  std::string_view summary;
  RunningOrder running = RunningOrder::kAdmission;
  bool mixes = true;         ///< prompts and decodes in one step; if not, prompts come first
  bool cuts_prompts = true;  ///< begins a prompt that exceeds what is left of the budget
  AdmissionGate gate = AdmissionGate::kOption;
  double min_watermark = 0;  ///< share of the blocks that admissions leave free, at least
  WaitingOrder waiting = WaitingOrder::kArrival;
};

/// Sorted.
std::vector<std::string> policy_names();

/// Error (not found) suggests the nearest name.
const Policy& find_policy(const std::string& name);

}  // namespace tilewright
