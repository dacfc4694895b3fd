// Keys are hashes of length-prefixed parts, so that ("ab","c") and ("a","bc") differ.
#include "harness/keys.h"

#include <algorithm>
#include <numeric>

#include "harness/hash.h"

namespace assay {
namespace {

void AppendPart(std::string_view part, std::string* out) {
  *out += std::to_string(part.size());
  *out += ':';
  *out += part;
}

}  // namespace

uint64_t SampleSeed(uint64_t run_seed, std::string_view task, std::string_view problem_id,
                    int index) {
  std::string bytes = "sample-seed/1";
  AppendPart(std::to_string(run_seed), &bytes);
  AppendPart(task, &bytes);
  AppendPart(problem_id, &bytes);
  AppendPart(std::to_string(index), &bytes);
  return Hash64(bytes) & 0x7FFFFFFF;
}

std::vector<int> ChoiceOrder(std::string_view problem_id, uint64_t seed, int count) {
  std::vector<std::pair<uint64_t, int>> keyed;
  for (int i = 0; i < count; ++i) {
    std::string bytes = "choice-order/1";
    AppendPart(std::to_string(seed), &bytes);
    AppendPart(problem_id, &bytes);
    AppendPart(std::to_string(i), &bytes);
    keyed.emplace_back(Hash64(bytes), i);
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<int> order;
  for (const auto& [key, position] : keyed) order.push_back(position);
  return order;
}

std::string RequestKeyPrefix(std::string_view model, std::string_view endpoint,
                             std::string_view prompt_json, const Sampling& sampling) {
  std::string bytes = "request/1";
  AppendPart(model, &bytes);
  AppendPart(endpoint, &bytes);
  AppendPart(prompt_json, &bytes);
  AppendPart(SamplingToJson(sampling).Dump(), &bytes);
  AppendPart(std::to_string(sampling.seed), &bytes);
  return bytes;
}

std::string RequestKey(std::string_view prefix, int index) {
  Sha256 hash;
  hash.Update(prefix);
  std::string bytes;
  AppendPart(std::to_string(index), &bytes);
  hash.Update(bytes);
  return hash.HexDigest();
}

std::string RequestKey(std::string_view model, std::string_view endpoint, const Prompt& prompt,
                       const Sampling& sampling, int index) {
  return RequestKey(RequestKeyPrefix(model, endpoint, PromptToJson(prompt).Dump(), sampling),
                    index);
}

}  // namespace assay
