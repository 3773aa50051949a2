#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "core/space/diagram.h"
#include "core/space/rule.h"
#include "core/space/space.h"

namespace tilewright {

/// The legal configs of a space, numbered in the order of the product, the last parameter fastest.
/// Parameters that rules connect share a diagram; the others are independent of it, so that memory
/// does not grow with what they multiply. Configs are given by places: positions in the lists of
/// values. A number is found, and followed, in one step for each parameter.
class LegalSet {
 public:
  /// All constraints of the space. Error (usage) when a diagram needs too much memory or time,
  /// (failed) soon after `stop` says so.
  explicit LegalSet(const Space& space, const std::function<bool()>& stop = {});
  /// Under these rules, and no list of rows.
  LegalSet(const Space& space, std::span<const Rule* const> rules,
           const std::function<bool()>& stop = {});

  /// kTooMany where there are more than kMost, which then have no numbers.
  int64_t size() const { return size_; }
  static constexpr int64_t kMost = int64_t{1} << 62;
  static constexpr int64_t kTooMany = Diagram::kTooMany;

  /// Memory of the diagrams.
  int64_t bytes() const;

  void places(int64_t rank, std::span<int> out) const;
  std::optional<int64_t> rank_of(std::span<const int> places) const;

  /// Visits all, in order.
  void each(const std::function<void(std::span<const int>)>& visit) const;

 private:
  /// How a parameter is walked.
  struct Axis {
    int64_t values = 0;
    uint32_t diagram = kNone;  ///< kNone: no rule names it
    uint32_t next = kNone;     ///< the next parameter of its diagram
    bool first = false;        ///< of its diagram
  };
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  void connect(const Space& space, std::span<const Rule* const> rules,
               const std::function<bool()>& stop);
  void list(const Space& space);
  void add(std::span<const size_t> parameters, Diagram diagram);
  void count();
  uint32_t node_at(size_t axis, std::span<const int> nodes) const;
  void walk(size_t axis, std::vector<int>& nodes, std::vector<int>& places,
            const std::function<void(std::span<const int>)>& visit) const;

  std::vector<Axis> axes_;
  std::vector<Diagram> diagrams_;
  int64_t size_ = 0;
};

}  // namespace tilewright
