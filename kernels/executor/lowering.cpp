#include "kernels/executor/lowering.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array<std::string_view, 2> kLowerings = {"xyserve", "library"};
constexpr std::array<std::string_view, 2> kQuantizations = {"none", "w8a8"};

size_t parse_name(std::string_view name, std::span<const std::string_view> known,
                  std::string_view what) {
  for (size_t i = 0; i < known.size(); ++i) {
    if (known[i] == name) return i;
  }
  const std::vector<std::string> names(known.begin(), known.end());
  throw Error(ErrorKind::kUsage, fmt::format("unknown {} '{}'{} (known: {})", what, printable(name),
                                             did_you_mean(name, names), join(names, ", ")));
}

}  // namespace

std::string_view name_of(Lowering lowering) {
  return kLowerings[static_cast<size_t>(lowering)];
}

Lowering parse_lowering(std::string_view name) {
  return static_cast<Lowering>(parse_name(name, kLowerings, "lowering"));
}

std::string_view name_of(Quantization quantization) {
  return kQuantizations[static_cast<size_t>(quantization)];
}

Quantization parse_quantization(std::string_view name) {
  return static_cast<Quantization>(parse_name(name, kQuantizations, "quantization"));
}

}  // namespace tilewright
