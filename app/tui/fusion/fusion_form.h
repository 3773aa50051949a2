#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/tui/form_field.h"
#include "app/tui/fusion/fusion_request.h"

namespace tilewright {

/// The words of `tilewright fuse`, one by one.
std::vector<FormField> standard_fusion_form();

/// What the form asks for. Error (usage, not found) for values that make no sense.
FusionRequest fusion_request(const std::vector<FormField>& form, const MachineRef& machine);

/// Values worth a try, in the order of `<` and `>`.
std::vector<std::string> fusion_choices(std::string_view field);

/// "tilewright fuse ..." that plans the same.
std::string fuse_command_line(const FusionRequest& request);

}  // namespace tilewright
