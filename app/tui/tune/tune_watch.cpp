// A tuning that lies in the database: what it tried, and how far another process is with it.

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "app/export/export_source.h"
#include "app/tui/tune/tune_work.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "db/run_process.h"
#include "db/store.h"
#include "tuner/session/active_search.h"

namespace tilewright {

namespace {

/// Between two looks at a run that goes on.
constexpr double kLookSeconds = 1;
constexpr int64_t kRowsAtOnce = 5'000;
/// Readers are not kept waiting by a writer; only a checkpoint may.
constexpr int kBusyMs = 5'000;

class RunWatch {
 public:
  RunWatch(const WatchRunJob& job, const JobProgress& progress)
      : progress_(progress),
        store_(Store::open(job.db, OpenMode::kReadOnly, kBusyMs)),
        id_(job.run) {}

  std::shared_ptr<const TuneView> watch() {
    auto view = so_far();
    while (view->is_live()) {
      progress_.show(JobResult(view));
      progress_.wait(kLookSeconds);
      if (progress_.is_cancelled()) return left(*view);
      const int64_t before = view->tried;
      look();
      read_rows();
      view = make_view(before);
    }
    return view;
  }

  std::shared_ptr<const TuneView> so_far() {
    look();
    machine_ = machine_of_run(store_, run_);
    read_rows();
    return make_view();
  }

 private:
  static std::shared_ptr<const TuneView> left(TuneView view) {
    view.is_left = true;
    return std::make_shared<const TuneView>(std::move(view));
  }

  void look() {
    run_ = store_.load_run(id_);
    if (run_.kind != RunKind::kTune) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("run {} is no tuning but of kind {}", id_, name_of(run_.kind)));
    }
  }

  void read_rows() {
    for (;;) {
      const std::vector<StoredTrial> more =
          store_.trials(id_, static_cast<int64_t>(rows_.size()), kRowsAtOnce);
      rows_.insert(rows_.end(), more.begin(), more.end());
      if (std::ssize(more) < kRowsAtOnce || progress_.is_cancelled()) return;
      if (std::ssize(rows_) >= 2 * kMostTrialsKept) return;
    }
  }

  TunePhase phase() const {
    switch (run_.status) {
      case RunStatus::kDone:
        return TunePhase::kDone;
      case RunStatus::kInterrupted:
        return TunePhase::kInterrupted;
      case RunStatus::kFailed:
        return TunePhase::kFailed;
      case RunStatus::kRunning:
        break;
    }
    return state_of_process(run_.process).is_gone ? TunePhase::kInterrupted : TunePhase::kRunning;
  }

  /// The run's result; its plan where it has none yet, or was killed.
  Json result() const {
    return Json::parse(run_.status == RunStatus::kRunning ? run_.process : run_.result, nullptr,
                       false);
  }
  static std::string text_of(const Json& json, const char* key) {
    const bool has = json.is_object() && json.contains(key) && json[key].is_string();
    return has ? printable(json[key].get<std::string>()) : "";
  }
  /// 0 where there is none.
  static int64_t integer_of(const Json& json, const char* key) {
    const bool has = json.is_object() && json.contains(key) && json[key].is_number_integer();
    return has ? json[key].get<int64_t>() : 0;
  }

  /// What a run is to do that goes on, or was killed.
  void add_plan(TuneRecorder& recorder) const {
    const Json plan = result();
    if (!plan.is_object() || !plan.contains("problems") || !plan["problems"].is_array()) return;
    for (const Json& problem : plan["problems"]) {
      const std::string text = text_of(problem, "problem");
      std::string ops;
      if (problem.is_object() && problem.contains("ops") && problem["ops"].is_array()) {
        for (const Json& op : problem["ops"]) {
          if (!op.is_string()) continue;
          ops += (ops.empty() ? "" : ",") + printable(op.get<std::string>(), 200);
        }
      }
      if (!text.empty()) recorder.expect(text, ops, integer_of(problem, "planned"));
    }
  }

  /// What times the default is what times the winners; the rest was looked at by a cheaper one.
  std::string evaluator() const {
    for (const StoredTrial& row : rows_) {
      if (row.proposer == "baseline") return row.key.evaluator;
    }
    return rows_.empty() ? "" : rows_.back().key.evaluator;
  }

  TuneView header() const {
    TuneView header;
    header.run = id_;
    header.label = printable(run_.label, 200);
    header.command = printable(run_.command, 2000);
    header.machine = printable(run_.machine_name);
    header.evaluator = printable(evaluator());
    const Json known = result();
    header.strategy = text_of(known, "strategy");
    header.budget = integer_of(known, "budget");
    header.date = printable(run_.date);
    header.phase = phase();
    header.is_elsewhere = header.is_live();
    header.process = state_of_process(run_.process).pid;
    return header;
  }

  std::shared_ptr<const TuneView> make_view(std::optional<int64_t> before = std::nullopt) {
    TuneRecorder recorder(header(), [this](const Problem& problem) { return facts(problem); });
    if (run_.status == RunStatus::kRunning) add_plan(recorder);
    add_rows(recorder);
    if (!recorder.header().is_live()) recorder.end_all();
    if (run_.status == RunStatus::kRunning && !recorder.header().is_live()) {
      recorder.note("its process is gone; what it measured is kept", -1, true);
    }
    TuneView view = recorder.view(run_.wall_ms / 1e3);
    if (view.phase == TunePhase::kInterrupted || view.phase == TunePhase::kFailed) {
      const int64_t planned =
          run_.status == RunStatus::kRunning ? view.planned : integer_of(result(), "planned");
      view.planned = std::max(view.tried, planned);
    }
    if (before) view.per_second = static_cast<double>(view.tried - *before) / kLookSeconds;
    add_winners(view);
    return std::make_shared<const TuneView>(std::move(view));
  }

  void add_rows(TuneRecorder& recorder) {
    const std::string exact = recorder.header().evaluator;
    const auto is_exact = [&](const StoredTrial& row) {
      return row.proposer != kScreening && printable(row.key.evaluator) == exact;
    };
    std::set<std::pair<std::string_view, std::string_view>> measured;
    for (const StoredTrial& row : rows_) {
      if (is_exact(row)) measured.emplace(row.key.problem, row.key.config);
    }
    std::set<std::pair<std::string_view, std::string_view>> seen;
    for (const StoredTrial& row : rows_) {
      const bool counts = is_exact(row);
      if (!counts && measured.contains({row.key.problem, row.key.config})) continue;
      // What a cheaper evaluator was only asked in advance is no try. Problems between the members
      // of a family are looked at, but not searched; what members share is looked at again.
      if (row.proposer == kScreening || row.proposer == "probe") continue;
      if (!seen.emplace(row.key.problem, row.key.config).second) continue;
      try {
        const Problem& problem = problem_of(row.key.problem);
        recorder.take(problem, config_of(row), row.measurement, !counts,
                      row.proposer == "baseline");
      } catch (const Error&) {
        ++recorder.header().left_out;  // a row that this program cannot read
      }
    }
  }

  const Problem& problem_of(const std::string& text) {
    const auto known = problems_.find(text);
    if (known != problems_.end()) return known->second;
    return problems_.emplace(text, parse_problem(text)).first->second;
  }

  Config config_of(const StoredTrial& row) {
    const ProblemFacts& known = facts(problem_of(row.key.problem));
    return known.spaces ? known.spaces->legal.parse(row.key.config) : parse_config(row.key.config);
  }

  const ProblemFacts& facts(const Problem& problem) {
    const std::string text = problem.text();
    const auto known = facts_.find(text);
    if (known != facts_.end()) return known->second;
    ProblemFacts facts;
    try {
      if (machine_) facts = facts_of(problem, *machine_, nullptr);
    } catch (const Error&) {
      facts = {};  // a problem that the kernel no longer makes
    }
    return facts_.emplace(text, std::move(facts)).first->second;
  }

  /// What the end of the session made of its problems.
  void add_winners(TuneView& view) {
    for (const Winner& winner : store_.load_winners(id_)) {
      for (auto& shown : view.problems) {
        if (shown->problem != winner.problem) continue;
        auto problem = std::make_shared<TuneProblemView>(*shown);
        problem->ops = join(winner.ops, ",");
        problem->best_us = winner.time_us;
        if (const auto config = problem->spaces ? problem->spaces->legal.try_parse(winner.config)
                                                : std::optional<Config>()) {
          problem->best = *config;
        }
        if (winner.worst_regret) problem->regret = *winner.worst_regret;
        shown = std::move(problem);
      }
    }
  }

  const JobProgress& progress_;
  Store store_;
  int64_t id_;
  Run run_;
  std::optional<Machine> machine_;
  std::vector<StoredTrial> rows_;
  std::map<std::string, Problem> problems_;
  std::map<std::string, ProblemFacts> facts_;
};

}  // namespace

std::shared_ptr<const TuneView> watch_run(const WatchRunJob& job, const JobProgress& progress) {
  return RunWatch(job, progress).watch();
}

std::shared_ptr<const TuneView> run_so_far(const WatchRunJob& job, const JobProgress& progress) {
  return RunWatch(job, progress).so_far();
}

}  // namespace tilewright
