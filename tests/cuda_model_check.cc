// Drives cuda::Model as the runner does, without scheduler or checkpoint.
#include "tests/cuda_model_check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <sstream>

#include "benchmarks/gpu_floor.h"

namespace assay {
namespace {

using cuda::DrawInput;
using cuda::RowInput;
using cuda::RowResult;

using Tokens = std::map<int, std::vector<int>>;  // by sample

struct Plan {
  std::vector<int> samples;  // in the order of rows
  int cut = 1 << 20;         // prompt tokens in a prefill step at most
  int swap_at = -1;          // step before which every other row moves to other pages
};

int PagesFor(int positions) {
  return (positions + cuda::kPagePositions - 1) / cuda::kPagePositions;
}

std::vector<int> PromptOf(const ExactnessOptions& options) {
  std::vector<int> prompt;
  for (int i = 0; i < options.prompt; ++i) prompt.push_back((i * 7919 + 13) % options.shape.usable);
  return prompt;
}

DrawInput DrawAt(int sample, int position) {
  DrawInput draw;
  draw.key = 77;
  draw.sample = static_cast<uint32_t>(sample);
  draw.position = static_cast<uint32_t>(position);
  draw.inverse_temperature = 1 / 0.8;
  draw.top_p = 0.95;
  draw.draws = 1;
  return draw;
}

void PrefillPrompt(cuda::Model* model, const std::vector<int>& prompt,
                   const std::vector<int>& pages, int cut) {
  const int last = static_cast<int>(prompt.size()) - 1;  // goes through decode
  const int most = std::min(cut, model->steps().prefill_rows);
  for (int first = 0; first < last; first += most) {
    std::vector<RowInput> rows;
    for (int p = first; p < std::min(last, first + most); ++p)
      rows.push_back({prompt[p], -1, p, 0});
    const std::vector<DrawInput> draws(rows.size());
    std::vector<RowResult> results(rows.size());
    const std::vector<cuda::PageList> lists = {pages};
    model->Prefill({rows, draws, lists, {}}, results, {});
  }
}

Tokens Generate(cuda::Model* model, const ExactnessOptions& options, const Plan& plan) {
  const std::vector<int> prompt = PromptOf(options);
  const int width = PagesFor(options.prompt + options.steps);
  // The prompt's own pages are the first; each row has as many behind them.
  std::vector<int> shared(width);
  std::iota(shared.begin(), shared.end(), 0);
  PrefillPrompt(model, prompt, shared, plan.cut);
  std::vector<std::vector<int>> pages;
  for (size_t row = 0; row < plan.samples.size(); ++row) {
    std::vector<int> own(width);
    std::iota(own.begin(), own.end(), static_cast<int>(row + 1) * width);
    for (int i = 0; i < PagesFor(options.prompt); ++i) model->CopyPage(shared[i], own[i]);
    pages.push_back(own);
  }
  Tokens tokens;
  std::vector<int> rows_under_way;
  const auto finish = [&] {
    std::vector<RowResult> results(plan.samples.size());
    model->FinishDecode(results);
    for (size_t row = 0; row < results.size(); ++row) {
      tokens[plan.samples[row]].push_back(results[row].bad >= 0 ? -2 : results[row].drawn);
    }
  };
  int under_way = 0;
  for (int step = 0; step < options.steps; ++step) {
    if (step == plan.swap_at) {
      while (under_way > 0) finish(), --under_way;
      for (size_t row = 1; row < pages.size(); row += 2) {
        std::vector<char*> saved;
        for (const int page : pages[row]) {
          saved.push_back(model->TakeHostPage());
          model->SavePage(saved.back(), page);
        }
        // Somebody else's numbers, then back into other pages.
        for (const int page : pages[row]) model->CopyPage(pages[0][0], page);
        std::reverse(pages[row].begin(), pages[row].end());
        for (size_t i = 0; i < saved.size(); ++i) {
          model->LoadPage(pages[row][i], saved[i]);
          model->GiveHostPage(saved[i]);
        }
      }
    }
    std::vector<RowInput> rows;
    std::vector<DrawInput> draws;
    std::vector<cuda::PageList> lists;
    const int position = options.prompt - 1 + step;
    for (size_t row = 0; row < plan.samples.size(); ++row) {
      const int sample = plan.samples[row];
      const bool on_device = under_way > 0;
      const int known = step == 0 ? prompt.back() : on_device ? -1 : tokens[sample].back();
      const auto index = static_cast<int>(row);
      rows.push_back({known, on_device ? index : -1, position, index});
      draws.push_back(DrawAt(sample, position + 1));
      lists.emplace_back(pages[row]);
    }
    model->BeginDecode({rows, draws, lists, {}});
    if (++under_way == cuda::Model::kDepth) finish(), --under_way;
  }
  while (under_way > 0) finish(), --under_way;
  return tokens;
}

std::string FirstDifference(const Tokens& found, const Tokens& wanted) {
  for (const auto& [sample, tokens] : found) {
    const std::vector<int>& other = wanted.at(sample);
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i] == other[i]) continue;
      char text[120];
      std::snprintf(text, sizeof(text), "sample %d differs from token %zu on: %d, wanted %d",
                    sample, i, tokens[i], other[i]);
      return text;
    }
  }
  return "";
}

}  // namespace

ExactnessOptions SmallModel() {
  ExactnessOptions options;
  options.name = "small model";
  options.shape = {64, 2, 4, 2, 32, 96, 320, 300, 1e-6F, true, true, true, false};
  options.rows = 4;
  options.prefill_rows = 32;
  options.prompt = 75;
  options.steps = 8;
  return options;
}

std::vector<ParityFinding> CheckExactness(cuda::Device* device, const ExactnessOptions& options) {
  std::vector<ParityFinding> findings;
  const int width = PagesFor(options.prompt + options.steps);
  cuda::StepShape step = {options.rows, options.prefill_rows, width * (options.rows + 1),
                          width * cuda::kPagePositions, false};
  std::string error;
  const std::unique_ptr<cuda::Model> model = MakeRandomModel(device, options.shape, step, &error);
  if (model == nullptr) return {{options.name + ": opening", false, error}};
  Plan plain;
  plain.samples.resize(options.rows);
  std::iota(plain.samples.begin(), plain.samples.end(), 0);
  const Tokens expected = Generate(model.get(), options, plain);
  std::set<int> distinct;
  bool drawn = true;
  for (const auto& [sample, tokens] : expected) {
    for (const int token : tokens) drawn &= token >= 0 && token < options.shape.usable;
    distinct.insert(tokens.begin(), tokens.end());
  }
  findings.push_back({options.name + ": tokens are drawn, and many", drawn && distinct.size() > 20,
                      std::to_string(distinct.size()) + " different ones"});
  const auto compare = [&](const std::string& what, const Plan& plan) {
    const std::string difference = FirstDifference(Generate(model.get(), options, plan), expected);
    findings.push_back(
        {options.name + ": the same tokens " + what, difference.empty(), difference});
  };
  compare("in a second run", plain);
  Plan shuffled = plain;
  std::shuffle(shuffled.samples.begin(), shuffled.samples.end(), std::mt19937(5));
  compare("in another order of rows", shuffled);
  for (const int sample : {0, options.rows / 2, options.rows - 1}) {
    compare("from sample " + std::to_string(sample) + " alone", {{sample}});
  }
  Plan swapped = plain;
  swapped.swap_at = options.steps / 2;
  compare("after pages were swapped out and in", swapped);
  for (const int cut : {1 + options.prompt / 3, 50}) {
    Plan cut_plan = plain;
    cut_plan.cut = cut;
    compare("with the prompt cut at " + std::to_string(cut), cut_plan);
  }
  if (!device->error().empty()) findings.push_back({options.name, false, device->error()});
  return findings;
}

// --- against another program ---

namespace {

struct Gates {
  double difference = 0, norm = 0, kl = 0;
  int rows = 0, compared = 0, agreed = 0;

  void Add(std::span<const float> found, std::span<const float> wanted) {
    double p_most = -INFINITY, q_most = -INFINITY, p_sum = 0, q_sum = 0;
    size_t best = 0, found_best = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      difference += (double{found[i]} - wanted[i]) * (double{found[i]} - wanted[i]);
      norm += double{wanted[i]} * wanted[i];
      if (wanted[i] > wanted[best]) best = i;
      if (found[i] > found[found_best]) found_best = i;
      p_most = std::max(p_most, double{wanted[i]});
      q_most = std::max(q_most, double{found[i]});
    }
    double second = -INFINITY;
    for (size_t i = 0; i < wanted.size(); ++i) {
      p_sum += std::exp(wanted[i] - p_most);
      q_sum += std::exp(found[i] - q_most);
      if (i != best) second = std::max(second, double{wanted[i]});
    }
    for (size_t i = 0; i < wanted.size(); ++i) {
      const double p = wanted[i] - p_most - std::log(p_sum);
      kl += std::exp(p) * (p - (found[i] - q_most - std::log(q_sum)));
    }
    ++rows;
    if (wanted[best] - second <= 0.1) return;
    ++compared;
    agreed += best == found_best ? 1 : 0;
  }

  ParityFinding Finding(const std::string& check) const {
    const double relative = std::sqrt(difference / norm), mean_kl = kl / rows;
    char text[200];
    std::snprintf(text, sizeof(text),
                  "relative L2 %.2e (at most 2e-2), mean KL %.2e (at most 1e-3), top-1 %d of %d",
                  relative, mean_kl, agreed, compared);
    const bool ok = rows > 0 && relative <= 2e-2 && mean_kl <= 1e-3 && agreed >= 0.99 * compared;
    return {check, ok, text};
  }
};

}  // namespace

std::vector<ParityFinding> CheckAgainstReference(cuda::Device* device, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string line, magic, name;
  std::getline(file, line);
  std::istringstream words(line);
  cuda::ModelShape shape;
  int version = 0, qkv_bias = 0, qk_norm = 0, count = 0;
  double theta = 0;
  words >> magic >> version >> name >> shape.hidden >> shape.layers >> shape.heads >>
      shape.kv_heads >> shape.head_dim >> shape.ffn >> shape.vocabulary >> qkv_bias >> qk_norm >>
      shape.epsilon >> theta >> count;
  const std::string check = "logits of " + name + " against transformers";
  if (!words || magic != "assay-reference" || version != 1) {
    return {
        {check, false,
         path + ":1: expected what gpu_reference.py writes, found '" + line.substr(0, 40) + "'"}};
  }
  shape.usable = shape.vocabulary;
  shape.qkv_bias = qkv_bias != 0;
  shape.qk_norm = qk_norm != 0;
  std::string error;
  const int pages = PagesFor(count) + 1;
  const std::unique_ptr<cuda::Model> model =
      cuda::Model::Make(device, shape, {8, 64, pages, pages * cuda::kPagePositions, false}, &error);
  if (model == nullptr) return {{check, false, error}};
  std::vector<int32_t> ids(count);
  file.read(reinterpret_cast<char*>(ids.data()), static_cast<std::streamsize>(ids.size() * 4));
  const auto load = [&](void* to, size_t bytes) {
    if (to == nullptr) return;
    model->Load(to, bytes, [&](char* piece, size_t, size_t some) {
      file.read(piece, static_cast<std::streamsize>(some));
    });
  };
  const cuda::Model::Weights& weights = model->weights();
  const auto hidden = static_cast<size_t>(shape.hidden), ffn = static_cast<size_t>(shape.ffn);
  const auto q = static_cast<size_t>(shape.q_width()), qkv = static_cast<size_t>(shape.qkv_width());
  const size_t words_bytes = static_cast<size_t>(shape.vocabulary) * hidden * 2;
  load(weights.embedding, words_bytes);
  load(weights.head, words_bytes);
  load(weights.final_norm, hidden * 4);
  for (const cuda::Model::Layer& layer : weights.layers) {
    load(layer.qkv, qkv * hidden * 2);
    load(layer.o, hidden * q * 2);
    load(layer.gate_up, 2 * ffn * hidden * 2);
    load(layer.down, hidden * ffn * 2);
    load(layer.input_norm, hidden * 4);
    load(layer.post_norm, hidden * 4);
    load(layer.qkv_bias, qkv * 4);
    load(layer.q_norm, static_cast<size_t>(shape.head_dim) * 4);
    load(layer.k_norm, static_cast<size_t>(shape.head_dim) * 4);
  }
  std::vector<float> wanted(static_cast<size_t>(count) * shape.vocabulary);
  file.read(reinterpret_cast<char*>(wanted.data()),
            static_cast<std::streamsize>(wanted.size() * 4));
  if (!file) return {{check, false, path + ": ends too early"}};
  const int half = shape.head_dim / 2;
  std::vector<float> cos, sin;
  for (int p = 0; p < model->steps().max_positions; ++p) {
    for (int i = 0; i < half; ++i) {
      const double angle = p * std::pow(theta, -static_cast<double>(i) / half);
      cos.push_back(static_cast<float>(std::cos(angle)));
      sin.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  for (const auto& [to, from] : {std::pair(weights.cos, &cos), std::pair(weights.sin, &sin)}) {
    model->Load(to, from->size() * 4, [&, values = from](char* piece, size_t begin, size_t some) {
      std::memcpy(piece, reinterpret_cast<const char*>(values->data()) + begin, some);
    });
  }
  std::vector<int> list(pages);
  std::iota(list.begin(), list.end(), 0);
  const std::vector<cuda::PageList> lists = {list};
  const auto row_of = [&](int position) {
    return std::span(wanted).subspan(static_cast<size_t>(position) * shape.vocabulary,
                                     shape.vocabulary);
  };
  Gates by_prefill, by_decode;
  for (int first = 0; first < count; first += 64) {
    std::vector<RowInput> rows;
    for (int p = first; p < std::min(count, first + 64); ++p) rows.push_back({ids[p], -1, p, 0});
    const std::vector<DrawInput> draws(rows.size());
    const std::vector<char> keep(rows.size(), 1);
    std::vector<RowResult> results(rows.size());
    model->Prefill({rows, draws, lists, keep}, results,
                   [&](int row, std::span<const float> logits) {
                     by_prefill.Add(logits, row_of(first + row));
                   });
  }
  // The last positions again, one at a time: they are written a second time, and attended to.
  for (int p = count / 2; p < count; ++p) {
    const std::vector<RowInput> rows = {{ids[p], -1, p, 0}};
    const std::vector<DrawInput> draws(1);
    const std::vector<char> keep = {1};
    std::vector<RowResult> results(1);
    model->BeginDecode({rows, draws, lists, keep});
    model->FinishDecode(results);
    by_decode.Add(model->Logits(0), row_of(p));
  }
  std::vector<ParityFinding> findings = {by_prefill.Finding(check + ", prefill"),
                                         by_decode.Finding(check + ", decode")};
  if (!device->error().empty()) findings.push_back({check, false, device->error()});
  return findings;
}

}  // namespace assay
