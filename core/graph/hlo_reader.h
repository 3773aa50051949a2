#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/graph/op_graph.h"

namespace tilewright {

/// Reads XLA HLO text modules, in every style in which XLA prints them: names with or without '%',
/// operands with or without shapes, tables of source locations (which are skipped), scheduled
/// modules, layouts with tiles, constants whose values were left out. Opcodes that HLO does not
/// have become HloOpcode::kUnknown. See docs/formats.md for what is kept of a module.

/// Longest text of a module. Reading takes time and memory proportional to it.
inline constexpr int64_t kMaxHloBytes = int64_t{64} << 20;
/// Most ops of a module, in all of its computations.
inline constexpr int64_t kMaxHloOps = 500'000;

/// The module of `text` with the invariants of OpGraph; `source` names it in errors. Error
/// (failed), "source:line:column: what", for a syntax error, names that are missing or twice,
/// circles of ops or of computations, sizes beyond counting, and shapes that the operands do not
/// give ("source: line: op ...").
OpGraph parse_hlo(std::string_view text, const std::string& source);

/// The module of a file. Error (not found) when it does not exist, (failed) when it cannot be read.
OpGraph read_hlo(const std::string& path);

}  // namespace tilewright
