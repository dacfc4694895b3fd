// A checkpoint directory opened for running: weights, tokenizer, chat template, runner, and how
// much fits.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "inference/engine/chat.h"
#include "inference/engine/checkpoint.h"
#include "inference/engine/options.h"
#include "inference/engine/runner.h"

namespace assay {

// What a device needs of memory for a model of this shape.
struct MemoryNeeds {
  double weight_bytes = 0;  // and of all else that is there from the start
  double page_bytes = 0;    // of the key-value cache
  double share = 0.5;       // of what is left, that the cache may take unasked
};

struct MemoryPlan {
  int pages = 0;
  int context = 0;      // positions of a sequence at most, prompt and reply
  std::string bound;    // what bounds the context: "DIR/config.json: field '...'"
  double kv_bytes = 0;  // of all pages
};

constexpr int kPageTokens = 64;

// Pages for `options.batch` sequences of the full context where that fits into its share of what
// the weights leave free, else as many as do; fewer than one sequence's shortens the context,
// unless it was asked for. `available_bytes` is of memory that may be taken now. Errors name the
// option or field that asks for too much.
absl::StatusOr<MemoryPlan> PlanMemory(const ModelConfig& config, const std::string& directory,
                                      const EngineOptions& options, const MemoryNeeds& needs,
                                      double available_bytes);

// What a GPU must hold beside the weights: no model answers reasoning tasks with less.
constexpr int kLeastGpuTokens = 16384;

// Whether a GPU with so much free memory holds the weights, the work space of steps and
// kLeastGpuTokens of cache. The error says what is needed and what is there.
absl::Status CheckGpuMemory(const std::string& directory, const std::string& gpu, double weights,
                            double steps, double page_bytes, double free_bytes, double total_bytes);

// Of the machine or of our control group, whichever is less.
double AvailableMemoryBytes();

struct Engine {
  std::shared_ptr<const Checkpoint> checkpoint;  // shared: with the runner
  std::shared_ptr<const ChatFormat> chat;
  std::unique_ptr<ModelRunner> runner;
  EngineOptions options;
  MemoryPlan memory;
  int usable = 0;  // ids below this one have a token
  // SHA-256 over everything but sampling that a token can hang on: weights, tokenizer, template,
  // its options, and the runner's description (device, number formats, instruction set, library
  // version). Runs with equal keys, sampling and seeds hold the same tokens, whatever their batch,
  // threads, order, number of samples or memory.
  std::string reproduction_key;
};

// Errors name file and field.
absl::StatusOr<Engine> OpenEngine(const std::string& directory, const EngineOptions& options);

}  // namespace assay
