// A tuning as a job of a batch file (docs/formats.md, "Batches of tunings").

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/cli/batch_file.h"
#include "app/cli/command.h"
#include "app/cli/options.h"
#include "app/cli/tune_arguments.h"
#include "app/tui/tune/tune_work.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "kernels/kernel.h"

namespace tilewright {

namespace {

/// Keys of a job, by the option that they stand for.
constexpr std::pair<const char*, const char*> kKeys[] = {
    {"dtype", "dtype"},       {"layout", "layout"},       {"epilogue", "epilogue"},
    {"mask", "mask"},         {"out-dtype", "out_dtype"}, {"workload", "workload"},
    {"strategy", "strategy"}, {"machine", "machine"}};

Json shape_of(const std::string& text) {
  Json shape = Json::object();
  for (const auto& [name, value] : parse_assignments(text, "shape")) {
    if (value.find_first_not_of("0123456789") != std::string::npos) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{}={}: a batch has no ranges of rows tuned as one; give numbers, or "
                              "tune the range from the shell",
                              name, value));
    }
    shape[name] = parse_int(value, name);
  }
  return shape;
}

/// Evaluations and seconds have a key of their own; anything else stays an option.
bool add_budget(Json& job, const std::string& text) {
  Json budget = Json::object();
  for (const auto& [name, value] : parse_assignments(named_budget(text), "--budget")) {
    if (name == "evaluations") {
      budget[name] = parse_int(value, "--budget evaluations");
    } else if (name == "seconds") {
      budget[name] = parse_number(value, "--budget seconds");
    } else {
      return false;
    }
  }
  job["budget"] = std::move(budget);
  return true;
}

/// The value of an option of a job; empty when it is a switch.
Json job_of(const std::vector<std::string>& tokens, int64_t seed) {
  Json job = Json::object();
  const std::string& target = tokens.front();
  const bool is_kernel = std::ranges::any_of(
      all_kernels(), [&](const Kernel* kernel) { return kernel->name() == target; });
  job[is_kernel ? "kernel" : "model"] = target;
  std::vector<Option> options = find_command("tune").options;
  options.insert(options.end(), global_options().begin(), global_options().end());
  const Arguments arguments = parse_options(tokens, options);
  Json others = Json::object();
  for (const Option& option : options) {
    if (!arguments.has(option.name)) continue;
    const std::string text = arguments.text(option.name);
    const auto key =
        std::ranges::find_if(kKeys, [&](const auto& known) { return option.name == known.first; });
    if (option.name == "shape") {
      job["shape"] = shape_of(text);
    } else if (option.name == "evaluator") {
      throw Error(ErrorKind::kUsage,
                  "--evaluator stands on the command line of a batch, not in its file");
    } else if (option.name == "seed") {
      seed = parse_int(text, "--seed");
    } else if (key != std::end(kKeys)) {
      job[key->second] = text;
    } else if (option.name != "budget" || !add_budget(job, text)) {
      others[option.name] = option.value.empty() ? Json(true) : Json(text);
    }
  }
  if (seed != 0) job["seed"] = seed;
  if (!others.empty()) job["options"] = std::move(others);
  return job;
}

}  // namespace

std::string write_batch(const WriteBatchJob& job) {
  Json batch = {{"schema", 1}, {"jobs", Json::array()}};
  std::error_code none;
  const bool exists = std::filesystem::exists(job.path, none);
  if (exists) {
    const std::string text = read_file(job.path);
    read_batch(text, job.path);  // refuses what is no batch
    batch = parse_json(text, job.path);
  }
  batch["jobs"].push_back(job_of(job.tokens, job.seed));
  const std::string text = batch.dump(2) + "\n";
  const size_t jobs = read_batch(text, job.path).size();
  write_file(job.path, text);
  return fmt::format("{} {}: {} job{}; tilewright tune {} runs {}", printable(job.path),
                     exists ? "has one more" : "written", jobs, jobs == 1 ? "" : "s",
                     printable(job.path), jobs == 1 ? "it" : "them");
}

}  // namespace tilewright
