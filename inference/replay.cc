// The backend `replay`: recorded completions from a file of rows instead of a model.
//
// Each row is kept as a zstd frame until its draw is wanted, so that a large recording fits.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "harness/backend.h"
#include "harness/compress.h"
#include "harness/hash.h"
#include "harness/reasoning.h"
#include "harness/recording.h"
#include "harness/rows.h"
#include "harness/status.h"
#include "harness/text.h"
#include "harness/token_logprobs.h"
#include "inference/tokens.h"

namespace assay {
namespace {

constexpr std::string_view kPrefix = "replay:";
constexpr size_t kMaxRowBytes = size_t{1} << 30;

// Which of several names a recording uses for a field; the first that is there counts.
using Names = std::vector<std::string>;

struct Fields {
  Names id = {"problem_id", "id", "doc_id", "unique_id", "idx"};
  Names index = {"index", "sample", "sample_index"};
  Names text = {"raw", "completion", "raw_output", "reply", "response", "output", "text"};
  Names texts = {"completions", "replies", "responses", "outputs"};
  Names reasoning = {"reasoning", "reasoning_content"};
  Names finish = {"finish", "finish_reason", "stop_reason"};
  bool prefilled = false;  // the prompt had opened the thinking
};

const Json* FindAny(const Json& row, const Names& names) {
  for (const std::string& name : names) {
    const Json* found = row.Find(name);
    if (found != nullptr && !found->is_null()) return found;
  }
  return nullptr;
}

absl::Status SetField(std::string_view name, const Json& value, Fields* fields) {
  const std::vector<std::string> known = {"id_field", "index_field", "text_field",
                                          "reasoning_field", "prefilled"};
  const std::string text = value.ToText();
  if (name == "id_field") {
    fields->id = {text};
  } else if (name == "index_field") {
    fields->index = {text};
  } else if (name == "text_field") {
    fields->text = {text};
    fields->texts = {text};
  } else if (name == "reasoning_field") {
    fields->reasoning = {text};
  } else if (name == "prefilled" && (text == "true" || text == "false")) {
    fields->prefilled = text == "true";
  } else if (name == "prefilled") {
    return InvalidArgument("--model-args: prefilled: expected true or false, found '%s'", text);
  } else {
    return InvalidArgument("--model-args: the backend 'replay' knows no '%s'%s", name,
                           DidYouMean(name, known));
  }
  return absl::OkStatus();
}

// Rows that say nothing are of replies that ended; what they say is never taken for that unread.
FinishReason FinishOf(const Json& row, const Fields& fields) {
  const Json* finish = FindAny(row, fields.finish);
  return finish == nullptr ? FinishReason::kStop : FinishReasonFromName(finish->ToText());
}

// A line of `assay export`.
bool IsOurs(const Json& row) { return row.FindString("format") == "assay-sample/1"; }

// A hash of messages as such a line holds them; as text, since a JSON number has 53 bits.
std::string Asked(const Json& messages) { return std::to_string(PromptMessagesHash(messages)); }

bool HasTags(std::string_view text) {
  return Contains(text, "<think>") || Contains(text, "</think>");
}

void SplitRecorded(const Json& row, const Fields& fields, bool prefix_opened,
                   Completion* completion) {
  const Json* reasoning = FindAny(row, fields.reasoning);
  const std::optional<std::string> answer = row.FindString("answer");
  if (const auto unclosed = row.FindBool("unclosed_reasoning"); unclosed && answer) {
    // Our own export: split once already, and never again.
    completion->reasoning = reasoning != nullptr ? reasoning->ToText() : "";
    completion->answer = *answer;
    completion->unclosed_reasoning = *unclosed;
    return;
  }
  std::optional<std::string_view> field;
  // Where the text still has its tags, a reasoning field only repeats what is between them.
  if (reasoning != nullptr && reasoning->is_string() && !reasoning->AsString().empty() &&
      !HasTags(completion->raw)) {
    field = reasoning->AsString();
  }
  SplitReply split = SplitReasoning(completion->raw, field, prefix_opened);
  completion->reasoning = std::move(split.reasoning);
  completion->answer = std::move(split.answer);
  completion->unclosed_reasoning = split.unclosed;
}

TokenCounts TokensOf(const Json& row, const Completion& completion) {
  const Json* told = row.Find("tokens");
  TokenCounts counts;
  if (told != nullptr && told->FindInteger("answer")) {
    counts.prompt = told->FindInteger("prompt").value_or(0);
    counts.reasoning = told->FindInteger("reasoning").value_or(0);
    counts.answer = *told->FindInteger("answer");
    const bool measured = told->FindString("source").value_or("measured") == "measured";
    counts.source = measured ? TokenSource::kMeasured : TokenSource::kEstimated;
    return counts;
  }
  counts.reasoning = EstimateTokens(completion.reasoning);
  counts.answer = EstimateTokens(completion.answer);
  return counts;
}

class ReplaySource final : public CompletionSource {
 public:
  static absl::StatusOr<std::unique_ptr<ReplaySource>> Open(const BackendConfig& config);

  BackendIdentity identity() const override;
  absl::Status Run(const CompletionFlow& flow) override;

 private:
  // Task ("" where the row names none), problem, index.
  using Key = std::tuple<std::string, std::string, int>;

  absl::Status Load();
  absl::Status Add(const Row& row);
  absl::Status Put(const Row& row, const std::string& task, const std::string& id, int index,
                   const Json& text, Compressor* compressor);
  absl::StatusOr<Completion> Find(const CompletionRequest& request, const Draw& draw);
  std::string Missing(const CompletionRequest& request, const Draw& draw) const;

  BackendConfig config_;
  std::string path_;
  std::string sha256_;
  Fields fields_;
  std::map<Key, std::string> frames_;                        // rows as zstd frames
  std::map<std::pair<std::string, std::string>, int> next_;  // index of a row that tells none
  Compressor compressor_;
  Decompressor decompressor_;
};

std::string PathOf(const BackendConfig& config) {
  std::string_view path = config.model;
  if (path.starts_with(kPrefix)) path.remove_prefix(kPrefix.size());
  return std::string(path);
}

absl::StatusOr<Fields> FieldsOf(const BackendConfig& config) {
  Fields fields;
  if (!config.options.is_object()) return fields;
  for (const auto& [name, value] : config.options.AsMembers()) {
    RETURN_IF_ERROR(SetField(name, value, &fields));
  }
  return fields;
}

// The first row: not all of them are read.
absl::Status Check(const BackendConfig& config) {
  RETURN_IF_ERROR(FieldsOf(config).status());
  ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows, OpenRows(PathOf(config)));
  return rows->Next().status();
}

absl::StatusOr<std::unique_ptr<ReplaySource>> ReplaySource::Open(const BackendConfig& config) {
  auto recording = std::make_unique<ReplaySource>();
  recording->config_ = config;
  recording->path_ = PathOf(config);
  ASSIGN_OR_RETURN(recording->fields_, FieldsOf(config));
  RETURN_IF_ERROR(recording->Load());
  return recording;
}

absl::Status ReplaySource::Load() {
  ASSIGN_OR_RETURN(sha256_, FileSha256(path_));
  ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows, OpenRows(path_));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<Row> row, rows->Next());
    if (!row) return absl::OkStatus();
    RETURN_IF_ERROR(Add(*row));
  }
}

absl::Status ReplaySource::Add(const Row& row) {
  const Json* id = FindAny(row.fields, fields_.id);
  if (id == nullptr) return MissingField(row, path_, fields_.id.front());
  const std::string task = row.fields.FindString("task").value_or("");
  const Json* texts = FindAny(row.fields, fields_.texts);
  if (texts != nullptr && texts->is_array()) {
    for (size_t i = 0; i < texts->size(); ++i) {
      RETURN_IF_ERROR(
          Put(row, task, id->ToText(), static_cast<int>(i), texts->AsArray()[i], &compressor_));
    }
    return absl::OkStatus();
  }
  const Json* text = FindAny(row.fields, fields_.text);
  // A draw that failed when it was recorded is missing here too.
  if (text == nullptr && row.fields.Find("error") != nullptr) return absl::OkStatus();
  if (text == nullptr) return MissingField(row, path_, fields_.text.front());
  const Json* finish = FindAny(row.fields, fields_.finish);
  if (finish != nullptr && FinishTellsFailure(finish->ToText())) return absl::OkStatus();
  const Json* told = FindAny(row.fields, fields_.index);
  if (told != nullptr && (!told->is_integer() || told->AsInteger() < 0)) {
    return InvalidArgument("%s:%d: field '%s': expected a sample's index, found %s", path_,
                           row.line, fields_.index.front(), told->Dump());
  }
  const int index =
      told != nullptr ? static_cast<int>(told->AsInteger()) : next_[{task, id->ToText()}]++;
  return Put(row, task, id->ToText(), index, *text, &compressor_);
}

absl::Status ReplaySource::Put(const Row& row, const std::string& task, const std::string& id,
                               int index, const Json& text, Compressor* compressor) {
  if (!text.is_string()) {
    return InvalidArgument("%s:%d: a completion: expected a string, found %s", path_, row.line,
                           KindName(text));
  }
  Json kept = Json::MakeObject({{"raw", text}});
  for (const Names* names : {&fields_.reasoning, &fields_.finish}) {
    if (const Json* found = FindAny(row.fields, *names)) kept.Set(names->front(), *found);
  }
  for (const char* name : {"answer", "unclosed_reasoning", "tokens", "seed", "latency_seconds",
                           "served_by", "served_model", "logprobs"}) {
    if (const Json* found = row.fields.Find(name)) kept.Set(name, *found);
  }
  if (const Json* messages = row.fields.Find("messages"); messages && IsOurs(row.fields)) {
    kept.Set("asked", Asked(*messages));
  }
  std::string frame;
  compressor->Compress(kept.Dump(), 1, &frame);
  if (!frames_.emplace(Key(task, id, index), std::move(frame)).second) {
    return InvalidArgument("%s:%d: sample %d of problem '%s' is there twice", path_, row.line,
                           index, id);
  }
  return absl::OkStatus();
}

BackendIdentity ReplaySource::identity() const {
  BackendIdentity identity;
  identity.model = config_.model;
  identity.model_hash = sha256_;
  identity.endpoint = "replay";
  identity.options = config_.options;
  return identity;
}

std::string ReplaySource::Missing(const CompletionRequest& request, const Draw& draw) const {
  int known = 0;
  for (const std::string& task : {request.task, std::string()}) {
    const auto begin = frames_.lower_bound(Key(task, request.problem_id, 0));
    const auto end = frames_.upper_bound(Key(task, request.problem_id, INT32_MAX));
    known += static_cast<int>(std::distance(begin, end));
  }
  return absl::StrFormat("%s: no recorded completion for sample %d of problem '%s' (%d recorded)",
                         path_, draw.index, request.problem_id, known);
}

absl::StatusOr<Completion> ReplaySource::Find(const CompletionRequest& request, const Draw& draw) {
  auto found = frames_.find(Key(request.task, request.problem_id, draw.index));
  if (found == frames_.end()) found = frames_.find(Key("", request.problem_id, draw.index));
  if (found == frames_.end()) return absl::NotFoundError(Missing(request, draw));
  std::string text;
  RETURN_IF_ERROR(decompressor_.Decompress(found->second, kMaxRowBytes, &text));
  ASSIGN_OR_RETURN(const Json row, ParseJson(text));
  if (const auto asked = row.FindString("asked");
      asked && *asked != Asked(*PromptToJson(request.prompt).Find("messages"))) {
    return FailedPrecondition(
        "%s: sample %d of problem '%s' was drawn for another prompt than this run asks (other "
        "examples, another order of choices: --seed?)",
        path_, draw.index, request.problem_id);
  }
  Completion completion;
  completion.raw = row.FindString("raw").value_or("");
  completion.finish = FinishOf(row, fields_);
  const std::string& prefix = request.prompt.reply_prefix;
  const bool prefix_opened = fields_.prefilled || TrimRight(prefix).ends_with("<think>");
  SplitRecorded(row, fields_, prefix_opened, &completion);
  completion.tokens = TokensOf(row, completion);
  completion.latency_seconds = row.FindNumber("latency_seconds").value_or(0);
  completion.seed = static_cast<uint64_t>(row.FindInteger("seed").value_or(0));
  completion.served_by = row.FindString("served_by").value_or(path_);
  completion.served_model = row.FindString("served_model").value_or("");
  if (const Json* logprobs = row.Find("logprobs"); logprobs != nullptr && logprobs->is_object()) {
    RETURN_IF_ERROR(ReadLogprobs(*logprobs, &completion.logprobs).status());
  }
  return completion;
}

absl::Status ReplaySource::Run(const CompletionFlow& flow) {
  flow.counters->concurrency = 1;
  while (!flow.stopping()) {
    const std::optional<CompletionRequest> request = flow.next();
    if (!request) break;
    for (const Draw& draw : request->draws) {
      if (flow.stopping()) return absl::OkStatus();
      absl::StatusOr<Completion> completion = Find(*request, draw);
      ++flow.counters->requests_sent;
      if (completion.ok()) {
        flow.counters->tokens += completion->tokens.reasoning + completion->tokens.answer;
      }
      flow.done(*request, draw, std::move(completion));
    }
  }
  return absl::OkStatus();
}

bool EndsAsRows(std::string_view path) {
  for (const std::string_view end : {".jsonl", ".jsonl.gz", ".jsonl.zst"}) {
    if (path.ends_with(end)) return true;
  }
  return false;
}

}  // namespace

Backend ReplayBackend() {
  Backend backend;
  backend.name = "replay";
  backend.about = "recorded completions from a file of rows (replay:FILE, or a path to .jsonl)";
  backend.options = {"id_field", "index_field", "text_field", "reasoning_field", "prefilled"};
  backend.fixed_options = backend.options;
  backend.scores_continuations = true;  // what was recorded of them
  backend.claims = [](const BackendConfig& config) {
    return config.base_urls.empty() &&
           (config.model.starts_with(kPrefix) || EndsAsRows(config.model));
  };
  backend.open =
      [](const BackendConfig& config) -> absl::StatusOr<std::unique_ptr<CompletionSource>> {
    return ReplaySource::Open(config);
  };
  backend.check = Check;
  return backend;
}

}  // namespace assay
