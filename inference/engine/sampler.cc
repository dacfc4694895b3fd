// Integer masses make every cut exact; quickselect finds the nucleus without sorting.
#include "inference/engine/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "harness/status.h"
#include "inference/engine/philox.h"
#include "inference/engine/portable_math.h"

namespace assay {
namespace {

constexpr double kOne = 0x1p40;  // the mass of the most probable token

// round(exp((l - greatest) / T) * 2^40). Adding 2^52 leaves the rounded integer in the low bits.
inline uint64_t MassOf(float logit, double greatest, double inverse_temperature) {
  const double value =
      PortableExp((static_cast<double>(logit) - greatest) * inverse_temperature) * kOne;
  return std::bit_cast<uint64_t>(value + 0x1p52) & ((uint64_t{1} << 52) - 1);
}

// Time at which an id of this mass arrives, given its uniform.
inline double Arrival(double uniform, uint64_t mass) {
  return -PortableLog(uniform) / static_cast<double>(mass);
}

// The first of a race so far. Most ids are turned away without a logarithm: -ln(u) >= 1 - u, so an
// id with 1 - u >= best * mass cannot arrive before `best`.
struct Winner {
  int id = -1;
  double best = 0;

  void Offer(int candidate, uint64_t mass, const DrawKey& key) {
    if (mass == 0) return;
    const double uniform =
        PhiloxUniform(key.key, {key.sample, key.position, static_cast<uint32_t>(candidate), 0});
    // The slack keeps rounding from turning away what would have won: order must not matter.
    if (id >= 0 && 1 - uniform > best * static_cast<double>(mass) * (1 + 1e-12)) return;
    const double time = Arrival(uniform, mass);
    if (id < 0 || time < best || (time == best && candidate < id)) {
      id = candidate;
      best = time;
    }
  }
};

}  // namespace

int Sampler::Greatest(std::span<const float> logits) const {
  int best = 0;
  for (int i = 1; i < usable_; ++i) {
    if (logits[i] > logits[best]) best = i;
  }
  return best;
}

double Sampler::LogSumExp(std::span<const float> logits, float greatest) const {
  double sum = 0;
  for (int i = 0; i < usable_; ++i) sum += PortableExp(static_cast<double>(logits[i]) - greatest);
  return PortableLog(sum) + greatest;
}

double Sampler::LogProbability(std::span<const float> logits, int id) {
  return static_cast<double>(logits[id]) - LogSumExp(logits, logits[Greatest(logits)]);
}

std::span<const float> Sampler::Penalised(std::span<const float> logits, double penalty,
                                          std::span<const int> prompt, std::span<const int> reply) {
  penalised_.assign(logits.begin(), logits.begin() + usable_);
  for (const std::span<const int> ids : {prompt, reply}) {
    for (const int id : ids) {
      if (id < 0 || id >= usable_) continue;
      // From the logit as it came: an id that is there twice is penalised once.
      const double logit = logits[id];
      penalised_[id] = static_cast<float>(logit > 0 ? logit / penalty : logit * penalty);
    }
  }
  return penalised_;
}

void Sampler::Report(std::span<const float> logits, int count, DrawnToken* drawn) {
  const double sum = LogSumExp(logits, logits[Greatest(logits)]);
  drawn->logprob = static_cast<double>(logits[drawn->id]) - sum;
  candidates_.clear();
  for (int i = 0; i < usable_; ++i) candidates_.push_back({logits[i], i, 0});
  const auto kept = std::min(static_cast<size_t>(count), candidates_.size());
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(kept),
                    candidates_.end());
  drawn->top.clear();
  for (size_t i = 0; i < kept; ++i) {
    drawn->top.push_back({candidates_[i].id, static_cast<double>(candidates_[i].logit) - sum});
  }
}

void Sampler::KeepTopK(std::span<const float> logits, int count) {
  for (int i = 0; i < usable_; ++i) candidates_.push_back({logits[i], i, masses_[i]});
  if (count >= usable_) return;
  std::nth_element(candidates_.begin(), candidates_.begin() + (count - 1), candidates_.end());
  candidates_.resize(count);
}

// Leaves the shortest beginning (in Candidate's order) whose mass reaches `mass`.
void Sampler::KeepTopP(double mass, uint64_t total) {
  auto wanted = static_cast<uint64_t>(std::ceil(mass * static_cast<double>(total)));
  auto begin = candidates_.begin(), end = candidates_.end();
  // What lies before `begin` is in and `wanted` is what is still lacking; what lies behind `end` is
  // out.
  while (end - begin > 1) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end);
    uint64_t half = 0;
    for (auto it = begin; it != middle; ++it) half += it->mass;
    if (half >= wanted) {
      end = middle;
    } else {
      wanted -= half;
      begin = middle;
    }
  }
  candidates_.erase(end, candidates_.end());
}

int Sampler::Race(const DrawKey& key) const {
  Winner winner;
  for (const Candidate& candidate : candidates_) winner.Offer(candidate.id, candidate.mass, key);
  return winner.id;
}

int Sampler::RaceAll(const DrawKey& key) const {
  Winner winner;
  for (int i = 0; i < usable_; ++i) winner.Offer(i, masses_[i], key);
  return winner.id;
}

absl::Status Sampler::Draw(std::span<const float> raw, const SamplingPlan& plan, const DrawKey& key,
                           std::span<const int> prompt, std::span<const int> reply,
                           DrawnToken* drawn) {
  for (int i = 0; i < usable_; ++i) {
    if (!std::isfinite(raw[i])) {
      return Internal(
          "the logit of token %d at position %d is %f: the weights or their format "
          "overflow this runner's numbers",
          i, key.position, raw[i]);
    }
  }
  const std::span<const float> logits =
      plan.repetition_penalty == 1 ? raw : Penalised(raw, plan.repetition_penalty, prompt, reply);
  const int greatest = Greatest(logits);
  drawn->id = greatest;
  if (plan.temperature > 0) {
    const double inverse_temperature = 1 / plan.temperature;
    const double top = logits[greatest];
    masses_.resize(usable_);
    uint64_t total = 0;
    for (int i = 0; i < usable_; ++i) {
      masses_[i] = MassOf(logits[i], top, inverse_temperature);
      total += masses_[i];
    }
    candidates_.clear();
    if (plan.top_k > 0) {
      KeepTopK(logits, plan.top_k);
      total = 0;
      for (const Candidate& candidate : candidates_) total += candidate.mass;
    } else if (plan.top_p < 1 || plan.min_p > 0) {
      // Ids below this mass cannot be in the nucleus: all of them together weigh less than what it
      // leaves out.
      const double cut =
          plan.top_p < 1 ? (1 - plan.top_p) * static_cast<double>(total) / usable_ : 0;
      // Half of it, so that no rounding here can matter.
      const auto least = static_cast<uint64_t>(cut / 2);
      for (int i = 0; i < usable_; ++i) {
        if (masses_[i] >= least) candidates_.push_back({logits[i], i, masses_[i]});
      }
    }
    if (plan.top_p < 1) KeepTopP(plan.top_p, total);
    if (plan.min_p > 0) {
      std::erase_if(candidates_, [&](const Candidate& candidate) {
        return static_cast<double>(candidate.mass) < plan.min_p * kOne;
      });
    }
    drawn->id = candidates_.empty() ? RaceAll(key) : Race(key);
  }
  if (plan.logprobs > 0) Report(raw, plan.logprobs, drawn);
  return absl::OkStatus();
}

}  // namespace assay
