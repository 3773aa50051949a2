#pragma once

#include <memory>
#include <string>
#include <utility>

#include "app/tui/export/export_data.h"
#include "app/tui/export/export_screen.h"
#include "app/tui/export/export_update.h"
#include "tests/app/results_fixture.h"

namespace tilewright {

inline Winner some_winner(int m, const std::string& op, double time, double baseline) {
  Winner winner;
  winner.kernel = "gemm";
  winner.kernel_revision = 3;
  winner.problem =
      "gemm bf16 bf16 bf16 nd nz nd m=" + std::to_string(m) + " n=4608 k=3584 epilogue=none";
  winner.ops = {op};
  winner.evaluator = "sim/2/detailed";
  winner.config =
      "tile_m=16,tile_n=256,tile_k=256,tile_k0=64,l1_buffers=2,l0_buffers=2,l0c_buffers=1,"
      "split_k=1,cores=0,swizzle=1,core_rows=0";
  winner.time_us = time;
  winner.baseline_us = baseline;
  winner.evaluations = 16;
  return winner;
}

/// A run with a winner of each state; what a hostile database may hold among them.
inline std::shared_ptr<const ExportView> some_export() {
  auto view = std::make_shared<ExportView>();
  Run& run = view->source.run;
  run.id = 12;
  run.kind = RunKind::kTune;
  run.label = "qwen2-7b chat";
  run.model = "qwen2-7b";
  run.workload = "chat";
  run.machine_name = "ascend-910b2";
  run.machine_fingerprint = "0123456789abcdef";
  run.status = RunStatus::kDone;
  const auto add = [&](Winner winner, WinnerState state, const std::string& reason, int64_t trial) {
    ListedWinner row{std::move(winner)};
    row.state = state;
    row.reason = reason;
    row.trial = trial;
    view->source.winners.push_back(std::move(row));
  };
  add(some_winner(16, "qkv", 21.73, 22.64), WinnerState::kFresh, "", 76);
  add(some_winner(32, "qkv", 25.97, 25.97), WinnerState::kNoGain,
      "no config was faster than the default", 49);
  add(some_winner(64, "qkv", 27.5, 40.1), WinnerState::kUnfinished,
      "its search was stopped after 16 configs", 0);
  Winner old = some_winner(128, "\x1b[31mqkv\n", 1e300, 0);
  old.kernel_revision = 1;
  add(old, WinnerState::kStale, "tuned with revision 1 of gemm, current is 3", 3);
  Winner foreign = some_winner(1, "", 3.5, 4);
  foreign.problem = "\x1b[2Jconv a=1";
  foreign.config = "mode=row";
  add(foreign, WinnerState::kNoPlan, "a plan holds problems sized by m, n and k", 1);
  view->formats = {"plan", "csv", "t4", "catlass"};
  view->runs = {{12, "qwen2-7b chat"}, {4, "gemm"}};
  return view;
}

/// What a worker would make of a request, without a file that is there.
inline std::shared_ptr<const ExportDraft> some_draft(const ExportRequest& request) {
  auto draft = std::make_shared<ExportDraft>();
  draft->of = request;
  draft->text.text = "{\n  \"schema\": 1,\n  \"time_us\": 21.73\n}\n";
  draft->text.tables = 1;
  draft->text.ranges = request.places.size();
  if (request.format == "plan") {
    draft->checks = {{"fit", CheckStatus::kOk, "every selected config fits ascend-910b2"},
                     {"ranges", CheckStatus::kOk, "no rows have two winners"},
                     {"tables", CheckStatus::kOk, "1 table: a look-up gives each winner's config"},
                     {"engine", CheckStatus::kOk, "the serving engine accepts the plan"}};
  }
  draft->diff = diff_lines("{\n  \"schema\": 1,\n  \"time_us\": 30.5\n}\n", draft->text.text);
  draft->has_file = true;
  return draft;
}

/// Finishes the draft that is being made, as some_draft() unless one is given.
inline void finish_draft(State& state, std::shared_ptr<const ExportDraft> draft = nullptr) {
  if (!draft) draft = some_draft(*state.exporting.asked);
  finish(state, state.exporting.draft_job, std::move(draft));
}

/// The screen with the winners of a run and the draft of what is selected.
inline State export_state(int width = 120, int height = 40, GlyphSet glyphs = GlyphSet::kUnicode) {
  State state = test_state(width, height, glyphs);
  press(state, "8");
  finish(state, state.exporting.load_job, some_export());
  finish_draft(state);
  return state;
}

}  // namespace tilewright
