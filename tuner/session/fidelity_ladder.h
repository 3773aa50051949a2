#pragma once

#include <string>
#include <unordered_map>
#include <vector>

namespace tilewright {

/// Of one problem: what a cheaper evaluator says, against what the exact one says of the same
/// configs, and from that which configs are worth the exact one.
class FidelityLadder {
 public:
  void screened(const std::string& config, double time_us);
  void measured(const std::string& config, double time_us);

  /// What the exact evaluator would say where the cheaper one says `screened_us`: times the median
  /// of the ratios so far.
  double predicted(double screened_us) const;

  /// How far above the best a predicted time may be for its config to be worth measuring: three
  /// standard deviations of the ratios (by their median absolute deviation) within [kLeast, kMost];
  /// kMost while there are fewer than kPairs.
  double slack() const;

  static constexpr double kLeast = 0.01;
  static constexpr double kMost = 0.1;
  static constexpr size_t kPairs = 4;

 private:
  std::unordered_map<std::string, double> screened_us_;
  std::vector<double> ratios_;  // exact / screened, ascending
};

}  // namespace tilewright
