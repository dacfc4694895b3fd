// Opening is the place where everything that can be known before sampling is said.
#include "inference/engine/engine.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "harness/hash.h"
#include "harness/status.h"
#include "harness/text.h"
#include "inference/engine/cpu.h"
#include "inference/engine/cuda/open.h"
#include "inference/engine/cuda/runner.h"
#include "inference/engine/mapped_file.h"
#include "inference/engine/reference.h"

namespace assay {
namespace {

// Changed whenever the same checkpoint and options may give other tokens than before.
constexpr std::string_view kEngineVersion = "1";

// The compute capability (major) on which scripts/gpu-check has passed (inference/GPU.md). Others
// device=auto does not take: kernels that never ran there are no default for measuring models.
// device=cuda asks for them.
constexpr int kVerifiedCapability = 9;

// A number at the beginning of a file, or nothing.
std::optional<double> FirstNumber(const std::string& path) {
  std::ifstream file(path);
  double value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

double GroupLimitBytes() {
  // Version 2 of control groups, where our own group is mounted as the root; then version 1.
  for (const auto& [limit, used] :
       {std::pair("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        std::pair("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                  "/sys/fs/cgroup/memory/memory.usage_in_bytes")}) {
    const std::optional<double> most = FirstNumber(limit);
    if (most) return std::max(0.0, *most - FirstNumber(used).value_or(0));
  }
  return 1e18;
}

std::string Gigabytes(double bytes) { return absl::StrFormat("%.2f GB", bytes / 1e9); }

NumberFormat FormatOf(const EngineOptions& options, Dtype dtype) {
  if (options.weights == WeightFormat::kAuto) return BestFormat(dtype);
  return options.weights == WeightFormat::kBf16 ? NumberFormat::kBf16 : NumberFormat::kF32;
}

// `unit` bytes for each number. The embedding is read from the file where it is not the head too.
MemoryNeeds NeedsOf(const Checkpoint& checkpoint, int unit) {
  const ModelConfig& config = checkpoint.config();
  const double kv = 2.0 * config.layers * config.kv_heads * config.head_dim * kPageTokens;
  return {static_cast<double>(checkpoint.parameters()) * unit, kv * unit};
}

// Rows of decode and prefill steps that suit the device.
int BatchOf(const EngineOptions& options) {
  if (options.batch > 0) return options.batch;
  return options.device == Device::kCuda ? 256 : 64;
}
int PrefillChunkOf(const EngineOptions& options) {
  if (options.prefill_chunk > 0) return options.prefill_chunk;
  return options.device == Device::kCuda ? 1024 : 256;
}

RunnerShape ShapeOf(const EngineOptions& options, const MemoryPlan& memory) {
  RunnerShape shape;
  shape.decode_rows = BatchOf(options);
  shape.prefill_rows = PrefillChunkOf(options);
  shape.page_tokens = kPageTokens;
  shape.pages = memory.pages;
  shape.max_positions = memory.context;
  return shape;
}

absl::Status MakeRunnerOnGpu(const std::string& directory, std::unique_ptr<cuda::Device> gpu,
                             Engine* engine) {
  const EngineOptions& options = engine->options;
  const ModelConfig& config = engine->checkpoint->config();
  if (options.weights == WeightFormat::kF32) {
    return InvalidArgument(
        "--model-args: dtype: device=cuda multiplies bf16 only, and f32 is asked for; device=cpu "
        "has it");
  }
  const cuda::DeviceFacts& facts = gpu->facts();
  RunnerShape widest;
  widest.decode_rows = BatchOf(options);
  widest.prefill_rows = PrefillChunkOf(options);
  widest.max_positions = options.context.value_or(config.max_positions);
  const cuda::Needs needs =
      cuda::NeedsOf(CudaModelShape(config, engine->usable), CudaStepShape(widest, options.fast));
  const auto weights = static_cast<double>(needs.weights), steps = static_cast<double>(needs.steps);
  const auto page = static_cast<double>(needs.page);
  const auto free_bytes = static_cast<double>(facts.free_bytes);
  RETURN_IF_ERROR(CheckGpuMemory(directory, facts.name, weights, steps, page, free_bytes,
                                 static_cast<double>(facts.total_bytes)));
  // The rest is for what the driver and cuBLASLt take while they run.
  ASSIGN_OR_RETURN(engine->memory, PlanMemory(config, directory, options,
                                              {weights + steps, page, 0.94}, free_bytes));
  ASSIGN_OR_RETURN(engine->runner,
                   MakeCudaRunner(engine->checkpoint, std::move(gpu),
                                  ShapeOf(options, engine->memory), engine->usable, options.fast));
  return absl::OkStatus();
}

absl::Status MakeRunnerOnCpu(const std::string& directory, Engine* engine) {
  const EngineOptions& options = engine->options;
  const Checkpoint& checkpoint = *engine->checkpoint;
  CpuOptions cpu;
  cpu.weights = FormatOf(options, checkpoint.config().dtype);
  cpu.threads = options.threads;
  const bool reference = options.device == Device::kReference;
  const int unit = reference ? 4 : BytesOf(cpu.weights);
  ASSIGN_OR_RETURN(engine->memory, PlanMemory(checkpoint.config(), directory, options,
                                              NeedsOf(checkpoint, unit), AvailableMemoryBytes()));
  const RunnerShape shape = ShapeOf(options, engine->memory);
  engine->runner = reference ? MakeReferenceRunner(engine->checkpoint, shape, engine->usable)
                             : MakeCpuRunner(engine->checkpoint, shape, engine->usable, cpu);
  return absl::OkStatus();
}

// device=auto becomes the device that is taken.
absl::Status MakeRunner(const std::string& directory, Engine* engine) {
  Device& device = engine->options.device;
  const bool automatic = device == Device::kAuto;
  if (device == Device::kCuda || automatic) {
    std::string error;
    std::unique_ptr<cuda::Device> gpu = cuda::OpenDevice(&error);
    const bool taken =
        gpu != nullptr && (!automatic || gpu->facts().capability / 10 == kVerifiedCapability);
    if (taken) {
      device = Device::kCuda;
      return MakeRunnerOnGpu(directory, std::move(gpu), engine);
    }
    if (!automatic)
      return Unavailable("--model-args: device=cuda: %s; device=cpu needs no GPU", error);
  }
  if (automatic) device = Device::kCpu;
  return MakeRunnerOnCpu(directory, engine);
}

std::string ReproductionKey(const Engine& engine, const std::string& tokenizer_text) {
  Sha256 hash;
  const auto add = [&](std::string_view part) {
    hash.Update(absl::StrFormat("%d:", part.size()));
    hash.Update(part);
  };
  const ChatOptions& chat = engine.options.chat;
  add("assay-engine");
  add(kEngineVersion);
  add(engine.checkpoint->hash());
  add(ConfigToJson(engine.checkpoint->config()).Dump());
  add(Sha256Hex(tokenizer_text));
  add(engine.chat->source());
  add(std::to_string(static_cast<int>(chat.think_prefix)));
  add(chat.variables.Dump());
  add(std::to_string(chat.date_unix_seconds));
  add(engine.runner->description());
  return hash.HexDigest();
}

}  // namespace

double AvailableMemoryBytes() {
  double available =
      static_cast<double>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("MemAvailable:")) continue;
    available = std::strtod(line.c_str() + 13, nullptr) * 1024;
  }
  return std::min(available, GroupLimitBytes());
}

absl::Status CheckGpuMemory(const std::string& directory, const std::string& gpu, double weights,
                            double steps, double page_bytes, double free_bytes,
                            double total_bytes) {
  const double cache = page_bytes * (kLeastGpuTokens / kPageTokens);
  if (weights + steps + cache <= free_bytes) return absl::OkStatus();
  return ResourceExhausted(
      "%s: %s is needed on the GPU (%s of weights, %s for steps, %s for a key-value cache of %d "
      "tokens), and %s has %s free of %s; a smaller batch or context needs less (--model-args "
      "batch, context), and device=cpu no GPU",
      directory, Gigabytes(weights + steps + cache), Gigabytes(weights), Gigabytes(steps),
      Gigabytes(cache), kLeastGpuTokens, gpu, Gigabytes(free_bytes), Gigabytes(total_bytes));
}

absl::StatusOr<MemoryPlan> PlanMemory(const ModelConfig& config, const std::string& directory,
                                      const EngineOptions& options, const MemoryNeeds& needs,
                                      double available_bytes) {
  MemoryPlan plan;
  const std::string field = directory + "/config.json: field 'max_position_embeddings'";
  plan.context = options.context.value_or(config.max_positions);
  plan.bound = options.context ? "--model-args: context" : field;
  if (plan.context > config.max_positions) {
    return InvalidArgument("--model-args: context: %d positions are asked for, and %s is %d",
                           plan.context, field, config.max_positions);
  }
  const double left = available_bytes - needs.weight_bytes;
  if (left <= 0) {
    return ResourceExhausted("%s: the weights need %s of memory, and %s is available", directory,
                             Gigabytes(needs.weight_bytes), Gigabytes(available_bytes));
  }
  const double budget = options.kv_memory_bytes.value_or(left * needs.share);
  if (budget > left) {
    return ResourceExhausted(
        "--model-args: kv_memory: %s is asked for, and beside the weights of %s only %s is "
        "available",
        Gigabytes(budget), directory, Gigabytes(left));
  }
  const auto pages_of = [](int positions) {
    return (positions + kPageTokens - 1) / kPageTokens + 1;  // and one to copy a shared page into
  };
  const double fitting = budget / needs.page_bytes;
  plan.pages = static_cast<int>(
      std::min(fitting, static_cast<double>(BatchOf(options)) * pages_of(plan.context)));
  const int least = options.context ? *options.context : std::min(plan.context, 512);
  if (plan.pages < pages_of(least)) {
    return ResourceExhausted(
        "%s: one sequence of %d positions needs %s of key-value cache, and %s is %s", directory,
        least, Gigabytes(pages_of(least) * needs.page_bytes),
        options.kv_memory_bytes
            ? std::string("--model-args: kv_memory")
            : absl::StrFormat("%.0f %% of the memory that is left", 100 * needs.share),
        Gigabytes(budget));
  }
  if (plan.pages < pages_of(plan.context)) {
    plan.context = (plan.pages - 1) * kPageTokens;
    plan.bound =
        absl::StrFormat("the key-value cache of %s (--model-args kv_memory)", Gigabytes(budget));
  }
  plan.kv_bytes = plan.pages * needs.page_bytes;
  return plan;
}

absl::StatusOr<Engine> OpenEngine(const std::string& directory, const EngineOptions& options) {
  Engine engine;
  engine.options = options;
  ASSIGN_OR_RETURN(engine.checkpoint, Checkpoint::Open(directory, {.threads = options.threads}));
  const Checkpoint& checkpoint = *engine.checkpoint;
  if (checkpoint.tokenizer() == nullptr) {
    return NotFound("%s/tokenizer.json: no such file; a prompt cannot be encoded without it",
                    directory);
  }
  engine.usable = std::min(checkpoint.tokenizer()->size(), checkpoint.config().vocabulary);
  ASSIGN_OR_RETURN(engine.chat,
                   options.use_chat_template
                       ? ChatFormat::Open(directory, checkpoint.tokenizer(), options.chat)
                       : ChatFormat::Make("", "", checkpoint.tokenizer(), options.chat));
  RETURN_IF_ERROR(engine.chat->Check());
  RETURN_IF_ERROR(MakeRunner(directory, &engine));
  ASSIGN_OR_RETURN(const std::string tokenizer,
                   ReadTextFile(directory + "/tokenizer.json", size_t{1} << 30));
  engine.reproduction_key = ReproductionKey(engine, tokenizer);
  return engine;
}

}  // namespace assay
