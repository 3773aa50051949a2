// The native executor on a checkpoint of 660,352 random weights: 3 layers, hidden 128, 8 heads, 2
// KV heads, FFN 352, vocabulary 512.

#include <benchmark/benchmark.h>

#include <Eigen/Core>

#include "kernels/native/native_executor.h"
#include "kernels/native/panel_product.h"
#include "tests/random_checkpoint.h"

namespace tilewright {
namespace {

constexpr int64_t kBlockSize = 16;
constexpr int64_t kBlocksOfSequence = 32;

const Checkpoint& checkpoint() {
  static const TempFolder kFolder;
  static const Checkpoint kCheckpoint = [] {
    write_checkpoint(kFolder, {R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 128,
      "num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 2,
      "intermediate_size": 352, "vocab_size": 512, "max_position_embeddings": 2048})"});
    return Checkpoint(kFolder.path());
  }();
  return kCheckpoint;
}

/// Sequences with blocks of their own, and a prompt that every one begins with.
class Sequences {
 public:
  explicit Sequences(int64_t count)
      : executor_(checkpoint(), {.kv_blocks = count * kBlocksOfSequence, .block_size = kBlockSize}),
        blocks_(static_cast<size_t>(count)),
        ids_(kBlocksOfSequence * kBlockSize) {
    int32_t next = 0;
    for (auto& blocks : blocks_) {
      for (int64_t i = 0; i < kBlocksOfSequence; ++i) blocks.push_back(next++);
    }
    for (size_t i = 0; i < ids_.size(); ++i) ids_[i] = static_cast<int32_t>(i * 37 % 512);
  }

  SequenceSlice slice(size_t index, int64_t context, int64_t tokens) const {
    SequenceSlice slice;
    slice.request = static_cast<int64_t>(index);
    slice.context = context;
    slice.tokens = tokens;
    slice.samples = true;
    slice.blocks = blocks_[index];
    slice.ids = std::span(ids_).subspan(static_cast<size_t>(context), static_cast<size_t>(tokens));
    return slice;
  }

  int64_t count() const { return static_cast<int64_t>(blocks_.size()); }

  void execute(const Batch& batch) { benchmark::DoNotOptimize(executor_.execute(batch, 0)); }

  Batch step(int64_t context, int64_t tokens) const {
    Batch batch;
    for (size_t i = 0; i < blocks_.size(); ++i) batch.slices.push_back(slice(i, context, tokens));
    return batch;
  }

 private:
  NativeExecutor executor_;
  std::vector<std::vector<int32_t>> blocks_;
  std::vector<int32_t> ids_;
};

/// Decode steps of so many sequences with the given context.
void NativeDecode(benchmark::State& state) {
  Sequences sequences(state.range(0));
  const int64_t context = state.range(1);
  sequences.execute(sequences.step(0, context));
  const Batch batch = sequences.step(context, 1);
  for (auto _ : state) sequences.execute(batch);
  state.SetItemsProcessed(state.iterations() * sequences.count());
}
BENCHMARK(NativeDecode)
    ->ArgNames({"sequences", "context"})
    ->Args({1, 64})
    ->Args({1, 128})
    ->Args({8, 128})
    ->Args({32, 128})
    ->Unit(benchmark::kMicrosecond);

/// Prompts of 1 to 300 tokens, in one batch.
void NativePrefill(benchmark::State& state) {
  const int64_t kLengths[] = {1, 14, 17, 64, 96, 109, 125, 131, 300};
  Sequences sequences(std::size(kLengths));
  Batch batch;
  int64_t tokens = 0;
  for (size_t i = 0; i < std::size(kLengths); ++i) {
    batch.slices.push_back(sequences.slice(i, 0, kLengths[i]));
    tokens += kLengths[i];
  }
  for (auto _ : state) sequences.execute(batch);
  state.SetItemsProcessed(state.iterations() * tokens);
}
BENCHMARK(NativePrefill)->Unit(benchmark::kMicrosecond);

/// gate_up of the model above, for so many tokens: ours, and Eigen's product of the same matrices.
constexpr int64_t kInputs = 128;
constexpr int64_t kOutputs = 704;

void NativeProduct(benchmark::State& state) {
  PackedMatrix matrix(kOutputs, kInputs);
  const std::vector<float> weights(kInputs, 0.5f);
  for (int64_t row = 0; row < kOutputs; ++row) matrix.set_row(row, weights);
  const std::vector<float> x(static_cast<size_t>(state.range(0) * kInputs), 0.25f);
  std::vector<float> y;
  for (auto _ : state) {
    matrix.multiply({x.data(), kInputs, state.range(0)}, y);
    benchmark::DoNotOptimize(y.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * 2 * kInputs * kOutputs);
}
BENCHMARK(NativeProduct)->Arg(1)->Arg(8)->Arg(32)->Arg(512)->Unit(benchmark::kMicrosecond);

void EigenProduct(benchmark::State& state) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Matrix weights = Matrix::Constant(kOutputs, kInputs, 0.5f);
  const Matrix x = Matrix::Constant(state.range(0), kInputs, 0.25f);
  Matrix y(state.range(0), kOutputs);
  for (auto _ : state) {
    y.noalias() = x * weights.transpose();
    benchmark::DoNotOptimize(y.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * 2 * kInputs * kOutputs);
}
BENCHMARK(EigenProduct)->Arg(1)->Arg(8)->Arg(32)->Arg(512)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tilewright
