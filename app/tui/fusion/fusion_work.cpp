#include "app/tui/fusion/fusion_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/error.h"
#include "core/base/format.h"
#include "tuner/fusion/explain.h"
#include "tuner/fusion/plan_edit.h"

namespace tilewright {

namespace {

/// Calls `watch` whenever a study works on a new kernel, as long as it lives.
class Watched {
 public:
  Watched(FusionStudy& study, std::function<void()> watch) : study_(study) {
    study_.shared_cost().set_watch(std::move(watch));
  }
  ~Watched() { study_.shared_cost().set_watch({}); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  FusionStudy& study_;
};

std::shared_ptr<FusionVariant> variant_of(FusionStudy& study, std::string name, GraphPlan plan,
                                          PlanCosts costs, std::vector<PlanOptions> constraints) {
  auto variant = std::make_shared<FusionVariant>();
  variant->name = std::move(name);
  variant->summary = study.summarize(plan, costs);
  for (size_t i = 0; i < plan.size(); ++i) {
    variant->units.push_back(study.units(i, plan[i].plan, costs[i]));
  }
  constraints.resize(plan.size());
  variant->plan = std::move(plan);
  variant->costs = std::move(costs);
  variant->constraints = std::move(constraints);
  return variant;
}

/// How the ops of all regions are shared by what is done and what is to come.
class PlanProgress {
 public:
  PlanProgress(const FusionStudy& study, size_t planners) : planners_(planners) {
    for (size_t i = 0; i < study.region_count(); ++i) total_ += study.graph(i).nodes().size() + 1;
  }
  void region_done(const FusionGraph& graph) { done_ += graph.nodes().size() + 1; }
  double fraction() const {
    // Reading the graph is the first part.
    return 0.02 + 0.98 * static_cast<double>(done_) / static_cast<double>(total_ * planners_);
  }

 private:
  size_t planners_;
  size_t total_ = 0;
  size_t done_ = 0;
};

}  // namespace

std::shared_ptr<const FusionPlans> plan_fusion(const PlanFusionJob& job,
                                               const JobProgress& progress) {
  auto plans = std::make_shared<FusionPlans>();
  plans->program = job.program;
  if (!plans->program) {
    OpGraph graph = load_fuse_graph(job.request.source);
    progress.at(0.01);
    plans->program = std::make_shared<FusionProgram>(job.request, std::move(graph));
  }
  FusionStudy& study = plans->program->planning;
  PlanProgress at(study, job.request.planners.size());
  const Watched watched(study, [&] { progress.at(at.fraction()); });
  for (const std::string& name : job.request.planners) {
    const FusionPlanner& planner = find_fusion_planner(name);
    GraphPlan plan;
    for (size_t i = 0; i < study.region_count(); ++i) {
      progress.at(at.fraction());
      plan.push_back(study.plan(planner, i, job.is_search ? job.constraints[i] : PlanOptions{}));
      at.region_done(study.graph(i));
    }
    PlanCosts costs = study.costs(plan);
    plans->plans.push_back(variant_of(study, job.is_search ? kSearchedPlan : name, std::move(plan),
                                      std::move(costs), job.constraints));
    progress.show(std::make_shared<const FusionPlans>(*plans));
  }
  return plans;
}

namespace {

/// The us of a kernel by the latency evaluator, whatever the simulator says.
double estimated_us(const FusionStudy& study, const KernelCost& cost) {
  return cost.figures.estimated_us + study.shared_cost().launch_us();
}

/// What the first plan has and the second has not, in kernels' bytes and estimates.
struct EditPrice {
  int64_t launches = 0;
  int64_t bytes = 0;
  double us = 0;

  void add(const KernelCost& cost, double estimate, int sign) {
    launches += sign;
    bytes += sign * (cost.figures.read_bytes + cost.figures.write_bytes);
    us += sign * estimate;
  }
};

std::string text_of(const EditPrice& price) {
  return fmt::format(
      "{} {}, {} of HBM {}, {} {} by the estimate", launches_text(std::abs(price.launches)),
      price.launches <= 0 ? "fewer" : "more",
      format_bytes(static_cast<double>(std::abs(price.bytes))), price.bytes <= 0 ? "less" : "more",
      format_us(std::abs(price.us)), price.us <= 0 ? "faster" : "slower");
}

bool is_in(const FusedOps& kernel, const OpPair& pair) {
  return std::ranges::binary_search(kernel.ops, pair.first) &&
         std::ranges::binary_search(kernel.ops, pair.second);
}

/// What the edit asks of a search; what it contradicts is asked no more.
void constrain(const FusionGraph& graph, const FusionAsk& ask, const FusionPlan& after,
               const FusedOps& before, PlanOptions& options) {
  const auto are_together = [&](const OpPair& pair) {
    return std::ranges::any_of(after.kernels,
                               [&](const FusedOps& kernel) { return is_in(kernel, pair); });
  };
  if (ask.kind == FusionAsk::Kind::kMerge) {
    std::erase_if(options.vetoes, are_together);
    options.pins.push_back(ask.ops);
    return;
  }
  std::erase_if(options.pins,
                [&](const OpPair& pair) { return is_in(before, pair) && !are_together(pair); });
  // Every op before the cut is apart from those behind: the next one stands for all.
  int32_t last = -1;
  for (const int32_t op : before.ops) {
    if (op < ask.ops.first && graph.is_node(op)) last = op;
  }
  TW_CHECK(last >= 0, "a cut has an op before it");
  options.vetoes.emplace_back(last, ask.ops.first);
}

class Editor {
 public:
  explicit Editor(const AskFusionJob& job)
      : ask_(job.ask),
        study_(job.program->asking),
        base_(*job.plan),
        graph_(study_.graph(ask_.region)),
        before_(base_.plan[ask_.region].plan) {}

  std::shared_ptr<const FusionAnswer> answer() {
    auto answer = std::make_shared<FusionAnswer>();
    answer->to = ask_;
    answer->of = base_.name;
    try {
      FusionPlan after = edited();
      if (const std::string why = judge(after); !why.empty()) {
        answer->is_refused = true;
        answer->text = "not legal: " + why;
        return answer;
      }
      answer->plan = priced(std::move(after), answer->text);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kInfeasible) throw;
      answer->is_refused = true;
      answer->text = error.message();
    }
    return answer;
  }

 private:
  FusionPlan edited() const {
    const FusedOps a = kernel_of_unit(before_, ask_.a);
    if (ask_.kind == FusionAsk::Kind::kSplit) {
      return with_split(graph_, before_, a, ask_.ops.first);
    }
    for (const PlanUnit& unit : {ask_.a, ask_.b}) {
      if (unit.kernel >= 0) continue;
      if (const std::string why = why_alone(graph_, unit.op); !why.empty()) {
        throw Error(ErrorKind::kInfeasible, why);
      }
    }
    return with_merged(graph_, before_, a, kernel_of_unit(before_, ask_.b));
  }

  /// Kernels that the plan had were judged when it was made.
  std::string judge(const FusionPlan& after) {
    RegionCost& cost = study_.cost(ask_.region);
    return why_illegal(graph_, after, [&](const FusedOps& kernel) {
      const bool is_known = std::ranges::find(before_.kernels, kernel) != before_.kernels.end();
      return is_known ? std::string() : cost.figures(kernel).why_infeasible;
    });
  }

  std::shared_ptr<const FusionVariant> priced(FusionPlan after, std::string& text) {
    RegionCost& cost = study_.cost(ask_.region);
    GraphPlan plan = base_.plan;
    PlanCosts costs = base_.costs;
    std::vector<KernelCost>& kernels = costs[ask_.region];
    const std::vector<KernelCost>& known = base_.costs[ask_.region];
    kernels.clear();
    EditPrice price;
    for (const FusedOps& kernel : after.kernels) {
      const auto found = std::ranges::find(before_.kernels, kernel);
      const bool is_new = found == before_.kernels.end();
      kernels.push_back(is_new ? cost.cost_of(kernel, false)
                               : known[static_cast<size_t>(found - before_.kernels.begin())]);
      if (is_new) price.add(kernels.back(), estimated_us(study_, kernels.back()), 1);
    }
    for (const size_t gone : diff_plans(before_, after).only_a) {
      price.add(known[gone], estimated_us(study_, known[gone]), -1);
    }
    add_lone_dots(after, price);
    std::vector<PlanOptions> constraints = base_.constraints;
    constrain(graph_, ask_, after, kernel_of_unit(before_, ask_.a), constraints[ask_.region]);
    const std::string a = graph_.name(ask_.ops.first);
    text = ask_.kind == FusionAsk::Kind::kSplit
               ? fmt::format("split before {}: {}", a, text_of(price))
               : fmt::format("merged the kernels of {} and {}: {}", a, graph_.name(ask_.ops.second),
                             text_of(price));
    plan[ask_.region].plan = std::move(after);
    return variant_of(study_, kEditedPlan, std::move(plan), std::move(costs),
                      std::move(constraints));
  }

  /// Dots that ran by themselves and do so no more, or the other way round.
  void add_lone_dots(const FusionPlan& after, EditPrice& price) {
    const std::vector<bool> was_joined = joined_products(graph_, before_);
    const std::vector<bool> is_joined = joined_products(graph_, after);
    for (const int32_t op : graph_.nodes()) {
      const auto place = static_cast<size_t>(op);
      if (was_joined[place] == is_joined[place]) continue;
      KernelCost dot;
      const OpTraffic traffic = library_traffic(graph_.region(), op);
      dot.figures.read_bytes = traffic.read;
      dot.figures.write_bytes = traffic.write;
      price.add(dot, study_.cost(ask_.region).library_us(op), is_joined[place] ? -1 : 1);
    }
  }

  const FusionAsk& ask_;
  FusionStudy& study_;
  const FusionVariant& base_;
  const FusionGraph& graph_;
  const FusionPlan& before_;
};

/// A kernel of the plan by its place.
struct KernelAt {
  size_t region = 0;
  size_t kernel = 0;
};

std::vector<KernelAt> kernels_to_simulate(const AskFusionJob& job) {
  const FusionVariant& base = *job.plan;
  if (job.ask.a.kernel >= 0) return {{job.ask.region, static_cast<size_t>(job.ask.a.kernel)}};
  std::vector<KernelAt> list;
  for (size_t i = 0; i < base.costs.size(); ++i) {
    for (size_t k = 0; k < base.costs[i].size(); ++k) {
      if (!base.costs[i][k].is_simulated) list.push_back({i, k});
    }
  }
  return list;
}

std::shared_ptr<const FusionAnswer> simulate(const AskFusionJob& job, const JobProgress& progress) {
  FusionStudy& study = job.program->asking;
  const FusionVariant& base = *job.plan;
  const std::vector<KernelAt> list = kernels_to_simulate(job);
  PlanCosts costs = base.costs;
  int64_t simulated = 0;
  double estimate = 0;
  double time = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    progress.at(static_cast<double>(i) / static_cast<double>(list.size()));
    const KernelAt& at = list[i];
    const FusedOps& kernel = base.plan[at.region].plan.kernels[at.kernel];
    KernelCost& cost = costs[at.region][at.kernel];
    cost = study.cost(at.region).cost_of(kernel, true);
    if (!cost.is_simulated) continue;
    ++simulated;
    estimate += estimated_us(study, cost);
    time += cost.time_us;
  }
  auto answer = std::make_shared<FusionAnswer>();
  answer->to = job.ask;
  answer->of = job.plan->name;
  const int64_t large = std::ssize(list) - simulated;
  if (simulated > 0) {
    answer->text =
        fmt::format("{}: simulated {}, estimated {}", format_counted(simulated, "kernel"),
                    format_us(time), format_us(estimate));
  }
  if (large > 0) {
    answer->text += fmt::format("{}{} too large to simulate: the estimate holds",
                                simulated > 0 ? "; " : "", format_counted(large, "kernel"));
  }
  answer->plan = variant_of(study, base.name, base.plan, std::move(costs), base.constraints);
  return answer;
}

}  // namespace

std::shared_ptr<const FusionAnswer> answer_fusion(const AskFusionJob& job,
                                                  const JobProgress& progress) {
  FusionStudy& study = job.program->asking;
  const Watched watched(study, [&] {
    if (progress.is_cancelled()) throw JobCancelled{};
  });
  if (job.ask.kind == FusionAsk::Kind::kSimulate) return simulate(job, progress);
  if (job.ask.kind != FusionAsk::Kind::kExplain) return Editor(job).answer();
  const FusionExplanation why =
      explain(study, job.plan->plan, NamedPair{job.ask.region, job.ask.ops});
  const FusionGraph& graph = study.graph(job.ask.region);
  auto answer = std::make_shared<FusionAnswer>();
  answer->to = job.ask;
  answer->of = job.plan->name;
  answer->text = text_of(graph, why);
  return answer;
}

}  // namespace tilewright
