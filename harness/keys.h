// Derived seeds and keys: what makes two draws the same draw, or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/types.h"

namespace assay {

// The seed of sample `index` of a problem: depends on nothing else, so not on order, batch or
// count. 31 bits, since servers differ in what they accept.
uint64_t SampleSeed(uint64_t run_seed, std::string_view task, std::string_view problem_id,
                    int index);

// The order in which `count` choices are shown: a hash of (problem id, seed), never constant, never
// unseeded. result[displayed] = position in the dataset.
std::vector<int> ChoiceOrder(std::string_view problem_id, uint64_t seed, int count);

// SHA-256 over (model, endpoint, rendered request, sampling, sample index). The first part is made
// once for all samples of a problem; `prompt_json` is PromptToJson(prompt).Dump().
std::string RequestKeyPrefix(std::string_view model, std::string_view endpoint,
                             std::string_view prompt_json, const Sampling& sampling);
std::string RequestKey(std::string_view prefix, int index);
std::string RequestKey(std::string_view model, std::string_view endpoint, const Prompt& prompt,
                       const Sampling& sampling, int index);

}  // namespace assay
