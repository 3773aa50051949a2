// A tuning as a job: the code of `tilewright tune`, watched and steered.

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "app/cli/batch_file.h"
#include "app/cli/clock.h"
#include "app/cli/cluster.h"
#include "app/cli/command.h"
#include "app/cli/commands/tune_target.h"
#include "app/cli/tune_target.h"
#include "app/tui/tune/tune_work.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/space/space_index.h"
#include "kernels/gemm/gemm_bound.h"
#include "kernels/kernel.h"

namespace tilewright {

namespace {

/// Least time between two views.
constexpr double kShowSeconds = 0.1;
/// How long a paused session waits for a command before it looks again.
constexpr double kPauseSeconds = 1;

/// Messages of the command until the tuning's thread fetches them.
class Messages {
 public:
  void put(std::string_view text) {
    const std::scoped_lock lock(mutex_);
    for (const std::string_view line : split(text, '\n')) {
      if (!trim(line).empty()) lines_.emplace_back(trim(line));
    }
  }
  std::vector<std::string> take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;  ///< guards lines_
  std::vector<std::string> lines_;
};

std::vector<Option> options_of_tune() {
  std::vector<Option> options = find_command("tune").options;
  options.insert(options.end(), global_options().begin(), global_options().end());
  return options;
}

/// Options that stand beside those of the workbench; the interface keeps a thread for itself.
Globals globals_of(const TuneJob& job, const Arguments& arguments) {
  Globals globals = job.globals;
  globals.processes = 1;
  globals.json = globals.csv = globals.quiet = globals.verbose = false;
  globals.jobs = std::max(1, globals.jobs - 1);
  if (arguments.has("machine")) globals.machine = arguments.text("machine");
  if (arguments.has("seed")) globals.seed = arguments.integer("seed", 0, INT64_MAX);
  return globals;
}

class TuneRun {
 public:
  TuneRun(const TuneJob& job, const JobProgress& progress)
      : job_(job), progress_(progress), started_(wall_seconds()) {
    TuneView header;
    header.label = job.tokens.empty() ? "" : job.tokens.front();
    header.command = job.command_line;
    recorder_.emplace(std::move(header), [this](const Problem& problem) { return facts(problem); });
  }

  std::shared_ptr<const TuneView> run() {
    const Arguments arguments = parse_options(job_.tokens, options_of_tune());
    check_positionals(arguments, "tune", find_command("tune").positionals);
    refuse_batch(arguments);
    Console console([this](std::string_view text) { messages_.put(text); });
    const Globals globals = globals_of(job_, arguments);
    Context context(arguments, globals, console, job_.command_line);
    context.set_stop([this] { return progress_.is_cancelled(); });
    context.set_stage_watch([this](const std::string& what, double share) {
      const bool is_first = recorder_->header().stage.empty();
      recorder_->header().stage = what;
      recorder_->header().stage_share = share;
      show(is_first);
    });
    recorder_->header().machine = context.machine().name;
    show(true);
    Cluster cluster(context);
    Store store = context.open_store();
    const TuneOutcome outcome = tune_target(context, {store, cluster, {}, {}, watcher()});
    if (outcome.run == 0) throw JobCancelled{};
    recorder_->end_all();
    recorder_->set_phase(outcome.interrupted ? TunePhase::kInterrupted : TunePhase::kDone,
                         seconds());
    recorder_->note(outcome.interrupted   ? "stopped; everything measured is kept"
                    : outcome.out_of_time ? "the time is over; everything measured is kept"
                                          : "done; the winners are kept",
                    seconds());
    fetch_messages();
    return with_all_tries(recorder_->view(seconds()));
  }

 private:
  double seconds() const { return wall_seconds() - started_; }

  /// The view with every try of the run: also with those of before it was resumed, and of the end,
  /// when problems share configs. So it is what the database shows later on.
  std::shared_ptr<const TuneView> with_all_tries(TuneView view) const {
    const JobProgress whole({}, [](double) {});  // also of a session that was stopped
    const auto kept = run_so_far({job_.globals.db, view.run}, whole);
    for (auto& shown : view.problems) {
      const auto found = std::ranges::find(kept->problems, shown->problem, &problem_text);
      if (found == kept->problems.end()) continue;
      auto problem = std::make_shared<TuneProblemView>(*shown);
      const int64_t more = std::max<int64_t>(0, (*found)->tried - problem->tried);
      problem->trials = (*found)->trials;
      problem->tried += more;
      problem->screened = (*found)->screened;
      problem->failed = (*found)->failed;
      problem->best_at = (*found)->best_at;
      if (problem->best_us <= 0) {
        problem->best = (*found)->best;
        problem->best_us = (*found)->best_us;
      }
      if (problem->baseline_us <= 0) problem->baseline_us = (*found)->baseline_us;
      view.tried += more;
      if (view.planned > 0 && view.phase == TunePhase::kDone) view.planned += more;
      shown = std::move(problem);
    }
    view.left_out = kept->left_out;
    return std::make_shared<const TuneView>(std::move(view));
  }
  static const std::string& problem_text(const std::shared_ptr<const TuneProblemView>& problem) {
    return problem->problem;
  }

  /// Refused here, as its jobs would be runs of their own.
  static void refuse_batch(const Arguments& arguments) {
    const std::string& target = arguments.positionals()[0];
    for (const char* option : {"dry-run", "shard"}) {
      if (arguments.has(option)) {
        throw Error(ErrorKind::kUsage, fmt::format("--{} is for the shell", option));
      }
    }
    if (!is_batch_file(target)) return;
    throw Error(ErrorKind::kUsage, fmt::format("{} is a batch, which the shell runs: tilewright "
                                               "tune {}; its runs can be followed from Home",
                                               target, target));
  }

  TuneWatcher watcher() {
    TuneWatcher watcher;
    watcher.begun = [this](const TuneTarget& target, const TuneOptions& options, int64_t run,
                           const std::string& evaluator) {
      begin(target, options, run, evaluator);
    };
    watcher.event = [this](const TuneEvent& event) {
      recorder_->take(event, seconds());
      show(event.kind == TuneEventKind::kControl);
    };
    watcher.control = [this](bool paused) { return commands(paused); };
    watcher.ended = [this](const TuneResult& result) {
      recorder_->finish(result);
      target_ = nullptr;
    };
    return watcher;
  }

  void begin(const TuneTarget& target, const TuneOptions& options, int64_t run,
             const std::string& evaluator) {
    target_ = &target;
    TuneView& header = recorder_->header();
    header.run = run;
    header.label = target.label;
    header.machine = target.machine_name();
    header.evaluator = evaluator;
    header.strategy = options.strategy;
    header.budget = options.max_evaluations;
    header.phase = TunePhase::kRunning;
    header.stage.clear();
    for (const TuneProblem& problem : target.problems) {
      recorder_->expect(problem.problem.text(), join(problem.ops, ","), options.max_evaluations);
    }
    if (options.resumed_run > 0) {
      recorder_->go_on_from(*run_so_far({job_.globals.db, run}, progress_));
    }
    const std::string budget =
        options.max_evaluations > 0
            ? fmt::format("{} configs each", format_count(options.max_evaluations))
            : "no limit";
    recorder_->note(fmt::format("run {} {}: {}, {} problem{}, budget {}, seed {}, {}", run,
                                options.resumed_run > 0 ? "goes on" : "begins", options.strategy,
                                target.problems.size(), target.problems.size() == 1 ? "" : "s",
                                budget, options.seed, evaluator),
                    seconds());
    show(true);
  }

  ProblemFacts facts(const Problem& problem) const {
    if (!target_) return {};
    const auto known = std::ranges::find(target_->problems, problem, &TuneProblem::problem);
    if (known == target_->problems.end()) {  // between the members of a family
      const TuneProblem member = target_->family.member(problem.size("m"));
      return facts_of(problem, target_->machine, &member.space);
    }
    if (!target_->foreign) return facts_of(problem, target_->machine, &known->space);
    const auto spaces = std::make_shared<TuneSpaces>();
    spaces->legal = spaces->searched = known->space;
    spaces->size = SpaceIndex(known->space).size();
    return {known->space.parameters(), spaces, 0};
  }

  std::vector<TuneCommand> commands(bool paused) {
    if (paused) progress_.wait(kPauseSeconds);
    std::vector<TuneCommand> commands;
    for (const JobCommand& command : progress_.commands()) {
      if (const auto* tune = std::get_if<TuneCommand>(&command)) commands.push_back(*tune);
    }
    for (const TuneCommand& command : commands) recorder_->asked(command);
    show(false);
    return commands;
  }

  void fetch_messages() {
    for (std::string& line : messages_.take()) {
      recorder_->note(printable(line, line.size()), seconds(), line.starts_with("tilewright:"));
    }
  }

  void show(bool at_once) {
    const double now = seconds();
    if (!at_once && now < shown_at_ + kShowSeconds) return;
    shown_at_ = now;
    fetch_messages();
    auto view = std::make_shared<const TuneView>(recorder_->view(now));
    if (view->planned > 0) {
      progress_.tell(static_cast<double>(view->tried) / static_cast<double>(view->planned));
    }
    progress_.show(JobResult(std::move(view)));
  }

  const TuneJob& job_;
  const JobProgress& progress_;
  double started_;
  double shown_at_ = 0;
  std::optional<TuneRecorder> recorder_;
  const TuneTarget* target_ = nullptr;  ///< while it is tuned
  Messages messages_;
};

/// Above this many tries a sample of them is looked at.
constexpr size_t kMostAnalysed = 20'000;

}  // namespace

ProblemFacts facts_of(const Problem& problem, const Machine& machine, const Space* searched) {
  const auto kernel = std::ranges::find_if(
      all_kernels(), [&](const Kernel* each) { return each->name() == problem.kernel; });
  if (kernel == all_kernels().end()) return {};
  auto spaces = std::make_shared<TuneSpaces>();
  spaces->legal = (*kernel)->space(problem, machine);
  spaces->searched = searched ? *searched : spaces->legal;
  spaces->size = SpaceIndex(spaces->searched).size();
  spaces->is_narrow = searched && spaces->size < SpaceIndex(spaces->legal).size();
  ProblemFacts facts;
  facts.parameters = spaces->legal.parameters();
  facts.spaces = std::move(spaces);
  if (problem.kernel == "gemm") {
    int64_t parts = 1;
    for (const Parameter& parameter : facts.parameters) {
      if (parameter.name == "split_k") parts = std::ranges::max(parameter.values);
    }
    facts.bound_us = gemm_bound(problem, machine, parts).bound_us;
  }
  return facts;
}

std::shared_ptr<const TuneView> run_tune(const TuneJob& job, const JobProgress& progress) {
  return TuneRun(job, progress).run();
}

std::shared_ptr<const TuneMatters> matters_of(const TuneMattersJob& job) {
  const TuneProblemView& problem = *job.problem;
  const size_t step = problem.trials.size() / kMostAnalysed + 1;
  std::vector<AnalysedTrial> trials;
  for (size_t row = 0; row < problem.trials.size(); row += step) {
    const SeenTrial& trial = problem.trials.trial(row);
    if (trial.is_exact()) trials.push_back({problem.config(row), trial.time_us, 0, ""});
  }
  auto matters = std::make_shared<TuneMatters>();
  matters->problem = job.problem;
  matters->analysis = analyse(std::move(trials));
  return matters;
}

}  // namespace tilewright
