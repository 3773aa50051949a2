#include "kernels/attention/attention.h"
#include "kernels/attention/attention_library.h"
#include "kernels/collective/all_gather.h"
#include "kernels/collective/all_reduce.h"
#include "kernels/collective/all_to_all.h"
#include "kernels/collective/reduce_scatter.h"
#include "kernels/collective/send_recv.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemm_library.h"
#include "kernels/kernel.h"
#include "kernels/vector/argmax.h"
#include "kernels/vector/cast.h"
#include "kernels/vector/elementwise.h"
#include "kernels/vector/gather.h"
#include "kernels/vector/gelu.h"
#include "kernels/vector/kv_write.h"
#include "kernels/vector/layer_norm.h"
#include "kernels/vector/moe_route.h"
#include "kernels/vector/norm.h"
#include "kernels/vector/quantize.h"
#include "kernels/vector/rope.h"
#include "kernels/vector/silu_mul.h"
#include "kernels/vector/softmax.h"
#include "kernels/vector/top_k.h"
#include "kernels/vector/unpermute.h"

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
  static const AllReduceKernel all_reduce;
  static const AllGatherKernel all_gather;
  static const ReduceScatterKernel reduce_scatter;
  static const AllToAllKernel all_to_all;
  static const SendRecvKernel send_recv;
  static const LayerNormKernel layer_norm;
  static const AddLayerNormKernel add_layer_norm;
  static const GeluKernel gelu;
  static const SoftmaxKernel softmax;
  static const CastKernel cast;
  static const QuantizeKernel quantize;
  static const QuantizeChannelsKernel quantize_channels;
  static const KvWriteKernel kv_write;
  static const MoeRouteKernel moe_route;
  static const UnpermuteKernel unpermute;
  static const TopKKernel top_k;
  static const SampleKernel sample;
  static const std::vector<const Kernel*> kernels = {&gemm,
                                                     &grouped_gemm,
                                                     &gemm_padded,
                                                     &gemm_library,
                                                     &attention,
                                                     &attention_library,
                                                     &rms_norm,
                                                     &add_rms_norm,
                                                     &silu_mul,
                                                     &rope,
                                                     &gather,
                                                     &argmax,
                                                     &elementwise,
                                                     &all_reduce,
                                                     &all_gather,
                                                     &reduce_scatter,
                                                     &all_to_all,
                                                     &send_recv,
                                                     &layer_norm,
                                                     &add_layer_norm,
                                                     &gelu,
                                                     &softmax,
                                                     &cast,
                                                     &quantize,
                                                     &quantize_channels,
                                                     &kv_write,
                                                     &moe_route,
                                                     &unpermute,
                                                     &top_k,
                                                     &sample};
  return kernels;
}

}  // namespace tilewright
