#pragma once

namespace tilewright {

struct LabState {};

}  // namespace tilewright
