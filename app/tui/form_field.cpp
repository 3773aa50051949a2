#include "app/tui/form_field.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/widgets.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

const std::string& value_of(const std::vector<FormField>& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &FormField::name);
  TW_CHECK(found != fields.end(), "the form has a field of that name");
  return found->value;
}

int set_value(std::vector<FormField>& fields, std::string_view name, std::string value) {
  std::vector<std::string> names;
  for (size_t i = 0; i < fields.size(); ++i) {
    names.emplace_back(fields[i].name);
    if (fields[i].name != name) continue;
    fields[i].value = std::move(value);
    return static_cast<int>(i);
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("there is no field '{}'{}; there are {}", printable(name),
                          did_you_mean(name, names), join(names, ", ")));
}

int set_value(std::vector<FormField>& fields, std::string_view text) {
  const size_t blank = std::min(text.find(' '), text.size());
  return set_value(fields, text.substr(0, blank), std::string(trim(text.substr(blank))));
}

void step_value(FormField& field, const std::vector<std::string>& choices, int direction) {
  const auto count = std::ssize(choices);
  const auto found = std::ranges::find(choices, field.value);
  const int64_t at = found == choices.end() ? (direction > 0 ? -1 : 0) : found - choices.begin();
  field.value = choices[static_cast<size_t>((at + direction + count) % count)];
}

void draw_fields(Canvas& canvas, const std::vector<FormField>& fields, int chosen, bool has_focus) {
  constexpr int kNameColumns = 9;
  int names = kNameColumns;
  for (const FormField& field : fields) names = std::max(names, columns_of(field.name));
  const int left = names + 1;
  const int count = static_cast<int>(fields.size());
  const int first = has_focus ? first_row(chosen, count, canvas.height()) : 0;
  for (int y = 0; y < canvas.height() && first + y < count; ++y) {
    const FormField& field = fields[static_cast<size_t>(first + y)];
    canvas.text(0, y, field.name, Role::kDim, names);
    const bool is_empty = field.value.empty();
    canvas.text(left, y, is_empty ? field.help : std::string_view(field.value),
                is_empty ? Role::kDim : Role::kField, canvas.width() - left);
    if (has_focus && first + y == chosen) {
      canvas.restyle({0, y, canvas.width(), 1}, Role::kCursor);
    }
  }
}

}  // namespace tilewright
