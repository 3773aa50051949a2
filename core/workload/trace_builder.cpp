#include "core/workload/trace_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/format.h"
#include "core/workload/trace_fields.h"

namespace tilewright {

namespace {

constexpr size_t kMaxRequests = 20'000'000;

}  // namespace

void TraceBuilder::append(Request request, const std::string& where) {
  if (workload_.requests.size() == kMaxRequests) {
    fail_at(where, fmt::format("more than {} requests, the limit for a trace; cut the file",
                               kMaxRequests));
  }
  workload_.requests.push_back(std::move(request));
}

void TraceBuilder::add(Request request, const std::string& where) {
  const int64_t time = request.arrival_ns;
  if (workload_.requests.empty()) first_ns_ = last_ns_ = time;
  if (time < last_ns_) {
    fail_at(where, fmt::format("the request comes {} ns before the one above; expected times in "
                               "ascending order: sort the file by time",
                               last_ns_ - time));
  }
  if (time - first_ns_ > kMaxArrivalNs)
    fail_at(where, "comes more than three years after the first");
  last_ns_ = time;
  request.arrival_ns = time - first_ns_;
  append(std::move(request), where);
}

void TraceBuilder::add_follower(Request request, const std::string& where) {
  request.after = static_cast<int64_t>(workload_.requests.size()) - 1;
  request.arrival_ns = workload_.requests.back().arrival_ns;
  append(std::move(request), where);
}

void TraceBuilder::note(const std::string& text) {
  if (std::ranges::find(workload_.notes, text) == workload_.notes.end()) {
    workload_.notes.push_back(text);
  }
}

void TraceBuilder::finish(const std::string& path) {
  for (const auto& [reason, count] : skipped_) {
    note(fmt::format("{} row{} {} {} left out", format_count(count), count == 1 ? "" : "s", reason,
                     count == 1 ? "was" : "were"));
  }
  if (!workload_.requests.empty()) return;
  const std::string left_out = skipped_.empty() ? "" : " left: " + workload_.notes.back();
  fail_at(path, "has no requests" + left_out);
}

}  // namespace tilewright
