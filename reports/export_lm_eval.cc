// lm-evaluation-harness's two files, so that its readers and its users' scripts read our runs.
//
// Its hashes are SHA-256 of: the row as Python's json.dumps(indent=2) writes it, the prompt, the
// target. All n samples of a problem stand in `resps`. Keys that it does not have are ours
// ("finish_reasons", "assay"): its readers pass over what they do not know.
#include <sys/time.h>

#include <ctime>

#include "harness/hash.h"
#include "harness/outcomes.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "reports/export.h"

namespace assay {
namespace {

constexpr std::string_view kFilter = "none";
constexpr std::string_view kNoAnswer = "[invalid]";  // its word for a filter that found nothing

struct Moment {
  std::string stamp;  // "2026-11-23T14-05-09.123456", as in its file names
  double seconds = 0;
};

Moment Now() {
  timeval now = {};
  gettimeofday(&now, nullptr);
  std::tm parts = {};
  gmtime_r(&now.tv_sec, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H-%M-%S", &parts);
  return {absl::StrFormat("%s.%06d", text, now.tv_usec),
          static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_usec)};
}

// The whole reply as one text: where the server kept the thinking apart, in tags without blanks, so
// that splitting it gives the same two texts again.
std::string WholeReply(const Completion& completion) {
  const bool apart = !completion.reasoning.empty() &&
                     completion.raw.find(completion.reasoning) == std::string::npos;
  if (!apart) return completion.raw;
  if (completion.unclosed_reasoning) return "<think>" + completion.reasoning;
  return "<think>" + completion.reasoning + "</think>" + completion.raw;
}

// It hands a chat prompt on as the text of a list of messages.
std::string PromptText(const Prompt& prompt) {
  const Json json = PromptToJson(prompt);
  std::string text = "[";
  for (const Json& message : json.Find("messages")->AsArray()) {
    if (text.size() > 1) text += ", ";
    text += absl::StrFormat("{\"role\": %s, \"content\": %s}", message.Find("role")->Dump(),
                            message.Find("content")->Dump());
  }
  return text + "]";
}

Json GenerationKwargs(const TaskManifest& task) {
  Json kwargs = Json::MakeObject();
  if (!task.sampling.is_object()) return kwargs;
  for (const Json::Member& member : task.sampling.AsMembers()) {
    const std::string& name = member.first;
    kwargs.Set(name == "max_tokens" ? "max_gen_toks"
               : name == "stop"     ? "until"
                                    : name,
               member.second);
  }
  const double temperature = task.sampling.FindNumber("temperature").value_or(1);
  kwargs.Set("do_sample", temperature > 0);
  return kwargs;
}

double MeanScore(const std::vector<StoredSample>& samples) {
  double sum = 0;
  for (const StoredSample& stored : samples) {
    if (stored.graded) sum += stored.sample.verdict.score;
  }
  return samples.empty() ? 0 : sum / static_cast<double>(samples.size());
}

// One response stands by itself, several in a list, as its take_first and its repeats leave them.
Json OneOrAll(Json all) { return all.size() == 1 ? all.AsArray()[0] : all; }

Json SampleLine(const TaskManifest& task, int64_t doc_id, const Problem& problem,
                const Prompt& prompt, const std::vector<StoredSample>& samples) {
  Json replies = Json::MakeArray(), answers = Json::MakeArray(), finishes = Json::MakeArray();
  Json outcomes = Json::MakeArray(), indices = Json::MakeArray();
  for (const StoredSample& stored : samples) {
    const Sample& sample = stored.sample;
    replies.Append(WholeReply(sample.completion));
    answers.Append(sample.extraction.answer ? Json(*sample.extraction.answer) : Json(kNoAnswer));
    finishes.Append(FinishReasonName(sample.completion.finish));
    outcomes.Append(stored.graded ? Json(OutcomeName(sample.verdict.outcome)) : Json());
    indices.Append(sample.index);
  }
  const std::string asked = PromptText(prompt);
  Json arguments = Json::MakeObject(
      {{"gen_args_0", Json::MakeObject({{"arg_0", asked}, {"arg_1", GenerationKwargs(task)}})}});
  Json resps = Json::MakeArray(), filtered = Json::MakeArray(), metrics = Json::MakeArray();
  resps.Append(std::move(replies));
  filtered.Append(OneOrAll(std::move(answers)));
  metrics.Append("pass@1");
  Json order = Json::MakeArray();
  for (const int place : problem.choice_order) order.Append(place);
  return Json::MakeObject({{"doc_id", doc_id},
                           {"doc", problem.row},
                           {"target", problem.reference},
                           {"arguments", std::move(arguments)},
                           {"resps", std::move(resps)},
                           {"filtered_resps", std::move(filtered)},
                           {"filter", kFilter},
                           {"metrics", std::move(metrics)},
                           {"doc_hash", Sha256Hex(problem.row.Dump(2))},
                           {"prompt_hash", Sha256Hex(asked)},
                           {"target_hash", Sha256Hex(problem.reference)},
                           {"pass@1", MeanScore(samples)},
                           {"problem_id", problem.id},
                           {"choice_order", std::move(order)},
                           {"sample_indices", std::move(indices)},
                           {"finish_reasons", std::move(finishes)},
                           {"outcomes", std::move(outcomes)}});
}

absl::StatusOr<ExportedFile> WriteSamples(Store& store, const RunSummary& run,
                                          const TaskManifest& task, const std::string& path) {
  ASSIGN_OR_RETURN(LineFile file, LineFile::Create(path));
  int64_t doc_id = 0;
  RETURN_IF_ERROR(ForEachProblemWithSamples(
      store, run.manifest.id, task.name,
      [&](const Problem& problem, const Prompt& prompt,
          const std::vector<StoredSample>& samples) -> absl::Status {
        const int64_t place = doc_id++;
        if (samples.empty()) return absl::OkStatus();
        return file.Write(SampleLine(task, place, problem, prompt, samples).Dump());
      }));
  return file.Close();
}

int64_t FewShotCount(const TaskManifest& task) {
  const Json* fewshot = task.definition.Find("fewshot");
  return fewshot == nullptr ? 0 : fewshot->FindInteger("count").value_or(0);
}

Json EstimatesToJson(const TaskResult& result) {
  Json json = Json::MakeObject({{"alias", result.manifest.name}});
  for (const NamedEstimate& one : result.estimates) {
    json.Set(absl::StrFormat("%s,%s", one.name, kFilter), one.estimate.value());
    json.Set(absl::StrFormat("%s_stderr,%s", one.name, kFilter), one.estimate.standard_error());
  }
  return json;
}

Json HigherIsBetter(const TaskResult& result) {
  Json json = Json::MakeObject();
  for (const NamedEstimate& one : result.estimates) {
    const auto metric = FindMetric(one.name);
    json.Set(one.name, !metric.ok() || (*metric)->higher_is_better);
  }
  return json;
}

Json ConfigOf(const TaskManifest& task) {
  return Json::MakeObject({{"task", task.name},
                           {"dataset_path", task.dataset_path},
                           {"output_type", "generate_until"},
                           {"repeats", task.samples_per_problem},
                           {"num_fewshot", FewShotCount(task)},
                           {"generation_kwargs", GenerationKwargs(task)},
                           {"metadata", Json::MakeObject({{"version", task.version}})},
                           {"assay", task.definition}});
}

// What it counts are documents; what is counted in samples stands under "assay".
Json CountsOf(const TaskResult& result) {
  return Json::MakeObject({{"planned", result.planned},
                           {"stored", result.stored},
                           {"graded", result.graded},
                           {"correct", result.correct},
                           {"incorrect", result.incorrect},
                           {"no_answer", result.no_answer},
                           {"truncated", result.truncated},
                           {"undecided", result.undecided},
                           {"missing", result.missing}});
}

struct Results {
  Json results = Json::MakeObject(), subtasks = Json::MakeObject(), configs = Json::MakeObject();
  Json versions = Json::MakeObject(), shots = Json::MakeObject(), better = Json::MakeObject();
  Json samples = Json::MakeObject(), hashes = Json::MakeObject(), counts = Json::MakeObject();
};

void AddTask(const TaskManifest& task, const TaskResult& result, Results* all) {
  all->results.Set(task.name, EstimatesToJson(result));
  all->subtasks.Set(task.name, Json::MakeArray());
  all->configs.Set(task.name, ConfigOf(task));
  all->versions.Set(task.name, task.version);
  all->shots.Set(task.name, FewShotCount(task));
  all->better.Set(task.name, HigherIsBetter(result));
  const int64_t asked = result.estimates.empty() ? 0 : result.estimates[0].estimate.problems();
  all->samples.Set(task.name,
                   Json::MakeObject({{"original", task.problems}, {"effective", asked}}));
  all->hashes.Set(task.name, task.task_hash);
  all->counts.Set(task.name, CountsOf(result));
}

Json ResultsJson(const RunManifest& run, Results all, const Moment& now) {
  Json config = Json::MakeObject({{"model", run.backend},
                                  {"model_args", absl::StrFormat("model=%s", run.model)},
                                  {"model_revision", run.model_hash},
                                  {"batch_size", Json()},
                                  {"device", Json()},
                                  {"limit", Json()},
                                  {"random_seed", run.seed}});
  return Json::MakeObject({{"results", std::move(all.results)},
                           {"group_subtasks", std::move(all.subtasks)},
                           {"configs", std::move(all.configs)},
                           {"versions", std::move(all.versions)},
                           {"n-shot", std::move(all.shots)},
                           {"higher_is_better", std::move(all.better)},
                           {"n-samples", std::move(all.samples)},
                           {"config", std::move(config)},
                           {"git_hash", run.code_version},
                           {"date", now.seconds},
                           {"task_hashes", std::move(all.hashes)},
                           {"model_source", run.backend},
                           {"model_name", run.model},
                           {"model_name_sanitized", FileNamePart(run.model)},
                           {"assay", Json::MakeObject({{"version", run.assay_version},
                                                       {"run", run.id},
                                                       {"samples", std::move(all.counts)}})}});
}

absl::Status RefusePartial(const RunManifest& run, const TaskResult& result) {
  if (result.complete()) return absl::OkStatus();
  return FailedPrecondition(
      "run %s: task %s lacks %d samples and %d are ungraded: `assay resume %s` or `assay grade %s` "
      "first, or --allow-partial",
      run.id, result.manifest.name, result.missing, result.ungraded, run.id, run.id);
}

}  // namespace

absl::StatusOr<std::vector<ExportedFile>> ExportLmEval(Store& store, const RunSummary& run,
                                                       const std::string& task,
                                                       const std::string& path,
                                                       bool allow_partial) {
  ASSIGN_OR_RETURN(const std::vector<TaskManifest> tasks, ChooseTasks(run.manifest, task));
  Results all;
  for (const TaskManifest& one : tasks) {
    ASSIGN_OR_RETURN(const TaskResult result, ComputeTaskResult(store, run, one));
    if (!allow_partial) RETURN_IF_ERROR(RefusePartial(run.manifest, result));
    AddTask(one, result, &all);
  }
  RETURN_IF_ERROR(MakeDirectory(path));
  const Moment now = Now();
  std::vector<ExportedFile> files;
  for (const TaskManifest& one : tasks) {
    const std::string name =
        absl::StrFormat("%s/samples_%s_%s.jsonl", path, FileNamePart(one.name), now.stamp);
    ASSIGN_OR_RETURN(files.emplace_back(), WriteSamples(store, run, one, name));
  }
  ASSIGN_OR_RETURN(LineFile file,
                   LineFile::Create(absl::StrFormat("%s/results_%s.json", path, now.stamp)));
  RETURN_IF_ERROR(file.Write(ResultsJson(run.manifest, std::move(all), now).Dump(2)));
  ASSIGN_OR_RETURN(files.emplace_back(), file.Close());
  return files;
}

}  // namespace assay
