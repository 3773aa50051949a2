#include "core/graph/op_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "core/base/text.h"

namespace tilewright {
namespace {

/// Calls `take(reader, operand)` for each pair of ops of which one reads the other, once, readers
/// ascending.
template <class Take>
void for_each_use(const Computation& computation, const Take& take) {
  std::vector<int32_t> last_reader(computation.ops.size(), -1);
  for (size_t i = 0; i < computation.ops.size(); ++i) {
    const auto reader = static_cast<int32_t>(i);
    for (const int32_t operand : computation.ops[i].operands) {
      int32_t& last = last_reader[static_cast<size_t>(operand)];
      if (last == reader) continue;
      last = reader;
      take(reader, operand);
    }
  }
}

}  // namespace

std::string_view name_of(CompareDirection direction) {
  constexpr std::array<std::string_view, 6> kNames = {"EQ", "NE", "GE", "GT", "LE", "LT"};
  return kNames[static_cast<size_t>(direction)];
}

bool Literal::operator==(const Literal& other) const {
  const auto same_bits = [](double a, double b) {
    return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
  };
  return elided == other.elided && integers == other.integers && parts == other.parts &&
         std::equal(floats.begin(), floats.end(), other.floats.begin(), other.floats.end(),
                    same_bits);
}

bool Op::operator==(const Op& other) const {
  return name == other.name && opcode == other.opcode && shape == other.shape &&
         operands == other.operands && control_predecessors == other.control_predecessors &&
         called == other.called && attributes == other.attributes && notes == other.notes;
}

bool Computation::operator==(const Computation& other) const {
  return name == other.name && ops == other.ops && parameters == other.parameters &&
         root == other.root && notes == other.notes;
}

bool OpGraph::operator==(const OpGraph& other) const {
  return name == other.name && computations == other.computations && entry == other.entry &&
         input_output_alias == other.input_output_alias && notes == other.notes;
}

Users::Users(const Computation& computation) : first_(computation.ops.size() + 1, 0) {
  for_each_use(computation,
               [&](int32_t, int32_t operand) { ++first_[static_cast<size_t>(operand) + 1]; });
  for (size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  readers_.resize(static_cast<size_t>(first_.back()));
  std::vector<int32_t> next(first_.begin(), first_.end() - 1);
  for_each_use(computation, [&](int32_t reader, int32_t operand) {
    readers_[static_cast<size_t>(next[static_cast<size_t>(operand)]++)] = reader;
  });
}

std::span<const int32_t> Users::of(int32_t op) const {
  const auto index = static_cast<size_t>(op);
  return std::span(readers_).subspan(static_cast<size_t>(first_[index]),
                                     static_cast<size_t>(first_[index + 1] - first_[index]));
}

std::string_view find_note(std::span<const Note> notes, std::string_view name) {
  const auto at =
      std::find_if(notes.begin(), notes.end(), [&](const Note& note) { return note.name == name; });
  return at == notes.end() ? std::string_view{} : at->value;
}

std::string_view origin_of(const Op& op) {
  constexpr std::string_view kKey = "op_name=\"";
  const std::string_view metadata = find_note(op.notes, "metadata");
  const size_t begin = metadata.find(kKey);
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = metadata.substr(begin + kKey.size());
  return rest.substr(0, rest.find('"'));
}

std::string place_of(const OpGraph& graph, const Op& op) {
  const std::string where = op.line > 0 ? fmt::format("{}:{}: ", graph.source, op.line) : "";
  return fmt::format("{}op '{}'", where, printable(op.name));
}

int64_t op_count(const OpGraph& graph) {
  int64_t count = 0;
  for (const Computation& computation : graph.computations) {
    count += static_cast<int64_t>(computation.ops.size());
  }
  return count;
}

}  // namespace tilewright
