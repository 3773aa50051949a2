#pragma once

#include <cstdint>
#include <string>

namespace tilewright {

/// Blocks of a transformer as an HLO module: two norms, six products, a softmax over parts of each
/// row, a gated activation and residuals, some 60 ops a block. Every block has a constant of its
/// own, so that no two of them are alike to planners.
class LayeredModule {
 public:
  explicit LayeredModule(int64_t layers) {
    add("x = " + full_ + " parameter(0)");
    add("zero = f32[] constant(0)");
    add("low = f32[] constant(-1e30)");
    std::string x = "x";
    for (layer_ = 0; layer_ < layers; ++layer_) x = block(x);
    text_.insert(text_.rfind('\n', text_.size() - 2) + 1, "ROOT ");
  }
  /// The module's text.
  std::string text() const {
    return "HloModule layers\n"
           "sum { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }\n"
           "ENTRY e {\n" +
           text_ + "}\n";
  }

 private:
  void add(const std::string& op) { text_ += op + "\n"; }
  std::string own(const std::string& name) const {
    return "l" + std::to_string(layer_) + "." + name;
  }
  /// An op of this block; gives its name.
  std::string make(const std::string& name, const std::string& type, const std::string& op) {
    add(own(name) + " = " + type + " " + op);
    return own(name);
  }
  std::string parameter(const std::string& name, const std::string& type) {
    return make(name, type, "parameter(" + std::to_string(++parameters_) + ")");
  }
  std::string product(const std::string& name, const std::string& x) {
    const std::string weight = parameter(name + ".w", "f32[512,512]{1,0}");
    return make(
        name, full_,
        "dot(" + x + ", " + weight + "), lhs_contracting_dims={1}, rhs_contracting_dims={0}");
  }
  std::string norm(const std::string& name, const std::string& x) {
    const std::string sq = make(name + ".sq", full_, "multiply(" + x + ", " + x + ")");
    const std::string sum =
        make(name + ".sum", row_, "reduce(" + sq + ", zero), dimensions={1}, to_apply=sum");
    const std::string eps =
        make(name + ".eps", "f32[]", "constant(" + std::to_string(layer_ + 1) + "e-6)");
    const std::string all = make(name + ".all", row_, "broadcast(" + eps + "), dimensions={}");
    const std::string more = make(name + ".more", row_, "add(" + sum + ", " + all + ")");
    const std::string root = make(name + ".root", row_, "rsqrt(" + more + ")");
    const std::string wide = make(name + ".wide", full_, "broadcast(" + root + "), dimensions={0}");
    const std::string y = make(name + ".y", full_, "multiply(" + x + ", " + wide + ")");
    const std::string gain = parameter(name + ".g", "f32[512]{0}");
    const std::string gains = make(name + ".gs", full_, "broadcast(" + gain + "), dimensions={1}");
    return make(name + ".out", full_, "multiply(" + y + ", " + gains + ")");
  }
  std::string block(const std::string& x) {
    const std::string h = norm("a", x);
    const std::string q = make("qh", heads_, "reshape(" + product("q", h) + ")");
    const std::string k = make("kh", heads_, "reshape(" + product("k", h) + ")");
    const std::string qk = make("qk", heads_, "multiply(" + q + ", " + k + ")");
    const std::string sum = make("den", "f32[256,8]{1,0}",
                                 "reduce(" + make("ex", heads_, "exponential(" + qk + ")") +
                                     ", zero), dimensions={2}, to_apply=sum");
    const std::string wide = make("dens", heads_, "broadcast(" + sum + "), dimensions={0,1}");
    const std::string soft = make("sm", heads_, "divide(" + own("ex") + ", " + wide + ")");
    const std::string o = product("o", make("flat", full_, "reshape(" + soft + ")"));
    const std::string res = make("res", full_, "add(" + x + ", " + o + ")");
    const std::string h2 = norm("b", res);
    const std::string gate = product("g", h2);
    const std::string up = product("u", h2);
    const std::string act = make("act", full_, "logistic(" + gate + ")");
    const std::string silu = make("silu", full_, "multiply(" + gate + ", " + act + ")");
    const std::string down = product("d", make("m", full_, "multiply(" + silu + ", " + up + ")"));
    return make("out", full_, "add(" + res + ", " + down + ")");
  }

  const std::string full_ = "f32[256,512]{1,0}";
  const std::string row_ = "f32[256]{0}";
  const std::string heads_ = "f32[256,8,64]{2,1,0}";
  std::string text_;
  int64_t layer_ = 0;
  int64_t parameters_ = 0;
};

}  // namespace tilewright
