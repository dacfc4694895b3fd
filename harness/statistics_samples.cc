// Several samples of one problem: pass@k, pass^k, G-Pass@k and exact plurality votes.
#include <algorithm>
#include <cmath>

#include "harness/statistics.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

void CheckSubset(int64_t n, int64_t correct, int64_t k) {
  CHECK(k >= 1 && k <= n && correct >= 0 && correct <= n);
}

// log C(n, k) in long double: the tails reach 1e-29, and their relative error must stay small.
long double LogBinomial(int64_t n, int64_t k) {
  long double sum = 0;
  for (int64_t i = 1; i <= std::min(k, n - k); ++i) {
    sum += std::log(static_cast<long double>(n - std::min(k, n - k) + i) / i);
  }
  return sum;
}

// pmf[i] = P(i right among k drawn of n).
std::vector<double> Hypergeometric(int64_t n, int64_t correct, int64_t k) {
  std::vector<double> pmf(static_cast<size_t>(k) + 1, 0.0);
  const int64_t lowest = std::max<int64_t>(0, k - (n - correct));
  const int64_t highest = std::min(correct, k);
  // From the mode outwards: the first term cannot underflow, and the recurrence multiplies.
  const int64_t mode = std::clamp((k + 1) * (correct + 1) / (n + 2), lowest, highest);
  const long double at_mode =
      std::exp(LogBinomial(correct, mode) + LogBinomial(n - correct, k - mode) - LogBinomial(n, k));
  long double term = at_mode;
  pmf[static_cast<size_t>(mode)] = static_cast<double>(term);
  for (int64_t i = mode; i < highest; ++i) {
    term *= static_cast<long double>(correct - i) * static_cast<long double>(k - i) /
            (static_cast<long double>(i + 1) * static_cast<long double>(n - correct - k + i + 1));
    pmf[static_cast<size_t>(i) + 1] = static_cast<double>(term);
  }
  term = at_mode;
  for (int64_t i = mode; i > lowest; --i) {
    term *= static_cast<long double>(i) * static_cast<long double>(n - correct - k + i) /
            (static_cast<long double>(correct - i + 1) * static_cast<long double>(k - i + 1));
    pmf[static_cast<size_t>(i) - 1] = static_cast<double>(term);
  }
  return pmf;
}

// tail[i] = P(at least i right), i = 0..k; summed from the small end.
std::vector<double> UpperTails(int64_t n, int64_t correct, int64_t k) {
  std::vector<double> tails = Hypergeometric(n, correct, k);
  for (size_t i = tails.size() - 1; i-- > 0;) tails[i] += tails[i + 1];
  for (double& tail : tails) tail = std::min(tail, 1.0);
  return tails;
}

// Rows of Pascal's triangle up to kMaxVotes are below 1e300, and so are all partial sums of their
// convolution: none exceeds C(n, k).
std::vector<double> BinomialRow(int64_t n, int64_t up_to) {
  std::vector<double> row = {1};
  for (int64_t i = 1; i <= up_to; ++i) {
    row.push_back(row.back() * static_cast<double>(n - i + 1) / static_cast<double>(i));
  }
  return row;
}

// All n samples are the one subset: the winners share.
double WholeVote(std::span<const VoteClass> classes) {
  int64_t most = 0;
  for (const VoteClass& one : classes) most = std::max(most, one.votes);
  double score = 0;
  int64_t tied = 0;
  for (const VoteClass& one : classes) {
    if (one.votes != most) continue;
    score += one.score;
    ++tied;
  }
  return most == 0 ? 0 : score / static_cast<double>(tied);
}

// ways[ties][votes]: how the classes seen so far can cast `votes` votes with none above `lead` and
// `ties` of them at it.
using Ways = std::vector<std::vector<double>>;

void AddClass(int64_t size, int64_t lead, int64_t k, Ways* ways) {
  const std::vector<double> choose = BinomialRow(size, std::min(size, lead));
  const size_t limit = static_cast<size_t>(k);
  Ways next(ways->size() + 1, std::vector<double>(limit + 1, 0.0));
  for (size_t ties = 0; ties < ways->size(); ++ties) {
    for (size_t votes = 0; votes <= limit; ++votes) {
      const double before = (*ways)[ties][votes];
      if (before == 0) continue;
      for (size_t cast = 0; cast < choose.size() && votes + cast <= limit; ++cast) {
        const bool tie = static_cast<int64_t>(cast) == lead;
        next[ties + (tie ? 1 : 0)][votes + cast] += before * choose[cast];
      }
    }
  }
  // Ties that no class reached cost nothing to drop.
  while (next.size() > 1 &&
         std::all_of(next.back().begin(), next.back().end(), [](double way) { return way == 0; })) {
    next.pop_back();
  }
  *ways = std::move(next);
}

// The expected share of the vote that class `winner` wins. `silent` samples never vote.
double WinShare(std::span<const int64_t> sizes, size_t winner, int64_t silent, int64_t k) {
  double total = 0;
  int64_t n = silent;
  for (const int64_t size : sizes) n += size;
  const std::vector<double> own = BinomialRow(sizes[winner], std::min(sizes[winner], k));
  const std::vector<double> quiet = BinomialRow(silent, std::min(silent, k));
  for (int64_t lead = 1; lead <= std::min(sizes[winner], k); ++lead) {
    const int64_t rest = k - lead;
    Ways ways = {std::vector<double>(static_cast<size_t>(rest) + 1, 0.0)};
    for (size_t i = 0; i < quiet.size() && static_cast<int64_t>(i) <= rest; ++i) {
      ways[0][i] = quiet[i];
    }
    for (size_t other = 0; other < sizes.size(); ++other) {
      if (other != winner) AddClass(sizes[other], lead, rest, &ways);
    }
    for (size_t ties = 0; ties < ways.size(); ++ties) {
      total += own[static_cast<size_t>(lead)] * ways[ties][static_cast<size_t>(rest)] /
               static_cast<double>(ties + 1);
    }
  }
  return total / BinomialRow(n, k).back();
}

}  // namespace

double PassAtK(int64_t n, int64_t correct, int64_t k) {
  CheckSubset(n, correct, k);
  if (n - correct < k) return 1;
  // C(n-c, k) / C(n, k) = C(n-k, c) / C(n, c): the shorter product.
  long double none = 1;
  const int64_t factors = std::min(correct, k);
  const int64_t other = std::max(correct, k);
  for (int64_t i = 0; i < factors; ++i) {
    none *= static_cast<long double>(n - other - i) / static_cast<long double>(n - i);
  }
  return static_cast<double>(1 - none);
}

double PassHatK(int64_t n, int64_t correct, int64_t k) {
  CheckSubset(n, correct, k);
  long double all = 1;
  for (int64_t i = 0; i < k && all > 0; ++i) {
    all *= static_cast<long double>(std::max<int64_t>(correct - i, 0)) /
           static_cast<long double>(n - i);
  }
  return static_cast<double>(all);
}

absl::StatusOr<Rational> ParseThreshold(std::string_view text) {
  const auto wrong = [&] {
    return InvalidArgument("threshold '%s': wanted a number in (0, 1], such as 0.5 or 1/2", text);
  };
  Rational tau;
  const std::vector<std::string_view> halves = Split(text, '/');
  const std::vector<std::string_view> decimals = Split(text, '.');
  if (halves.size() == 2) {
    const std::optional<int64_t> numerator = ParseInt(halves[0]);
    const std::optional<int64_t> denominator = ParseInt(halves[1]);
    if (!numerator || !denominator) return wrong();
    tau = {*numerator, *denominator};
  } else if (decimals.size() <= 2) {
    const std::string_view fraction = decimals.size() == 2 ? decimals[1] : "";
    if (fraction.size() > 9 || fraction.find_first_of("+-") != fraction.npos) return wrong();
    const std::optional<int64_t> digits =
        ParseInt(std::string(decimals[0]) + std::string(fraction));
    if (!digits) return wrong();
    tau.numerator = *digits;
    for (size_t i = 0; i < fraction.size(); ++i) tau.denominator *= 10;
  } else {
    return wrong();
  }
  constexpr int64_t kLargest = 1'000'000'000;
  const bool in_range = tau.numerator > 0 && tau.numerator <= tau.denominator;
  if (!in_range || tau.denominator > kLargest) return wrong();
  return tau;
}

double GPassAtK(int64_t n, int64_t correct, int64_t k, Rational tau) {
  CheckSubset(n, correct, k);
  CHECK(tau.numerator > 0 && tau.numerator <= tau.denominator);
  const int64_t threshold = (k * tau.numerator + tau.denominator - 1) / tau.denominator;
  return UpperTails(n, correct, k)[static_cast<size_t>(threshold)];
}

double MeanGPassAtK(int64_t n, int64_t correct, int64_t k) {
  CheckSubset(n, correct, k);
  CHECK(k >= 2);
  const std::vector<double> tails = UpperTails(n, correct, k);
  double sum = 0;
  for (int64_t i = (k + 1) / 2 + 1; i <= k; ++i) sum += tails[static_cast<size_t>(i)];
  return 2 * sum / static_cast<double>(k);
}

double MajorityAtK(std::span<const VoteClass> classes, int64_t invalid, int64_t k,
                   InvalidVotes policy) {
  std::vector<VoteClass> voters(classes.begin(), classes.end());
  const int64_t silent = policy == InvalidVotes::kDrop ? invalid : 0;
  if (policy == InvalidVotes::kClass && invalid > 0) voters.push_back({invalid, 0});
  int64_t n = silent;
  for (const VoteClass& voter : voters) n += voter.votes;
  CHECK(k >= 1 && k <= n && n <= kMaxVotes);
  if (k == n) return WholeVote(voters);
  // Large classes last: what is tied stays small for long.
  std::sort(voters.begin(), voters.end(),
            [](const VoteClass& a, const VoteClass& b) { return a.votes < b.votes; });
  std::vector<int64_t> sizes;
  for (const VoteClass& voter : voters) sizes.push_back(voter.votes);
  double score = 0;
  for (size_t i = 0; i < voters.size(); ++i) {
    if (voters[i].score != 0) score += voters[i].score * WinShare(sizes, i, silent, k);
  }
  return std::clamp(score, 0.0, 1.0);
}

}  // namespace assay
