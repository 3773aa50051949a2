#include "kernels/gemm/gemm.h"
#include "kernels/kernel.h"
#include "kernels/vector/norm.h"

namespace tilewright {

const std::vector<const Kernel*>& all_kernels() {
  static const GemmKernel gemm;
  static const GemmPaddedKernel gemm_padded;
  static const RmsNormKernel rms_norm;
  static const AddRmsNormKernel add_rms_norm;
  static const std::vector<const Kernel*> kernels = {&gemm, &gemm_padded, &rms_norm, &add_rms_norm};
  return kernels;
}

}  // namespace tilewright
