#include "core/serving/draft_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

DraftModel::DraftModel(Executor& executor, const Capacity& model, size_t requests)
    : executor_(executor), is_functional_(model.functional), progress_(requests) {
  const Capacity draft = executor.capacity();
  if (draft.kv_blocks < model.kv_blocks || draft.block_size != model.block_size) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the draft model has {} KV blocks of {} tokens; the model needs {} of "
                            "{}, as both use the same ones",
                            draft.kv_blocks, draft.block_size, model.kv_blocks, model.block_size));
  }
  if (draft.functional != model.functional || draft.vocab != model.vocab) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the draft model has a vocabulary of {}, the model one of {}",
                            draft.vocab, model.vocab));
  }
}

DraftModel::Drafting DraftModel::follow(const StepPlan& plan, Scheduler& scheduler,
                                        Speculation& speculation, const TokenIdentity& tokens,
                                        int64_t ready_ns) {
  Drafting drafting{.end_ns = ready_ns, .ops = {}};
  Batch batch;
  batch.copies = plan.batch.copies;
  std::vector<Drafted> drafted;
  for (const SequenceSlice& slice : plan.batch.slices) {
    const RequestState& state = scheduler.requests()[static_cast<size_t>(slice.request)];
    if (state.finish != FinishReason::kNone) continue;
    Progress& progress = progress_[static_cast<size_t>(slice.request)];
    if (progress.epoch != state.preemptions) progress = {state.preemptions, slice.context};
    // Behind a chunk of the prompt more of it follows; otherwise the last token is known, too.
    const int64_t known = slice.samples ? state.length() : state.computed;
    SequenceSlice own = {.request = slice.request,
                         .context = progress.tokens,
                         .tokens = known - progress.tokens,
                         .samples = slice.samples};
    own.blocks = scheduler.kv().blocks(slice.request);
    if (is_functional_) {
      own.ids = std::span(tokens.ids(slice.request))
                    .subspan(static_cast<size_t>(own.context), static_cast<size_t>(own.tokens));
    }
    progress.tokens = known;
    batch.slices.push_back(own);
    if (!slice.samples) continue;
    const int64_t wanted = std::min(speculation.most(), scheduler.most_drafts(slice.request));
    drafted.push_back({slice.request, wanted, {}});
  }
  if (batch.slices.empty()) return drafting;
  execute(batch, drafted, drafting);
  extend(drafted, scheduler, drafting);
  for (Drafted& one : drafted) {
    one.drafts.resize(static_cast<size_t>(one.wanted));
    scheduler.set_drafts(one.request, one.wanted);
    speculation.set(one.request, std::move(one.drafts));
  }
  return drafting;
}

void DraftModel::extend(std::vector<Drafted>& drafted, const Scheduler& scheduler,
                        Drafting& drafting) {
  for (int64_t made = 1;; ++made) {
    Batch batch;
    std::vector<Drafted> going_on;
    std::vector<size_t> places;
    for (size_t i = 0; i < drafted.size(); ++i) {
      if (drafted[i].wanted <= made) continue;
      const int64_t request = drafted[i].request;
      const int64_t known = scheduler.requests()[static_cast<size_t>(request)].length();
      SequenceSlice slice = {
          .request = request, .context = known + made - 1, .tokens = 1, .samples = true};
      slice.blocks = scheduler.kv().blocks(request);
      if (is_functional_) slice.ids = std::span(drafted[i].drafts).last(1);
      batch.slices.push_back(slice);
      places.push_back(i);
    }
    if (batch.slices.empty()) return;
    for (size_t place : places) going_on.push_back({drafted[place].request, 0, {}});
    execute(batch, going_on, drafting);
    for (size_t i = 0; i < places.size(); ++i) {
      std::vector<int32_t>& drafts = drafted[places[i]].drafts;
      drafts.insert(drafts.end(), going_on[i].drafts.begin(), going_on[i].drafts.end());
    }
  }
}

void DraftModel::execute(const Batch& batch, std::vector<Drafted>& drafted, Drafting& drafting) {
  const Execution done = executor_.execute(batch, drafting.end_ns);
  drafting.end_ns = done.end_ns;
  for (const OpTime& op : done.ops) {
    const std::string name = "draft." + op.op;
    const auto known = std::find_if(drafting.ops.begin(), drafting.ops.end(),
                                    [&](const OpTime& one) { return one.op == name; });
    OpTime& sum =
        known == drafting.ops.end() ? drafting.ops.emplace_back(OpTime{.op = name}) : *known;
    sum.calls += op.calls;
    sum.ns += op.ns;
  }
  if (!is_functional_) return;
  TW_CHECK(done.tokens.size() == drafted.size(), "each slice that samples makes one token");
  for (size_t i = 0; i < drafted.size(); ++i) drafted[i].drafts.push_back(done.tokens[i]);
}

}  // namespace tilewright
