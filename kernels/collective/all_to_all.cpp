#include "kernels/collective/all_to_all.h"

#include <fmt/format.h>

namespace tilewright {

Launch AllToAllKernel::build(const Problem& problem, const Config& config,
                             const Machine& machine) const {
  const int64_t ranks = problem.size("ranks");
  CollectiveBuilder builder = start(problem, config, machine, ranks, ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    std::vector<int> templates;  // by target
    for (int64_t to = 0; to < ranks; ++to) {
      templates.push_back(builder.add_template(fmt::format("row{}.{}", rank, to),
                                               {{static_cast<int>(rank), to, 0}},
                                               {{static_cast<int>(ranks + to), rank, 0}}));
    }
    for (int64_t core = 0; core < builder.shares().cores; ++core) {
      for (int64_t tile = builder.first_tile(core); tile < builder.last_tile(core); ++tile) {
        // Cores begin with different ranks, so that all links are in use at once.
        for (int64_t i = 0; i < ranks; ++i) {
          const auto to = static_cast<size_t>(around(rank, 1 + core + i, ranks));
          builder.run(static_cast<size_t>(rank), core, templates[to], 0, tile);
        }
      }
    }
  }
  return std::move(builder.launch());
}

std::vector<ExpectedTensor> AllToAllKernel::reference(const Problem& problem, const Launch& launch,
                                                      const GmImage& inputs) const {
  return expected_moves(problem, launch, inputs, problem.size("ranks"),
                        [](int64_t rank, int64_t row) { return RowSource(row, rank); });
}

}  // namespace tilewright
