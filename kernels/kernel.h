#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "kernels/numerics.h"
#include "simulator/functional.h"
#include "simulator/launch.h"

namespace tilewright {

/// What a user asks of a kernel: `--shape m=..,n=..`, `--dtype`, and so on. Empty means the
/// default.
struct ProblemRequest {
  std::map<std::string, int64_t> sizes;
  std::string dtype;
  std::string layout;  ///< of the weights, where a kernel has some: "nd" or "nz"
  std::string epilogue = {};
  std::string out_dtype = {};  ///< of the result, where a kernel can store another type
  std::string mask = {};       ///< of attention: "none", "causal" or "tree"
};

/// A size that a kernel's problem has.
struct SizeInfo {
  std::string name;
  std::string meaning;
  std::optional<int64_t> fallback = std::nullopt;  ///< used when not given; none: must be given
  int64_t min = 1;
  /// The size that counts what this one describes: where that is 0 this one means nothing.
  std::string of = {};
};

/// The value of a size that means nothing, of which a problem's canonical form has one.
int64_t idle_value(const SizeInfo& size);

/// The part of a launch's tensor that holds the problem's own elements: the first `rows` of each
/// `row_period` rows, and in them the first `cols` of each `col_period` columns. The rest is
/// padding in memory.
struct RealPart {
  int tensor = 0;
  int64_t row_period = 0;
  int64_t rows = 0;
  int64_t col_period = 0;
  int64_t cols = 0;
};

/// What an output tensor should hold, by a plain reference computed in f64.
struct ExpectedTensor {
  int tensor = 0;    ///< of the launch
  int64_t rows = 0;  ///< leading part of the tensor that is compared
  int64_t cols = 0;
  std::vector<double> values;  ///< row-major, rows x cols
  /// Largest error allowed per element: absolute + relative * |expected| + errors[element].
  double absolute = 0;
  double relative = 0;
  std::vector<double> errors = {};  ///< like `values`, or empty
  /// Other values that are as right, by element: where a choice depends on a rounding.
  std::map<size_t, std::vector<double>> also = {};
};

/// A way to compute an op: its problem, its space, how to build the launch of a config, and a plain
/// reference. Kernels are stateless; one object of each lives in the registry.
class Kernel {
 public:
  virtual ~Kernel() = default;

  virtual std::string name() const = 0;
  virtual std::string summary() const = 0;
  /// Raised whenever a launch of this kernel changes: part of the key of every measurement.
  virtual int revision() const = 0;
  virtual std::vector<SizeInfo> sizes() const = 0;

  /// Words that a request may say for its epilogue, the plain one first: what a form steps through.
  /// Not every type takes each.
  virtual std::vector<std::string> epilogues() const { return {}; }
  /// The same for its mask; empty: the kernel has none.
  virtual std::vector<std::string> masks() const { return {}; }

  /// The problem in canonical form; Error (usage) says what is wrong with the request.
  virtual Problem problem(const ProblemRequest& request) const = 0;

  virtual Space space(const Problem& problem, const Machine& machine) const = 0;

  /// The untuned default: legal whenever the space is not empty.
  virtual Config default_config(const Problem& problem, const Machine& machine) const = 0;

  /// The launch of a legal config.
  virtual Launch build(const Problem& problem, const Config& config,
                       const Machine& machine) const = 0;

  /// About the multiply-adds of a problem: what is too large to simulate is refused by it.
  virtual double work(const Problem& problem) const;

  /// Tensors of a launch that may be padded in memory; empty: the kernel does not say.
  virtual std::vector<RealPart> real_parts(const Problem&, const Launch&) const { return {}; }

  /// Fills the input tensors of a launch.
  virtual void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                           GmImage& image) const = 0;

  /// What the outputs should be for these inputs.
  virtual std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                                const GmImage& inputs) const = 0;
};

/// Reads the sizes of a request by the kernel's list: fills fallbacks in, refuses unknown names,
/// missing sizes, sizes below their minimum or above 2^31 - 1, and products that overflow. A size
/// that means nothing beside the others takes its idle value; another one that was given is
/// refused. Error (usage).
std::vector<std::pair<std::string, int64_t>> read_sizes(const Kernel& kernel,
                                                        const ProblemRequest& request);

/// Result of a functional run against the reference.
struct CheckResult {
  bool ok = false;
  double max_abs_err = 0;
  double max_rel_err = 0;  ///< of elements whose expected size is at least their own tolerance
  int64_t elements = 0;
  std::string first_failure;  ///< "tensor c[3,5]: got 1.5, expected 1.25", empty when ok
};

/// Builds the config's launch, runs it functionally and compares every output. What exceeds the
/// largest number of its type is expected to be infinite.
CheckResult check_kernel(const Kernel& kernel, const Problem& problem, const Config& config,
                         const Machine& machine, const InputValues& values);

/// Every kernel, in a fixed order.
const std::vector<const Kernel*>& all_kernels();

/// The kernel of that name; Error (not found) suggests the nearest.
const Kernel& find_kernel(std::string_view name);

/// A partial config completed by the kernel's default. Where the two do not go together, the rest
/// comes from the legal config that differs from the default in the fewest parameters, and of those
/// by the fewest steps through their values. Error (usage) as Space::complete; Error (infeasible)
/// with the rule that is broken where no legal config has the values.
Config complete_config(const Kernel& kernel, const Problem& problem, const Machine& machine,
                       const Config& partial);

}  // namespace tilewright
