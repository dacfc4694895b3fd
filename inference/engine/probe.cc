// The first thing that a newcomer runs: everything that a wrong number later would be traced to.
#include "inference/engine/probe.h"

#include <algorithm>
#include <chrono>

#include "harness/status.h"
#include "harness/text.h"
#include "inference/engine/cuda/open.h"
#include "inference/engine/scheduler.h"

namespace assay {
namespace {

constexpr std::string_view kQuestion = "What is 17 + 25?";

class Findings {
 public:
  void Add(std::string_view topic, std::string_view text, std::string_view health = "ok") {
    list_.Append(Json::MakeObject({{"topic", topic}, {"health", health}, {"text", text}}));
  }
  Json Take() { return std::move(list_); }

 private:
  Json list_ = Json::MakeArray();
};

std::string TokenName(const Tokenizer& tokenizer, int id) {
  return absl::StrFormat("%d %s", id, Printable(tokenizer.TokenBytes(id)));
}

std::string Ids(std::span<const int> ids) {
  std::vector<std::string> parts;
  for (const int id : ids) parts.push_back(std::to_string(id));
  return Join(parts, " ");
}

std::string LastBytes(std::string_view text, size_t count) {
  if (text.size() > count) text.remove_prefix(text.size() - count);
  while (!text.empty() && (text[0] & 0xC0) == 0x80) text.remove_prefix(1);
  return Printable(text);
}

void DescribeConfig(const Engine& engine, Findings* findings) {
  const ModelConfig& config = engine.checkpoint->config();
  findings->Add("config",
                absl::StrFormat("%s, %d layers, hidden %d, %d heads / %d key-value heads of %d, "
                                "FFN %d, vocabulary %d (%d with a token), %s output matrix, %s",
                                config.architecture, config.layers, config.hidden, config.heads,
                                config.kv_heads, config.head_dim, config.ffn, config.vocabulary,
                                engine.usable, config.tied_embeddings ? "tied" : "own",
                                DtypeName(config.dtype)));
  if (!config.unread_fields.empty()) {
    findings->Add("config", "fields that mean nothing to us: " + Join(config.unread_fields, ", "),
                  "caution");
  }
  const std::string rope = config.llama3_rope          ? "Llama 3"
                           : config.yarn_rope          ? "YaRN"
                           : config.linear_rope_factor ? "linear"
                                                       : "plain";
  findings->Add(
      "rope",
      absl::StrFormat("%s, theta %g, %d positions", rope, config.rope_theta, config.max_positions),
      config.yarn_rope ? "caution" : "ok");
  findings->Add("weights", absl::StrFormat("%s parameters, %s bytes, hash %s",
                                           WithThousands(engine.checkpoint->parameters()),
                                           WithThousands(engine.checkpoint->weight_bytes()),
                                           engine.checkpoint->hash().substr(0, 16)));
}

void DescribeText(const Engine& engine, Findings* findings) {
  const Tokenizer& tokenizer = *engine.checkpoint->tokenizer();
  const ModelConfig& config = engine.checkpoint->config();
  std::vector<std::string> eos;
  for (const int id : config.eos) eos.push_back(TokenName(tokenizer, id));
  findings->Add("eos",
                eos.empty() ? "none is named: samples end at their length only" : Join(eos, ", "),
                eos.empty() ? "caution" : "ok");
  findings->Add("tokenizer",
                absl::StrFormat("%d tokens, %s pre-tokenizer, bos %s", tokenizer.size(),
                                tokenizer.pre_tokenizer(),
                                config.bos ? TokenName(tokenizer, *config.bos) : "none"));
  if (config.generation_config.is_object()) {
    findings->Add("generation",
                  "generation_config.json, not applied: " + config.generation_config.Dump());
  }
  if (!engine.chat->has_template()) {
    findings->Add("template", "none: prompts of one message are sent as they are", "caution");
    return;
  }
  findings->Add("template", absl::StrFormat("%s ends in %s", engine.chat->origin(),
                                            LastBytes(engine.chat->source(), 80)));
  const std::vector<std::string> ignored = engine.chat->ignores();
  if (ignored.empty()) return;
  findings->Add("template",
                "leaves out " + Join(ignored, " and ") + ": a prompt that has them is refused",
                "caution");
}

absl::Status DescribePrompt(const Engine& engine, Findings* findings) {
  Prompt prompt;
  prompt.messages.push_back({"user", std::string(kQuestion)});
  const absl::StatusOr<RenderedPrompt> rendered = engine.chat->Render(prompt);
  if (!rendered.ok()) {
    findings->Add("prompt", std::string(rendered.status().message()), "problem");
    return absl::OkStatus();
  }
  const std::span<const int> ids = rendered->ids;
  const size_t shown = std::min<size_t>(ids.size(), 20);
  findings->Add("prompt", "'" + std::string(kQuestion) + "' becomes " +
                              Shorten(Printable(rendered->text), 300));
  findings->Add("prompt",
                absl::StrFormat("%d ids, first %d: %s", ids.size(), shown, Ids(ids.first(shown))));
  findings->Add("prompt", absl::StrFormat("last %d: %s", shown, Ids(ids.last(shown))));
  findings->Add("prompt",
                rendered->think_open
                    ? (rendered->think_added ? "ends inside <think>, which the think option added"
                                             : "ends inside <think>: replies begin as reasoning")
                    : "ends outside any <think>");
  return absl::OkStatus();
}

void DescribeMemory(const Engine& engine, Findings* findings) {
  const MemoryPlan& memory = engine.memory;
  const double sequences =
      static_cast<double>(memory.pages) * kPageTokens / std::max(memory.context, 1);
  findings->Add("memory",
                absl::StrFormat("key-value cache of %.2f GB: %d pages of %d tokens = %s tokens, "
                                "%.1f sequences of the full context",
                                memory.kv_bytes / 1e9, memory.pages, kPageTokens,
                                WithThousands(int64_t{memory.pages} * kPageTokens), sequences));
  findings->Add("memory",
                absl::StrFormat("a sequence has %d positions: %s", memory.context, memory.bound));
}

// Tokens per second with `samples` in flight, for about a third of a second after warming up.
absl::StatusOr<double> MeasureSpeed(ModelRunner* runner, int samples) {
  Scheduler scheduler(runner, [](FinishedSample) {});
  GroupRequest group;
  group.prompt = {0, 0, 0, 0};
  group.max_tokens = std::min(400, runner->shape().max_positions - 5);
  if (group.max_tokens < 1) return 0;
  for (int i = 0; i < samples; ++i) group.samples.push_back(i);
  RETURN_IF_ERROR(scheduler.Submit(group));
  using Clock = std::chrono::steady_clock;
  int64_t warm = 0;
  Clock::time_point begin;
  for (int step = 0;; ++step) {
    ASSIGN_OR_RETURN(const bool worked, scheduler.Step());
    if (!worked) break;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (step == 3) {
      warm = scheduler.counts().decode_tokens;
      begin = Clock::now();
    } else if (step > 5 && seconds > 0.3) {
      return static_cast<double>(scheduler.counts().decode_tokens - warm) / seconds;
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return static_cast<double>(scheduler.counts().decode_tokens - warm) / seconds;
}

// Why the GPU was not taken, where it was not.
void DescribeGpu(const Engine& engine, Findings* findings) {
  if (engine.options.device == Device::kCuda) return;
  std::string why;
  const std::unique_ptr<cuda::Device> gpu = cuda::OpenDevice(&why);
  findings->Add("gpu", gpu == nullptr
                           ? "none taken: " + why
                           : gpu->facts().name +
                                 ": not taken unless device=cuda asks for it, since no GPU has "
                                 "passed scripts/gpu-check yet (inference/GPU.md)");
}

absl::Status DescribeSpeed(const Engine& engine, Findings* findings) {
  findings->Add("runner", engine.runner->description());
  DescribeGpu(engine, findings);
  const int batch = engine.runner->shape().decode_rows;
  engine.runner->Settle();
  ASSIGN_OR_RETURN(const double alone, MeasureSpeed(engine.runner.get(), 1));
  ASSIGN_OR_RETURN(const double full, MeasureSpeed(engine.runner.get(), batch));
  findings->Add("speed", absl::StrFormat("predicted from a third of a second each, short context: "
                                         "%.0f tokens/s alone, %.0f with %d samples in flight",
                                         alone, full, batch));
  findings->Add("key", "reproduction key " + engine.reproduction_key);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> ProbeEngine(const Engine& engine) {
  Findings findings;
  DescribeConfig(engine, &findings);
  DescribeText(engine, &findings);
  RETURN_IF_ERROR(DescribePrompt(engine, &findings));
  DescribeMemory(engine, &findings);
  RETURN_IF_ERROR(DescribeSpeed(engine, &findings));
  Json servers = Json::MakeArray();
  servers.Append(Json::MakeObject(
      {{"checkpoint", engine.checkpoint->directory()}, {"findings", findings.Take()}}));
  return servers;
}

}  // namespace assay
