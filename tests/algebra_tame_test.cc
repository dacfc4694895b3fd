// Pairs that are decided without a worker process: the verdict must be the worker's, and nothing
// that can run away may be among them.
#include "graders/algebra/tame.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "graders/algebra/check.h"
#include "harness/process.h"
#include "tests/testing.h"

namespace assay::algebra {
namespace {

using std::chrono::milliseconds;
using testing_support::BinaryPath;
using testing_support::ReadJsonLinesFile;
using testing_support::ReadTable;
using testing_support::RunAssay;
using testing_support::SharedPath;

struct Pair {
  std::string reference;
  std::string answer;
};

// What a worker says and what this process says, but for the time.
void ExpectSameAsWorker(WorkerPool* workers, const Pair& pair) {
  const Outcome here = Check(pair.reference, pair.answer, {});
  const std::string request = Json::MakeObject({{"reference", pair.reference},
                                                {"answer", pair.answer},
                                                {"options", Json()},
                                                {"symmetric", false}})
                                  .Dump();
  ASSERT_OK_AND_ASSIGN(const std::string reply, workers->Call(request, milliseconds(10000)));
  ASSERT_OK_AND_ASSIGN(const Json there, ParseJson(reply));
  const auto where = pair.reference + " | " + pair.answer;
  EXPECT_EQ(there.FindInteger("verdict"), static_cast<int64_t>(here.verdict)) << where;
  EXPECT_EQ(there.FindInteger("tier"), static_cast<int64_t>(here.tier)) << where;
  EXPECT_EQ(there.FindInteger("digits"), here.digits) << where;
  EXPECT_EQ(there.FindString("note"), here.note) << where;
  EXPECT_EQ(there.FindString("reference_form"), here.reference_form) << where;
  EXPECT_EQ(there.FindString("answer_form"), here.answer_form) << where;
  EXPECT_EQ(there.FindString("reference_reading"), here.reference_reading) << where;
  EXPECT_EQ(there.FindString("answer_reading"), here.answer_reading) << where;
}

WorkerPool MakeWorkers() {
  return WorkerPool({.command = {BinaryPath("bin/assay"), "grade-worker", "math"}, .workers = 1});
}

// Tiers that need neither balls nor exact fields: a tame pair ends in one of them.
bool IsCheap(const Outcome& outcome) {
  static const std::set<Tier> cheap = {Tier::kNone, Tier::kIdentity, Tier::kExact,
                                       Tier::kSets, Tier::kMatching, Tier::kUnits,
                                       Tier::kText, Tier::kRounding, Tier::kStructure};
  return cheap.count(outcome.tier) > 0;
}

// Numbers, fractions, lists and intervals in many spellings, right and wrong ones alike.
class Generator {
 public:
  std::string Text() {
    switch (Below(8)) {
      case 0:
        return Dressed(Number());
      case 1:
        return Number() + "/" + Number();
      case 2:
        return "\\frac{" + Number() + "}{" + Number() + "}";
      case 3:
        return "(" + Number() + ", " + Number() + (Below(2) ? ")" : "]");
      case 4:
        return Number() + ", " + Number() + ", " + Number();
      case 5:
        return "\\left[" + Number() + "," + Number() + "\\right)";
      case 6:
        return Number() + Pick("+-") + Number();
      default:
        return Soup();
    }
  }
  // Mostly small numbers, so that equal pairs turn up.
  std::string Number() {
    static const std::vector<std::string> numbers = {"0",     "1",     "2",    "-1",     "0.5",
                                                     ".5",    "1,000", "1000", "1000.0", "007",
                                                     "-0.50", "12",    "1.25", "33.3",   "0.333"};
    return numbers[Below(numbers.size())];
  }
  std::string Dressed(const std::string& number) {
    static const std::vector<std::pair<std::string, std::string>> dresses = {
        {"", ""}, {"$", "$"}, {"", "%"}, {"", "\\%"}, {"\\$", ""}, {" ", "."}, {"{", "}"}};
    const auto& [before, after] = dresses[Below(dresses.size())];
    return before + number + after;
  }

 private:
  size_t Below(size_t n) { return random_() % n; }
  char Pick(std::string_view from) { return from[Below(from.size())]; }
  // Any bytes of the alphabet: most are unreadable, and must be so on both sides.
  std::string Soup() {
    std::string soup;
    for (size_t i = Below(12) + 1; i > 0; --i) soup += Pick("0123456789 .,;+-/()[]{}$%\\");
    return soup;
  }
  std::mt19937 random_{20261123};
};

TEST(Tame, AGeneratedPairIsDecidedAsAWorkerDecidesIt) {
  WorkerPool workers = MakeWorkers();
  Generator generator;
  int tame = 0;
  int equal = 0;
  for (int i = 0; i < 6000; ++i) {
    const bool alike = i % 3 == 0;
    const std::string number = generator.Number();
    const Pair pair = alike ? Pair{generator.Dressed(number), generator.Dressed(number)}
                            : Pair{generator.Text(), generator.Text()};
    if (!IsTame(pair.reference, pair.answer)) continue;
    ++tame;
    ExpectSameAsWorker(&workers, pair);
    const Outcome outcome = Check(pair.reference, pair.answer, {});
    EXPECT_TRUE(IsCheap(outcome)) << pair.reference << " | " << pair.answer << ": "
                                  << TierName(outcome.tier);
    equal += outcome.correct();
  }
  EXPECT_GT(tame, 4000);
  EXPECT_GT(equal, 200);
}

TEST(Tame, ASharedPairIsDecidedAsAWorkerDecidesIt) {
  SKIP_WITHOUT_SHARED("vectors/math_pairs.jsonl");
  WorkerPool workers = MakeWorkers();
  int tame = 0;
  const auto expect = [&](const Pair& pair) {
    if (!IsTame(pair.reference, pair.answer)) return;
    ++tame;
    ExpectSameAsWorker(&workers, pair);
    EXPECT_TRUE(IsCheap(Check(pair.reference, pair.answer, {})))
        << pair.reference << " | " << pair.answer;
  };
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/math_pairs.jsonl")))
    expect({row.FindString("gold").value_or(""), row.FindString("pred").value_or("")});
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/qwen_math_outputs.jsonl")))
    expect({row.FindString("gold").value_or(""), row.FindString("their_pred").value_or("")});
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/gold_answers.jsonl")))
    expect({row.FindString("gold").value_or(""), row.FindString("gold").value_or("")});
  EXPECT_GT(tame, 3000);
}

TEST(Tame, OurTableIsDecidedAsAWorkerDecidesIt) {
  WorkerPool workers = MakeWorkers();
  for (const auto& row : ReadTable("algebra_pairs.txt")) {
    const Pair pair = {row.fields[0], row.fields[1]};
    if (IsTame(pair.reference, pair.answer)) ExpectSameAsWorker(&workers, pair);
  }
}

TEST(Tame, WhatMayRunAwayIsNot) {
  const std::vector<Pair> wild = {
      {"5", "9^{9^9}"},
      {"9^9^9", "9^9^9"},
      {"9^{9^9}", "9^{9^9}"},
      {"9^{99}", "9^{99}"},
      {"100!", "100!"},
      {"1e99999", "1"},
      {"1e9", "1e9"},
      {"\\sqrt{2}", "1.41421356237309515"},
      {"\\sum_{k=1}^{n} k", "\\sum_{k=1}^{n} k"},
      {"\\log 2", "\\log 2"},
      {"\\pm 1 \\pm 2", "\\pm 1 \\pm 2"},
      {"\\binom{9}{3}", "\\binom{9}{3}"},
      {"x", "y"},
      {"1", std::string(97, '1')},
      {"1,2,3,4,5,6,7,8,9,0,1,2,3,4", "1,2,3,4,5,6,7,8,9,0,1,2,3,5"},
      {"1", "\xff"},
      {"1", std::string("1\0", 2)},
      {"\\", "\\"},
  };
  for (const Pair& pair : wild) {
    EXPECT_FALSE(IsTame(pair.reference, pair.answer)) << pair.reference << " | " << pair.answer;
  }
  for (const Pair& pair : std::vector<Pair>{{"42", "42"},
                                            {"1/2", "0.5"},
                                            {"\\frac{1}{2}", "\\dfrac12"},
                                            {"x^2+1", "x^2+1"},
                                            {" 90^\\circ", "90^\\circ "},
                                            {"(1,2]", "(1,3)"},
                                            {"10,000", "10000"},
                                            {"\\text{east}", "\\text{east}"}})
    EXPECT_TRUE(IsTame(pair.reference, pair.answer)) << pair.reference << " | " << pair.answer;
}

// The whole way: the program's answer is the checker's own.
TEST(Tame, TheProgramSaysTheSame) {
  const auto end = RunAssay({"verify", "--json", "\\frac{1}{2}", "0.5"});
  EXPECT_EQ(end.status, 0) << end.err;
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(end.out));
  EXPECT_EQ(json.FindString("verdict"), "correct");
  EXPECT_EQ(json.FindString("tier"), "exact");
}

}  // namespace
}  // namespace assay::algebra
