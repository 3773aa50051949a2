#include "app/tui/lab/lab_edit.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/lab/kernel_outcome.h"
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
  stop_typing(lab);
  state.machine = lab.form.machine;
}

void set_value(State& state, const LabField& field, std::string_view text) {
  const LabField kept = field;  // the list of fields is made anew
  replace_form(state, with_value(state.lab.form, kept, text));
  if (!state.lab.check.wrong.empty()) state.say(state.lab.check.wrong, Role::kWarn);
}

void end_typing(State& state) {
  const std::string text = *state.lab.typing;
  stop_typing(state.lab);
  if (text.empty()) return;
  try {
    set_value(state, chosen_field(state.lab), text);
  } catch (const Error& error) {
    state.say(error.message(), Role::kBad);
  }
}

/// Works out what the number so far would mean.
void look_ahead(LabState& lab) {
  lab.preview.reset();
  if (lab.typing->empty()) return;
  try {
    lab.preview = check_form(with_value(lab.form, chosen_field(lab), *lab.typing));
  } catch (const Error&) {
    return;  // not a legal value yet
  }
}

/// The name and value of "tile_m 128", "tile_m=128" and "tile_m = 128".
struct Assignment {
  std::string_view name;
  std::string_view value;
  bool has_whole_name = false;  ///< something stands behind the name
};

Assignment assignment_of(std::string_view text) {
  const std::string_view line = trim(text);
  const size_t end = line.find_first_of(" =");
  const bool has_end = end != std::string_view::npos || text.ends_with(' ');
  if (end == std::string_view::npos) return {line, "", has_end};
  std::string_view value = trim(line.substr(end));
  if (value.starts_with('=')) value = trim(value.substr(1));
  return {line.substr(0, end), value, true};
}

}  // namespace

std::string LabRun::name() const {
  return outcome->run > 0 ? fmt::format("run {}", outcome->run)
                          : fmt::format("try {} (not kept)", number);
}

std::string LabRun::short_name() const {
  return outcome->run > 0 ? std::to_string(outcome->run) : fmt::format("try {}", number);
}

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

std::string typing_obstacle(const State& state) {
  if (state.lab.fields.empty()) return "";
  const LabField& field = chosen_field(state.lab);
  return field.is_number() ? "" : fmt::format("{} is no number; < and > change it", field.name);
}

void begin_typing(State& state) {
  begin_form(state);
  state.lab.typing.emplace();
}

void stop_typing(LabState& lab) {
  lab.typing.reset();
  lab.preview.reset();
}

bool type_number(State& state, Key key) {
  LabState& lab = state.lab;
  if (!lab.typing) return false;
  if (key.code >= U'0' && key.code <= U'9') {
    if (lab.typing->size() < kMostDigits) *lab.typing += static_cast<char>(key.code);
    look_ahead(lab);
  } else if (key == keys::kBackspace) {
    if (!lab.typing->empty()) lab.typing->pop_back();
    look_ahead(lab);
  } else if (key == keys::kEscape) {
    stop_typing(lab);
  } else {
    end_typing(state);
    if (key == keys::kTab) move_field(state, 1);
    if (key == keys::kBackTab) move_field(state, -1);
    return key == keys::kEnter || key == keys::kTab || key == keys::kBackTab;
  }
  return true;
}

void set_field_by_name(State& state, std::string_view assignment) {
  begin_form(state);
  const auto [name, value, has_whole_name] = assignment_of(assignment);
  std::vector<std::string> names;
  for (const LabField& field : state.lab.fields) {
    names.push_back(field.name);
    if (field.name != name) continue;
    if (value.empty()) {
      throw Error(ErrorKind::kUsage, fmt::format("{} needs a value: set {} VALUE", name, name));
    }
    return set_value(state, field, value);
  }
  if (!state.lab.check.has_problem) {
    throw Error(ErrorKind::kUsage,
                fmt::format("'{}' cannot be set while the problem is invalid: {}", printable(name),
                            state.lab.check.wrong));
  }
  throw Error(ErrorKind::kUsage, fmt::format("unknown field '{}'{} (fields: {})", printable(name),
                                             did_you_mean(name, names), join(names, ", ")));
}

std::vector<std::string> possible_assignments(const State& state, std::string_view typed) {
  const auto [name, value, has_whole_name] = assignment_of(typed);
  std::vector<std::string> assignments;
  for (const LabField& field : state.lab.fields) {
    assignments.push_back(fmt::format("{} = {}", field.name, field.value));
    if (!has_whole_name || field.name != name) continue;
    std::vector<std::string> values;
    for (const std::string& choice : field.choices) {
      values.push_back(fmt::format("{} = {}", field.name, choice));
    }
    return values;
  }
  return assignments;
}

}  // namespace tilewright
