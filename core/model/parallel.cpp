#include "core/model/parallel.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

void require_divides(int64_t tp, int64_t count, std::string_view what) {
  if (count % tp == 0) return;
  throw Error(
      ErrorKind::kUsage,
      fmt::format("tp {} does not divide the model's {} {}; choose a divisor", tp, count, what));
}

PartRange even_share(int64_t count, int64_t parts, int64_t part) {
  return {part * (count / parts), count / parts};
}

}  // namespace

void check_parallel(const ModelConfig& model, const Parallel& parallel) {
  const auto [tp, pp] = parallel;
  if (tp < 1 || pp < 1) {
    throw Error(ErrorKind::kUsage, fmt::format("tp {} and pp {} must be at least 1", tp, pp));
  }
  require_divides(tp, model.heads, "attention heads");
  const bool has_dense = model.experts == 0 || model.dense_layers > 0;
  if (has_dense) require_divides(tp, model.intermediate, "FFN columns");
  if (model.experts > 0) require_divides(tp, model.expert_intermediate, "columns of an expert");
  if (!model.is_mla() && tp % model.kv_heads != 0 && model.kv_heads % tp != 0) {
    throw Error(ErrorKind::kUsage,
                fmt::format("tp {} neither divides nor is a multiple of the model's {} KV heads",
                            tp, model.kv_heads));
  }
  if (pp > model.layers) {
    throw Error(ErrorKind::kUsage, fmt::format("pp {} leaves stages without a layer: the model has "
                                               "{}; choose at most that many",
                                               pp, model.layers));
  }
}

PartRange query_heads(const ModelConfig& model, int64_t tp, int64_t rank) {
  return even_share(model.heads, tp, rank);
}

PartRange kv_heads(const ModelConfig& model, int64_t tp, int64_t rank) {
  if (model.kv_heads >= tp) return even_share(model.kv_heads, tp, rank);
  return {rank / (tp / model.kv_heads), 1};
}

PartRange ffn_rows(int64_t width, int64_t tp, int64_t rank) {
  return even_share(width, tp, rank);
}

PartRange vocab_rows(const ModelConfig& model, int64_t tp, int64_t rank) {
  const int64_t rows = ceil_div(model.vocab, tp);
  const int64_t first = std::min(rank * rows, model.vocab);
  return {first, std::min(rows, model.vocab - first)};
}

PartRange stage_layers(const ModelConfig& model, int64_t pp, int64_t stage) {
  const int64_t each = model.layers / pp;
  const int64_t left_over = model.layers % pp;
  // Stages pp-1-left_over .. pp-2 have one layer more.
  const int64_t first_longer = pp - 1 - left_over;
  const int64_t longer_before = std::clamp<int64_t>(stage - first_longer, 0, left_over);
  const bool longer = stage >= first_longer && stage < pp - 1;
  return {stage * each + longer_before, each + (longer ? 1 : 0)};
}

}  // namespace tilewright
