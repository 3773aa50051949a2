#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/graph/hlo_reader.h"
#include "core/graph/interpreter.h"

namespace tilewright {

/// Computations that the tests' ops apply: sum, largest, product, second (of two) on f32; sum_bf16;
/// sum_s32; less (f32 comparator).
inline const std::string kBodies = R"(
sum {
  a = f32[] parameter(0)
  b = f32[] parameter(1)
  ROOT r = f32[] add(a, b)
}

sum_bf16 {
  a = bf16[] parameter(0)
  b = bf16[] parameter(1)
  ROOT r = bf16[] add(a, b)
}

sum_s32 {
  a = s32[] parameter(0)
  b = s32[] parameter(1)
  ROOT r = s32[] add(a, b)
}

largest {
  a = f32[] parameter(0)
  b = f32[] parameter(1)
  ROOT r = f32[] maximum(a, b)
}

second {
  a = f32[] parameter(0)
  ROOT b = f32[] parameter(1)
}

less {
  a = f32[] parameter(0)
  b = f32[] parameter(1)
  ROOT r = pred[] compare(a, b), direction=LT
}

at_least {
  a = f32[] parameter(0)
  b = f32[] parameter(1)
  ROOT r = pred[] compare(a, b), direction=GE
}
)";

/// A module of those, of `more` computations, and of an entry of `lines`, the last of them the
/// root.
inline OpGraph graph_of(const std::string& lines, const std::string& more = "") {
  const size_t last = lines.rfind('\n');
  const size_t root = last == std::string::npos ? 0 : last + 1;
  const std::string entry = lines.substr(0, root) + "ROOT " + lines.substr(root);
  return parse_hlo("HloModule m\n" + kBodies + more + "\nENTRY main {\n" + entry + "\n}\n",
                   "m.hlo");
}

inline Value evaluate(const std::string& lines, Arithmetic arithmetic = Arithmetic::kExact,
                      const std::string& more = "", const std::vector<Value>& inputs = {}) {
  return interpret(graph_of(lines, more), inputs, {.arithmetic = arithmetic});
}

/// The numbers of what a graph without inputs gives.
inline std::vector<double> floats(const std::string& lines,
                                  Arithmetic arithmetic = Arithmetic::kExact,
                                  const std::string& more = "") {
  return evaluate(lines, arithmetic, more).numbers();
}

inline std::vector<int64_t> integers(const std::string& lines, const std::string& more = "") {
  return evaluate(lines, Arithmetic::kExact, more).integers();
}

}  // namespace tilewright
