#include "tuner/xyserve/attention_cases.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/workload/generator.h"
#include "tuner/xyserve/linears.h"

namespace tilewright {

namespace {

constexpr int64_t kBudget = 4096;
constexpr int64_t kMostRunning = 256;
constexpr int64_t kDrafts = 3;
constexpr int64_t kRequests = 2000;

using Sequences = std::vector<AttentionSequence>;

void add_prefix(std::vector<AttentionCase>& cases, bool quick) {
  for (const char* model : {"llama-2-7b", "qwen2-7b"}) {
    for (const int64_t length : {4096, 8192}) {
      for (int64_t prefix = 0; prefix <= 4096 && prefix < length; prefix += 1024) {
        if (quick && (length > 4096 || prefix != 2048)) continue;
        cases.push_back({"prefix", model, fmt::format("{} tokens, {} reused", length, prefix),
                         rank_attention(model, 1), Sequences{{length - prefix, prefix}}});
      }
    }
  }
}

void add_chunked(std::vector<AttentionCase>& cases, bool quick) {
  for (const int64_t chunk : {4096, 8192}) {
    for (const int64_t end : {16384, 32768, 65536}) {
      if (quick && (chunk > 4096 || end > 16384)) continue;
      cases.push_back({"chunked", "qwen2-7b", fmt::format("chunk of {} up to {}", chunk, end),
                       rank_attention("qwen2-7b", 1), Sequences{{chunk, end - chunk}}});
    }
  }
}

void add_verify(std::vector<AttentionCase>& cases, bool quick) {
  struct Batch {
    size_t sequences;
    int64_t drafts;
  };
  for (const Batch& batch : {Batch{4, 31}, Batch{8, 15}}) {
    for (const int64_t context : {512, 1024, 2048, 4096}) {
      if (quick && context != 1024) continue;
      cases.push_back(
          {"verify", "llama-2-7b",
           fmt::format("{} x {} drafts, context {}", batch.sequences, batch.drafts, context),
           rank_attention("llama-2-7b", 1),
           Sequences(batch.sequences, {batch.drafts + 1, context, AttentionMask::kTree})});
    }
  }
}

void add_decode(std::vector<AttentionCase>& cases, bool quick) {
  for (const size_t batch : {8u, 16u, 32u, 64u, 128u}) {
    for (const int64_t context : {128, 512, 1024, 2048, 4096}) {
      if (quick && (batch != 8 || context != 512)) continue;
      cases.push_back({"decode", "llama-2-7b", fmt::format("{} x context {}", batch, context),
                       rank_attention("llama-2-7b", 1), Sequences(batch, {1, context})});
    }
  }
}

void add_mixed(std::vector<AttentionCase>& cases, bool quick) {
  struct Trace {
    const char* result;
    const char* preset;
  };
  struct Model {
    const char* name;
    int64_t ranks;
  };
  for (const Trace& trace : {Trace{"mixed_conversation", "chat"}, Trace{"mixed_coding", "code"}}) {
    for (const Model& model :
         {Model{"llama-2-7b", 1}, {"llama-2-13b", 2}, {"qwen2.5-32b", 4}, {"qwen2.5-72b", 8}}) {
      for (const uint64_t seed : {1u, 2u, 3u}) {
        if (quick && (model.ranks != 8 || seed > 1)) continue;
        cases.push_back({trace.result, model.name,
                         fmt::format("{}, batch {}, {} ranks", trace.preset, seed, model.ranks),
                         rank_attention(model.name, model.ranks),
                         mixed_batch(trace.preset, kBudget, kMostRunning, kDrafts, seed)});
      }
    }
  }
}

}  // namespace

AttentionShape rank_attention(std::string_view model, int64_t ranks) {
  const ModelConfig rank = rank_of_model(load_model(std::string(model)), ranks);
  AttentionShape shape;
  shape.type = DType::kF16;
  shape.heads = rank.heads;
  shape.kv_heads = rank.kv_heads;
  shape.dim = rank.head_dim;
  shape.block_size = 128;
  return shape;
}

std::vector<AttentionSequence> mixed_batch(std::string_view preset, int64_t budget,
                                           int64_t most_running, int64_t drafts, uint64_t seed) {
  const auto found = std::ranges::find(generator_presets(), preset, &GeneratorPreset::name);
  TW_CHECK(found != generator_presets().end(), "mixed batches come from a preset");
  const Workload workload = generate_workload(*found, kRequests, seed);
  std::vector<int64_t> outputs_before = {0};
  for (const Request& request : workload.requests) {
    outputs_before.push_back(outputs_before.back() + request.output_tokens);
  }
  const double share = found->output.mean / (found->output.mean + found->prompt.mean);
  const int64_t running =
      std::min(most_running, static_cast<int64_t>(share * static_cast<double>(budget)));
  Random random(seed);
  Sequences batch;
  int64_t left = budget;
  for (int64_t i = 0; i < running; ++i) {
    // A place in all outputs, one behind the other, is a request and how far it has come.
    const auto place =
        static_cast<int64_t>(random.below(static_cast<uint64_t>(outputs_before.back())));
    const auto after = std::ranges::upper_bound(outputs_before, place);
    const auto request = static_cast<size_t>(after - outputs_before.begin()) - 1;
    const int64_t context =
        workload.requests[request].prompt_tokens + place - outputs_before[request];
    const int64_t tokens = i % 2 == 0 ? 1 : drafts + 1;
    batch.push_back({tokens, context, tokens > 1 ? AttentionMask::kTree : AttentionMask::kCausal});
    left -= tokens;
  }
  for (size_t i = 0; left > 0; ++i) {
    const int64_t prompt = workload.requests[i % workload.requests.size()].prompt_tokens;
    batch.push_back({std::min(prompt, left), 0});
    left -= std::min(prompt, left);
  }
  return batch;
}

std::vector<AttentionCase> attention_cases(bool quick) {
  std::vector<AttentionCase> cases;
  add_verify(cases, quick);
  add_prefix(cases, quick);
  add_chunked(cases, quick);
  add_decode(cases, quick);
  add_mixed(cases, quick);
  return cases;
}

}  // namespace tilewright
