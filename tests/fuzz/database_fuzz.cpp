// A damaged results database gives rows or an Error. The input is a list of damages (place, byte;
// a place beyond the file cuts it) done to a small valid database, since random bytes would hardly
// pass SQLite's header. Whatever is left is opened read-only, checked, asked every saved query, and
// merged into a good database, which must stay sound.

#include "core/space/measurement.h"
#include "db/queries.h"
#include "db/store.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

namespace {

const std::string kMachine = "00ff00ff00ff00ff";
const MeasurementKey kKey{
    "gemm",      1,        "gemm f16 f16 f16 nd nz nd m=16 n=64 k=64 epilogue=none",
    "tile_m=16", kMachine, "sim/1/detailed"};

void make_empty(const std::string& path) {
  Store::open(path, OpenMode::kReadWrite);
}

void make_small_session(const std::string& path) {
  Store store = Store::open(path, OpenMode::kReadWrite);
  // Small pages: fewer bytes to write, and more of them are structure.
  store.database().execute("PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM");
  store.save_machine("npu", kMachine, "{}");
  Run run;
  run.kind = RunKind::kTune;
  run.label = "small";
  run.machine_name = "npu";
  run.machine_fingerprint = kMachine;
  run.date = "2026-01-02T03:04:05Z";
  run.tool = "fuzz";
  const int64_t id = store.begin_run(run);
  Measurement measurement;
  measurement.time_us = 12.5;
  measurement.time_ticks = 12800;
  measurement.counters = {{"aic_cube_ratio", 0.5}};
  store.record(kKey, measurement, id, 10, run.date);
  MeasurementKey failed = kKey;
  failed.config = "tile_m=32";
  store.record(failed, {AttemptStatus::kInfeasible, "no room", 0, 0, {}}, id, 1, run.date);
  Winner winner{.kernel = "gemm",
                .kernel_revision = 1,
                .problem = kKey.problem,
                .ops = {"qkv"},
                .evaluator = kKey.evaluator,
                .config = kKey.config,
                .time_us = 12.5,
                .baseline_config = kKey.config,
                .baseline_us = 12.5};
  store.save_winners(id, {&winner, 1});
  const LogTable log{LogKind::kOp, {{"qkv", {1, 2, 3}}, {"attention", {4, 5, 6}}}};
  store.finish_run(id, RunStatus::kDone, 5, "{}", {&log, 1});
}

std::string damaged(std::string bytes, FuzzInput input) {
  while (!input.empty() && !bytes.empty()) {
    const auto place = static_cast<size_t>(input.below(int64_t{1} << 16));
    const auto value = static_cast<char>(input.byte());
    if (place < bytes.size()) {
      bytes[place] = value;
    } else if (value == 0) {
      bytes.resize(place % bytes.size());
    }
  }
  return bytes;
}

void read_everything(const std::string& path) {
  Store store = Store::open(path, OpenMode::kReadOnly);
  accepted([&] { store.check(); });
  accepted([&] { store.info(); });
  accepted([&] { store.find(kKey); });
  accepted([&] { store.load_run(1); });
  accepted([&] { store.latest_run(RunKind::kTune); });
  accepted([&] { store.load_winners(1); });
  accepted([&] { store.trials(1); });
  const Series series{kKey.kernel, kKey.kernel_revision, kKey.problem, kKey.machine_fingerprint,
                      kKey.evaluator};
  accepted([&] { store.known(series); });
  accepted([&] { store.best(series); });
  accepted([&] { store.earlier_configs(series, 3); });
  accepted([&] { store.failures(kKey.kernel, 10); });
  for (const LogKind kind : kLogKinds) accepted([&] { store.serving_log(1, kind); });
  const CurrentRevisions current{{{"gemm", 1}}, {"sim/1/detailed"}};
  QueryLimits limits;
  limits.stop = [asked = 0]() mutable { return ++asked > 100; };
  for (const SavedQuery& saved : saved_queries()) {
    accepted([&] { to_csv(query(store, saved.name, current, limits)); });
  }
}

std::string bytes_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The bytes of a valid database made by `fill`; made once, as that takes longest.
std::string make_bytes(void (*fill)(const std::string& path)) {
  const FuzzFile file("good.db");
  fill(file.path());
  return bytes_of_file(file.path());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string good = make_bytes(make_small_session);
  static const std::string empty = make_bytes(make_empty);
  const FuzzFile file("damaged.db");
  file.write(damaged(good, FuzzInput(data, size)));
  accepted([&] { read_everything(file.path()); });

  const FuzzFile target("target.db");
  target.write(empty);
  Store store = Store::open(target.path(), OpenMode::kReadWrite);
  accepted([&] { store.merge(file.path()); });
  TW_CHECK(store.check().empty(), "a merge leaves a sound database");
  return 0;
}
