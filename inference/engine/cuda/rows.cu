// Kernels that work on one row at a time: embedding, norms, rotation, activation, gathering.
#include <cstring>

#include "inference/engine/cuda/kernel_functions.h"
#include "inference/engine/cuda/kernels.h"
#include "inference/engine/cuda/lanes.h"

namespace KERNEL_NAMESPACE {
namespace {

using namespace assay::cuda;  // what kernels.h declares

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

// --- norms: a block a row, which stays in registers where it can ---

constexpr int kNormThreads = 512;
constexpr int kNormWarps = kNormThreads / 32;
constexpr int kMostFours = 4;  // that a thread keeps: rows of up to 8192

struct alignas(16) Four {
  float values[4];
};
struct alignas(8) FourHalves {
  Half halves[4];
};

// Over a block of kNormThreads; every thread gets the sum.
struct NormShared {
  float parts[kNormWarps];
};
DEVICE float BlockSum(float value) {
  float* parts = Shared<NormShared>().parts;
  value = WarpSum(value);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  SyncBlock();
  float sum = 0;
  UNROLL for (int warp = 0; warp < kNormWarps; ++warp) sum += parts[warp];
  return sum;
}

DEVICE float ScaleOf(float squares, int hidden, float epsilon) {
  return 1.0F / sqrtf(BlockSum(squares) / static_cast<float>(hidden) + epsilon);
}

DEVICE Half Scaled(float value, float scale, float weight) { return Round(value * scale * weight); }

// x = load(i), normed = x / rms(x) * norm. load.Fours(i) gives elements 4 i to 4 i + 3, load.One(i)
// one element.
template <typename Load>
DEVICE void NormRow(const Load& load, float* x, const float* norm, int hidden, float epsilon,
                    Half* normed) {
  float squares = 0;
  if (hidden % 4 != 0 || hidden > kMostFours * 4 * kNormThreads) {
    for (int i = threadIdx.x; i < hidden; i += kNormThreads) {
      const float value = load.One(i);
      x[i] = value;
      squares += value * value;
    }
    const float scale = ScaleOf(squares, hidden, epsilon);
    for (int i = threadIdx.x; i < hidden; i += kNormThreads) {
      normed[i] = Scaled(x[i], scale, norm[i]);
    }
    return;
  }
  const int fours = hidden / 4;
  Four kept[kMostFours];
  UNROLL for (int j = 0; j < kMostFours; ++j) {
    const int i = threadIdx.x + j * kNormThreads;
    if (i < fours) kept[j] = load.Fours(i);
  }
  UNROLL for (int j = 0; j < kMostFours; ++j) {
    const int i = threadIdx.x + j * kNormThreads;
    if (i >= fours) continue;
    reinterpret_cast<Four*>(x)[i] = kept[j];
    UNROLL for (int k = 0; k < 4; ++k) squares += kept[j].values[k] * kept[j].values[k];
  }
  const float scale = ScaleOf(squares, hidden, epsilon);
  UNROLL for (int j = 0; j < kMostFours; ++j) {
    const int i = threadIdx.x + j * kNormThreads;
    if (i >= fours) continue;
    const Four weight = reinterpret_cast<const Four*>(norm)[i];
    FourHalves out;
    UNROLL for (int k = 0; k < 4; ++k) {
      out.halves[k] = Scaled(kept[j].values[k], scale, weight.values[k]);
    }
    reinterpret_cast<FourHalves*>(normed)[i] = out;
  }
}

DEVICE void ClearRow(Half* normed, int hidden) {
  for (int i = threadIdx.x; i < hidden; i += kNormThreads) normed[i] = 0;
}

struct LoadEmbedding {
  const Half* from;
  DEVICE float One(int i) const { return Widen(from[i]); }
  DEVICE Four Fours(int i) const {
    const FourHalves halves = reinterpret_cast<const FourHalves*>(from)[i];
    Four four;
    UNROLL for (int k = 0; k < 4; ++k) four.values[k] = Widen(halves.halves[k]);
    return four;
  }
};

KERNEL KERNEL_BOUNDS(kNormThreads, 1) Embed(EmbedArgs args) {
  const int row = blockIdx.x;
  const RowInput input = args.rows[row];
  const size_t at = static_cast<size_t>(row) * args.hidden;
  if (input.position < 0) return ClearRow(args.normed + at, args.hidden);
  int token = input.from_row >= 0 ? args.drawn[input.from_row] : input.token;
  // A step that drew nothing (a bad logit) tells the host so; the one after it only must not stray.
  if (token < 0 || token >= args.vocabulary) token = 0;
  const LoadEmbedding load = {args.embedding + static_cast<size_t>(token) * args.hidden};
  NormRow(load, args.x + at, args.norm, args.hidden, args.epsilon, args.normed + at);
}

struct LoadSum {
  const float *x, *added, *bias;
  DEVICE float One(int i) const {
    const float value = x[i] + added[i];
    return bias != nullptr ? value + bias[i] : value;
  }
  DEVICE Four Fours(int i) const {
    Four sum = reinterpret_cast<const Four*>(x)[i];
    const Four more = reinterpret_cast<const Four*>(added)[i];
    UNROLL for (int k = 0; k < 4; ++k) sum.values[k] += more.values[k];
    if (bias != nullptr) {
      const Four last = reinterpret_cast<const Four*>(bias)[i];
      UNROLL for (int k = 0; k < 4; ++k) sum.values[k] += last.values[k];
    }
    return sum;
  }
};

KERNEL KERNEL_BOUNDS(kNormThreads, 1) AddNorm(AddNormArgs args) {
  const int row = blockIdx.x;
  const size_t at = static_cast<size_t>(row) * args.hidden;
  if (args.rows[row].position < 0) return ClearRow(args.normed + at, args.hidden);
  const LoadSum load = {args.x + at, args.added + at, args.bias};
  NormRow(load, args.x + at, args.norm, args.hidden, args.epsilon, args.normed + at);
}

// --- the others ---

// A warp a head: queries first, then keys, then values. A lane holds pairs (i, i + half) that turn
// together: i = lane and, in heads of more than 64, lane + 32.
KERNEL KERNEL_BOUNDS(kThreads, 1) Rope(RopeArgs args) {
  const int row = blockIdx.x;
  const int lane = threadIdx.x % 32;
  const int kv_heads = args.shape.kv_heads, dim = args.shape.head_dim, half = dim / 2;
  const int all_heads = args.heads + 2 * kv_heads;
  const int head = blockIdx.y * kWarps + threadIdx.x / 32;
  if (head >= all_heads) return;  // whole warps, and no barrier follows
  const RowInput input = args.rows[row];
  const bool is_query = head < args.heads;
  const bool is_key = !is_query && head < args.heads + kv_heads;
  if (input.position < 0) return;  // attention writes zeros for idle rows

  const size_t from = (static_cast<size_t>(row) * all_heads + head) * dim;
  float first[2], second[2];
  float squares = 0;
  UNROLL for (int j = 0; j < 2; ++j) {
    const int i = lane + 32 * j;
    first[j] = second[j] = 0;
    if (i >= half) continue;
    first[j] = args.qkv[from + i];
    second[j] = args.qkv[from + i + half];
    if (args.bias != nullptr) {
      first[j] += args.bias[head * dim + i];
      second[j] += args.bias[head * dim + i + half];
    }
    squares += first[j] * first[j] + second[j] * second[j];
  }
  const float* norm = is_query ? args.q_norm : is_key ? args.k_norm : nullptr;
  squares = WarpSum(squares);
  const float scale = 1.0F / sqrtf(squares / static_cast<float>(dim) + args.epsilon);

  Half* to;
  const int page = args.tables[static_cast<size_t>(input.sequence) * args.table_width +
                               input.position / kPagePositions];
  const size_t slot = static_cast<size_t>(input.position % kPagePositions) * dim;
  if (is_query) {
    to = args.q + (static_cast<size_t>(row) * args.heads + head) * dim;
  } else if (is_key) {
    to = args.pool + KeysAt(args.shape, page, args.layer, head - args.heads) + slot;
  } else {
    to = args.pool + ValuesAt(args.shape, page, args.layer, head - args.heads - kv_heads) + slot;
  }
  UNROLL for (int j = 0; j < 2; ++j) {
    const int i = lane + 32 * j;
    if (i >= half) continue;
    float a = first[j], b = second[j];
    if (norm != nullptr) {
      a = a * scale * norm[i];
      b = b * scale * norm[i + half];
    }
    if (is_query || is_key) {
      const size_t angle = static_cast<size_t>(input.position) * half + i;
      const float cos = args.cos[angle], sin = args.sin[angle];
      const float turned = a * cos - b * sin;
      b = b * cos + a * sin;
      a = turned;
    }
    to[i] = Round(a);
    to[i + half] = Round(b);
  }
}

DEVICE Half SwigluOne(Half gate, Half up) {
  const float g = Widen(gate);
  return Round(g / (1.0F + expf(-g)) * Widen(up));
}

struct alignas(16) Eight {
  Half halves[8];
};

// Eight at a time where rows begin on 16 bytes.
KERNEL KERNEL_BOUNDS(kThreads, 1) Swiglu(SwigluArgs args) {
  const int row = blockIdx.y;
  const Half* gate = args.gate_up + static_cast<size_t>(row) * 2 * args.ffn;
  const Half* up = gate + args.ffn;
  Half* out = args.out + static_cast<size_t>(row) * args.ffn;
  const bool idle = args.rows[row].position < 0;
  const int thread = blockIdx.x * kThreads + threadIdx.x;
  const int threads = gridDim.x * kThreads;
  if (args.ffn % 8 != 0) {
    for (int i = thread; i < args.ffn; i += threads) {
      out[i] = idle ? static_cast<Half>(0) : SwigluOne(gate[i], up[i]);
    }
    return;
  }
  for (int i = thread; i < args.ffn / 8; i += threads) {
    Eight done = {};
    if (!idle) {
      const Eight g = reinterpret_cast<const Eight*>(gate)[i];
      const Eight u = reinterpret_cast<const Eight*>(up)[i];
      UNROLL for (int j = 0; j < 8; ++j) done.halves[j] = SwigluOne(g.halves[j], u.halves[j]);
    }
    reinterpret_cast<Eight*>(out)[i] = done;
  }
}

KERNEL KERNEL_BOUNDS(kThreads, 1) Gather(GatherArgs args) {
  const int row = blockIdx.x;
  const Half* from = args.rows + static_cast<size_t>(args.indices[row]) * args.width;
  Half* to = args.out + static_cast<size_t>(row) * args.width;
  for (int i = threadIdx.x; i < args.width; i += kThreads) to[i] = from[i];
}

}  // namespace

void LaunchEmbed(const EmbedArgs& args, Stream stream) {
  LAUNCH(Embed, dim3(args.count), kNormThreads, sizeof(NormShared), stream, args);
}
void LaunchAddNorm(const AddNormArgs& args, Stream stream) {
  LAUNCH(AddNorm, dim3(args.count), kNormThreads, sizeof(NormShared), stream, args);
}
void LaunchRope(const RopeArgs& args, Stream stream) {
  const int heads = args.heads + 2 * args.shape.kv_heads;
  LAUNCH(Rope, dim3(args.count, (heads + kWarps - 1) / kWarps), kThreads, 0, stream, args);
}
void LaunchSwiglu(const SwigluArgs& args, Stream stream) {
  const int pieces = args.ffn % 8 == 0 ? args.ffn / 8 : args.ffn;
  LAUNCH(Swiglu, dim3((pieces + kThreads - 1) / kThreads, args.count), kThreads, 0, stream, args);
}
void LaunchGather(const GatherArgs& args, Stream stream) {
  LAUNCH(Gather, dim3(args.count), kThreads, 0, stream, args);
}

#ifndef ASSAY_EMULATE_CUDA
const Kernels& DeviceKernels() { return kTable; }
#endif

}  // namespace KERNEL_NAMESPACE
