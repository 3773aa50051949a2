#include "core/space/staged_expression.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace tilewright {

namespace {

using Instruction = ExpressionProgram::Instruction;

constexpr int kConstant = -1;  // the stage of what depends on no input
constexpr size_t kWordsPerValue = 3;

bool takes_three(const Instruction& instruction) {
  return instruction.op == Operator::kSelect;
}

/// The stage at which each register has its value.
std::vector<int> stages_of(const ExpressionProgram& program, std::span<const size_t> order) {
  std::vector<int> stage(program.registers.size(), kConstant);
  for (size_t k = 0; k < order.size(); ++k) stage[order[k]] = static_cast<int>(k);
  for (const Instruction& instruction : program.code) {
    int last = std::max(stage[instruction.a], stage[instruction.b]);
    if (takes_three(instruction)) last = std::max(last, stage[instruction.c]);
    stage[instruction.out] = last;
  }
  return stage;
}

/// The largest magnitude of a register that holds whole numbers alone; NaN of others.
double magnitude_of(std::span<const ExpressionValue> values) {
  double most = 0;
  for (const ExpressionValue& value : values) {
    if (!value.is_whole()) return std::nan("");
    most = std::max(most, std::fabs(static_cast<double>(value.integer)));
  }
  return most;
}

/// Reorders sums and products of whole numbers that cannot overflow, so that what is known first is
/// joined first: h * g * ... * a of parameters a to h keeps one number from stage to stage, where
/// the order as written would keep all of them. The results are the same.
class Reordering {
 public:
  Reordering(const ExpressionProgram& program, std::span<const size_t> order,
             std::span<const std::vector<ExpressionValue>> domains)
      : program_(program),
        stage_(stages_of(program, order)),
        uses_(program.registers.size(), 0),
        inside_(program.registers.size(), 0),
        maker_(program.registers.size(), nullptr),
        magnitude_(program.registers.size()) {
    for (size_t i = 0; i < magnitude_.size(); ++i) {
      magnitude_[i] = magnitude_of({&program.registers[i], 1});
    }
    for (size_t k = 0; k < order.size(); ++k) magnitude_[order[k]] = magnitude_of(domains[k]);
    ++uses_[program.result];
    for (const Instruction& instruction : program.code) {
      maker_[instruction.out] = &instruction;
      ++uses_[instruction.a];
      ++uses_[instruction.b];
      if (takes_three(instruction)) ++uses_[instruction.c];
      magnitude_[instruction.out] = result_magnitude(instruction);
    }
    for (const Instruction& outer : program.code) {
      for (const uint32_t operand : {outer.a, outer.b}) {
        if (inner(outer, operand)) inside_[operand] = 1;
      }
    }
  }

  ExpressionProgram reordered() const {
    ExpressionProgram result = program_;
    result.code.clear();
    for (const Instruction& instruction : program_.code) {
      if (inside_[instruction.out] != 0) continue;
      std::vector<uint32_t> leaves;
      std::vector<uint32_t> outs;
      if (joins(instruction.op)) collect(instruction, leaves, outs);
      if (outs.empty()) {
        result.code.push_back(instruction);
        continue;
      }
      std::ranges::stable_sort(leaves, {}, [&](uint32_t leaf) { return stage_[leaf]; });
      uint32_t left = leaves[0];
      for (size_t i = 1; i < leaves.size(); ++i) {
        const uint32_t out = i + 1 == leaves.size() ? instruction.out : outs[i];
        result.code.push_back({instruction.op, out, left, leaves[i], 0});
        left = out;
      }
    }
    return result;
  }

 private:
  static bool joins(Operator op) { return op == Operator::kAdd || op == Operator::kMultiply; }

  double result_magnitude(const Instruction& instruction) const {
    const double a = magnitude_[instruction.a];
    const double b = magnitude_[instruction.b];
    // Every part of a sum or product, in any order, is below what this allows for the whole.
    constexpr double kMost = 4e18;
    double most = std::nan("");
    if (instruction.op == Operator::kAdd) most = a + b;
    if (instruction.op == Operator::kMultiply) most = std::max(a, 1.0) * std::max(b, 1.0);
    if (instruction.op == Operator::kMultiply && (std::isnan(a) || std::isnan(b)))
      most = std::nan("");
    return most < kMost ? most : std::nan("");
  }

  bool is_chain(const Instruction& instruction) const {
    return joins(instruction.op) && !std::isnan(magnitude_[instruction.out]);
  }

  /// The instruction that makes a register which only one of the same chain uses.
  const Instruction* inner(const Instruction& outer, uint32_t made) const {
    const Instruction* maker = maker_[made];
    const bool same = maker && maker->op == outer.op && uses_[made] == 1 && is_chain(outer);
    return same ? maker : nullptr;
  }

  void collect(const Instruction& instruction, std::vector<uint32_t>& leaves,
               std::vector<uint32_t>& outs) const {
    if (!is_chain(instruction)) return;
    outs.push_back(instruction.out);
    for (const uint32_t operand : {instruction.a, instruction.b}) {
      if (const Instruction* maker = inner(instruction, operand)) {
        collect(*maker, leaves, outs);
      } else {
        leaves.push_back(operand);
      }
    }
  }

  const ExpressionProgram& program_;
  std::vector<int> stage_;
  std::vector<int> uses_;
  std::vector<char> inside_;  // made for the same chain alone
  std::vector<const Instruction*> maker_;
  std::vector<double> magnitude_;
};

}  // namespace

StagedExpression::StagedExpression(const ExpressionProgram& written, std::span<const size_t> order,
                                   std::vector<std::vector<ExpressionValue>> domains)
    : domains_(std::move(domains)),
      inputs_(order.begin(), order.end()),
      code_(domains_.size()),
      live_(domains_.size()),
      result_(written.result) {
  const ExpressionProgram program = Reordering(written, order, domains_).reordered();
  registers_ = program.registers;
  const std::vector<int> stage = stages_of(program, order);
  std::vector<int> last_use(registers_.size(), kConstant);
  for (const Instruction& instruction : program.code) {
    const int at = stage[instruction.out];
    if (at == kConstant) {
      run(instruction, registers_);
      continue;
    }
    code_[static_cast<size_t>(at)].push_back(instruction);
    last_use[instruction.a] = std::max(last_use[instruction.a], at);
    last_use[instruction.b] = std::max(last_use[instruction.b], at);
    if (takes_three(instruction)) last_use[instruction.c] = std::max(last_use[instruction.c], at);
  }
  last_use[result_] = static_cast<int>(domains_.size());
  for (uint32_t i = 0; i < registers_.size(); ++i) {
    if (stage[i] == kConstant) continue;
    for (int k = stage[i]; k < last_use[i] && k < static_cast<int>(live_.size()); ++k) {
      live_[static_cast<size_t>(k)].push_back(i);
    }
  }
}

void StagedExpression::set(size_t stage, size_t place) {
  registers_[inputs_[stage]] = domains_[stage][place];
  for (const auto& instruction : code_[stage]) run(instruction, registers_);
}

void StagedExpression::save(size_t stage, std::vector<uint32_t>& words) const {
  words.clear();
  for (const uint32_t live : live_[stage]) {
    uint64_t bits = 0;  // of whichever member of the union there is
    std::memcpy(&bits, &registers_[live].integer, sizeof bits);
    words.push_back(static_cast<uint32_t>(registers_[live].kind));
    words.push_back(static_cast<uint32_t>(bits));
    words.push_back(static_cast<uint32_t>(bits >> 32));
  }
}

void StagedExpression::restore(size_t stage, std::span<const uint32_t> words) {
  for (size_t i = 0; i < live_[stage].size(); ++i) {
    const std::span<const uint32_t> value = words.subspan(i * kWordsPerValue, kWordsPerValue);
    ExpressionValue& target = registers_[live_[stage][i]];
    target.kind = static_cast<ExpressionValue::Kind>(value[0]);
    const uint64_t bits = value[1] | (uint64_t{value[2]} << 32);
    std::memcpy(&target.integer, &bits, sizeof bits);
  }
}

}  // namespace tilewright
