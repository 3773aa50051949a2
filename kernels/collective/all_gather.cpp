#include "kernels/collective/all_gather.h"

#include <fmt/format.h>

#include "kernels/collective/ring.h"

namespace tilewright {

namespace {

Launch build_ring(CollectiveBuilder& builder, int64_t ranks, int64_t depth) {
  const RingFlags handed(builder, ranks, ranks - 2, "handed");
  RingSteps steps(builder, ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const int out = static_cast<int>(ranks + rank);
    const int next = static_cast<int>(ranks + around(rank, 1, ranks));
    steps.add(rank, 0, {{static_cast<int>(rank), 0, 0}},
              {handed.leaving({next, rank, 0}, rank, 0), {out, rank, 0}});
    for (int64_t step = 1; step < ranks - 1; ++step) {
      const int64_t row = around(rank, -step, ranks);
      steps.add(rank, 0, {handed.arrived({out, row, 0}, step - 1)},
                {handed.leaving({next, row, 0}, rank, step)});
    }
  }
  steps.run(depth);
  return std::move(builder.launch());
}

/// Each rank stores its input on all ranks; each of them has cores of its own for that, so that all
/// links are in use all the time.
Launch build_direct(CollectiveBuilder& builder, int64_t ranks) {
  for (int64_t rank = 0; rank < ranks; ++rank) {
    std::vector<int> by_target;
    for (int64_t i = 1; i <= ranks; ++i) {
      const int64_t to = around(rank, i, ranks);
      by_target.push_back(builder.add_template(fmt::format("hand{}.{}", rank, to),
                                               {{static_cast<int>(rank), 0, 0}},
                                               {{static_cast<int>(ranks + to), rank, 0}}));
    }
    builder.run_lanes(static_cast<size_t>(rank), by_target);
  }
  return std::move(builder.launch());
}

}  // namespace

Launch AllGatherKernel::build(const Problem& problem, const Config& config,
                              const Machine& machine) const {
  const int64_t ranks = problem.size("ranks");
  CollectiveBuilder builder = start(problem, config, machine, 1, ranks);
  return exchange_of(config) == Exchange::kRing ? build_ring(builder, ranks, config.at("depth"))
                                                : build_direct(builder, ranks);
}

std::vector<ExpectedTensor> AllGatherKernel::reference(const Problem& problem, const Launch& launch,
                                                       const GmImage& inputs) const {
  return expected_moves(problem, launch, inputs, problem.size("ranks"),
                        [](int64_t, int64_t row) { return RowSource(row, 0); });
}

}  // namespace tilewright
