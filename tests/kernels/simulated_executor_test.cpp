#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "kernels/native/native_executor.h"
#include "kernels/native/reference.h"
#include "tests/kernels/native_driver.h"
#include "tests/kernels/simulated_cases.h"

namespace tilewright {
namespace {

constexpr int64_t kSteps = 3;

/// All rows of logits of a run, by sequence and step.
struct Rows {
  std::vector<std::vector<std::vector<float>>> rows;
  std::vector<std::vector<int32_t>> tokens;
};

Rows run(Executor& executor, DriverOptions options = {}) {
  Rows result;
  result.rows.resize(prompts().size(), std::vector<std::vector<float>>(kSteps));
  options.on_logits = [&](size_t index, int64_t position, std::span<const float> row) {
    const auto step = static_cast<size_t>(position) - prompts()[index].size();
    if (step < kSteps) result.rows[index][step].assign(row.begin(), row.end());
  };
  result.tokens = Driver(executor, options).run(prompts(), kSteps);
  return result;
}

/// The logits of the plain model after the tokens that were made.
class PlainRows {
 public:
  explicit PlainRows(const SimulatedFixture& fixture)
      : plain_(fixture.checkpoint.model(), fixture.weights) {}

  /// Largest difference of logits.
  double distance(const Rows& ours) {
    double largest = 0;
    for (size_t i = 0; i < prompts().size(); ++i) {
      std::vector<int32_t> ids = prompts()[i];
      for (size_t step = 0; step < kSteps; ++step) {
        const PlainModel::Vector& theirs = logits(ids);
        const std::vector<float>& row = ours.rows[i][step];
        for (size_t v = 0; v < theirs.size(); ++v)
          largest = std::max(largest, std::abs(static_cast<double>(row.at(v)) - theirs[v]));
        ids.push_back(ours.tokens[i][step]);
      }
    }
    return largest;
  }

  /// How often a token is not that of the plain model's largest logit.
  int64_t other_tokens(const Rows& ours) {
    int64_t others = 0;
    for (size_t i = 0; i < prompts().size(); ++i) {
      std::vector<int32_t> ids = prompts()[i];
      for (const int32_t token : ours.tokens[i]) {
        const PlainModel::Vector& theirs = logits(ids);
        others += std::max_element(theirs.begin(), theirs.end()) - theirs.begin() != token;
        ids.push_back(token);
      }
    }
    return others;
  }

 private:
  const PlainModel::Vector& logits(const std::vector<int32_t>& ids) {
    PlainModel::Vector& known = known_[ids];
    if (known.empty()) known = plain_.logits(ids);
    return known;
  }

  PlainModel plain_;
  std::map<std::vector<int32_t>, PlainModel::Vector> known_;
};

TEST(SimulatedExecutor, SaysWhatThePlainModelSays) {
  for (const Architecture& each : architectures()) {
    const SimulatedFixture fixture(each.recipe);
    SimulatedExecutor executor = fixture.executor({.kv_blocks = 32});
    const Rows ours = run(executor);
    PlainRows plain(fixture);
    EXPECT_LT(plain.distance(ours), kTolerance) << each.name;
    EXPECT_EQ(plain.other_tokens(ours), 0) << each.name;
  }
}

TEST(SimulatedExecutor, SaysItForEverySizeOfBlocksAndChunks) {
  const SimulatedFixture fixture(architectures()[0].recipe);
  PlainRows plain(fixture);
  for (const int64_t block_size : {8, 16, 128}) {
    for (const int64_t chunk : {3, 16, 64}) {
      SimulatedExecutor executor =
          fixture.executor({.kv_blocks = 24, .block_size = block_size, .timed = false});
      // Chunks of prompts stand beside decodes, or sequences come one after the other.
      const Rows ours = run(executor, {.chunk = chunk, .mixed = chunk != 16});
      EXPECT_LT(plain.distance(ours), kTolerance)
          << "blocks of " << block_size << ", chunks of " << chunk;
      EXPECT_EQ(plain.other_tokens(ours), 0);
    }
  }
}

TEST(SimulatedExecutor, VerifiesDraftsBesidePromptsAndDecodes) {
  for (const Architecture& each : architectures()) {
    const SimulatedFixture fixture(each.recipe);
    SimulatedExecutor first = fixture.executor({.kv_blocks = 32, .timed = false});
    const Rows wanted = run(first);
    // Right drafts for two of three steps, of other numbers from sequence to sequence.
    const auto draft = [&](size_t index, const std::vector<int32_t>& ids) {
      std::vector<int32_t> drafts;
      for (size_t step = ids.size() - prompts()[index].size(); step < kSteps; ++step) {
        const int32_t right = wanted.tokens[index][step];
        const bool is_wrong = (step + index) % 3 == 2;
        drafts.push_back(is_wrong ? (right + 1) % static_cast<int32_t>(kVocabulary) : right);
      }
      drafts.resize(std::min(drafts.size(), index));
      return drafts;
    };
    SimulatedExecutor executor = fixture.executor({.kv_blocks = 32, .timed = false});
    const Rows ours = run(executor, {.chunk = 20, .draft = draft});
    PlainRows plain(fixture);
    EXPECT_EQ(ours.tokens, wanted.tokens) << each.name;
    EXPECT_LT(plain.distance(ours), kTolerance) << each.name;
  }
}

// Contexts that are cut into parts for several cores, in groups of seven heads of 128.
TEST(SimulatedExecutor, AgreesWithTheNativeExecutorOnLongContexts) {
  const SimulatedFixture fixture({R"({"architectures": ["Qwen2ForCausalLM"], "hidden_size": 48,
      "num_hidden_layers": 1, "num_attention_heads": 14, "num_key_value_heads": 2,
      "intermediate_size": 80, "vocab_size": 83, "max_position_embeddings": 2048,
      "rms_norm_eps": 1e-6, "head_dim": 128, "torch_dtype": "float32"})",
                                  "F32", 1, 21});
  std::vector<std::vector<int32_t>> list;
  Random random(5);
  for (const int64_t length : {1, 900, 129, 640}) {
    list.emplace_back();
    for (int64_t i = 0; i < length; ++i)
      list.back().push_back(static_cast<int32_t>(random.below(kVocabulary)));
  }
  NativeExecutor native(fixture.checkpoint, {.kv_blocks = 24, .block_size = 128});
  SimulatedExecutor simulated =
      fixture.executor({.kv_blocks = 24, .block_size = 128, .timed = false});
  std::vector<float> rows[2];
  std::vector<std::vector<int32_t>> tokens[2];
  const auto draft = [](size_t index, const std::vector<int32_t>&) {
    return std::vector<int32_t>(index == 2 ? 2 : 0, 7);
  };
  for (const int which : {0, 1}) {
    DriverOptions options{.chunk = 500, .draft = draft};
    options.on_logits = [&](size_t, int64_t, std::span<const float> row) {
      rows[which].insert(rows[which].end(), row.begin(), row.end());
    };
    Executor& executor = which == 0 ? static_cast<Executor&>(native) : simulated;
    tokens[which] = Driver(executor, options).run(list, 4);
  }
  EXPECT_EQ(tokens[0], tokens[1]);
  ASSERT_EQ(rows[0].size(), rows[1].size());
  for (size_t v = 0; v < rows[0].size(); ++v) ASSERT_NEAR(rows[0][v], rows[1][v], kTolerance);
}

TEST(SimulatedExecutor, ComputesHalvesInTheirOwnType) {
  const std::pair<const char*, double> kTypes[] = {{"F16", 0.03}, {"BF16", 0.25}};
  for (const auto& [type, tolerance] : kTypes) {
    const std::string dtype = type == std::string("F16") ? "float16" : "bfloat16";
    const SimulatedFixture fixture(
        {config_of("Qwen3ForCausalLM", R"(, "torch_dtype": ")" + dtype + "\""), type, 1, 11});
    SimulatedExecutor executor = fixture.executor({.kv_blocks = 32});
    PlainRows plain(fixture);
    const double distance = plain.distance(run(executor));
    EXPECT_LT(distance, tolerance) << type;
    EXPECT_GT(distance, kTolerance) << type;
  }
}

TEST(SimulatedExecutor, TinyLlamaMakesItsTokensInOneMixedBatch) {
  const char* set = std::getenv("TILEWRIGHT_DATA");
  const std::filesystem::path folder =
      (set ? std::filesystem::path(set)
           : std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / ".." / "shared" / "data") /
      "tiny-llama";
  if (!std::filesystem::is_directory(folder)) {
    GTEST_SKIP() << "no folder " << folder << "; set TILEWRIGHT_DATA";
  }
  const Checkpoint checkpoint(folder.string());
  const Reference reference =
      read_reference((folder / "reference.json").string(), checkpoint.model());
  SimulatedExecutor executor(checkpoint, simulated_machine(), {.kv_blocks = 160, .block_size = 8});
  ReferenceComparison comparison(reference);
  std::vector<std::vector<int32_t>> all;
  for (const ReferenceCase& each : reference.cases) all.push_back(each.prompt);
  DriverOptions options{.chunk = 200};
  options.on_logits = [&](size_t index, int64_t position, std::span<const float> row) {
    comparison.add_logits(static_cast<int64_t>(index), position, row);
  };
  constexpr size_t kFirst = 8;
  const auto tokens = Driver(executor, options).run(all, kFirst);
  for (size_t i = 0; i < all.size(); ++i) {
    const auto& greedy = reference.cases[i].greedy;
    EXPECT_EQ(tokens[i], std::vector<int32_t>(greedy.begin(), greedy.begin() + kFirst))
        << reference.cases[i].name;
  }
  const Agreement agreement = comparison.finish(tokens);
  EXPECT_LT(agreement.max_logit_error, 1e-3);
  EXPECT_EQ(agreement.logits_compared, std::ssize(all) * (2 * 512 + 8 * 8 + 8));
  RecordProperty("max_logit_error", std::to_string(agreement.max_logit_error));
}

}  // namespace
}  // namespace tilewright
