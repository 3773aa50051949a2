#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

/// One tuning of a batch, as a command line of `tilewright tune` would say it.
struct BatchJob {
  std::string name;
  std::string where;                ///< its place in the file, for errors
  std::vector<std::string> tokens;  ///< target and options
  std::string machine;              ///< empty: that of --machine
  std::optional<int64_t> seed;
};

/// Whether a path is a JSON file with the key "jobs", and so no model.
bool is_batch_file(const std::string& path);

/// Reads a batch (docs/formats.md, "Batches of tunings"): JSON with comments,
///   {"schema": 1, "defaults": {...}, "jobs": [{...}, ...]}
/// A job has a kernel with a shape, or a model with a workload. A size that is a list, or a range
/// {"from", "to", "step" or "times"}, makes a job of every combination. Error (failed) with the
/// place and the nearest known key.
std::vector<BatchJob> read_batch(std::string_view text, const std::string& where);

}  // namespace tilewright
