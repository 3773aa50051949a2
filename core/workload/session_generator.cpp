#include "core/workload/session_generator.h"

#include <fmt/format.h>

#include <cmath>

#include "core/base/error.h"
#include "core/base/random.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxGenerated = 1'000'000;
constexpr int64_t kBlocksOfSession = int64_t{1} << 24;  // more than the longest prompt has

constexpr SessionPreset kPresets[] = {
    {.name = "chat-sessions",
     .source = "chosen: system prompt 512, 4 turns, messages of 110 tokens, pauses of 15 s on "
               "average; answers as long as in Azure LLM inference trace 2023, conversation",
     .system_tokens = 512,
     .turns = 4,
     .most_turns = 20,
     .max_prompt_tokens = 8192,
     .message = {.min = 4, .p50 = 40, .p90 = 250, .p99 = 1200, .max = 2000, .mean = 110},
     .answer = {.min = 7, .p50 = 129, .p90 = 424, .p99 = 601, .max = 1000, .mean = 211},
     .think_s = 15,
     .sessions_per_second = 1},
};

/// Hashes of the whole blocks of a prompt.
std::vector<int64_t> hashes_of(const SessionPreset& preset, int64_t session,
                               int64_t prompt_tokens) {
  std::vector<int64_t> hashes;
  for (int64_t block = 0; (block + 1) * kSessionBlockTokens <= prompt_tokens; ++block) {
    const bool is_common = (block + 1) * kSessionBlockTokens <= preset.system_tokens;
    hashes.push_back(is_common ? block : (session + 1) * kBlocksOfSession + block);
  }
  return hashes;
}

/// What sessions are drawn from. Separate streams, so that lengths do not depend on how many
/// numbers a gap takes.
struct Draws {
  explicit Draws(uint64_t seed) : lengths(mix_bits(seed, 0)), gaps(mix_bits(seed, 1)) {}

  Random lengths;
  Random gaps;
};

}  // namespace

std::span<const SessionPreset> session_presets() {
  return kPresets;
}

Workload generate_sessions(const SessionPreset& preset, int64_t count, uint64_t seed) {
  if (count < 1 || count > kMaxGenerated) {
    throw Error(ErrorKind::kUsage,
                fmt::format("cannot generate {} requests in sessions; from 1 to {} are possible",
                            count, kMaxGenerated));
  }
  const LengthDistribution messages(preset.message);
  const LengthDistribution answers(preset.answer);
  Draws draws(seed);
  Workload workload;
  workload.name = preset.name;
  workload.source = fmt::format("generated: preset {}, seed {}", preset.name, seed);
  workload.prefix_block_tokens = kSessionBlockTokens;
  double begin_s = 0;
  for (int64_t session = 0; std::ssize(workload.requests) < count; ++session) {
    int64_t prompt = preset.system_tokens;
    for (int64_t turn = 0; std::ssize(workload.requests) < count; ++turn) {
      prompt += messages.at(draws.lengths.uniform());
      const bool ends = turn == preset.most_turns || prompt > preset.max_prompt_tokens ||
                        (turn > 0 && draws.lengths.uniform() * preset.turns < 1);
      if (turn > 0 && ends) break;
      Request request;
      request.arrival_ns = std::llround(begin_s * 1e9);
      request.prompt_tokens = prompt;
      request.output_tokens = answers.at(draws.lengths.uniform());
      request.prefix_hashes = hashes_of(preset, session, prompt);
      if (turn > 0) {
        request.after = std::ssize(workload.requests) - 1;
        request.think_ns = std::llround(draws.gaps.exponential() * preset.think_s * 1e9);
      }
      prompt += request.output_tokens;
      workload.requests.push_back(std::move(request));
    }
    begin_s += draws.gaps.exponential() / preset.sessions_per_second;
  }
  return workload;
}

}  // namespace tilewright
