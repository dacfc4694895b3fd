// Times the symbolic checker: p50, p90, p99 and the largest, by tier and by set of pairs.
//
//   build/bench/bin/math_bench [PAIRS.jsonl...]
//
// Without files: our own table, and the shared vectors where they are present; of whole replies the
// time includes finding the answer. In this process and on this thread only; `assay verify --pairs`
// measures with the worker processes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "graders/algebra/check.h"
#include "harness/grading.h"
#include "harness/status.h"
#include "tests/testing.h"

namespace assay::algebra {
namespace {

struct Pair {
  std::string reference;
  std::string answer;
};

double Quantile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void PrintRow(const std::string& name, std::vector<double> microseconds) {
  if (microseconds.empty()) return;
  std::sort(microseconds.begin(), microseconds.end());
  double total = 0;
  for (const double value : microseconds) total += value;
  std::printf("  %-12s %6zu %9.1f %9.1f %9.1f %10.1f %10.0f\n", name.c_str(), microseconds.size(),
              Quantile(microseconds, 0.5), Quantile(microseconds, 0.9),
              Quantile(microseconds, 0.99), microseconds.back(),
              1e6 * static_cast<double>(microseconds.size()) / total);
}

void PrintTable(const std::string& name, const std::map<std::string, std::vector<double>>& by_tier,
                const std::vector<double>& all) {
  std::printf("%s (us)\n  %-12s %6s %9s %9s %9s %10s %10s\n", name.c_str(), "tier", "pairs", "p50",
              "p90", "p99", "max", "pairs/s");
  for (const auto& [tier, times] : by_tier) PrintRow(tier, times);
  PrintRow("all", all);
}

void Measure(const std::string& name, const std::vector<Pair>& pairs) {
  if (pairs.empty()) return;
  std::map<std::string, std::vector<double>> by_tier;
  std::vector<double> all;
  for (const Pair& pair : pairs) {
    const Outcome outcome = Check(pair.reference, pair.answer, {});
    by_tier[std::string(TierName(outcome.tier))].push_back(outcome.microseconds);
    all.push_back(outcome.microseconds);
  }
  PrintTable(name, by_tier, all);
}

// Whole replies: split, searched and judged, as `assay run` does it.
void MeasureReplies(const std::string& name, const std::string& path) {
  const auto grading = BindGrading("boxed", Json(), "math", Json());
  CHECK(grading.ok());
  std::map<std::string, std::vector<double>> by_tier;
  std::vector<double> all;
  for (const Json& row : testing_support::ReadJsonLinesFile(path)) {
    Problem problem;
    problem.reference = *row.FindString("gold_answer_field");
    Sample sample;
    sample.completion.raw = sample.completion.answer = *row.FindString("raw_output");
    const auto begin = std::chrono::steady_clock::now();
    CHECK(GradeSample(*grading, problem, &sample).ok());
    all.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
            .count());
    by_tier[sample.verdict.detail.FindString("tier").value_or("none")].push_back(all.back());
  }
  PrintTable(name, by_tier, all);
}

std::vector<Pair> OurTable() {
  std::vector<Pair> pairs;
  for (const auto& row : testing_support::ReadTable("algebra_pairs.txt"))
    pairs.push_back({row.fields[0], row.fields[1]});
  return pairs;
}

// Rows with gold and pred; a reference alone is compared with itself.
std::vector<Pair> PairsOf(const std::string& path, bool against_itself,
                          const std::string& set = "") {
  std::vector<Pair> pairs;
  for (const Json& row : testing_support::ReadJsonLinesFile(path)) {
    if (!set.empty() && row.FindString("set") != set) continue;
    const auto gold = row.FindString("gold");
    const auto pred = against_itself ? gold : row.FindString("pred");
    if (gold && pred && !gold->empty()) pairs.push_back({*gold, *pred});
  }
  return pairs;
}

}  // namespace
}  // namespace assay::algebra

int main(int argc, char** argv) {
  using namespace assay::algebra;
  for (int i = 1; i < argc; ++i) Measure(argv[i], PairsOf(argv[i], false));
  if (argc > 1) return 0;
  Measure("our table", OurTable());
  const std::string vectors = assay::testing_support::SharedPath("vectors/math_pairs.jsonl");
  if (!vectors.empty()) Measure("adversarial pairs", PairsOf(vectors, false));
  const std::string golds = assay::testing_support::SharedPath("vectors/gold_answers.jsonl");
  if (!golds.empty()) Measure("references against themselves", PairsOf(golds, true));
  if (!golds.empty()) Measure("MATH-500 against itself", PairsOf(golds, true, "MATH500"));
  const std::string replies = assay::testing_support::SharedPath("vectors/qwen_math_outputs.jsonl");
  if (!replies.empty()) MeasureReplies("800 whole replies", replies);
  return 0;
}
