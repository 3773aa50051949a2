#pragma once

#include <span>
#include <string>

#include "db/formats/result_table.h"

namespace tilewright {

/// Products of matrices under the column names of CATLASS's tuner: the configs that worked, table
/// by table. Tile shapes are MxNxK, that of L1 from tile_m, tile_n and tile_k, that of L0 with
/// tile_k0; they stay empty for kernels without these parameters, as does swizzle. Tables of
/// problems without m, n and k, or of other than three tensors, are counted in `left_out`.
std::string write_catlass_csv(std::span<const ResultTable> tables, int64_t& left_out);

}  // namespace tilewright
