#include "app/tui/lab/lab_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "app/cli/problem_arguments.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMostSize = std::numeric_limits<int32_t>::max();

/// A size that is worth a look where a kernel has no default: that of a layer of a small model.
int64_t first_size(std::string_view name) {
  constexpr std::pair<std::string_view, int64_t> kFirst[] = {
      {"m", 1000},      {"n", 4096},   {"k", 4096},     {"rows", 1024},  {"cols", 4096},
      {"vocab", 32000}, {"heads", 32}, {"kv_heads", 8}, {"tokens", 512}, {"experts", 8},
  };
  const auto found = std::ranges::find(kFirst, name, &std::pair<std::string_view, int64_t>::first);
  return found == std::end(kFirst) ? 128 : found->second;
}

/// 1, 2, 3, 4, 6, 8, 12, 16, ...: powers of two and the values halfway between them.
std::vector<std::string> size_choices(const SizeInfo& size) {
  std::vector<std::string> choices;
  if (size.min == 0) choices.emplace_back("0");
  for (int64_t value = 1; value <= kMostSize; value *= 2) {
    if (value >= size.min) choices.push_back(std::to_string(value));
    if (value >= 2 && value / 2 * 3 <= kMostSize) choices.push_back(std::to_string(value / 2 * 3));
  }
  return choices;
}

/// The problem of a request of words, with sizes that suit every type and layout; none where the
/// kernel does not take it.
std::optional<Problem> problem_of(const Kernel& kernel, ProblemRequest request) {
  for (const SizeInfo& size : kernel.sizes()) {
    if (size.fallback) continue;
    // Heads share KV heads, and are more than those.
    request.sizes[size.name] = size.name == "heads" ? 8 : size.name == "kv_heads" ? 4 : 128;
  }
  try {
    return kernel.problem(request);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Those of `words` that the kernel takes in one place of a request.
std::vector<std::string> taken(const Kernel& kernel, ProblemRequest request,
                               std::string ProblemRequest::*place,
                               const std::vector<std::string>& words) {
  std::vector<std::string> list;
  for (const std::string& word : words) {
    request.*place = word;
    if (problem_of(kernel, request)) list.push_back(word);
  }
  return list;
}

const std::vector<std::string> kTypes = {"f16", "bf16", "f32", "i8"};

std::vector<std::string> dtypes_of(const Kernel& kernel) {
  return taken(kernel, {}, &ProblemRequest::dtype, kTypes);
}

/// Empty where there is nothing to choose, as all that follow.
std::vector<std::string> layouts_of(const Kernel& kernel) {
  const auto layouts = taken(kernel, {}, &ProblemRequest::layout, {"nd", "nz"});
  return layouts.size() < 2 ? std::vector<std::string>() : layouts;
}

std::vector<std::string> epilogues_of(const Kernel& kernel, const std::string& dtype) {
  ProblemRequest request;
  request.dtype = dtype;
  const auto list = taken(kernel, request, &ProblemRequest::epilogue, kernel.epilogues());
  return list.size() < 2 ? std::vector<std::string>() : list;
}

/// What the kernel takes in a request of words that the form says, without the type of the result.
ProblemRequest words_of(const LabForm& form) {
  ProblemRequest request = form.request();
  request.sizes.clear();
  request.out_dtype.clear();
  request.mask.clear();  // some masks need sizes of their own
  return request;
}

/// Types that the result of a request of words may have. A kernel that has no choice ignores what
/// is asked for.
std::vector<std::string> out_dtypes_of(const Kernel& kernel, ProblemRequest request) {
  std::vector<std::string> list;
  for (const char* type : {"f16", "bf16", "f32", "i8", "i32"}) {
    request.out_dtype = type;
    const std::optional<Problem> problem = problem_of(kernel, request);
    if (problem && name_of(problem->types.back()) == type) list.emplace_back(type);
  }
  return list.size() < 2 ? std::vector<std::string>() : list;
}

/// The type of the result where none is asked for.
std::string own_out_dtype(const LabForm& form, const Kernel& kernel) {
  const std::optional<Problem> problem = problem_of(kernel, words_of(form));
  return problem ? std::string(name_of(problem->types.back())) : "";
}

bool is_in(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

/// Keeps of the form's words those that go together, and the plain ones in place of others.
void settle_words(LabForm& form) {
  const Kernel& kernel = find_kernel(form.kernel);
  const std::vector<std::string> types = dtypes_of(kernel);
  TW_CHECK(!types.empty(), "every kernel works on some type");
  if (!is_in(types, form.dtype)) form.dtype = types.front();
  const auto settle = [](std::string& word, const std::vector<std::string>& list) {
    if (!is_in(list, word)) word = list.empty() ? "" : list.front();
  };
  settle(form.layout, layouts_of(kernel));
  settle(form.epilogue, epilogues_of(kernel, form.dtype));
  settle(form.mask, kernel.masks());
  if (form.out_dtype == own_out_dtype(form, kernel) ||
      !is_in(out_dtypes_of(kernel, words_of(form)), form.out_dtype)) {
    form.out_dtype.clear();
  }
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const Kernel* kernel : all_kernels()) names.push_back(kernel->name());
  return names;
}

/// The presets, and a file that is in use.
std::vector<std::string> machine_choices(const LabForm& form) {
  std::vector<std::string> names = machine_names();
  if (std::ranges::find(names, form.machine->argument) == names.end()) {
    names.push_back(form.machine->argument);
  }
  return names;
}

int64_t nearest(const std::vector<int64_t>& values, int64_t wanted) {
  const auto above = std::ranges::lower_bound(values, wanted);
  if (above == values.end()) return values.back();
  if (above == values.begin()) return values.front();
  return wanted - *(above - 1) <= *above - wanted ? *(above - 1) : *above;
}

using NamedValues = std::vector<std::pair<std::string, int64_t>>;

/// The value of a name; null where it has none.
template <typename Pairs>
auto* value_in(Pairs& pairs, std::string_view name) {
  const auto found = std::ranges::find(pairs, name, &NamedValues::value_type::first);
  return found == pairs.end() ? nullptr : &found->second;
}

/// Whether a size means nothing beside the others.
bool is_idle(const LabForm& form, const SizeInfo& size) {
  const int64_t* const counted = value_in(form.sizes, size.of);
  return counted && *counted == 0;
}

/// The default with the chosen values.
Config config_of(const LabCheck& check, const NamedValues& chosen) {
  Config config;
  for (const Parameter& parameter : check.parameters) {
    if (parameter.values.empty()) continue;
    const int64_t* const wanted = value_in(chosen, parameter.name);
    const int64_t value = wanted                               ? nearest(parameter.values, *wanted)
                          : check.fallback.has(parameter.name) ? check.fallback.at(parameter.name)
                                                               : parameter.values.front();
    config.values.emplace_back(parameter.name, value);
  }
  return config;
}

/// Whether the form's kernel has that size, and not another one of the same name.
bool means_the_same(const LabForm& form, const SizeInfo& size) {
  if (form.kernel.empty()) return false;
  const std::vector<SizeInfo> sizes = find_kernel(form.kernel).sizes();
  return std::ranges::any_of(sizes, [&](const SizeInfo& other) {
    return other.name == size.name && other.meaning == size.meaning;
  });
}

void take_kernel(LabForm& form, std::string_view name) {
  const Kernel& kernel = find_kernel(name);
  if (form.kernel == kernel.name()) return;
  const LabForm old = form;
  form.kernel = kernel.name();
  form.sizes.clear();
  for (const SizeInfo& size : kernel.sizes()) {
    const auto known =
        std::ranges::find(old.sizes, size.name, &std::pair<std::string, int64_t>::first);
    const bool keeps = known != old.sizes.end() && (!size.fallback || means_the_same(old, size));
    const int64_t value = keeps           ? known->second
                          : size.fallback ? *size.fallback
                                          : first_size(size.name);
    form.sizes.emplace_back(size.name, std::max(size.min, value));
  }
  for (std::string* word : {&form.layout, &form.epilogue, &form.mask, &form.out_dtype}) {
    word->clear();
  }
  settle_words(form);
  form.chosen.clear();
}

void take_listed(std::string& value, const LabField& field, std::string_view text) {
  if (std::ranges::find(field.choices, text) == field.choices.end()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} is not '{}'{}; it is one of {}", field.name, printable(text),
                            did_you_mean(text, field.choices), join(field.choices, ", ")));
  }
  value = text;
}

void take_size(LabForm& form, const LabField& field, std::string_view text) {
  const int64_t value = parse_int(text, field.name);
  const std::vector<SizeInfo> sizes = find_kernel(form.kernel).sizes();
  const int64_t least = std::ranges::find(sizes, field.name, &SizeInfo::name)->min;
  if (value < least || value > kMostSize) {
    throw Error(ErrorKind::kUsage,
                fmt::format("size {}={} is outside {} to {}", field.name, value, least, kMostSize));
  }
  *value_in(form.sizes, field.name) = value;
}

void take_parameter(LabForm& form, const LabField& field, std::string_view text) {
  const int64_t value = parse_int(text, field.name);
  if (std::ranges::find(field.choices, std::to_string(value)) == field.choices.end()) {
    throw Error(ErrorKind::kUsage, fmt::format("{}={} is not one of {}", field.name, value,
                                               join(field.choices, ", ")));
  }
  if (int64_t* const chosen = value_in(form.chosen, field.name)) {
    *chosen = value;
  } else {
    form.chosen.emplace_back(field.name, value);
  }
}

std::vector<std::string> names_of(const std::vector<std::pair<std::string, int64_t>>& values) {
  std::vector<std::string> names;
  for (const auto& [name, value] : values) names.push_back(name);
  return names;
}

}  // namespace

ProblemRequest LabForm::request() const {
  ProblemRequest request{{sizes.begin(), sizes.end()}, dtype, layout, epilogue, out_dtype, mask};
  for (const SizeInfo& size : find_kernel(kernel).sizes()) {
    if (is_idle(*this, size)) request.sizes[size.name] = idle_value(size);
  }
  return request;
}

void settle_config(LabForm& form) {
  form.config = {};
  form.config = config_of(check_form(form), form.chosen);
}

MachineRef named_machine(std::string_view name_or_path) {
  const std::string argument(name_or_path);
  return std::make_shared<const NamedMachine>(NamedMachine{argument, load_machine(argument)});
}

LabForm first_form(const MachineRef& machine, std::string_view kernel) {
  LabForm form;
  form.machine = machine;
  take_kernel(form, kernel);
  settle_config(form);
  return form;
}

LabForm form_of(const MachineRef& machine, const Problem& problem, const Config& config) {
  LabForm form;
  form.machine = machine;
  take_kernel(form, problem.kernel);
  const Kernel& kernel = find_kernel(problem.kernel);
  const ProblemRequest request = request_for(kernel, problem);
  form.sizes = problem.sizes;
  form.dtype = request.dtype;
  if (!request.layout.empty()) form.layout = request.layout;
  if (!request.epilogue.empty()) form.epilogue = request.epilogue;
  if (!request.mask.empty()) form.mask = request.mask;
  form.out_dtype = request.out_dtype;
  settle_words(form);
  form.chosen = config.values;
  form.config = config;
  const Space space = kernel.space(problem, machine->machine);
  std::vector<std::string> parameters;
  for (const Parameter& parameter : space.parameters()) parameters.push_back(parameter.name);
  if (names_of(config.values) != parameters) {
    throw Error(ErrorKind::kFailed,
                fmt::format("'{}' is no config of {}, whose parameters are {}",
                            printable(config.text()), problem.kernel, join(parameters, ", ")));
  }
  return form;
}

KernelRequest request_of(const LabForm& form, const LabCheck& check) {
  return {form.machine, check.problem, form.config};
}

namespace {

void add_sizes(const LabForm& form, const Kernel& kernel, std::vector<LabField>& fields) {
  const std::vector<SizeInfo> sizes = kernel.sizes();
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (is_idle(form, sizes[i])) continue;
    fields.push_back({LabField::Kind::kSize, sizes[i].name, std::to_string(form.sizes[i].second),
                      sizes[i].meaning, size_choices(sizes[i])});
  }
}

/// Types, layout and so on, those in which there is a choice.
void add_words(const LabForm& form, const Kernel& kernel, std::vector<LabField>& fields) {
  using Kind = LabField::Kind;
  fields.push_back({Kind::kDtype, "dtype", form.dtype, "of the inputs", dtypes_of(kernel)});
  const auto add = [&](Kind kind, const char* name, const std::string& value, const char* meaning,
                       std::vector<std::string> choices) {
    if (!choices.empty()) fields.push_back({kind, name, value, meaning, std::move(choices)});
  };
  add(Kind::kLayout, "layout", form.layout, "of the weights", layouts_of(kernel));
  add(Kind::kEpilogue, "epilogue", form.epilogue, "what is done to the sums",
      epilogues_of(kernel, form.dtype));
  add(Kind::kMask, "mask", form.mask, "which keys a token sees", kernel.masks());
  add(Kind::kOutDtype, "out_dtype",
      form.out_dtype.empty() ? own_out_dtype(form, kernel) : form.out_dtype, "of the result",
      out_dtypes_of(kernel, words_of(form)));
}

}  // namespace

std::vector<LabField> fields_of(const LabForm& form, const LabCheck& check) {
  const Kernel& kernel = find_kernel(form.kernel);
  std::vector<LabField> fields = {
      {LabField::Kind::kKernel, "kernel", form.kernel, kernel.summary(), kernel_names()},
      {LabField::Kind::kMachine, "machine", form.machine->argument, "preset or machine file",
       machine_choices(form)}};
  add_sizes(form, kernel, fields);
  add_words(form, kernel, fields);
  for (const Parameter& parameter : check.parameters) {
    if (!form.config.has(parameter.name)) continue;
    std::vector<std::string> choices;
    for (const int64_t value : parameter.values) choices.push_back(std::to_string(value));
    fields.push_back({LabField::Kind::kParameter, parameter.name,
                      std::to_string(form.config.at(parameter.name)), parameter.meaning,
                      std::move(choices), value_in(form.chosen, parameter.name) != nullptr});
  }
  return fields;
}

LabForm with_value(const LabForm& form, const LabField& field, std::string_view text) {
  LabForm changed = form;
  switch (field.kind) {
    case LabField::Kind::kKernel:
      take_kernel(changed, text);
      break;
    case LabField::Kind::kMachine:
      changed.machine = named_machine(text);
      break;
    case LabField::Kind::kSize:
      take_size(changed, field, text);
      break;
    case LabField::Kind::kDtype:
      take_listed(changed.dtype, field, text);
      break;
    case LabField::Kind::kLayout:
      take_listed(changed.layout, field, text);
      break;
    case LabField::Kind::kEpilogue:
      take_listed(changed.epilogue, field, text);
      break;
    case LabField::Kind::kMask:
      take_listed(changed.mask, field, text);
      break;
    case LabField::Kind::kOutDtype:
      take_listed(changed.out_dtype, field, text);
      break;
    case LabField::Kind::kParameter:
      take_parameter(changed, field, text);
      break;
  }
  settle_words(changed);
  settle_config(changed);
  return changed;
}

std::string stepped(const LabField& field, int step) {
  const auto& choices = field.choices;
  if (choices.empty()) return field.value;
  const auto count = static_cast<int>(choices.size());
  auto at = static_cast<int>(std::ranges::find(choices, field.value) - choices.begin());
  if (at == count && field.is_number()) {
    // Behind the last smaller value, so that a step down leads to it.
    const int64_t value = parse_int(field.value, field.name);
    at = 0;
    while (at < count && parse_int(choices[static_cast<size_t>(at)], field.name) < value) ++at;
    if (step > 0) --step;
  }
  return choices[static_cast<size_t>(std::clamp(at + step, 0, count - 1))];
}

}  // namespace tilewright
