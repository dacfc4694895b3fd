// Each check draws inputs, runs a kernel on poisoned outputs, and compares with a loop that is
// written from the formula.
#include "tests/cuda_parity.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <random>

#include "inference/engine/cuda/draw_math.h"

namespace assay {
namespace {

using cuda::Device;
using cuda::DrawInput;
using cuda::Half;
using cuda::kChunkPositions;
using cuda::kPagePositions;
using cuda::PoolShape;
using cuda::RowInput;
using cuda::RowResult;

std::string Format(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return text;
}

float Widen(Half half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
Half Round(double value) {
  const auto narrow = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof(bits));
  return static_cast<Half>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// Memory on the device with its contents on the host.
template <typename T>
class Buffer {
 public:
  Buffer(Device* device, size_t count) : device_(device), host(std::max<size_t>(count, 1)) {
    memory_ = static_cast<T*>(device->Allocate(host.size() * sizeof(T)));
    pinned_ = static_cast<T*>(device->AllocatePinned(host.size() * sizeof(T)));
    if (memory_ != nullptr) device->Fill(memory_, 0xFF, host.size() * sizeof(T));
  }
  Buffer(Device* device, const std::vector<T>& values) : Buffer(device, values.size()) {
    std::copy(values.begin(), values.end(), host.begin());
    Send();
  }
  ~Buffer() {
    device_->Wait();
    device_->Free(memory_);
    device_->FreePinned(pinned_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void Send() {
    device_->Wait();
    std::copy(host.begin(), host.end(), pinned_);
    device_->ToDevice(memory_, pinned_, host.size() * sizeof(T));
    device_->Wait();
  }
  void Poison() { device_->Fill(memory_, 0xFF, host.size() * sizeof(T)); }
  const std::vector<T>& Fetch() {
    device_->ToHost(pinned_, memory_, host.size() * sizeof(T));
    device_->Wait();
    std::copy_n(pinned_, host.size(), host.begin());
    return host;
  }
  T* get() const { return memory_; }

 private:
  Device* device_;
  T* memory_;
  T* pinned_;

 public:
  std::vector<T> host;
};

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int Below(int bound) { return static_cast<int>(engine_() % static_cast<uint64_t>(bound)); }
  double Normal() { return normal_(engine_); }
  std::vector<float> Floats(size_t count, double deviation = 1, double mean = 0) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(mean + deviation * Normal());
    return values;
  }
  std::vector<Half> Halves(size_t count, double deviation = 1) {
    std::vector<Half> values(count);
    for (Half& value : values) value = Round(deviation * Normal());
    return values;
  }
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
  std::normal_distribution<double> normal_;
};

// || a - b || / || b ||; NaN where any of them is.
double RelativeError(const std::vector<double>& found, const std::vector<double>& wanted) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    difference += (found[i] - wanted[i]) * (found[i] - wanted[i]);
    norm += wanted[i] * wanted[i];
  }
  return std::sqrt(difference / std::max(norm, 1e-300));
}

class Findings {
 public:
  void Below(const std::string& check, double error, double bound) {
    // Written so that NaN fails.
    list_.push_back(
        {check, error <= bound, Format("relative error %.2e, at most %.0e", error, bound)});
  }
  void True(const std::string& check, bool ok, const std::string& detail) {
    list_.push_back({check, ok, detail});
  }
  std::vector<ParityFinding> Take(Device* device) {
    device->Wait();
    if (!device->error().empty()) list_.push_back({"device", false, device->error()});
    return std::move(list_);
  }

 private:
  std::vector<ParityFinding> list_;
};

constexpr double kHalfBound = 4e-3;  // one rounding to bf16, or two

std::vector<double> Norm(const std::vector<double>& x, const std::vector<float>& weight,
                         double epsilon) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
  std::vector<double> normed(x.size());
  for (size_t i = 0; i < x.size(); ++i) normed[i] = x[i] * scale * weight[i];
  return normed;
}

void CheckNorms(Device* device, int rows, int hidden, Random* random, Findings* findings) {
  const int vocabulary = 37;
  const float epsilon = 1e-6F;
  std::vector<RowInput> inputs(rows);
  std::vector<int> drawn(rows);
  for (int row = 0; row < rows; ++row) {
    drawn[row] = random->Below(vocabulary);
    inputs[row] = {random->Below(vocabulary), row % 3 == 1 ? random->Below(rows) : -1,
                   row % 5 == 4 ? -1 : row, row};
  }
  const std::vector<Half> embedding = random->Halves(static_cast<size_t>(vocabulary) * hidden);
  const std::vector<float> norm = random->Floats(hidden, 0.2, 1), bias = random->Floats(hidden);
  const std::vector<float> added = random->Floats(static_cast<size_t>(rows) * hidden, 2);
  Buffer<RowInput> device_rows(device, inputs);
  Buffer<int32_t> device_drawn(device, drawn);
  Buffer<Half> device_embedding(device, embedding);
  Buffer<float> device_norm(device, norm), device_bias(device, bias), device_added(device, added);
  const size_t size = static_cast<size_t>(rows) * hidden;
  Buffer<float> x(device, size);
  Buffer<Half> normed(device, size);
  device->kernels().embed(
      {device_rows.get(), device_drawn.get(), device_embedding.get(), device_norm.get(), x.get(),
       normed.get(), rows, hidden, vocabulary, epsilon},
      device->stream());
  std::vector<double> found, wanted;
  std::vector<std::vector<double>> states(rows);
  bool exact = true, idle_zero = true;
  const auto collect = [&](int row) {
    const std::vector<double> expected = Norm(states[row], norm, epsilon);
    for (int i = 0; i < hidden; ++i) {
      const size_t at = static_cast<size_t>(row) * hidden + i;
      found.push_back(Widen(normed.host[at]));
      wanted.push_back(expected[i]);
    }
  };
  x.Fetch();
  normed.Fetch();
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < hidden; ++i) {
      const size_t at = static_cast<size_t>(row) * hidden + i;
      if (inputs[row].position < 0) {
        idle_zero &= normed.host[at] == 0;
        continue;
      }
      const int token = inputs[row].from_row >= 0 ? drawn[inputs[row].from_row] : inputs[row].token;
      const float value = Widen(embedding[static_cast<size_t>(token) * hidden + i]);
      exact &= x.host[at] == value;
      states[row].push_back(value);
    }
    if (inputs[row].position >= 0) collect(row);
  }
  const std::string size_text = Format("%d rows of %d", rows, hidden);
  findings->True("embed, " + size_text, exact && idle_zero,
                 exact ? "exact" : "another row of the embedding");
  findings->Below("embed's norm, " + size_text, RelativeError(found, wanted), kHalfBound);

  for (const bool with_bias : {false, true}) {
    found.clear();
    wanted.clear();
    normed.Poison();
    device->kernels().add_norm(
        {device_rows.get(), device_added.get(), with_bias ? device_bias.get() : nullptr,
         device_norm.get(), x.get(), normed.get(), rows, hidden, epsilon},
        device->stream());
    x.Fetch();
    normed.Fetch();
    std::vector<double> sums, wanted_sums;
    for (int row = 0; row < rows; ++row) {
      for (int i = 0; i < hidden; ++i) {
        const size_t at = static_cast<size_t>(row) * hidden + i;
        if (inputs[row].position < 0) {
          idle_zero &= normed.host[at] == 0;
          continue;
        }
        states[row][i] += double{added[at]} + (with_bias ? bias[i] : 0);
        sums.push_back(x.host[at]);
        wanted_sums.push_back(states[row][i]);
        states[row][i] = x.host[at];
      }
      if (inputs[row].position >= 0) collect(row);
    }
    const std::string name = with_bias ? "add with bias, " : "add, ";
    findings->Below(name + size_text, RelativeError(sums, wanted_sums), 1e-6);
    findings->Below(name + "and norm, " + size_text, RelativeError(found, wanted), kHalfBound);
  }
  findings->True("idle rows are zeros, " + size_text, idle_zero, "");
}

void CheckRope(Device* device, int heads, int kv_heads, int dim, bool with_bias, bool with_norm,
               Random* random, Findings* findings) {
  const int rows = 7, layers = 2, layer = 1, table_width = 5, positions = table_width * 64;
  const PoolShape shape = {layers, kv_heads, dim};
  const int pages = rows * table_width, half = dim / 2, all = heads + 2 * kv_heads;
  std::vector<int> order(pages);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random->engine());
  std::vector<RowInput> inputs(rows);
  for (int row = 0; row < rows; ++row) inputs[row] = {0, -1, random->Below(positions), row};
  inputs[0].position = 0;
  inputs[1].position = positions - 1;
  inputs[2].position = -1;
  inputs[3].position = 64;
  const std::vector<float> qkv = random->Floats(static_cast<size_t>(rows) * all * dim);
  const std::vector<float> bias = random->Floats(static_cast<size_t>(all) * dim);
  const std::vector<float> q_norm = random->Floats(dim, 0.2, 1),
                           k_norm = random->Floats(dim, 0.2, 1);
  const std::vector<float> cos = random->Floats(static_cast<size_t>(positions) * half);
  const std::vector<float> sin = random->Floats(static_cast<size_t>(positions) * half);
  Buffer<RowInput> device_rows(device, inputs);
  Buffer<int32_t> tables(device, order);
  Buffer<float> device_qkv(device, qkv), device_bias(device, bias), device_q_norm(device, q_norm),
      device_k_norm(device, k_norm), device_cos(device, cos), device_sin(device, sin);
  Buffer<Half> q(device, static_cast<size_t>(rows) * heads * dim);
  Buffer<Half> pool(device, PageElements(shape) * pages);
  cuda::RopeArgs args;
  args.rows = device_rows.get();
  args.tables = tables.get();
  args.qkv = device_qkv.get();
  args.bias = with_bias ? device_bias.get() : nullptr;
  args.q_norm = with_norm ? device_q_norm.get() : nullptr;
  args.k_norm = with_norm ? device_k_norm.get() : nullptr;
  args.cos = device_cos.get();
  args.sin = device_sin.get();
  args.q = q.get();
  args.pool = pool.get();
  args.shape = shape;
  args.count = rows;
  args.heads = heads;
  args.layer = layer;
  args.table_width = table_width;
  args.epsilon = 1e-6F;
  device->kernels().rope(args, device->stream());
  q.Fetch();
  std::vector<Half> cache = pool.Fetch();
  std::vector<double> found, wanted;
  for (int row = 0; row < rows; ++row) {
    const int position = inputs[row].position;
    if (position < 0) continue;
    for (int head = 0; head < all; ++head) {
      const bool is_query = head < heads, is_key = !is_query && head < heads + kv_heads;
      std::vector<double> value(dim);
      for (int i = 0; i < dim; ++i) {
        value[i] = qkv[(static_cast<size_t>(row) * all + head) * dim + i];
        if (with_bias) value[i] += bias[head * dim + i];
      }
      if (with_norm && (is_query || is_key)) value = Norm(value, is_query ? q_norm : k_norm, 1e-6);
      std::vector<double> turned = value;
      for (int i = 0; i < half && (is_query || is_key); ++i) {
        const double c = cos[static_cast<size_t>(position) * half + i];
        const double s = sin[static_cast<size_t>(position) * half + i];
        turned[i] = value[i] * c - value[i + half] * s;
        turned[i + half] = value[i + half] * c + value[i] * s;
      }
      const int page = order[row * table_width + position / 64];
      for (int i = 0; i < dim; ++i) {
        // The layout in words: [page][layer][kv_head][keys, values][slot][dimension].
        const int kv = is_key ? head - heads : head - heads - kv_heads;
        const size_t at = ((((static_cast<size_t>(page) * layers + layer) * kv_heads + kv) * 2 +
                            (is_key ? 0 : 1)) *
                               64 +
                           position % 64) *
                              dim +
                          i;
        Half* place =
            is_query ? &q.host[(static_cast<size_t>(row) * heads + head) * dim + i] : &cache[at];
        found.push_back(Widen(*place));
        wanted.push_back(turned[i]);
        *place = 0xFFFF;
      }
    }
  }
  bool untouched = true;
  for (const Half half_word : cache) untouched &= half_word == 0xFFFF;
  const std::string name = Format("rope, %d + 2 x %d heads of %d%s%s", heads, kv_heads, dim,
                                  with_bias ? ", bias" : "", with_norm ? ", norms" : "");
  findings->Below(name, RelativeError(found, wanted), kHalfBound);
  findings->True(name + ": nothing else is written", untouched, "");
}

void CheckSwiglu(Device* device, int rows, int ffn, Random* random, Findings* findings) {
  std::vector<RowInput> inputs(rows);
  for (int row = 0; row < rows; ++row) inputs[row].position = row % 4 == 3 ? -1 : row;
  std::vector<Half> gate_up = random->Halves(static_cast<size_t>(rows) * 2 * ffn, 3);
  gate_up[0] = Round(-200);  // exp overflows
  gate_up[1] = Round(200);
  Buffer<RowInput> device_rows(device, inputs);
  Buffer<Half> device_gate_up(device, gate_up), out(device, static_cast<size_t>(rows) * ffn);
  device->kernels().swiglu({device_rows.get(), device_gate_up.get(), out.get(), rows, ffn},
                           device->stream());
  out.Fetch();
  std::vector<double> found, wanted;
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < ffn; ++i) {
      const double g = Widen(gate_up[static_cast<size_t>(row) * 2 * ffn + i]);
      const double u = Widen(gate_up[static_cast<size_t>(row) * 2 * ffn + ffn + i]);
      found.push_back(Widen(out.host[static_cast<size_t>(row) * ffn + i]));
      wanted.push_back(inputs[row].position < 0 ? 0 : g / (1 + std::exp(-g)) * u);
    }
  }
  findings->Below(Format("swiglu, %d rows of %d", rows, ffn), RelativeError(found, wanted),
                  kHalfBound);
}

void CheckGather(Device* device, Random* random, Findings* findings) {
  const int rows = 20, width = 77, count = 9;
  const std::vector<Half> from = random->Halves(rows * width);
  std::vector<int32_t> indices(count);
  for (int& index : indices) index = random->Below(rows);
  Buffer<Half> device_from(device, from), out(device, count * width);
  Buffer<int32_t> device_indices(device, indices);
  device->kernels().gather({device_from.get(), device_indices.get(), out.get(), count, width},
                           device->stream());
  out.Fetch();
  bool exact = true;
  for (int i = 0; i < count; ++i) {
    exact &=
        std::equal(&out.host[i * width], &out.host[i * width] + width, &from[indices[i] * width]);
  }
  findings->True("gather", exact, "exact");
}

// --- attention ---

// Sequences of random lengths in a pool of random numbers; what lies beyond a sequence is NaN.
struct Cache {
  Cache(Device* device, const PoolShape& the_shape, const std::vector<int>& the_positions,
        Random* random)
      : shape(the_shape), positions(the_positions) {
    const int longest = *std::max_element(positions.begin(), positions.end()) + 1;
    table_width = (longest + kPagePositions - 1) / kPagePositions + 1;
    int pages = 0;
    for (const int position : positions) pages += position / kPagePositions + 1;
    std::vector<int> order(pages + 3);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random->engine());
    std::vector<Half> halves(PageElements(shape) * order.size(), 0xFFFF);
    std::vector<int32_t> table(positions.size() * table_width, 0);
    int next = 0;
    for (size_t s = 0; s < positions.size(); ++s) {
      for (int page = 0; page * kPagePositions <= positions[s]; ++page) {
        table[s * table_width + page] = order[next++];
      }
      for (int layer = 0; layer < shape.layers; ++layer) {
        for (int head = 0; head < shape.kv_heads; ++head) {
          for (int p = 0; p <= positions[s]; ++p) {
            const int page = table[s * table_width + p / kPagePositions];
            const size_t slot = static_cast<size_t>(p % kPagePositions) * shape.head_dim;
            for (int i = 0; i < shape.head_dim; ++i) {
              halves[KeysAt(shape, page, layer, head) + slot + i] = Round(random->Normal());
              halves[ValuesAt(shape, page, layer, head) + slot + i] = Round(random->Normal());
            }
          }
        }
      }
    }
    pool = std::make_unique<Buffer<Half>>(device, halves);
    tables = std::make_unique<Buffer<int32_t>>(device, table);
  }
  double Key(int sequence, int layer, int head, int p, int i) const {
    return Widen(pool->host[KeysAt(shape, Page(sequence, p), layer, head) + Slot(p) + i]);
  }
  double Value(int sequence, int layer, int head, int p, int i) const {
    return Widen(pool->host[ValuesAt(shape, Page(sequence, p), layer, head) + Slot(p) + i]);
  }
  int Page(int sequence, int p) const {
    return tables->host[sequence * table_width + p / kPagePositions];
  }
  size_t Slot(int p) const { return static_cast<size_t>(p % kPagePositions) * shape.head_dim; }

  PoolShape shape;
  std::vector<int> positions;  // the last of each sequence
  int table_width;
  std::unique_ptr<Buffer<Half>> pool;
  std::unique_ptr<Buffer<int32_t>> tables;
};

// One row of one head over positions 0 .. position.
std::vector<double> AttendPlainly(const Cache& cache, int sequence, int layer, int kv_head,
                                  int position, const Half* query, double scale) {
  const int dim = cache.shape.head_dim;
  std::vector<double> scores(position + 1), out(dim, 0);
  double most = -INFINITY, sum = 0;
  for (int p = 0; p <= position; ++p) {
    double score = 0;
    for (int i = 0; i < dim; ++i)
      score += Widen(query[i]) * cache.Key(sequence, layer, kv_head, p, i);
    scores[p] = score * scale;
    most = std::max(most, scores[p]);
  }
  for (int p = 0; p <= position; ++p) {
    const double weight = std::exp(scores[p] - most);
    sum += weight;
    for (int i = 0; i < dim; ++i) out[i] += weight * cache.Value(sequence, layer, kv_head, p, i);
  }
  for (double& value : out) value /= sum;
  return out;
}

struct DecodeRun {
  std::vector<Half> out;
  std::vector<cuda::ChunkItem> items;
};

// Rows in the given order of sequences; -1 is an idle row.
DecodeRun RunDecode(Device* device, const Cache& cache, const std::vector<int>& sequences,
                    const std::vector<Half>& queries, int heads, int layer) {
  const int dim = cache.shape.head_dim, rows = static_cast<int>(sequences.size());
  std::vector<RowInput> inputs(rows);
  std::vector<Half> q(static_cast<size_t>(rows) * heads * dim, 0xFFFF);
  const size_t width = static_cast<size_t>(heads) * dim;
  for (int row = 0; row < rows; ++row) {
    if (sequences[row] < 0) continue;
    inputs[row].position = cache.positions[sequences[row]];
    inputs[row].sequence = sequences[row];
    std::copy_n(&queries[sequences[row] * width], width, &q[row * width]);
  }
  const int longest = *std::max_element(cache.positions.begin(), cache.positions.end());
  const int most_chunks = cuda::ChunksOf(longest);
  const size_t chunks = static_cast<size_t>(rows) * heads * most_chunks;
  Buffer<RowInput> device_rows(device, inputs);
  Buffer<Half> device_q(device, q), out(device, rows * width);
  Buffer<float> sums(device, chunks * dim), greatest(device, chunks), weights(device, chunks);
  Buffer<cuda::ChunkItem> items(device, static_cast<size_t>(rows) * most_chunks);
  Buffer<int32_t> items_count(device, 1);
  Buffer<uint32_t> tickets(device, cache.shape.layers);
  device->kernels().plan_work(
      {device_rows.get(), items.get(), items_count.get(), tickets.get(), rows, cache.shape.layers},
      device->stream());
  cuda::DecodeAttentionArgs args;
  args.rows = device_rows.get();
  args.tables = cache.tables->get();
  args.items = items.get();
  args.items_count = items_count.get();
  args.ticket = tickets.get() + layer;
  args.q = device_q.get();
  args.pool = cache.pool->get();
  args.sums = sums.get();
  args.greatest = greatest.get();
  args.weights = weights.get();
  args.out = out.get();
  args.shape = cache.shape;
  args.count = rows;
  args.heads = heads;
  args.layer = layer;
  args.table_width = cache.table_width;
  args.most_chunks = most_chunks;
  args.blocks = device->decode_blocks(dim);
  args.scale = 1.0F / std::sqrt(static_cast<float>(dim));
  device->kernels().decode_attention(args, device->stream());
  DecodeRun run;
  run.out = out.Fetch();
  run.items = items.Fetch();
  run.items.resize(std::clamp<int>(items_count.Fetch()[0], 0, static_cast<int>(run.items.size())));
  return run;
}

bool ItemsAreRight(const Cache& cache, const std::vector<int>& sequences,
                   const std::vector<cuda::ChunkItem>& items) {
  std::map<std::pair<int, int>, int> seen;
  bool partial_seen = false;
  for (const cuda::ChunkItem& item : items) {
    ++seen[{item.row, item.chunk}];
    if (item.row < 0 || item.row >= static_cast<int>(sequences.size())) return false;
    const bool full =
        (item.chunk + 1) * kChunkPositions <= cache.positions[sequences[item.row]] + 1;
    if (full && partial_seen) return false;
    partial_seen |= !full;
  }
  size_t wanted = 0;
  for (size_t row = 0; row < sequences.size(); ++row) {
    if (sequences[row] < 0) continue;
    for (int chunk = 0; chunk * kChunkPositions <= cache.positions[sequences[row]]; ++chunk) {
      ++wanted;
      if (seen[{static_cast<int>(row), chunk}] != 1) return false;
    }
  }
  return wanted == items.size();
}

void CheckDecode(Device* device, int group, int kv_heads, int dim, const std::vector<int>& lengths,
                 Random* random, Findings* findings) {
  const int heads = group * kv_heads, layers = 2, layer = 1;
  std::vector<int> positions;
  for (const int length : lengths) positions.push_back(length - 1);
  const Cache cache(device, {layers, kv_heads, dim}, positions, random);
  const auto count = static_cast<int>(lengths.size());
  const size_t width = static_cast<size_t>(heads) * dim;
  // Large queries: some rows attend to a few positions, as models do.
  const std::vector<Half> queries = random->Halves(count * width, 1.5);
  std::vector<int> in_order(count);
  std::iota(in_order.begin(), in_order.end(), 0);
  const DecodeRun run = RunDecode(device, cache, in_order, queries, heads, layer);
  std::vector<double> found, wanted;
  double worst = 0;
  for (int s = 0; s < count; ++s) {
    for (int head = 0; head < heads; ++head) {
      const std::vector<double> expected =
          AttendPlainly(cache, s, layer, head / group, positions[s],
                        &queries[s * width + head * dim], 1 / std::sqrt(static_cast<double>(dim)));
      std::vector<double> mine;
      for (int i = 0; i < dim; ++i) mine.push_back(Widen(run.out[s * width + head * dim + i]));
      const double error = RelativeError(mine, expected);
      if (!(error <= worst)) worst = error;
      found.insert(found.end(), mine.begin(), mine.end());
      wanted.insert(wanted.end(), expected.begin(), expected.end());
    }
  }
  const std::string name =
      Format("decode attention, group %d, %d key-value heads of %d, %d to %d positions", group,
             kv_heads, dim, *std::min_element(lengths.begin(), lengths.end()),
             *std::max_element(lengths.begin(), lengths.end()));
  findings->Below(name, RelativeError(found, wanted), kHalfBound);
  // A single head of a few positions may round more; a wrong position would be far off.
  findings->Below(name + ", the worst head", worst, 2e-2);
  findings->True(name + ": its work list", ItemsAreRight(cache, in_order, run.items), "");

  std::vector<int> mixed = {-1};
  for (int s = count - 1; s >= 0; --s) {
    mixed.push_back(s);
    if (s % 3 == 0) mixed.push_back(-1);
  }
  const DecodeRun again = RunDecode(device, cache, mixed, queries, heads, layer);
  bool same = true, idle_zero = true;
  for (size_t row = 0; row < mixed.size(); ++row) {
    for (size_t i = 0; i < width; ++i) {
      const Half here = again.out[row * width + i];
      if (mixed[row] < 0) {
        idle_zero &= here == 0;
      } else {
        same &= here == run.out[mixed[row] * width + i];
      }
    }
  }
  findings->True(name + ": the same bits in another order", same, "");
  findings->True(name + ": idle rows are zeros", idle_zero, "");
}

// The rows of sequences by tiles, cut where a step would be cut.
std::vector<Half> RunPrefill(Device* device, const Cache& cache, const std::vector<int>& firsts,
                             const std::vector<Half>& queries, int heads, int layer, int cut,
                             std::vector<std::pair<int, int>>* places) {
  const int dim = cache.shape.head_dim;
  const size_t width = static_cast<size_t>(heads) * dim;
  std::vector<RowInput> inputs;
  std::vector<cuda::QueryTile> tiles;
  places->clear();
  for (size_t s = 0; s < firsts.size(); ++s) {
    for (int p = firsts[s]; p <= cache.positions[s]; ++p) {
      const bool begins = p == firsts[s] || (p - firsts[s]) % cut == 0;
      if (begins || tiles.back().count == cuda::kQueryTile) {
        tiles.push_back({static_cast<int>(inputs.size()), 0});
      }
      ++tiles.back().count;
      inputs.push_back({0, -1, p, static_cast<int>(s)});
      places->emplace_back(static_cast<int>(s), p);
    }
  }
  Buffer<RowInput> device_rows(device, inputs);
  Buffer<cuda::QueryTile> device_tiles(device, tiles);
  Buffer<Half> device_q(device, queries), out(device, inputs.size() * width);
  cuda::PrefillAttentionArgs args;
  args.rows = device_rows.get();
  args.tables = cache.tables->get();
  args.tiles = device_tiles.get();
  args.q = device_q.get();
  args.pool = cache.pool->get();
  args.out = out.get();
  args.shape = cache.shape;
  args.tiles_count = static_cast<int>(tiles.size());
  args.heads = heads;
  args.layer = layer;
  args.table_width = cache.table_width;
  args.scale = 1.0F / std::sqrt(static_cast<float>(dim));
  device->kernels().prefill_attention(args, device->stream());
  return out.Fetch();
}

void CheckPrefill(Device* device, int group, int kv_heads, int dim,
                  const std::vector<std::pair<int, int>>& ranges, Random* random,
                  Findings* findings) {
  const int heads = group * kv_heads, layer = 0;
  std::vector<int> firsts, positions;
  size_t rows = 0;
  for (const auto& [first, last] : ranges) {
    firsts.push_back(first);
    positions.push_back(last);
    rows += last - first + 1;
  }
  const Cache cache(device, {1, kv_heads, dim}, positions, random);
  const size_t width = static_cast<size_t>(heads) * dim;
  const std::vector<Half> queries = random->Halves(rows * width, 1.5);
  std::vector<std::pair<int, int>> places;
  const std::vector<Half> out =
      RunPrefill(device, cache, firsts, queries, heads, layer, 1 << 20, &places);
  std::vector<double> found, wanted;
  for (size_t row = 0; row < rows; ++row) {
    // The borders of tiles, and some between.
    const int p = places[row].second;
    if (p % 16 != 0 && p % 16 != 15 && row % 11 != 0) continue;
    for (int head = 0; head < heads; ++head) {
      const std::vector<double> expected = AttendPlainly(
          cache, places[row].first, layer, head / group, p, &queries[row * width + head * dim],
          1 / std::sqrt(static_cast<double>(dim)));
      for (int i = 0; i < dim; ++i) {
        found.push_back(Widen(out[row * width + head * dim + i]));
        wanted.push_back(expected[i]);
      }
    }
  }
  const std::string name = Format("prefill attention, group %d, %d key-value heads of %d, %d rows",
                                  group, kv_heads, dim, static_cast<int>(rows));
  findings->Below(name, RelativeError(found, wanted), kHalfBound);
  bool same = true;
  for (const int cut : {1, 7, 50}) {
    same &= RunPrefill(device, cache, firsts, queries, heads, layer, cut, &places) == out;
  }
  findings->True(name + ": the same bits however it is cut", same, "");
}

// --- sampling ---

struct Expected {
  int drawn = -1;
  uint64_t cut = ~uint64_t{0};
  double log_sum = 0;
  std::vector<int> top;
};

// By sorting and adding, in the words of sampler.h.
Expected SamplePlainly(const std::vector<float>& logits, int usable, const DrawInput& draw) {
  std::vector<int> order(usable);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
  Expected expected;
  expected.top.assign(order.begin(), order.begin() + std::min(usable, draw.logprobs));
  const double greatest = logits[order[0]];
  double sum = 0;
  for (int id = 0; id < usable; ++id) sum += std::exp(logits[id] - greatest);
  expected.log_sum = std::log(sum) + greatest;
  expected.drawn = order[0];
  if (draw.inverse_temperature == 0) return expected;
  const auto mass = [&](int id) {
    return static_cast<uint64_t>(std::nearbyint(
        PortableExp((double{logits[id]} - greatest) * draw.inverse_temperature) * 0x1p40));
  };
  if (draw.top_k > 0 && draw.top_k < usable) {
    order.resize(draw.top_k);
    expected.cut = cuda::CutOrder(logits[order.back()], order.back());
  }
  uint64_t total = 0, before = 0;
  for (const int id : order) total += mass(id);
  const auto wanted = static_cast<uint64_t>(std::ceil(draw.top_p * static_cast<double>(total)));
  double best = INFINITY;
  for (const int id : order) {
    if (draw.top_p < 1 && before >= wanted) break;
    const uint64_t own = mass(id);
    before += own;
    if (draw.top_p < 1) expected.cut = cuda::CutOrder(logits[id], id);
    if (own == 0 || static_cast<double>(own) < draw.min_p * 0x1p40) continue;
    const double uniform =
        PhiloxUniform(draw.key, {draw.sample, draw.position, static_cast<uint32_t>(id), 0});
    const double time = -PortableLog(uniform) / static_cast<double>(own);
    if (time < best || (time == best && id < expected.drawn)) {
      best = time;
      expected.drawn = id;
    }
  }
  return expected;
}

std::vector<float> SomeLogits(int kind, int count, Random* random) {
  std::vector<float> logits(count);
  for (int id = 0; id < count; ++id) {
    double value = 3 * random->Normal();
    if (kind == 1) value = 0.01 * random->Normal();                  // flat
    if (kind == 2) value = std::round(2 * random->Normal()) / 2;     // many ties
    if (kind == 3) value = id % 7 == 0 ? -0.0 : 0.0;                 // nothing but ties
    if (kind == 4) value = id == count / 2 ? 30 : random->Normal();  // one peak
    if (kind == 5) value = -1e4 + 1e-3 * random->Normal();           // large and narrow
    if (kind == 6) value = 0.7 * random->Normal();                   // most ids survive top-p
    logits[id] = static_cast<float>(value);
  }
  return logits;
}

void CheckDraws(Device* device, int vocabulary, int padding, Random* random, Findings* findings) {
  const std::vector<DrawInput> plans = [] {
    std::vector<DrawInput> list(8);
    list[0].inverse_temperature = 1 / 0.6;
    list[0].top_p = 0.95;
    list[1].inverse_temperature = 1;
    list[2].inverse_temperature = 0;
    list[3].inverse_temperature = 1 / 0.8;
    list[3].top_k = 20;
    list[3].top_p = 0.8;
    list[3].min_p = 0.02;
    list[4].inverse_temperature = 1;
    list[4].top_k = 3;
    list[5].inverse_temperature = 1 / 1.5;
    list[5].min_p = 0.3;
    list[6].inverse_temperature = 1;
    list[6].top_p = 1e-9;
    list[7].inverse_temperature = 1 / 0.3;
    list[7].top_p = 0.999999;
    list[7].logprobs = 20;
    return list;
  }();
  const int kinds = 7, usable = vocabulary - 1 - vocabulary / 50;
  const int rows = kinds * static_cast<int>(plans.size());
  const size_t stride = static_cast<size_t>(vocabulary) + padding;
  std::vector<float> logits(rows * stride, NAN);  // ids without a token may be anything
  std::vector<DrawInput> draws(rows);
  for (int row = 0; row < rows; ++row) {
    const std::vector<float> some = SomeLogits(row % kinds, vocabulary, random);
    std::copy_n(some.begin(), usable, logits.begin() + static_cast<ptrdiff_t>(row * stride));
    draws[row] = plans[row / kinds];
    draws[row].key = random->engine()();
    draws[row].sample = random->Below(64);
    draws[row].position = random->Below(30000);
    draws[row].draws = 1;
    if (row % 5 == 2) draws[row].logprobs = 1 + random->Below(20);
    if (row % 7 == 3) draws[row].target = random->Below(usable);
  }
  draws[rows - 1].draws = 0;  // an idle row
  draws[rows - 1].target = -1;
  Buffer<float> device_logits(device, logits);
  Buffer<DrawInput> device_draws(device, draws);
  Buffer<RowResult> results(device, rows);
  Buffer<int32_t> drawn(device, rows);
  const cuda::SampleArgs args = {
      device_logits.get(), device_draws.get(), results.get(), drawn.get(), rows, usable, stride};
  device->kernels().sample(args, device->stream());
  results.Fetch();
  drawn.Fetch();
  int wrong = 0, first_wrong = -1;
  double worst = 0;
  bool tops = true;
  for (int row = 0; row + 1 < rows; ++row) {
    const std::vector<float> own(
        logits.begin() + static_cast<ptrdiff_t>(row * stride),
        logits.begin() + static_cast<ptrdiff_t>(row * stride) + vocabulary);
    const Expected expected = SamplePlainly(own, usable, draws[row]);
    const RowResult& result = results.host[row];
    if (result.drawn != expected.drawn || drawn.host[row] != expected.drawn || result.bad != -1 ||
        result.cut != expected.cut) {
      ++wrong;
      if (first_wrong < 0) first_wrong = row;
      continue;
    }
    const auto differ = [&](double found, int id) {
      const double difference = std::abs(found - (double{own[id]} - expected.log_sum));
      if (!(difference <= worst)) worst = difference;
    };
    if (draws[row].logprobs > 0) {
      differ(result.logprob, result.drawn);
      for (size_t i = 0; i < expected.top.size(); ++i) {
        tops &= result.top_ids[i] == expected.top[i];
        differ(result.top_logprobs[i], expected.top[i]);
      }
    }
    if (draws[row].target >= 0) {
      differ(result.target_logprob, draws[row].target);
      DrawInput greedy;
      tops &= (result.target_is_greatest != 0) ==
              (SamplePlainly(own, usable, greedy).drawn == draws[row].target);
    }
  }
  const std::string name = Format("sampling, %d of %d ids", usable, vocabulary);
  findings->True(name, wrong == 0,
                 Format("%d of %d draws are others than the rule's; the first in row %d", wrong,
                        rows, first_wrong));
  findings->True(name + ": most probable ids", tops, "");
  findings->Below(name + ": log-probabilities", worst, 1e-9);
  findings->True(name + ": an idle row is left alone", drawn.host[rows - 1] == -1,  // poisoned
                 Format("%d", drawn.host[rows - 1]));

  std::vector<float> broken(stride, 0.5F);
  broken[usable / 2] = NAN;
  broken[usable - 1] = INFINITY;
  broken[usable] = NAN;  // has no token: does not count
  Buffer<float> device_broken(device, broken);
  DrawInput greedy;
  greedy.draws = 1;
  Buffer<DrawInput> one(device, std::vector<DrawInput>{greedy});
  device->kernels().sample(
      {device_broken.get(), one.get(), results.get(), drawn.get(), 1, usable, stride},
      device->stream());
  results.Fetch();
  findings->True(name + ": a logit that is no number is named",
                 results.host[0].bad == usable / 2 && std::isnan(results.host[0].bad_value) &&
                     drawn.Fetch()[0] == -1,
                 Format("%d", results.host[0].bad));
}

}  // namespace

std::vector<ParityFinding> CheckRowKernels(Device* device, const ParityOptions& options) {
  Random random(options.seed);
  Findings findings;
  CheckNorms(device, 6, 64, &random, &findings);
  CheckNorms(device, 11, 301, &random, &findings);
  CheckNorms(device, 3, 2564, &random, &findings);
  CheckNorms(device, 2, 8196, &random, &findings);
  for (const bool with_norm : {false, true}) {
    CheckRope(device, 4, 2, 32, with_norm, with_norm, &random, &findings);
    CheckRope(device, 6, 1, 64, true, with_norm, &random, &findings);
    CheckRope(device, 3, 3, 96, false, with_norm, &random, &findings);
    CheckRope(device, 14, 2, 128, !with_norm, with_norm, &random, &findings);
  }
  CheckSwiglu(device, 5, 320, &random, &findings);
  CheckSwiglu(device, 5, 333, &random, &findings);
  if (options.large) {
    CheckNorms(device, 256, 3584, &random, &findings);
    CheckSwiglu(device, 256, 18944, &random, &findings);
  }
  CheckGather(device, &random, &findings);
  return findings.Take(device);
}

std::vector<ParityFinding> CheckDecodeAttention(Device* device, const ParityOptions& options) {
  Random random(options.seed + 1);
  Findings findings;
  // Around every border: 16 positions of a warp, a page, a chunk.
  const std::vector<int> borders = {1,  2,  15,  16,  17,  33,  48,  49,   63,  64,
                                    65, 81, 127, 191, 511, 512, 513, 1024, 1057};
  for (int group = 1; group <= 8; ++group) {
    const int dims[] = {32, 64, 96, 128};
    CheckDecode(device, group, 1 + group % 2, dims[group % 4],
                group == 3 ? borders : std::vector<int>{1, 40 + group, 64 * group, 600 + group},
                &random, &findings);
  }
  if (options.large) {
    for (const int group : {4, 5, 6, 7}) {
      std::vector<int> lengths;
      for (int i = 0; i < 12; ++i) lengths.push_back(1 + random.Below(9000));
      CheckDecode(device, group, 4, 128, lengths, &random, &findings);
    }
    CheckDecode(device, 7, 4, 128, borders, &random, &findings);
    CheckDecode(device, 6, 2, 64, borders, &random, &findings);
  }
  return findings.Take(device);
}

std::vector<ParityFinding> CheckPrefillAttention(Device* device, const ParityOptions& options) {
  Random random(options.seed + 2);
  Findings findings;
  CheckPrefill(device, 2, 1, 32, {{0, 0}, {0, 15}, {0, 129}, {60, 70}, {64, 130}}, &random,
               &findings);
  CheckPrefill(device, 3, 1, 64, {{0, 65}, {190, 200}}, &random, &findings);
  CheckPrefill(device, 1, 2, 96, {{0, 16}, {127, 128}}, &random, &findings);
  CheckPrefill(device, 7, 1, 128, {{0, 40}, {63, 64}}, &random, &findings);
  if (options.large) {
    CheckPrefill(device, 7, 4, 128, {{0, 300}, {1000, 1100}, {512, 700}}, &random, &findings);
    CheckPrefill(device, 6, 2, 128, {{0, 511}, {2000, 2063}}, &random, &findings);
  }
  return findings.Take(device);
}

std::vector<ParityFinding> CheckSampling(Device* device, const ParityOptions& options) {
  Random random(options.seed + 3);
  Findings findings;
  // Rows that begin on 16 bytes, and rows that do not.
  for (const auto& [vocabulary, padding] :
       {std::pair(37, 3), {600, 3}, {5000, 4}, {5002, 3}, {12000, 0}}) {
    CheckDraws(device, vocabulary, padding, &random, &findings);
  }
  if (options.large) CheckDraws(device, 151936, 0, &random, &findings);
  return findings.Take(device);
}

std::vector<ParityFinding> CheckProducts(Device* device, const ParityOptions& options) {
  Random random(options.seed + 4);
  Findings findings;
  std::vector<cuda::ProductShape> shapes = {
      {16, 64, 96, false}, {16, 96, 128, true}, {64, 128, 520, false}};
  if (options.large) {
    shapes.push_back({256, 3584, 4608, false});
    shapes.push_back({256, 1536, 2 * 8960, true});
    shapes.push_back({1, 3584, 3584, false});
    // Long inner dimensions, whose products are split into parts.
    for (const int rows : {1, 16, 64, 256}) {
      shapes.push_back({rows, 8960, 1536, false});
      shapes.push_back({rows, 18944, 3584, false});
    }
    shapes.push_back({64, 3584, 3584, false});
  }
  for (const cuda::ProductShape& shape : shapes) {
    const std::vector<Half> weights = random.Halves(static_cast<size_t>(shape.out) * shape.in);
    const std::vector<Half> x = random.Halves(static_cast<size_t>(shape.rows) * shape.in);
    Buffer<Half> device_weights(device, weights), device_x(device, x);
    const size_t size = static_cast<size_t>(shape.rows) * shape.out;
    Buffer<float> floats(device, size);
    Buffer<Half> halves(device, size);
    void* y = shape.half_out ? static_cast<void*>(halves.get()) : floats.get();
    device->Prepare(shape);
    device->Multiply(shape, device_weights.get(), device_x.get(), y);
    floats.Fetch();
    halves.Fetch();
    const auto result = [&](size_t at) {
      return shape.half_out ? double{Widen(halves.host[at])} : double{floats.host[at]};
    };
    std::vector<double> found, wanted;
    for (int i = 0; i < 4000; ++i) {
      const int row = random.Below(shape.rows), out = random.Below(shape.out);
      double sum = 0;
      for (int k = 0; k < shape.in; ++k) {
        sum += double{Widen(x[static_cast<size_t>(row) * shape.in + k])} *
               Widen(weights[static_cast<size_t>(out) * shape.in + k]);
      }
      found.push_back(result(static_cast<size_t>(row) * shape.out + out));
      wanted.push_back(sum);
    }
    const std::string name = Format("product, %d rows, %d to %d%s", shape.rows, shape.in, shape.out,
                                    shape.half_out ? ", bf16" : "");
    // What float32 loses grows with the length of a sum.
    const double bound = 1e-5 * std::sqrt(std::max(1.0, shape.in / 4096.0));
    findings.Below(name, RelativeError(found, wanted), shape.half_out ? kHalfBound : bound);
    // The rows in reverse: each has the bits that it had.
    std::vector<double> before(size);
    for (size_t at = 0; at < size; ++at) before[at] = result(at);
    for (int row = 0; row < shape.rows; ++row) {
      std::copy_n(&x[static_cast<size_t>(shape.rows - 1 - row) * shape.in], shape.in,
                  &device_x.host[static_cast<size_t>(row) * shape.in]);
    }
    device_x.Send();
    device->Multiply(shape, device_weights.get(), device_x.get(), y);
    floats.Fetch();
    halves.Fetch();
    bool same = true;
    for (int row = 0; row < shape.rows; ++row) {
      for (int out = 0; out < shape.out; ++out) {
        same &= result(static_cast<size_t>(row) * shape.out + out) ==
                before[static_cast<size_t>(shape.rows - 1 - row) * shape.out + out];
      }
    }
    findings.True(name + ": a row's bits in another place", same, "");
  }
  return findings.Take(device);
}

std::vector<ParityFinding> CheckAllKernels(Device* device, const ParityOptions& options) {
  std::vector<ParityFinding> all;
  for (const auto check : {CheckRowKernels, CheckDecodeAttention, CheckPrefillAttention,
                           CheckSampling, CheckProducts}) {
    for (ParityFinding& finding : check(device, options)) all.push_back(std::move(finding));
  }
  return all;
}

}  // namespace assay
