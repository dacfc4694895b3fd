// The Grader plug: a .cc in graders/ that says whether an answer is right.
//
// graders/NAME.cc defines `Grader NameGrader()`. Nothing else is needed: CMake lists the folder.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/types.h"

namespace assay {

// A grader with a task's options bound. Both functions may be called from many threads at once.
struct BoundGrader {
  // Called only where the completion is not truncated and an answer was found (or the grader reads
  // whole completions). An error is ours (a broken sandbox): the sample stays ungraded and `assay
  // grade` asks again. What the model did wrong, or what cannot be decided, is a Verdict. `grader`
  // and `grader_version` are filled in by the caller.
  std::function<absl::StatusOr<Verdict>(const Problem&, const Completion&, const Extraction&)>
      grade;
  // Whether two extracted answers are the same answer, for cons@k. Empty: equal strings.
  std::function<bool(std::string_view, std::string_view)> same_answer;
};

struct Grader {
  std::string name;                  // "math"
  int version = 1;                   // raised whenever a verdict can change; the CHANGELOG says how
  std::string about;                 // one sentence
  std::vector<std::string> options;  // names that `bind` knows, for checks and suggestions
  bool reads_whole_completion =
      false;  // grades the text itself, with no extracted answer (instructions, judge)
  // Judges by the problem's row, beyond its reference and choices (tests, instructions): an answer
  // alone cannot be judged again.
  bool reads_row = false;
  // What a worker process of this grader does with one request (`assay grade-worker NAME`,
  // harness/process.h); empty where the grader works in the process itself.
  std::function<std::string(std::string_view request)> work;
  // `options` is an object or null; a wrong value is an error that names it.
  std::function<absl::StatusOr<BoundGrader>(const Json& options)> bind;
};

}  // namespace assay
