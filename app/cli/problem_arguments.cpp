#include "app/cli/problem_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Product of a problem's sizes, about the multiply-adds of a GEMM: 65536 cubed. Beyond it the
/// lists of tiles alone would fill the memory.
constexpr double kMaxProduct = 0x1p48;

/// Instructions of a launch. The detailed timing handles some ten million of them a second.
constexpr int64_t kMaxInstructions = 2'000'000'000;

}  // namespace

ProblemRequest read_request(const Arguments& arguments) {
  return read_request(arguments, arguments.text("shape"));
}

ProblemRequest read_request(const Arguments& arguments, const std::string& shape) {
  ProblemRequest request;
  if (!shape.empty()) {
    for (const auto& [name, value] : parse_assignments(shape, "--shape")) {
      request.sizes[name] = parse_int(value, fmt::format("--shape {}", printable(name)));
    }
  }
  request.dtype = arguments.text("dtype");
  request.layout = arguments.text("layout");
  request.epilogue = arguments.text("epilogue");
  request.mask = arguments.text("mask");
  request.out_dtype = arguments.text("out-dtype");
  return request;
}

Problem read_problem(const Kernel& kernel, const ProblemRequest& request) {
  Problem problem = kernel.problem(request);
  if (!request.mask.empty() && problem.mask.empty()) {
    throw Error(ErrorKind::kUsage, fmt::format("{} has no mask; leave --mask out", kernel.name()));
  }
  if (!request.out_dtype.empty() &&
      std::ranges::find(problem.types, parse_dtype(request.out_dtype)) == problem.types.end()) {
    throw Error(ErrorKind::kUsage, fmt::format("{} stores no {}; leave --out-dtype out",
                                               kernel.name(), request.out_dtype));
  }
  const double product = kernel.work(problem);
  if (product > kMaxProduct) {
    throw Error(ErrorKind::kUsage,
                fmt::format("too large to simulate, use smaller sizes: they multiply to {:.3g} "
                            "operations, at most {:.3g} can be simulated ({})",
                            product, kMaxProduct, problem.text()));
  }
  return problem;
}

ProblemRequest request_for(const Kernel& kernel, const Problem& problem) {
  const Error refusal(ErrorKind::kFailed, fmt::format("'{}' is no problem of {} as it is now",
                                                      printable(problem.text()), kernel.name()));
  if (problem.kernel != kernel.name() || problem.types.empty() ||
      problem.sizes.size() != kernel.sizes().size()) {
    throw refusal;
  }
  ProblemRequest request;
  request.sizes = {problem.sizes.begin(), problem.sizes.end()};
  request.dtype = name_of(problem.types.front());
  try {
    // Only what differs from the kernel's own choice is a wish.
    const Problem plain = kernel.problem(request);
    if (plain.types.back() != problem.types.back()) {
      request.out_dtype = name_of(problem.types.back());
    }
    if (plain.layouts != problem.layouts && problem.layouts.size() > 1) {
      request.layout = problem.layouts[1];
    }
    if (plain.epilogue != problem.epilogue) request.epilogue = problem.epilogue;
    if (plain.mask != problem.mask) request.mask = problem.mask;
    if (kernel.problem(request) == problem) return request;
  } catch (const Error&) {
    // Whatever the kernel says of the request, which nobody made, is no help.
  }
  throw refusal;
}

Launch build_launch(const Kernel& kernel, const Problem& problem, const Config& config,
                    const Machine& machine) {
  Launch launch = kernel.build(problem, config, machine);
  const int64_t instructions = launch.instruction_count();
  if (instructions > kMaxInstructions) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("too large to simulate, use larger tiles or smaller sizes: {} instructions, at "
                    "most {} can be simulated ({} with {})",
                    format_count(instructions), format_count(kMaxInstructions), problem.text(),
                    config.text()));
  }
  return launch;
}

std::vector<std::string> run_arguments(const Problem& problem, const Config& config) {
  constexpr size_t kValuesEach = 4;
  std::vector<std::string> words = {problem.kernel, "--shape " + Config{problem.sizes}.text(),
                                    fmt::format("--dtype {}", name_of(problem.types[0]))};
  const auto layout =
      std::ranges::find_if(problem.layouts, [](const std::string& name) { return name != "nd"; });
  if (layout != problem.layouts.end()) words.push_back("--layout " + *layout);
  if (problem.epilogue != "none") words.push_back("--epilogue " + problem.epilogue);
  if (!problem.mask.empty()) words.push_back("--mask " + problem.mask);
  const std::string out = request_for(find_kernel(problem.kernel), problem).out_dtype;
  if (!out.empty()) words.push_back("--out-dtype " + out);
  for (size_t i = 0; i < config.values.size(); i += kValuesEach) {
    const size_t end = std::min(i + kValuesEach, config.values.size());
    const auto at = [&](size_t position) {
      return config.values.begin() + static_cast<std::ptrdiff_t>(position);
    };
    words.push_back("--config " + Config{{at(i), at(end)}}.text());
  }
  return words;
}

Json to_json(const Config& config) {
  Json json = Json::object();
  for (const auto& [name, value] : config.values) json[name] = value;
  return json;
}

Json to_json(const Config& config, const Space& space) {
  Json json = Json::object();
  for (const auto& [name, value] : config.values) json[name] = json_value(space, name, value);
  return json;
}

Json json_value(const Space& space, const std::string& parameter, int64_t value) {
  std::string text = space.value_text(parameter, value);
  return text == std::to_string(value) ? Json(value) : Json(std::move(text));
}

}  // namespace tilewright
