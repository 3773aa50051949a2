#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/workload/workload.h"

namespace tilewright {

/// Makes a workload of the rows of a trace: appends requests in the order of the file, moves their
/// times to start at 0, checks their order and number, and counts rows that are left out.
class TraceBuilder {
 public:
  explicit TraceBuilder(Workload& workload) : workload_(workload) {}

  /// Appends a request, with its time as the trace states it (ns from anywhere). Error (failed)
  /// naming `where` when it comes before the one above, three years after the first, or is one too
  /// many.
  void add(Request request, const std::string& where);

  /// Appends a request that follows the last one of its session: think_ns counts from its end.
  void add_follower(Request request, const std::string& where);

  /// Counts a row that is left out; the note says "N rows REASON were left out".
  void skip(const std::string& reason) { ++skipped_[reason]; }

  /// Adds a sentence to the notes, once.
  void note(const std::string& text);

  /// Says how many prompt tokens each prefix hash stands for.
  void set_block_tokens(int64_t tokens) { workload_.prefix_block_tokens = tokens; }

  bool empty() const { return workload_.requests.empty(); }

  /// Ends the trace at `path`. Error (failed) when it has no requests.
  void finish(const std::string& path);

 private:
  void append(Request request, const std::string& where);

  Workload& workload_;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
  std::map<std::string, int64_t> skipped_;
};

}  // namespace tilewright
