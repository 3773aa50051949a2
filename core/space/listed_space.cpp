#include "core/space/listed_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

Space listed_space(std::vector<Parameter> parameters, std::vector<std::vector<int64_t>> rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].size() != parameters.size()) {
      throw Error(ErrorKind::kUsage, fmt::format("row {} has {} values for {} parameters", i + 1,
                                                 rows[i].size(), parameters.size()));
    }
    for (size_t j = 0; j < parameters.size(); ++j) {
      if (std::ranges::binary_search(parameters[j].values, rows[i][j])) continue;
      throw Error(ErrorKind::kUsage,
                  fmt::format("row {} has {}={}, which is not in the list of {}", i + 1,
                              parameters[j].name, rows[i][j], parameters[j].name));
    }
  }
  std::ranges::sort(rows);
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  const auto listed = std::make_shared<const std::vector<std::vector<int64_t>>>(std::move(rows));
  Constraint constraint{"listed", {}, [listed](std::span<const int64_t> values) -> std::string {
                          const std::vector<int64_t> row(values.begin(), values.end());
                          if (std::ranges::binary_search(*listed, row)) return "";
                          return fmt::format("is none of the {} listed configs", listed->size());
                        }};
  for (const Parameter& parameter : parameters) constraint.parameters.push_back(parameter.name);
  constraint.rows = listed;
  return {std::move(parameters), {std::move(constraint)}};
}

}  // namespace tilewright
