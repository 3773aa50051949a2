#include "app/cli/advice_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/problem_arguments.h"
#include "app/cli/run_report.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

std::vector<std::string> command_words(const Advice& advice, const std::string& machine) {
  std::vector<std::string> words = {"tilewright", "run"};
  for (std::string& word : run_arguments(advice.changed_problem, advice.changed_config)) {
    words.push_back(std::move(word));
  }
  words.push_back("--machine " + machine);
  return words;
}

/// A command line over several lines, each of which fits behind the labels.
std::string broken(const std::vector<std::string>& words) {
  constexpr size_t kIndent = 9;
  constexpr size_t kWidth = 80 - kIndent - 2;
  std::string text;
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty() && line.size() + 1 + word.size() > kWidth) {
      text += fmt::format("{:{}}{} \\\n", "", kIndent, line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return text + fmt::format("{:{}}{}\n", "", kIndent, line);
}

std::string text_of(const Advice& advice, size_t number, const std::string& machine) {
  std::string promise = "cannot be done";
  if (advice.pays()) {
    promise = fmt::format("saves about {}, to {}", format_share(advice.estimated_gain),
                          format_us(advice.estimated_us));
  } else if (advice.is_feasible) {
    promise = reason_against(advice);
  }
  std::string text = labelled(fmt::format("{:>3}", number), advice.rule + ": " + promise);
  text += labelled("", advice.problem);
  text += labelled("", "(" + advice.evidence + ")");
  for (const std::string& also : advice.also) text += labelled("  also", also);
  if (!advice.change.empty()) text += labelled("  change", advice.change);
  if (!advice.obstacle.empty()) text += labelled("  but", advice.obstacle);
  if (advice.is_feasible) text += broken(command_words(advice, machine));
  return text;
}

}  // namespace

Json json_of(std::span<const Advice> list, const std::string& machine) {
  Json json = Json::array();
  for (size_t i = 0; i < list.size(); ++i) {
    const Advice& advice = list[i];
    Json& row = json.emplace_back();
    row["number"] = i + 1;
    row["rule"] = advice.rule;
    row["problem"] = advice.problem;
    row["evidence"] = advice.evidence;
    row["also"] = advice.also;
    row["change"] = advice.change.empty() ? Json(nullptr) : Json(advice.change);
    row["changed"] = {{"problem", advice.changed_problem.text()},
                      {"config", to_json(advice.changed_config)}};
    row["command"] =
        advice.is_feasible ? Json(join(command_words(advice, machine), " ")) : Json(nullptr);
    row["feasible"] = advice.is_feasible;
    row["obstacle"] = advice.obstacle.empty() ? Json(nullptr) : Json(advice.obstacle);
    row["estimated_us"] = advice.estimated_us;
    row["estimated_gain"] = advice.estimated_gain;
  }
  return json;
}

std::string text_of(Context& context, std::span<const Advice> list, const std::string& machine) {
  std::string text =
      context.heading("advice; gains are estimates, --apply N measures one in detail") + "\n";
  if (!list.empty() && !list.front().pays()) {
    text += "  nothing in the profile asks for a change that pays\n";
  }
  for (size_t i = 0; i < list.size(); ++i) text += text_of(list[i], i + 1, machine);
  if (list.empty()) text += "  none: nothing in the profile asks for a change\n";
  return text;
}

const Advice& numbered(std::span<const Advice> list, int64_t number) {
  if (number >= 1 && number <= static_cast<int64_t>(list.size())) {
    return list[static_cast<size_t>(number - 1)];
  }
  throw Error(ErrorKind::kUsage,
              list.empty()
                  ? fmt::format("--apply {}: there is no advice on this run", number)
                  : fmt::format("--apply {}: there are {} pieces of advice on this run, 1 to {}",
                                number, list.size(), list.size()));
}

Json json_of(const AppliedAdvice& applied) {
  return {{"before_us", applied.before_us},
          {"estimated_us", applied.estimated_us},
          {"real_us", applied.real_us},
          {"estimated_gain", applied.estimated_gain},
          {"real_gain", applied.real_gain}};
}

}  // namespace tilewright
