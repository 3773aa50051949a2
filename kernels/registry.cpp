#include "kernels/attention/attention.h"
#include "kernels/gemm/gemm.h"
#include "kernels/kernel.h"

namespace tilewright {

const std::vector<const Kernel*>& all_kernels() {
  static const GemmKernel gemm;
  static const GemmPaddedKernel gemm_padded;
  static const AttentionKernel attention;
  static const std::vector<const Kernel*> kernels = {&gemm, &gemm_padded, &attention};
  return kernels;
}

}  // namespace tilewright
