// Draws a token from logits so that the draw hangs on (key, sample, position) and the logits alone.
//
// Order of steps, as Hugging Face's: repetition penalty, ids without a token out, temperature,
// top-k, top-p, min-p, draw. Probabilities are integer masses round(exp((l - max) / T) * 2^40):
// their sums are exact, so no order of adding can change a cut. Ties go to the lower id. The draw
// is an exponential race (the Gumbel-max trick) over the survivors: each id's time is
// -ln(u) / mass with u from Philox(key; sample, position, id, 0); the first one wins.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "inference/engine/sampler_loops.h"

namespace assay {

// Checked by MakeSamplingPlan (request.h). The defaults change nothing.
struct SamplingPlan {
  double temperature = 1;  // 0: the greatest logit
  int top_k = 0;           // 0: all
  double top_p = 1;        // in (0, 1]; the token that crosses it stays
  double min_p = 0;        // in [0, 1]; relative to the most probable token
  double repetition_penalty = 1;
  int logprobs = 0;  // how many of the most probable ids to report, at most 20
};
constexpr int kMaxLogprobs = 20;

// Which draw this is: the same one on every machine, whatever runs beside it.
struct DrawKey {
  uint64_t key = 0;       // of run seed, task and problem
  uint32_t sample = 0;    // the sample's index within its problem
  uint32_t position = 0;  // of the drawn token in its sequence, the prompt counted
};

struct TokenLogprob {
  int id = 0;
  float logprob = 0;
};

struct DrawnToken {
  int id = -1;
  float logprob = 0;              // of the logits as they came; only where the plan asks for some
  std::vector<TokenLogprob> top;  // by falling logprob, then by id
};

// Scratch space for one thread.
class Sampler {
 public:
  // Ids at or above `usable` have no token and are never drawn. usable <= logits.size().
  explicit Sampler(int usable) : usable_(usable), loops_(BestSamplerLoops()) {}
  // For tests: another version of the loops.
  Sampler(int usable, const SamplerLoops& loops) : usable_(usable), loops_(loops) {}

  // `prompt` and `reply` are the ids so far, for the repetition penalty. An error: a logit is no
  // number.
  absl::Status Draw(std::span<const float> logits, const SamplingPlan& plan, const DrawKey& key,
                    std::span<const int> prompt, std::span<const int> reply, DrawnToken* drawn);

  // ln of softmax(logits)[id] over the usable ids.
  double LogProbability(std::span<const float> logits, int id);
  // The greatest logit's id; the lowest on ties.
  int Greatest(std::span<const float> logits) const;

 private:
  struct Candidate {
    float logit;
    int id;
    uint64_t mass;
    // By falling logit, then by rising id: the order that cuts follow.
    friend bool operator<(const Candidate& a, const Candidate& b) {
      return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
    }
  };

  std::span<const float> Penalised(std::span<const float> logits, double penalty,
                                   std::span<const int> prompt, std::span<const int> reply);
  absl::Status NoNumber(std::span<const float> logits, const DrawKey& key) const;
  double LogSumExp(std::span<const float> logits, float greatest) const;
  void Report(std::span<const float> logits, int count, DrawnToken* drawn);
  void KeepTopK(std::span<const float> logits, int count);
  void KeepTopP(double mass, uint64_t total);
  uint64_t SplitByMass(uint64_t wanted);
  int Race(const DrawKey& key) const;
  int RaceAll(const DrawKey& key) const;

  int usable_;
  const SamplerLoops& loops_;
  std::vector<float> penalised_;
  std::vector<uint64_t> masses_;  // [usable]
  std::vector<Candidate> candidates_;
  std::vector<Candidate> undecided_;
};

}  // namespace assay
