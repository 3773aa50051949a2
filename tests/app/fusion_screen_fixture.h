#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "app/tui/fusion/fusion_cursor.h"
#include "app/tui/fusion/fusion_data.h"
#include "app/tui/fusion/fusion_screen.h"
#include "app/tui/fusion/fusion_update.h"
#include "app/tui/job_work.h"
#include "core/base/text.h"
#include "core/graph/hlo_reader.h"
#include "tests/app/results_fixture.h"

namespace tilewright {

/// A softmax before a dot, and what comes behind it.
inline const std::string kSmallGraph = R"(HloModule softmax

add_f32 { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }
max_f32 { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] maximum(a, b) }

ENTRY e {
x = f32[64,512]{1,0} parameter(0)
w = f32[512,256]{1,0} parameter(1)
scale = f32[] constant(0.125)
scales = f32[64,512]{1,0} broadcast(scale), dimensions={}
scaled = f32[64,512]{1,0} multiply(x, scales)
low = f32[] constant(-1e30)
top = f32[64]{0} reduce(scaled, low), dimensions={1}, to_apply=max_f32
tops = f32[64,512]{1,0} broadcast(top), dimensions={0}
shifted = f32[64,512]{1,0} subtract(scaled, tops)
powers = f32[64,512]{1,0} exponential(shifted)
zero = f32[] constant(0)
sum = f32[64]{0} reduce(powers, zero), dimensions={1}, to_apply=add_f32
sums = f32[64,512]{1,0} broadcast(sum), dimensions={0}
share = f32[64,512]{1,0} divide(powers, sums)
product = f32[64,256]{1,0} dot(share, w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
gate = f32[64,256]{1,0} logistic(product)
ROOT result = f32[64,256]{1,0} multiply(product, gate)
}
)";

/// Does the jobs of the screen that effects submit, as a worker would.
inline Effects work_of(State& state, const Effects& effects) {
  Effects more;
  for (const Effect& effect : effects) {
    const auto* submit = std::get_if<SubmitEffect>(&effect);
    if (!submit) continue;
    const JobProgress progress({}, [](double) {});
    const Effects after = finish(state, submit->id, do_job(submit->request, progress));
    more.insert(more.end(), after.begin(), after.end());
  }
  return more;
}

/// Presses keys one by one, each with its work.
inline void press_and_work(State& state, std::string_view names) {
  for (const std::string_view name : split(names, ' ')) work_of(state, press(state, name));
}

/// The screen with plans of a graph.
inline State fusion_state(int width = 120, int height = 40, GlyphSet glyphs = GlyphSet::kUnicode,
                          const std::string& text = kSmallGraph, const char* gemms = "off") {
  State state = test_state(width, height, glyphs);
  press(state, "5");
  set_value(state.fusion.form, "graph", "softmax.hlo");
  set_value(state.fusion.form, "gemm-fusion", gemms);
  const Effects effects = press(state, "r");
  const SubmitEffect* submit = submitted<PlanFusionJob>(effects);
  PlanFusionJob job = std::get<PlanFusionJob>(submit->request);
  job.request.planners = {"none", "xla"};
  job.program = std::make_shared<FusionProgram>(
      job.request, prepared_for_fusion(parse_hlo(text, "softmax.hlo")));
  finish(state, submit->id, do_job(job, JobProgress({}, [](double) {})));
  return state;
}

/// Puts the cursor of the graph on an op.
inline void go_to(State& state, const std::string& op) {
  const FusionGraph& graph = state.fusion.program->region(state.fusion.region);
  for (size_t i = 0; i < state.fusion.rows.size(); ++i) {
    const FusionRow& row = state.fusion.rows[i];
    if (row.op < 0 || graph.name(row.op) != op) continue;
    state.pane().pane = kFusionGraph;
    state.fusion.row.row = static_cast<int>(i);
    return;
  }
  ADD_FAILURE() << "no row of " << op;
}

}  // namespace tilewright
