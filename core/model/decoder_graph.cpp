#include "core/model/decoder_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <utility>

#include "core/base/error.h"
#include "core/graph/hlo_reader.h"

namespace tilewright {

namespace {

/// Writes the layer as HLO text, op by op.
class LayerText {
 public:
  LayerText(const ModelConfig& model, int64_t tokens, const RankLayout& layout)
      : model_(model), tokens_(tokens), layout_(layout), type_(type_name(model.dtype)) {
    text_ = fmt::format(
        "HloModule {}\n"
        "add_f32 {{ a = f32[] parameter(0) b = f32[] parameter(1) ROOT c = f32[] add(a, b) }}\n"
        "max_f32 {{ a = f32[] parameter(0) b = f32[] parameter(1) ROOT c = f32[] maximum(a, b) }}\n"
        "ENTRY layer {{\n",
        "decoder_layer");
    x_ = parameter("x", type_, {tokens, model.hidden});
    residual_ = parameter("residual", type_, {tokens, model.hidden});
    norm_ = x_;
    rows_ = tokens;
    columns_ = model.hidden;
    number("zero", 0);
    if (layout.quantized) number("least", 0);
  }

  void add(const ModelOp& op) {
    switch (op.kind) {
      case OpKind::kRmsNorm:
        // Norms of heads, and of a part of the columns, rearrange what opaque ops give and take.
        return op.rows == rows_ && op.columns == columns_ ? norm(op, x_)
                                                          : call(op, {op.rows, op.columns});
      case OpKind::kAddRmsNorm:
        return add_norm(op);
      case OpKind::kSiluMul:
        return silu_mul(op);
      case OpKind::kQuantize:
        return quantize(op);
      case OpKind::kAdd:
        return add_two(op);
      case OpKind::kGemm:
        return op.quantized ? call(op, {op.rows, op.columns}) : gemm(op);
      case OpKind::kGroupedGemm:
        return call(op, {op.rows, op.columns});
      case OpKind::kRope:
        // Rotates queries and keys of what the projection gave, and writes keys and values.
        return call(op, {tokens_, columns_});
      case OpKind::kAttention:
        return call(op, {tokens_, attention_width()});
      case OpKind::kRouter:
        return call(op, {op.rows, op.groups});
      case OpKind::kUnpermute:
      case OpKind::kGather:
      case OpKind::kSample:
      case OpKind::kAllReduce:
      case OpKind::kAllGather:
      case OpKind::kSend:
        return call(op, {op.rows, op.columns});
    }
  }

  std::string finish() {
    line(fmt::format("ROOT results = ({0}[{1},{2}]{{1,0}}, {0}[{1},{2}]{{1,0}}) tuple({3}, {4})",
                     type_, tokens_, model_.hidden, x_, residual_));
    return text_ + "}\n";
  }

 private:
  static std::string type_name(DType type) { return std::string(name_of(type)); }

  static std::string shape(const std::string& type, const std::vector<int64_t>& dims) {
    std::string text = type + "[";
    for (size_t i = 0; i < dims.size(); ++i) {
      text += (i == 0 ? "" : ",") + std::to_string(dims[i]);
    }
    return text + "]";
  }

  void line(const std::string& text) { text_ += "  " + text + "\n"; }

  /// An op's line; returns its name.
  std::string op(const std::string& name, const std::string& type, const std::vector<int64_t>& dims,
                 const std::string& rest) {
    line(fmt::format("{} = {} {}", name, shape(type, dims), rest));
    return name;
  }
  std::string parameter(const std::string& name, const std::string& type,
                        const std::vector<int64_t>& dims) {
    return op(name, type, dims, fmt::format("parameter({})", parameters_++));
  }
  void number(const std::string& name, double value) {
    op(name, "f32", {}, fmt::format("constant({})", value));
  }
  /// An f32 number everywhere.
  std::string everywhere(const std::string& name, double value, const std::vector<int64_t>& dims) {
    number(name + "_value", value);
    return op(name, "f32", dims, fmt::format("broadcast({}_value), dimensions={{}}", name));
  }

  int64_t attention_width() const {
    const int64_t heads = query_heads(model_, layout_.parallel.tp, 0).count;
    return heads * (model_.is_mla() ? model_.kv_lora_rank : model_.head_dim);
  }

  void set(std::string value, int64_t rows, int64_t columns) {
    x_ = std::move(value);
    rows_ = rows;
    columns_ = columns;
  }

  void call(const ModelOp& made, const std::vector<int64_t>& dims) {
    std::string reads = reads_norm(made) ? norm_ : x_;
    if (made.quantized) reads = quantized_.first + ", " + quantized_.second;
    if (made.name == "router_top_k") choice_ = made.name;
    if (made.name == "expert_permute" || made.name == "expert_unpermute") reads += ", " + choice_;
    op(made.name, type_, dims,
       fmt::format("custom-call({}), custom_call_target=\"{}\"", reads, made.name));
    set(made.name, dims[0], dims[1]);
    if (made.name == "expert_unpermute") routed_ = x_;
  }

  /// What a side branch reads: the layer's normalised input rather than the op before.
  bool reads_norm(const ModelOp& made) const {
    return made.name == "kv_a_proj" || made.name == "router" || made.name == "expert_permute" ||
           made.name == "shared_gate_up" || made.name == "shared_gate_up_quantize";
  }

  void gemm(const ModelOp& made) {
    const std::string& a = reads_norm(made) ? norm_ : x_;
    // What the layout of the layer does not give in this form comes rearranged.
    const bool fits = (reads_norm(made) ? model_.hidden : columns_) == made.depth &&
                      (reads_norm(made) ? tokens_ : rows_) == made.rows;
    if (!fits) return call(made, {made.rows, made.columns});
    const std::string w = parameter(made.name + ".weight", type_, {made.depth, made.columns});
    op(made.name, type_, {made.rows, made.columns},
       fmt::format("dot({}, {}), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}", a, w));
    set(made.name, made.rows, made.columns);
  }

  void add_norm(const ModelOp& made) {
    const std::string sum = op(made.name + ".add", type_, {made.rows, made.columns},
                               fmt::format("add({}, {})", residual_, x_));
    residual_ = sum;
    norm(made, sum);
  }

  /// w * (x / sqrt(mean(x^2) + eps)), in f32 but for the last product (Zhang and Sennrich 2019, as
  /// Hugging Face's LlamaRMSNorm does it).
  void norm(const ModelOp& made, const std::string& from) {
    const std::vector<int64_t> all = {made.rows, made.columns};
    const std::vector<int64_t> rows = {made.rows};
    const auto part = [&](const char* name) { return made.name + "." + name; };
    const std::string weight = parameter(part("weight"), type_, {made.columns});
    const std::string wide = op(part("wide"), "f32", all, fmt::format("convert({})", from));
    const std::string square =
        op(part("square"), "f32", all, fmt::format("multiply({0}, {0})", wide));
    const std::string sum =
        op(part("sum"), "f32", rows,
           fmt::format("reduce({}, zero), dimensions={{1}}, to_apply=add_f32", square));
    const std::string share =
        everywhere(part("share"), 1.0 / static_cast<double>(made.columns), rows);
    const std::string mean =
        op(part("mean"), "f32", rows, fmt::format("multiply({}, {})", sum, share));
    const std::string eps = everywhere(part("eps"), model_.norm_eps, rows);
    const std::string shifted =
        op(part("shifted"), "f32", rows, fmt::format("add({}, {})", mean, eps));
    const std::string inverse = op(part("inverse"), "f32", rows, fmt::format("rsqrt({})", shifted));
    const std::string spread =
        op(part("spread"), "f32", all, fmt::format("broadcast({}), dimensions={{0}}", inverse));
    const std::string scaled =
        op(part("scaled"), "f32", all, fmt::format("multiply({}, {})", wide, spread));
    const std::string narrow = op(part("narrow"), type_, all, fmt::format("convert({})", scaled));
    const std::string weights =
        op(part("weights"), type_, all, fmt::format("broadcast({}), dimensions={{1}}", weight));
    norm_ = op(part("out"), type_, all, fmt::format("multiply({}, {})", narrow, weights));
    set(norm_, made.rows, made.columns);
  }

  void silu_mul(const ModelOp& made) {
    const std::vector<int64_t> all = {made.rows, made.columns};
    const auto part = [&](const char* name) { return made.name + "." + name; };
    const auto side = [&](const char* name, int64_t begin) {
      return op(part(name), type_, all,
                fmt::format("slice({}), slice={{[0:{}], [{}:{}]}}", x_, made.rows, begin,
                            begin + made.columns));
    };
    const std::string gate = side("gate", 0);
    const std::string up = side("up", made.columns);
    const std::string wide = op(part("wide"), "f32", all, fmt::format("convert({})", gate));
    const std::string wide_up = op(part("wide_up"), "f32", all, fmt::format("convert({})", up));
    const std::string sigmoid = op(part("sigmoid"), "f32", all, fmt::format("logistic({})", wide));
    const std::string silu =
        op(part("silu"), "f32", all, fmt::format("multiply({}, {})", wide, sigmoid));
    const std::string product =
        op(part("product"), "f32", all, fmt::format("multiply({}, {})", silu, wide_up));
    set(op(part("out"), type_, all, fmt::format("convert({})", product)), made.rows, made.columns);
  }

  /// Symmetric, by token: scale = max |x| / 127 (SmoothQuant, section 2).
  void quantize(const ModelOp& made) {
    const std::vector<int64_t> all = {made.rows, made.columns};
    const std::vector<int64_t> rows = {made.rows};
    const auto part = [&](const char* name) { return made.name + "." + name; };
    const std::string& from = reads_norm(made) ? norm_ : x_;
    const bool fits = reads_norm(made) || (rows_ == made.rows && columns_ == made.columns);
    if (!fits) {
      call(made, all);
      quantized_ = {x_, x_};
      return;
    }
    const std::string wide = op(part("wide"), "f32", all, fmt::format("convert({})", from));
    const std::string size = op(part("size"), "f32", all, fmt::format("abs({})", wide));
    const std::string most =
        op(part("most"), "f32", rows,
           fmt::format("reduce({}, least), dimensions={{1}}, to_apply=max_f32", size));
    const std::string share = everywhere(part("share"), 1.0 / 127, rows);
    const std::string ratio_of =
        op(part("shared"), "f32", rows, fmt::format("multiply({}, {})", most, share));
    // A row of zeros has a scale, too.
    const std::string tiny = everywhere(part("tiny"), 1e-30, rows);
    const std::string scale =
        op(part("scale"), "f32", rows, fmt::format("maximum({}, {})", ratio_of, tiny));
    const std::string spread =
        op(part("spread"), "f32", all, fmt::format("broadcast({}), dimensions={{0}}", scale));
    const std::string ratio =
        op(part("ratio"), "f32", all, fmt::format("divide({}, {})", wide, spread));
    const std::string whole =
        op(part("whole"), "f32", all, fmt::format("round-nearest-even({})", ratio));
    const std::string out = op(part("out"), "s8", all, fmt::format("convert({})", whole));
    quantized_ = {out, scale};
    set(out, made.rows, made.columns);
  }

  void add_two(const ModelOp& made) {
    set(op(made.name, type_, {made.rows, made.columns}, fmt::format("add({}, {})", routed_, x_)),
        made.rows, made.columns);
  }

  const ModelConfig& model_;
  int64_t tokens_;
  const RankLayout& layout_;
  std::string type_;
  std::string text_;
  int parameters_ = 0;
  std::string x_;  ///< the last op's result
  std::string residual_;
  std::string norm_;                               ///< the last norm's result
  std::pair<std::string, std::string> quantized_;  ///< values and scales
  std::string choice_;                             ///< of experts
  std::string routed_;                             ///< their results, summed up
  int64_t rows_ = 0;
  int64_t columns_ = 0;
};

}  // namespace

DecoderGraph decoder_graph(const ModelConfig& model, int64_t tokens, const RankLayout& layout) {
  const std::vector<OpSection> sections = decoder_sections(model, tokens, 0, layout);
  const auto most = std::ranges::max_element(sections, {}, &OpSection::repeat);
  DecoderGraph result;
  LayerText text(model, tokens, layout);
  std::map<std::string, int> seen;
  for (ModelOp op : most->ops) {
    const int number = ++seen[op.name];
    if (number > 1) op.name += fmt::format("_{}", number);
    text.add(op);
    result.ops.push_back(std::move(op));
  }
  result.graph = parse_hlo(text.finish(), "decoder layer");
  std::string name = model.name.substr(model.name.find_last_of('/') + 1);
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; };
  std::ranges::replace_if(name, std::not_fn(is_plain), '_');
  result.graph.name = fmt::format("{}_layer_{}_tokens", name, tokens);
  return result;
}

std::string_view model_op_of(std::string_view tensor_op) {
  return tensor_op.substr(0, tensor_op.find('.'));
}

}  // namespace tilewright
