#pragma once

#include <vector>

#include "app/tui/serve/serve_view.h"

namespace tilewright {

/// The requests of a view's record with what they did so far.
std::vector<ServeRequest> serve_requests(const ServeView& view);

/// Places of the requests in an order; of equal ones the earlier first.
std::vector<uint32_t> order_of(const std::vector<ServeRequest>& requests, RequestSort sort);

/// The steps in which a request was planned or got a token, as places of view.record.steps: from
/// its first on to its last token (or the run's last step), those of its waiting left out.
std::vector<size_t> steps_of(const ServeView& view, const ServeRequest& request);

/// The place of the record whose steps include that one; the last before it where none does. There
/// must be one.
size_t record_of_step(const ServeView& view, int64_t step);

/// The record that is under way at a time; the first where it is before all.
size_t record_at(const ServeView& view, int64_t ns);

}  // namespace tilewright
