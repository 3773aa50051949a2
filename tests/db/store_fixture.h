#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "core/base/error.h"
#include "db/store.h"
#include "tests/temp_folder.h"

namespace tilewright {

/// A folder of its own for each test, removed afterwards.
class StoreTest : public testing::Test {
 protected:
  std::string path(const std::string& name = "results.db") const { return folder_.path(name); }

  Store open(const std::string& name = "results.db") const {
    return Store::open(path(name), OpenMode::kReadWrite);
  }

  /// A store with the machine "aaaa" and one run, id 1.
  Store with_run(const std::string& name = "results.db") const {
    Store store = open(name);
    store.save_machine("npu-a", "aaaa", "{}");
    store.begin_run(tuning_run());
    return store;
  }

  static tilewright::Run tuning_run() {
    tilewright::Run run;
    run.kind = RunKind::kTune;
    run.label = "nightly";
    run.command = "tilewright tune gemm";
    run.model = "qwen2-7b";
    run.workload = "chat";
    run.machine_fingerprint = "aaaa";
    run.seed = 7;
    run.date = "2026-01-02T03:04:05Z";
    run.tool = "tilewright 0.1.0";
    return run;
  }

  static MeasurementKey key(int m = 512, const std::string& config = "tile_m=128") {
    return {"gemm",
            3,
            "gemm f16 f16 f16 nd nz nd m=" + std::to_string(m) + " n=4096 k=64 epilogue=none",
            config,
            "aaaa",
            "sim/1/composed"};
  }

  static Measurement ok(double time_us) { return {AttemptStatus::kOk, "", time_us, 1024, {}}; }

  static Error error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return {ErrorKind::kFailed, ""};
  }

  TempFolder folder_;
};

}  // namespace tilewright
