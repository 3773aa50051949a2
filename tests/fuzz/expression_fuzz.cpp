// Any text as an expression is refused with a place or has a value for any inputs; the walk stage
// by stage, with its reordering, finds the same truth. Any text as a list of values is refused or
// gives at most as many as are allowed.

#include "core/space/expression.h"
#include "core/space/space_expression.h"
#include "core/space/space_index.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

namespace {

void check_space(const std::string& text) {
  const std::vector<Parameter> parameters = {
      {"a", "", {-2, 0, 1, 3}}, {"b", "", {1, 2, 7}}, {"c", "", {0, 1, 2}, {"0.5", "1", "2.5"}}};
  const Space space(parameters, {expression_constraint(text, parameters)});
  const SpaceIndex index(space);
  std::vector<int> places(3);
  int64_t legal = 0;
  for (int number = 0; number < 36; ++number) {
    places = {number / 9, number / 3 % 3, number % 3};
    Config config;
    for (size_t i = 0; i < 3; ++i) {
      config.values.emplace_back(parameters[i].name,
                                 parameters[i].values[static_cast<size_t>(places[i])]);
    }
    const bool holds = space.violation(config).empty();
    TW_CHECK(index.rank_of(places).has_value() == holds, "the index has what the space allows");
    legal += holds ? 1 : 0;
  }
  TW_CHECK(index.size() == legal, "and nothing else");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(text_of(data, size));
  accepted([&] { check_space(text); });
  accepted([&] {
    TW_CHECK(std::ssize(parse_value_list(text).values) <= kMaxListValues, "lists are bounded");
  });
  return 0;
}
