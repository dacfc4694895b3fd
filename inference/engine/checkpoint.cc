// Opens the files of a directory in order of cost: configuration, headers, tokenizer, and last the
// weights themselves, each byte of which is read once, by all cores.
#include "inference/engine/checkpoint.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>

#include "harness/hash.h"
#include "harness/status.h"
#include "harness/text.h"
#include "inference/engine/mapped_file.h"
#include "inference/engine/safetensors.h"
#include "inference/engine/weights.h"

namespace assay {
namespace {

constexpr size_t kMaxConfigBytes = 16 << 20;
constexpr size_t kMaxIndexBytes = 64 << 20;
constexpr size_t kChunkBytes = 16 << 20;
constexpr size_t kChunksAhead = 4;          // asked for before their turn
constexpr size_t kCachedBytes = 256 << 10;  // checked and hashed from a core's cache

std::string Shape(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (const int64_t size : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(size);
  return out + "]";
}

std::string FileName(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

// --- configuration ---

absl::StatusOr<ModelConfig> ReadConfig(const std::string& directory) {
  const std::string path = directory + "/config.json";
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxConfigBytes));
  ASSIGN_OR_RETURN(ModelConfig config, ParseModelConfig(text, path));
  const std::string generation_path = directory + "/generation_config.json";
  if (!FileExists(generation_path)) return config;
  ASSIGN_OR_RETURN(const std::string generation, ReadTextFile(generation_path, kMaxConfigBytes));
  absl::StatusOr<Json> parsed = ParseJson(generation);
  if (!parsed.ok()) return Annotate(parsed.status(), generation_path);
  if (!parsed->is_object()) {
    return InvalidArgument("%s: expected an object, found %s", generation_path, KindName(*parsed));
  }
  config.generation_config = *std::move(parsed);
  ASSIGN_OR_RETURN(const std::vector<int> eos, EosIds(config.generation_config, generation_path));
  config.eos.insert(config.eos.end(), eos.begin(), eos.end());
  return config;
}

void SortUnique(std::vector<int>* ids) {
  std::sort(ids->begin(), ids->end());
  ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
}

absl::Status CheckAgainstTokenizer(const Tokenizer& tokenizer, const std::string& directory,
                                   ModelConfig* config) {
  if (tokenizer.size() > config->vocabulary) {
    return InvalidArgument(
        "%s/config.json: field 'vocab_size': %d, but tokenizer.json has %d tokens", directory,
        config->vocabulary, tokenizer.size());
  }
  if (tokenizer.eos()) config->eos.push_back(*tokenizer.eos());
  config->bos = tokenizer.bos();
  return absl::OkStatus();
}

absl::Status CheckEos(const ModelConfig& config, const std::string& directory) {
  for (const int id : config.eos) {
    if (id < config.vocabulary) continue;
    return InvalidArgument(
        "%s: field 'eos_token_id' of config.json or generation_config.json: id %d, but vocab_size "
        "is %d",
        directory, id, config.vocabulary);
  }
  return absl::OkStatus();
}

// --- tensors ---

struct Weights {
  std::vector<std::unique_ptr<MappedFile>> files;
  std::vector<Tensor> tensors;              // sorted by name
  std::map<std::string, std::string> home;  // tensor -> file name, for messages
};

absl::Status AddFile(const std::string& path, Weights* weights) {
  ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  ASSIGN_OR_RETURN(std::vector<Tensor> tensors, ReadSafetensors(file->bytes(), path));
  for (Tensor& tensor : tensors) {
    const auto [entry, is_new] = weights->home.emplace(tensor.name, FileName(path));
    if (!is_new) {
      return InvalidArgument("%s: tensor '%s' lies in %s as well", path, Printable(tensor.name),
                             entry->second);
    }
    weights->tensors.push_back(std::move(tensor));
  }
  weights->files.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status AddShards(const std::string& directory, const std::string& index_path,
                       Weights* weights) {
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile(index_path, kMaxIndexBytes));
  ASSIGN_OR_RETURN(const ShardIndex index, ReadShardIndex(text, index_path));
  for (const std::string& shard : index.shards) {
    const std::string path = directory + "/" + shard;
    if (!FileExists(path)) {
      return NotFound("%s: field 'weight_map' names the shard %s, which is not there", index_path,
                      shard);
    }
    RETURN_IF_ERROR(AddFile(path, weights));
  }
  for (const auto& [tensor, shard] : index.files) {
    const auto found = weights->home.find(tensor);
    if (found == weights->home.end() || found->second != shard) {
      return InvalidArgument("%s: field 'weight_map': tensor '%s' is not in %s", index_path,
                             Printable(tensor), shard);
    }
  }
  if (index.files.size() != weights->tensors.size()) {
    for (const auto& [tensor, file] : weights->home) {
      const auto place = std::lower_bound(index.files.begin(), index.files.end(),
                                          std::pair<std::string, std::string>(tensor, ""));
      if (place != index.files.end() && place->first == tensor) continue;
      return InvalidArgument("%s/%s: tensor '%s' is not in the index", directory, file,
                             Printable(tensor));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Weights> ReadWeights(const std::string& directory) {
  Weights weights;
  const std::string index_path = directory + "/model.safetensors.index.json";
  const std::string single_path = directory + "/model.safetensors";
  if (FileExists(index_path)) {
    RETURN_IF_ERROR(AddShards(directory, index_path, &weights));
  } else if (FileExists(single_path)) {
    RETURN_IF_ERROR(AddFile(single_path, &weights));
  } else {
    return NotFound("%s: neither model.safetensors nor model.safetensors.index.json is there",
                    directory);
  }
  std::sort(weights.tensors.begin(), weights.tensors.end(),
            [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  return weights;
}

const Tensor* FindTensor(const std::vector<Tensor>& tensors, std::string_view name) {
  const auto found =
      std::lower_bound(tensors.begin(), tensors.end(), name,
                       [](const Tensor& tensor, std::string_view n) { return tensor.name < n; });
  return found != tensors.end() && found->name == name ? &*found : nullptr;
}

// Old Llama exports store the rotary frequencies, which follow from the configuration.
bool IsDerived(std::string_view tensor) { return tensor.ends_with(".rotary_emb.inv_freq"); }

absl::Status CheckTied(const Weights& weights, const std::string& directory) {
  const Tensor* head = FindTensor(weights.tensors, "lm_head.weight");
  if (head == nullptr) return absl::OkStatus();
  const Tensor* embedding = FindTensor(weights.tensors, "model.embed_tokens.weight");
  const bool same = embedding != nullptr && head->dtype == embedding->dtype &&
                    head->shape == embedding->shape && head->bytes == embedding->bytes;
  if (same) return absl::OkStatus();
  return InvalidArgument(
      "%s/%s: tensor 'lm_head.weight' differs from model.embed_tokens.weight, but config.json's "
      "tie_word_embeddings is true",
      directory, weights.home.at("lm_head.weight"));
}

absl::Status CheckTensors(const ModelConfig& config, const Weights& weights,
                          const std::string& directory) {
  std::map<std::string, TensorShape, std::less<>> expected;
  for (TensorShape& tensor : ExpectedTensors(config)) {
    const std::string name = tensor.name;
    expected.emplace(name, std::move(tensor));
  }
  for (const auto& [name, wanted] : expected) {
    const Tensor* tensor = FindTensor(weights.tensors, name);
    if (tensor == nullptr) {
      return InvalidArgument("%s: tensor '%s', which config.json calls for, is missing", directory,
                             name);
    }
    if (tensor->shape == wanted.shape) continue;
    return InvalidArgument("%s/%s: tensor '%s' has shape %s, but config.json (%s) calls for %s",
                           directory, weights.home.at(name), name, Shape(tensor->shape),
                           wanted.fields, Shape(wanted.shape));
  }
  for (const auto& [name, file] : weights.home) {
    if (expected.contains(name) || IsDerived(name)) continue;
    if (name == "lm_head.weight" && config.tied_embeddings) continue;
    return InvalidArgument("%s/%s: tensor '%s' is not part of the %s that config.json describes",
                           directory, file, Printable(Shorten(name, 100)), config.architecture);
  }
  return config.tied_embeddings ? CheckTied(weights, directory) : absl::OkStatus();
}

// --- the bytes ---

// Whether any of these numbers has all exponent bits set: NaN or infinity. In blocks without a
// branch, which the compiler turns into vector instructions.
template <typename Word>
bool HasNonFinite(std::string_view bytes, Word exponent) {
  constexpr size_t kBlock = 256;
  Word words[kBlock];
  for (size_t at = 0; at < bytes.size(); at += sizeof words) {
    const size_t count = std::min(sizeof words, bytes.size() - at) / sizeof(Word);
    if (count < kBlock) std::memset(words, 0, sizeof words);
    std::memcpy(words, bytes.data() + at, count * sizeof(Word));
    Word bad = 0;
    for (size_t i = 0; i < kBlock; ++i) bad |= (words[i] & exponent) == exponent;
    if (bad != 0) return true;
  }
  return false;
}

bool HasNonFinite(std::string_view bytes, Dtype dtype) {
  switch (dtype) {
    case Dtype::kBf16:
      return HasNonFinite<uint16_t>(bytes, 0x7F80);
    case Dtype::kF16:
      return HasNonFinite<uint16_t>(bytes, 0x7C00);
    case Dtype::kF32:
      return HasNonFinite<uint32_t>(bytes, 0x7F800000);
  }
  return true;
}

struct Chunk {
  size_t tensor = 0;
  std::string_view bytes;
  std::string digest;
  bool finite = true;
};

std::vector<Chunk> ChunksOf(const std::vector<Tensor>& tensors) {
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < tensors.size(); ++i) {
    for (size_t at = 0; at < tensors[i].bytes.size(); at += kChunkBytes) {
      chunks.push_back({i, tensors[i].bytes.substr(at, kChunkBytes), {}, true});
    }
  }
  return chunks;
}

// Each chunk is checked and hashed while it is warm; the file is read once.
void ReadChunks(const std::vector<Tensor>& tensors, int threads, std::vector<Chunk>* chunks) {
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < chunks->size(); i = next++) {
      Chunk& chunk = (*chunks)[i];
      if (i + kChunksAhead < chunks->size()) AnnouncePages((*chunks)[i + kChunksAhead].bytes);
      FetchPages(chunk.bytes);
      Sha256 hash;
      for (size_t at = 0; at < chunk.bytes.size(); at += kCachedBytes) {
        const std::string_view part = chunk.bytes.substr(at, kCachedBytes);
        chunk.finite &= !HasNonFinite(part, tensors[chunk.tensor].dtype);
        hash.Update(part);
      }
      chunk.digest = hash.HexDigest();
    }
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
}

std::string WeightsHash(const std::vector<Tensor>& tensors, const std::vector<Chunk>& chunks) {
  Sha256 hash;
  size_t chunk = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    hash.Update(absl::StrFormat("%s %s %s\n", tensors[i].name, DtypeName(tensors[i].dtype),
                                Shape(tensors[i].shape)));
    for (; chunk < chunks.size() && chunks[chunk].tensor == i; ++chunk) {
      hash.Update(chunks[chunk].digest);
    }
  }
  return hash.HexDigest();
}

absl::StatusOr<std::string> CheckAndHash(const Weights& weights, const std::string& directory,
                                         int threads) {
  std::vector<Chunk> chunks = ChunksOf(weights.tensors);
  if (threads <= 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  ReadChunks(weights.tensors, std::clamp<int>(threads, 1, 64), &chunks);
  for (const Chunk& chunk : chunks) {
    if (chunk.finite) continue;
    const std::string& name = weights.tensors[chunk.tensor].name;
    return InvalidArgument("%s/%s: tensor '%s' holds NaN or infinity", directory,
                           weights.home.at(name), name);
  }
  return WeightsHash(weights.tensors, chunks);
}

}  // namespace

Checkpoint::~Checkpoint() = default;

absl::StatusOr<std::shared_ptr<const Checkpoint>> Checkpoint::Open(
    const std::string& directory, const CheckpointOptions& options) {
  auto checkpoint = std::shared_ptr<Checkpoint>(new Checkpoint);
  checkpoint->directory_ = directory;
  if (!FileExists(directory)) return NotFound("%s: no such directory", directory);
  ASSIGN_OR_RETURN(checkpoint->config_, ReadConfig(directory));
  ModelConfig& config = checkpoint->config_;
  ASSIGN_OR_RETURN(Weights weights, ReadWeights(directory));
  RETURN_IF_ERROR(CheckTensors(config, weights, directory));
  if (FileExists(directory + "/tokenizer.json")) {
    ASSIGN_OR_RETURN(checkpoint->tokenizer_, Tokenizer::Open(directory));
    RETURN_IF_ERROR(CheckAgainstTokenizer(*checkpoint->tokenizer_, directory, &config));
  }
  SortUnique(&config.eos);
  RETURN_IF_ERROR(CheckEos(config, directory));
  if (options.read_weights) {
    ASSIGN_OR_RETURN(checkpoint->hash_, CheckAndHash(weights, directory, options.threads));
  }
  config.dtype = FindTensor(weights.tensors, "model.embed_tokens.weight")->dtype;
  std::erase_if(weights.tensors, [&](const Tensor& tensor) {
    return IsDerived(tensor.name) || (config.tied_embeddings && tensor.name == "lm_head.weight");
  });
  for (const auto& file : weights.files) file->EndSequentialReading();
  checkpoint->files_ = std::move(weights.files);
  checkpoint->tensors_ = std::move(weights.tensors);
  return std::shared_ptr<const Checkpoint>(std::move(checkpoint));
}

const Tensor* Checkpoint::Find(std::string_view name) const { return FindTensor(tensors_, name); }

int64_t Checkpoint::parameters() const {
  int64_t count = 0;
  for (const Tensor& tensor : tensors_) {
    count += static_cast<int64_t>(tensor.bytes.size()) / DtypeBytes(tensor.dtype);
  }
  return count;
}

int64_t Checkpoint::weight_bytes() const {
  int64_t bytes = 0;
  for (const Tensor& tensor : tensors_) bytes += static_cast<int64_t>(tensor.bytes.size());
  return bytes;
}

}  // namespace assay
