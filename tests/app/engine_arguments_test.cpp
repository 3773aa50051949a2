#include "app/cli/engine_arguments.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace tilewright {
namespace {

TEST(EngineArguments, ReadDraftsByLookup) {
  const SpeculativeOptions options = parse_speculation("ngram:3,min=2,max=4").options;
  EXPECT_EQ(options.method, DraftMethod::kNgram);
  EXPECT_EQ(options.num_speculative_tokens, 3);
  EXPECT_EQ(options.prompt_lookup_min, 2);
  EXPECT_EQ(options.prompt_lookup_max, 4);
}

TEST(EngineArguments, ReadSyntheticAcceptance) {
  const SpeculativeOptions rates = parse_speculation("synthetic:2,rates=0.5/0.25").options;
  EXPECT_EQ(rates.method, DraftMethod::kSynthetic);
  EXPECT_EQ(rates.synthetic_acceptance_rates, (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(parse_speculation("synthetic:4,length=2.3").options.synthetic_acceptance_length, 2.3);
}

TEST(EngineArguments, ReadADraftModel) {
  const SpeculationArgument argument = parse_speculation("model:3,name=llama-2-7b,length=2");
  EXPECT_EQ(argument.options.method, DraftMethod::kModel);
  EXPECT_EQ(argument.draft_model, "llama-2-7b");
  EXPECT_EQ(argument.options.synthetic_acceptance_length, 2);
}

TEST(EngineArguments, RefuseWhatIsNoSpeculation) {
  for (const char* text :
       {"", "ngram", "ngram:", "ngram:x", "ngram:0", "ngram:65", "ngram:3,length=2", "ngramm:3",
        "synthetic:3,min=2", "synthetic:3,rates=a", "model:3", "ngram:3,", "ngram:3,min"}) {
    EXPECT_THROW(parse_speculation(text), Error) << text;
  }
}

}  // namespace
}  // namespace tilewright
