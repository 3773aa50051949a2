#pragma once

#include <span>
#include <string_view>

namespace tilewright {

/// A file that ships inside the binary; `name` is its file name without the extension.
struct EmbeddedFile {
  std::string_view name;
  std::string_view text;
};

/// The machine files of core/machine/presets, sorted by name.
std::span<const EmbeddedFile> machine_presets();

/// The model configurations of core/model/presets, sorted by name.
std::span<const EmbeddedFile> model_presets();

}  // namespace tilewright
