#include "core/serving/policy.h"

#include <fmt/format.h>

#include <array>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array kPolicies = {
    Policy{.name = "longest-prefix-first",
           .summary = "the waiting request with the most cached tokens goes first (SGLang)",
           .waiting = WaitingOrder::kLongestPrefix},
    Policy{.name = "no-evict",
           .summary = "admits what can run to its longest output (TensorRT-LLM, guaranteed)",
           .gate = AdmissionGate::kMaxLength},
    Policy{.name = "prefill-first",
           .summary = "steps of whole new prompts, else of decodes (vLLM v0)",
           .mixes = false,
           .cuts_prompts = false,
           .gate = AdmissionGate::kWholeSequence,
           .min_watermark = 0.01},
    Policy{.name = "sarathi",
           .summary = "decodes, then running prompts, then new ones (Sarathi-Serve)",
           .running = RunningOrder::kDecodesFirst,
           .gate = AdmissionGate::kWholeSequence,
           .min_watermark = 0.01},
    Policy{.name = "split",
           .summary = "never prompts and decodes in one step, prompts first (Ascend scheduler)",
           .mixes = false},
    Policy{.name = "vllm", .summary = "one token budget, running requests first (vLLM v1)"},
    // The paper does not say how many slots it reserves. Here every decode and verification that
    // waits has one, as its "prefill alone only when nothing waits in D or V" demands; all other
    // slots go to prompts, the running ones first.
    Policy{.name = "xyserve",
           .summary = "prompts fill what reserved decode and verify slots leave (XY-Serve)",
           .running = RunningOrder::kDecodesReserved},
};

}  // namespace

std::vector<std::string> policy_names() {
  std::vector<std::string> names;
  for (const Policy& policy : kPolicies) names.emplace_back(policy.name);
  return names;
}

const Policy& find_policy(const std::string& name) {
  for (const Policy& policy : kPolicies) {
    if (policy.name == name) return policy;
  }
  const std::vector<std::string> names = policy_names();
  throw Error(ErrorKind::kNotFound,
              fmt::format("unknown scheduling policy '{}'{}; there are {}", printable(name),
                          did_you_mean(name, names), join(names, ", ")));
}

}  // namespace tilewright
