#include "app/tui/serve/serve_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "app/tui/workbench_options.h"
#include "core/base/text.h"
#include "core/model/model_config.h"
#include "core/serving/policy.h"
#include "core/workload/workload.h"

namespace tilewright {

namespace {

/// Fields that are an option of the same name.
constexpr std::string_view kOptions[] = {"workload", "limit", "rate", "plan",
                                         "policy",   "tp",    "pp",   "slo"};

std::vector<std::string> blank_separated(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : split(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

}  // namespace

ServeForm ServeForm::standard() {
  return {{{"model", "qwen2-7b", "a preset, or the path of a config.json"},
           {"workload", "chat", "a preset, or the path of a trace"},
           {"limit", "60", "requests; empty: all of a trace, 1000 generated"},
           {"rate", "", "requests/s; empty: as they come"},
           {"plan", "", "file of a plan; empty: untuned kernels"},
           {"policy", "", "of the scheduler; empty: vllm"},
           {"tp", "", "chips that share a layer; empty: 1"},
           {"pp", "", "stages of layers; empty: 1"},
           {"slo", "ttft=500ms,tpot=50ms", "limits of ttft, tpot, e2el; empty: none"},
           {"more", "", "other options of `tilewright replay`"}}};
}

const std::string& ServeForm::value(std::string_view name) const {
  return value_of(fields, name);
}

void ServeForm::set(std::string_view name, std::string value) {
  set_value(fields, name, std::move(value));
}

bool operator==(const ServeForm& a, const ServeForm& b) {
  return std::ranges::equal(a.fields, b.fields, {}, &FormField::value, &FormField::value);
}

std::vector<std::string> words_of(const ServeForm& form, const std::string& machine) {
  std::vector<std::string> words = {"replay", form.value("model")};
  for (const std::string_view option : kOptions) {
    const std::string& value = form.value(option);
    if (value.empty()) continue;
    words.push_back(fmt::format("--{}", option));
    words.push_back(value);
  }
  const std::vector<std::string> more = blank_separated(form.value("more"));
  words.insert(words.end(), more.begin(), more.end());
  if (std::ranges::find(more, "--machine") == more.end()) {
    words.emplace_back("--machine");
    words.push_back(machine);
  }
  return words;
}

ServeForm form_of(const std::vector<std::string>& command) {
  const std::vector<std::string> words = without_workbench_options(command);
  ServeForm form = ServeForm::standard();
  const auto replay = std::ranges::find(words, "replay");
  if (replay == words.end()) return form;
  for (FormField& field : form.fields) field.value.clear();
  std::vector<std::string> more(words.begin(), replay);
  for (auto word = replay + 1; word != words.end(); ++word) {
    const bool is_option = word->starts_with("--");
    const bool has_next = word + 1 != words.end();
    const std::string name = is_option ? word->substr(2) : "";
    if (std::ranges::find(kOptions, name) != std::end(kOptions) && has_next) {
      form.set(name, *++word);
    } else if (!is_option && form.value("model").empty() &&
               (more.empty() || !more.back().starts_with("--"))) {
      form.set("model", *word);
    } else {
      more.push_back(*word);
    }
  }
  form.set("more", join(more, " "));
  return form;
}

std::vector<std::string> choices_of(std::string_view field) {
  if (field == "model") return model_names();
  if (field == "workload") return workload_names();
  if (field == "limit") return {"60", "200", "1000", "10000"};
  if (field == "rate") return {"", "1", "2", "4", "8", "16", "inf"};
  if (field == "policy") {
    std::vector<std::string> names = policy_names();
    names.insert(names.begin(), "");
    return names;
  }
  if (field == "tp" || field == "pp") return {"", "2", "4", "8"};
  if (field == "slo") {
    return {"", "ttft=500ms,tpot=50ms", "ttft=1s,tpot=100ms", "ttft=200ms,tpot=20ms"};
  }
  return {};
}

}  // namespace tilewright
