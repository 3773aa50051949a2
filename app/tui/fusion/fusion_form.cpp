#include "app/tui/fusion/fusion_form.h"

#include <fmt/format.h>

#include "app/cli/shell_word.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/model/model_config.h"

namespace tilewright {

namespace {

constexpr int64_t kMostTokens = int64_t{1} << 20;
constexpr int64_t kMostChips = 1024;

int64_t number_of(const std::vector<FormField>& form, std::string_view name, int64_t usual,
                  int64_t most) {
  const std::string& text = value_of(form, name);
  const int64_t value = text.empty() ? usual : parse_int(text, name);
  if (value >= 1 && value <= most) return value;
  throw Error(ErrorKind::kUsage, fmt::format("{} is {}, want 1 to {}", name, value, most));
}

std::string or_else(const std::string& text, const char* usual) {
  return text.empty() ? usual : text;
}

}  // namespace

std::vector<FormField> standard_fusion_form() {
  return {{"graph", "qwen2-7b", "a model, or the path of an HLO module"},
          {"tokens", "16", "of a model's layer; empty: 256"},
          {"quantization", "", "of a model's layer: none or w8a8"},
          {"tp", "", "chips that share a model's layer; empty: 1"},
          {"launch-cost", "2us", "what a launch takes; empty: 2us"},
          {"gemm-fusion", "off", "on or off; empty: off"},
          {"planners", "xla,tilewright", "empty: xla,tilewright; a plans with all"}};
}

FusionRequest fusion_request(const std::vector<FormField>& form, const MachineRef& machine) {
  FusionRequest request;
  request.machine = machine;
  request.source.name = value_of(form, "graph");
  if (request.source.name.empty()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("graph is empty, want the path of an HLO module or a model: {}",
                            join(model_names(), ", ")));
  }
  if (request.source.is_model()) {
    request.source.tokens = number_of(form, "tokens", 256, kMostTokens);
    request.source.tp = number_of(form, "tp", 1, kMostChips);
    request.source.quantization = or_else(value_of(form, "quantization"), "none");
  }
  request.launch_us = parse_launch_us(or_else(value_of(form, "launch-cost"), "2us"), "launch-cost");
  request.fuses_gemms = parse_on_off(or_else(value_of(form, "gemm-fusion"), "off"), "gemm-fusion");
  const std::string names = or_else(value_of(form, "planners"), "xla,tilewright");
  for (const FusionPlanner* planner : parse_planners(names)) {
    request.planners.push_back(planner->name);
  }
  return request;
}

std::vector<std::string> fusion_choices(std::string_view field) {
  if (field == "graph") return model_names();
  if (field == "tokens") return {"1", "16", "64", "256", "1024", "4096"};
  if (field == "quantization") return {"none", "w8a8"};
  if (field == "tp") return {"1", "2", "4", "8"};
  if (field == "launch-cost") return {"1us", "2us", "5us", "10us"};
  if (field == "gemm-fusion") return {"off", "on"};
  if (field == "planners") return {"xla,tilewright", "none,xla,tilewright", "xla", "astitch"};
  return {};
}

std::string fuse_command_line(const FusionRequest& request) {
  const FuseSource& source = request.source;
  std::string line = "tilewright fuse " + shell_word(source.name);
  if (source.is_model()) {
    line += fmt::format(" --tokens {}", source.tokens);
    if (source.tp != 1) line += fmt::format(" --tp {}", source.tp);
    if (source.quantization != "none") {
      line += " --quantization " + shell_word(source.quantization);
    }
  }
  if (request.launch_us != 2) line += fmt::format(" --launch-cost {}us", request.launch_us);
  if (request.fuses_gemms) line += " --gemm-fusion on";
  if (!request.planners.empty()) line += " --planner " + join(request.planners, ",");
  return line;
}

}  // namespace tilewright
