#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "db/queries.h"
#include "tests/temp_folder.h"
#include "tuner/session/session.h"

namespace tilewright {

/// The time of (problem, config) by a formula; counts, and remembers what it was asked.
class FormulaEvaluator : public Evaluator {
 public:
  using Formula = std::function<Measurement(const Problem&, const Config&)>;
  explicit FormulaEvaluator(Formula formula) : formula_(std::move(formula)) {}

  std::string id() const override { return "sim/1/composed"; }
  Measurement evaluate(const Problem& problem, const Config& config) const override {
    {
      std::lock_guard lock(mutex_);
      EXPECT_TRUE(asked_.insert(problem.text() + "|" + config.text()).second) << "evaluated twice";
    }
    return formula_(problem, config);
  }
  size_t evaluations() const { return asked_.size(); }

 private:
  Formula formula_;
  mutable std::mutex mutex_;
  mutable std::set<std::string> asked_;  // guarded by mutex_
};

inline Measurement ok(double time_us) {
  return {AttemptStatus::kOk, "", time_us, 0, {}};
}

/// Has its one minimum at x = m mod 40, y = 3.
inline Measurement bowl(const Problem& problem, const Config& config) {
  const auto dx = static_cast<double>(config.at("x") - problem.size("m") % 40);
  const auto dy = static_cast<double>(config.at("y") - 3);
  return ok(10 + dx * dx + dy * dy);
}

class SessionTest : public testing::Test {
 protected:
  Store open(const std::string& name = "a.db") const {
    Store store = Store::open(folder_.path(name), OpenMode::kReadWrite);
    store.save_machine("npu-a", "aaaa", "{}");
    return store;
  }

  static int64_t begin(Store& store) {
    tilewright::Run run;
    run.kind = RunKind::kTune;
    run.model = "qwen2-7b";
    run.workload = "chat";
    run.machine_fingerprint = "aaaa";
    run.date = "2026-01-02";
    run.tool = "test";
    return store.begin_run(run);
  }

  static Problem gemm(int64_t m) {
    return parse_problem(fmt::format("gemm f16 f16 f16 nd nz nd m={} n=64 k=32 epilogue=none", m));
  }

  /// 41 x 7 configs; the baseline is x=20,y=0.
  static TuneProblem problem(int64_t m) {
    std::vector<int64_t> x(41);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int64_t>(i);
    Space space({{"x", "", x}, {"y", "", {0, 1, 2, 3, 4, 5, 6}}}, {});
    return {gemm(m), std::move(space), parse_config("x=20,y=0"), {"qkv"}, {}};
  }

  static std::vector<TuneProblem> problems(int count) {
    std::vector<TuneProblem> list;
    for (int i = 1; i <= count; ++i) list.push_back(problem(i));
    return list;
  }

  static MeasurementKey key_of(const Problem& problem, const Config& config) {
    return {"gemm", 1, problem.text(), config.text(), "aaaa", ""};
  }

  static TuneResult tune_all(Store& store, const std::vector<TuneProblem>& list,
                             const Evaluator& evaluator, const TuneOptions& options = {},
                             const TuneHooks& hooks = {}, int jobs = 1) {
    ThreadEvaluation pool(evaluator, jobs, hooks.seconds);
    return tune(list, key_of, pool, store, begin(store), options, hooks);
  }

  /// Everything that was written and may not depend on the number of threads.
  static std::string rows_of(Store& store) {
    std::string rows;
    for (const char* sql :
         {"SELECT * FROM measurement ORDER BY id", "SELECT * FROM winner ORDER BY id",
          "SELECT id, measurement_id, run_id, repetition, status, reason, time_us FROM attempt "
          "ORDER BY id"}) {
      rows += to_csv(query(store, sql, {}));
    }
    return rows;
  }

  TempFolder folder_;
};

}  // namespace tilewright
