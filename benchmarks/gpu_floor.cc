// Times are of a queue of many launches, from before the first to after the last: medians of five.
#include "benchmarks/gpu_floor.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>

namespace assay {
namespace {

using cuda::Device;
using cuda::Half;
using cuda::ModelShape;
using cuda::StepShape;

constexpr size_t kGigabyte = size_t{1} << 30;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds of one call: the median of five series.
double Time(Device* device, int calls, const std::function<void()>& call) {
  for (int i = 0; i < 3; ++i) call();  // loading, recording
  device->Wait();
  std::vector<double> seconds;
  for (int series = 0; series < 5 && device->error().empty(); ++series) {
    const double begin = Now();
    for (int i = 0; i < calls; ++i) call();
    device->Wait();
    seconds.push_back((Now() - begin) / calls);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds.empty() ? NAN : seconds[seconds.size() / 2];
}

Half RoundToHalf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<Half>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// A large stock of normal numbers; matrices are cut from it at changing places.
const std::vector<float>& Normals() {
  static const auto* normals = [] {
    auto* values = new std::vector<float>(size_t{1} << 22);
    std::mt19937_64 random(7);
    std::normal_distribution<float> normal;
    for (float& value : *values) value = normal(random);
    return values;
  }();
  return *normals;
}
class Stock {
 public:
  // Stocks begin at different places: no two matrices are multiples of each other.
  explicit Stock(float deviation, size_t place = 0) : place_(place) {
    for (const float value : Normals()) halves_.push_back(RoundToHalf(value * deviation));
  }
  void Copy(char* to, size_t bytes) {
    while (bytes > 0) {
      place_ = (place_ + 1000003) % (halves_.size() / 2);
      const size_t some = std::min(bytes, (halves_.size() / 2) * sizeof(Half));
      std::memcpy(to, halves_.data() + place_, some);
      to += some;
      bytes -= some;
    }
  }

 private:
  std::vector<Half> halves_;
  size_t place_;
};

// Device memory that is given back.
class Memory {
 public:
  Memory(Device* device, size_t bytes) : device_(device), memory_(device->Allocate(bytes)) {}
  ~Memory() {
    device_->Wait();
    if (memory_ != nullptr) device_->Free(memory_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  template <typename T>
  T* as() const {
    return static_cast<T*>(memory_);
  }
  explicit operator bool() const { return memory_ != nullptr; }

 private:
  Device* device_;
  void* memory_;
};

// Fills device memory with random halves, through pinned memory.
void FillRandom(Device* device, void* to, size_t bytes, Stock* stock) {
  const size_t piece = size_t{64} << 20;
  void* pinned = device->AllocatePinned(piece);
  if (pinned == nullptr) return;
  stock->Copy(static_cast<char*>(pinned), std::min(piece, bytes));
  for (size_t begin = 0; begin < bytes; begin += piece) {
    device->ToDevice(static_cast<char*>(to) + begin, pinned, std::min(piece, bytes - begin));
  }
  device->Wait();
  device->FreePinned(pinned);
}

std::string Format(const char* format, double a = 0, double b = 0, double c = 0, double d = 0) {
  char text[300];
  std::snprintf(text, sizeof(text), format, a, b, c, d);
  return text;
}

}  // namespace

GpuCeilings MeasureCeilings(Device* device) {
  GpuCeilings ceilings;
  Stock stock(1);
  {
    const size_t bytes = std::min(4 * kGigabyte, device->facts().free_bytes / 4);
    const Memory from(device, bytes), to(device, bytes);
    if (from && to) {
      FillRandom(device, from.as<void>(), bytes, &stock);
      const double seconds =
          Time(device, 10, [&] { device->Copy(to.as<void>(), from.as<void>(), bytes); });
      ceilings.copy_bytes_per_second = 2 * static_cast<double>(bytes) / seconds;
    }
  }
  const int size = 8192;
  const size_t elements = static_cast<size_t>(size) * size;
  const Memory weights(device, elements * 2), x(device, elements * 2), y(device, elements * 2);
  if (weights && x && y) {
    FillRandom(device, weights.as<void>(), elements * 2, &stock);
    FillRandom(device, x.as<void>(), elements * 2, &stock);
    const double seconds = Time(device, 10, [&] {
      device->Multiply({size, size, size, true}, weights.as<Half>(), x.as<Half>(), y.as<void>());
    });
    ceilings.flops = 2.0 * size * size * size / seconds;
  }
  return ceilings;
}

NamedShape ShapeNamed(const std::string& name, int layers) {
  ModelShape shape;
  shape.head_dim = 128;
  shape.epsilon = 1e-6F;
  shape.qkv_bias = true;
  if (name == "1.5B") {  // Qwen2.5-1.5B, R1-Distill-Qwen-1.5B
    shape.hidden = 1536, shape.layers = 28, shape.heads = 12, shape.kv_heads = 2;
    shape.ffn = 8960, shape.vocabulary = 151936;
  } else if (name == "7B") {  // Qwen2.5-7B, R1-Distill-Qwen-7B
    shape.hidden = 3584, shape.layers = 28, shape.heads = 28, shape.kv_heads = 4;
    shape.ffn = 18944, shape.vocabulary = 152064;
  } else {  // Llama-3.1-8B, R1-Distill-Llama-8B
    shape.hidden = 4096, shape.layers = 32, shape.heads = 32, shape.kv_heads = 8;
    shape.ffn = 14336, shape.vocabulary = 128256, shape.qkv_bias = false;
  }
  if (layers > 0) shape.layers = layers;
  shape.usable = shape.vocabulary;
  return {name, shape};
}

double DecodeFloor(const ModelShape& model, int rows, int context, const GpuCeilings& ceilings) {
  const auto product = [&](double in, double out) {
    return std::max(2 * in * out / ceilings.copy_bytes_per_second,
                    2 * in * out * rows / ceilings.flops);
  };
  const double layer = product(model.hidden, model.qkv_width()) +
                       product(model.q_width(), model.hidden) +
                       product(model.hidden, 2.0 * model.ffn) + product(model.ffn, model.hidden);
  const double cache = 2.0 * model.layers * model.kv_heads * model.head_dim * 2 *
                       static_cast<double>(rows) * context;
  const double logits = 3.0 * 4 * rows * model.vocabulary;
  return model.layers * layer + product(model.hidden, model.vocabulary) +
         (cache + logits) / ceilings.copy_bytes_per_second;
}

double PrefillFlops(const ModelShape& model, int tokens, int context) {
  const double layer = static_cast<double>(model.hidden) * model.qkv_width() +
                       static_cast<double>(model.q_width()) * model.hidden +
                       3.0 * model.hidden * model.ffn;
  // Attention: each token against half of the context on average, keys and values.
  const double attention = 2.0 * model.q_width() * context / 2;
  return 2.0 * tokens * model.layers * (layer + attention);
}

std::unique_ptr<cuda::Model> MakeRandomModel(Device* device, const ModelShape& shape,
                                             const StepShape& step, std::string* error) {
  std::unique_ptr<cuda::Model> model = cuda::Model::Make(device, shape, step, error);
  if (model == nullptr) return nullptr;
  const auto fill_halves = [&](Half* to, size_t count, Stock* stock) {
    model->Load(to, count * sizeof(Half),
                [&](char* piece, size_t, size_t bytes) { stock->Copy(piece, bytes); });
  };
  const auto fill_floats = [&](float* to, size_t count, const std::function<float(size_t)>& value) {
    if (to == nullptr) return;
    model->Load(to, count * sizeof(float), [&](char* piece, size_t begin, size_t bytes) {
      for (size_t i = 0; i < bytes / sizeof(float); ++i) {
        const float number = value(begin / sizeof(float) + i);
        std::memcpy(piece + i * sizeof(float), &number, sizeof(number));
      }
    });
  };
  const auto one = [](size_t i) { return 1 + 0.05F * Normals()[i % Normals().size()]; };
  const auto small = [](size_t i) { return 0.2F * Normals()[(i + 99) % Normals().size()]; };
  const auto hidden = static_cast<size_t>(shape.hidden), ffn = static_cast<size_t>(shape.ffn);
  const auto q = static_cast<size_t>(shape.q_width()), qkv = static_cast<size_t>(shape.qkv_width());
  Stock by_hidden(1 / std::sqrt(static_cast<float>(hidden)));
  Stock by_q(1 / std::sqrt(static_cast<float>(q)), 100003);
  Stock by_ffn(1 / std::sqrt(static_cast<float>(ffn)), 200003);
  Stock for_head(2.5F / std::sqrt(static_cast<float>(hidden)), 300007), for_embedding(1, 500009);
  const cuda::Model::Weights& weights = model->weights();
  const size_t words = static_cast<size_t>(shape.vocabulary) * hidden;
  fill_halves(weights.embedding, words, &for_embedding);
  if (weights.head != weights.embedding) fill_halves(weights.head, words, &for_head);
  fill_floats(weights.final_norm, hidden, one);
  const size_t half = static_cast<size_t>(shape.head_dim) / 2;
  const auto angle = [&](size_t i) {
    const double frequency = std::pow(10000.0, -static_cast<double>(i % half) / half);
    return static_cast<double>(i / half) * frequency;
  };
  const size_t angles = static_cast<size_t>(step.max_positions) * half;
  fill_floats(weights.cos, angles,
              [&](size_t i) { return static_cast<float>(std::cos(angle(i))); });
  fill_floats(weights.sin, angles,
              [&](size_t i) { return static_cast<float>(std::sin(angle(i))); });
  for (const cuda::Model::Layer& layer : weights.layers) {
    fill_halves(layer.qkv, qkv * hidden, &by_hidden);
    fill_halves(layer.o, hidden * q, &by_q);
    fill_halves(layer.gate_up, 2 * ffn * hidden, &by_hidden);
    fill_halves(layer.down, hidden * ffn, &by_ffn);
    fill_floats(layer.input_norm, hidden, one);
    fill_floats(layer.post_norm, hidden, one);
    fill_floats(layer.qkv_bias, qkv, small);
    fill_floats(layer.o_bias, hidden, small);
    fill_floats(layer.q_norm, shape.head_dim, one);
    fill_floats(layer.k_norm, shape.head_dim, one);
  }
  if (!device->error().empty()) {
    *error = device->error();
    return nullptr;
  }
  return model;
}

void FillPool(cuda::Model* model) {
  Stock stock(1);
  FillRandom(model->device(), model->pool(), model->page_bytes() * model->steps().pages, &stock);
}

std::string FigureLine(const GpuFigure& figure) {
  std::string line = Format("%12.1f ", figure.value) + figure.unit;
  line.resize(std::max<size_t>(line.size(), 26), ' ');
  std::string share = figure.share > 0 ? Format("%5.1f %%", 100 * figure.share) : "";
  if (figure.goal > 0) {
    const double reached = figure.share > 0 ? figure.share : figure.value;
    share += figure.share > 0 ? Format(" (goal %.0f %%)", 100 * figure.goal)
                              : Format(" (goal %.0f)", figure.goal);
    share += reached >= figure.goal ? " reached" : " MISSED";
  }
  share.resize(std::max<size_t>(share.size(), 30), ' ');
  std::string what = figure.what;
  what.resize(std::max<size_t>(what.size(), 52), ' ');
  return what + line + share + figure.beside;
}

void BenchAttention(Device* device, const GpuCeilings& ceilings, const std::string& only,
                    const OnFigure& on_figure) {
  Stock stock(1);
  constexpr int kRows = 256, kDim = 128, kLayers = 28;
  for (const auto& [group, kv_heads] : {std::pair(4, 8), {5, 8}, {6, 2}, {7, 4}}) {
    for (const int context : {2048, 8192}) {
      const cuda::PoolShape shape = {1, kv_heads, kDim};
      const int heads = group * kv_heads, width = context / cuda::kPagePositions;
      const int chunks = cuda::ChunksOf(context - 1);
      const size_t pool_bytes = PageElements(shape) * sizeof(Half) * kRows * width;
      const std::string what =
          "attention, group " + std::to_string(group) + ", 256 rows at " + std::to_string(context);
      if (what.find(only) == std::string::npos) continue;
      const size_t sums = static_cast<size_t>(kRows) * heads * chunks;
      const Memory pool(device, pool_bytes), q(device, sizeof(Half) * kRows * heads * kDim),
          out(device, sizeof(Half) * kRows * heads * kDim), tables(device, 4UL * kRows * width),
          rows(device, sizeof(cuda::RowInput) * kRows), values(device, sums * kDim * 4),
          greatest(device, sums * 4), weights(device, sums * 4),
          items(device, sizeof(cuda::ChunkItem) * kRows * chunks), count(device, 4),
          tickets(device, 4UL * kLayers);
      if (!pool || !q || !out || !values || !tickets) {
        on_figure({what, 0, "", 0, 0, "left out: it does not fit"});
        continue;
      }
      FillRandom(device, pool.as<void>(), pool_bytes, &stock);
      FillRandom(device, q.as<void>(), sizeof(Half) * kRows * heads * kDim, &stock);
      void* pinned = device->AllocatePinned(4UL * kRows * width + sizeof(cuda::RowInput) * kRows);
      auto* table = static_cast<int32_t*>(pinned);
      auto* inputs = reinterpret_cast<cuda::RowInput*>(table + kRows * width);
      std::vector<int> order(static_cast<size_t>(kRows) * width);
      for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
      std::shuffle(order.begin(), order.end(), std::mt19937(3));  // as a pool in use is
      std::copy(order.begin(), order.end(), table);
      for (int row = 0; row < kRows; ++row) inputs[row] = {0, -1, context - 1, row};
      device->ToDevice(tables.as<void>(), table, 4UL * kRows * width);
      device->ToDevice(rows.as<void>(), inputs, sizeof(cuda::RowInput) * kRows);
      device->Wait();
      device->FreePinned(pinned);
      cuda::DecodeAttentionArgs args;
      args.rows = rows.as<cuda::RowInput>();
      args.tables = tables.as<int32_t>();
      args.items = items.as<cuda::ChunkItem>();
      args.items_count = count.as<int32_t>();
      args.q = q.as<Half>();
      args.pool = pool.as<Half>();
      args.sums = values.as<float>();
      args.greatest = greatest.as<float>();
      args.weights = weights.as<float>();
      args.out = out.as<Half>();
      args.shape = shape;
      args.count = kRows;
      args.heads = heads;
      args.table_width = width;
      args.most_chunks = chunks;
      args.blocks = device->decode_blocks(kDim);
      args.scale = 1.0F / std::sqrt(static_cast<float>(kDim));
      // As a step does: planned once, then layer after layer (all on the same cache, which is many
      // times the second-level cache).
      const double step = Time(device, 3, [&] {
        device->kernels().plan_work({args.rows, items.as<cuda::ChunkItem>(), count.as<int32_t>(),
                                     tickets.as<uint32_t>(), kRows, kLayers},
                                    device->stream());
        for (int layer = 0; layer < kLayers; ++layer) {
          args.ticket = tickets.as<uint32_t>() + layer;
          device->kernels().decode_attention(args, device->stream());
        }
      });
      const double seconds = step / kLayers;
      const double rate = static_cast<double>(pool_bytes) / seconds;
      on_figure({what, rate / 1e9, "GB/s", rate / ceilings.copy_bytes_per_second, 0.85,
                 Format("of the copy bandwidth; %.3f ms a layer, chunks combined", seconds * 1e3)});
    }
  }
}

namespace {

// One decode step with all rows at `context`, tokens staying on the device.
double TimeDecode(cuda::Model* model, int rows, int context) {
  const int width = (context + cuda::kPagePositions - 1) / cuda::kPagePositions;
  std::vector<std::vector<int>> pages(rows);
  std::vector<cuda::PageList> lists;
  std::vector<cuda::RowInput> inputs;
  std::vector<cuda::DrawInput> draws(rows);
  std::vector<int> order(static_cast<size_t>(rows) * width);
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  std::shuffle(order.begin(), order.end(), std::mt19937(3));
  for (int row = 0; row < rows; ++row) {
    pages[row].assign(order.begin() + static_cast<ptrdiff_t>(row) * width,
                      order.begin() + static_cast<ptrdiff_t>(row + 1) * width);
    lists.emplace_back(pages[row]);
    inputs.push_back({row, -1, context - 1, row});
    draws[row].key = 1;
    draws[row].sample = static_cast<uint32_t>(row);
    draws[row].position = static_cast<uint32_t>(context);
    draws[row].inverse_temperature = 1 / 0.6;
    draws[row].top_p = 0.95;
    draws[row].draws = 1;
  }
  std::vector<cuda::RowResult> results(rows);
  const auto begin = [&] { model->BeginDecode({inputs, draws, lists, {}}); };
  // Two steps under way, as the scheduler has them.
  begin();
  const double seconds = Time(model->device(), 16, [&] {
    begin();
    model->FinishDecode(results);
  });
  model->FinishDecode(results);
  return seconds;
}

double TimePrefill(cuda::Model* model, int context) {
  const int rows = model->steps().prefill_rows;
  std::vector<int> pages(static_cast<size_t>(context) / cuda::kPagePositions + 1);
  for (size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<int>(i);
  const std::vector<cuda::PageList> lists = {pages};
  std::vector<cuda::DrawInput> draws(rows);
  std::vector<cuda::RowResult> results(rows);
  // The whole prompt, chunk by chunk.
  return Time(model->device(), 1, [&] {
    for (int first = 0; first < context; first += rows) {
      std::vector<cuda::RowInput> inputs;
      for (int i = 0; i < rows; ++i) inputs.push_back({i, -1, first + i, 0});
      model->Prefill({inputs, draws, lists, {}}, results, {});
    }
  });
}

}  // namespace

void BenchSteps(Device* device, const GpuCeilings& ceilings, const std::string& only,
                const OnFigure& on_figure) {
  struct Cell {
    int rows, context;
    double goal_tokens;  // on an H200, from the issue; 0: none
  };
  const auto bench = [&](const std::string& name, const std::vector<Cell>& cells) {
    const ModelShape shape = ShapeNamed(name).model;
    for (const Cell& cell : cells) {
      const std::string what = name + ", decode, " + std::to_string(cell.rows) + " rows at " +
                               std::to_string(cell.context);
      const std::string prefill_what = name + ", prefill of " + std::to_string(cell.context);
      const bool decodes = what.find(only) != std::string::npos;
      const bool prefills = cell.rows == 1 && prefill_what.find(only) != std::string::npos;
      if (!decodes && !prefills) continue;
      StepShape step = {cell.rows, 1024, 0, cell.context + 64, false};
      step.pages = cell.rows * ((cell.context + 63) / 64);
      std::string error;
      const std::unique_ptr<cuda::Model> model = MakeRandomModel(device, shape, step, &error);
      if (model == nullptr) {
        on_figure({what, 0, "", 0, 0, "left out: " + error});
        if (!device->error().empty()) return;
        continue;
      }
      FillPool(model.get());
      const bool alone = cell.rows == 1;
      const double seconds = decodes ? TimeDecode(model.get(), cell.rows, cell.context) : 0;
      const double floor = DecodeFloor(shape, cell.rows, cell.context, ceilings);
      const std::string beside =
          Format("of the floor; %.2f ms a step, floor %.2f ms", seconds * 1e3, floor * 1e3) +
          (cell.goal_tokens > 0 ? Format("; an H200's goal is %.0f tokens/s", cell.goal_tokens)
                                : "");
      if (decodes) {
        on_figure(
            {what, cell.rows / seconds, "tokens/s", floor / seconds, alone ? 0.75 : 0.8, beside});
      }
      if (!prefills) continue;
      const double prefill = TimePrefill(model.get(), cell.context);
      const double rate = PrefillFlops(shape, cell.context, cell.context) / prefill;
      on_figure({prefill_what, cell.context / prefill, "tokens/s", rate / ceilings.flops, 0.5,
                 "of the measured matrix rate"});
    }
  };
  bench("1.5B", {{1, 2048, 0}, {64, 2048, 0}, {256, 2048, 44000}, {256, 8192, 0}});
  bench("7B", {{1, 2048, 228}, {64, 2048, 0}, {256, 2048, 17500}, {256, 8192, 6200}});
  bench("8B", {{1, 2048, 0}, {256, 2048, 0}});
}

std::string RunForProfiler(Device* device, const std::string& name, int layers, int rows,
                           int context) {
  const ModelShape shape = ShapeNamed(name, layers).model;
  StepShape step = {std::max(rows, 1), 1024, 0, context + 64, false};
  step.pages = std::max(rows, 1) * ((context + 63) / 64) + 1;
  std::string error;
  const std::unique_ptr<cuda::Model> model = MakeRandomModel(device, shape, step, &error);
  if (model == nullptr) return error;
  FillPool(model.get());
  if (rows > 0) {
    TimeDecode(model.get(), rows, context);
  } else {
    TimePrefill(model.get(), context);
  }
  return device->error();
}

}  // namespace assay
