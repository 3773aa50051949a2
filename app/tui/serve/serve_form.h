#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/tui/form_field.h"

namespace tilewright {

/// What a new run is made of: the words of `tilewright replay`, one by one.
struct ServeForm {
  std::vector<FormField> fields;

  /// A run that works at once: a model of the presets, its traffic, an SLO.
  static ServeForm standard();

  const std::string& value(std::string_view name) const;
  /// Error (usage) for a name that is none.
  void set(std::string_view name, std::string value);

  friend bool operator==(const ServeForm& a, const ServeForm& b);
};

/// "replay", the model, the options that are set, --machine.
std::vector<std::string> words_of(const ServeForm& form, const std::string& machine);

/// The form that gives such words; what has no field of its own stands under "more". Words that
/// are no replay give the standard form.
ServeForm form_of(const std::vector<std::string>& words);

/// Values worth a try, in the order of `<` and `>`; empty where any text will do.
std::vector<std::string> choices_of(std::string_view field);

}  // namespace tilewright
