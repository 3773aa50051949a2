#include "app/tui/lab/lab_edit.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kMostUndo = 500;
/// More digits than any legal value has.
constexpr size_t kMostDigits = 12;

void take_form(State& state, LabForm form) {
  LabState& lab = state.lab;
  lab.form = std::move(form);
  lab.check = check_form(lab.form);
  lab.fields = fields_of(lab.form, lab.check);
  lab.field = std::clamp(lab.field, 0, static_cast<int>(lab.fields.size()) - 1);
  lab.typing.reset();
  state.machine = lab.form.machine;
}

void set_value(State& state, const LabField& field, std::string_view text) {
  const LabField kept = field;  // the list of fields is made anew
  replace_form(state, with_value(state.lab.form, state.lab.check, kept, text));
  if (!state.lab.check.wrong.empty()) state.say(state.lab.check.wrong, Role::kWarn);
}

void end_typing(State& state) {
  const std::string text = *state.lab.typing;
  state.lab.typing.reset();
  if (text.empty()) return;
  try {
    set_value(state, chosen_field(state.lab), text);
  } catch (const Error& error) {
    state.say(error.message(), Role::kBad);
  }
}

}  // namespace

const LabRun* LabState::run_of(int number) const {
  const auto found = std::ranges::find(runs, number, &LabRun::number);
  return number == 0 || found == runs.end() ? nullptr : &*found;
}

void begin_form(State& state) {
  if (!state.lab.form.machine) take_form(state, first_form(state.machine));
}

void replace_form(State& state, LabForm form) {
  LabState& lab = state.lab;
  if (form == lab.form) return;
  lab.undo.push_back(lab.form);
  if (lab.undo.size() > kMostUndo) lab.undo.erase(lab.undo.begin());
  take_form(state, std::move(form));
}

void undo_form(State& state) {
  LabState& lab = state.lab;
  LabForm form = std::move(lab.undo.back());
  lab.undo.pop_back();
  take_form(state, std::move(form));
}

const LabField& chosen_field(const LabState& lab) {
  return lab.fields[static_cast<size_t>(lab.field)];
}

void move_field(State& state, int step) {
  begin_form(state);
  const int last = static_cast<int>(state.lab.fields.size()) - 1;
  state.lab.field = std::clamp(state.lab.field + step, 0, last);
}

void step_field(State& state, int step) {
  begin_form(state);
  const LabField& field = chosen_field(state.lab);
  const std::string value = stepped(field, step);
  if (value == field.value) {
    state.say(fmt::format("{}={} is the {} of {}", field.name, field.value,
                          step < 0 ? "first" : "last", join(field.choices, ", ")),
              Role::kDim);
    return;
  }
  set_value(state, field, value);
}

bool type_number(State& state, Key key) {
  LabState& lab = state.lab;
  const bool is_digit = key.code >= U'0' && key.code <= U'9';
  if (!lab.typing) {
    if (!is_digit || !chosen_field(lab).is_number()) return false;
    lab.typing.emplace();
  }
  if (is_digit) {
    if (lab.typing->size() < kMostDigits) *lab.typing += static_cast<char>(key.code);
  } else if (key == keys::kBackspace) {
    if (!lab.typing->empty()) lab.typing->pop_back();
  } else if (key == keys::kEscape) {
    lab.typing.reset();
  } else {
    end_typing(state);
    return key == keys::kEnter || key == keys::kTab;
  }
  return true;
}

void set_field_by_name(State& state, std::string_view assignment) {
  begin_form(state);
  const std::string_view line = trim(assignment);
  const size_t end = line.find_first_of(" =");
  const std::string_view name = line.substr(0, end);
  const std::string_view value = end == std::string_view::npos ? "" : trim(line.substr(end + 1));
  std::vector<std::string> names;
  for (const LabField& field : state.lab.fields) {
    names.push_back(field.name);
    if (field.name != name) continue;
    if (value.empty()) {
      throw Error(ErrorKind::kUsage, fmt::format("{} needs a value: set {} VALUE", name, name));
    }
    return set_value(state, field, value);
  }
  throw Error(ErrorKind::kUsage, fmt::format("unknown field '{}'{} (fields: {})", printable(name),
                                             did_you_mean(name, names), join(names, ", ")));
}

std::vector<std::string> possible_assignments(const State& state) {
  std::vector<std::string> assignments;
  for (const LabField& field : state.lab.fields) {
    for (const std::string& choice : field.choices) {
      assignments.push_back(fmt::format("{} {}", field.name, choice));
    }
  }
  return assignments;
}

}  // namespace tilewright
