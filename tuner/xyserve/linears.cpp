#include "tuner/xyserve/linears.h"

#include "core/base/error.h"
#include "core/model/ops.h"
#include "kernels/kernel.h"

namespace tilewright {

ModelConfig rank_of_model(ModelConfig model, int64_t ranks) {
  for (int64_t* share : {&model.heads, &model.kv_heads, &model.intermediate}) {
    TW_CHECK(*share % ranks == 0, "every rank has the same share of a model");
    *share /= ranks;
  }
  return model;
}

std::vector<Linear> xyserve_linears() {
  struct Case {
    const char* model;
    int64_t ranks;
  };
  std::vector<Linear> linears;
  for (const Case& each :
       {Case{"llama-2-7b", 1}, {"llama-2-13b", 2}, {"qwen2.5-32b", 4}, {"qwen2.5-72b", 8}}) {
    const ModelConfig rank = rank_of_model(load_model(each.model), each.ranks);
    for (const ModelOp& op : decoder_ops(rank, 1, 0)) {
      if (op.kind != OpKind::kGemm) continue;
      linears.push_back({each.model, each.ranks, op.name, op.columns, op.depth});
    }
  }
  return linears;
}

Problem linear_problem(const Linear& linear, int64_t m, const std::string& kernel,
                       const std::string& layout) {
  ProblemRequest request;
  request.sizes = {{"m", m}, {"n", linear.n}, {"k", linear.k}};
  request.dtype = "f16";
  request.layout = layout;
  return find_kernel(kernel).problem(request);
}

}  // namespace tilewright
