#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "app/tui/event.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_edit.h"
#include "app/tui/screen.h"
#include "app/tui/state.h"
#include "tests/app/tui_fixture.h"

namespace tilewright {

/// The workbench at its Lab, on a preset that calibration does not change.
inline State lab_state(int width = 120, int height = 40) {
  State state = test_state(width, height);
  state.screen = Screen::kLab;
  state.machine = named_machine("ascend-910b2:datasheet");
  begin_form(state);
  return state;
}

/// The one job that effects submit; null when there is none.
template <typename Job>
const Job* job_in(const Effects& effects) {
  for (const Effect& effect : effects) {
    if (const auto* submit = std::get_if<SubmitEffect>(&effect)) {
      return std::get_if<Job>(&submit->request);
    }
  }
  return nullptr;
}

/// What a run with made-up numbers found: two cores, five causes, three pieces of advice.
inline KernelOutcome made_up_outcome(const KernelRequest& request, int64_t cycles = 100'000) {
  KernelOutcome outcome;
  outcome.request = request;
  outcome.time_us = static_cast<double>(cycles) / 1000;
  outcome.flops = 3.2e6 * static_cast<double>(cycles) / 10;
  outcome.instructions = 12345;
  outcome.wall_ms = 12;
  TimingResult& timing = outcome.profile.timing;
  timing.ticks = cycles * kTicksPerCycle;
  for (const int64_t busy : {70, 50}) {
    CoreCounters core;
    for (const auto& [pipe, share] :
         {std::pair(Pipe::kCube, busy), {Pipe::kMte1, busy - 10}, {Pipe::kMte2, busy + 20}}) {
      core.busy_ticks[static_cast<size_t>(pipe)] = timing.ticks / 100 * share;
      core.instructions[static_cast<size_t>(pipe)] = 100;
    }
    timing.cores.push_back(core);
  }
  for (const Pipe pipe : {Pipe::kCube, Pipe::kMte1, Pipe::kMte2}) {
    outcome.profile.pipes.push_back({CoreKind::kAic, pipe, 2, timing.ticks, 0, 0});
  }
  timing.memory = {cycles * 1000, cycles * 900, cycles * 20, cycles * 100, 0};
  for (Breakdown* breakdown : {&timing.critical_path, &timing.engine}) {
    breakdown->add(Cause::busy(Pipe::kCube), timing.ticks / 100 * 60);
    breakdown->add(Cause::hbm(), timing.ticks / 100 * 25);
    breakdown->add(Cause::wait_data(Pipe::kMte2), timing.ticks / 1000 * 77);
    breakdown->add(Cause::launch(), timing.ticks / 1000 * 33);
    breakdown->add(Cause::tail(), timing.ticks - breakdown->total());
  }
  outcome.profile.ops = {
      {"tile[body 0] load", CoreKind::kAic, Pipe::kMte2, 128, timing.ticks, 64, 0}};
  outcome.profile.waits = {
      {CoreKind::kAic, Pipe::kCube, "flag l0_full of MTE1", 128, timing.ticks / 10}};
  outcome.roofline.components = {{Component::kCube, 0.9, 0.6}, {Component::kMteGm, 0.8, 0.8}};
  outcome.roofline.verdict = Verdict::kInefficientTransfer;
  outcome.roofline.reason = "MTE-GM is active 80.0 % of the time at 80.0 % of its peak";
  outcome.uses = {{"L1", 384 << 10, 512 << 10}};
  Config changed = request.config;
  if (changed.has("tile_k0")) changed.values[3].second = 32;
  outcome.advice = {{"deeper",
                     "the cube waits 11.8 % of the time for MTE1",
                     "made up",
                     {},
                     "tile_k0 64 -> 32",
                     request.problem,
                     changed,
                     true,
                     "",
                     outcome.time_us * 0.9,
                     0.1},
                    {"wider",
                     "each byte serves only 84 operations",
                     "made up",
                     {},
                     "tile_n 256 -> 320",
                     request.problem,
                     request.config,
                     false,
                     "needs 160 KiB of L0C",
                     outcome.time_us,
                     0}};
  return outcome;
}

/// Ends the run that is under way with a result.
inline void finish_run(State& state, KernelOutcome outcome) {
  Effects effects;
  update(state,
         JobSnapshot{.id = state.lab.job,
                     .title = "run",
                     .phase = JobPhase::kDone,
                     .failure = {},
                     .result = std::make_shared<const KernelOutcome>(std::move(outcome))},
         effects);
}

/// Runs what the form says, with made-up numbers; kept in a database that has no other runs.
inline void run_made_up(State& state, int64_t cycles) {
  const Effects effects = press(state, "r");
  KernelOutcome outcome = made_up_outcome(job_in<RunKernelJob>(effects)->request, cycles);
  outcome.run = state.lab.next_number;
  finish_run(state, std::move(outcome));
}

}  // namespace tilewright
