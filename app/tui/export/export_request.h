#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace tilewright {

struct ExportView;

/// What is to be written, and where.
struct ExportRequest {
  std::shared_ptr<const ExportView> view;  // the interface shows it meanwhile
  std::vector<size_t> places;              ///< of the selected winners, ascending; of a plan
  size_t winner = 0;                       ///< whose problem is written, of formats that hold one
  std::string format;
  std::string path;

  friend bool operator==(const ExportRequest&, const ExportRequest&) = default;
};

}  // namespace tilewright
