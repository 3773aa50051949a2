#include "app/tui/lab/lab_form.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "app/tui/command_table.h"
#include "core/base/error.h"
#include "kernels/kernel.h"
#include "tests/app/lab_fixture.h"

namespace tilewright {
namespace {

void set(State& state, std::string_view assignment) {
  Effects effects;
  start_command(state, *command_named(Screen::kLab, "set"), assignment, effects);
}

int64_t parameter(const State& state, std::string_view name) {
  return state.lab.form.config.at(name);
}

TEST(LabForm, BeginsWithAKernelThatCanBeRunAtOnce) {
  const State state = lab_state();
  EXPECT_EQ(state.lab.form.kernel, "gemm");
  EXPECT_TRUE(state.lab.check.can_run()) << state.lab.check.wrong;
  EXPECT_EQ(state.lab.form.config, state.lab.check.fallback);
  EXPECT_EQ(state.lab.check.tasks, 128);
  EXPECT_EQ(state.lab.check.most_tasks, 6);
  EXPECT_EQ(state.lab.check.full_cores, 8);
}

TEST(LabForm, EveryKernelCanBeChosenAndChangedInEveryField) {
  for (const Kernel* kernel : all_kernels()) {
    State state = lab_state();
    set(state, "kernel " + kernel->name());
    ASSERT_EQ(state.lab.form.kernel, kernel->name());
    EXPECT_TRUE(state.lab.check.can_run()) << kernel->name() << ": " << state.lab.check.wrong;
    EXPECT_GT(state.lab.check.tasks, 0) << kernel->name();
    for (int field = 0; field < static_cast<int>(state.lab.fields.size()); ++field) {
      state.lab.field = field;
      press(state, ">");
      press(state, "<");
      EXPECT_EQ(draw(state).width(), 120);
    }
  }
}

TEST(LabForm, StepsLeadThroughLegalValuesAndStopAtTheEnds) {
  State state = lab_state();
  press(state, "G");
  EXPECT_EQ(chosen_field(state.lab).name, "core_rows");
  press(state, ">");
  EXPECT_EQ(parameter(state, "core_rows"), 3);
  press(state, "< <");
  EXPECT_EQ(parameter(state, "core_rows"), 0);
  EXPECT_NE(state.message.text.find("is the first of"), std::string::npos);
}

TEST(LabForm, SizesStepThroughPowersOfTwoAndHalfways) {
  LabField field{LabField::Kind::kSize, "m", "1000", "", {"512", "768", "1024", "1536"}};
  EXPECT_EQ(stepped(field, 1), "1024");
  EXPECT_EQ(stepped(field, -1), "768");
  field.value = "5000";
  EXPECT_EQ(stepped(field, 1), "1536");
  EXPECT_EQ(stepped(field, -1), "1536");
  field.value = "1";
  EXPECT_EQ(stepped(field, -1), "512");
}

TEST(LabForm, ConfigsThatDoNotFitStayAndNameTheBuffer) {
  State state = lab_state();
  set(state, "tile_k0 128");
  EXPECT_EQ(parameter(state, "tile_k0"), 128);
  EXPECT_FALSE(state.lab.check.can_run());
  EXPECT_EQ(state.lab.check.broken, "L0B");
  EXPECT_NE(state.message.text.find("L0B"), std::string::npos);
  EXPECT_EQ(job_in<RunKernelJob>(press(state, "Enter")), nullptr);
  const std::string screen = draw(state).text();
  EXPECT_NE(screen.find("128 KiB / 64 KiB !"), std::string::npos) << screen;
}

TEST(LabForm, ANumberIsTypedAfterE) {
  const struct {
    const char* keys;
    int64_t m;
  } cases[] = {
      {"e 5 0 0 Enter", 500}, {"e 5 0 0 Tab", 500},
      {"e 5 0 0 Esc", 1000},  {"e 5 0 Backspace j", 5},
      {"e 5 0 Up", 50},       {"e 5 Backspace Enter", 1000},
      {"e Enter", 1000},      {"e 0 0 7 Enter", 7},
      {"e 0 Enter", 1000},    {"e 1 2 3 4 5 6 7 8 9 0 1 2 3 4 Enter", 1000},
  };
  for (const auto& expected : cases) {
    State state = lab_state();
    state.lab.field = 2;
    ASSERT_EQ(chosen_field(state.lab).name, "m");
    press(state, expected.keys);
    EXPECT_EQ(state.lab.form.sizes[0].second, expected.m) << expected.keys;
    EXPECT_FALSE(state.lab.typing) << expected.keys;
    EXPECT_EQ(state.screen, Screen::kLab);
  }
}

TEST(LabForm, DigitsChooseAScreenUnlessANumberIsTyped) {
  State state = lab_state();
  state.lab.field = 2;
  press(state, "1");
  EXPECT_EQ(state.screen, Screen::kHome);
  press(state, "2 e 1");
  EXPECT_EQ(state.screen, Screen::kLab);
  EXPECT_EQ(state.lab.typing, "1");
  press(state, "Esc 3");
  EXPECT_EQ(state.screen, Screen::kTimeline);
}

TEST(LabForm, TabSetsTheNumberAndGoesToTheNextField) {
  State state = lab_state();
  state.lab.field = 2;
  press(state, "e 5 1 2 Tab");
  EXPECT_EQ(state.lab.form.sizes[0].second, 512);
  EXPECT_EQ(chosen_field(state.lab).name, "n");
  press(state, "e 6 4 Shift-Tab");
  EXPECT_EQ(state.lab.form.sizes[1].second, 64);
  EXPECT_EQ(chosen_field(state.lab).name, "m");
}

TEST(LabForm, OnlyNumbersAreTyped) {
  State state = lab_state();
  press(state, "e");
  EXPECT_FALSE(state.lab.typing);
  EXPECT_NE(state.message.text.find("kernel is no number"), std::string::npos)
      << state.message.text;
}

TEST(LabForm, TheHintsSayHowTypingEnds) {
  State state = lab_state();
  state.lab.field = 2;
  EXPECT_NE(draw(state).text().find("e edit"), std::string::npos);
  press(state, "e 5");
  const std::string typing = draw(state).text();
  EXPECT_NE(typing.find("Enter set  Esc cancel"), std::string::npos) << typing;
  EXPECT_EQ(typing.find("? help"), std::string::npos);
  press(state, "Esc");
  EXPECT_NE(draw(state).text().find("? help"), std::string::npos);
}

TEST(LabForm, WhatFitsFollowsTheNumberThatIsTyped) {
  State state = lab_state();
  while (chosen_field(state.lab).name != "tile_k0") press(state, "j");
  press(state, "e 1 2 8");
  const std::string screen = draw(state).text();
  EXPECT_NE(screen.find("would fit?"), std::string::npos) << screen;
  EXPECT_NE(screen.find("128 KiB / 64 KiB !"), std::string::npos) << screen;
  EXPECT_EQ(parameter(state, "tile_k0"), 64);
  press(state, "Esc");
  EXPECT_EQ(draw(state).text().find("would fit?"), std::string::npos);
}

TEST(LabForm, WhatCannotBeIsSaidAndKept) {
  const struct {
    const char* assignment;
    const char* part;
  } cases[] = {
      {"m 0", "outside 1"},
      {"m 2147483648", "outside 1"},
      {"m 99999999999999999999", "m"},
      {"m -5", "outside 1"},
      {"m 12x", "m"},
      {"m", "needs a value"},
      {"tile_q 16", "unknown field 'tile_q'"},
      {"dtype f8", "dtype is not 'f8'"},
      {"kernel gem", "did you mean 'gemm'"},
      {"machine nowhere.json", "nowhere.json"},
      {"tile_m 100", "tile_m=100 is not one of"},
      {"tile_m 0", "tile_m=0 is not one of"},
  };
  for (const auto& expected : cases) {
    State state = lab_state();
    const LabForm before = state.lab.form;
    set(state, expected.assignment);
    EXPECT_NE(state.message.text.find(expected.part), std::string::npos)
        << expected.assignment << ": " << state.message.text;
    EXPECT_EQ(draw(state).height(), 40);
    EXPECT_TRUE(state.lab.form == before) << "the form keeps what it had";
  }
}

TEST(LabForm, ParametersOfAnInvalidProblemAreRefusedWithItsReason) {
  State state = lab_state();
  for (const char* size : {"m 2147483647", "n 2147483647"}) set(state, size);
  ASSERT_FALSE(state.lab.check.has_problem);
  set(state, "tile_m 64");
  EXPECT_NE(state.message.text.find("while the problem is invalid: sizes m=2147483647"),
            std::string::npos)
      << state.message.text;
}

TEST(LabForm, HugeSizesAreCheckedAtOnceAndNotCounted) {
  State state = lab_state();
  for (const char* size : {"m 2147483647", "n 2147483647", "k 2147483647"}) set(state, size);
  EXPECT_FALSE(state.lab.check.can_run());
  for (const char* size : {"m 65536", "n 65536", "k 64"}) set(state, size);
  EXPECT_TRUE(state.lab.check.can_run()) << state.lab.check.wrong;
  EXPECT_EQ(state.lab.check.tasks, 0);
  EXPECT_NE(draw(state).text().find("counted when it runs"), std::string::npos);
}

TEST(LabForm, TheDefaultFollowsTheProblemUntilItIsEdited) {
  State state = lab_state();
  set(state, "m 16");
  EXPECT_EQ(parameter(state, "tile_m"), 16);
  set(state, "m 1000");
  EXPECT_EQ(parameter(state, "tile_m"), 128);
  set(state, "tile_n 128");
  set(state, "m 16");
  EXPECT_EQ(parameter(state, "tile_m"), 16);
  EXPECT_EQ(parameter(state, "tile_n"), 128);
  press(state, "A");
  EXPECT_EQ(state.lab.form.config, state.lab.check.fallback);
}

TEST(LabForm, TheConfigDoesNotDependOnThePath) {
  State state = lab_state();
  set(state, "tile_m 64");
  set(state, "m 1");
  EXPECT_EQ(parameter(state, "tile_m"), 16);
  set(state, "m 1000");
  EXPECT_EQ(parameter(state, "tile_m"), 64) << "what was chosen comes back";
  press(state, "A");
  EXPECT_EQ(parameter(state, "tile_m"), 128);
  press(state, "u");
  EXPECT_EQ(parameter(state, "tile_m"), 64);

  State direct = lab_state();
  State detour = lab_state();
  for (const char* each : {"layout nz", "m 16384", "n 16384", "k 16384"}) set(direct, each);
  for (const char* each : {"layout nz", "m 1", "n 1", "k 1", "m 16384", "n 16384", "k 16384"}) {
    set(detour, each);
  }
  EXPECT_EQ(detour.lab.form.config, direct.lab.form.config);
  EXPECT_TRUE(detour.lab.form.chosen.empty());
}

TEST(LabForm, ChosenParametersAreMarkedAndForgottenWithTheKernel) {
  State state = lab_state();
  EXPECT_EQ(draw(state).text().find("64*"), std::string::npos);
  set(state, "tile_m 64");
  EXPECT_NE(draw(state).text().find("64*"), std::string::npos);
  set(state, "kernel gemm_padded");
  EXPECT_TRUE(state.lab.form.chosen.empty());
}

TEST(LabForm, EveryChangeIsUndoneInItsOrder) {
  State state = lab_state();
  const LabForm first = state.lab.form;
  set(state, "m 16");
  const LabForm second = state.lab.form;
  set(state, "kernel rms_norm");
  set(state, "machine ascend-910b2");
  EXPECT_EQ(state.machine->argument, "ascend-910b2");
  press(state, "u u");
  EXPECT_EQ(state.lab.form, second);
  EXPECT_EQ(state.machine->argument, "ascend-910b2:datasheet");
  press(state, "u");
  EXPECT_EQ(state.lab.form, first);
  press(state, "u");
  EXPECT_NE(state.message.text.find("was not changed"), std::string::npos);
}

TEST(LabForm, AFormOfAKnownProblemMakesThatProblem) {
  for (const char* text : {"gemm f16 f16 f16 nd nz nd m=512 n=4096 k=4096 epilogue=none",
                           "gemm bf16 bf16 f32 nd nd nd m=5 n=40 k=77 epilogue=none",
                           "gemm i8 i8 f16 nd nz nd m=5 n=40 k=77 epilogue=bias+dequant+gelu"}) {
    const State state = lab_state();
    const Problem problem = parse_problem(text);
    const Config config = find_kernel("gemm").default_config(problem, state.machine->machine);
    const LabForm form = form_of(state.machine, problem, config);
    EXPECT_EQ(check_form(form).problem.text(), text);
  }
}

const LabField* field_named(const State& state, std::string_view name) {
  const auto found = std::ranges::find(state.lab.fields, name, &LabField::name);
  return found == state.lab.fields.end() ? nullptr : &*found;
}

TEST(LabForm, WordsOfAKernelAreFieldsWhereItHasAChoice) {
  State state = lab_state();
  ASSERT_NE(field_named(state, "epilogue"), nullptr);
  EXPECT_EQ(field_named(state, "epilogue")->value, "none");
  EXPECT_EQ(field_named(state, "out_dtype")->value, "f16");
  EXPECT_EQ(field_named(state, "mask"), nullptr);
  set(state, "epilogue bias+gelu");
  set(state, "out_dtype f32");
  EXPECT_EQ(state.lab.check.problem.epilogue, "bias+gelu");
  EXPECT_EQ(state.lab.check.problem.types.back(), DType::kF32);
  set(state, "kernel gemm_padded");
  EXPECT_EQ(field_named(state, "epilogue"), nullptr);
  EXPECT_TRUE(state.lab.check.can_run()) << state.lab.check.wrong;
  set(state, "kernel attention");
  EXPECT_EQ(field_named(state, "mask")->choices,
            (std::vector<std::string>{"causal", "none", "tree"}));
  set(state, "mask none");
  EXPECT_EQ(state.lab.check.problem.mask, "none");
  set(state, "kernel rms_norm");
  for (const char* name : {"epilogue", "mask", "out_dtype", "layout"}) {
    EXPECT_EQ(field_named(state, name), nullptr) << name;
  }
}

TEST(LabForm, WordsThatDoNotGoTogetherFallBackToThePlainOnes) {
  State state = lab_state();
  set(state, "epilogue gelu");
  set(state, "dtype i8");
  EXPECT_EQ(field_named(state, "epilogue")->value, "none");
  EXPECT_EQ(field_named(state, "out_dtype"), nullptr) << "i8 gives i32";
  set(state, "epilogue dequant");
  EXPECT_EQ(field_named(state, "out_dtype")->value, "f16");
  set(state, "out_dtype i8");
  EXPECT_EQ(state.lab.check.problem.types.back(), DType::kI8);
  EXPECT_TRUE(state.lab.check.can_run()) << state.lab.check.wrong;
}

TEST(LabForm, SizesThatMeanNothingHaveNoField) {
  State state = lab_state();
  set(state, "kernel attention");
  EXPECT_EQ(field_named(state, "drafts"), nullptr);
  set(state, "verifies 2");
  set(state, "drafts 5");
  set(state, "sequences 0");
  EXPECT_EQ(field_named(state, "tokens"), nullptr);
  EXPECT_EQ(state.lab.check.problem.size("drafts"), 5);
  EXPECT_TRUE(state.lab.check.can_run()) << state.lab.check.wrong;
  set(state, "decodes 1");
  set(state, "verifies 0");
  EXPECT_EQ(state.lab.check.problem.size("drafts"), 0);
  set(state, "verifies 2");
  EXPECT_EQ(state.lab.check.problem.size("drafts"), 5) << "what was set comes back";
}

TEST(LabForm, EveryFieldIsInSightWhenItHasTheCursor) {
  for (const auto& [width, height] : {std::pair(120, 40), {100, 30}, {80, 24}, {60, 16}}) {
    State state = lab_state(width, height);
    set(state, "kernel attention");
    for (const char* each : {"decodes 3", "verifies 2"}) set(state, each);
    for (int field = 0; field < static_cast<int>(state.lab.fields.size()); ++field) {
      state.lab.field = field;
      const LabField& chosen = chosen_field(state.lab);
      const std::string screen = draw(state).text();
      const size_t value = screen.find(fmt::format("< {}", chosen.value.substr(0, 8)));
      ASSERT_NE(value, std::string::npos) << chosen.name << "\n" << screen;
      const size_t row = screen.rfind('\n', value);
      EXPECT_NE(screen.substr(row, value - row).find(chosen.name), std::string::npos) << screen;
    }
  }
}

TEST(LabForm, HiddenFieldsAreCounted) {
  State state = lab_state(80, 24);
  set(state, "kernel attention");
  for (const char* each : {"decodes 3", "verifies 2"}) set(state, each);
  press(state, "g");
  EXPECT_NE(draw(state).text().find(" below"), std::string::npos) << draw(state).text();
  EXPECT_EQ(draw(state).text().find(" above"), std::string::npos);
  press(state, "G");
  EXPECT_NE(draw(state).text().find(" above"), std::string::npos);
  EXPECT_EQ(draw(state).text().find(" below"), std::string::npos);
}

TEST(LabForm, CompletionNamesTheFieldsThenTheirValues) {
  const State state = lab_state();
  const auto has = [&](std::string_view typed, const char* choice) {
    const std::vector<std::string> list = possible_assignments(state, typed);
    return std::ranges::find(list, choice) != list.end();
  };
  for (const char* choice : {"kernel = gemm", "m = 1000", "tile_m = 128", "layout = nd"}) {
    EXPECT_TRUE(has("", choice)) << choice;
  }
  EXPECT_FALSE(has("tile", "tile_k0 = 32"));
  for (const char* typed : {"tile_k0 ", "tile_k0 3", "tile_k0=", "tile_k0 = 3"}) {
    EXPECT_TRUE(has(typed, "tile_k0 = 32")) << typed;
    EXPECT_FALSE(has(typed, "tile_m = 128")) << typed;
  }
}

TEST(LabForm, CompletedAssignmentsAreTaken) {
  State state = lab_state();
  type(state, ":set tile_m");
  press(state, "Tab Backspace Backspace Backspace");
  type(state, "64");
  press(state, "Enter");
  EXPECT_EQ(parameter(state, "tile_m"), 64) << state.message.text;
}

}  // namespace
}  // namespace tilewright
