// Pulls problems while slots would run empty, steps the scheduler, hands over what has finished.
#include "inference/engine/source.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "harness/loglikelihood.h"
#include "harness/reasoning.h"
#include "harness/status.h"
#include "harness/token_logprobs.h"
#include "inference/engine/reply_text.h"
#include "inference/engine/request.h"
#include "inference/engine/scheduler.h"

namespace assay {
namespace {

constexpr size_t kScoredTogether = 16;  // requests

// A problem whose samples are under way.
struct OpenRequest {
  CompletionRequest request;
  bool think_open = false;  // the prompt ends inside the thinking
  int64_t prompt_tokens = 0;
  size_t left = 0;  // draws not yet handed over
};

FinishReason FinishOf(SampleEnd end) {
  return end == SampleEnd::kLength ? FinishReason::kLength : FinishReason::kStop;
}

const Draw& DrawOf(const CompletionRequest& request, int index) {
  for (const Draw& draw : request.draws) {
    if (draw.index == index) return draw;
  }
  CheckFailed(__FILE__, __LINE__, "a sample that nobody asked for");
}

class EngineSource final : public CompletionSource {
 public:
  EngineSource(Engine engine, const std::string& model, Json options)
      : engine_(std::move(engine)),
        model_(std::filesystem::absolute(model).lexically_normal().string()),
        options_(std::move(options)) {}

  BackendIdentity identity() const override;
  absl::Status Run(const CompletionFlow& flow) override;

 private:
  // One Run's state.
  struct Session {
    const CompletionFlow& flow;
    Scheduler scheduler;
    std::map<uint64_t, OpenRequest> open;  // by tag
    uint64_t next_tag = 0;
    bool any_rendered = false;
    std::vector<CompletionRequest> to_score;  // gathered, so that they share prefill steps

    Session(const CompletionFlow& the_flow, ModelRunner* runner,
            std::function<void(FinishedSample)> finished)
        : flow(the_flow), scheduler(runner, std::move(finished)) {}
  };

  absl::Status Accept(CompletionRequest request, Session* session);
  absl::StatusOr<GroupRequest> MakeGroup(const CompletionRequest& request,
                                         const RenderedPrompt& prompt, uint64_t tag) const;
  void FailAll(const CompletionRequest& request, const absl::Status& error,
               const CompletionFlow& flow) const;
  std::string PackLogprobs(std::span<const DrawnToken> drawn, size_t alternatives) const;
  Completion MakeCompletion(const OpenRequest& open, const FinishedSample& sample,
                            const CompletionFlow& flow) const;
  void HandOver(FinishedSample sample, Session* session);

  // A request's continuations as token ids, by the context that they share.
  struct Scoring {
    std::vector<ScoreRequest> requests;
    std::vector<std::pair<size_t, size_t>> places;  // of each continuation in them
    int64_t prompt_tokens = 0;
  };
  absl::StatusOr<Scoring> PrepareScoring(const CompletionRequest& request) const;
  absl::Status ScoreAll(Session* session);
  void HandOverScores(const CompletionRequest& request, const Scoring& scoring,
                      std::span<const std::vector<ContinuationScore>> scores,
                      const CompletionFlow& flow) const;

  Engine engine_;
  std::string model_;
  Json options_;
};

BackendIdentity EngineSource::identity() const {
  BackendIdentity identity;
  identity.model = model_;
  identity.model_hash = engine_.checkpoint->hash();
  identity.endpoint = "local:" + engine_.reproduction_key;
  identity.options = options_.is_object() ? options_ : Json::MakeObject();
  identity.options.Set("runner", engine_.runner->description());
  identity.options.Set("reproduction_key", engine_.reproduction_key);
  identity.options.Set("context_positions", engine_.memory.context);
  identity.options.Set("kv_pages", engine_.memory.pages);
  identity.options.Set("config", ConfigToJson(engine_.checkpoint->config()));
  // Shown, never applied: the task's sampling is what counts.
  identity.options.Set("generation_config", engine_.checkpoint->config().generation_config);
  return identity;
}

void EngineSource::FailAll(const CompletionRequest& request, const absl::Status& error,
                           const CompletionFlow& flow) const {
  const absl::Status named =
      Annotate(error, absl::StrFormat("task %s, problem '%s'", request.task, request.problem_id));
  for (const Draw& draw : request.draws) flow.done(request, draw, named);
}

absl::StatusOr<GroupRequest> EngineSource::MakeGroup(const CompletionRequest& request,
                                                     const RenderedPrompt& prompt,
                                                     uint64_t tag) const {
  absl::StatusOr<ResolvedSampling> sampling = ResolveSampling(
      request.sampling, engine_.checkpoint->config(), engine_.memory.context, engine_.memory.bound);
  if (!sampling.ok()) return Annotate(sampling.status(), "task " + request.task);
  GroupRequest group;
  group.tag = tag;
  group.prompt = prompt.ids;
  group.plan = sampling->plan;
  group.key = ProblemKey(request.sampling.seed, request.task, request.problem_id);
  for (const Draw& draw : request.draws) group.samples.push_back(draw.index);
  group.stop_ids = std::move(sampling->stop_ids);
  group.max_tokens = sampling->max_tokens;
  group.make_watcher = [tokenizer = engine_.checkpoint->tokenizer(),
                        stops = std::move(sampling->stops)] {
    return std::make_unique<ReplyText>(tokenizer, stops);
  };
  return group;
}

// An error ends the run: it would come again with every problem. What is one problem's own (its
// prompt is too long) is told to `done`.
absl::Status EngineSource::Accept(CompletionRequest request, Session* session) {
  const absl::StatusOr<RenderedPrompt> prompt = engine_.chat->Render(request.prompt);
  if (!prompt.ok()) {
    if (!session->any_rendered) return Annotate(prompt.status(), "task " + request.task);
    FailAll(request, prompt.status(), session->flow);
    return absl::OkStatus();
  }
  session->any_rendered = true;
  const uint64_t tag = session->next_tag++;
  ASSIGN_OR_RETURN(GroupRequest group, MakeGroup(request, *prompt, tag));
  if (group.prompt.empty()) {
    FailAll(request, absl::InvalidArgumentError("the prompt has no token"), session->flow);
    return absl::OkStatus();
  }
  if (group.prompt.size() >= static_cast<size_t>(engine_.memory.context)) {
    FailAll(request,
            InvalidArgument("the prompt has %d tokens, and %s leaves a sequence %d positions, the "
                            "reply's included",
                            group.prompt.size(), engine_.memory.bound, engine_.memory.context),
            session->flow);
    return absl::OkStatus();
  }
  OpenRequest& open = session->open[tag];
  open.think_open = prompt->think_open;
  open.prompt_tokens = static_cast<int64_t>(prompt->ids.size());
  open.left = request.draws.size();
  open.request = std::move(request);
  ++session->flow.counters->requests_sent;
  return session->scheduler.Submit(std::move(group));
}

// `alternatives` may be fewer than were reported.
std::string EngineSource::PackLogprobs(std::span<const DrawnToken> drawn,
                                       size_t alternatives) const {
  const Tokenizer& tokenizer = *engine_.checkpoint->tokenizer();
  std::string packed;
  LoggedToken token;
  const auto set = [&](int id, float logprob, TokenChance* chance) {
    chance->text = tokenizer.TokenBytes(id);
    chance->logprob = logprob;
  };
  for (const DrawnToken& one : drawn) {
    set(one.id, one.logprob, &token.drawn);
    token.top.resize(std::min(alternatives, one.top.size()));
    for (size_t i = 0; i < token.top.size(); ++i) {
      set(one.top[i].id, one.top[i].logprob, &token.top[i]);
    }
    AppendLoggedToken(token, &packed);
  }
  return packed;
}

Completion EngineSource::MakeCompletion(const OpenRequest& open, const FinishedSample& sample,
                                        const CompletionFlow& flow) const {
  const auto& text = static_cast<const ReplyText&>(*sample.watcher);
  Completion completion;
  bool repaired = false;
  completion.raw = text.Text(&repaired);
  if (repaired) ++flow.counters->repaired_replies;
  SplitReply split = SplitReasoning(completion.raw, std::nullopt, open.think_open);
  completion.reasoning = std::move(split.reasoning);
  completion.answer = std::move(split.answer);
  completion.unclosed_reasoning = split.unclosed;
  completion.finish = FinishOf(sample.end);
  if (const auto& wanted = open.request.sampling.top_logprobs) {
    completion.logprobs = PackLogprobs(sample.logprobs, static_cast<size_t>(*wanted));
  }
  const auto tokens = static_cast<int64_t>(sample.ids.size());
  const bool thought = split.unclosed || !completion.reasoning.empty() || split.empty;
  const size_t thinking_bytes = completion.raw.size() - completion.answer.size();
  completion.tokens.prompt = open.prompt_tokens;
  completion.tokens.reasoning = split.unclosed ? tokens
                                : thought      ? text.TokensWithin(thinking_bytes)
                                               : 0;
  completion.tokens.answer = tokens - completion.tokens.reasoning;
  completion.tokens.source = TokenSource::kMeasured;
  completion.latency_seconds = sample.seconds;
  completion.seed = DrawOf(open.request, sample.sample).seed;
  completion.served_by = model_;
  completion.served_model = std::filesystem::path(model_).filename().string();
  return completion;
}

void EngineSource::HandOver(FinishedSample sample, Session* session) {
  const auto found = session->open.find(sample.tag);
  CHECK(found != session->open.end());
  OpenRequest& open = found->second;
  session->flow.done(open.request, DrawOf(open.request, sample.sample),
                     MakeCompletion(open, sample, session->flow));
  if (--open.left == 0) session->open.erase(found);
}

// As lm-evaluation-harness encodes a pair (TemplateLM._encode_pair): the whole text is encoded, and
// the continuation is what lies behind as many tokens as the context alone has.
absl::StatusOr<EngineSource::Scoring> EngineSource::PrepareScoring(
    const CompletionRequest& request) const {
  ASSIGN_OR_RETURN(const RenderedPrompt context, engine_.chat->Render(request.prompt));
  Scoring scoring;
  scoring.prompt_tokens = static_cast<int64_t>(context.ids.size());
  if (context.ids.empty()) return absl::InvalidArgumentError("the prompt has no token");
  for (const std::string& text : request.prompt.continuations) {
    Prompt prompt = request.prompt;
    prompt.reply_prefix += text;
    ASSIGN_OR_RETURN(const RenderedPrompt whole, engine_.chat->Render(prompt));
    if (whole.ids.size() <= context.ids.size()) {
      return InvalidArgument("the continuation '%s' adds no token to the prompt", text);
    }
    if (whole.ids.size() > static_cast<size_t>(engine_.memory.context)) {
      return InvalidArgument("the prompt and a continuation have %d tokens, and %s is %d",
                             whole.ids.size(), engine_.memory.bound, engine_.memory.context);
    }
    const auto border = whole.ids.begin() + static_cast<ptrdiff_t>(context.ids.size());
    const std::vector<int> before(whole.ids.begin(), border);
    // The border may merge differently with each text: then the context is that text's own.
    const auto same = std::find_if(scoring.requests.begin(), scoring.requests.end(),
                                   [&](const ScoreRequest& r) { return r.context == before; });
    const size_t at = static_cast<size_t>(same - scoring.requests.begin());
    if (same == scoring.requests.end()) scoring.requests.push_back({before, {}});
    scoring.places.emplace_back(at, scoring.requests[at].continuations.size());
    scoring.requests[at].continuations.emplace_back(border, whole.ids.end());
  }
  return scoring;
}

void EngineSource::HandOverScores(const CompletionRequest& request, const Scoring& scoring,
                                  std::span<const std::vector<ContinuationScore>> scores,
                                  const CompletionFlow& flow) const {
  std::vector<ScoredContinuation> scored;
  Completion completion;
  for (size_t i = 0; i < scoring.places.size(); ++i) {
    const ContinuationScore& score = scores[scoring.places[i].first][scoring.places[i].second];
    scored.push_back(
        {request.prompt.continuations[i], score.logprob, score.tokens, score.is_greedy});
    completion.tokens.answer += score.tokens;
  }
  completion.raw = ContinuationsToReply(scored);
  completion.answer = completion.raw;
  completion.tokens.prompt = scoring.prompt_tokens;
  completion.tokens.source = TokenSource::kMeasured;
  completion.served_by = model_;
  completion.served_model = std::filesystem::path(model_).filename().string();
  for (const Draw& draw : request.draws) {  // nothing is drawn: all are the same
    completion.seed = draw.seed;
    flow.done(request, draw, completion);
  }
}

absl::Status EngineSource::ScoreAll(Session* session) {
  std::vector<ScoreRequest> all;
  std::vector<std::pair<const CompletionRequest*, Scoring>> prepared;
  for (const CompletionRequest& request : session->to_score) {
    absl::StatusOr<Scoring> scoring = PrepareScoring(request);
    if (!scoring.ok()) {
      FailAll(request, scoring.status(), session->flow);
      continue;
    }
    all.insert(all.end(), scoring->requests.begin(), scoring->requests.end());
    prepared.emplace_back(&request, *std::move(scoring));
  }
  ASSIGN_OR_RETURN(const auto scores, session->scheduler.Score(all));
  std::span<const std::vector<ContinuationScore>> rest = scores;
  for (const auto& [request, scoring] : prepared) {
    HandOverScores(*request, scoring, rest.first(scoring.requests.size()), session->flow);
    rest = rest.subspan(scoring.requests.size());
  }
  session->to_score.clear();
  return absl::OkStatus();
}

absl::Status EngineSource::Run(const CompletionFlow& flow) {
  Session* current = nullptr;
  Session session(flow, engine_.runner.get(),
                  [&](FinishedSample sample) { HandOver(std::move(sample), current); });
  current = &session;
  const int slots = engine_.runner->shape().decode_rows;
  flow.counters->concurrency = slots;
  bool more_problems = true;
  while (!flow.stopping()) {
    while (more_problems && session.scheduler.waiting() < slots && !flow.stopping()) {
      std::optional<CompletionRequest> request = flow.next();
      more_problems = request.has_value();
      if (!request) break;
      if (request->prompt.continuations.empty()) {
        RETURN_IF_ERROR(Accept(*std::move(request), &session));
        continue;
      }
      session.to_score.push_back(*std::move(request));
      ++flow.counters->requests_sent;
      if (session.to_score.size() >= kScoredTogether) RETURN_IF_ERROR(ScoreAll(&session));
    }
    RETURN_IF_ERROR(ScoreAll(&session));
    ASSIGN_OR_RETURN(const bool worked, session.scheduler.Step());
    flow.counters->tokens = session.scheduler.counts().decode_tokens;
    flow.counters->in_flight = session.scheduler.running();
    if (!worked && !more_problems) break;
  }
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<CompletionSource> MakeEngineSource(Engine engine, const std::string& model,
                                                   const Json& options) {
  return std::make_unique<EngineSource>(std::move(engine), model, options);
}

}  // namespace assay
