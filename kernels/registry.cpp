#include "kernels/attention/attention.h"
#include "kernels/collective/all_gather.h"
#include "kernels/collective/all_reduce.h"
#include "kernels/collective/all_to_all.h"
#include "kernels/collective/reduce_scatter.h"
#include "kernels/collective/send_recv.h"
#include "kernels/gemm/gemm.h"
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
  static const AttentionKernel attention;
  static const RmsNormKernel rms_norm;
  static const AddRmsNormKernel add_rms_norm;
  static const SiluMulKernel silu_mul;
  static const RopeKernel rope;
  static const GatherKernel gather;
  static const ArgmaxKernel argmax;
  static const ElementwiseKernel elementwise;
  static const AllReduceKernel all_reduce;
  static const AllGatherKernel all_gather;
  static const ReduceScatterKernel reduce_scatter;
  static const AllToAllKernel all_to_all;
  static const SendRecvKernel send_recv;
  static const std::vector<const Kernel*> kernels = {
      &gemm,       &grouped_gemm,   &gemm_padded, &attention, &rms_norm,    &add_rms_norm,
      &silu_mul,   &rope,           &gather,      &argmax,    &elementwise, &all_reduce,
      &all_gather, &reduce_scatter, &all_to_all,  &send_recv};
  return kernels;
}

}  // namespace tilewright
