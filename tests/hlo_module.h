#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/graph/hlo_reader.h"

namespace tilewright {

/// A module of one computation with these ops, one a line; the last one is the root.
inline std::string module_of(const std::string& ops) {
  return "HloModule m\n\nENTRY e {\n" + ops + "\n}\n";
}

/// The same behind scalar functions of f32 that ops may call: "sum", "larger" (gives pred), and
/// "pair_sum" of two values at once.
inline std::string module_with_functions(const std::string& ops) {
  return R"(HloModule m
sum { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }
larger { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = pred[] compare(a, b), direction=GT }
pair_sum {
  a = f32[] parameter(0)
  b = f32[] parameter(1)
  c = f32[] parameter(2)
  d = f32[] parameter(3)
  x = f32[] add(a, c)
  y = f32[] add(b, d)
  ROOT r = (f32[], f32[]) tuple(x, y)
}
ENTRY e {
)" + ops +
         "\n}\n";
}

/// What reading the text as "m.hlo" complains about; empty when it is accepted.
inline std::string hlo_error(const std::string& text) {
  try {
    parse_hlo(text, "m.hlo");
    return "";
  } catch (const Error& error) {
    return error.message();
  }
}

/// The real modules beside the project, in the order of their names; none where they are absent.
inline std::vector<std::string> data_modules() {
  const char* set = std::getenv("TILEWRIGHT_DATA");
  const std::string folder =
      (set ? std::string(set) : std::string(TILEWRIGHT_SOURCE_DIR "/../shared/data")) + "/hlo";
  std::vector<std::string> paths;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().extension() == ".hlo") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace tilewright
