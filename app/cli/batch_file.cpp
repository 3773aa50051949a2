#include "app/cli/batch_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "app/cli/foreign_target.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxBatchBytes = int64_t{16} << 20;
constexpr size_t kMaxJobs = 10'000;
constexpr int64_t kMaxSize = int64_t{1} << 40;

/// Keys of a job that are options of `tilewright tune` by another spelling or none.
constexpr std::pair<const char*, const char*> kOptions[] = {
    {"dtype", "dtype"}, {"layout", "layout"},       {"epilogue", "epilogue"},
    {"mask", "mask"},   {"out_dtype", "out-dtype"}, {"workload", "workload"},
    {"for", "for"},     {"strategy", "strategy"}};

/// The values of one size.
std::vector<int64_t> sizes_of(const JsonReader& size) {
  if (size.is_number()) return {size.integer(1, kMaxSize)};
  std::vector<int64_t> values;
  if (size.is_array()) {
    for (const JsonReader& item : size.items()) values.push_back(item.integer(1, kMaxSize));
    if (values.empty()) size.fail("is an empty list");
    return values;
  }
  if (!size.is_object()) {
    size.fail(
        "expected a number, a list of numbers or a range, {\"from\": 16, \"to\": 64, "
        "\"step\": 16} or with \"times\": 2");
  }
  size.only({"from", "to", "step", "times"});
  const int64_t from = size.at("from").integer(1, kMaxSize);
  const int64_t to = size.at("to").integer(from, kMaxSize);
  if (size.has("step") == size.has("times")) size.fail("needs one of step and times");
  const int64_t step = size.has("step") ? size.at("step").integer(1, kMaxSize) : 0;
  const int64_t times = size.has("times") ? size.at("times").integer(2, kMaxSize) : 1;
  for (int64_t value = from; value <= to; value = value * times + step) {
    if (values.size() == kMaxJobs) size.fail(fmt::format("has more than {} values", kMaxJobs));
    values.push_back(value);
    if (times > 1 && value > kMaxSize / times) break;
  }
  return values;
}

struct Shape {
  std::string text;    ///< "m=16,n=512"
  std::string varied;  ///< the sizes that differ between the jobs
};

/// Every combination, the last size changing fastest.
std::vector<Shape> shapes_of(const JsonReader& shape) {
  std::vector<Shape> shapes = {{}};
  for (const std::string& name : shape.keys()) {
    const std::vector<int64_t> values = sizes_of(shape.at(name));
    if (shapes.size() * values.size() > kMaxJobs) {
      shape.fail(fmt::format("makes more than {} jobs", kMaxJobs));
    }
    std::vector<Shape> longer;
    for (const Shape& before : shapes) {
      for (const int64_t value : values) {
        Shape& next = longer.emplace_back(before);
        const std::string size = fmt::format("{}={}", name, value);
        next.text += (next.text.empty() ? "" : ",") + size;
        if (values.size() > 1) next.varied += (next.varied.empty() ? "" : ",") + size;
      }
    }
    shapes = std::move(longer);
  }
  return shapes;
}

void add(std::vector<std::string>& tokens, std::string_view option, std::string value) {
  tokens.push_back(fmt::format("--{}={}", option, std::move(value)));
}

std::string budget_text(const JsonReader& budget) {
  budget.only({"evaluations", "seconds"});
  std::vector<std::string> parts;
  if (budget.has("evaluations")) {
    const int64_t count = budget.at("evaluations").integer(1, int64_t{1} << 40);
    parts.push_back(fmt::format("evaluations={}", count));
  }
  if (budget.has("seconds")) {
    parts.push_back(fmt::format("seconds={}", budget.at("seconds").number(1e-3, 1e9)));
  }
  if (parts.empty()) budget.fail("has neither evaluations nor seconds");
  return join(parts, ",");
}

/// A switch is true, or false against defaults that set it.
void add_option(std::vector<std::string>& tokens, const std::string& name,
                const JsonReader& value) {
  if (value.raw().is_boolean()) {
    if (value.boolean()) tokens.push_back("--" + name);
  } else if (value.is_string()) {
    add(tokens, name, value.string());
  } else if (value.is_number()) {
    add(tokens, name, value.raw().dump());
  } else {
    value.fail("expected a text, a number, or true or false for a switch");
  }
}

/// The job's own value of a key, or the default.
std::optional<JsonReader> either(const JsonReader& job, const std::optional<JsonReader>& defaults,
                                 const char* key) {
  if (job.has(key)) return job.at(key);
  if (defaults && defaults->has(key)) return defaults->at(key);
  return std::nullopt;
}

class BatchReader {
 public:
  explicit BatchReader(JsonReader root) : root_(std::move(root)) {
    root_.only({"schema", "defaults", "jobs"});
    root_.at("schema").integer(1, 1);
    if (!root_.has("defaults")) return;
    defaults_ = root_.at("defaults");
    defaults_->only({"machine", "budget", "strategy", "seed", "options"});
  }

  std::vector<BatchJob> read() {
    const std::vector<JsonReader> jobs = root_.at("jobs").items();
    for (size_t i = 0; i < jobs.size(); ++i) add_job(jobs[i], i + 1);
    if (jobs_.empty()) root_.at("jobs").fail("is empty");
    return std::move(jobs_);
  }

 private:
  void add_job(const JsonReader& job, size_t number) {
    std::set<std::string> known = {"name", "kernel", "model",   "shape",  "budget",
                                   "seed", "limit",  "machine", "options"};
    for (const auto& [key, option] : kOptions) known.insert(key);
    job.only(known);
    if (job.has("kernel") == job.has("model")) job.fail("needs one of kernel and model");
    const bool is_kernel = job.has("kernel");
    const std::string target = job.at(is_kernel ? "kernel" : "model").string();
    if (target.empty() || target.front() == '-') job.fail("has no usable target");
    BatchJob entry;
    entry.where = job.where();
    entry.name = job.has("name") ? job.at("name").string() : fmt::format("{} {}", number, target);
    if (const auto machine = either(job, defaults_, "machine")) entry.machine = machine->string();
    if (const auto seed = either(job, defaults_, "seed")) {
      entry.seed = seed->integer(0, INT64_MAX);
    }
    entry.tokens = {target};
    add_options(job, entry.tokens);
    if (!is_kernel) return add_entry(job, std::move(entry));
    for (const Shape& shape : shapes_of(job.at("shape"))) {
      BatchJob each = entry;
      if (!shape.varied.empty()) each.name += " " + shape.varied;
      add(each.tokens, "shape", shape.text);
      add_entry(job, std::move(each));
    }
  }

  void add_options(const JsonReader& job, std::vector<std::string>& tokens) {
    for (const auto& [key, option] : kOptions) {
      if (const auto value = either(job, defaults_, key)) add(tokens, option, value->string());
    }
    if (job.has("limit")) {
      add(tokens, "limit", std::to_string(job.at("limit").integer(1, kMaxSize)));
    }
    if (const auto budget = either(job, defaults_, "budget")) {
      add(tokens, "budget", budget_text(*budget));
    }
    std::set<std::string> given;
    for (const auto& source : {std::optional(job), defaults_}) {
      if (!source || !source->has("options")) continue;
      const JsonReader options = source->at("options");
      for (const std::string& name : options.keys()) {
        if (given.insert(name).second) add_option(tokens, name, options.at(name));
      }
    }
  }

  void add_entry(const JsonReader& job, BatchJob entry) {
    if (!names_.insert(entry.name).second) {
      job.fail(fmt::format("is the second job with the name '{}'", printable(entry.name)));
    }
    if (jobs_.size() == kMaxJobs) job.fail(fmt::format("is beyond {} jobs", kMaxJobs));
    jobs_.push_back(std::move(entry));
  }

  JsonReader root_;
  std::optional<JsonReader> defaults_;
  std::set<std::string> names_;
  std::vector<BatchJob> jobs_;
};

}  // namespace

bool is_batch_file(const std::string& path) {
  std::error_code none;
  if (!path.ends_with(".json") || !std::filesystem::is_regular_file(path, none)) return false;
  // Known by how they begin; caches of tools that were killed have no end, and some are large.
  if (is_foreign_file(path)) return false;
  const Json document = parse_json(read_file(path, kMaxBatchBytes), path);
  if (document.is_object() && document.contains("jobs")) return true;
  if (!document.is_object() || document.empty() || document.contains("defaults") ||
      document.contains("schema")) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: neither a model's config.json nor a batch of tunings, which is "
                            "{{\"schema\": 1, \"jobs\": [...]}}",
                            path));
  }
  return false;
}

std::vector<BatchJob> read_batch(std::string_view text, const std::string& where) {
  const Json document = parse_json(text, where);
  return BatchReader(JsonReader(document, where)).read();
}

}  // namespace tilewright
