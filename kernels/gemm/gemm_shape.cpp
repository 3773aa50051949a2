#include "kernels/gemm/gemm_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "core/base/random.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

using Activation = Epilogue::Activation;

void set_activation(Epilogue& epilogue, Activation activation, std::string_view text) {
  if (epilogue.activation != Activation::kNone) {
    throw Error(ErrorKind::kUsage,
                fmt::format("epilogue '{}' has two activations; give one of relu, gelu, silu_mul",
                            printable(text)));
  }
  epilogue.activation = activation;
}

void add_part(Epilogue& epilogue, std::string_view part, std::string_view text) {
  if (part == "bias") {
    epilogue.bias = true;
  } else if (part == "dequant" || part == "dequant_token") {
    epilogue.column_scales = true;
    epilogue.row_scales = epilogue.row_scales || part == "dequant_token";
  } else if (part == "relu") {
    set_activation(epilogue, Activation::kRelu, text);
  } else if (part == "gelu") {
    set_activation(epilogue, Activation::kGelu, text);
  } else if (part == "silu_mul") {
    set_activation(epilogue, Activation::kSiluMul, text);
  } else if (part == "residual") {
    epilogue.residual = true;
  } else {
    const std::vector<std::string> known = {"bias", "dequant",  "dequant_token", "relu",
                                            "gelu", "silu_mul", "residual"};
    throw Error(ErrorKind::kUsage,
                fmt::format("unknown epilogue '{}'{} (known: none, or {} joined by '+')",
                            printable(part), did_you_mean(part, known), join(known, ", ")));
  }
}

}  // namespace

std::string Epilogue::text() const {
  std::vector<std::string> parts;
  if (bias) parts.emplace_back("bias");
  if (column_scales) parts.emplace_back(row_scales ? "dequant_token" : "dequant");
  if (activation == Activation::kRelu) parts.emplace_back("relu");
  if (activation == Activation::kGelu) parts.emplace_back("gelu");
  if (activation == Activation::kSiluMul) parts.emplace_back("silu_mul");
  if (residual) parts.emplace_back("residual");
  return parts.empty() ? "none" : join(parts, "+");
}

bool Epilogue::needs_vectors() const {
  return row_scales || residual || activation == Activation::kGelu ||
         activation == Activation::kSiluMul;
}

Epilogue parse_epilogue(std::string_view text) {
  Epilogue epilogue;
  if (text.empty() || text == "none") return epilogue;
  std::vector<std::string_view> seen;
  for (const std::string_view part : split(text, '+')) {
    if (std::ranges::find(seen, part) != seen.end()) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("epilogue '{}' has {} twice", printable(text), printable(part)));
    }
    seen.push_back(part);
    add_part(epilogue, part, text);
  }
  return epilogue;
}

std::vector<std::string> epilogue_texts() {
  std::vector<std::string> texts;
  for (const bool residual : {false, true}) {
    for (const auto& [columns, rows] : {std::pair(false, false), {true, false}, {true, true}}) {
      for (const bool bias : {false, true}) {
        for (const Activation activation :
             {Activation::kNone, Activation::kRelu, Activation::kGelu, Activation::kSiluMul}) {
          Epilogue epilogue;
          epilogue.bias = bias;
          epilogue.column_scales = columns;
          epilogue.row_scales = rows;
          epilogue.activation = activation;
          epilogue.residual = residual;
          texts.push_back(epilogue.text());
        }
      }
    }
  }
  return texts;
}

int64_t GemmShape::stored_k() const {
  return fractal ? round_up(k, 16) : k;
}

int64_t GemmShape::stored_n() const {
  return fractal ? round_up(n, 32 / bytes_of(type)) : n;
}

int64_t GemmShape::column_unit() const {
  return std::max<int64_t>(16, 32 / bytes_of(type));
}

TaskGrid GemmShape::grid(int64_t tile_m, int64_t tile_n, int64_t parts) const {
  TaskGrid grid;
  for (const int64_t rows : expert_rows) grid.rows.push_back(ceil_div(rows, tile_m));
  grid.columns = ceil_div(n, tile_n);
  grid.parts = parts;
  return grid;
}

GemmShape gemm_shape(const Problem& problem) {
  GemmShape shape;
  shape.type = problem.types[0];
  shape.out = problem.types[2];
  shape.fractal = problem.layouts[1] == "nz";
  shape.m = problem.size("m");
  shape.n = problem.size("n");
  shape.k = problem.size("k");
  shape.epilogue = parse_epilogue(problem.epilogue);
  shape.expert_rows = {shape.m};
  if (problem.has("experts")) {
    shape.expert_rows = rows_of_experts(problem.size("experts"), shape.m, problem.size("skew"));
  }
  return shape;
}

std::vector<int64_t> rows_of_experts(int64_t experts, int64_t rows, int64_t skew) {
  const auto count = static_cast<size_t>(experts);
  // The ranks: experts in the order of a hash of their number.
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [](size_t a, size_t b) {
    return mix_bits(a, 0x9e3779b97f4a7c15) < mix_bits(b, 0x9e3779b97f4a7c15);
  });
  std::vector<double> weights(count);
  for (size_t rank = 0; rank < count; ++rank) {
    weights[order[rank]] =
        std::pow(static_cast<double>(rank + 1), -static_cast<double>(skew) / 100);
  }
  const double all = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int64_t> shares(count);
  std::vector<double> remainders(count);
  int64_t left = rows;
  for (size_t e = 0; e < count; ++e) {
    const double exact = static_cast<double>(rows) * weights[e] / all;
    shares[e] = std::min(left, static_cast<int64_t>(exact));
    remainders[e] = exact - static_cast<double>(shares[e]);
    left -= shares[e];
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  for (size_t i = 0; left > 0; ++i, --left) ++shares[order[i % count]];
  return shares;
}

}  // namespace tilewright
