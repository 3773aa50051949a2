#pragma once

namespace tilewright {

struct TimelineState {};

}  // namespace tilewright
