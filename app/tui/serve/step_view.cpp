// One step of a serving run: what it was made of, and where its time went.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/lab/lab_figures.h"
#include "app/tui/serve/serve_update.h"
#include "app/tui/serve/serve_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

/// "58 decodes + 512 prefill tokens".
std::string composition(const StepRecord& step) {
  std::string text;
  const auto add = [&](int64_t count, std::string_view what) {
    if (count <= 0) return;
    text += fmt::format("{}{} {}", text.empty() ? "" : " + ", format_count(count), what);
  };
  add(step.decodes, step.decodes == 1 ? "decode" : "decodes");
  add(step.verifies, step.verifies == 1 ? "verify" : "verifies");
  add(step.prefill_tokens, "prefill tokens");
  return text;
}

/// What the op works hardest on says its colour.
Role role_of_op(const StepOp& op) {
  if (!op.is_op) return Role::kWait;
  if (op.name == "attention") return Role::kFixp;
  for (const std::string_view part : {"reduce", "gather", "send", "wait"}) {
    if (op.name.find(part) != std::string_view::npos) return Role::kMte3;
  }
  for (const std::string_view part : {"norm", "rope", "silu", "sample", "embed", "add", "quant"}) {
    if (op.name.find(part) != std::string_view::npos) return Role::kVec;
  }
  return Role::kCube;
}

std::string problem_text(const OpKernel& kernel) {
  const Problem& problem = kernel.request.problem;
  return fmt::format("{} x  {} {} {}", kernel.calls, problem.kernel, name_of(problem.types.front()),
                     short_problem(problem));
}

std::string config_text(const OpKernel& kernel) {
  return fmt::format("{}  {}", kernel.is_tuned ? "tuned" : "default",
                     short_config(kernel.request.config));
}

/// Problem and config of an op in one line.
void draw_launches(const State& state, Canvas& canvas, const StepOp& op, int x, int y) {
  const std::vector<const OpKernel*> kernels = kernels_of(state, op.name);
  if (kernels.empty()) return;
  const int end = canvas.text(x, y, problem_text(*kernels.front())) + 2;
  canvas.text(end, y, config_text(*kernels.front()), Role::kDim, canvas.width() - end);
}

void draw_ops(const State& state, Canvas& canvas, const std::vector<StepOp>& ops, int rows) {
  const int count = static_cast<int>(ops.size());
  const int first = first_row(state.serve.op, count, rows);
  const int name = std::min(18, canvas.width() / 3);
  // With room, what each op launches stands beside it.
  constexpr int kRoomy = 100;
  const int right = canvas.width() >= kRoomy ? canvas.width() * 9 / 20 : canvas.width();
  const int bar = std::max(0, right - name - 20);
  for (int y = 0; y < rows && first + y < count; ++y) {
    const StepOp& op = ops[static_cast<size_t>(first + y)];
    canvas.text(0, y, op.name, Role::kText, name - 1);
    canvas.bar(name, y, bar, op.share, role_of_op(op));
    canvas.text_right(right - 7, y, format_us(op.ns * 1e-3));
    canvas.text_right(right, y, fmt::format("{:.1f} %", op.share * 100));
    if (right < canvas.width()) draw_launches(state, canvas, op, right + 2, y);
    if (first + y == state.serve.op && state.pane().pane == kServeStep) {
      canvas.restyle({0, y, canvas.width(), 1}, Role::kCursor);
    }
  }
}

/// The kernel of the chosen op, or why it is not known.
void draw_kernel(const State& state, Canvas& canvas, const std::vector<StepOp>& ops, int y) {
  const auto place = static_cast<size_t>(std::max(0, state.serve.op));
  if (place >= ops.size() || !ops[place].is_op) return;
  const std::string op(ops[place].name);
  const std::vector<const OpKernel*> kernels = kernels_of(state, op);
  if (!kernels.empty()) {
    canvas.text(0, y, problem_text(*kernels.front()), Role::kField);
    canvas.text(0, y + 1, config_text(*kernels.front()), Role::kDim);
    return;
  }
  if (state.serve.kernels_job != 0) {
    canvas.text(0, y, "looking for its kernel ...", Role::kDim);
  } else if (!state.serve.kernels_failure.empty()) {
    canvas.text(0, y, state.serve.kernels_failure, Role::kWarn);
  } else if (state.serve.kernels && !state.serve.kernels->missing.empty() && op == "attention") {
    canvas.text(0, y, state.serve.kernels->missing, Role::kWarn);
  }
}

/// How many of the step's GEMMs have a config of the plan.
std::string tuned_text(const State& state) {
  const std::optional<size_t> step = shown_serve_step(state);
  if (!step || !state.serve.kernels) return "";
  int tuned = 0;
  int gemms = 0;
  for (const StepOp& op : ops_of(*state.serve.view, *step)) {
    for (const OpKernel* kernel : kernels_of(state, op.name)) {
      if (!kernel->request.problem.kernel.starts_with("gemm")) continue;
      ++gemms;
      tuned += kernel->is_tuned ? 1 : 0;
    }
  }
  return gemms > 0 ? fmt::format("  {} of {} GEMMs tuned", tuned, gemms) : "";
}

std::string used_text(const ServeView& view, const StepRecord& step) {
  const Utilisation used = utilisation_of(step.work, static_cast<int64_t>(device_ns(step)),
                                          view.identity.peak_flops, view.identity.peak_bytes_per_s);
  return fmt::format("MFU {}  MBU {}  idle {}", format_share(used.mfu), format_share(used.mbu),
                     format_share(idle_share(step)));
}

}  // namespace

std::string step_title(const State& state) {
  const std::optional<size_t> place = shown_serve_step(state);
  if (!place) return "Step";
  const StepRecord& step = state.serve.view->record.steps[*place];
  const int64_t last = step.first_step + step.count - 1;
  const std::string number = step.count > 1 ? fmt::format("{}..{}, each", step.first_step, last)
                                            : std::to_string(step.first_step);
  return fmt::format("{} {}  {}  {}", state.serve.step ? "Step" : "Last step", number,
                     format_us(step_ns(step) * 1e-3), composition(step));
}

void draw_step(const State& state, Canvas canvas) {
  const std::optional<size_t> place = shown_serve_step(state);
  if (!place) {
    draw_wrapped(canvas, 0, 0, "what a step is made of, and its time by op", Role::kDim);
    return;
  }
  const ServeView& view = *state.serve.view;
  const std::vector<StepOp> ops = ops_of(view, *place);
  const bool has_kernel = state.pane().pane == kServeStep && canvas.height() >= 6;
  const int below = canvas.height() >= 3 ? 1 : 0;
  const int rows = canvas.height() - below - (has_kernel ? 2 : 0);
  draw_ops(state, canvas, ops, rows);
  if (has_kernel) draw_kernel(state, canvas, ops, rows);
  if (below > 0) {
    canvas.text(0, canvas.height() - 1,
                used_text(view, view.record.steps[*place]) + tuned_text(state), Role::kDim);
  }
}

}  // namespace tilewright
