#include "core/space/column_expression.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace tilewright {

namespace {

using Instruction = ExpressionProgram::Instruction;
using Kind = ExpressionValue::Kind;

/// Sums, products and remainders of whole numbers below it are exact as doubles, or not below it.
constexpr double kExact = 9007199254740992.0;  // 2^53

/// Points of one evaluation: enough that what is done once for them all costs little, and few
/// enough that the columns stay in the processor's cache.
constexpr size_t kFewPoints = 512;
constexpr size_t kManyPoints = size_t{1} << 14;

constexpr uint32_t kNowhere = std::numeric_limits<uint32_t>::max();

size_t operands_of(Operator op) {
  if (op == Operator::kSelect) return 3;
  return op >= Operator::kNegate ? 1 : 2;
}

/// A number as a column has it; nothing of a whole one that need not be exact as a double.
std::optional<double> lane_of(const ExpressionValue& value) {
  if (value.kind == Kind::kFloat) return value.number;
  const auto whole = static_cast<double>(value.integer);
  return std::fabs(whole) < kExact ? std::optional(whole) : std::nullopt;
}

ExpressionValue value_of(double lane, bool whole) {
  return whole ? int_value(static_cast<int64_t>(lane)) : float_value(lane);
}

int64_t flag(bool failed) {
  return -static_cast<int64_t>(failed);
}

/// Whether fmod_of() has a meaning: finite numbers, and a quotient whose whole part is exact.
bool has_fmod(double a, double b) {
  return (std::fabs(a / b) < kExact / 2) & (std::fabs(b) <= std::numeric_limits<double>::max());
}

/// What std::fmod() gives, which is exact. So is this: the quotient, rounded, has the whole part of
/// the true one or the next, and the remainder by either is a double (Sterbenz 1974).
double fmod_of(double a, double b) {
  const double rest = std::fma(-std::trunc(a / b), b, a);
  const bool is_beyond = (rest < 0) != (a < 0) && rest != 0;
  return is_beyond ? rest + std::copysign(b, a) : rest;
}

/// A whole number in all lanes, such as an exponent; nothing for others.
std::optional<int> small_whole(double lane) {
  constexpr double kMost = 8;
  const bool is_small = lane >= 0 && lane <= kMost && lane == std::floor(lane);
  return is_small ? std::optional(static_cast<int>(lane)) : std::nullopt;
}

}  // namespace

/// Sorts what a staged expression computes behind some stage by what it depends on.
class ColumnCompiler {
 public:
  explicit ColumnCompiler(const StagedExpression& staged)
      : staged_(staged),
        before_(staged.registers().size(), 0),
        within_(staged.registers().size(), 0),
        kinds_(staged.registers().size()),
        operands_(staged.registers().size()) {}

  std::optional<ColumnExpression> compile() {
    if (staged_.stages() < 2) return std::nullopt;
    choose_stages();
    if (bytes_for(columns()) > ColumnExpression::kMaxColumnBytes) return std::nullopt;
    find_dependences();
    find_kinds();
    find_needed();
    if (bytes_for(needed_.size()) > ColumnExpression::kMaxColumnBytes || !make_fixed()) {
      return std::nullopt;
    }
    for (size_t k = made_.first_; k < staged_.stages(); ++k) {
      for (const Instruction& instruction : staged_.code(k)) {
        if (is_made(instruction.out) && !add_step(instruction)) return std::nullopt;
      }
    }
    const auto result = operand(staged_.result());
    if (!result) return std::nullopt;
    made_.result_ = *result;
    made_.uniform_.resize(made_.uniforms_.size());
    made_.truth_.resize(padded() + 64);
    made_.places_.resize(made_.widths_.size());
    return std::move(made_);
  }

 private:
  using Numbers = ColumnExpression::Numbers;
  using Source = ColumnExpression::Source;
  using Operand = ColumnExpression::Operand;

  void choose_stages() {
    made_.first_ = staged_.stages() - 1;
    made_.points_ = staged_.values(made_.first_);
    while (made_.first_ > 1 && made_.points_ < kFewPoints &&
           made_.points_ * staged_.values(made_.first_ - 1) <= kManyPoints) {
      --made_.first_;
      made_.points_ *= staged_.values(made_.first_);
    }
    size_t stride = made_.points_;
    for (size_t k = made_.first_; k < staged_.stages(); ++k) {
      stride /= staged_.values(k);
      made_.strides_.push_back(stride);
      made_.widths_.push_back(staged_.values(k));
    }
  }

  /// At least those of the inputs.
  size_t columns() const { return made_.widths_.size(); }
  size_t padded() const {
    return (made_.points_ + ColumnExpression::kLanes - 1) / ColumnExpression::kLanes *
           ColumnExpression::kLanes;
  }
  size_t bytes_for(size_t columns) const { return columns * padded() * sizeof(double); }

  void find_dependences() {
    for (size_t k = 0; k < staged_.stages(); ++k) {
      (k < made_.first_ ? before_ : within_)[staged_.input(k)] = 1;
      for (const Instruction& instruction : staged_.code(k)) {
        for (const uint32_t in : {instruction.a, instruction.b, third(instruction)}) {
          before_[instruction.out] |= before_[in];
          within_[instruction.out] |= within_[in];
        }
      }
    }
  }

  static uint32_t third(const Instruction& instruction) {
    return instruction.op == Operator::kSelect ? instruction.c : instruction.a;
  }

  bool is_made(uint32_t reg) const { return before_[reg] != 0 && within_[reg] != 0; }
  bool is_fixed(uint32_t reg) const { return before_[reg] == 0 && within_[reg] != 0; }

  /// What numbers a register has, where it has any; of those that are not fixed. That they hold
  /// others after all is seen when they are loaded.
  void find_kinds() {
    const auto kind_of = [](std::span<const ExpressionValue> values) -> std::optional<Numbers> {
      bool whole = true;
      bool decimal = true;
      for (const ExpressionValue& value : values) {
        if (!value.is_number()) return std::nullopt;
        (value.is_whole() ? decimal : whole) = false;
      }
      return whole ? Numbers::kWhole : decimal ? Numbers::kDecimal : Numbers::kBoth;
    };
    const std::vector<ExpressionValue>& registers = staged_.registers();
    for (size_t i = 0; i < registers.size(); ++i) kinds_[i] = kind_of({&registers[i], 1});
    for (size_t k = 0; k < staged_.stages(); ++k) {
      kinds_[staged_.input(k)] = kind_of(staged_.domain(k));
      for (const Instruction& instruction : staged_.code(k)) {
        kinds_[instruction.out] =
            result_of(instruction.op, kinds_[instruction.a], kinds_[instruction.b]);
      }
    }
  }

  static std::optional<Numbers> result_of(Operator op, std::optional<Numbers> a,
                                          std::optional<Numbers> b) {
    const bool arithmetic = op <= Operator::kPower;
    const bool one_of_them = op == Operator::kAnd || op == Operator::kOr || op == Operator::kMin ||
                             op == Operator::kMax || op == Operator::kSelect;
    if (arithmetic || one_of_them) {
      if (!a || !b) return std::nullopt;
      if (op == Operator::kDivide) return Numbers::kDecimal;
      if (*a == *b) return a;
      const bool decimal = *a == Numbers::kDecimal || *b == Numbers::kDecimal;
      return arithmetic && decimal ? Numbers::kDecimal : Numbers::kBoth;
    }
    switch (op) {
      case Operator::kNegate:
      case Operator::kPlus:
      case Operator::kAbs:
        return a;
      case Operator::kFloat:
        return Numbers::kDecimal;
      default:  // truths, and functions that give whole numbers
        return Numbers::kWhole;
    }
  }

  /// The fixed registers that other columns are made of.
  void find_needed() {
    const auto need = [&](uint32_t reg) {
      if (is_fixed(reg) && std::ranges::find(needed_, reg) == needed_.end()) needed_.push_back(reg);
    };
    for (size_t k = made_.first_; k < staged_.stages(); ++k) {
      for (const Instruction& instruction : staged_.code(k)) {
        if (!is_made(instruction.out)) continue;
        for (const uint32_t in : {instruction.a, instruction.b, third(instruction)}) need(in);
      }
    }
    need(staged_.result());
  }

  /// False when one has a value that is neither a number nor an error.
  bool make_fixed() {
    std::vector<Instruction> code;
    for (size_t k = made_.first_; k < staged_.stages(); ++k) {
      std::ranges::copy_if(staged_.code(k), std::back_inserter(code),
                           [&](const Instruction& i) { return is_fixed(i.out); });
    }
    std::vector<ExpressionValue> registers = staged_.registers();
    made_.fixed_.assign(needed_.size(), std::vector<double>(padded(), 0));
    std::vector<uint8_t> failing(padded(), 0);
    std::vector<char> whole(needed_.size(), 0);
    std::vector<char> decimal(needed_.size(), 0);
    for (size_t point = 0; point < made_.points_; ++point) {
      for (size_t i = 0; i < made_.widths_.size(); ++i) {
        const size_t stage = made_.first_ + i;
        const size_t place = point / made_.strides_[i] % made_.widths_[i];
        registers[staged_.input(stage)] = staged_.domain(stage)[place];
      }
      for (const Instruction& instruction : code) tilewright::run(instruction, registers);
      for (size_t slot = 0; slot < needed_.size(); ++slot) {
        const ExpressionValue& value = registers[needed_[slot]];
        if (!value.is_number() && !value.is_error()) return false;
        const std::optional<double> lane = value.is_error() ? std::nullopt : lane_of(value);
        if (!lane) {
          failing[point] = 1;
          continue;
        }
        made_.fixed_[slot][point] = *lane;
        (value.is_whole() ? whole : decimal)[slot] = 1;
      }
    }
    for (size_t slot = 0; slot < needed_.size(); ++slot) {
      // What is behind the last point is computed too, and must not seem to fail.
      std::vector<double>& column = made_.fixed_[slot];
      std::fill(column.begin() + static_cast<std::ptrdiff_t>(made_.points_), column.end(),
                column[made_.points_ - 1]);
      operands_[needed_[slot]] = Operand{Source::kFixed, static_cast<uint32_t>(slot),
                                         whole[slot] == 0     ? Numbers::kDecimal
                                         : decimal[slot] == 0 ? Numbers::kWhole
                                                              : Numbers::kBoth};
    }
    if (std::ranges::count(failing, 1) > 0) made_.failing_ = std::move(failing);
    return true;
  }

  /// Of a register that has numbers.
  std::optional<Operand> operand(uint32_t reg) {
    if (operands_[reg]) return operands_[reg];
    if (!kinds_[reg]) return std::nullopt;
    operands_[reg] =
        Operand{Source::kUniform, static_cast<uint32_t>(made_.uniforms_.size()), *kinds_[reg]};
    made_.uniforms_.push_back({reg, *kinds_[reg]});
    return operands_[reg];
  }

  bool add_step(const Instruction& instruction) {
    ColumnExpression::Step step = {instruction.op, {}, {}, {}};
    if (step.op == Operator::kLen) return false;
    const uint32_t in[] = {instruction.a, instruction.b, instruction.c};
    const bool is_in = step.op == Operator::kIn;
    for (size_t i = 0; i < (is_in ? 1 : operands_of(step.op)); ++i) {
      const auto found = operand(in[i]);
      if (!found) return false;
      step.in[i] = *found;
    }
    if (operands_of(step.op) == 1 || is_in) step.in[1] = step.in[0];
    if (is_in && !add_members(instruction.b, step)) return false;
    const auto result = result_of(step.op, step.in[0].numbers, step.in[1].numbers);
    if (!result || is_both_power(step)) return false;
    step.out = {Source::kMade, static_cast<uint32_t>(made_.made_.size()), *result};
    made_.made_.emplace_back();
    operands_[instruction.out] = step.out;
    made_.steps_.push_back(std::move(step));
    return true;
  }

  /// Whole powers differ from others, so it has to be known which one is computed.
  static bool is_both_power(const ColumnExpression::Step& step) {
    return step.op == Operator::kPower &&
           (step.in[0].numbers == Numbers::kBoth || step.in[1].numbers == Numbers::kBoth);
  }

  bool add_members(uint32_t reg, ColumnExpression::Step& step) {
    const ExpressionValue& list = staged_.registers()[reg];
    if (before_[reg] != 0 || within_[reg] != 0 || list.kind != Kind::kList) return false;
    for (const ExpressionValue& element : *list.list) {
      if (element.is_error()) return false;
      if (!element.is_number()) continue;  // a number is never equal to it
      const std::optional<double> lane = lane_of(element);
      // A decimal of a column may be equal to a whole number that is not exact here.
      if (!lane) return false;
      step.members.push_back(*lane);
    }
    return true;
  }

  const StagedExpression& staged_;
  std::vector<char> before_;  // whether a register depends on inputs before the points' stages
  std::vector<char> within_;  // and on those of the points
  std::vector<std::optional<Numbers>> kinds_;
  std::vector<std::optional<Operand>> operands_;
  std::vector<uint32_t> needed_;
  ColumnExpression made_;
};

std::optional<ColumnExpression> ColumnExpression::of(const StagedExpression& staged) {
  return ColumnCompiler(staged).compile();
}

/// The values that hold for all points. False where one is no number of the kind that is expected.
bool ColumnExpression::load(const StagedExpression& staged) {
  for (size_t slot = 0; slot < uniforms_.size(); ++slot) {
    const auto& [from, numbers] = uniforms_[slot];
    const ExpressionValue& value = staged.registers()[from];
    const bool expected = value.is_number() && (numbers == Numbers::kBoth ||
                                                value.is_whole() == (numbers == Numbers::kWhole));
    const std::optional<double> lane = expected ? lane_of(value) : std::nullopt;
    if (!lane) return false;
    uniform_[slot].fill(*lane);
  }
  return true;
}

const double* ColumnExpression::lanes(const Operand& operand, size_t part) const {
  switch (operand.source) {
    case Source::kUniform:
      return uniform_[operand.slot].data();
    case Source::kFixed:
      return fixed_[operand.slot].data() + part * kLanes;
    default:
      return made_[operand.slot].data();
  }
}

void ColumnExpression::run(const Step& step, size_t part) {
  const double* const a = lanes(step.in[0], part);
  const double* const b = lanes(step.in[1], part);
  double* __restrict const out = made_[step.out.slot].data();
  int64_t* __restrict const flags = flags_.data();
  const auto each = [&](auto operation) {
    for (size_t i = 0; i < kLanes; ++i) out[i] = operation(a[i], b[i]);
  };
  const auto each_truth = [&](auto operation) {
    for (size_t i = 0; i < kLanes; ++i) out[i] = operation(a[i], b[i]) ? 1.0 : 0.0;
  };
  /// Results that may be whole numbers have to be exact.
  const auto each_exact = [&](auto operation) {
    if (step.out.numbers == Numbers::kDecimal) return each(operation);
    for (size_t i = 0; i < kLanes; ++i) {
      const double result = operation(a[i], b[i]);
      out[i] = result;
      flags[i] |= flag(!(std::fabs(result) < kExact));
    }
  };
  /// Divisions of whole numbers, whose quotient rounds to no neighbouring whole number.
  const auto each_division = [&](auto operation) {
    for (size_t i = 0; i < kLanes; ++i) {
      out[i] = operation(a[i], b[i]);
      flags[i] |= flag(!(std::fabs(a[i]) + std::fabs(b[i]) < kExact)) | flag(b[i] == 0);
    }
  };
  /// Divisions of decimals, given the remainder with the dividend's sign.
  const auto each_quotient = [&](auto operation) {
    for (size_t i = 0; i < kLanes; ++i) {
      out[i] = operation(a[i], b[i], fmod_of(a[i], b[i]));
      flags[i] |= flag(!has_fmod(a[i], b[i]));
    }
  };
  const bool whole = step.in[0].numbers == Numbers::kWhole && step.in[1].numbers == Numbers::kWhole;
  switch (step.op) {
    case Operator::kAdd:
      return each_exact([](double x, double y) { return x + y; });
    case Operator::kSubtract:
      return each_exact([](double x, double y) { return x - y; });
    case Operator::kMultiply:
      return each_exact([](double x, double y) { return x * y; });
    case Operator::kDivide:
      for (size_t i = 0; i < kLanes; ++i) {
        out[i] = a[i] / b[i];
        flags[i] |= flag(b[i] == 0);
      }
      return;
    case Operator::kFloorDivide:
      if (!whole)
        return each_quotient([](double x, double y, double r) {
          const double quotient = (x - r) / y - (r != 0 && (y < 0) != (r < 0) ? 1 : 0);
          const double floor = std::floor(quotient);
          return quotient - floor > 0.5 ? floor + 1 : floor;
        });
      return each_division([](double x, double y) { return std::floor(x / y); });
    case Operator::kModulo:
      if (!whole)
        return each_quotient(
            [](double, double y, double r) { return r != 0 && (y < 0) != (r < 0) ? r + y : r; });
      return each_division([](double x, double y) { return x - std::floor(x / y) * y; });
    case Operator::kPower:
      if (!run_power(step, part)) run_each(step, part);
      return;
    case Operator::kLess:
      return each_truth([](double x, double y) { return x < y; });
    case Operator::kLessEqual:
      return each_truth([](double x, double y) { return x <= y; });
    case Operator::kGreater:
      return each_truth([](double x, double y) { return x > y; });
    case Operator::kGreaterEqual:
      return each_truth([](double x, double y) { return x >= y; });
    case Operator::kEqual:
      return each_truth([](double x, double y) { return x == y; });
    case Operator::kNotEqual:
      return each_truth([](double x, double y) { return x != y; });
    case Operator::kIn:
      std::fill_n(out, kLanes, 0.0);
      for (const double member : step.members) {
        for (size_t i = 0; i < kLanes; ++i) out[i] = a[i] == member ? 1.0 : out[i];
      }
      return;
    case Operator::kAnd:
      return each([](double x, double y) { return x != 0 ? y : x; });
    case Operator::kOr:
      return each([](double x, double y) { return x != 0 ? x : y; });
    case Operator::kMin:
      return each([](double x, double y) { return x > y ? y : x; });
    case Operator::kMax:
      return each([](double x, double y) { return x < y ? y : x; });
    case Operator::kNegate:
      return each([](double x, double) { return -x; });
    case Operator::kPlus:
    case Operator::kFloat:
      return each([](double x, double) { return x; });
    case Operator::kNot:
      return each_truth([](double x, double) { return x == 0; });
    case Operator::kBool:
      return each_truth([](double x, double) { return x != 0; });
    case Operator::kAbs:
      return each([](double x, double) { return std::fabs(x); });
    case Operator::kInt:
      return each_exact([](double x, double) { return std::trunc(x); });
    case Operator::kRound:
      return each_exact([](double x, double) { return std::nearbyint(x); });
    case Operator::kSelect: {
      const double* const c = lanes(step.in[2], part);
      for (size_t i = 0; i < kLanes; ++i) out[i] = c[i] != 0 ? a[i] : b[i];
      return;
    }
    case Operator::kLen:
      break;  // refused when this was made
  }
}

/// One lane after the other, by what evaluates single points.
void ColumnExpression::run_each(const Step& step, size_t part) {
  const double* const a = lanes(step.in[0], part);
  const double* const b = lanes(step.in[1], part);
  const bool whole_a = step.in[0].numbers == Numbers::kWhole;
  const bool whole_b = step.in[1].numbers == Numbers::kWhole;
  const bool whole_out = step.out.numbers == Numbers::kWhole;
  Lanes& out = made_[step.out.slot];
  for (size_t i = 0; i < kLanes; ++i) {
    // A lane that is to be evaluated alone may hold anything, also what is no whole number.
    if (flags_[i] != 0) continue;
    const ExpressionValue result = apply(step.op, value_of(a[i], whole_a), value_of(b[i], whole_b));
    const bool expected = result.is_number() && (!whole_out || result.is_whole());
    const std::optional<double> lane = expected ? lane_of(result) : std::nullopt;
    out[i] = lane.value_or(0);
    flags_[i] |= flag(!lane);
  }
}

/// Whole powers by a small exponent that all points share. False for others.
bool ColumnExpression::run_power(const Step& step, size_t part) {
  const bool shared = step.out.numbers == Numbers::kWhole && step.in[1].source == Source::kUniform;
  const double* const a = lanes(step.in[0], part);
  const auto exponent = shared ? small_whole(uniform_[step.in[1].slot].front()) : std::nullopt;
  if (!exponent) return false;
  double* __restrict const out = made_[step.out.slot].data();
  std::fill_n(out, kLanes, 1.0);
  for (int k = 0; k < *exponent; ++k) {
    for (size_t i = 0; i < kLanes; ++i) out[i] *= a[i];
  }
  // Magnitudes grow from product to product, so all were exact where the last one is.
  for (size_t i = 0; i < kLanes; ++i) flags_[i] |= flag(!(std::fabs(out[i]) < kExact));
  return true;
}

bool ColumnExpression::evaluate(StagedExpression& staged) {
  std::ranges::fill(places_, kNowhere);
  const bool loaded = load(staged);
  uint8_t any = 0;
  for (size_t part = 0; part * kLanes < points_; ++part) {
    const size_t begin = part * kLanes;
    const size_t count = std::min(kLanes, points_ - begin);
    flags_.fill(loaded ? 0 : -1);
    if (loaded && !failing_.empty()) {
      for (size_t i = 0; i < kLanes; ++i) flags_[i] = flag(failing_[begin + i] != 0);
    }
    for (const Step& step : steps_) {
      if (loaded) run(step, part);
    }
    const double* const result = lanes(result_, part);
    uint8_t* const truth = truth_.data() + begin;
    int64_t flagged = 0;
    for (size_t i = 0; i < kLanes; ++i) truth[i] = result[i] != 0 ? 1 : 0;
    for (size_t i = 0; i < kLanes; ++i) flagged |= flags_[i];
    for (size_t i = 0; flagged != 0 && i < count; ++i) {
      if (flags_[i] != 0) truth[i] = singly(staged, begin + i) ? 1 : 0;
    }
    if (count == kLanes) {
      for (size_t i = 0; i < kLanes; ++i) any |= truth[i];
    } else {
      for (size_t i = 0; i < count; ++i) any |= truth[i];
    }
  }
  return any != 0;
}

/// The truth of one point by the staged expression itself.
bool ColumnExpression::singly(StagedExpression& staged, size_t point) {
  bool changed = false;
  for (size_t i = 0; i < widths_.size(); ++i) {
    const size_t place = point / strides_[i] % widths_[i];
    changed = changed || places_[i] != place;
    if (changed) staged.set(first_ + i, place);
    places_[i] = place;
  }
  return staged.holds();
}

void ColumnExpression::row(size_t point, size_t count, std::span<uint64_t> bits) const {
  constexpr size_t kBits = 64;
  static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");
  const uint8_t* truth = truth_.data() + point;
  for (uint64_t& word : bits) {
    word = 0;
    const size_t here = std::min(count, kBits);
    for (size_t i = 0; i < here; i += 8) {
      uint64_t eight = 0;
      std::memcpy(&eight, truth + i, sizeof eight);
      // Gathers the lowest bits of eight bytes, the first byte's lowest.
      word |= (eight * 0x0102040810204080u >> 56) << i;
    }
    if (here < kBits) word &= (uint64_t{1} << here) - 1;
    truth += here;
    count -= here;
  }
}

}  // namespace tilewright
