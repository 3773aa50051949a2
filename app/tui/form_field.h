#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/tui/canvas.h"

namespace tilewright {

/// A part of a command line that is put together in a form.
struct FormField {
  std::string_view name;
  std::string value;
  std::string_view help;  ///< what an empty one means, or what it may be
};

/// The value of a field that is there.
const std::string& value_of(const std::vector<FormField>& fields, std::string_view name);
/// Sets a field and returns its place. Error (usage) for a name that is none.
int set_value(std::vector<FormField>& fields, std::string_view name, std::string value);
/// The same of "NAME VALUE".
int set_value(std::vector<FormField>& fields, std::string_view text);
/// The value behind or before the field's in a list, around its end.
void step_value(FormField& field, const std::vector<std::string>& choices, int direction);

/// Names and values, from the top; the chosen field is in sight and marked where the form has the
/// focus.
void draw_fields(Canvas& canvas, const std::vector<FormField>& fields, int chosen, bool has_focus);

}  // namespace tilewright
