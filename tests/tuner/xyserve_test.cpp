#include <gtest/gtest.h>

#include "kernels/kernel.h"
#include "simulator/timing.h"
#include "tuner/xyserve/agreement.h"
#include "tuner/xyserve/attention_experiment.h"
#include "tuner/xyserve/gemm_summary.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

GemmExperimentOptions small_experiment() {
  GemmExperimentOptions options;
  options.linears = {
      {"a", 1, "o_proj", 512, 256}, {"b", 1, "down", 768, 512}, {"c", 2, "o_proj", 512, 256}};
  options.rows = {1, 15, 16, 17, 32, 33, 128, 129};
  options.layout = "nz";
  return options;
}

TEST(XyserveLinears, AreTheSharesOfTheRanks) {
  const std::vector<Linear> linears = xyserve_linears();
  ASSERT_EQ(linears.size(), 16u);
  const auto sizes = [&](size_t i) { return std::pair(linears[i].n, linears[i].k); };
  using Sizes = std::pair<int64_t, int64_t>;
  EXPECT_EQ(sizes(0), Sizes(12288, 4096));
  EXPECT_EQ(sizes(2), Sizes(22016, 4096));
  EXPECT_EQ(linears[12].model, "qwen2.5-72b");
  EXPECT_EQ(sizes(12), Sizes(1280, 8192));
  EXPECT_EQ(sizes(13), Sizes(8192, 1024));
  EXPECT_EQ(sizes(14), Sizes(7392, 8192));
  EXPECT_EQ(sizes(15), Sizes(8192, 3696));
}

TEST(GemmExperiment, TimesAreThoseOfTheSimulator) {
  const GemmExperimentOptions options = small_experiment();
  const std::vector<LinearTimes> times = run_gemm_experiment(options, machine(), {});
  ASSERT_EQ(times.size(), 3u);
  for (const LinearTimes& each : times) {
    for (size_t i = 0; i < options.rows.size(); ++i) {
      const auto time = [&](const char* name, const Config* config) {
        const Kernel& kernel = find_kernel(name);
        const Problem problem = linear_problem(each.linear, options.rows[i], name, "nz");
        const Config own = config ? *config : kernel.default_config(problem, machine());
        const Launch launch = kernel.build(problem, own, machine());
        return machine().us_of_ticks(time_launch(launch, machine(), Fidelity::kAuto).ticks);
      };
      EXPECT_EQ(each.smooth_us[i], time("gemm", &each.entry(options.rows[i]).config));
      EXPECT_EQ(each.library_us[i], time("gemm_library", nullptr));
      EXPECT_EQ(each.padded_us[i], time("gemm_padded", nullptr));
    }
  }
  EXPECT_EQ(times[0].smooth_us, times[2].smooth_us);
  EXPECT_EQ(times[2].linear.model, "c");
}

TEST(GemmExperiment, DoesNotDependOnTheNumberOfThreads) {
  const GemmExperimentOptions options = small_experiment();
  const std::vector<LinearTimes> one = run_gemm_experiment(options, machine(), {1, {}});
  const std::vector<LinearTimes> three = run_gemm_experiment(options, machine(), {3, {}});
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].smooth_us, three[i].smooth_us);
    for (size_t e = 0; e < one[i].table.size(); ++e) {
      EXPECT_EQ(one[i].table[e].config, three[i].table[e].config);
    }
  }
}

TEST(GemmExperiment, TunedEntriesAreNoSlowerThanTheDefault) {
  const GemmExperimentOptions options = small_experiment();
  for (const LinearTimes& times : run_gemm_experiment(options, machine(), {})) {
    for (const TunedRows& entry : times.table) {
      const Problem problem = linear_problem(times.linear, entry.m, "gemm", "nz");
      const Kernel& kernel = find_kernel("gemm");
      const Launch launch =
          kernel.build(problem, kernel.default_config(problem, machine()), machine());
      EXPECT_LE(entry.time_us,
                machine().us_of_ticks(time_launch(launch, machine(), Fidelity::kAuto).ticks));
    }
  }
}

TEST(GemmSummary, MeanGainIsGeometric) {
  const std::vector<double> baseline = {2, 8};
  const std::vector<double> times = {1, 1};
  EXPECT_DOUBLE_EQ(mean_gain(baseline, times), 3);
  EXPECT_EQ(mean_gain({}, {}), 0);
}

TEST(GemmSummary, CountsEdgesThatRiseByMoreThanOneTile) {
  LinearTimes times;
  Config config;
  config.values = {{"tile_m", 32}};
  times.table = {{64, config, 10}, {80, config, 14}, {128, config, 20}, {144, config, 40}};
  const std::vector<int64_t> rows = {64, 65, 128, 129};
  // 64 rows are 2 tiles: half as long again for one row more rises by less than 1/2 a row. 128 rows
  // are 4 tiles: twice as long rises by far more than 1/4.
  times.smooth_us = {10, 14, 20, 40};
  const TileEdges edges = tile_edges(rows, times);
  EXPECT_EQ(edges.edges, 2);
  EXPECT_EQ(edges.held, 1);
  EXPECT_NEAR(edges.worst_rise, (40.0 / 129 / (20.0 / 128) - 1) * 4, 1e-12);
}

TEST(GemmSummary, SaysHowFarTheBoundIs) {
  const GemmExperimentOptions options = small_experiment();
  const std::vector<LinearTimes> times = run_gemm_experiment(options, machine(), {});
  const GemmSummary summary = summarise(options, times, machine(), {});
  EXPECT_EQ(summary.bounds.entries, 15);  // 16, 32, 48, 128 and 144 rows of three linears
  EXPECT_GT(summary.bounds.least, 0.1);
  EXPECT_LE(summary.bounds.median, 1);
  ASSERT_FALSE(summary.rows.empty());
  for (const GemmRow& row : summary.rows) {
    EXPECT_LE(row.ratio, 1) << row.linear.op << " " << row.m;
    EXPECT_LE(row.mfu, 1);
    EXPECT_LE(row.mbu, 1);
  }
}

TEST(GemmSummary, BandsOfRowsCoverAllOfThem) {
  const GemmExperimentOptions options = small_experiment();
  const std::vector<LinearTimes> times = run_gemm_experiment(options, machine(), {});
  const GemmSummary summary = summarise(options, times, machine(), {});
  ASSERT_EQ(summary.bands.size(), 3u);  // 1 ... 16, 17 ... 64, 65 ... 256
  EXPECT_EQ(summary.bands[0].last, 16);
  int64_t entries = 0, enough = 0;
  for (const RowBand& band : summary.bands) {
    EXPECT_GE(band.gain, 0);
    EXPECT_GT(band.mfu, 0);
    EXPECT_NEAR(band.mfu / band.library_mfu, 1 + band.gain, 0.5);
    entries += band.entries;
    enough += band.enough;
  }
  EXPECT_EQ(entries, summary.bounds.entries);
  EXPECT_EQ(enough, summary.bounds.enough);
  int64_t below = 0;
  for (const Shortfall& each : summary.shortfalls) {
    EXPECT_FALSE(each.cause.starts_with("busy")) << each.cause;
    EXPECT_GT(each.share, 0);
    below += each.entries;
  }
  EXPECT_EQ(below, summary.bounds.entries - summary.bounds.enough);
}

TEST(Agreement, GemmLibraryIsNearMeasuredDefaults) {
  const std::vector<PublishedFigure> list = gemm_library_agreement(machine());
  ASSERT_EQ(list.size(), 8u);
  for (const PublishedFigure& each : list) {
    if (each.measured > 20) {
      EXPECT_LT(std::abs(each.error()), 0.15) << each.what;
    } else {
      // The shortest comes out too fast, so that gains over it are no larger for that.
      EXPECT_LT(std::abs(each.error()), 0.25) << each.what;
      EXPECT_LT(each.error(), 0) << each.what;
    }
  }
  EXPECT_TRUE(gemm_library_agreement(load_machine("ascend-910b4")).empty());
}

TEST(Agreement, AnotherTileGainsWhatWasMeasured) {
  const std::vector<PublishedFigure> list = gemm_library_agreement(machine());
  for (const auto& [by_default, tuned] : {std::pair<size_t, size_t>(2, 6), {4, 7}}) {
    EXPECT_EQ(list[by_default].baseline, "gemm_library");
    EXPECT_EQ(list[tuned].baseline, "gemm");
    const double measured = list[by_default].measured / list[tuned].measured;
    const double simulated = list[by_default].simulated / list[tuned].simulated;
    EXPECT_NEAR(simulated / measured, 1, 0.1) << list[tuned].what;
  }
}

TEST(Agreement, SlowAttentionLibraryIsNearMeasuredLibraries) {
  const std::vector<PublishedFigure> list = attention_library_agreement(machine());
  ASSERT_EQ(list.size(), 7u);
  for (const PublishedFigure& each : list) {
    if (each.unit == "us") {
      EXPECT_LT(std::abs(each.error()), 0.15) << each.what;
    } else if (each.at_most) {
      EXPECT_LT(each.simulated, each.measured) << each.what;
    } else {
      EXPECT_NEAR(each.simulated, each.measured, 0.05) << each.what;
    }
  }
  EXPECT_TRUE(attention_library_agreement(load_machine("ascend-910b4")).empty());
}

TEST(AttentionCases, MixedBatchesFillTheBudget) {
  for (const char* preset : {"chat", "code"}) {
    const std::vector<AttentionSequence> batch = mixed_batch(preset, 4096, 256, 3, 7);
    int64_t tokens = 0;
    int64_t verifies = 0;
    for (const AttentionSequence& sequence : batch) {
      EXPECT_GE(sequence.tokens, 1);
      tokens += sequence.tokens;
      verifies += sequence.mask == AttentionMask::kTree;
    }
    EXPECT_EQ(tokens, 4096);
    EXPECT_GT(verifies, 0);
    const std::vector<AttentionSequence> again = mixed_batch(preset, 4096, 256, 3, 7);
    EXPECT_EQ(batch.size(), again.size());
  }
}

TEST(AttentionExperiment, LibraryRunsAStageALaunch) {
  const AttentionShape shape = rank_attention("qwen2.5-72b", 8);  // 8 query heads, 1 KV head
  const std::vector<AttentionSequence> batch = {
      {1, 100}, {300, 0}, {4, 50, AttentionMask::kTree}, {1, 7}};
  const auto launches = library_launches(shape, batch);
  ASSERT_EQ(launches.size(), 3u);
  EXPECT_EQ(launches[0].front().tokens, 300);
  EXPECT_EQ(launches[1].size(), 2u);
  EXPECT_EQ(launches[2].front().tokens, 8);  // 32 of 64 rows are real
  EXPECT_TRUE(launches[2].front().full_mask);
}

TEST(AttentionExperiment, CountsOperationsAndBytesByHand) {
  AttentionShape shape{DType::kF16, 2, 1, 64, 128};
  const std::vector<AttentionSequence> batch = {{10, 90}};
  EXPECT_EQ(unmasked_flops(shape, batch), 4.0 * 10 * 100 * 64 * 2);
  EXPECT_EQ(kv_bytes(shape, batch), 2.0 * 100 * 64 * 2);
  EXPECT_EQ(concat_us(shape, {{1, 4096}}, machine()), 0);  // a decode reads pages
  EXPECT_GT(concat_us(shape, {{2, 4096}}, machine()), 0);
}

TEST(AttentionExperiment, IsNeverSlowerThanTheDefaultConfig) {
  AttentionCase small{"prefix", "x", "y", {DType::kF16, 4, 4, 128, 128}, {{256, 256}}};
  const std::vector<AttentionFigures> times = run_attention_experiment({small}, machine(), {});
  const Config standard = attention_default(small.shape, false, machine());
  const Launch launch = build_attention_launch(small.shape, small.sequences, standard, machine());
  EXPECT_LE(times[0].time_us,
            machine().us_of_ticks(time_launch(launch, machine(), Fidelity::kAuto).ticks));
  EXPECT_EQ(times[0].library_us, library_attention_us(small.shape, small.sequences, machine()));
}

}  // namespace
}  // namespace tilewright
