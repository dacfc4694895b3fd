// The outcomes of a task's problems in a row, kept compressed: read front to back, any number of
// times.
//
// A run of half a million problems ends in a table that needs a pass or two over all of them, never
// all at once. Here a problem takes a few bytes (ids that count up, outcomes that repeat) instead
// of the 200 of its structs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/compress.h"
#include "harness/types.h"

namespace assay {

struct SampleOutcome {
  int index = 0;
  Outcome outcome = Outcome::kUndecided;
  double score = 0;
  int answer_class = -1;  // answers that the grader calls the same share a class; -1: no answer
  int64_t reasoning_tokens = 0;
  int64_t answer_tokens = 0;
  // The numbers under "measures" of the verdict's detail, for metrics that need more than one score
  // ("strict": 2). Empty for most graders.
  std::vector<std::pair<std::string, double>> measures;

  std::optional<double> Measure(std::string_view name) const;
};

struct ProblemOutcomes {
  std::string id;
  std::string cluster;  // problems that are not independent share one; empty: its own
  std::vector<std::string> tags;
  std::vector<SampleOutcome>
      samples;  // those stored and graded, by index; fewer than planned where some are missing
};

// Not thread-safe while it grows; then any number of threads may read.
class OutcomeList {
 public:
  // Reads problem after problem; the list must stay as it is. What *it gave is overwritten by ++it:
  // keep a copy of what should stay. For a loop over all: it can be neither copied nor moved.
  class Iterator {
   public:
    Iterator(Iterator&&) = delete;
    const ProblemOutcomes& operator*() const { return current_; }
    const ProblemOutcomes* operator->() const { return &current_; }
    Iterator& operator++();
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.at_end_; }

   private:
    friend class OutcomeList;
    explicit Iterator(const OutcomeList* list) : list_(list) { ++*this; }

    const OutcomeList* list_;
    size_t next_chunk_ = 0;
    Decompressor decompressor_;
    std::string chunk_;      // a sealed one, as it was
    std::string_view rest_;  // of it, or of the open one
    bool at_end_ = false;
    ProblemOutcomes current_;
  };

  OutcomeList() = default;
  OutcomeList(std::initializer_list<ProblemOutcomes> problems);
  explicit OutcomeList(const std::vector<ProblemOutcomes>& problems);

  void push_back(const ProblemOutcomes& problem);
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Iterator begin() const { return Iterator(this); }
  std::default_sentinel_t end() const { return {}; }

  std::vector<ProblemOutcomes> Unpacked() const;  // all at once: for few
  size_t bytes() const;                           // that the problems take here

 private:
  void Seal();

  std::vector<std::string> sealed_;  // zstd frames
  std::string open_;
  size_t size_ = 0;
};

}  // namespace assay
