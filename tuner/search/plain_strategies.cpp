#include "tuner/search/plain_strategies.h"

namespace tilewright {

Proposal Exhaustive::next() {
  while (history().knows(known_prefix_)) ++known_prefix_;
  return {known_prefix_, "exhaustive"};
}

Proposal RandomOrder::next() {
  while (history().knows(order_.at(known_prefix_))) ++known_prefix_;
  return {order_.at(known_prefix_), "random"};
}

}  // namespace tilewright
