// How fast the embedded engine is: tokens per second, loading, memory, against what the machine
// gives in the same minute.
//
// usage: engine_bench [demo] [half] [load] [--flight N] [--threads N] [--dir DIR]
//        --flight: of half, only so many in flight; the checkpoint stays in DIR for the next time
//        engine_bench --device cuda [run]     on a GPU (gpu_run.h); run: only the part end to end
//
// Random weights in the demo checkpoint's shape and in Qwen2.5-0.5B's. Every figure stands beside a
// ceiling measured in the same process just before it (memory bandwidth, bf16 products), since
// machines are shared: the ratio is what can be compared between days.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "benchmarks/gpu_run.h"
#include "harness/json.h"
#include "harness/status.h"
#include "inference/engine/checkpoint.h"
#include "inference/engine/cpu.h"
#include "inference/engine/matmul.h"
#include "inference/engine/scheduler.h"
#include "inference/engine/team.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

// --- a checkpoint with random weights ---

struct ModelShape {
  const char* name;
  int hidden, layers, heads, kv_heads, ffn, vocabulary, positions;
};
constexpr ModelShape kDemo = {"demo", 128, 6, 4, 2, 384, 512, 1024};
constexpr ModelShape kHalf = {"half", 896, 24, 14, 2, 4864, 151936, 4096};

ModelConfig ConfigOf(const std::string& text) {
  absl::StatusOr<ModelConfig> config = ParseModelConfig(text, "config.json");
  CHECK(config.ok());
  return *std::move(config);
}

// Normal enough: the sum of four uniforms, standard deviation `deviation`, as bf16.
class Noise {
 public:
  uint16_t Next(float deviation) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    const auto sum =
        static_cast<float>(static_cast<int64_t>((state_ & 0xFFFF) + (state_ >> 16 & 0xFFFF) +
                                                (state_ >> 32 & 0xFFFF) + (state_ >> 48)) -
                           131070);
    const float value = sum / 37837.0F * deviation;
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return static_cast<uint16_t>(bits >> 16);
  }

 private:
  uint64_t state_ = 0x9E3779B97F4A7C15;
};

void WriteCheckpoint(const ModelShape& shape, const std::string& directory) {
  std::filesystem::create_directories(directory);
  Json json = Json::MakeObject({{"model_type", "qwen2"},
                                {"hidden_size", shape.hidden},
                                {"num_hidden_layers", shape.layers},
                                {"num_attention_heads", shape.heads},
                                {"num_key_value_heads", shape.kv_heads},
                                {"intermediate_size", shape.ffn},
                                {"vocab_size", shape.vocabulary},
                                {"max_position_embeddings", shape.positions},
                                {"rms_norm_eps", 1e-6},
                                {"rope_theta", 1e6},
                                {"hidden_act", "silu"},
                                {"tie_word_embeddings", true},
                                {"torch_dtype", "bfloat16"}});
  const std::string text = json.Dump(1);
  std::ofstream(directory + "/config.json") << text;
  Json header = Json::MakeObject();
  int64_t offset = 0;
  const std::vector<TensorShape> tensors = ExpectedTensors(ConfigOf(text));
  for (const TensorShape& tensor : tensors) {
    int64_t bytes = 2;
    Json extents = Json::MakeArray(), offsets = Json::MakeArray();
    for (const int64_t extent : tensor.shape) {
      bytes *= extent;
      extents.Append(extent);
    }
    offsets.Append(offset);
    offsets.Append(offset += bytes);
    header.Set(
        tensor.name,
        Json::MakeObject({{"dtype", "BF16"}, {"shape", extents}, {"data_offsets", offsets}}));
  }
  std::string head = header.Dump();
  head.resize((head.size() + 7) / 8 * 8, ' ');
  const uint64_t length = head.size();
  std::ofstream file(directory + "/model.safetensors", std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), sizeof(length));
  file << head;
  Noise noise;
  std::vector<uint16_t> block;
  for (const TensorShape& tensor : tensors) {
    int64_t left = 1;
    for (const int64_t extent : tensor.shape) left *= extent;
    const bool is_norm = tensor.name.ends_with("norm.weight");
    // A tied head of this width gives a sampling entropy of a few nats, as text does.
    const bool is_embedding = tensor.name.find("embed") != std::string::npos;
    const float deviation = is_embedding
                                ? 2.5F / std::sqrt(static_cast<float>(shape.hidden))
                                : 1.0F / std::sqrt(static_cast<float>(tensor.shape.back()));
    while (left > 0) {
      block.resize(std::min<int64_t>(left, 1 << 20));
      for (uint16_t& word : block) word = is_norm ? 0x3F80 : noise.Next(deviation);
      file.write(reinterpret_cast<const char*>(block.data()),
                 static_cast<std::streamsize>(block.size() * 2));
      left -= static_cast<int64_t>(block.size());
    }
  }
  CHECK(file.good());
}

// --- ceilings ---

// Bytes per second that all threads together read from memory, best of five.
double MeasureBandwidth(int threads) {
  const size_t words = (size_t{512} << 20) / 8;
  std::vector<uint64_t> memory(words, 1);
  Team team(threads);
  std::atomic<uint64_t> sink{0};
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto begin = Clock::now();
    constexpr int kPieces = 64;
    team.ForEach(kPieces, [&](int, int piece) {
      const size_t from = words / kPieces * piece, to = from + words / kPieces;
      uint64_t sums[16] = {};
      for (size_t i = from; i + 16 <= to; i += 16) {
        for (int lane = 0; lane < 16; ++lane) sums[lane] += memory[i + lane];
      }
      for (const uint64_t sum : sums) sink += sum;
    });
    best = std::max(best, static_cast<double>(words * 8) / Seconds(begin));
  }
  return sink > 0 ? best : 0;
}

// Floating-point operations per second of products with a matrix of 2048 x 2048, best of five.
double MeasureProducts(int threads, NumberFormat format) {
  std::vector<uint16_t> weights(size_t{2048} * 2048);
  Noise noise;
  for (uint16_t& weight : weights) weight = noise.Next(1);
  Tensor tensor;
  tensor.dtype = Dtype::kBf16;
  tensor.shape = {2048, 2048};
  tensor.bytes = {reinterpret_cast<const char*>(weights.data()), weights.size() * 2};
  const auto matrix = PackedMatrix::Prepare({&tensor}, format);
  for (int chunk = 0; chunk < matrix->chunks(); ++chunk) matrix->FillChunk(chunk);
  constexpr int kRows = 256;
  std::vector<float> x(size_t{kRows} * 2048, 0), y(size_t{kRows} * 2048);
  Team team(threads);
  std::vector<std::unique_ptr<MatmulThread>> workers;
  for (int i = 0; i < threads; ++i) workers.push_back(std::make_unique<MatmulThread>());
  double best = 0;
  for (int round = 0; round < 6; ++round) {
    const auto begin = Clock::now();
    constexpr int kTimes = 20;
    for (int i = 0; i < kTimes; ++i) {
      team.ForEach(matrix->chunks(), [&](int member, int chunk) {
        workers[member]->Multiply(*matrix, chunk, x.data(), kRows, y.data());
      });
    }
    if (round > 0) best = std::max(best, kTimes * 2.0 * kRows * 2048 * 2048 / Seconds(begin));
  }
  return best;
}

double MemoryGigabytes(const char* field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field))
      return std::strtod(line.c_str() + std::strlen(field) + 1, nullptr) * 1024 / 1e9;
  }
  return 0;
}

// --- the engine ---

// CPU time of all our threads, those that spin included.
double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Speed {
  double tokens_per_second = 0;
  double step_seconds = 0;
  double cpu_step_seconds = 0;  // CPU time of a step: what it would take on an idle machine, times
                                // the threads
};

// `samples` in flight of one prompt of `prompt` tokens, for at least `steps` decode steps; the
// median step of all but the first few.
Speed MeasureDecode(ModelRunner* runner, int samples, int prompt, int steps) {
  Scheduler scheduler(runner, [](FinishedSample) {});
  GroupRequest group;
  for (int i = 0; i < prompt; ++i) group.prompt.push_back(i * 37 % 500);
  for (int i = 0; i < samples; ++i) group.samples.push_back(i);
  group.plan = {.temperature = 0.6, .top_p = 0.95};
  group.max_tokens = steps + 8;
  CHECK(scheduler.Submit(group).ok());
  std::vector<double> seconds, cpu_seconds;
  while (true) {
    const int64_t before = scheduler.counts().decode_tokens;
    const double cpu_before = CpuSeconds();
    const auto begin = Clock::now();
    const absl::StatusOr<bool> worked = scheduler.Step();
    CHECK(worked.ok());
    if (!*worked) break;
    if (scheduler.counts().decode_tokens - before != samples) continue;
    seconds.push_back(Seconds(begin));
    cpu_seconds.push_back(CpuSeconds() - cpu_before);
  }
  const auto median = [](std::vector<double> values) {
    values.erase(values.begin(), values.begin() + 4);
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  return {samples / median(seconds), median(seconds), median(cpu_seconds)};
}

double MeasurePrefill(ModelRunner* runner, int prompt) {
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    Scheduler scheduler(runner, [](FinishedSample) {});
    GroupRequest group;
    for (int i = 0; i < prompt; ++i) group.prompt.push_back(i * 31 % 500);
    group.samples = {0};
    group.max_tokens = 1;
    CHECK(scheduler.Submit(group).ok());
    const auto begin = Clock::now();
    while (scheduler.counts().prefill_tokens < prompt - 1) CHECK(*scheduler.Step());
    best = std::max(best, (prompt - 1) / Seconds(begin));
    while (*scheduler.Step()) {
    }
  }
  return best;
}

struct Reading {
  double seconds = 0, cpu_seconds = 0;
};

// Reading the file from one end to the other into a small buffer, on one thread.
Reading MeasureReading(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY);
  CHECK(file >= 0);
  std::vector<char> buffer(4 << 20);
  const auto begin = Clock::now();
  const double cpu_begin = CpuSeconds();
  while (read(file, buffer.data(), buffer.size()) > 0) {
  }
  const Reading reading = {Seconds(begin), CpuSeconds() - cpu_begin};
  close(file);
  return reading;
}

void DropFromCache(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY);
  CHECK(file >= 0);
  fdatasync(file);
  posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  close(file);
}

struct Loaded {
  std::shared_ptr<const Checkpoint> checkpoint;
  std::unique_ptr<ModelRunner> runner;
  double open_seconds = 0, pack_seconds = 0, cpu_seconds = 0;
};

Loaded Load(const std::string& directory, int threads, int batch, int pages, int positions) {
  Loaded loaded;
  const double cpu_begin = CpuSeconds();
  auto begin = Clock::now();
  absl::StatusOr<std::shared_ptr<const Checkpoint>> opened =
      Checkpoint::Open(directory, {.threads = threads});
  if (!opened.ok()) std::fprintf(stderr, "%s\n", std::string(opened.status().message()).c_str());
  CHECK(opened.ok());
  loaded.checkpoint = *opened;
  loaded.open_seconds = Seconds(begin);
  begin = Clock::now();
  RunnerShape shape;
  shape.decode_rows = batch;
  shape.pages = pages;
  shape.max_positions = positions;
  CpuOptions options;
  options.weights = BestFormat(Dtype::kBf16);
  options.threads = threads;
  loaded.runner =
      MakeCpuRunner(loaded.checkpoint, shape, loaded.checkpoint->config().vocabulary, options);
  loaded.pack_seconds = Seconds(begin);
  loaded.cpu_seconds = CpuSeconds() - cpu_begin;
  return loaded;
}

void Line(const std::string& what, const std::string& value, const std::string& beside) {
  std::printf("%-44s %14s   %s\n", what.c_str(), value.c_str(), beside.c_str());
  std::fflush(stdout);
}

std::string Load1() {
  std::ifstream file("/proc/loadavg");
  std::string load;
  file >> load;
  return load;
}

void BenchDecode(ModelRunner* runner, const Checkpoint& checkpoint, const char* name, int samples,
                 int steps, int threads, double goal) {
  const double flops = 2.0 * static_cast<double>(checkpoint.parameters());
  const double bandwidth = MeasureBandwidth(threads);
  const double rate = MeasureProducts(threads, BestFormat(Dtype::kBf16));
  const Speed speed = MeasureDecode(runner, samples, 64, steps);
  const double by_memory = static_cast<double>(checkpoint.weight_bytes()) / bandwidth;
  const double by_products = flops * samples / rate;
  const double floor = std::max(by_memory, by_products);
  Line(absl::StrFormat("%s, %d in flight", name, samples),
       absl::StrFormat("%.0f tokens/s", speed.tokens_per_second),
       absl::StrFormat("goal %.0f; %.2f ms a step (%.2f ms of CPU time), floor %.2f ms (%.1f GB/s, "
                       "%.0f GFLOP/s): %.0f "
                       "%% of it; load %s",
                       goal, speed.step_seconds * 1e3, speed.cpu_step_seconds * 1e3, floor * 1e3,
                       bandwidth / 1e9, rate / 1e9, 100 * floor / speed.step_seconds, Load1()));
}

void BenchDemo(const std::string& root, int threads) {
  const std::string directory = root + "/demo";
  WriteCheckpoint(kDemo, directory);
  const Loaded loaded = Load(directory, threads, 64, 1200, 1024);
  std::printf("%s\n", loaded.runner->description().c_str());
  BenchDecode(loaded.runner.get(), *loaded.checkpoint, "demo shape", 64, 300, threads, 20000);
  BenchDecode(loaded.runner.get(), *loaded.checkpoint, "demo shape", 1, 300, threads, 0);
  Line("demo shape, prefill of 900 tokens",
       absl::StrFormat("%.0f tokens/s", MeasurePrefill(loaded.runner.get(), 900)), "");
  std::filesystem::remove_all(directory);
}

// The line of one loading: wall time against reading's, and CPU time (of all threads) against
// reading's (of one), which does not hang on the load.
void LoadLine(const char* what, const Loaded& loaded, const Reading& reading) {
  const double seconds = loaded.open_seconds + loaded.pack_seconds;
  Line(what, absl::StrFormat("%.2f s", seconds),
       absl::StrFormat("goal: 1.5 x reading; reading it takes %.2f s: %.2f x (open and hash %.2f "
                       "s, pack %.2f s); CPU time %.2f s, reading's %.2f s",
                       reading.seconds, seconds / reading.seconds, loaded.open_seconds,
                       loaded.pack_seconds, loaded.cpu_seconds, reading.cpu_seconds));
}

void BenchFlight(const std::string& root, int threads, int flight) {
  const std::string directory = root + "/half";
  if (!std::filesystem::exists(directory + "/model.safetensors")) {
    WriteCheckpoint(kHalf, directory);
  }
  const Loaded loaded = Load(directory, threads, flight, 4 * flight + 72, 4096);
  loaded.runner->Settle();
  BenchDecode(loaded.runner.get(), *loaded.checkpoint, "0.5B shape", flight, 24 + 40 / flight,
              threads, 0);
}

void BenchHalf(const std::string& root, int threads, bool load_only) {
  const std::string directory = root + "/half";
  const std::string file = directory + "/model.safetensors";
  WriteCheckpoint(kHalf, directory);
  DropFromCache(file);
  const Reading cold_read = MeasureReading(file), warm_read = MeasureReading(file);
  DropFromCache(file);
  const double before = MemoryGigabytes("VmRSS:");
  Loaded cold = Load(directory, threads, 32, 200, 4096);
  const double peak = MemoryGigabytes("VmHWM:");
  const double weights = static_cast<double>(cold.checkpoint->weight_bytes()) / 1e9;
  LoadLine("0.5B shape, load, file not in memory", cold, cold_read);
  cold = {};
  const Loaded loaded = Load(directory, threads, 32, 200, 4096);
  LoadLine("0.5B shape, load, file in memory", loaded, warm_read);
  Line("0.5B shape, peak memory after loading", absl::StrFormat("%.3f GB", peak),
       absl::StrFormat("goal: weights + cache + 0.2; weights %.3f GB, %.3f GB before", weights,
                       before));
  if (load_only) {
    std::filesystem::remove_all(directory);
    return;
  }
  loaded.runner->Settle();
  for (const auto& [samples, goal] : {std::pair(1, 27.0), {8, 0.0}, {32, 300.0}}) {
    BenchDecode(loaded.runner.get(), *loaded.checkpoint, "0.5B shape", samples,
                samples == 1 ? 40 : 24, threads, goal);
  }
  Line("0.5B shape, prefill of 512 tokens",
       absl::StrFormat("%.0f tokens/s", MeasurePrefill(loaded.runner.get(), 512)), "");
  Line("0.5B shape, peak memory after all", absl::StrFormat("%.3f GB", MemoryGigabytes("VmHWM:")),
       "with 0.5 GB of the bandwidth measurement");
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  std::string root = std::filesystem::temp_directory_path().string() + "/assay_engine_bench";
  int flight = 0;
  bool demo = false, half = false, load = false, gpu = false, run = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "demo") {
      demo = true;
    } else if (word == "half") {
      half = true;
    } else if (word == "load") {
      load = true;
    } else if (word == "run") {
      run = true;
    } else if (word == "--device" && i + 1 < argc &&
               (std::string(argv[i + 1]) == "cuda" || std::string(argv[i + 1]) == "cpu")) {
      gpu = std::string(argv[++i]) == "cuda";
    } else if (word == "--threads" && i + 1 < argc) {
      threads = std::atoi(argv[++i]);
    } else if (word == "--flight" && i + 1 < argc) {
      flight = std::atoi(argv[++i]);
    } else if (word == "--dir" && i + 1 < argc) {
      root = argv[++i];
    } else {
      std::fprintf(
          stderr,
          "usage: engine_bench [demo] [half] [load] [--flight N] [--threads N] [--dir DIR]\n"
          "       engine_bench --device cuda [run]\n");
      return 2;
    }
  }
  if (gpu) return assay::BenchGpu(run);
  const bool all = !demo && !half && !load;
  if (demo || all) assay::BenchDemo(root, threads);
  if (half && flight > 0) return assay::BenchFlight(root, threads, flight), 0;
  if (half || load || all) assay::BenchHalf(root, threads, /*load_only=*/load && !half);
}
