#include "app/tui/tune/tune_form.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cli/command.h"
#include "app/cli/options.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/settings.h"
#include "app/cli/shell_word.h"
#include "app/cli/tune_arguments.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/workbench_options.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/machine/machine.h"
#include "core/model/model_config.h"
#include "core/workload/workload.h"
#include "kernels/kernel.h"
#include "tuner/evaluate/command_template.h"
#include "tuner/search/strategy.h"

namespace tilewright {

namespace {

bool is_kernel(const std::string& name) {
  return std::ranges::any_of(all_kernels(),
                             [&](const Kernel* kernel) { return kernel->name() == name; });
}

bool is_model(const std::string& name) {
  const std::vector<std::string> names = model_names();
  return std::ranges::find(names, name) != names.end();
}

/// Of the kernels with a choice of tiles first, then of the models.
std::vector<std::string> targets() {
  std::vector<std::string> names;
  for (const Kernel* kernel : all_kernels()) names.push_back(kernel->name());
  for (const std::string& model : model_names()) names.push_back(model);
  return names;
}

/// Sizes to begin with: those without a usual value.
std::string first_shape(const std::string& target) {
  std::vector<std::string> sizes;
  for (const SizeInfo& size : find_kernel(target).sizes()) {
    if (!size.fallback)
      sizes.push_back(fmt::format("{}={}", size.name, size.min > 512 ? size.min : 512));
  }
  return join(sizes, ",");
}

std::string* part_of(TuneForm& form, std::string_view name) {
  if (name == "target") return &form.target;
  if (name == "shape") return &form.shape;
  if (name == "workload") return &form.workload;
  if (name == "machine") return &form.machine;
  if (name == "budget") return &form.budget;
  if (name == "strategy") return &form.strategy;
  if (name == "evaluator") return &form.evaluator;
  if (name == "options") return &form.options;
  return nullptr;
}

}  // namespace

std::vector<TuneField> fields_of(const TuneForm& form) {
  std::vector<TuneField> fields = {{"target", form.target,
                                    "a kernel, a model, or a file of either or of another tool",
                                    targets()}};
  if (is_kernel(form.target)) {
    fields.push_back({"shape", form.shape, "sizes; m=1..512 tunes all numbers of rows"});
  } else {
    fields.push_back(
        {"workload", form.workload, "traffic of a model: a preset or a trace", workload_names()});
  }
  fields.push_back({"machine", form.machine, "a preset or a machine file", machine_names()});
  fields.push_back({"budget",
                    form.budget,
                    "evaluations=24,seconds=60 or 24 configs each; empty: usual",
                    {"", "evaluations=50", "evaluations=200", "evaluations=1000", "seconds=60"}});
  std::vector<std::string> strategies = strategy_names();
  strategies.insert(strategies.begin(), "");
  fields.push_back(
      {"strategy", form.strategy, "empty: exhaustive where it fits, else portfolio", strategies});
  fields.push_back({"evaluator",
                    form.evaluator,
                    "sim, table:FILE, or 'cmd PROGRAM {tile_m} ...' that times configs",
                    {"sim"}});
  fields.push_back({"options",
                    form.options,
                    is_kernel(form.target) ? "more, such as --dtype i8 --pin tile_m=128"
                                           : "more, such as --limit 60 (requests) --pin tile_m=128",
                    {}});
  return fields;
}

void set_field(TuneForm& form, std::string_view name, std::string_view value) {
  std::string* part = part_of(form, name);
  if (!part) {
    std::vector<std::string> names;
    for (const TuneField& field : fields_of(form)) names.push_back(field.name);
    throw Error(ErrorKind::kUsage,
                fmt::format("the form has no '{}'{} (it has {})", printable(name),
                            did_you_mean(name, names), join(names, ", ")));
  }
  const bool is_other = *part != value;
  *part = std::string(value);
  if (name != "target" || !is_other) return;
  form.options.clear();  // types and limits of another target
  if (is_kernel(form.target)) form.shape = first_shape(form.target);
  if (is_model(form.target) && form.workload.empty()) form.workload = "chat";
}

TuneForm form_for(const Problem& problem, const TuneForm& before) {
  TuneForm form = before;
  form.target = problem.kernel;
  form.shape = Config{problem.sizes}.text();
  const std::vector<std::string> words = run_arguments(problem, {});
  const std::vector<std::string> rest(words.begin() + 2, words.end());  // kernel and shape
  form.options = join(rest, " ");
  return form;
}

std::vector<std::string> tokens_of(const TuneForm& form) {
  std::vector<std::string> tokens = {form.target};
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) tokens.insert(tokens.end(), {option, value});
  };
  if (is_kernel(form.target)) {
    add("--shape", form.shape);
  } else {
    add("--workload", form.workload);
  }
  add("--machine", form.machine);
  add("--budget", form.budget);
  add("--strategy", form.strategy);
  if (form.evaluator != "sim") add("--evaluator", form.evaluator);
  const std::vector<std::string> more = split_words(form.options);
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

std::string wrong_with(const TuneForm& form) {
  if (form.target.empty()) return "no target: a kernel, a model or a file";
  if (is_kernel(form.target) && form.shape.empty()) return "no shape, such as m=512,n=4096,k=4096";
  try {
    std::vector<Option> options = find_command("tune").options;
    options.insert(options.end(), global_options().begin(), global_options().end());
    refuse_workbench_options(split_words(form.options));
    check_tune_arguments(parse_options(tokens_of(form), options));
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

std::string command_line_of(const TuneForm& form) {
  std::vector<std::string> words = {"tilewright", "tune"};
  for (const std::string& token : tokens_of(form)) words.push_back(shell_word(token));
  return join(words, " ");
}

}  // namespace tilewright
