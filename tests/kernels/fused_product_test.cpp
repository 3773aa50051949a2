#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/graph/hlo_reader.h"
#include "core/machine/machine.h"
#include "kernels/fused/fused_check.h"
#include "kernels/fused/fused_kernel.h"
#include "kernels/gemm/gemm.h"
#include "simulator/hazards.h"
#include "simulator/timing.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

/// A module whose ops are all fused into one kernel.
class Fused {
 public:
  explicit Fused(const std::string& text)
      : machine_(load_machine("ascend-910b2")),
        graph_(parse_hlo(text, "m.hlo")),
        region_(graph_, graph_.entry) {
    FusedOps ops;
    for (int32_t op = 0; op < region_.size(); ++op) {
      if (why_not_fusible(region_, op).empty() || why_no_product(region_, op).empty()) {
        ops.ops.push_back(op);
      }
    }
    for (const int32_t op : ops.ops) {
      if (region_.is_result(op)) ops.outputs.push_back(op);
    }
    kernel_ = plan_fused_kernel(region_, ops, machine_);
  }

  /// The kernel, once it computes what the interpreter does and has no hazards.
  const FusedKernel& checked() const {
    const CheckResult result = check_fused_kernel(region_, kernel_, machine_, 1, 1e-4);
    EXPECT_TRUE(result.ok) << result.first_failure;
    const FusedLaunch built = build_fused_launch(region_, kernel_, machine_);
    validate(built.launch, machine_);
    const std::vector<Hazard> hazards = find_hazards(built.launch, machine_);
    EXPECT_TRUE(hazards.empty()) << hazards.front().message;
    return kernel_;
  }

  double us() const {
    const FusedLaunch built = build_fused_launch(region_, kernel_, machine_);
    return machine_.us_of_ticks(time_launch(built.launch, machine_, Fidelity::kDetailed).ticks);
  }
  const Machine& machine() const { return machine_; }

 private:
  Machine machine_;
  OpGraph graph_;
  Region region_;
  FusedKernel kernel_;
};

TEST(FusedProduct, StandsAlone) {
  const Fused fused(
      module_of("a = f32[70,130]{1,0} parameter(0)\n b = f32[130,90]{1,0} parameter(1)\n"
                "ROOT c = f32[70,90]{1,0} dot(a, b), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={0}"));
  const FusedKernel& kernel = fused.checked();
  EXPECT_EQ(kernel.levels, 1);
  EXPECT_EQ(kernel.read_bytes, (70 * 130 + 130 * 90) * 4);
  EXPECT_EQ(kernel.write_bytes, 70 * 90 * 4);
}

TEST(FusedProduct, HandsItsResultToVectorCores) {
  const Fused fused(
      module_of("a = bf16[2,300,512]{2,1,0} parameter(0)\n b = bf16[512,700]{1,0} parameter(1)\n"
                "r = bf16[2,300,700]{2,1,0} parameter(2)\n"
                "c = bf16[2,300,700]{2,1,0} dot(a, b), lhs_contracting_dims={2}, "
                "rhs_contracting_dims={0}\n"
                "t = bf16[2,300,700]{2,1,0} tanh(c)\n"
                "ROOT y = bf16[2,300,700]{2,1,0} add(t, r)"));
  const FusedKernel& kernel = fused.checked();
  EXPECT_EQ(kernel.levels, 2);
  EXPECT_EQ(kernel.workspace.size(), 1u);
}

TEST(FusedProduct, ReadsWhatVectorCoresMake) {
  const Fused fused(
      module_of("x = f32[100,64]{1,0} parameter(0)\n b = f32[64,90]{1,0} parameter(1)\n"
                "a = f32[100,64]{1,0} exponential(x)\n"
                "ROOT c = f32[100,90]{1,0} dot(a, b), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={0}"));
  EXPECT_EQ(fused.checked().levels, 2);
}

TEST(FusedProduct, JoinsANormBetweenTwoProducts) {
  const Fused fused(module_with_functions(
      "x = f32[200,96]{1,0} parameter(0)\n b = f32[96,160]{1,0} parameter(1)\n"
      "d = f32[160,80]{1,0} parameter(2)\n zero = f32[] constant(0)\n"
      "c = f32[200,160]{1,0} dot(x, b), lhs_contracting_dims={1}, rhs_contracting_dims={0}\n"
      "q = f32[200,160]{1,0} multiply(c, c)\n"
      "s = f32[200]{0} reduce(q, zero), dimensions={1}, to_apply=sum\n"
      "i = f32[200]{0} rsqrt(s)\n"
      "w = f32[200,160]{1,0} broadcast(i), dimensions={0}\n"
      "n = f32[200,160]{1,0} multiply(c, w)\n"
      "ROOT y = f32[200,80]{1,0} dot(n, d), lhs_contracting_dims={1}, rhs_contracting_dims={0}"));
  EXPECT_EQ(fused.checked().levels, 3);
}

TEST(FusedProduct, MultipliesAProduct) {
  const Fused fused(
      module_of("x = f32[50,96]{1,0} parameter(0)\n b = f32[96,160]{1,0} parameter(1)\n"
                "d = f32[160,80]{1,0} parameter(2)\n"
                "c = f32[50,160]{1,0} dot(x, b), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={0}\n"
                "y = f32[50,80]{1,0} dot(c, d), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={0}\n"
                "ROOT z = (f32[50,80]{1,0}, f32[50,160]{1,0}) tuple(y, c)"));
  fused.checked();
}

TEST(FusedProduct, StandsBesideAnotherOneOfTheSameArray) {
  const Fused fused(
      module_of("x = f32[700,96]{1,0} parameter(0)\n b = f32[96,160]{1,0} parameter(1)\n"
                "d = f32[96,320]{1,0} parameter(2)\n"
                "e = f32[700,96]{1,0} exponential(x)\n"
                "c = f32[700,160]{1,0} dot(e, b), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={0}\n"
                "y = f32[700,320]{1,0} dot(e, d), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={0}\n"
                "t = f32[700,160]{1,0} tanh(c)\n"
                "u = f32[700,320]{1,0} tanh(y)\n"
                "ROOT z = (f32[700,160]{1,0}, f32[700,320]{1,0}) tuple(t, u)"));
  EXPECT_EQ(fused.checked().levels, 3);
}

TEST(FusedProduct, BeginsWithTheFirstRowsWhileTheProductGoesOn) {
  const std::string dot =
      "a = f16[4096,512]{1,0} parameter(0)\n b = f16[512,2048]{1,0} parameter(1)\n"
      "c = f16[4096,2048]{1,0} dot(a, b), lhs_contracting_dims={1}, rhs_contracting_dims={0}\n";
  const Fused fused(module_of(dot + "ROOT y = f16[4096,2048]{1,0} tanh(c)"));
  const Fused tanh(
      module_of("c = f16[4096,2048]{1,0} parameter(0)\n"
                "ROOT y = f16[4096,2048]{1,0} tanh(c)"));
  fused.checked();
  const Fused alone(
      module_of("a = f16[4096,512]{1,0} parameter(0)\n"
                "b = f16[512,2048]{1,0} parameter(1)\n"
                "ROOT c = f16[4096,2048]{1,0} dot(a, b), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={0}"));
  const double launch = fused.machine().launch.launch_us;
  // Less than one behind the other, even without the second launch.
  EXPECT_LT(fused.us(), alone.us() + tanh.us() - launch);
}

TEST(FusedProduct, RefusesWhatIsNoPlainProduct) {
  const auto why = [](const std::string& body) {
    const OpGraph graph = parse_hlo(module_of(body), "m.hlo");
    const Region region(graph, graph.entry);
    return why_no_product(region, graph.entry_computation().root);
  };
  EXPECT_NE(why("a = f32[4,8,16]{2,1,0} parameter(0)\n b = f32[4,16,8]{2,1,0} parameter(1)\n"
                "ROOT c = f32[4,8,8]{2,1,0} dot(a, b), lhs_batch_dims={0}, "
                "lhs_contracting_dims={2}, rhs_batch_dims={0}, rhs_contracting_dims={1}")
                .find("batches"),
            std::string::npos);
  EXPECT_NE(why("a = f32[8,16]{1,0} parameter(0)\n b = f32[8,16]{1,0} parameter(1)\n"
                "ROOT c = f32[8,8]{1,0} dot(a, b), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={1}")
                .find("transposed"),
            std::string::npos);
  EXPECT_NE(why("a = s32[8,16]{1,0} parameter(0)\n b = s32[16,8]{1,0} parameter(1)\n"
                "ROOT c = s32[8,8]{1,0} dot(a, b), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={0}")
                .find("s32"),
            std::string::npos);
  EXPECT_NE(why("a = f32[8,16]{1,0} parameter(0)\n b = f32[16]{0} parameter(1)\n"
                "ROOT c = f32[8]{0} dot(a, b), lhs_contracting_dims={1}, "
                "rhs_contracting_dims={0}")
                .find("vector"),
            std::string::npos);
}

TEST(FusedProduct, RefusesMoreThanTwo) {
  const std::string dims = ", lhs_contracting_dims={1}, rhs_contracting_dims={0}\n";
  EXPECT_THROW(Fused(module_of("x = f32[64,64]{1,0} parameter(0)\n"
                               "y = f32[64,64]{1,0} parameter(1)\n"
                               "a = f32[64,64]{1,0} dot(x, y)" +
                               dims + "b = f32[64,64]{1,0} dot(y, x)" + dims +
                               "ROOT c = f32[64,64]{1,0} dot(a, b)" + dims)),
               Error);
}

TEST(FusedProduct, RefusesToReadWhatIsOnlyShown) {
  EXPECT_THROW(Fused(module_of("x = f32[100]{0} parameter(0)\n b = f32[64,90]{1,0} parameter(1)\n"
                               "a = f32[100,64]{1,0} broadcast(x), dimensions={0}\n"
                               "ROOT c = f32[100,90]{1,0} dot(a, b), lhs_contracting_dims={1}, "
                               "rhs_contracting_dims={0}")),
               Error);
}

}  // namespace
}  // namespace tilewright
