// Integer masses make every cut exact; classes by powers of two and quickselect find the
// nucleus without sorting.
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

// Time at which an id of this mass arrives, given its uniform.
inline double Arrival(double uniform, uint64_t mass) {
  return -PortableLog(uniform) / static_cast<double>(mass);
}

// The first of a race so far. Most ids are turned away without a logarithm: -ln(u) >= 1 - u, so an
// id with 1 - u >= best * mass cannot arrive before `best`.
struct Winner {
  int id = -1;
  double best = 0;

  // False only where Offer would change nothing.
  bool MayWin(double uniform, uint64_t mass) const {
    // The slack keeps rounding from turning away what would have won: order must not matter.
    return mass != 0 && (id < 0 || !(1 - uniform > best * static_cast<double>(mass) * (1 + 1e-12)));
  }
  void Offer(int candidate, uint64_t mass, double uniform) {
    const double time = Arrival(uniform, mass);
    if (id < 0 || time < best || (time == best && candidate < id)) {
      id = candidate;
      best = time;
    }
  }
};

}  // namespace

int Sampler::Greatest(std::span<const float> logits) const {
  return loops_.greatest(logits.data(), usable_);
}

double Sampler::LogSumExp(std::span<const float> logits, float greatest) const {
  return PortableLog(loops_.sum_exp(logits.data(), usable_, greatest)) + greatest;
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
  const auto logprob = [sum](float logit) {
    return static_cast<float>(static_cast<double>(logit) - sum);
  };
  drawn->logprob = logprob(logits[drawn->id]);
  candidates_.clear();
  for (int i = 0; i < usable_; ++i) candidates_.push_back({logits[i], i, 0});
  const auto kept = std::min(static_cast<size_t>(count), candidates_.size());
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(kept),
                    candidates_.end());
  drawn->top.clear();
  for (size_t i = 0; i < kept; ++i) {
    drawn->top.push_back({candidates_[i].id, logprob(candidates_[i].logit)});
  }
}

void Sampler::KeepTopK(std::span<const float> logits, int count) {
  for (int i = 0; i < usable_; ++i) candidates_.push_back({logits[i], i, masses_[i]});
  if (count >= usable_) return;
  std::nth_element(candidates_.begin(), candidates_.begin() + (count - 1), candidates_.end());
  candidates_.resize(count);
}

// Splits candidates_ by the powers of two that their masses reach: whole classes go in or out, and
// the one in which `wanted` is reached goes to undecided_. Returns what is still lacking there.
uint64_t Sampler::SplitByMass(uint64_t wanted) {
  constexpr int kClasses = 65;
  uint64_t class_mass[kClasses] = {};
  for (const Candidate& candidate : candidates_) {
    class_mass[std::bit_width(candidate.mass)] += candidate.mass;
  }
  int border = kClasses - 1;
  while (border > 0 && class_mass[border] < wanted) wanted -= class_mass[border--];
  undecided_.clear();
  size_t kept = 0;
  for (const Candidate& candidate : candidates_) {
    const int its_class = std::bit_width(candidate.mass);
    if (its_class == border) undecided_.push_back(candidate);
    if (its_class > border) candidates_[kept++] = candidate;
  }
  candidates_.resize(kept);
  return wanted;
}

// Leaves the shortest beginning (in Candidate's order) whose mass reaches `mass`.
void Sampler::KeepTopP(double mass, uint64_t total) {
  uint64_t wanted =
      SplitByMass(static_cast<uint64_t>(std::ceil(mass * static_cast<double>(total))));
  auto begin = undecided_.begin(), end = undecided_.end();
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
  candidates_.insert(candidates_.end(), undecided_.begin(), end);
}

int Sampler::Race(const DrawKey& key) const {
  Winner winner;
  for (const Candidate& candidate : candidates_) {
    const double uniform =
        PhiloxUniform(key.key, {key.sample, key.position, static_cast<uint32_t>(candidate.id), 0});
    if (winner.MayWin(uniform, candidate.mass)) {
      winner.Offer(candidate.id, candidate.mass, uniform);
    }
  }
  return winner.id;
}

int Sampler::RaceAll(const DrawKey& key) const {
  Winner winner;
  double uniforms[kUniformBlock];
  for (int begin = 0; begin < usable_; begin += kUniformBlock) {
    loops_.uniforms(key.key, key.sample, key.position, static_cast<uint32_t>(begin), uniforms);
    const uint64_t* masses = masses_.data() + begin;
    const int count = std::min(kUniformBlock, usable_ - begin);
    for (int i = 0; i < count; ++i) {
      if (winner.MayWin(uniforms[i], masses[i])) winner.Offer(begin + i, masses[i], uniforms[i]);
    }
  }
  return winner.id;
}

absl::Status Sampler::NoNumber(std::span<const float> logits, const DrawKey& key) const {
  int id = 0;
  while (std::isfinite(logits[id])) ++id;
  return Internal(
      "the logit of token %d at position %d is %f: the weights or their format overflow this "
      "runner's numbers",
      id, key.position, logits[id]);
}

absl::Status Sampler::Draw(std::span<const float> raw, const SamplingPlan& plan, const DrawKey& key,
                           std::span<const int> prompt, std::span<const int> reply,
                           DrawnToken* drawn) {
  if (!loops_.all_finite(raw.data(), usable_)) return NoNumber(raw, key);
  const std::span<const float> logits =
      plan.repetition_penalty == 1 ? raw : Penalised(raw, plan.repetition_penalty, prompt, reply);
  const int greatest = Greatest(logits);
  drawn->id = greatest;
  if (plan.temperature > 0) {
    const double inverse_temperature = 1 / plan.temperature;
    const double top = logits[greatest];
    masses_.resize(usable_);
    uint64_t total =
        loops_.masses(logits.data(), usable_, top, inverse_temperature, masses_.data());
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
      const uint64_t* masses = masses_.data();
      for (int i = 0; i < usable_; ++i) {
        if (masses[i] >= least) candidates_.push_back({logits[i], i, masses[i]});
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
