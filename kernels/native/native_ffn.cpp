#include "kernels/native/native_ffn.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/native/row_math.h"

namespace tilewright {

void add_rows(const std::vector<float>& part, int64_t part_stride, int64_t rows, int64_t width,
              std::vector<float>& sum) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = part.data() + row * part_stride;
    float* to = sum.data() + row * width;
    for (int64_t i = 0; i < width; ++i) to[i] += from[i];
  }
}

void NativeFfnRunner::run(const NativeLayer& layer, const RowsView& rows, std::vector<float>& sum) {
  if (model_.experts > 0) route(layer, rows);
  for (const NativeRankLayer& rank : layer.ranks) {
    if (model_.experts == 0) {
      run_one(rank.ffns[0], rows);
      add_rows(part_, rank.ffns[0].down.padded_outputs(), rows.rows, model_.hidden, sum);
    } else {
      run_experts(rank, rows);
      add_rows(mixed_, model_.hidden, rows.rows, model_.hidden, sum);
    }
  }
}

void NativeFfnRunner::run_one(const NativeFfn& ffn, const RowsView& rows) {
  ffn.gate_up.multiply(rows, gate_up_);
  const int64_t width = ffn.gate_up.padded_outputs() / 2;
  activated_.resize(std::max(activated_.size(), static_cast<size_t>(rows.rows * width)));
  for (int64_t row = 0; row < rows.rows; ++row) {
    const float* gate = gate_up_.data() + row * 2 * width;
    silu_mul_row(gate, gate + width, width, activated_.data() + row * width);
  }
  ffn.down.multiply({activated_.data(), width, rows.rows}, part_);
}

void NativeFfnRunner::route(const NativeLayer& layer, const RowsView& rows) {
  layer.router.multiply(rows, router_logits_);
  choices_.resize(static_cast<size_t>(model_.experts));
  for (auto& list : choices_) list.clear();
  const auto experts = static_cast<size_t>(model_.experts);
  const auto chosen = static_cast<size_t>(model_.experts_per_token);
  std::vector<size_t> order(experts);
  std::vector<double> powers(experts);
  for (int64_t row = 0; row < rows.rows; ++row) {
    const float* logits = router_logits_.data() + row * layer.router.padded_outputs();
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return logits[a] > logits[b]; });
    // The softmax over all and the sum over all cancel in what is left after scaling.
    double sum = 0;
    for (size_t i = 0; i < chosen; ++i) {
      powers[i] =
          std::exp(static_cast<double>(logits[order[i]]) - static_cast<double>(logits[order[0]]));
      sum += powers[i];
    }
    for (size_t i = 0; i < chosen; ++i) {
      choices_[order[i]].push_back({row, static_cast<float>(powers[i] / sum)});
    }
  }
}

void NativeFfnRunner::run_experts(const NativeRankLayer& rank, const RowsView& rows) {
  mixed_.assign(static_cast<size_t>(rows.rows * model_.hidden), 0.0f);
  for (size_t expert = 0; expert < choices_.size(); ++expert) {
    const std::vector<Choice>& choices = choices_[expert];
    if (choices.empty()) continue;
    const int64_t count = std::ssize(choices);
    gathered_.resize(static_cast<size_t>(count * model_.hidden));
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(rows.data + choices[static_cast<size_t>(i)].row * rows.stride, model_.hidden,
                  gathered_.data() + i * model_.hidden);
    }
    const NativeFfn& ffn = rank.ffns[expert];
    run_one(ffn, {gathered_.data(), model_.hidden, count});
    for (int64_t i = 0; i < count; ++i) {
      const Choice choice = choices[static_cast<size_t>(i)];
      const float* from = part_.data() + i * ffn.down.padded_outputs();
      float* to = mixed_.data() + choice.row * model_.hidden;
      for (int64_t d = 0; d < model_.hidden; ++d) to[d] += choice.weight * from[d];
    }
  }
}

}  // namespace tilewright
