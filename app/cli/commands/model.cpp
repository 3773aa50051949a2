// `tilewright model`: the models that are built in, and config.json files.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/actions.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/table.h"
#include "core/base/format.h"
#include "core/model/model_config.h"
#include "core/model/ops.h"

namespace tilewright {

namespace {

using Names = std::span<const std::string>;

constexpr int64_t kMaxTokens = int64_t{1} << 24;

QueryResult model_table() {
  QueryResult table;
  table.columns = {"name",    "layers", "hidden",     "heads",          "kv heads",
                   "experts", "vocab",  "parameters", "KV bytes/token", "architecture"};
  for (const std::string& name : model_names()) {
    const ModelConfig model = load_model(name);
    table.rows.push_back({name, model.layers, model.hidden, model.heads, model.kv_heads,
                          model.experts, model.vocab, model.parameters(),
                          model.kv_bytes_per_token(), model.architecture});
  }
  return table;
}

Json json_of(const ModelConfig& model) {
  return {{"name", model.name},
          {"architecture", model.architecture},
          {"dtype", name_of(model.dtype)},
          {"hidden", model.hidden},
          {"layers", model.layers},
          {"heads", model.heads},
          {"kv_heads", model.kv_heads},
          {"head_dim", model.head_dim},
          {"intermediate", model.intermediate},
          {"vocab", model.vocab},
          {"max_positions", model.max_positions},
          {"experts", model.experts},
          {"experts_per_token", model.experts_per_token},
          {"shared_experts", model.shared_experts},
          {"expert_intermediate", model.expert_intermediate},
          {"kv_lora_rank", model.kv_lora_rank},
          {"parameters", model.parameters()},
          {"active_parameters", model.active_parameters()},
          {"weight_bytes", model.weight_bytes()},
          {"kv_bytes_per_token", model.kv_bytes_per_token()}};
}

int list_models(Context& context, Names) {
  if (!context.globals().json) {
    context.print_table(model_table());
    return kExitOk;
  }
  Json json = output_object();
  Json& models = json["models"] = Json::array();
  for (const std::string& name : model_names()) models.push_back(json_of(load_model(name)));
  context.print_json(json);
  return kExitOk;
}

QueryResult op_table(const ModelConfig& model, int64_t tokens) {
  QueryResult table;
  table.columns = {"op", "times", "rows", "columns", "depth"};
  for (const ModelOp& op : decoder_ops(model, tokens, tokens)) {
    const bool is_sized = op.kind != OpKind::kAttention;
    table.rows.push_back({op.name, op.repeat, is_sized ? Cell(op.rows) : Cell(),
                          is_sized ? Cell(op.columns) : Cell(),
                          op.kind == OpKind::kGemm ? Cell(op.depth) : Cell()});
  }
  return table;
}

void print_text(Context& context, const ModelConfig& model, int64_t tokens) {
  context.print(fmt::format("{} ({}, {})\n", context.heading(model.name), model.architecture,
                            name_of(model.dtype)));
  context.print(
      fmt::format("{} layers, hidden {}, {} heads of {}, {} KV heads, FFN {}, vocabulary "
                  "{}, {} positions\n",
                  model.layers, model.hidden, model.heads, model.head_dim, model.kv_heads,
                  model.intermediate, model.vocab, model.max_positions));
  if (model.experts > 0) {
    context.print(fmt::format("{} experts of {}, {} a token, {} shared\n", model.experts,
                              model.expert_intermediate, model.experts_per_token,
                              model.shared_experts));
  }
  context.print(fmt::format("{} parameters ({} active), weights {}, KV {} a token\n\n",
                            format_count(model.parameters()),
                            format_count(model.active_parameters()),
                            format_bytes(static_cast<double>(model.weight_bytes())),
                            format_bytes(static_cast<double>(model.kv_bytes_per_token()))));
  context.print(context.heading(fmt::format("ops of a step on {} tokens", tokens)) + "\n");
}

int show_model(Context& context, Names names) {
  const ModelConfig model = load_model(names[0]);
  const int64_t tokens = context.arguments().integer("tokens", 1, kMaxTokens);
  const QueryResult ops = op_table(model, tokens);
  if (context.globals().json) {
    Json json = output_object();
    json.update(json_of(model));
    json["tokens"] = tokens;
    json["ops"] = to_json(ops)["rows"];
    context.print_json(json);
    return kExitOk;
  }
  if (!context.globals().csv) print_text(context, model, tokens);
  context.print_table(ops);
  return kExitOk;
}

}  // namespace

int run_model(Context& context) {
  const Action actions[] = {{"list", 0, 0, list_models}, {"show", 1, 1, show_model}};
  return run_action(context, "model", actions);
}

}  // namespace tilewright
