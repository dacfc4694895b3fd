// Which field is what, in files that nobody standardised.
#include "harness/recording.h"

#include <algorithm>

#include "harness/hash.h"
#include "harness/reasoning.h"
#include "harness/status.h"
#include "harness/text.h"
#include "harness/token_logprobs.h"

namespace assay {
namespace {

constexpr size_t kMaxPackedBytes = size_t{1} << 30;
constexpr std::string_view kOurFormat = "assay-sample/1";
constexpr size_t kTellingBytes = 12;       // shorter texts do not tell problems apart
constexpr int64_t kMostIndex = 1'000'000;  // of a sample within its problem

using Names = std::vector<std::string>;
const Names& IdNames() {
  static const auto* names =
      new Names{"problem_id", "id", "unique_id", "question_id", "task_id", "qid", "doc_id", "idx"};
  return *names;
}
const Names& IndexNames() {
  static const auto* names =
      new Names{"sample_index", "sample", "sample_id", "index", "epoch", "repeat", "attempt"};
  return *names;
}
const Names& CompletionNames() {
  static const auto* names = new Names{"raw",
                                       "completion",
                                       "completions",
                                       "raw_output",
                                       "response",
                                       "responses",
                                       "output",
                                       "outputs",
                                       "generation",
                                       "generations",
                                       "model_output",
                                       "reply",
                                       "replies",
                                       "prediction",
                                       "text",
                                       "message.content",
                                       "choices.0.message.content"};
  return *names;
}
const Names& ReasoningNames() {
  static const auto* names =
      new Names{"reasoning", "reasoning_content", "thinking", "message.reasoning_content",
                "choices.0.message.reasoning_content"};
  return *names;
}
const Names& FinishNames() {
  static const auto* names = new Names{
      "finish",      "finish_reason", "finish_reasons",          "stop_reason",
      "done_reason", "finishReason",  "choices.0.finish_reason", "candidates.0.finishReason"};
  return *names;
}
const Names& QuestionNames() {
  static const auto* names = new Names{"question", "problem", "prompt", "input", "query"};
  return *names;
}

// Our own kind of text: no member is guessed where the user named it.
class FieldReader {
 public:
  FieldReader(const RecordingFields& fields, Recording* recording)
      : fields_(fields), recording_(recording) {}

  absl::Status Read(const Row& row);
  // After the last row: a field that the user named and no row has is an error.
  absl::Status Finish();

 private:
  absl::Status ReadRow(const Row& row);
  absl::Status ReadLmEval(const Row& row);
  absl::Status ReadOurs(const Row& row);
  absl::Status AddAll(const Row& row, const RecordedCompletion& recorded, const Json& texts,
                      const Json* reasonings, const Json* finishes, const Json* indices);
  absl::Status Add(const Row& row, RecordedCompletion recorded, Json kept);
  // The told field, else the first guess that is there; notes the guess once.
  const Json* Find(const Row& row, const char* what, const std::string& told, const Names& names);
  absl::StatusOr<const Json*> Need(const Row& row, const char* what, const char* flag,
                                   const std::string& told, const Names& names);
  absl::StatusOr<int> SampleIndex(const Row& row, const Json& told) const;
  absl::Status RememberProblem(const Row& row, const std::string& id, const char* reference);
  size_t Question(std::string_view text);
  RecordingFormat FormatOf(const Json& row) const;
  absl::Status At(const Row& row, std::string_view what) const {
    return InvalidArgument("%s:%d: %s", recording_->path, row.line, what);
  }

  const RecordingFields& fields_;
  Recording* recording_;
  Compressor compressor_;
  std::map<std::string, std::string> noted_;  // what -> the field that was guessed
  std::set<std::string> found_;               // fields that the user named and a row has
  Names there_;                               // the first row's fields
  bool tells_finish_ = false;
  std::map<std::string, size_t, std::less<>> questions_;
  std::optional<std::string> filter_;  // lm-eval writes each sample once for every filter
};

const Json* FirstOf(const Json& row, const Names& names, std::string* which) {
  for (const std::string& name : names) {
    const Json* found = FindPath(row, name);
    if (found == nullptr || found->is_null()) continue;
    *which = name;
    return found;
  }
  return nullptr;
}

const Json* FieldReader::Find(const Row& row, const char* what, const std::string& told,
                              const Names& names) {
  if (!told.empty()) {
    const Json* found = FindPath(row.fields, told);
    if (found != nullptr) found_.insert(told);
    return found != nullptr && !found->is_null() ? found : nullptr;
  }
  std::string which;
  const Json* found = FirstOf(row.fields, names, &which);
  if (found != nullptr && noted_.emplace(what, which).second) {
    recording_->notes.push_back(absl::StrFormat("%s: taken from field '%s'", what, which));
  }
  return found;
}

absl::StatusOr<const Json*> FieldReader::Need(const Row& row, const char* what, const char* flag,
                                              const std::string& told, const Names& names) {
  const Json* found = Find(row, what, told, names);
  if (found != nullptr) return found;
  Names there;
  for (const Json::Member& member : row.fields.AsMembers()) there.push_back(member.first);
  if (!told.empty()) {
    return At(row, absl::StrFormat("there is no field '%s'%s; it has %s", told,
                                   DidYouMean(told, there), Join(there, ", ")));
  }
  return At(row,
            absl::StrFormat("no field that holds something looks like the %s; name it with %s; "
                            "the row has %s",
                            what, flag, Join(there, ", ")));
}

absl::StatusOr<int> FieldReader::SampleIndex(const Row& row, const Json& told) const {
  const bool sane = told.is_integer() && told.AsInteger() >= 0 && told.AsInteger() <= kMostIndex;
  if (sane) return static_cast<int>(told.AsInteger());
  return At(row, absl::StrFormat("the sample index: expected an integer from 0 to %d, found %s",
                                 kMostIndex, Shorten(told.Dump(), 60)));
}

size_t FieldReader::Question(std::string_view text) {
  std::string normal = NormalBlanks(text);
  if (normal.empty()) return 0;
  const auto [place, is_new] = questions_.emplace(std::move(normal), recording_->questions.size());
  if (is_new) recording_->questions.push_back(place->first);
  return place->second;
}

RecordingFormat FieldReader::FormatOf(const Json& row) const {
  if (row.FindString("format") == std::string(kOurFormat)) return RecordingFormat::kAssay;
  const bool lm_eval = row.Find("resps") != nullptr && row.Find("doc") != nullptr;
  return lm_eval ? RecordingFormat::kLmEval : RecordingFormat::kRows;
}

absl::Status FieldReader::Finish() {
  const bool rows = recording_->format == RecordingFormat::kRows;
  const std::pair<const char*, const std::string*> told[] = {
      {"--id-field", &fields_.id},
      {"--index-field", &fields_.index},
      {"--completion-field", &fields_.completion},
      {"--reasoning-field", &fields_.reasoning},
      {"--finish-field", &fields_.finish},
      {"--question-field", &fields_.question}};
  for (const auto& [flag, name] : told) {
    if (name->empty() || found_.contains(*name)) continue;
    if (!rows && name != &fields_.question) {
      return InvalidArgument(
          "%s %s: %s is a file of %s, whose fields are known", flag, *name, recording_->path,
          recording_->format == RecordingFormat::kAssay ? "assay's own" : "lm-evaluation-harness");
    }
    return InvalidArgument("%s: no row has the field '%s' of %s%s (the first row has %s)",
                           recording_->path, *name, flag, DidYouMean(*name, there_),
                           Shorten(Join(there_, ", "), 300));
  }
  for (const auto& [word, count] : recording_->unknown_finishes) {
    recording_->notes.push_back(
        absl::StrFormat("finish reason: '%s' (%d times) says nothing that is known; such a reply "
                        "counts as finished",
                        Shorten(word, 40), count));
  }
  if (!tells_finish_) {
    recording_->notes.push_back(
        "finish reason: no field tells it; every reply counts as finished, one that was cut off "
        "too");
  }
  return absl::OkStatus();
}

absl::Status FieldReader::Read(const Row& row) {
  if (there_.empty()) {
    for (const Json::Member& member : row.fields.AsMembers()) there_.push_back(member.first);
  }
  if (recording_->format == RecordingFormat::kAuto) recording_->format = FormatOf(row.fields);
  const std::optional<std::string> task = row.fields.FindString("task");
  if (!fields_.task.empty() && task && *task != fields_.task) {
    recording_->other_tasks += 1;
    return absl::OkStatus();
  }
  switch (recording_->format) {
    case RecordingFormat::kAssay:
      return ReadOurs(row);
    case RecordingFormat::kLmEval:
      return ReadLmEval(row);
    default:
      return ReadRow(row);
  }
}

absl::Status FieldReader::Add(const Row& row, RecordedCompletion recorded, Json kept) {
  const Json* raw = kept.Find("raw");
  if (raw == nullptr || !raw->is_string()) {
    return At(row, absl::StrFormat("a completion: expected a string, found %s",
                                   raw == nullptr ? "nothing" : KindName(*raw)));
  }
  if (const Json* finish = kept.Find("finish"); finish != nullptr && !finish->is_null()) {
    tells_finish_ = true;
    const std::string word = finish->ToText();
    if (FinishTellsFailure(word)) {
      recording_->failed_draws += 1;
      return absl::OkStatus();
    }
    const bool known = FinishReasonFromName(word) != FinishReason::kOther || word.empty() ||
                       word == FinishReasonName(FinishReason::kOther);
    if (!known) recording_->unknown_finishes[word] += 1;
  }
  recorded.line = row.line;
  compressor_.Compress(kept.Dump(), 1, &recorded.packed);
  recorded.packed.shrink_to_fit();
  recording_->completions.push_back(std::move(recorded));
  return absl::OkStatus();
}

// The element that goes with text `i`: of a list, or the one value for all.
const Json* Element(const Json* values, size_t i) {
  if (values == nullptr || !values->is_array()) return values;
  return i < values->size() ? &values->AsArray()[i] : nullptr;
}

absl::Status FieldReader::AddAll(const Row& row, const RecordedCompletion& recorded,
                                 const Json& texts, const Json* reasonings, const Json* finishes,
                                 const Json* indices) {
  const size_t count = texts.is_array() ? texts.size() : 1;
  if (finishes != nullptr && finishes->is_array() && finishes->size() != count) {
    return At(row,
              absl::StrFormat("%d finish reasons for %d completions", finishes->size(), count));
  }
  for (size_t i = 0; i < count; ++i) {
    Json kept = Json::MakeObject({{"raw", *Element(&texts, i)}});
    if (const Json* reasoning = Element(reasonings, i)) kept.Set("reasoning", *reasoning);
    if (const Json* finish = Element(finishes, i)) kept.Set("finish", *finish);
    const Json* index = Element(indices, i);
    RecordedCompletion one = recorded;
    if (index != nullptr && !index->is_null()) {
      ASSIGN_OR_RETURN(one.index, SampleIndex(row, *index));
    } else if (texts.is_array()) {
      one.index = static_cast<int>(i);
    }
    RETURN_IF_ERROR(Add(row, std::move(one), std::move(kept)));
  }
  return absl::OkStatus();
}

absl::Status FieldReader::ReadRow(const Row& row) {
  RecordedCompletion recorded;
  if (const Json* id = Find(row, "problem id", fields_.id, IdNames())) {
    recorded.ids = {id->ToText()};
  } else if (!fields_.id.empty()) {
    return Need(row, "problem id", "--id-field", fields_.id, IdNames()).status();
  }
  const Json* question = Find(row, "question", fields_.question, QuestionNames());
  if (question != nullptr && question->is_string()) {
    recorded.question = Question(question->AsString());
    // A number may be the problem's place, but only the question's text can prove it.
    const std::string number = recorded.ids.empty() ? "" : recorded.ids[0];
    if (recording_->questions[recorded.question].size() >= kTellingBytes) {
      recorded.place = ParseInt(number);
    }
  }
  ASSIGN_OR_RETURN(const Json* texts, Need(row, "completion", "--completion-field",
                                           fields_.completion, CompletionNames()));
  const Json* reasonings = Find(row, "reasoning", fields_.reasoning, ReasoningNames());
  const Json* finishes = Find(row, "finish reason", fields_.finish, FinishNames());
  // "truncated": true, where no field has a reason.
  const std::optional<bool> truncated = row.fields.FindBool("truncated");
  const Json cut = truncated.value_or(false) ? "length" : "stop";
  if (finishes == nullptr && fields_.finish.empty() && truncated) {
    finishes = &cut;
    if (noted_.emplace("finish reason", "truncated").second) {
      recording_->notes.push_back("finish reason: taken from field 'truncated'");
    }
  }
  const Json* index = Find(row, "sample index", fields_.index, IndexNames());
  if (index != nullptr) RETURN_IF_ERROR(SampleIndex(row, *index).status());
  const bool list = texts->is_array();
  if (recording_->model.empty()) recording_->model = row.fields.FindString("model").value_or("");
  return AddAll(row, recorded, *texts, reasonings, finishes, list ? nullptr : index);
}

absl::Status FieldReader::ReadLmEval(const Row& row) {
  const Json* doc = row.fields.Find("doc");
  const Json* resps = row.fields.Find("resps");
  if (doc == nullptr || resps == nullptr || !resps->is_array()) {
    return At(row, "expected lm-evaluation-harness's fields 'doc' and 'resps'");
  }
  const std::string filter = row.fields.FindString("filter").value_or("");
  if (!filter_) filter_ = filter;
  if (filter != *filter_) return absl::OkStatus();
  RecordedCompletion recorded;
  if (const auto ours = row.fields.FindString("problem_id")) {
    recorded.ids.push_back(*ours);
    RETURN_IF_ERROR(RememberProblem(row, *ours, "target"));
  }
  for (const std::string& name : IdNames()) {
    const Json* id = doc->Find(name);
    if (id != nullptr && !id->is_null()) recorded.ids.push_back(id->ToText());
  }
  recorded.place = row.fields.FindInteger("doc_id");
  const Json* question = nullptr;
  std::string which;
  if (!fields_.question.empty()) {
    question = FindPath(row.fields, fields_.question);
    if (question != nullptr) found_.insert(fields_.question);
  }
  if (question == nullptr) question = FirstOf(*doc, QuestionNames(), &which);
  if (question != nullptr && question->is_string()) {
    recorded.question = Question(question->AsString());
  }
  // A list of requests, each with a list of responses.
  Json texts = Json::MakeArray();
  for (const Json& request : resps->AsArray()) {
    if (!request.is_array()) {
      texts.Append(request);
      continue;
    }
    for (const Json& text : request.AsArray()) texts.Append(text);
  }
  return AddAll(row, recorded, texts, nullptr, row.fields.Find("finish_reasons"),
                row.fields.Find("sample_indices"));
}

absl::Status FieldReader::RememberProblem(const Row& row, const std::string& id,
                                          const char* reference) {
  RecordedProblem problem;
  problem.line = row.line;
  problem.reference = row.fields.FindString(reference).value_or("");
  if (const Json* messages = row.fields.Find("messages")) {
    problem.messages = PromptMessagesHash(*messages);
  }
  const Json* order = row.fields.Find("choice_order");
  for (size_t i = 0; order != nullptr && order->is_array() && i < order->size(); ++i) {
    const Json& place = order->AsArray()[i];
    if (!place.is_integer() || place.AsInteger() < 0 || place.AsInteger() > 1000) {
      return At(row, absl::StrFormat("field 'choice_order': expected places of choices, found %s",
                                     Shorten(order->Dump(), 60)));
    }
    problem.choice_order.push_back(static_cast<int>(place.AsInteger()));
  }
  const auto [known, is_new] = recording_->problems.try_emplace(id, problem);
  if (is_new || known->second.choice_order == problem.choice_order) return absl::OkStatus();
  return At(row, absl::StrFormat("field 'choice_order': %s, and line %d has another of the same "
                                 "problem: samples of two runs are two recordings",
                                 order == nullptr ? "none" : order->Dump(), known->second.line));
}

absl::Status FieldReader::ReadOurs(const Row& row) {
  const Json& fields = row.fields;
  if (fields.Find("raw") == nullptr && fields.Find("error") != nullptr) {
    recording_->failed_draws += 1;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string id, RequireString(row, recording_->path, "problem_id"));
  const Json* index = fields.Find("index");
  if (index == nullptr) return At(row, "field 'index': expected an integer, found nothing");
  RecordedCompletion recorded;
  recorded.ids = {id};
  ASSIGN_OR_RETURN(recorded.index, SampleIndex(row, *index));
  RETURN_IF_ERROR(RememberProblem(row, id, "reference"));
  Json kept = Json::MakeObject();
  for (const char* name :
       {"raw", "reasoning", "answer", "unclosed_reasoning", "finish", "tokens", "latency_seconds",
        "cost_usd", "seed", "served_by", "served_model", "logprobs"}) {
    if (const Json* found = fields.Find(name)) kept.Set(name, *found);
  }
  if (recording_->model.empty()) recording_->model = fields.FindString("model").value_or("");
  return Add(row, std::move(recorded), std::move(kept));
}

int64_t EstimatedTokens(std::string_view text) {
  return static_cast<int64_t>((text.size() + 3) / 4);
}

TokenCounts TokensOf(const Json& kept, const Completion& completion) {
  TokenCounts counts;
  const Json* told = kept.Find("tokens");
  if (told == nullptr || !told->is_object()) {
    counts.reasoning = EstimatedTokens(completion.reasoning);
    counts.answer = EstimatedTokens(completion.answer);
    return counts;
  }
  counts.prompt = told->FindInteger("prompt").value_or(0);
  counts.reasoning = told->FindInteger("reasoning").value_or(0);
  counts.answer = told->FindInteger("answer").value_or(0);
  const bool measured = told->FindString("source") == std::string("measured");
  counts.source = measured ? TokenSource::kMeasured : TokenSource::kEstimated;
  return counts;
}

void SplitKept(const Json& kept, bool prefix_opened, Completion* completion) {
  const std::optional<std::string> reasoning = kept.FindString("reasoning");
  const std::optional<std::string> answer = kept.FindString("answer");
  if (const auto unclosed = kept.FindBool("unclosed_reasoning"); unclosed && answer) {
    // Our own export: split once already.
    completion->reasoning = reasoning.value_or("");
    completion->answer = *answer;
    completion->unclosed_reasoning = *unclosed;
    return;
  }
  std::optional<std::string_view> field;
  // Where the reply still has its tags, a reasoning field only repeats what is between them.
  const bool tags = Contains(completion->raw, "<think>") || Contains(completion->raw, "</think>");
  if (reasoning && !reasoning->empty() && !tags) field = *reasoning;
  SplitReply split = SplitReasoning(completion->raw, field, prefix_opened && !field);
  completion->reasoning = std::move(split.reasoning);
  completion->answer = std::move(split.answer);
  completion->unclosed_reasoning = split.unclosed;
}

}  // namespace

absl::StatusOr<RecordingFormat> RecordingFormatFromName(std::string_view name) {
  if (name == "auto") return RecordingFormat::kAuto;
  if (name == "jsonl") return RecordingFormat::kRows;
  if (name == "lm-eval") return RecordingFormat::kLmEval;
  if (name == "assay") return RecordingFormat::kAssay;
  return InvalidArgument("--format: expected one of auto, jsonl, lm-eval, assay; found '%s'%s",
                         name, DidYouMean(name, Names{"auto", "jsonl", "lm-eval", "assay"}));
}

uint64_t PromptMessagesHash(const Json& messages) { return Hash64(messages.Dump()); }

std::string NormalBlanks(std::string_view text) {
  std::string normal;
  for (const char c : Trim(text)) {
    const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (!blank) {
      normal += c;
    } else if (!normal.empty() && normal.back() != ' ') {
      normal += ' ';
    }
  }
  return normal;
}

const Json* FindPath(const Json& json, std::string_view path) {
  if (const Json* whole = json.Find(path)) return whole;  // a name may hold dots
  const Json* at = &json;
  for (const std::string_view step : Split(path, '.')) {
    const std::optional<int64_t> place = ParseInt(step);
    if (at->is_array()) {
      const bool inside = place && *place >= 0 && static_cast<size_t>(*place) < at->size();
      at = inside ? &at->AsArray()[static_cast<size_t>(*place)] : nullptr;
    } else {
      at = at->Find(step);
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

absl::StatusOr<Recording> ReadRecording(const std::string& path, RecordingFormat format,
                                        const RecordingFields& fields, const std::string& task) {
  Recording recording;
  recording.path = path;
  recording.format = format;
  recording.questions.emplace_back();
  ASSIGN_OR_RETURN(recording.sha256, FileSha256(path));
  ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows, OpenRows(path));
  RecordingFields told = fields;
  told.task = task;
  FieldReader reader(told, &recording);
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<Row> row, rows->Next());
    if (!row) break;
    RETURN_IF_ERROR(reader.Read(*row));
  }
  RETURN_IF_ERROR(reader.Finish());
  if (!recording.completions.empty()) return recording;
  if (recording.other_tasks > 0) {
    return NotFound("%s: no row is of task %s: %d are of other tasks", path, task,
                    recording.other_tasks);
  }
  return InvalidArgument("%s: it holds no completion%s", path,
                         recording.failed_draws > 0 ? ", only draws that failed" : "");
}

absl::StatusOr<Completion> UnpackRecorded(const RecordedCompletion& recorded, bool prefix_opened,
                                          Decompressor& decompressor) {
  std::string text;
  RETURN_IF_ERROR(decompressor.Decompress(recorded.packed, kMaxPackedBytes, &text));
  ASSIGN_OR_RETURN(const Json kept, ParseJson(text));
  Completion completion;
  completion.raw = kept.FindString("raw").value_or("");
  const Json* finish = kept.Find("finish");
  const bool told = finish != nullptr && !finish->is_null();
  completion.finish = told ? FinishReasonFromName(finish->ToText()) : FinishReason::kStop;
  SplitKept(kept, prefix_opened, &completion);
  completion.tokens = TokensOf(kept, completion);
  completion.latency_seconds = kept.FindNumber("latency_seconds").value_or(0);
  completion.cost_usd = kept.FindNumber("cost_usd");
  completion.seed = static_cast<uint64_t>(kept.FindInteger("seed").value_or(0));
  completion.served_by = kept.FindString("served_by").value_or("");
  completion.served_model = kept.FindString("served_model").value_or("");
  if (const Json* logprobs = kept.Find("logprobs")) {
    RETURN_IF_ERROR(ReadLogprobs(*logprobs, &completion.logprobs).status());
  }
  return completion;
}

// --- matching ---

void ProblemIndex::Add(const Problem& problem) {
  const size_t place = count_++;
  by_id_.emplace(problem.id, place);
  std::vector<std::string> texts;
  std::string short_question;
  if (problem.row.is_object()) {
    for (const Json::Member& member : problem.row.AsMembers()) {
      if (!member.second.is_string()) continue;
      std::string normal = NormalBlanks(member.second.AsString());
      const bool asks = std::find(QuestionNames().begin(), QuestionNames().end(), member.first) !=
                        QuestionNames().end();
      if (normal.size() < kTellingBytes && asks && short_question.empty()) short_question = normal;
      if (normal.size() < kTellingBytes) continue;
      const auto [found, is_new] = by_text_.emplace(normal, place);
      if (!is_new && found->second != place) found->second = std::nullopt;
      texts.push_back(std::move(normal));
    }
  }
  texts_.push_back(std::move(texts));
  short_questions_.push_back(std::move(short_question));
}

class Matcher {
 public:
  Matcher(const Recording& recording, const ProblemIndex& problems)
      : recording_(recording), problems_(problems) {}

  using Way = std::optional<size_t> (Matcher::*)(const RecordedCompletion&) const;

  RecordingMatch Match(const char* how, Way way) const {
    RecordingMatch match;
    match.how = how;
    for (const RecordedCompletion& one : recording_.completions) {
      std::optional<size_t> place = (this->*way)(one);
      if (place && !Agrees(one, *place)) place = std::nullopt;
      if (place) match.matched += 1;
      if (!place && match.first_unmatched.empty()) match.first_unmatched = Tell(one);
      match.problem_of.push_back(place);
    }
    return match;
  }

  std::optional<size_t> ById(const RecordedCompletion& one) const {
    for (const std::string& id : one.ids) {
      const auto found = problems_.by_id_.find(id);
      if (found != problems_.by_id_.end()) return found->second;
    }
    return std::nullopt;
  }
  std::optional<size_t> ByQuestion(const RecordedCompletion& one) const {
    if (one.question == 0) return std::nullopt;
    const auto found = problems_.by_text_.find(recording_.questions[one.question]);
    return found != problems_.by_text_.end() ? found->second : std::nullopt;
  }
  std::optional<size_t> ByPlace(const RecordedCompletion& one) const {
    const bool inside =
        one.place && *one.place >= 0 && static_cast<size_t>(*one.place) < problems_.count_;
    if (!inside) return std::nullopt;
    return static_cast<size_t>(*one.place);
  }

 private:
  // An equal id is not enough where both sides tell the question: numbers are ids in many files.
  bool Agrees(const RecordedCompletion& one, size_t place) const {
    const std::vector<std::string>& texts = problems_.texts_[place];
    const std::string& question = recording_.questions[one.question];
    if (question.size() < kTellingBytes) {
      const std::string& own = problems_.short_questions_[place];
      return question.empty() || own.empty() || own == question;
    }
    if (texts.empty()) return true;
    return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
      return Contains(question, text) || Contains(text, question);
    });
  }

  std::string Tell(const RecordedCompletion& one) const {
    std::string what = one.ids.empty() ? "" : absl::StrFormat(" of id '%s'", one.ids[0]);
    if (one.question != 0) {
      what += absl::StrFormat(" (question: '%s')", Shorten(recording_.questions[one.question], 60));
    }
    return absl::StrFormat("%s:%d: the completion%s", recording_.path, one.line, what);
  }

  const Recording& recording_;
  const ProblemIndex& problems_;
};

RecordingMatch MatchRecording(const Recording& recording, const ProblemIndex& problems) {
  const Matcher matcher(recording, problems);
  const auto all = static_cast<int64_t>(recording.completions.size());
  RecordingMatch best;
  best.matched = -1;
  for (const auto& [how, way] : {std::pair("by id", &Matcher::ById),
                                 std::pair("by the question's text", &Matcher::ByQuestion),
                                 std::pair("by place in the dataset", &Matcher::ByPlace)}) {
    RecordingMatch match = matcher.Match(how, way);
    if (match.matched > best.matched) best = std::move(match);
    if (best.matched == all) break;
  }
  return best;
}

RecordingMatch MatchInOrder(const Recording& recording, const ProblemIndex& problems) {
  RecordingMatch match;
  match.how = "by the order of rows, as asked";
  std::optional<size_t> place;
  int64_t line = 0;
  for (const RecordedCompletion& one : recording.completions) {
    if (!place || one.line != line) place = place ? *place + 1 : 0;
    line = one.line;
    const bool inside = *place < problems.size();
    if (inside) match.matched += 1;
    if (!inside && match.first_unmatched.empty()) {
      match.first_unmatched = absl::StrFormat("%s:%d: the completion", recording.path, one.line);
    }
    match.problem_of.push_back(inside ? place : std::nullopt);
  }
  return match;
}

}  // namespace assay
