// The nouns of assay on one screen: plain values that one stage hands the next.
//
//   row -> Problem -> Prompt -> Completion -> Extraction -> Verdict -> [store] -> Metric ->
//   Estimate
//
// A problem is a dataset row; a sample is one completion drawn for it (as in pass@k's n samples).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/json.h"

namespace assay {

// One dataset row as it is asked.
struct Problem {
  std::string id;         // unique within its task
  Json row;               // object: the dataset row's fields, after the task's field mapping
  std::string reference;  // the right answer as text; for choices the letter as displayed
  std::vector<std::string> choices;  // as displayed; empty where there are none
  std::vector<int> choice_order;     // choice_order[displayed] = position in the dataset
  std::vector<std::string> tags;     // "subject:algebra", "level:3": for breakdowns
};

struct Message {
  std::string role;  // "system", "user", "assistant"
  std::string text;
};

struct Prompt {
  std::vector<Message> messages;
  std::string reply_prefix;  // the reply is forced to begin with this ("<think>\n"); usually empty
  // Not empty: nothing is drawn; the model is asked how likely each of these is as the reply
  // (harness/loglikelihood.h).
  std::vector<std::string> continuations;
};

// What is not set is not sent.
struct Sampling {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<int> top_k;
  std::optional<double> min_p;
  std::optional<double> repetition_penalty;
  std::optional<int> max_tokens;
  std::vector<std::string> stop;
  // Set: the log-probability of each drawn token is wanted, and so many alternatives.
  std::optional<int> top_logprobs;
  uint64_t seed = 0;  // of the run; each sample gets its own, derived (harness/keys.h)
  Json extra;         // object or null: further request fields, passed through as given
};

enum class FinishReason { kStop, kLength, kContentFilter, kOther };
enum class TokenSource {
  kMeasured,
  kEstimated
};  // told by the server or engine, or guessed from the text

struct TokenCounts {
  int64_t prompt = 0;
  int64_t reasoning = 0;
  int64_t answer = 0;
  TokenSource source = TokenSource::kEstimated;
};

// What a model said, once, split at ingest (harness/reasoning.h). Expensive; never changed
// afterwards.
struct Completion {
  std::string raw;  // the reply's content as received, tags and all (without a reasoning field)
  std::string
      reasoning;  // the thinking, without its tags, from the tags or from the reasoning field
  std::string
      answer;  // what follows the thinking: the only text that is ever searched for an answer
  bool unclosed_reasoning = false;  // thinking began and never ended
  FinishReason finish = FinishReason::kStop;
  TokenCounts tokens;
  double latency_seconds = 0;
  std::optional<double> cost_usd;
  uint64_t seed = 0;         // the one sent or used for this sample
  std::string served_by;     // base URL, checkpoint directory or file that it came from
  std::string served_model;  // the name that the server reported
  // Of all tokens drawn, the thinking's too, packed (harness/token_logprobs.h); empty where they
  // were not asked for.
  std::string logprobs;

  // Cut off at the token cap, or thinking that never ended: never searched for an answer.
  bool truncated() const { return finish == FinishReason::kLength || unclosed_reasoning; }
};

// The answer found in Completion::answer. Offsets are bytes into it.
struct Extraction {
  std::optional<std::string>
      answer;  // what is graded: `lenient`, unless the task asks for `strict`
  std::optional<std::string> strict;   // found in exactly the form that the prompt asked for
  std::optional<std::string> lenient;  // found by any rule of the extractor
  std::string rule;                    // which rule found `answer`; empty where none did
  size_t begin = 0;                    // where `answer` was found
  size_t end = 0;
};

enum class Outcome { kCorrect, kIncorrect, kNoAnswer, kTruncated, kUndecided };

// What a grader says of a sample. Cheap; can be recomputed (`assay grade`).
struct Verdict {
  Outcome outcome = Outcome::kUndecided;
  double score = 0;  // in [0, 1]
  std::string why;   // one line for people
  std::string grader;
  int grader_version = 0;
  Json detail;  // object or null: the grader's own record (tier, normal forms, tests)
};

// One stored draw.
struct Sample {
  std::string problem_id;
  int index = 0;  // 0 .. samples planned - 1
  Completion completion;
  Extraction extraction;
  Verdict verdict;
};

// A task as it was run: everything that says what its numbers mean.
struct TaskManifest {
  std::string name;
  std::string version;
  std::string task_hash;  // sha256 of the task's definition as used (definition + overrides)
  std::string dataset_path;
  std::string dataset_sha256;
  std::string prompt_hash;  // sha256 over all rendered prompts, in order
  std::string extractor;
  Json extract_options;
  std::string grader;
  int grader_version = 0;
  Json grader_options;
  Json sampling;  // as sent
  int samples_per_problem = 1;
  int64_t problems = 0;
  std::vector<std::string> metrics;
  Json definition;  // the whole task, as loaded, for `show` and `grade`
};

// One process that drew samples of a run: the one that began it, or a `resume`.
struct RunSession {
  std::string started;     // ISO 8601, UTC
  std::string ended;       // the same; empty: it draws still, or was killed
  std::string stopped_by;  // why it ended before the run was complete; empty: it did not
  std::string assay_version;
  std::string code_version;
  std::string host;
  std::vector<std::string> base_urls;  // that it asked
};

struct RunManifest {
  std::string id;          // short, unique in its database
  std::string name;        // given by the user, or made from model and tasks
  std::string backend;     // "endpoint", "local", "replay"
  std::string model;       // as asked for
  std::string model_hash;  // of the weights, or the name the endpoint reported
  std::vector<std::string> base_urls;
  Json backend_options;  // secrets removed
  std::vector<TaskManifest> tasks;
  uint64_t seed = 0;
  std::string assay_version;
  std::string code_version;  // git revision where known
  std::string host;
  std::string started;  // ISO 8601, UTC
  Json options;  // object: what resume needs to ask for the rest (limit, overrides, search paths)
  std::vector<RunSession> sessions;  // oldest first; none where samples were imported
};

std::string_view OutcomeName(
    Outcome outcome);  // "correct", "incorrect", "no_answer", "truncated", "undecided"
std::optional<Outcome> OutcomeFromName(std::string_view name);
std::string_view FinishReasonName(
    FinishReason reason);  // "stop", "length", "content_filter", "other"
// Servers' and programs' words, in any case, alone or as "FinishReason.MAX_TOKENS"; none ("") and
// words that nobody knows are kOther.
FinishReason FinishReasonFromName(std::string_view name);
// "abort", "error", "cancelled": the server gave up, so this is no reply of the model's.
bool FinishTellsFailure(std::string_view name);

// JSON forms, used by the manifest, the request key and the export.
Json SamplingToJson(const Sampling& sampling);  // the seed is not in it
Json PromptToJson(const Prompt& prompt);

}  // namespace assay
