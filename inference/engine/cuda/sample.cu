// The sampler (sampler.h) on the device: a block a row, no sort, and nothing that hangs on the
// order in which threads come.
//
// Masses are integers, so histograms filled by atomic additions are exact. A cut is found by a
// coarse histogram, then digit by digit within one bucket, the edge. What can survive is listed in
// shared memory where there is room (all but flat distributions), and so is the edge alone (all but
// a great many ties): then only three passes, or four, read the logits. To be compiled with
// -fmad=false: its doubles are the host's doubles, bit for bit.
#include <cstring>

#include "inference/engine/cuda/draw_math.h"
#include "inference/engine/cuda/kernel_functions.h"
#include "inference/engine/cuda/kernels.h"
#include "inference/engine/cuda/lanes.h"

namespace KERNEL_NAMESPACE {
namespace {

using namespace assay::cuda;

constexpr int kThreads = 512;
constexpr int kListed = 4096;  // candidates that shared memory holds
constexpr int kEdge = 1024;    // and of the bucket that the cut goes through
constexpr int kBinsOfThread = kDigitValues / kThreads;
constexpr uint64_t kEverything = ~uint64_t{0};

struct SampleShared {
  uint32_t low[kDigitValues], high[kDigitValues];  // halves of sums
  uint64_t parts[kThreads];
  int list[kListed], edge[kEdge];
  uint32_t list_count, edge_count;
  int bin;
  uint64_t before;
  uint64_t top[kMostLogprobs];
  uint32_t top_count;
};

struct Row {
  const float* logits;
  int usable;
  bool by_fours;  // it begins on 16 bytes
  double greatest;
  double inverse_temperature;
};

// Every thread gets the result of `better` over all threads' values.
template <typename Better>
DEVICE uint64_t BlockBest(uint64_t value, SampleShared* shared, const Better& better) {
  shared->parts[threadIdx.x] = value;
  SyncBlock();
  for (int width = kThreads / 2; width > 0; width /= 2) {
    if (threadIdx.x < width) {
      const uint64_t other = shared->parts[threadIdx.x + width];
      if (better(other, shared->parts[threadIdx.x])) shared->parts[threadIdx.x] = other;
    }
    SyncBlock();
  }
  const uint64_t best = shared->parts[0];
  SyncBlock();
  return best;
}
DEVICE uint64_t BlockLeast(uint64_t value, SampleShared* shared) {
  return BlockBest(value, shared, [](uint64_t a, uint64_t b) { return a < b; });
}

DEVICE double BlockSum(double value, SampleShared* shared) {
  shared->parts[threadIdx.x] = std::bit_cast<uint64_t>(value);
  SyncBlock();
  for (int width = kThreads / 2; width > 0; width /= 2) {
    if (threadIdx.x < width) {
      shared->parts[threadIdx.x] =
          std::bit_cast<uint64_t>(std::bit_cast<double>(shared->parts[threadIdx.x]) +
                                  std::bit_cast<double>(shared->parts[threadIdx.x + width]));
    }
    SyncBlock();
  }
  const auto sum = std::bit_cast<double>(shared->parts[0]);
  SyncBlock();
  return sum;
}

// Listed ids, or all of a row's.
struct Candidates {
  const int* ids;  // null: all
  int count;
};
DEVICE Candidates All(const Row& row) { return {nullptr, row.usable}; }
DEVICE Candidates Listed(const SampleShared& shared) {
  return {shared.list, static_cast<int>(shared.list_count)};
}

struct alignas(16) Four {
  float logits[4];
};

// visit(id, logit). kAhead times four logits are asked for before the first is looked at: 2 where a
// visit does little, 1 where it computes.
template <int kAhead, typename Visit>
DEVICE void ForEach(const Row& row, const Candidates& candidates, const Visit& visit) {
  int begin = 0;
  if (candidates.ids == nullptr && row.by_fours) {
    const int fours = candidates.count / 4;
    for (int first = threadIdx.x; first < fours; first += kAhead * kThreads) {
      Four some[kAhead];
      UNROLL for (int j = 0; j < kAhead; ++j) {
        const int i = first + j * kThreads;
        if (i < fours) some[j] = reinterpret_cast<const Four*>(row.logits)[i];
      }
      UNROLL for (int j = 0; j < kAhead; ++j) {
        const int i = first + j * kThreads;
        if (i >= fours) continue;
        UNROLL for (int k = 0; k < 4; ++k) visit(i * 4 + k, some[j].logits[k]);
      }
    }
    begin = fours * 4;
  }
  for (int i = begin + threadIdx.x; i < candidates.count; i += kThreads) {
    const int id = candidates.ids != nullptr ? candidates.ids[i] : i;
    visit(id, row.logits[id]);
  }
}

DEVICE void ClearBins(SampleShared* shared) {
  for (int bin = threadIdx.x; bin < kDigitValues; bin += kThreads) {
    shared->low[bin] = shared->high[bin] = 0;
  }
  SyncBlock();
}

// An exact sum of 64 bits by atomics of 32: whoever makes the lower half overflow carries.
DEVICE void AddToBin(uint64_t weight, int bin, SampleShared* shared) {
  const auto low = static_cast<uint32_t>(weight);
  auto high = static_cast<uint32_t>(weight >> 32);
  if (low != 0) {
    const uint32_t before = AddAtomically(&shared->low[bin], low);
    if (before + low < before) ++high;
  }
  if (high != 0) AddAtomically(&shared->high[bin], high);
}

DEVICE uint64_t BinSum(const SampleShared& shared, int bin) {
  return static_cast<uint64_t>(shared.high[bin]) << 32 | shared.low[bin];
}

// After all additions: parts[t] = the sum of all bins up to thread t's last one. Returns the total.
DEVICE uint64_t ScanBins(SampleShared* shared) {
  SyncBlock();
  uint64_t own = 0;
  UNROLL for (int i = 0; i < kBinsOfThread; ++i) {
    own += BinSum(*shared, threadIdx.x * kBinsOfThread + i);
  }
  shared->parts[threadIdx.x] = own;
  SyncBlock();
  for (int offset = 1; offset < kThreads; offset *= 2) {
    const uint64_t left = threadIdx.x >= offset ? shared->parts[threadIdx.x - offset] : 0;
    SyncBlock();
    shared->parts[threadIdx.x] += left;
    SyncBlock();
  }
  return shared->parts[kThreads - 1];
}

// The first bin with which the sum reaches `wanted`, into `bin`, and the sum before it; after
// ScanBins. False: it is not reached.
DEVICE bool FindBin(uint64_t wanted, uint64_t total, SampleShared* shared) {
  if (wanted > total) return false;
  uint64_t before = threadIdx.x > 0 ? shared->parts[threadIdx.x - 1] : 0;
  if (before < wanted && wanted <= shared->parts[threadIdx.x]) {
    int bin = threadIdx.x * kBinsOfThread;
    while (before + BinSum(*shared, bin) < wanted) before += BinSum(*shared, bin++);
    shared->bin = bin;
    shared->before = before;
  }
  SyncBlock();
  return true;
}

// What cuts are made by: how many ids, or what mass.
struct ByCount {
  uint64_t wanted;
  DEVICE uint64_t Weight(const Row&, float) const { return 1; }
  DEVICE uint64_t Wanted(uint64_t) const { return wanted; }
  static constexpr bool kWeightless = false;  // of ids in the last bucket
  static constexpr int kAhead = 2;
};
struct ByMass {
  double top_p;
  DEVICE uint64_t Weight(const Row& row, float logit) const {
    return MassOf(logit, row.greatest, row.inverse_temperature);
  }
  DEVICE uint64_t Wanted(uint64_t total) const {
    return static_cast<uint64_t>(ceil(top_p * static_cast<double>(total)));
  }
  static constexpr bool kWeightless = true;  // 32 nats below the greatest
  static constexpr int kAhead = 1;
};

// A list that has been too long once stays so, and is not counted on.
DEVICE void AddTo(int id, uint32_t room, bool wanted, int* list, uint32_t* count) {
  if (!wanted || *static_cast<volatile uint32_t*>(count) > room) return;
  const uint32_t at = AddAtomically(count, 1);
  if (at < room) list[at] = id;
}

// The CutOrder of the last id that stays: of those up to `limit`, the shortest beginning that
// reaches what is wanted. May leave the candidates in the list, and says so.
template <typename Cut>
DEVICE uint64_t FindCut(const Row& row, const Cut& cut, uint64_t limit, bool* listed,
                        SampleShared* shared) {
  const auto bucket_of = [&](float logit) {
    return BucketOf(logit, row.greatest, row.inverse_temperature);
  };
  ClearBins(shared);
  ForEach<Cut::kAhead>(row, *listed ? Listed(*shared) : All(row), [&](int id, float logit) {
    const int bucket = bucket_of(logit);
    if (bucket == kBuckets - 1 || CutOrder(logit, id) > limit) return;
    AddToBin(cut.Weight(row, logit), bucket, shared);
  });
  const uint64_t total = ScanBins(shared);
  const uint64_t wanted = cut.Wanted(total);
  int bucket = kBuckets - 1;
  uint64_t before = total;
  if (FindBin(wanted, total, shared)) {
    bucket = shared->bin;
    before = shared->before;
  } else if (Cut::kWeightless) {
    return limit;  // rounding asks for more than there is
  }
  SyncBlock();
  Candidates edge = *listed ? Listed(*shared) : All(row);  // all of the edge, and more
  if (!*listed) {
    if (threadIdx.x == 0) shared->list_count = shared->edge_count = 0;
    SyncBlock();
    ForEach<2>(row, All(row), [&](int id, float logit) {
      const int own = bucket_of(logit);
      if (own > bucket || CutOrder(logit, id) > limit) return;
      AddTo(id, kEdge, own == bucket, shared->edge, &shared->edge_count);
      AddTo(id, kListed, true, shared->list, &shared->list_count);
    });
    SyncBlock();
    *listed = shared->list_count <= kListed;
    if (*listed) edge = Listed(*shared);
    if (shared->edge_count <= kEdge) edge = {shared->edge, static_cast<int>(shared->edge_count)};
  }
  uint64_t needed = wanted - before;
  uint64_t found = 0;
  for (int digit = 0; digit < kCutDigits; ++digit) {
    ClearBins(shared);
    ForEach<1>(row, edge, [&](int id, float logit) {
      const uint64_t order = CutOrder(logit, id);
      if (bucket_of(logit) != bucket || order > limit || !SamePrefix(order, found, digit)) return;
      AddToBin(cut.Weight(row, logit), DigitOf(order, digit), shared);
    });
    const uint64_t here = ScanBins(shared);
    FindBin(needed, here, shared);
    found |= static_cast<uint64_t>(shared->bin) << DigitShift(digit);
    needed -= shared->before;
    SyncBlock();
  }
  return found;
}

// visit(id, logit) for the ids up to `cut`, of all. Lanes whose ids are cut off would wait for
// those whose ids are not: each warp lists what is left of 128 ids, and then visits that with all
// lanes. Takes the place of the list.
template <typename Visit>
DEVICE void ForEachUpTo(const Row& row, uint64_t cut, SampleShared* shared, const Visit& visit) {
  constexpr int kWarps = kThreads / 32, kOfLane = 4, kIds = kOfLane * 32;
  static_assert(kWarps * kIds <= kListed);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int* left = shared->list + warp * kIds;
  for (int base = warp * kIds; base < row.usable; base += kWarps * kIds) {
    float logits[kOfLane];
    UNROLL for (int k = 0; k < kOfLane; ++k) {
      const int id = base + k * 32 + lane;
      logits[k] = id < row.usable ? row.logits[id] : 0;
    }
    uint32_t kept = 0;  // a bit each
    int before = 0, all = 0;
    UNROLL for (int k = 0; k < kOfLane; ++k) {
      const int id = base + k * 32 + lane;
      if (id >= row.usable || CutOrder(logits[k], id) > cut) continue;
      kept |= 1U << k;
      ++all;
    }
    UNROLL for (int mask = 1; mask < 32; mask *= 2) {
      const int others = ShuffleXor(all, mask);
      if ((lane & mask) != 0) before += others;
      all += others;
    }
    SyncWarp();  // the ids of the turn before have been visited
    UNROLL for (int k = 0; k < kOfLane; ++k) {
      if ((kept >> k & 1) != 0) left[before++] = base + k * 32 + lane;
    }
    SyncWarp();
    for (int i = lane; i < all; i += 32) visit(left[i], row.logits[left[i]]);
  }
}

// Among ids up to `cut` whose mass is at least `least`: the first one to arrive.
DEVICE int Race(const Row& row, const DrawInput& draw, uint64_t cut, double least, bool listed,
                SampleShared* shared) {
  int winner = -1;
  double best = 0;
  const auto enter = [&](int id, float logit) {
    const uint64_t mass = MassOf(logit, row.greatest, row.inverse_temperature);
    if (mass == 0 || static_cast<double>(mass) < least) return;
    const double uniform =
        PhiloxUniform(draw.key, {draw.sample, draw.position, static_cast<uint32_t>(id), 0});
    if (winner >= 0 && CannotWin(uniform, mass, best)) return;
    const double time = ArrivalOf(uniform, mass);
    if (winner < 0 || time < best || (time == best && id < winner)) {
      winner = id;
      best = time;
    }
  };
  if (listed) {
    ForEach<1>(row, Listed(*shared), [&](int id, float logit) {
      if (CutOrder(logit, id) <= cut) enter(id, logit);
    });
  } else {
    ForEachUpTo(row, cut, shared, enter);
  }
  // Times are positive: they are in the order of their bits.
  const uint64_t own = winner >= 0 ? std::bit_cast<uint64_t>(best) : kEverything;
  const uint64_t first = BlockLeast(own, shared);
  const uint64_t id = own == first && winner >= 0 ? static_cast<uint64_t>(winner) : kEverything;
  return static_cast<int>(BlockLeast(id, shared));
}

DEVICE int Draw(const Row& row, const DrawInput& draw, SampleShared* shared, uint64_t* last) {
  bool listed = false;
  uint64_t cut = kEverything;
  if (draw.top_k > 0 && draw.top_k < row.usable) {
    cut = FindCut(row, ByCount{static_cast<uint64_t>(draw.top_k)}, cut, &listed, shared);
  }
  if (draw.top_p < 1) cut = FindCut(row, ByMass{draw.top_p}, cut, &listed, shared);
  *last = cut;
  const double least = draw.min_p > 0 ? draw.min_p * kOneMass : 0;
  return Race(row, draw, cut, least, listed, shared);
}

// The most probable ids, by falling logit.
DEVICE void ReportTop(const Row& row, int count, double log_sum, SampleShared* shared,
                      RowResult* result) {
  if (count > row.usable) count = row.usable;
  bool listed = false;
  const uint64_t cut = count < row.usable ? FindCut(row, ByCount{static_cast<uint64_t>(count)},
                                                    kEverything, &listed, shared)
                                          : kEverything;
  if (threadIdx.x == 0) shared->top_count = 0;
  SyncBlock();
  ForEach<1>(row, listed ? Listed(*shared) : All(row), [&](int id, float logit) {
    const uint64_t order = CutOrder(logit, id);
    if (order <= cut) shared->top[AddAtomically(&shared->top_count, 1)] = order;
  });
  SyncBlock();
  if (threadIdx.x < count) {
    const uint64_t own = shared->top[threadIdx.x];
    int rank = 0;
    for (int i = 0; i < count; ++i) rank += shared->top[i] < own ? 1 : 0;
    const int id = static_cast<int>(own & 0xFFFFFFFFU);
    result->top_ids[rank] = id;
    result->top_logprobs[rank] = static_cast<double>(row.logits[id]) - log_sum;
  }
  SyncBlock();
}

KERNEL KERNEL_BOUNDS(kThreads, 2) Sample(SampleArgs args) {
  auto* shared = &Shared<SampleShared>();
  const DrawInput& draw = args.draws[blockIdx.x];
  RowResult* result = args.results + blockIdx.x;
  const bool wanted = draw.draws != 0 || draw.target >= 0;
  if (!wanted) return;  // the same for all threads

  Row row = {args.logits + blockIdx.x * args.stride, args.usable, args.stride % 4 == 0, 0, 1};
  uint64_t first = kEverything, bad = kEverything;
  ForEach<2>(row, All(row), [&](int id, float logit) {
    if (!isfinite(logit)) {
      if (bad == kEverything) bad = id;
      return;
    }
    const uint64_t order = CutOrder(logit, id);
    if (order < first) first = order;
  });
  first = BlockLeast(first, shared);
  bad = BlockLeast(bad, shared);
  if (bad != kEverything) {
    if (threadIdx.x == 0) {
      result->bad = static_cast<int>(bad);
      result->bad_value = row.logits[bad];
      result->drawn = -1;
      if (args.drawn != nullptr) args.drawn[blockIdx.x] = -1;
    }
    return;
  }
  const int greatest = static_cast<int>(first & 0xFFFFFFFFU);
  row.greatest = row.logits[greatest];
  int drawn = greatest;
  uint64_t cut = kEverything;
  if (draw.draws != 0 && draw.inverse_temperature > 0) {
    row.inverse_temperature = draw.inverse_temperature;
    drawn = Draw(row, draw, shared, &cut);
  }
  if (threadIdx.x == 0) {
    result->bad = -1;
    result->drawn = drawn;
    result->cut = cut;
    result->target_is_greatest = draw.target == greatest ? 1 : 0;
    if (args.drawn != nullptr) args.drawn[blockIdx.x] = drawn;
  }
  if (draw.logprobs == 0 && draw.target < 0) return;
  row.inverse_temperature = 1;
  double sum = 0;
  ForEach<1>(row, All(row), [&](int, float logit) {
    sum += PortableExp(static_cast<double>(logit) - row.greatest);
  });
  const double log_sum = PortableLog(BlockSum(sum, shared)) + row.greatest;
  if (threadIdx.x == 0) {
    result->logprob = static_cast<double>(row.logits[drawn]) - log_sum;
    if (draw.target >= 0) {
      result->target_logprob = static_cast<double>(row.logits[draw.target]) - log_sum;
    }
  }
  if (draw.logprobs > 0) ReportTop(row, draw.logprobs, log_sum, shared, result);
}

}  // namespace

void LaunchSample(const SampleArgs& args, Stream stream) {
  LAUNCH(Sample, dim3(args.count), kThreads, sizeof(SampleShared), stream, args);
}

}  // namespace KERNEL_NAMESPACE
