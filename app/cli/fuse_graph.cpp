#include "app/cli/fuse_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/graph/hlo_reader.h"
#include "core/model/decoder_graph.h"
#include "kernels/executor/lowering.h"

namespace tilewright {

bool FuseSource::is_model() const {
  const std::vector<std::string> models = model_names();
  return std::ranges::find(models, name) != models.end() || name.ends_with(".json") ||
         std::filesystem::is_directory(name);
}

OpGraph load_fuse_graph(const FuseSource& source) {
  if (!source.is_model()) return prepared_for_fusion(read_hlo(source.name));
  const ModelConfig model = load_model(source.name);
  RankLayout layout;
  layout.parallel.tp = source.tp;
  layout.quantized = parse_quantization(source.quantization) == Quantization::kW8A8;
  check_parallel(model, layout.parallel);
  return prepared_for_fusion(decoder_graph(model, source.tokens, layout).graph);
}

PlanOptions FuseBudget::applied(PlanOptions options) const {
  options.budget = kernels.value_or(options.budget);
  options.simulations = simulations.value_or(options.simulations);
  return options;
}

FuseBudget parse_fuse_budget(std::string_view text) {
  constexpr int64_t kMost = int64_t{1} << 40;
  const std::vector<std::string> known = {"kernels", "simulations", "seconds"};
  FuseBudget budget;
  for (const auto& [name, value] : parse_assignments(text, "--budget")) {
    const std::string what = fmt::format("--budget {}", printable(name));
    const bool is_time = name == "seconds";
    if (std::ranges::find(known, name) == known.end()) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("--budget has no '{}'{} (it has {})", printable(name),
                              did_you_mean(name, known), join(known, ", ")));
    }
    if (is_time) {
      budget.seconds = parse_number(value, what);
      if (budget.seconds <= 0) {
        throw Error(ErrorKind::kUsage, fmt::format("{} is {}, want more than 0", what, value));
      }
      continue;
    }
    const int64_t least = name == "kernels" ? 1 : 0;
    const int64_t count = parse_int(value, what);
    if (count < least || count > kMost) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{} is {}, want {} to {}", what, value, least, kMost));
    }
    (name == "kernels" ? budget.kernels : budget.simulations) = count;
  }
  return budget;
}

double parse_launch_us(std::string_view text, std::string_view what) {
  if (text.ends_with("us")) text.remove_suffix(2);
  const double us = parse_number(text, what);
  if (us < 0 || us > 1e6) {
    throw Error(ErrorKind::kUsage, fmt::format("{} is {} us, want 0 to 1000000", what, us));
  }
  return us;
}

bool parse_on_off(std::string_view text, std::string_view what) {
  if (text == "on" || text == "off") return text == "on";
  throw Error(ErrorKind::kUsage, fmt::format("{} is '{}', want on or off", what, printable(text)));
}

std::vector<const FusionPlanner*> parse_planners(std::string_view names) {
  std::vector<const FusionPlanner*> planners;
  for (const std::string_view name : split(names, ',')) {
    planners.push_back(&find_fusion_planner(trim(name)));
  }
  return planners;
}

}  // namespace tilewright
