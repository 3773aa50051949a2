#include "kernels/attention/attention.h"
#include "kernels/attention/attention_library.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemm_library.h"
#include "kernels/kernel.h"
#include "kernels/vector/argmax.h"
#include "kernels/vector/elementwise.h"
#include "kernels/vector/gather.h"
#include "kernels/vector/norm.h"
#include "kernels/vector/rope.h"
#include "kernels/vector/silu_mul.h"

namespace tilewright {

const std::vector<const Kernel*>& all_kernels() {
  static const GemmKernel gemm;
  static const GroupedGemmKernel grouped_gemm;
  static const GemmPaddedKernel gemm_padded;
  static const GemmLibraryKernel gemm_library;
  static const AttentionKernel attention;
  static const AttentionLibraryKernel attention_library;
  static const RmsNormKernel rms_norm;
  static const AddRmsNormKernel add_rms_norm;
  static const SiluMulKernel silu_mul;
  static const RopeKernel rope;
  static const GatherKernel gather;
  static const ArgmaxKernel argmax;
  static const ElementwiseKernel elementwise;
  static const std::vector<const Kernel*> kernels = {
      &gemm,       &grouped_gemm, &gemm_padded, &gemm_library, &attention, &attention_library,
      &rms_norm,   &add_rms_norm, &silu_mul,    &rope,         &gather,    &argmax,
      &elementwise};
  return kernels;
}

}  // namespace tilewright
