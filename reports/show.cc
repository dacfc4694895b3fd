// Long things are folded: the reasoning to its first words, unless it is asked for.
#include "reports/show.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "harness/registry.h"
#include "harness/text.h"
#include "reports/table.h"

namespace assay {
namespace {

constexpr size_t kFoldedBytes = 160;

// "  name      value", a line of a description.
std::string Line(std::string_view name, std::string_view value) {
  if (value.empty()) return "";
  return absl::StrFormat("  %-11s%s\n", name, value);
}

std::string Indented(std::string_view text) {
  std::string out;
  for (const std::string_view line : SplitLines(text)) {
    out += "  | " + std::string(line) + "\n";
  }
  return out;
}

// SafeLines without the newline that it adds: a piece of a line.
std::string SafePiece(std::string_view text) {
  std::string safe = SafeLines(std::string(text) + "\n");
  safe.pop_back();
  return safe;
}

std::string Options(const Json& options) {
  return options.is_object() && options.size() > 0 ? " " + Printable(options.Dump()) : "";
}

// Where a run was gone on with, which versions and servers its samples are of.
std::string DescribeSessions(const RunManifest& manifest) {
  const std::vector<RunSession>& sessions = manifest.sessions;
  if (sessions.size() < 2) return "";
  std::string out;
  for (size_t i = 0; i < sessions.size(); ++i) {
    const RunSession& session = sessions[i];
    std::string text = absl::StrFormat("%d: %s to %s", i + 1, session.started,
                                       session.ended.empty() ? "?" : session.ended);
    if (!session.host.empty()) text += " on " + session.host;
    if (!session.base_urls.empty()) text += ", asked " + Join(session.base_urls, ", ");
    if (session.assay_version != manifest.assay_version) text += ", assay " + session.assay_version;
    if (session.code_version != manifest.code_version) text += ", code " + session.code_version;
    if (!session.stopped_by.empty()) text += "; stopped: " + session.stopped_by;
    out += Line("session", Printable(text));
  }
  return out;
}

std::string ShortHash(std::string_view hash) { return Printable(hash.substr(0, 16)); }

Ink OutcomeInk(Outcome outcome) {
  if (outcome == Outcome::kCorrect) return Ink::kGreen;
  return outcome == Outcome::kIncorrect || outcome == Outcome::kNoAnswer ? Ink::kRed : Ink::kYellow;
}

std::string DescribeTask(const TaskManifest& task, const Terminal& terminal) {
  const std::string problems = task.problems > 0 ? WithThousands(task.problems) + " problems" : "";
  std::string out = Paint(terminal, Ink::kBold, "task " + Printable(task.name)) + ", version " +
                    Printable(task.version) + "\n";
  out += Line("dataset", Printable(task.dataset_path));
  out += Line("sha256", Printable(task.dataset_sha256));
  out += Line("asked",
              absl::StrFormat("%s%s%d sample%s of each", problems, problems.empty() ? "" : ", ",
                              task.samples_per_problem, task.samples_per_problem == 1 ? "" : "s"));
  out += Line("sampling",
              task.sampling.size() > 0 ? Printable(task.sampling.Dump()) : "the server's defaults");
  out += Line("extractor", Printable(task.extractor) + Options(task.extract_options));
  out += Line("grader", absl::StrFormat("%s, version %d%s", Printable(task.grader),
                                        task.grader_version, Options(task.grader_options)));
  out += Line("hashes", absl::StrFormat("task %s, prompts %s", ShortHash(task.task_hash),
                                        task.prompt_hash.empty() ? "(not all rendered yet)"
                                                                 : ShortHash(task.prompt_hash)));
  return out;
}

std::string DescribePrompt(const Prompt& prompt) {
  std::string out;
  for (const Message& message : prompt.messages) {
    out += absl::StrFormat("prompt (%s)\n", Printable(message.role)) +
           Indented(SafeLines(message.text));
  }
  if (!prompt.reply_prefix.empty()) {
    out += "reply forced to begin with\n" + Indented(SafeLines(prompt.reply_prefix));
  }
  return out;
}

std::string DescribeReasoning(const Completion& completion, Reasoning reasoning,
                              const Terminal& terminal) {
  const std::string& text = completion.reasoning;
  if (Trim(text).empty()) return "";
  std::string out =
      absl::StrFormat("reasoning, %s bytes%s%s\n", WithThousands(static_cast<int64_t>(text.size())),
                      completion.unclosed_reasoning ? ", never closed" : "",
                      reasoning == Reasoning::kFolded ? " (folded; --reasoning unfolds it)" : "");
  if (reasoning == Reasoning::kFull) return out + Indented(SafeLines(text));
  return out +
         Indented(Paint(terminal, Ink::kDim, Printable(Shorten(Trim(text), kFoldedBytes))) + "\n");
}

// The answer with what was extracted marked; offsets that do not fit mark nothing.
std::string DescribeAnswer(const Completion& completion, const Extraction& extraction,
                           const Terminal& terminal) {
  const std::string_view text = completion.answer;
  if (text.empty()) return "no answer text\n";
  const bool marked = extraction.answer.has_value() && extraction.begin < extraction.end &&
                      extraction.end <= text.size();
  if (!marked) return "answer\n" + Indented(SafeLines(text));
  const std::string found =
      SafePiece(text.substr(extraction.begin, extraction.end - extraction.begin));
  return "answer\n" +
         Indented(SafePiece(text.substr(0, extraction.begin)) +
                  (terminal.color ? Paint(terminal, Ink::kBold, found) : "⟦" + found + "⟧") +
                  SafePiece(text.substr(extraction.end)));
}

std::string DescribeExtraction(const Extraction& extraction) {
  if (!extraction.answer) return Line("extracted", "nothing");
  std::string out =
      Line("extracted", absl::StrFormat("'%s' by the rule %s", Printable(*extraction.answer),
                                        Printable(extraction.rule)));
  if (extraction.strict != extraction.lenient) {
    out += Line("strictly", extraction.strict ? "'" + Printable(*extraction.strict) + "'"
                                              : "nothing: not in the form that was asked for");
  }
  return out;
}

std::string DescribeVerdict(const Verdict& verdict, const Terminal& terminal) {
  const std::string name(OutcomeName(verdict.outcome));
  std::string text = Paint(terminal, OutcomeInk(verdict.outcome), name);
  if (verdict.score > 0 && verdict.score < 1) text += absl::StrFormat(", score %g", verdict.score);
  text += absl::StrFormat(", by %s version %d", Printable(verdict.grader), verdict.grader_version);
  if (!verdict.why.empty()) text += ": " + Printable(verdict.why);
  return text;
}

// The failed test of a code verdict: what went in, what was wanted, what came out.
std::string DescribeFailedTest(const Verdict& verdict) {
  const Json* failed = verdict.detail.Find("failed");
  if (failed == nullptr || !failed->is_object()) return "";
  std::string text;
  for (const char* name : {"input", "expected", "got", "stderr"}) {
    const std::optional<std::string> part = failed->FindString(name);
    if (part && !part->empty()) text += std::string(name) + "\n" + Indented(SafeLines(*part));
  }
  return text;
}

std::string DescribeCompletion(const Completion& completion) {
  const TokenCounts& tokens = completion.tokens;
  std::string text =
      absl::StrFormat("finish %s; tokens: prompt %s, reasoning %s, answer %s (%s); %.2f s; seed %d",
                      FinishReasonName(completion.finish), WithThousands(tokens.prompt),
                      WithThousands(tokens.reasoning), WithThousands(tokens.answer),
                      tokens.source == TokenSource::kMeasured ? "measured" : "estimated",
                      completion.latency_seconds, completion.seed);
  if (!completion.served_by.empty()) text += "; from " + Printable(completion.served_by);
  if (!completion.served_model.empty()) text += " (" + Printable(completion.served_model) + ")";
  return text;
}

Json OptionalText(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

Json VerdictToJson(const Verdict& verdict) {
  return Json::MakeObject({{"outcome", OutcomeName(verdict.outcome)},
                           {"score", verdict.score},
                           {"why", verdict.why},
                           {"grader", verdict.grader},
                           {"grader_version", verdict.grader_version},
                           {"detail", verdict.detail}});
}

Json CompletionToJson(const Completion& completion) {
  const TokenCounts& tokens = completion.tokens;
  const bool measured = tokens.source == TokenSource::kMeasured;
  Json json = Json::MakeObject({{"raw", completion.raw},
                                {"reasoning", completion.reasoning},
                                {"answer", completion.answer},
                                {"unclosed_reasoning", completion.unclosed_reasoning},
                                {"finish", FinishReasonName(completion.finish)},
                                {"prompt_tokens", tokens.prompt},
                                {"reasoning_tokens", tokens.reasoning},
                                {"answer_tokens", tokens.answer},
                                {"tokens", measured ? "measured" : "estimated"},
                                {"latency_seconds", completion.latency_seconds},
                                {"seed", completion.seed},
                                {"served_by", completion.served_by},
                                {"served_model", completion.served_model}});
  json.Set("cost_usd", completion.cost_usd ? Json(*completion.cost_usd) : Json());
  return json;
}

}  // namespace

std::string_view RunStateName(RunState state) {
  if (state == RunState::kComplete) return "complete";
  return state == RunState::kRunning ? "running" : "incomplete";
}

std::string WhyStopped(const RunSummary& run) {
  if (run.state != RunState::kIncomplete || run.manifest.sessions.empty()) return "";
  const RunSession& last = run.manifest.sessions.back();
  if (last.ended.empty()) return "killed, or its machine went down, before it could say why";
  return last.stopped_by;
}

std::string DescribeRun(const RunSummary& run, const Terminal& terminal) {
  const RunManifest& manifest = run.manifest;
  std::string out = Paint(terminal, Ink::kBold, "run " + Printable(manifest.id)) + "  " +
                    Printable(manifest.name) + "\n";
  out += Line(
      "state",
      absl::StrFormat(
          "%s, %s of %s stored%s", RunStateName(run.state), WithThousands(run.samples_stored),
          Counted(run.samples_planned, "sample"),
          run.failures > 0 ? absl::StrFormat(", %s failed", WithThousands(run.failures)) : ""));
  std::string model = Printable(manifest.model);
  if (!manifest.model_hash.empty() && manifest.model_hash != manifest.model) {
    model += " (known to its server or by its weights as " + Printable(manifest.model_hash) + ")";
  }
  out += Line("model", model);
  out += Line("backend", Printable(manifest.backend) + Options(manifest.backend_options));
  for (const std::string& url : manifest.base_urls) out += Line("endpoint", Printable(url));
  out += Line("seed", std::to_string(manifest.seed));
  out += Line("started", Printable(manifest.started) +
                             (manifest.host.empty() ? "" : " on " + Printable(manifest.host)));
  out += Line("finished", Printable(run.finished));
  out += Line("stopped", Printable(WhyStopped(run)));
  out += DescribeSessions(manifest);
  out +=
      Line("assay",
           Printable(manifest.assay_version) +
               (manifest.code_version.empty() ? "" : ", code " + Printable(manifest.code_version)));
  out += Line("again", Printable(ReproduceCommand(manifest)));
  for (const TaskManifest& task : manifest.tasks) out += "\n" + DescribeTask(task, terminal);
  return out;
}

std::string DescribeSample(const SampleView& view, const TaskManifest& task, Reasoning reasoning,
                           const Terminal& terminal) {
  const Sample& sample = view.stored.sample;
  const std::string title =
      absl::StrFormat("%s, problem %s, sample %d of %d", Printable(view.stored.task),
                      Printable(sample.problem_id), sample.index + 1, task.samples_per_problem);
  std::string out = Paint(terminal, Ink::kBold, title) + "\n" + DescribePrompt(view.prompt) +
                    DescribeReasoning(sample.completion, reasoning, terminal) +
                    DescribeAnswer(sample.completion, sample.extraction, terminal) +
                    DescribeExtraction(sample.extraction) +
                    Line("reference", "'" + Printable(view.problem.reference) + "'");
  out += Line("verdict", view.stored.graded ? DescribeVerdict(sample.verdict, terminal)
                                            : "not graded yet: assay grade");
  if (view.stored.graded) out += DescribeFailedTest(sample.verdict);
  for (size_t i = 0; i + 1 < view.history.size(); ++i) {
    out += Line("formerly", DescribeVerdict(view.history[i], terminal));
  }
  out += Line("completion", DescribeCompletion(sample.completion));
  if (!view.problem.tags.empty()) out += Line("tags", Printable(Join(view.problem.tags, ", ")));
  if (sample.extraction.answer) out += Line("check it", VerifyCommand(view, task));
  return out;
}

Json SampleToJson(const SampleView& view) {
  const Sample& sample = view.stored.sample;
  const Extraction& extraction = sample.extraction;
  Json json = Json::MakeObject({{"task", view.stored.task},
                                {"problem_id", sample.problem_id},
                                {"index", sample.index},
                                {"key", view.stored.key},
                                {"reference", view.problem.reference},
                                {"prompt", PromptToJson(view.prompt)},
                                {"completion", CompletionToJson(sample.completion)},
                                {"extracted", OptionalText(extraction.answer)},
                                {"strict", OptionalText(extraction.strict)},
                                {"lenient", OptionalText(extraction.lenient)},
                                {"rule", extraction.rule}});
  Json tags = Json::MakeArray();
  for (const std::string& tag : view.problem.tags) tags.Append(tag);
  json.Set("tags", std::move(tags));
  json.Set("verdict", view.stored.graded ? VerdictToJson(sample.verdict) : Json());
  if (view.history.empty()) return json;
  Json history = Json::MakeArray();
  for (const Verdict& verdict : view.history) history.Append(VerdictToJson(verdict));
  json.Set("history", std::move(history));
  return json;
}

std::string VerifyCommand(const SampleView& view, const TaskManifest& task) {
  const absl::StatusOr<const Grader*> grader = FindGrader(task.grader);
  if (grader.ok() && (*grader)->reads_row) {
    return absl::StrFormat("assay verify --run %s --task %s --problem %s --sample %d",
                           ShellQuote(view.run_id), ShellQuote(task.name),
                           ShellQuote(view.stored.sample.problem_id), view.stored.sample.index + 1);
  }
  std::string command = "assay verify --grader " + ShellQuote(task.grader);
  if (task.grader_options.size() > 0) {
    command += " --options " + ShellQuote(task.grader_options.Dump());
  }
  // A choice that holds the divider cannot be given; the letter is then judged alone.
  const std::string choices = Join(view.problem.choices, ";");
  if (Split(choices, ';').size() == view.problem.choices.size()) {
    command += " --choices " + ShellQuote(choices);
  }
  return command + " -- " + ShellQuote(view.problem.reference) + " " +
         ShellQuote(view.stored.sample.extraction.answer.value_or(""));
}

std::string ReproduceCommand(const RunManifest& run) {
  const Json& asked = run.options;
  if (asked.Find("tasks") == nullptr || asked.Find("model") == nullptr) return "";
  std::string command = "assay run";
  const auto add = [&](std::string_view flag, std::string_view value) {
    if (!value.empty()) command += " " + std::string(flag) + " " + ShellQuote(value);
  };
  const auto add_text = [&](std::string_view flag, std::string_view name) {
    add(flag, asked.FindString(name).value_or(""));
  };
  const auto add_each = [&](std::string_view flag, std::string_view name) {
    const Json* list = asked.Find(name);
    if (list == nullptr || !list->is_array()) return;
    for (const Json& one : list->AsArray()) add(flag, one.ToText());
  };
  const auto add_number = [&](std::string_view flag, std::string_view name) {
    const std::optional<double> number = asked.FindNumber(name);
    if (number && *number != 0) add(flag, absl::StrFormat("%g", *number));
  };
  const auto add_pairs = [&](std::string_view flag, std::string_view name) {
    const Json* pairs = asked.Find(name);
    if (pairs == nullptr || !pairs->is_object()) return;
    std::string text;
    for (const Json::Member& member : pairs->AsMembers()) {
      text += (text.empty() ? "" : ",") + member.first + "=" + member.second.ToText();
    }
    add(flag, text);
  };
  add_text("--model", "model");
  add_text("--backend", "backend");
  add_each("--base-url", "base_urls");
  add_pairs("--model-args", "model_args");
  add_text("--api-key-env", "api_key_env");
  add_each("--tasks", "tasks");
  add_each("--include-path", "include_paths");
  add_each("--data-dir", "data_dirs");
  add_text("--dataset-file", "dataset_file");
  add_number("--samples", "samples");
  add_number("--limit", "limit");
  if (const std::optional<int64_t> shots = asked.FindInteger("num_fewshot")) {
    add("--num-fewshot", std::to_string(*shots));
  }
  if (const Json* metrics = asked.Find("metrics"); metrics != nullptr && metrics->is_array()) {
    std::vector<std::string> names;
    for (const Json& one : metrics->AsArray()) names.push_back(one.ToText());
    add("--metrics", Join(names, ","));
  }
  add_text("--release", "release");
  add_text("--since", "since");
  add_text("--until", "until");
  add_text("--isolation", "isolation");
  add_pairs("--gen-kwargs", "sampling");
  add_text("--system-instruction", "system_instruction");
  add_text("--reply-prefix", "reply_prefix");
  if (run.seed != 0) add("--seed", std::to_string(run.seed));
  return command;
}

std::string ShellQuote(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || Contains("_-./:=+,@%", {&c, 1});
  });
  if (plain) return std::string(text);
  if (Printable(text) == text) return "'" + ReplaceAll(text, "'", "'\\''") + "'";
  std::string out = "$'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\'' || c == '\\') {
      out += std::string("\\") + c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else {
      out += absl::StrFormat("\\x%02x", byte);
    }
  }
  return out + "'";
}

}  // namespace assay
