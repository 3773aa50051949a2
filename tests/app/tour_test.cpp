#include "app/tui/tour.h"

#include <gtest/gtest.h>

#include "app/tui/lab/lab_run.h"
#include "app/tui/lab/lab_screen.h"
#include "tests/app/lab_fixture.h"

namespace tilewright {
namespace {

State touring() {
  State state = lab_state();
  Effects effects;
  start_tour(state, effects);
  return state;
}

TEST(Tour, AFormThatCannotBeRunIsSaidAndWaitedFor) {
  State state = touring();
  set_field_by_name(state, "tile_m 256");
  set_field_by_name(state, "tile_n 512");
  EXPECT_EQ(job_in<RunKernelJob>(press(state, "Space")), nullptr);
  EXPECT_NE(state.message.text.find("L0C"), std::string::npos) << state.message.text;
  EXPECT_EQ(state.tour->step, 0);
  set_field_by_name(state, "tile_n 64");
  EXPECT_NE(job_in<RunKernelJob>(press(state, "Space")), nullptr);
  EXPECT_EQ(state.tour->step, 1);
}

TEST(Tour, AdviceThatCannotBeFollowedIsPassedOver) {
  State state = touring();
  const Effects run = press(state, "Space");
  finish_run(state, made_up_outcome(job_in<RunKernelJob>(run)->request));
  press(state, "Space");
  ASSERT_EQ(state.pane().pane, static_cast<int>(LabPane::kAdvice));
  press(state, "j");
  ASSERT_FALSE(chosen_advice(state.lab)->is_feasible);
  EXPECT_NE(draw(state).text().find("No advice pays"), std::string::npos);
  EXPECT_EQ(job_in<RunKernelJob>(press(state, "Space")), nullptr);
  EXPECT_EQ(state.tour->step, 3);
}

TEST(Tour, ItsSearchesLeaveTheTuneFormAsItWas) {
  State state = touring();
  state.tune.form.budget = "evaluations=1000";
  state.tune.form.target = "mine";
  const std::vector<std::string> searches = {"--budget evaluations=40", "--limit 6"};
  size_t found = 0;
  for (int step = 0; step < 12 && found < searches.size() && state.tour; ++step) {
    const Effects effects = press(state, "Space");
    if (const auto* run = job_in<RunKernelJob>(effects)) {
      finish_run(state, made_up_outcome(run->request));
    }
    const auto* tune = job_in<TuneJob>(effects);
    state.jobs.clear();
    if (!tune) continue;
    EXPECT_NE(tune->command_line.find(searches[found++]), std::string::npos) << tune->command_line;
    EXPECT_EQ(state.tune.form.budget, "evaluations=1000");
    EXPECT_EQ(state.tune.form.target, "mine");
    EXPECT_EQ(state.tune.form.options, "");
  }
  EXPECT_EQ(found, searches.size());
}

}  // namespace
}  // namespace tilewright
