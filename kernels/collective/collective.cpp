#include "kernels/collective/collective.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

constexpr int64_t kMostElements = int64_t{1} << 30;
constexpr std::array<std::string_view, 4> kExchanges = {"ring", "tree", "direct", "direct_twice"};

std::vector<int64_t> tile_values(int64_t part_bytes) {
  std::vector<int64_t> values = {512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};
  const auto cover =
      std::find_if(values.begin(), values.end(), [&](int64_t v) { return v >= part_bytes; });
  if (cover != values.end()) values.erase(cover + 1, values.end());
  return values;
}

/// Shares of a machine's vector cores, ascending.
std::vector<int64_t> core_values(const Machine& machine) {
  const int64_t all = machine.cores.aic * machine.cores.aiv_per_aic;
  std::vector<int64_t> values;
  for (const int64_t share : {8, 4, 2, 1}) values.push_back(std::max<int64_t>(1, all / share));
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// How many chips there are, and which ranks they are enough for.
std::string few_chips(int64_t chips) {
  if (chips < 2) return "it is a single chip";
  return fmt::format("its fabric joins {} chips; give ranks=2 to {}", chips, chips);
}

}  // namespace

std::string_view name_of(Exchange exchange) {
  return kExchanges[static_cast<size_t>(exchange)];
}

Exchange exchange_of(const Config& config) {
  return static_cast<Exchange>(config.at("algorithm"));
}

std::vector<SizeInfo> CollectiveKernel::sizes() const {
  return {{"ranks", "chips that take part, at most those of the machine's fabric", 8, 2},
          {"elements", elements_meaning()}};
}

Problem CollectiveKernel::problem(const ProblemRequest& request) const {
  Problem problem;
  problem.kernel = name();
  problem.sizes = read_sizes(*this, request);
  const DType type = parse_dtype(request.dtype.empty() ? "f16" : request.dtype);
  if (type != DType::kF16 && type != DType::kBF16 && type != DType::kF32) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} works on f16, bf16 or f32, not {}", name(), name_of(type)));
  }
  if (!request.layout.empty() && request.layout != "nd") {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} has no layout '{}'; known is nd", name(), request.layout));
  }
  if (!request.epilogue.empty() && request.epilogue != "none") {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} has no epilogue '{}'; known is none", name(), request.epilogue));
  }
  if (problem.size("ranks") * problem.size("elements") > kMostElements) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} ranks of {} elements are more than 2^30 elements",
                            problem.size("ranks"), problem.size("elements")));
  }
  problem.types = {type, type};
  problem.layouts = {"nd", "nd"};
  return problem;
}

Shares CollectiveKernel::shares_of(const Problem& problem, const Config& config) const {
  return share_out(problem.size("elements"), parts(problem, exchange_of(config)),
                   bytes_of(problem.types[0]), config.at("tile_bytes"), config.at("cores"),
                   lanes(problem, exchange_of(config)));
}

Space CollectiveKernel::space(const Problem& problem, const Machine& machine) const {
  std::vector<int64_t> algorithms;
  std::string meaning = "how chips exchange data:";
  int64_t largest_part = 1;
  for (const Exchange exchange : exchanges()) {
    algorithms.push_back(static_cast<int64_t>(exchange));
    meaning += fmt::format(" {} {}", algorithms.back(), name_of(exchange));
    largest_part =
        std::max(largest_part, ceil_div(problem.size("elements"), parts(problem, exchange)));
  }
  const DType type = problem.types[0];
  std::vector<Parameter> parameters = {
      {"algorithm", meaning, algorithms},
      {"tile_bytes", "bytes of a tile, at most", tile_values(largest_part * bytes_of(type))},
      {"buffers", "tiles, with what is added to each, that UB holds at once", {1, 2, 4}},
      {"cores", "vector cores of each chip used, at most", core_values(machine)},
      {"depth", "tiles of a core that a step moves", {1, 2, 4}}};
  const int64_t ranks = problem.size("ranks");
  const int64_t chips = machine.fabric.chips;
  const Constraint joined = {"fabric", {"algorithm"}, [=](std::span<const int64_t>) -> std::string {
                               if (ranks <= chips) return "";
                               return fmt::format("ranks={} does not fit the machine: {}", ranks,
                                                  few_chips(chips));
                             }};
  const Constraint steps = {
      "steps", {"algorithm", "depth"}, [this](std::span<const int64_t> values) -> std::string {
        const auto exchange = static_cast<Exchange>(values[0]);
        if (has_steps(exchange) || values[1] == 1) return "";
        return fmt::format("algorithm {} has no steps; only depth=1 is known", name_of(exchange));
      }};
  const auto needed = [=, this](std::span<const int64_t> values) {
    const auto exchange = static_cast<Exchange>(values[0]);
    const Shares shares = share_out(problem.size("elements"), parts(problem, exchange),
                                    bytes_of(type), values[1], values[3], lanes(problem, exchange));
    return CollectivePlan(machine, type, shares.tile, sources(problem, exchange), values[2])
        .plan.bytes();
  };
  const int64_t capacity = machine.buffers.ub_bytes;
  const Constraint fits = {"UB",
                           {"algorithm", "tile_bytes", "buffers", "cores"},
                           [=](std::span<const int64_t> values) -> std::string {
                             const int64_t bytes = needed(values);
                             if (bytes <= capacity) return "";
                             return fmt::format(
                                 "the tiles need {} of UB, which has {}: {} B too many; smaller "
                                 "tiles or fewer buffers would do",
                                 format_bytes(static_cast<double>(bytes)),
                                 format_bytes(static_cast<double>(capacity)), bytes - capacity);
                           },
                           Resource{needed, capacity}};
  return {parameters, {joined, steps, fits}};
}

Config CollectiveKernel::default_config(const Problem& problem, const Machine& machine) const {
  const Space legal = space(problem, machine);
  const std::vector<Config> configs = legal.enumerate();
  if (configs.empty()) {
    throw Error(
        ErrorKind::kInfeasible,
        fmt::format("{} does not fit machine {}: {}", problem.text(), machine.name,
                    problem.size("ranks") > machine.fabric.chips ? few_chips(machine.fabric.chips)
                                                                 : "no tile fits its UB"));
  }
  // The first exchange; all cores where there is a tile for each; then large tiles, two at once.
  const auto merit = [&](const Config& config) {
    const Shares shares = shares_of(problem, config);
    return std::array<int64_t, 5>{
        -config.at("algorithm"), shares.cores, std::min<int64_t>(config.at("buffers"), 2),
        std::min<int64_t>(shares.tile * bytes_of(problem.types[0]), 16384), -config.at("depth")};
  };
  return *std::max_element(configs.begin(), configs.end(),
                           [&](const Config& a, const Config& b) { return merit(a) < merit(b); });
}

void CollectiveKernel::fill_inputs(const Problem& problem, const Launch& launch,
                                   const InputValues& values, GmImage& image) const {
  for (int rank = 0; rank < static_cast<int>(problem.size("ranks")); ++rank) {
    fill_tensor(launch, rank, -1, 1, values, image);
  }
}

CollectiveBuilder CollectiveKernel::start(const Problem& problem, const Config& config,
                                          const Machine& machine, int64_t in_rows,
                                          int64_t out_rows) const {
  CollectiveBuilder builder(problem, config, machine, shares_of(problem, config),
                            sources(problem, exchange_of(config)));
  std::vector<int> chips;
  for (int rank = 0; rank < static_cast<int>(problem.size("ranks")); ++rank) {
    builder.add_tensor(fmt::format("in{}", rank), rank, in_rows);
    chips.push_back(rank);
  }
  for (const int rank : chips) builder.add_tensor(fmt::format("out{}", rank), rank, out_rows);
  builder.add_cores(chips);
  return builder;
}

Visits::Visits(int64_t count) : ranks(count) {
  const int64_t others = ranks - 1;
  for (int64_t stride = 1; stride <= std::max<int64_t>(1, others - 1); ++stride) {
    if (std::gcd(stride, others) == 1) strides.push_back(stride);
  }
  orders = others * std::ssize(strides);
}

std::vector<int64_t> Visits::order(int64_t rank, int64_t core) const {
  const int64_t others = ranks - 1;
  const int64_t start = core % others;
  const int64_t stride = strides[static_cast<size_t>(core / others % std::ssize(strides))];
  std::vector<int64_t> order = {rank};
  for (int64_t i = 0; i < others; ++i) {
    order.push_back(around(rank, 1 + (start + i * stride) % others, ranks));
  }
  return order;
}

std::vector<ExpectedTensor> expected_moves(
    const Problem& problem, const Launch& launch, const GmImage& inputs, int64_t out_rows,
    const std::function<RowSource(int64_t, int64_t)>& source) {
  const int64_t ranks = problem.size("ranks");
  const int64_t elements = problem.size("elements");
  std::vector<std::vector<float>> in;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const auto tensor = static_cast<size_t>(rank);
    in.push_back(read_tensor(launch.tensors[tensor], inputs[tensor]));
  }
  std::vector<ExpectedTensor> expected;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    ExpectedTensor out{static_cast<int>(ranks + rank), out_rows, elements, {}};
    for (int64_t row = 0; row < out_rows; ++row) {
      const auto [from, its_row] = source(rank, row);
      const auto begin = in[static_cast<size_t>(from)].begin() + its_row * elements;
      out.values.insert(out.values.end(), begin, begin + elements);
    }
    expected.push_back(std::move(out));
  }
  return expected;
}

ExpectedTensor expected_sum(const Problem& problem, const Launch& launch, const GmImage& inputs,
                            int64_t row, int tensor) {
  const int64_t ranks = problem.size("ranks");
  const int64_t elements = problem.size("elements");
  const auto count = static_cast<size_t>(elements);
  ExpectedTensor out{tensor, 1, elements, std::vector<double>(count)};
  out.errors.resize(count);  // first the sums of the absolute values
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const auto from = static_cast<size_t>(rank);
    const std::vector<float> in = read_tensor(launch.tensors[from], inputs[from]);
    for (size_t e = 0; e < count; ++e) {
      const double value = in[static_cast<size_t>(row * elements) + e];
      out.values[e] += value;
      out.errors[e] += std::abs(value);
    }
  }
  // Every partial sum is at most the sum of the absolute values, and what rounding added to it.
  const DType type = problem.types[0];
  const auto additions = static_cast<double>(ranks - 1);
  const double unit = rounding_unit(type) + sum_error(1);
  const double relative = additions * unit * std::pow(1 + unit, additions);
  const double absolute = additions * subnormal_error(type);
  for (double& error : out.errors) {
    error = std::isfinite(error) ? relative * error + absolute : 0;
  }
  return out;
}

}  // namespace tilewright
