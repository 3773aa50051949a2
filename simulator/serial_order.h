#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "simulator/launch.h"

namespace tilewright {

/// An instruction with the values that it runs with.
struct SerialStep {
  const Launch* launch = nullptr;
  const Instruction* instruction = nullptr;
  std::span<const int64_t> bindings;
  int64_t index = 0;  ///< of the body's loop
  int core = 0;
  int task = 0;  ///< in the core's list
  int template_id = 0;
  int section = 0;    ///< prologue, body, epilogue
  int position = 0;   ///< in the section
  bool first = true;  ///< of the body's iterations; true outside the body
  bool last = true;

  bool applies(const FlagUse& use) const {
    return use.flag >= 0 &&
           (use.when == When::kAlways || (use.when == When::kFirst ? first : last));
  }
  int64_t value(const Expr& expr) const { return expr.at(bindings, launch->tables, index); }
  /// "launch: core 3: template[section i] opcode".
  std::string where() const;
};

/// The copies of the flags of a launch, which must outlive this.
class FlagInstances {
 public:
  explicit FlagInstances(const Launch& launch);

  /// The copy that a core waits for: its own, its group's, or the launch's.
  int64_t waited(const FlagUse& use, int core) const;
  /// The copy that a core sets: the same, or a peer's.
  int64_t set(const FlagUse& use, int core) const;

 private:
  const Launch& launch_;
  std::vector<std::vector<int>> peers_;  // with flags of peers
};

/// Walks all cores' instructions in a legal serial order: program order on each core, no wait
/// before the sets that it needs. Cores take turns in the order of their numbers, each as far as it
/// gets. Returns the steps at which cores stand for ever; empty when all programs ran to their end.
std::vector<SerialStep> walk_in_order(const Launch& launch,
                                      const std::function<void(const SerialStep&)>& visit);

}  // namespace tilewright
