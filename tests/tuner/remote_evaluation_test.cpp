#include "tuner/session/remote_evaluation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "tuner/session/evaluation_messages.h"

namespace tilewright {
namespace {

using Kind = EvaluationMessage::Kind;

/// The time is x, in a time of its own; x = 13 fails, x = 14 throws.
class XEvaluator : public Evaluator {
 public:
  explicit XEvaluator(std::string id = "cmd/x") : id_(std::move(id)) {}
  std::string id() const override { return id_; }
  Measurement evaluate(const Problem&, const Config& config) const override {
    ++evaluations;
    const auto x = config.at("x");
    if (x == 14) throw Error(ErrorKind::kInfeasible, "too large");
    Measurement measurement;
    if (x == 13) {
      measurement.status = AttemptStatus::kWrongResult;
      measurement.reason = "bytes \xff\x00";
      return measurement;
    }
    measurement.time_us = static_cast<double>(x) + 0.1;
    measurement.times_us = {measurement.time_us, 1.0 / 3};
    measurement.counters = {{"b", 1e-300}, {"a", 2}};
    return measurement;
  }
  mutable int evaluations = 0;

 private:
  std::string id_;
};

/// Rank 0's side of a job whose workers are played here: what a worker is sent is handled when rank
/// 0 has nothing to do.
class StageLink : public MessageLink {
 public:
  explicit StageLink(int size) : size_(size) {}

  int rank() const override { return 0; }
  int size() const override { return size_; }
  void send(int to, std::string bytes) override {
    inboxes[to].push_back(decode_evaluation_message(bytes));
  }
  std::optional<LinkMessage> receive() override {
    if (answers.empty()) return std::nullopt;
    LinkMessage message = answers.front();
    answers.pop_front();
    return message;
  }
  void pause() override {
    now += 1;
    ASSERT_LT(now, 100000) << "nothing moves";
    play();
  }
  bool is_lost(int rank) override { return lost[rank]; }

  void answer(int from, const EvaluationMessage& task) {
    EvaluationMessage answer;
    answer.kind = Kind::kAnswer;
    answer.task = task.task;
    answer.evaluated.measurement =
        measured(evaluator, parse_problem(task.problem), parse_config(task.config));
    answer.evaluated.wall_us = 1e6;
    ++answered[from];
    answers.push_back({from, encode(answer)});
  }
  /// The task that a worker has, out of its inbox.
  std::optional<EvaluationMessage> take_task(int rank) {
    auto& inbox = inboxes[rank];
    while (!inbox.empty()) {
      const EvaluationMessage message = inbox.front();
      inbox.pop_front();
      if (message.kind == Kind::kTask) return message;
    }
    return std::nullopt;
  }
  void work(int rank) {
    if (const auto task = take_task(rank)) answer(rank, *task);
  }

  std::function<void()> play;
  XEvaluator evaluator;
  std::map<int, std::deque<EvaluationMessage>> inboxes;
  std::map<int, bool> lost;
  std::map<int, int> answered;
  std::deque<LinkMessage> answers;
  double now = 0;

 private:
  int size_;
};

class RemoteEvaluationTest : public testing::Test {
 protected:
  explicit RemoteEvaluationTest(int size = 4)
      : link_(size),
        team_(
            link_, {.min_seconds = 20, .medians = 10}, [this] { return link_.now; },
            [this](const std::string& line) { notes_.push_back(line); }) {
    link_.play = [this] { all_work(); };
  }

  void all_work() {
    for (int rank = 1; rank < link_.size(); ++rank) link_.work(rank);
  }

  std::vector<std::string> run(
      int count, const std::function<bool()>& stop = [] { return false; }) {
    std::vector<EvaluationTask> tasks;
    for (int i = 0; i < count; ++i) {
      tasks.push_back({&problem_, parse_config(fmt::format("x={}", i + 1))});
    }
    std::vector<std::string> lines;
    RemoteEvaluation pool(team_, own_, "the evaluator");
    const size_t done = pool.run(
        tasks,
        [&](size_t i, const Evaluated& evaluated) {
          EXPECT_EQ(i, lines.size());
          const Measurement& m = evaluated.measurement;
          lines.push_back(fmt::format("{} {} {} {}", name_of(m.status), m.reason, m.time_us,
                                      fmt::join(m.times_us, " ")));
        },
        stop);
    EXPECT_EQ(done, lines.size());
    return lines;
  }

  std::vector<std::string> expected(int count) {
    std::vector<EvaluationTask> tasks;
    for (int i = 0; i < count; ++i) {
      tasks.push_back({&problem_, parse_config(fmt::format("x={}", i + 1))});
    }
    std::vector<std::string> lines;
    ThreadEvaluation(link_.evaluator, 1, {})
        .run(
            tasks,
            [&](size_t, const Evaluated& evaluated) {
              const Measurement& m = evaluated.measurement;
              lines.push_back(fmt::format("{} {} {} {}", name_of(m.status), m.reason, m.time_us,
                                          fmt::join(m.times_us, " ")));
            },
            [] { return false; });
    return lines;
  }

  const Problem problem_ = parse_problem("gemm f16 f16 f16 nd nz nd m=1 n=64 k=32 epilogue=none");
  StageLink link_;
  XEvaluator own_;
  std::vector<std::string> notes_;
  WorkerTeam team_;
};

TEST_F(RemoteEvaluationTest, GivesWhatThreadsGive) {
  EXPECT_EQ(run(30), expected(30));
  EXPECT_EQ(own_.evaluations, 0);
  for (int rank = 1; rank < 4; ++rank) EXPECT_EQ(link_.answered[rank], 10);
}

TEST_F(RemoteEvaluationTest, EvaluatorIsDescribedOnceToEachWorker) {
  int descriptions = 0;
  link_.play = [&] {
    for (int rank = 1; rank < 4; ++rank) {
      for (const EvaluationMessage& message : link_.inboxes[rank]) {
        descriptions += message.kind == Kind::kEvaluator && message.text == "the evaluator" &&
                        message.id == "cmd/x";
      }
    }
    all_work();
  };
  run(10);
  run(10);
  EXPECT_EQ(descriptions, 3);
}

TEST_F(RemoteEvaluationTest, TasksOfALostWorkerGoToOthers) {
  link_.play = [&] {
    if (link_.now == 3) link_.lost[2] = true;
    link_.work(1);
    if (link_.now > 1) link_.work(3);
    if (link_.now < 2) link_.work(2);
  };
  EXPECT_EQ(run(30), expected(30));
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_EQ(notes_[0], "worker 2 is gone; others evaluate what it had");
  EXPECT_FALSE(team_.dismiss());
}

TEST_F(RemoteEvaluationTest, SilentWorkerLosesItsTaskAndComesBackWithItsLateAnswer) {
  std::optional<EvaluationMessage> kept;
  link_.play = [&] {
    link_.work(1);
    link_.work(3);
    if (!kept) kept = link_.take_task(2);
    if (link_.now == 60) link_.answer(2, *kept);  // in a later round
    if (link_.now > 60) link_.work(2);
  };
  EXPECT_EQ(run(12), expected(12));
  EXPECT_GT(link_.now, 20);
  while (link_.now < 60) run(1);
  EXPECT_EQ(run(12), expected(12));
  EXPECT_GT(link_.answered[2], 1);
  EXPECT_TRUE(team_.dismiss());
}

TEST_F(RemoteEvaluationTest, DuplicateAnswerIsIgnored) {
  std::optional<EvaluationMessage> kept;
  link_.play = [&] {
    if (!kept) kept = link_.take_task(2);
    link_.work(1);
    if (link_.now == 25) link_.answer(2, *kept);  // its task was given to another at 20
    if (link_.now > 30) link_.work(3);
  };
  EXPECT_EQ(run(12), expected(12));
}

TEST_F(RemoteEvaluationTest, RankZeroEvaluatesWhenNobodyIsLeft) {
  link_.play = [&] {
    if (link_.now == 2) link_.lost = {{1, true}, {2, true}, {3, true}};
    all_work();
  };
  EXPECT_EQ(run(30), expected(30));
  EXPECT_GT(own_.evaluations, 10);
  EXPECT_EQ(notes_.size(), 3u);
}

TEST_F(RemoteEvaluationTest, WorkerThatCannotMakeTheEvaluatorIsLeftAlone) {
  link_.play = [&] {
    link_.work(1);
    link_.work(3);
    if (link_.take_task(2)) {
      EvaluationMessage refusal;
      refusal.kind = Kind::kRefused;
      refusal.text = "its evaluator is cmd/y, not cmd/x";
      link_.answers.push_back({2, encode(refusal)});
    }
  };
  EXPECT_EQ(run(30), expected(30));
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_EQ(notes_[0], "worker 2 cannot evaluate: its evaluator is cmd/y, not cmd/x");
}

TEST_F(RemoteEvaluationTest, TaskThatThreeWorkersDieOfIsAFailure) {
  link_.play = [&] {
    for (int rank = 1; rank < 4; ++rank) {
      const auto task = link_.lost[rank] ? std::nullopt : link_.take_task(rank);
      if (!task) continue;
      task->config == "x=5" ? void(link_.lost[rank] = true) : link_.answer(rank, *task);
    }
  };
  const std::vector<std::string> lines = run(8);
  EXPECT_EQ(lines[4], "runtime 3 workers died while they evaluated it 0 ");
  EXPECT_EQ(lines[5], expected(8)[5]);
}

TEST_F(RemoteEvaluationTest, StopLetsWhatIsInFlightFinish) {
  bool stop = false;
  link_.play = [&] {
    stop = link_.now >= 3;
    all_work();
  };
  EXPECT_EQ(run(30, [&] { return stop; }).size(), 9u);
}

/// A worker's side: reads a script, collects what is sent to rank 0.
class ScriptLink : public MessageLink {
 public:
  int rank() const override { return 1; }
  int size() const override { return 2; }
  void send(int to, std::string bytes) override {
    EXPECT_EQ(to, 0);
    sent.push_back(decode_evaluation_message(bytes));
  }
  std::optional<LinkMessage> receive() override {
    if (script.empty()) return std::nullopt;
    LinkMessage message{0, encode(script.front())};
    script.pop_front();
    return message;
  }
  void pause() override { ++pauses; }
  bool is_lost(int) override { return pauses > 2; }

  std::deque<EvaluationMessage> script;
  std::vector<EvaluationMessage> sent;
  int pauses = 0;
};

EvaluationMessage evaluator_message(const std::string& text, const std::string& id) {
  EvaluationMessage message;
  message.kind = Kind::kEvaluator;
  message.text = text;
  message.id = id;
  return message;
}

EvaluationMessage task_message(int64_t task, const std::string& config) {
  EvaluationMessage message;
  message.kind = Kind::kTask;
  message.task = task;
  message.problem = "gemm f16 f16 f16 nd nz nd m=1 n=64 k=32 epilogue=none";
  message.config = config;
  return message;
}

const EvaluatorMaker kMaker = [](const std::string& text) -> std::unique_ptr<Evaluator> {
  if (text != "x") throw Error(ErrorKind::kUsage, "no such evaluator");
  return std::make_unique<XEvaluator>();
};
const std::function<double()> kNoClock = [] { return 0.0; };

TEST(ServeEvaluations, AnswersUntilItIsSentHome) {
  ScriptLink link;
  EvaluationMessage leave;
  leave.kind = Kind::kLeave;
  link.script = {evaluator_message("x", "cmd/x"), task_message(7, "x=2"), task_message(8, "x=13"),
                 leave, task_message(9, "x=1")};
  EXPECT_TRUE(serve_evaluations(link, kMaker, kNoClock));
  ASSERT_EQ(link.sent.size(), 2u);
  EXPECT_EQ(link.sent[0].task, 7);
  EXPECT_EQ(link.sent[0].evaluated.measurement.time_us, 2.1);
  EXPECT_EQ(link.sent[0].evaluated.measurement.times_us, (std::vector<double>{2.1, 1.0 / 3}));
  EXPECT_EQ(link.sent[0].evaluated.measurement.counters[0].second, 1e-300);
  EXPECT_EQ(link.sent[1].evaluated.measurement.status, AttemptStatus::kWrongResult);
  EXPECT_EQ(link.sent[1].evaluated.measurement.reason, "bytes \xff");
}

TEST(ServeEvaluations, RefusesAnEvaluatorThatIsNotTheSame) {
  for (const char* text : {"x", "y"}) {
    ScriptLink link;
    link.script = {evaluator_message(text, "cmd/other"), task_message(7, "x=2")};
    EXPECT_FALSE(serve_evaluations(link, kMaker, kNoClock));  // rank 0 is gone in the end
    ASSERT_EQ(link.sent.size(), 1u);
    EXPECT_EQ(link.sent[0].kind, Kind::kRefused);
  }
}

TEST(EvaluationMessages, RefuseOtherBytes) {
  for (const char* bytes : {"", "x", "\x83\x01\x02\x03"}) {
    EXPECT_THROW(decode_evaluation_message(bytes), Error);
  }
}

}  // namespace
}  // namespace tilewright
