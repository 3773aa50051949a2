#include "kernels/executor/step_price.h"

#include <algorithm>

#include "core/base/integers.h"

namespace tilewright {

namespace {

class StagePricer {
 public:
  StagePricer(const OpTimes& times, const PriceRequest& request)
      : times_(times), request_(request) {}

  void add(const OpSection& section, bool is_last) {
    std::vector<int64_t> durations;
    int64_t attention = -1;
    for (size_t i = 0; i < section.ops.size(); ++i) {
      const ModelOp& op = section.ops[i];
      if (op.kind == OpKind::kAttention) {
        attention = static_cast<int64_t>(i);
        price_.attention_calls += section.repeat;
        durations.push_back(0);
        continue;
      }
      const bool overlaps = request_.all_reduce_parts > 1 && op.kind == OpKind::kAllReduce &&
                            i > 0 && section.ops[i - 1].kind == OpKind::kGemm;
      if (overlaps) {
        overlap(section.ops[i - 1], op, durations);
      } else {
        durations.push_back(ns(op));
      }
    }
    for (size_t i = 0; i < section.ops.size(); ++i)
      add_time(price_.times, {section.ops[i].name, section.repeat, section.repeat * durations[i]});
    price_.ops.emplace_back(durations, attention, section.repeat,
                            is_last ? request_.last_op_ns : request_.op_ns);
  }

  StagePrice take() { return std::move(price_); }

 private:
  int64_t ns(const ModelOp& op) const {
    return request_.exact ? times_.simulated_ns(op) : times_.ns(op);
  }

  /// The GEMM in parts takes the time of its parts; the all-reduce what sticks out. Where parts
  /// are slower than the whole, nothing is cut.
  void overlap(ModelOp gemm, ModelOp reduce, std::vector<int64_t>& durations) const {
    const int64_t whole_reduce = ns(reduce);
    const int64_t parts = request_.all_reduce_parts;
    const int64_t rows = round_up(ceil_div(gemm.rows, parts), kRowMultiple);
    gemm.rows = rows;
    reduce.rows = rows;
    const int64_t part_gemm = ns(gemm);
    const int64_t part_reduce = ns(reduce);
    const int64_t total = part_gemm + (parts - 1) * std::max(part_gemm, part_reduce) + part_reduce;
    if (total < durations.back() + whole_reduce) {
      durations.back() = parts * part_gemm;
      durations.push_back(total - parts * part_gemm);
    } else {
      durations.push_back(whole_reduce);
    }
  }

  const OpTimes& times_;
  const PriceRequest& request_;
  StagePrice price_;
};

}  // namespace

StagePrice price_stage(const std::vector<OpSection>& sections, const OpTimes& times,
                       const PriceRequest& request) {
  StagePricer pricer(times, request);
  for (const OpSection& section : sections) pricer.add(section, &section == &sections.back());
  return pricer.take();
}

void add_time(std::vector<OpTime>& ops, const OpTime& time) {
  const auto known = std::ranges::find(ops, time.op, &OpTime::op);
  if (known == ops.end()) {
    ops.push_back(time);
  } else {
    known->calls += time.calls;
    known->ns += time.ns;
  }
}

}  // namespace tilewright
