#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/collective/collective_builder.h"
#include "kernels/kernel.h"

namespace tilewright {

/// How the chips of a collective exchange their data: the values of the parameter `algorithm`.
enum class Exchange : int64_t {
  kRing = 0,         ///< to the next chip only, in steps
  kTree = 1,         ///< up a binomial tree to chip 0 and down again
  kDirect = 2,       ///< from every chip to every other one, at once
  kDirectTwice = 3,  ///< the same in two halves: each chip sums its part, then hands it to all
};
std::string_view name_of(Exchange exchange);

/// What the collectives have in common. Rank i is chip i; its tensors are in<i> and out<i>. All
/// chips begin at the same time with their inputs in place, and the launch ends when the last byte
/// is where it belongs. Data move from UB to the memory of another chip or from there to UB, on
/// vector cores; the core with some number on one chip talks only to those with the same number on
/// others, so that no core waits for all. Sums are in f32, in an order that the config alone
/// decides.
class CollectiveKernel : public Kernel {
 public:
  std::vector<SizeInfo> sizes() const override;
  Problem problem(const ProblemRequest& request) const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;

  /// How a config shares the elements out.
  Shares shares_of(const Problem& problem, const Config& config) const;

 protected:
  /// Exchanges that the kernel has, in ascending order.
  virtual std::vector<Exchange> exchanges() const = 0;
  /// What `elements` counts.
  virtual std::string elements_meaning() const = 0;
  /// Parts that a row of a rank's tensor is cut into.
  virtual int64_t parts(const Problem&, Exchange) const { return 1; }
  /// Most tiles that are summed at once.
  virtual int64_t sources(const Problem&, Exchange) const { return 1; }
  /// Ways in which each tile is sent on its own.
  virtual int64_t lanes(const Problem&, Exchange) const { return 1; }
  /// Whether the chips go through steps, of which `depth` tiles of a core are one.
  virtual bool has_steps(Exchange exchange) const {
    return exchange == Exchange::kRing || exchange == Exchange::kTree;
  }

  /// A builder with the cores of all ranks and the tensors in<i> (numbers 0 ..) and out<i> (behind
  /// them), of so many rows each.
  CollectiveBuilder start(const Problem& problem, const Config& config, const Machine& machine,
                          int64_t in_rows, int64_t out_rows) const;
};

Exchange exchange_of(const Config& config);

/// Rank `rank` + `distance` of `ranks`, round the ring both ways.
constexpr int64_t around(int64_t rank, int64_t distance, int64_t ranks) {
  return ((rank + distance) % ranks + ranks) % ranks;
}

/// In which order the cores of a rank turn to the others: itself first, then all others from the
/// next one on, in strides that have no common divisor with their number. Cores with the same
/// number modulo `orders` have the same; together they begin everywhere and go in every stride, so
/// that no link has a queue while another stands idle.
struct Visits {
  explicit Visits(int64_t ranks);
  std::vector<int64_t> order(int64_t rank, int64_t core) const;

  int64_t ranks = 0;
  std::vector<int64_t> strides;
  int64_t orders = 0;
};

/// What all ranks' outputs should hold when every element is moved and none is summed: out[rank][
/// row] = in[source(rank, row).first][source(rank, row).second].
using RowSource = std::pair<int64_t, int64_t>;
std::vector<ExpectedTensor> expected_moves(
    const Problem& problem, const Launch& launch, const GmImage& inputs, int64_t out_rows,
    const std::function<RowSource(int64_t, int64_t)>& source);

/// What row `row` of every rank's input sums to, and how far a result may be from it: `ranks` - 1
/// additions in f32, each of them at most once rounded to the type of the data.
ExpectedTensor expected_sum(const Problem& problem, const Launch& launch, const GmImage& inputs,
                            int64_t row, int tensor);

}  // namespace tilewright
