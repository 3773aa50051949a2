#include "db/formats/catlass_csv.h"

#include <fmt/format.h>

#include "db/formats/csv_table.h"

namespace tilewright {

namespace {

constexpr const char* kHeader =
    "case_id,task_duration(us),device_id,operation,description,l0_tile_shape,l1_tile_shape,"
    "swizzle,m,n,k,A,B,C\n";
constexpr size_t kTensors = 3;

bool is_product(const Problem& problem) {
  return problem.has("m") && problem.has("n") && problem.has("k") &&
         problem.types.size() == kTensors && problem.layouts.size() == kTensors;
}

const char* type_name(DType type) {
  switch (type) {
    case DType::kF32:
      return "fp32";
    case DType::kF16:
      return "fp16";
    case DType::kBF16:
      return "bf16";
    case DType::kI8:
      return "int8";
    case DType::kI32:
      return "int32";
  }
  return "";
}

/// CATLASS's word for a layout: the fractal format is its zN.
std::string layout_name(const std::string& layout) {
  if (layout == "nd") return "row";
  return layout == "nz" ? "zN" : layout;
}

std::string tile_shape(const Config& config, const char* depth) {
  if (!config.has("tile_m") || !config.has("tile_n") || !config.has(depth)) return "";
  return fmt::format("{}x{}x{}", config.at("tile_m"), config.at("tile_n"), config.at(depth));
}

}  // namespace

std::string write_catlass_csv(std::span<const ResultTable> tables, int64_t& left_out) {
  std::string text = kHeader;
  int64_t case_id = 0;
  left_out = 0;
  for (const ResultTable& table : tables) {
    const Problem& problem = table.problem;
    if (!is_product(problem)) {
      ++left_out;
      continue;
    }
    std::string tensors;
    for (size_t i = 0; i < kTensors; ++i) {
      tensors +=
          fmt::format(",{}:{}", type_name(problem.types[i]), layout_name(problem.layouts[i]));
    }
    for (const ResultRow& row : table.rows) {
      if (row.status != AttemptStatus::kOk) continue;
      const Config config = table.config(row);
      text += fmt::format("{},{},0,Gemm,{},{},{},{},{},{},{}{}\n", case_id++, row.time_us,
                          csv_field(fmt::format("{} {}", problem.kernel, config.text())),
                          tile_shape(config, "tile_k0"), tile_shape(config, "tile_k"),
                          config.has("swizzle") ? std::to_string(config.at("swizzle")) : "",
                          problem.size("m"), problem.size("n"), problem.size("k"), tensors);
    }
  }
  return text;
}

}  // namespace tilewright
