#pragma once

#include <cstdint>
#include <vector>

#include "core/machine/machine.h"
#include "simulator/launch.h"

namespace tilewright {

/// Bytes of the launch's tensors, in their GM layouts; one entry a tensor.
using GmImage = std::vector<std::vector<uint8_t>>;

/// An image with every tensor at its size; contents are NaN patterns (0xff bytes).
GmImage make_image(const Launch& launch);

/// Runs the launch on real bytes: every instruction of every core acts on modelled buffers (L1,
/// L0A, L0B, L0C, UB of each core) and on `image`. f16, bf16 and f32 products accumulate in f32,
/// one fused multiply-add after another in order of k; i8 in i32. Vector operations compute in f32.
/// Conversions round to nearest even. Buffers start as NaN patterns, so that a read of bytes nobody
/// wrote shows in the result.
///
/// Error (failed), naming instruction and core: an access outside its tensor or buffer,
/// operands whose sizes, types or layouts do not go together, a flag that is waited for in program
/// order but never set.
void run_functional(const Launch& launch, const Machine& machine, GmImage& image);

/// Tensor contents as row-major f32, and back (rounding to the tensor's type).
std::vector<float> read_tensor(const Tensor& tensor, const std::vector<uint8_t>& bytes);
std::vector<uint8_t> write_tensor(const Tensor& tensor, const std::vector<float>& values);
/// The same of a tensor of whole numbers, for which f32 may be too narrow.
std::vector<int32_t> read_whole_tensor(const Tensor& tensor, const std::vector<uint8_t>& bytes);
std::vector<uint8_t> write_whole_tensor(const Tensor& tensor, const std::vector<int32_t>& values);

}  // namespace tilewright
