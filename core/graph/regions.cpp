#include "core/graph/regions.h"

#include <algorithm>
#include <charconv>

#include "core/base/integers.h"

namespace tilewright {
namespace {

/// Beyond this many runs or steps nothing is counted.
constexpr int64_t kMaxRuns = int64_t{1} << 53;

/// The value of an integer scalar constant, if it is small enough to count with.
std::optional<int64_t> constant_of(const Op& op) {
  const auto* literal = std::get_if<Literal>(&op.attributes);
  if (!literal || !op.shape.is_scalar() || literal->integers.size() != 1) return std::nullopt;
  const int64_t value = literal->integers[0];
  return value >= -kMaxRuns && value <= kMaxRuns ? std::optional(value) : std::nullopt;
}

/// A while op with its parts. A state that is no tuple counts as its own part 0.
struct Loop {
  const Computation& outside;
  const Op& op;
  const Computation& condition;
  const Computation& body;

  /// Value of part `index` of the state before the loop.
  std::optional<int64_t> first(int64_t index) const {
    const Op& init = outside.operand(op, 0);
    if (!init.shape.is_tuple()) return constant_of(init);
    if (init.opcode != HloOpcode::kTuple) return std::nullopt;
    return constant_of(outside.operand(init, static_cast<size_t>(index)));
  }

  /// The op that gives part `index` of the state after a run.
  const Op* next(int64_t index) const {
    const Op& root = body.root_op();
    if (!root.shape.is_tuple()) return &root;
    if (root.opcode != HloOpcode::kTuple) return nullptr;
    return &body.operand(root, static_cast<size_t>(index));
  }
};

/// The part of the state that an op of condition or body reads.
std::optional<int64_t> state_part(const Computation& computation, const Op& op) {
  if (op.opcode == HloOpcode::kParameter && !op.shape.is_tuple()) return 0;
  if (op.opcode != HloOpcode::kGetTupleElement) return std::nullopt;
  if (computation.operand(op, 0).opcode != HloOpcode::kParameter) return std::nullopt;
  return op.get<TupleIndex>().index;
}

/// A value that is the same in every run: a constant, or a part of the state that begins as one and
/// that the body passes on.
std::optional<int64_t> fixed_value(const Loop& loop, const Op& op) {
  if (const auto constant = constant_of(op)) return constant;
  const auto part = state_part(loop.condition, op);
  if (!part) return std::nullopt;
  const Op* next = loop.next(*part);
  if (!next || state_part(loop.body, *next) != part) return std::nullopt;
  return loop.first(*part);
}

/// How much the body adds to part `part` of the state.
std::optional<int64_t> step_of(const Loop& loop, int64_t part) {
  const Op* next = loop.next(part);
  if (!next || (next->opcode != HloOpcode::kAdd && next->opcode != HloOpcode::kSubtract)) {
    return std::nullopt;
  }
  const bool add = next->opcode == HloOpcode::kAdd;
  const Op& a = loop.body.operand(*next, 0);
  const Op& b = loop.body.operand(*next, 1);
  if (state_part(loop.body, a) == part) {
    const auto step = constant_of(b);
    return step && !add ? std::optional(-*step) : step;
  }
  return add && state_part(loop.body, b) == part ? constant_of(a) : std::nullopt;
}

CompareDirection mirrored(CompareDirection direction) {
  switch (direction) {
    case CompareDirection::kLt:
      return CompareDirection::kGt;
    case CompareDirection::kLe:
      return CompareDirection::kGe;
    case CompareDirection::kGt:
      return CompareDirection::kLt;
    case CompareDirection::kGe:
      return CompareDirection::kLe;
    default:
      return direction;
  }
}

/// Runs of a counter from `first` by `step` while it stands in `direction` to `limit`.
std::optional<int64_t> count_runs(int64_t first, int64_t step, CompareDirection direction,
                                  int64_t limit) {
  if (direction == CompareDirection::kGt || direction == CompareDirection::kGe) {
    return count_runs(-first, -step, mirrored(direction), -limit);
  }
  if (direction != CompareDirection::kLt && direction != CompareDirection::kLe) return std::nullopt;
  const int64_t end = direction == CompareDirection::kLe ? limit + 1 : limit;
  if (first >= end) return 0;
  if (step <= 0) return std::nullopt;
  return ceil_div(end - first, step);
}

std::optional<int64_t> counted_trips(const Loop& loop) {
  const Op& compare = loop.condition.root_op();
  if (compare.opcode != HloOpcode::kCompare) return std::nullopt;
  const Op& a = loop.condition.operand(compare, 0);
  const Op& b = loop.condition.operand(compare, 1);
  const CompareDirection direction = compare.get<Comparison>().direction;
  const auto count = [&](const Op& counter, const Op& limit, CompareDirection stands) {
    const auto part = state_part(loop.condition, counter);
    const auto end = fixed_value(loop, limit);
    const auto first = part ? loop.first(*part) : std::nullopt;
    const auto step = part ? step_of(loop, *part) : std::nullopt;
    return first && step && end ? count_runs(*first, *step, stands, *end) : std::nullopt;
  };
  const auto trips = count(a, b, direction);
  return trips ? trips : count(b, a, mirrored(direction));
}

/// "known_trip_count":{"n":"8"} of the backend configuration.
std::optional<int64_t> noted_trips(const Op& op) {
  constexpr std::string_view kKey = "\"known_trip_count\":{\"n\":\"";
  const std::string_view config = find_note(op.notes, "backend_config");
  const size_t at = config.find(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view digits = config.substr(at + kKey.size());
  int64_t trips = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), trips);
  if (failure != std::errc() || trips < 0 || trips > kMaxRuns) return std::nullopt;
  return trips;
}

/// The product, where both are known and it can be counted.
std::optional<int64_t> times(std::optional<int64_t> a, std::optional<int64_t> b) {
  if (!a || !b || (*b != 0 && *a > kMaxRuns / *b)) return std::nullopt;
  return *a * *b;
}

bool calls_regions(HloOpcode opcode) {
  return opcode == HloOpcode::kWhile || opcode == HloOpcode::kConditional ||
         opcode == HloOpcode::kCall || opcode == HloOpcode::kFusion ||
         opcode == HloOpcode::kAsyncStart;
}

/// Runs of computations, counted from callers to callees.
class RunCounter {
 public:
  explicit RunCounter(const OpGraph& graph)
      : graph_(graph), runs_(graph.computations.size(), 0), reached_(runs_.size(), false) {}

  std::vector<RegionRuns> count() {
    add(graph_.entry, 1);
    std::vector<RegionRuns> regions;
    for (auto i = static_cast<int32_t>(runs_.size()); i-- > 0;) {
      if (!reached_[static_cast<size_t>(i)]) continue;
      const std::optional<int64_t> runs = runs_[static_cast<size_t>(i)];
      regions.push_back({i, runs});
      for (const Op& op : graph_.computation(i).ops) {
        if (calls_regions(op.opcode)) add_callees(graph_.computation(i), op, runs);
      }
    }
    return regions;
  }

 private:
  void add_callees(const Computation& caller, const Op& op, std::optional<int64_t> runs) {
    if (op.opcode != HloOpcode::kWhile) {
      for (const int32_t callee : op.called) add(callee, runs);
      return;
    }
    const auto trips = trip_count(graph_, caller, op);
    add(op.called[0], times(runs, trips ? std::optional(*trips + 1) : trips));
    add(op.called[1], times(runs, trips));
  }

  void add(int32_t computation, std::optional<int64_t> runs) {
    const auto index = static_cast<size_t>(computation);
    reached_[index] = true;
    std::optional<int64_t>& sum = runs_[index];
    const bool countable = sum && runs && *sum <= kMaxRuns - std::min(*runs, kMaxRuns);
    sum = countable ? std::optional(*sum + *runs) : std::nullopt;
  }

  const OpGraph& graph_;
  std::vector<std::optional<int64_t>> runs_;
  std::vector<bool> reached_;
};

}  // namespace

std::optional<int64_t> trip_count(const OpGraph& graph, const Computation& computation,
                                  const Op& loop) {
  const Loop parts = {computation, loop, graph.computation(loop.called[0]),
                      graph.computation(loop.called[1])};
  const auto counted = counted_trips(parts);
  return counted ? counted : noted_trips(loop);
}

std::vector<RegionRuns> region_runs(const OpGraph& graph) {
  return RunCounter(graph).count();
}

}  // namespace tilewright
