// `tilewright fuse`: plans which ops of a graph share a kernel, and compares planners.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/fuse_graph.h"
#include "app/cli/fuse_report.h"
#include "app/cli/table.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/model/model_config.h"
#include "db/store.h"
#include "tuner/fusion/explain.h"

namespace tilewright {

namespace {

/// "launch=1,5,10us".
std::vector<double> parse_sweep(const std::string& text) {
  constexpr std::string_view kPrefix = "launch=";
  std::string_view rest = text;
  if (!rest.starts_with(kPrefix)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--sweep is '{}', want launch=1,5,10us", printable(text)));
  }
  rest.remove_prefix(kPrefix.size());
  std::vector<double> costs;
  for (const std::string_view cost : split(rest, ','))
    costs.push_back(parse_launch_us(cost, "--sweep"));
  return costs;
}

OpGraph graph_of_arguments(const Arguments& arguments) {
  FuseSource source;
  source.name = arguments.positionals()[0];
  if (source.is_model()) {
    source.tp = arguments.integer("tp", 1, 1024);
    source.quantization = arguments.text("quantization");
    source.tokens = arguments.integer("tokens", 1, int64_t{1} << 20);
  } else {
    for (const char* option : {"tokens", "tp", "quantization"}) {
      if (!arguments.has(option)) continue;
      throw Error(ErrorKind::kUsage,
                  fmt::format("--{} is for a model's layer, and '{}' is no model (known: {})",
                              option, printable(source.name), join(model_names(), ", ")));
    }
  }
  return load_fuse_graph(source);
}

std::vector<const FusionPlanner*> chosen_planners(const Arguments& arguments) {
  if (arguments.has("planner")) return parse_planners(arguments.text("planner"));
  std::vector<const FusionPlanner*> planners;
  for (const FusionPlanner& planner : fusion_planners()) planners.push_back(&planner);
  return planners;
}

/// The pairs of an option that takes "A,B", and may be given again.
std::vector<NamedPair> parse_pairs(const FusionStudy& study, const Arguments& arguments,
                                   const std::string& option) {
  std::vector<NamedPair> pairs;
  if (!arguments.has(option)) return pairs;
  const std::string text = arguments.text(option);
  const std::vector<std::string_view> names = split(text, ',');
  if (names.size() % 2 != 0) {
    throw Error(ErrorKind::kUsage, fmt::format("--{} is '{}', want the names of two ops: A,B",
                                               option, printable(text)));
  }
  for (size_t i = 0; i < names.size(); i += 2) {
    pairs.push_back(find_pair(study, std::string(names[i]), std::string(names[i + 1])));
  }
  return pairs;
}

struct Explained {
  std::string planner = {};
  FusionExplanation why = {};
};

Json explain_json(const FusionStudy& study, const std::vector<Explained>& list) {
  Json json = Json::array();
  for (const Explained& one : list) {
    const FusionGraph& graph = study.graph(one.why.region);
    json.push_back({{"planner", one.planner},
                    {"a", graph.name(one.why.ops.first)},
                    {"b", graph.name(one.why.ops.second)},
                    {"fused", one.why.is_fused},
                    {"reason", one.why.reason},
                    {"kernel_of_a", one.why.kernel_of_a},
                    {"kernel_of_b", one.why.kernel_of_b},
                    {"saved_bytes", one.why.saved_bytes},
                    {"saved_us", one.why.saved_us}});
  }
  return json;
}

/// Everything that the command says of one cost of a launch.
class FuseRun {
 public:
  FuseRun(Context& context, const OpGraph& graph, const Machine& machine, double launch_us);

  void set_cache(PlanCache* cache) {
    cache_ = cache;
    study_.set_cache(cache);
  }
  void plan_all();
  void sweep();
  void print() const;

 private:
  void print_json() const;
  void print_text() const;
  std::vector<PlanOptions> options_of(const FusionStudy& study) const;
  std::vector<PlanOptions> timed(std::vector<PlanOptions> options, double begin) const;

  Context& context_;
  const Arguments& arguments_;
  const OpGraph& graph_;
  const Machine& machine_;
  double launch_us_ = 0;
  bool fuses_gemms_ = false;
  FuseBudget budget_;
  std::vector<const FusionPlanner*> planners_;
  FusionStudy study_;
  PlanCache* cache_ = nullptr;
  std::vector<FuseRow> rows_;
  std::vector<FuseSweepRow> sweep_;
  std::vector<Explained> explained_;
};

FuseRun::FuseRun(Context& context, const OpGraph& graph, const Machine& machine, double launch_us)
    : context_(context),
      arguments_(context.arguments()),
      graph_(graph),
      machine_(machine),
      launch_us_(launch_us),
      fuses_gemms_(parse_on_off(context.arguments().text("gemm-fusion"), "--gemm-fusion")),
      budget_(context.arguments().has("budget")
                  ? parse_fuse_budget(context.arguments().text("budget"))
                  : FuseBudget{}),
      planners_(chosen_planners(context.arguments())),
      study_(graph, machine, launch_us, fuses_gemms_) {}

/// The budget, and pins and vetoes by region.
std::vector<PlanOptions> FuseRun::options_of(const FusionStudy& study) const {
  std::vector<PlanOptions> options(study.region_count(), budget_.applied({}));
  for (const NamedPair& pair : parse_pairs(study, arguments_, "pin")) {
    options[pair.region].pins.push_back(pair.ops);
  }
  for (const NamedPair& pair : parse_pairs(study, arguments_, "veto")) {
    options[pair.region].vetoes.push_back(pair.ops);
  }
  return options;
}

/// The options of a planning that began at that time.
std::vector<PlanOptions> FuseRun::timed(std::vector<PlanOptions> options, double begin) const {
  if (budget_.seconds == 0) return options;
  const double end = begin + budget_.seconds;
  for (PlanOptions& each : options) {
    each.is_over = [end] { return wall_seconds() >= end; };
  }
  return options;
}

void FuseRun::plan_all() {
  const std::vector<PlanOptions> options = options_of(study_);
  const std::vector<NamedPair> asked = parse_pairs(study_, arguments_, "explain");
  const double most_operations = arguments_.number("check-operations", 0, 1e12);
  const auto seed = static_cast<uint64_t>(context_.globals().seed);
  rows_.resize(planners_.size());
  std::vector<std::vector<Explained>> explained(planners_.size());
  // `tilewright` starts from what others have found.
  std::vector<size_t> order(planners_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_partition(order.begin(), order.end(), [&](size_t i) {
    return planners_[i]->name != std::string_view("tilewright");
  });
  for (const size_t place : order) {
    const FusionPlanner* planner = planners_[place];
    FuseRow& row = rows_[place];
    row.planner = planner->name;
    const double begin = wall_seconds();
    const GraphPlan plan = study_.plan(*planner, timed(options, begin));
    row.wall_planning_ms = (wall_seconds() - begin) * 1e3;
    row.summary = study_.summarize(plan);
    row.error = study_.cost_error(plan);
    row.equality = study_.check(plan, most_operations, seed);
    if (arguments_.has("slowest")) {
      const int64_t count = arguments_.integer("slowest", 1, 1'000'000);
      row.slowest = slowest_launches(study_, plan, static_cast<size_t>(count));
    }
    for (const NamedPair& pair : asked) {
      explained[place].push_back({planner->name, explain(study_, plan, pair)});
    }
    const std::string& failure = row.equality.first_failure;
    if (!failure.empty()) context_.warn(fmt::format("{}: {}", planner->name, failure));
    if (!row.summary.note.empty()) {
      context_.note(fmt::format("{}: {}", planner->name, row.summary.note));
    }
  }
  for (std::vector<Explained>& of_planner : explained) {
    std::ranges::move(of_planner, std::back_inserter(explained_));
  }
  if (study_.has_unknown_runs()) {
    context_.note("the trips of a loop are not known; its body counts once");
  }
}

void FuseRun::sweep() {
  if (!arguments_.has("sweep")) return;
  for (const double cost : parse_sweep(arguments_.text("sweep"))) {
    FusionStudy study(graph_, machine_, cost, fuses_gemms_);
    study.set_cache(cache_);
    const std::vector<PlanOptions> options = options_of(study);
    FuseSweepRow& row = sweep_.emplace_back();
    row.launch_us = cost;
    for (const FusionPlanner* planner : planners_) {
      row.times.push_back(
          {planner->name,
           study.summarize(study.plan(*planner, timed(options, wall_seconds()))).time_us});
    }
  }
}

void FuseRun::print_json() const {
  Json json = output_object();
  json["graph"] = graph_.name;
  json["ops"] = op_count(graph_);
  json["regions"] = study_.region_count();
  json["machine"] = machine_identity(machine_);
  json["launch_us"] = launch_us_;
  json["launch_and_dispatch_us"] = study_.shared_cost().launch_us();
  json["barrier_us"] = study_.shared_cost().barrier_us();
  json["gemm_fusion"] = fuses_gemms_ ? "on" : "off";
  json["planners"] = fuse_json(rows_);
  if (!sweep_.empty()) json["sweep"] = fuse_sweep_json(sweep_);
  if (!explained_.empty()) json["explain"] = explain_json(study_, explained_);
  context_.print_json(json);
}

void FuseRun::print_text() const {
  const double dispatch_us = study_.shared_cost().launch_us() - launch_us_;
  context_.print(
      fmt::format("{}: {} ops on {}\na launch takes {} and {} of dispatch; GEMM fusion is {}\n\n",
                  context_.heading(graph_.name), format_count(op_count(graph_)), machine_.name,
                  format_us(launch_us_), format_us(dispatch_us), fuses_gemms_ ? "on" : "off"));
  context_.print_table(fuse_cost_table(rows_));
  context_.print("\n");
  context_.print_table(fuse_planning_table(rows_));
  if (arguments_.has("slowest")) {
    context_.print("\n");
    context_.print_table(fuse_launch_table(rows_));
  }
  if (!sweep_.empty()) {
    context_.print("\n");
    context_.print_table(fuse_sweep_table(sweep_));
  }
  for (const Explained& one : explained_) {
    const FusionGraph& graph = study_.graph(one.why.region);
    context_.print(fmt::format("\n{}: {}\n", one.planner, text_of(graph, one.why)));
  }
}

void FuseRun::print() const {
  if (context_.globals().json) {
    print_json();
  } else if (context_.globals().csv) {
    context_.print_table(arguments_.has("slowest") ? fuse_launch_table(rows_)
                         : arguments_.has("sweep") ? fuse_sweep_table(sweep_)
                                                   : fuse_cost_table(rows_));
  } else {
    print_text();
  }
}

/// The results database as it keeps plans; none where it cannot be used, which costs time alone.
std::optional<Store> open_plans(Context& context, const Machine& machine) {
  if (!parse_on_off(context.arguments().text("cache"), "--cache")) return std::nullopt;
  try {
    Store store = context.open_store();
    store.save_machine(machine.name, machine.fingerprint(), machine_json(machine));
    return store;
  } catch (const Error& error) {
    context.warn(fmt::format("plans are not kept: {}", error.message()));
    return std::nullopt;
  }
}

}  // namespace

int run_fuse(Context& context) {
  const Arguments& arguments = context.arguments();
  const OpGraph graph = graph_of_arguments(arguments);
  const Machine machine = context.machine();
  FuseRun run(context, graph, machine,
              parse_launch_us(arguments.text("launch-cost"), "--launch-cost"));
  std::optional<Store> store = open_plans(context, machine);
  PlanCache cache(store ? &store->database() : nullptr);
  run.set_cache(&cache);
  run.plan_all();
  run.sweep();
  if (!cache.failure().empty()) {
    context.warn(fmt::format("plans are not kept any more: {}", cache.failure()));
  }
  run.print();
  return kExitOk;
}

}  // namespace tilewright
