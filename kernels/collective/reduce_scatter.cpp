#include "kernels/collective/reduce_scatter.h"

#include <fmt/format.h>

#include "kernels/collective/ring.h"

namespace tilewright {

namespace {

Launch build_ring(CollectiveBuilder& builder, int64_t ranks, int64_t depth) {
  const auto first_work = static_cast<int>(2 * ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    builder.add_tensor(fmt::format("work{}", rank), rank, ranks, true);
  }
  const RingFlags summed(builder, ranks, ranks - 1, "summed");
  RingSteps steps(builder, ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const int in = static_cast<int>(rank);
    const int next_work = first_work + static_cast<int>(around(rank, 1, ranks));
    for (int64_t step = 0; step < ranks; ++step) {
      // The row that ends on its own rank in the last step.
      const int64_t row = around(rank, -1 - step, ranks);
      std::vector<RowPlace> sources = {{in, row, 0}};
      if (step > 0) sources.push_back(summed.arrived({first_work + in, row, 0}, step - 1));
      const RowPlace target = step < ranks - 1 ? summed.leaving({next_work, row, 0}, rank, step)
                                               : RowPlace{static_cast<int>(ranks) + in, 0, 0};
      steps.add(rank, 0, sources, {target});
    }
  }
  steps.run(depth);
  return std::move(builder.launch());
}

/// Each rank loads its row from all ranks.
Launch build_direct(CollectiveBuilder& builder, int64_t ranks) {
  const Visits visits(ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    std::vector<RowPlace> sources;
    for (int from = 0; from < ranks; ++from) sources.push_back({from, rank, 0});
    std::vector<int> templates;
    for (int64_t order = 0; order < visits.orders; ++order) {
      std::vector<size_t> loads;
      for (const int64_t other : visits.order(rank, order)) {
        loads.push_back(static_cast<size_t>(other));
      }
      templates.push_back(builder.add_template(fmt::format("sum{}.{}", rank, order), sources,
                                               {{static_cast<int>(ranks + rank), 0, 0}}, loads));
    }
    for (int64_t core = 0; core < builder.shares().cores; ++core) {
      const int chosen = templates[static_cast<size_t>(core % visits.orders)];
      for (int64_t tile = builder.first_tile(core); tile < builder.last_tile(core); ++tile) {
        builder.run(static_cast<size_t>(rank), core, chosen, 0, tile);
      }
    }
  }
  return std::move(builder.launch());
}

}  // namespace

Launch ReduceScatterKernel::build(const Problem& problem, const Config& config,
                                  const Machine& machine) const {
  const int64_t ranks = problem.size("ranks");
  CollectiveBuilder builder = start(problem, config, machine, ranks, 1);
  builder.launch().flops = static_cast<double>((ranks - 1) * ranks * problem.size("elements"));
  return exchange_of(config) == Exchange::kRing ? build_ring(builder, ranks, config.at("depth"))
                                                : build_direct(builder, ranks);
}

std::vector<ExpectedTensor> ReduceScatterKernel::reference(const Problem& problem,
                                                           const Launch& launch,
                                                           const GmImage& inputs) const {
  const auto ranks = static_cast<int>(problem.size("ranks"));
  std::vector<ExpectedTensor> expected;
  for (int rank = 0; rank < ranks; ++rank) {
    expected.push_back(expected_sum(problem, launch, inputs, rank, ranks + rank));
  }
  return expected;
}

}  // namespace tilewright
