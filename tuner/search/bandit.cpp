#include "tuner/search/bandit.h"

#include <utility>

namespace tilewright {

Bandit::Bandit(std::vector<Arm> arms)
    : arms_(std::move(arms)), gains_(arms_.size()), uses_(arms_.size()) {}

double Bandit::weight(size_t arm) const {
  // As if each had found something in a tenth of ten turns: one lucky turn does not decide.
  constexpr double kGains = 1;
  constexpr double kUses = 10;
  return arms_[arm].weight * (gains_[arm] + kGains) / (uses_[arm] + kUses);
}

size_t Bandit::draw(Random& random) const {
  double sum = 0;
  for (size_t arm = 0; arm < arms_.size(); ++arm) sum += weight(arm);
  double left = random.uniform() * sum;
  for (size_t arm = 0; arm + 1 < arms_.size(); ++arm) {
    left -= weight(arm);
    if (left < 0) return arm;
  }
  return arms_.size() - 1;
}

void Bandit::reward(std::string_view name, bool improved) {
  constexpr double kDecay = 0.95;  // half is forgotten after 14 turns
  for (size_t arm = 0; arm < arms_.size(); ++arm) {
    if (arms_[arm].name != name) continue;
    gains_[arm] = gains_[arm] * kDecay + (improved ? 1 : 0);
    uses_[arm] = uses_[arm] * kDecay + 1;
  }
}

}  // namespace tilewright
