#include "kernels/collective/all_to_all.h"

#include <fmt/format.h>

namespace tilewright {

Launch AllToAllKernel::build(const Problem& problem, const Config& config,
                             const Machine& machine) const {
  const int64_t ranks = problem.size("ranks");
  CollectiveBuilder builder = start(problem, config, machine, ranks, ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    // Each target has cores of its own, so that all links are in use all the time.
    std::vector<int> by_target;
    for (int64_t i = 1; i <= ranks; ++i) {
      const int64_t to = around(rank, i, ranks);
      by_target.push_back(builder.add_template(fmt::format("row{}.{}", rank, to),
                                               {{static_cast<int>(rank), to, 0}},
                                               {{static_cast<int>(ranks + to), rank, 0}}));
    }
    builder.run_lanes(static_cast<size_t>(rank), by_target);
  }
  return std::move(builder.launch());
}

std::vector<ExpectedTensor> AllToAllKernel::reference(const Problem& problem, const Launch& launch,
                                                      const GmImage& inputs) const {
  return expected_moves(problem, launch, inputs, problem.size("ranks"),
                        [](int64_t rank, int64_t row) { return RowSource(row, rank); });
}

}  // namespace tilewright
