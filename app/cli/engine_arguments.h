#pragma once

#include <string>
#include <vector>

#include "app/cli/options.h"
#include "core/serving/options.h"

namespace tilewright {

/// Options of the serving engine that runs over times and runs over real numbers share: policy,
/// scheduling-policy, no-chunked-prefill, long-prefill-token-threshold, watermark, prefix-cache,
/// speculate, async.
std::vector<Option> engine_options();

/// Where drafts come from: the options of the engine, and the draft model's name where it is one.
struct SpeculationArgument {
  SpeculativeOptions options;
  std::string draft_model;  ///< a model, or a checkpoint folder
};

/// METHOD:K with options behind it, K drafts (1 to 64) in a step:
///   ngram:3[,min=1,max=5]               suffixes of min to max tokens are looked up
///   synthetic:4,length=2.3              mean tokens of a verification, 1 to K + 1
///   synthetic:4,rates=0.5/0.3/0.2/0.1   shares that accept the first, second, ... draft
///   model:3,name=MODEL                  a smaller model; in timing runs with length or rates
/// Error (usage) for anything else.
SpeculationArgument parse_speculation(const std::string& text);

/// engine_options() as given. Error (usage) as parse_speculation(), find_policy() and Arguments.
void read_engine_arguments(const Arguments& arguments, ServingOptions& options,
                           std::string& draft_model);

}  // namespace tilewright
