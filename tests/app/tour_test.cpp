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

}  // namespace
}  // namespace tilewright
