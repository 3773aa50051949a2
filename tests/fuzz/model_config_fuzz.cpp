// Any text read as a model's config.json gives a model or an Error. What is derived from a model
// that was accepted (parameters, memory, the op list) neither overflows nor divides by zero.

#include "core/model/model_config.h"
#include "core/model/ops.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ModelConfig model;
  if (!accepted([&] { model = parse_model_config(text_of(data, size), "config.json"); })) return 0;
  TW_CHECK(model.parameters() > 0, "a model has parameters");
  TW_CHECK(model.active_parameters() <= model.parameters(), "active parameters are a part of all");
  TW_CHECK(model.kv_bytes_per_token() > 0, "a token has KV");
  TW_CHECK(model.weight_bytes() > 0, "weights have a size");
  for (const int64_t tokens : {1, 17, 8192}) {
    for (const ModelOp& op : decoder_ops(model, tokens, 1)) {
      TW_CHECK(op.rows >= 0 && op.columns >= 0 && op.depth >= 0 && op.repeat > 0,
               "op sizes are in range");
    }
  }
  return 0;
}
