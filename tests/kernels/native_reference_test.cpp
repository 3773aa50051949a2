#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <limits>

#include "core/base/error.h"
#include "kernels/native/reference.h"
#include "tests/kernels/native_driver.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

constexpr double kTolerance = 1e-3;

std::filesystem::path tiny_llama() {
  const char* set = std::getenv("TILEWRIGHT_DATA");
  const std::filesystem::path data =
      set ? std::filesystem::path(set)
          : std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / ".." / "shared" / "data";
  return data / "tiny-llama";
}

Agreement compare(const Checkpoint& checkpoint, const Reference& reference,
                  const NativeOptions& options, DriverOptions driver) {
  NativeExecutor executor(checkpoint, options);
  ReferenceComparison comparison(reference);
  std::vector<std::vector<int32_t>> prompts;
  for (const ReferenceCase& each : reference.cases) prompts.push_back(each.prompt);
  driver.on_logits = [&](size_t index, int64_t position, std::span<const float> row) {
    comparison.add_logits(static_cast<int64_t>(index), position, row);
  };
  return comparison.finish(Driver(executor, driver).run(prompts, 96));
}

struct Gate {
  const char* name;
  NativeOptions options;
  DriverOptions driver;
};

TEST(NativeReference, TinyLlamaMakesEveryTokenInEveryGate) {
  const std::filesystem::path folder = tiny_llama();
  if (!std::filesystem::is_directory(folder)) {
    GTEST_SKIP() << "no folder " << folder << "; set TILEWRIGHT_DATA";
  }
  const Checkpoint checkpoint(folder.string());
  const Reference reference =
      read_reference((folder / "reference.json").string(), checkpoint.model());
  const auto draft = [&](size_t index, const std::vector<int32_t>& ids) {
    std::vector<int32_t> drafts;
    const ReferenceCase& each = reference.cases[index];
    for (size_t step = ids.size() - each.prompt.size(); step < 96 && drafts.size() < 3; ++step) {
      drafts.push_back(step % 4 == 3 ? 7 : each.greedy[step]);
    }
    return drafts;
  };
  const Gate kGates[] = {
      {"one after the other", {.kv_blocks = 256}, {.mixed = false}},
      {"one mixed batch", {.kv_blocks = 256}, {}},
      {"chunks of 16", {.kv_blocks = 256}, {.chunk = 16}},
      {"chunks of 64, blocks of 8", {.kv_blocks = 512, .block_size = 8}, {.chunk = 64}},
      {"blocks of 128", {.kv_blocks = 64, .block_size = 128}, {.chunk = 100}},
      {"drafts", {.kv_blocks = 256}, {.draft = draft}},
      {"TP 2", {.kv_blocks = 256, .parallel = {2, 1}}, {}},
      {"TP 4", {.kv_blocks = 256, .parallel = {4, 1}}, {}},
      {"PP 3", {.kv_blocks = 256, .parallel = {1, 3}}, {.chunk = 32}},
  };
  for (const Gate& gate : kGates) {
    const Agreement agreement = compare(checkpoint, reference, gate.options, gate.driver);
    EXPECT_TRUE(agreement.holds(kTolerance))
        << gate.name << ": " << agreement.tokens_equal << " tokens, logits "
        << agreement.max_logit_error << " off";
    EXPECT_EQ(agreement.tokens_total, 960);
    EXPECT_EQ(agreement.logits_compared, 10 * (2 * 512 + 8 * 8 + 96));
    RecordProperty(gate.name, std::to_string(agreement.max_logit_error));
  }
}

ModelConfig small_model() {
  ModelConfig model;
  model.vocab = 4;
  model.max_positions = 8;
  return model;
}

Reference parse(const std::string& text) {
  const TempFolder folder;
  return read_reference(folder.file("reference.json", text), small_model());
}

const std::string kSmall = R"({"vocab_size": 4, "cases": [{"name": "a", "prompt": [1, 2],
  "greedy": [3, 0, 1], "full_logits_first2": [[0, 0.5, 0, 1]], "top8_first8": [[[3, 1], [1, 0.5]]],
  "max_logit": [1, 2, 3]}]})";

TEST(ReferenceComparison, CountsLogitsUpToTheFirstTokenThatDiffers) {
  const Reference reference = parse(kSmall);
  ReferenceComparison comparison(reference);
  comparison.add_logits(0, 2, std::vector<float>{0, 0.5, 0, 1.25});
  comparison.add_logits(0, 3, std::vector<float>{2.125, 0, 0, 0});
  comparison.add_logits(0, 4, std::vector<float>{9, 0, 0, 0});
  const Agreement right = comparison.finish(std::vector<std::vector<int32_t>>{{3, 0, 1}});
  EXPECT_EQ(right.tokens_equal, 3);
  EXPECT_EQ(right.tokens_total, 3);
  EXPECT_EQ(right.logits_compared, 4 + 2 + 3);
  EXPECT_EQ(right.max_logit_error, 6);
  EXPECT_EQ(right.cases[0].first_difference, -1);
  EXPECT_TRUE(right.holds(6));
  EXPECT_FALSE(right.holds(5.9));
  const Agreement wrong = comparison.finish(std::vector<std::vector<int32_t>>{{3, 1, 1}});
  EXPECT_EQ(wrong.tokens_equal, 2);
  EXPECT_EQ(wrong.cases[0].first_difference, 1);
  EXPECT_EQ(wrong.max_logit_error, 0.25);
  EXPECT_FALSE(wrong.holds(6));
}

TEST(ReferenceComparison, DoesNotHoldWithoutTheLogits) {
  const Reference reference = parse(kSmall);
  const ReferenceComparison comparison(reference);
  const Agreement agreement = comparison.finish(std::vector<std::vector<int32_t>>{{3, 0, 1}});
  EXPECT_EQ(agreement.tokens_equal, agreement.tokens_total);
  EXPECT_FALSE(agreement.holds(1));
}

TEST(ReferenceComparison, TakesNoNumberForAsFarOffAsCanBe) {
  const Reference reference = parse(kSmall);
  ReferenceComparison comparison(reference);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  comparison.add_logits(0, 2, std::vector<float>{0, nan, 0, 1});
  comparison.add_logits(0, 3, std::vector<float>{2, 0, 0, 0});
  comparison.add_logits(0, 4, std::vector<float>{3, 0, 0, 0});
  EXPECT_FALSE(comparison.finish(std::vector<std::vector<int32_t>>{{3, 0, 1}}).holds(1e30));
}

TEST(ReferenceReader, NamesThePlaceOfWhatIsWrong) {
  const std::pair<const char*, const char*> kCases[] = {
      {"{}", "key 'cases' is missing"},
      {R"({"vocab_size": 5, "cases": []})", "vocab_size: is not the model's 4"},
      {R"({"cases": []})", "cases: is empty"},
      {R"({"cases": [{"name": "a", "prompt": [], "greedy": [1]}]})", "cases[0].prompt: is empty"},
      {R"({"cases": [{"name": "a", "prompt": [4], "greedy": [1]}]})",
       "cases[0].prompt[0]: 4 is outside [0, 3]"},
      {R"({"cases": [{"name": "a", "prompt": [1], "greedy": [-1]}]})", "cases[0].greedy[0]"},
      {R"({"cases": [{"name": "a", "prompt": [1, 1, 1, 1], "greedy": [1, 1, 1, 1, 1]}]})",
       "9 tokens of prompt and output are more than the model's 8"},
      {R"({"cases": [{"name": "a", "prompt": [1], "greedy": [1], "max_logit": [1, 2]}]})",
       "max_logit: has 2 entries for 1 steps"},
      {R"({"cases": [{"name": "a", "prompt": [1], "greedy": [1], "full_logits_first2": [[1]]}]})",
       "full_logits_first2[0]: has 1 logits for a vocabulary of 4"},
      {R"({"cases": [{"name": "a", "prompt": [1], "greedy": [1], "top8_first8": [[[7, 1]]]}]})",
       "top8_first8[0][0][0]: 7 is outside"},
      {R"({"cases": [{"name": "a", "prompt": [1], "greedy": [1], "max_logit": ["x"]}]})",
       "max_logit[0]: expected a number"},
  };
  for (const auto& [text, message] : kCases) {
    try {
      parse(text);
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
    }
  }
}

}  // namespace
}  // namespace tilewright
