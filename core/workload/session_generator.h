#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/workload/generator.h"
#include "core/workload/workload.h"

namespace tilewright {

/// Conversations: each prompt is the one before with its answer and one more message behind it, so
/// that a prefix cache can spare nearly all of it.
struct SessionPreset {
  std::string_view name;
  std::string_view source;
  int64_t system_tokens = 0;  ///< a beginning that all prompts share
  double turns = 1;           ///< mean requests of a session, geometrically distributed
  int64_t most_turns = 1;
  int64_t max_prompt_tokens = 0;  ///< a session ends before a prompt that would be longer
  LengthStatistics message;       ///< tokens that a turn adds to the conversation
  LengthStatistics answer;        ///< output tokens
  double think_s = 0;             ///< mean pause before a message, exponentially distributed
  double sessions_per_second = 0;
};

/// `chat-sessions`.
std::span<const SessionPreset> session_presets();

/// Tokens for each prefix hash of generated sessions.
inline constexpr int64_t kSessionBlockTokens = 64;

/// `count` (1 to a million) requests in sessions, which begin as a Poisson process; the last one is
/// cut. Requests of a session stand one behind the other and follow each other (Request::after).
/// Whole blocks of a prompt have hashes: those of the common beginning are the same for all,
/// others for their session. The same arguments give the same requests on every platform.
Workload generate_sessions(const SessionPreset& preset, int64_t count, uint64_t seed);

}  // namespace tilewright
