// Every answer opens what it reads and forgets it: what is seen is what is in the file now.
#include "reports/view.h"

#include <cstring>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/compare.h"
#include "reports/page/page.h"
#include "reports/page/transcripts.h"
#include "reports/show.h"

namespace assay {
namespace {

constexpr char kHtml[] = "text/html; charset=utf-8";
constexpr char kJson[] = "application/json";
constexpr size_t kIndicesAtOnce = 1000;
constexpr size_t kRunsAtOnce = 200;
constexpr size_t kQueryBytes = 1000;

// --- parameters ---

// The values of `names`; any other parameter is an error.
class Parameters {
 public:
  static absl::StatusOr<Parameters> Read(const ViewQuery& query,
                                         const std::vector<std::string>& names) {
    Parameters parameters;
    for (const auto& [name, value] : query) {
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        return InvalidArgument("the address has an unknown part '%s'%s",
                               Printable(Shorten(name, 100)), DidYouMean(name, names));
      }
      parameters.values_[name].push_back(value);
    }
    return parameters;
  }

  const std::vector<std::string>& All(const std::string& name) const {
    static const auto* none = new std::vector<std::string>;
    const auto found = values_.find(name);
    return found == values_.end() ? *none : found->second;
  }
  absl::StatusOr<std::string> One(const std::string& name) const {
    const std::vector<std::string>& values = All(name);
    if (values.size() == 1 && !values[0].empty()) return values[0];
    return InvalidArgument("the address wants one '%s=', and it has %d", name, values.size());
  }
  absl::StatusOr<std::string> Optional(const std::string& name) const {
    if (All(name).size() > 1) return InvalidArgument("the address has '%s=' twice", name);
    return All(name).empty() ? "" : All(name)[0];
  }
  absl::StatusOr<bool> Switch(const std::string& name) const {
    ASSIGN_OR_RETURN(const std::string value, Optional(name));
    if (value.empty() || value == "0") return false;
    if (value == "1") return true;
    return InvalidArgument("%s: expected 0 or 1, found '%s'", name, Printable(Shorten(value, 100)));
  }

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

// --- answers ---

int HttpStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return 503;
    default:
      return 500;
  }
}

ViewAnswer PageAnswer(PlainPage page, int status = 200) {
  return {status, kHtml, std::move(page.html), std::move(page.policy), ""};
}

ViewAnswer ErrorPage(const absl::Status& status) {
  return PageAnswer(
      MakePlainPage("This cannot be shown",
                    "<p class=\"warning\">" + EscapeHtml(Printable(std::string(status.message()))) +
                        "</p>\n<p><a href=\"/\">All runs</a></p>"),
      HttpStatus(status));
}

ViewAnswer ErrorData(const absl::Status& status) {
  const Json json = Json::MakeObject({{"error", Printable(std::string(status.message()))}});
  return {HttpStatus(status), kJson, json.Dump(), "", ""};
}

// --- the list of runs ---

// `whole`: shown where the mouse rests on it.
std::string Cell(std::string_view name, std::string_view text, std::string_view whole = "") {
  const std::string title =
      whole.empty() ? "" : absl::StrFormat(" title=\"%s\"", EscapeHtml(Printable(whole)));
  return absl::StrFormat("<td class=\"%s\"%s>%s</td>", name, title, EscapeHtml(Printable(text)));
}

std::string ToTheMinute(const std::string& iso8601) {
  return iso8601.size() < 16 ? iso8601 : iso8601.substr(0, 10) + " " + iso8601.substr(11, 5);
}

// "checkpoints/step-500" of a long path.
std::string LastParts(const std::string& path) {
  std::vector<std::string> parts;
  for (const std::string_view part : Split(path, '/')) {
    if (!part.empty()) parts.emplace_back(part);
  }
  if (parts.size() <= 2) return path;
  return parts[parts.size() - 2] + "/" + parts.back();
}

std::string RunRow(const RunSummary& run, const std::string& key) {
  const RunManifest& manifest = run.manifest;
  std::vector<std::string> names;
  for (const TaskManifest& task : manifest.tasks) names.push_back(task.name);
  const std::string tasks = Shorten(Join(names, ", "), 1000);
  const std::string name = EscapeHtml(Printable(Shorten(manifest.name, 200)));
  const std::string word = EscapeHtml(key);
  const std::string failed =
      run.failures > 0 ? absl::StrFormat(", %s failed", WithThousands(run.failures)) : "";
  return absl::StrFormat(
             "<tr><td class=\"mark\"><input type=\"checkbox\" name=\"run\" value=\"%s\" "
             "aria-label=\"Compare %s\"></td><th scope=\"row\"><a href=\"/report?run=%s\">%s</a>"
             "</th>",
             word, name, word, name) +
         Cell("model", Shorten(LastParts(manifest.model), 200), Shorten(manifest.model, 1000)) +
         Cell("tasks", tasks, tasks) +
         Cell("samples", absl::StrFormat("%s of %s", WithThousands(run.samples_stored),
                                         WithThousands(run.samples_planned))) +
         Cell("state", std::string(RunStateName(run.state)) + failed) +
         Cell("started", ToTheMinute(manifest.started)) + Cell("id", manifest.id) + "</tr>\n";
}

absl::StatusOr<std::vector<RunSummary>> ListRuns(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open(path, StoreMode::kReadOnly));
  return store->ListRuns();
}

std::string RunsOf(const std::string& path, size_t database, bool one_of_many) {
  const std::string heading =
      one_of_many ? "<h2>" + EscapeHtml(Printable(path)) + "</h2>\n" : std::string();
  const absl::StatusOr<std::vector<RunSummary>> runs = ListRuns(path);
  if (!runs.ok()) {
    return heading + "<p class=\"warning\">" +
           EscapeHtml(Printable(std::string(runs.status().message()))) + "</p>\n";
  }
  if (runs->empty()) {
    return heading + "<p>There is no run yet in " + EscapeHtml(Printable(path)) + ".</p>\n";
  }
  std::string rows;
  for (size_t i = runs->size(); i-- > 0;) {
    rows += RunRow((*runs)[i], View::KeyOf(database, (*runs)[i].manifest.id));
  }
  return heading +
         "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Runs\"><table "
         "class=\"wide index\">\n<caption class=\"unseen\">Runs, the newest first</caption>"
         "<thead><tr><th scope=\"col\"><span class=\"unseen\">marked</span></th><th "
         "scope=\"col\">run</th><th "
         "scope=\"col\">model</th><th "
         "scope=\"col\">tasks</th><th scope=\"col\">samples</th><th "
         "scope=\"col\">state</th><th scope=\"col\">started (UTC)</th><th scope=\"col\">id</th>"
         "</tr></thead>\n<tbody>\n" +
         rows + "</tbody></table></div>\n";
}

// --- searching ---

bool HoldsText(std::string_view text, const std::string& lowered_query) {
  // memmem is linear whatever the two texts are.
  const std::string lowered = ToLowerAscii(text);
  return memmem(lowered.data(), lowered.size(), lowered_query.data(), lowered_query.size()) !=
         nullptr;
}

bool SampleHolds(const Sample& sample, const std::string& query) {
  const Completion& completion = sample.completion;
  const bool split = !completion.reasoning.empty() || !completion.answer.empty();
  return HoldsText(completion.reasoning, query) || HoldsText(completion.answer, query) ||
         (!split && HoldsText(completion.raw, query)) || HoldsText(sample.verdict.why, query);
}

}  // namespace

// The databases that an answer reads.
struct View::Runs {
  std::map<size_t, std::unique_ptr<Store>> stores;
};

std::string View::KeyOf(size_t database, const std::string& run_id) {
  return database == 0 ? run_id : absl::StrFormat("%d:%s", database + 1, run_id);
}

absl::StatusOr<ReportInput> View::FindRun(const std::string& key, Runs* runs,
                                          size_t* database) const {
  *database = 0;
  std::string which = key;
  const size_t colon = key.find(':');
  if (colon != std::string::npos) {
    const std::optional<int64_t> number = ParseInt(key.substr(0, colon));
    if (!number || *number < 1 || *number > static_cast<int64_t>(databases_.size())) {
      return NotFound("there is no run '%s'", Printable(Shorten(key, 100)));
    }
    *database = static_cast<size_t>(*number - 1);
    which = key.substr(colon + 1);
  }
  std::unique_ptr<Store>& store = runs->stores[*database];
  if (store == nullptr) {
    ASSIGN_OR_RETURN(store, Store::Open(databases_[*database], StoreMode::kReadOnly));
  }
  ASSIGN_OR_RETURN(RunSummary run, store->FindRun(which));
  // Ids go into addresses and headers; a database that another program made may hold anything.
  const std::string& id = run.manifest.id;
  const bool plain = std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) != 0 || c == '-' || c == '_');
  });
  if (!plain) {
    return InvalidArgument("%s: a run's id is letters and digits, found '%s'",
                           databases_[*database], Printable(Shorten(id, 100)));
  }
  return ReportInput{store.get(), std::move(run)};
}

ViewAnswer View::Answer(const std::string& path, const ViewQuery& query) {
  if (path == "/problem" || path == "/samples" || path == "/search") {
    absl::StatusOr<std::string> text = Data(path, query);
    if (!text.ok()) return ErrorData(text.status());
    return {200, kJson, *std::move(text), "", ""};
  }
  absl::StatusOr<ViewAnswer> answer = Page(path, query);
  return answer.ok() ? *std::move(answer) : ErrorPage(answer.status());
}

absl::StatusOr<std::string> View::Data(const std::string& path, const ViewQuery& query) const {
  if (path == "/problem") return ProblemText(query);
  return path == "/samples" ? SamplesText(query) : SearchText(query);
}

absl::StatusOr<ViewAnswer> View::Page(const std::string& path, const ViewQuery& query) const {
  if (path == "/") return Index();
  if (path == "/compare") return Compare(query);
  if (path == "/report") return ReportPage(query);
  return NotFound("there is no page '%s' here", Printable(Shorten(path, 200)));
}

absl::StatusOr<ViewAnswer> View::Index() const {
  std::string body =
      "<form action=\"/compare\" method=\"get\">\n<div class=\"bar index-bar\"><button "
      "type=\"submit\" class=\"main\">Compare the marked runs</button><p class=\"about\">A run's "
      "name leads to its report. Of those that are marked the oldest is the baseline; the report "
      "can take another.</p></div>\n";
  for (size_t i = 0; i < databases_.size(); ++i) {
    body += RunsOf(databases_[i], i, databases_.size() > 1);
  }
  body += "</form>\n";
  return PageAnswer(MakePlainPage("Runs of " + Printable(databases_[0]), body));
}

// The marked runs, the oldest first.
absl::StatusOr<ViewAnswer> View::Compare(const ViewQuery& query) const {
  ASSIGN_OR_RETURN(const Parameters parameters, Parameters::Read(query, {"run"}));
  ViewAnswer answer;
  answer.status = 303;
  answer.content_type = kHtml;
  answer.location = "/";
  std::vector<std::pair<std::string, std::string>> marked;  // started, key
  Runs runs;
  for (const std::string& key : parameters.All("run")) {
    size_t database = 0;
    ASSIGN_OR_RETURN(const ReportInput input, FindRun(key, &runs, &database));
    const RunManifest& manifest = input.run.manifest;
    marked.emplace_back(manifest.started, KeyOf(database, manifest.id));
  }
  // They come with the newest first: of two that started in one second, too.
  std::reverse(marked.begin(), marked.end());
  std::stable_sort(marked.begin(), marked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [started, key] : marked) {
    answer.location += (answer.location == "/" ? "report?run=" : "&run=") + key;
  }
  return answer;
}

absl::StatusOr<ViewAnswer> View::ReportPage(const ViewQuery& query) const {
  ASSIGN_OR_RETURN(const Parameters parameters,
                   Parameters::Read(query, {"run", "baseline", "task", "x", "published_as",
                                            "consensus", "partial"}));
  const std::vector<std::string>& names = parameters.All("run");
  if (names.empty() || names.size() > kRunsAtOnce) {
    return InvalidArgument("a report is of 1 to %d runs (run=...), found %d", kRunsAtOnce,
                           names.size());
  }
  ReportOptions options;
  options.samples = true;
  options.tasks = parameters.All("task");
  ASSIGN_OR_RETURN(options.x, parameters.Optional("x"));
  ASSIGN_OR_RETURN(options.published_as, parameters.Optional("published_as"));
  ASSIGN_OR_RETURN(options.consensus, parameters.Switch("consensus"));
  ASSIGN_OR_RETURN(options.allow_partial, parameters.Switch("partial"));
  ASSIGN_OR_RETURN(const std::string baseline, parameters.Optional("baseline"));
  Runs runs;
  std::vector<ReportInput> inputs;
  std::vector<std::string> keys;
  for (const std::string& name : names) {
    size_t database = 0;
    ASSIGN_OR_RETURN(ReportInput input, FindRun(name, &runs, &database));
    keys.push_back(KeyOf(database, input.run.manifest.id));
    if (std::count(keys.begin(), keys.end(), keys.back()) > 1) {
      return InvalidArgument("run %s is named twice", keys.back());
    }
    inputs.push_back(std::move(input));
  }
  if (!baseline.empty()) {
    size_t database = 0;
    ASSIGN_OR_RETURN(const ReportInput base, FindRun(baseline, &runs, &database));
    const std::string key = KeyOf(database, base.run.manifest.id);
    const auto found = std::find(keys.begin(), keys.end(), key);
    if (found == keys.end()) return InvalidArgument("the baseline %s is none of the runs", key);
    options.baseline = static_cast<size_t>(found - keys.begin());
  }
  ASSIGN_OR_RETURN(const Report report, LoadReport(std::move(inputs), options));
  std::rotate(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(options.baseline),
              keys.begin() + static_cast<std::ptrdiff_t>(options.baseline) + 1);
  ASSIGN_OR_RETURN(ServedPage page, MakeServedPage(report, keys));
  return ViewAnswer{200, kHtml, std::move(page.html), std::move(page.policy), ""};
}

// --- what a page asks for ---

absl::StatusOr<std::string> View::ProblemText(const ViewQuery& query) const {
  ASSIGN_OR_RETURN(const Parameters parameters,
                   Parameters::Read(query, {"run", "task", "problem"}));
  ASSIGN_OR_RETURN(const std::string task, parameters.One("task"));
  ASSIGN_OR_RETURN(const std::string id, parameters.One("problem"));
  Runs runs;
  Json first;
  Json each = Json::MakeArray();  // for each run of the address: how it was asked where otherwise
  for (const std::string& key : parameters.All("run")) {
    size_t database = 0;
    ASSIGN_OR_RETURN(const ReportInput input, FindRun(key, &runs, &database));
    each.Append(Json::MakeObject());
    if (FindTask(input.run.manifest, task) == nullptr) continue;
    ASSIGN_OR_RETURN(const std::optional<StoredProblem> asked,
                     input.store->FindProblem(input.run.manifest.id, task, id));
    if (!asked) continue;
    Json own = AskedJson(*asked);
    if (first.is_null()) {
      first = std::move(own);
    } else if (own != first) {
      each.AsArray().back().Set("asked", std::move(own));
    }
  }
  if (first.is_null()) {
    return NotFound("none of the runs has asked a problem '%s' of %s", Printable(Shorten(id, 200)),
                    Printable(Shorten(task, 200)));
  }
  return Json::MakeObject({{"asked", std::move(first)}, {"runs", std::move(each)}}).Dump();
}

absl::StatusOr<std::string> View::SamplesText(const ViewQuery& query) const {
  ASSIGN_OR_RETURN(const Parameters parameters,
                   Parameters::Read(query, {"run", "task", "problem", "index"}));
  ASSIGN_OR_RETURN(const std::string key, parameters.One("run"));
  ASSIGN_OR_RETURN(const std::string task, parameters.One("task"));
  ASSIGN_OR_RETURN(const std::string id, parameters.One("problem"));
  Runs runs;
  size_t database = 0;
  ASSIGN_OR_RETURN(const ReportInput input, FindRun(key, &runs, &database));
  const RunManifest& run = input.run.manifest;
  const TaskManifest* manifest = FindTask(run, task);
  if (manifest == nullptr) {
    return NotFound("run %s has no task '%s'", run.id, Printable(Shorten(task, 200)));
  }
  ASSIGN_OR_RETURN(const std::optional<StoredProblem> asked,
                   input.store->FindProblem(run.id, task, id));
  if (!asked) {
    return NotFound("run %s has asked no problem '%s' of %s", run.id, Printable(Shorten(id, 200)),
                    task);
  }
  const std::vector<std::string>& indices = parameters.All("index");
  if (indices.empty() || indices.size() > kIndicesAtOnce) {
    return InvalidArgument("expected 1 to %d samples (index=...), found %d", kIndicesAtOnce,
                           indices.size());
  }
  // As many as fit; the page asks for the others again.
  std::string text = "{\"samples\":[";
  for (const std::string& word : indices) {
    const std::optional<int64_t> index = ParseInt(word);
    if (!index || *index < 0 || *index > INT32_MAX) {
      return InvalidArgument("index: expected a sample's number from 0, found '%s'",
                             Printable(Shorten(word, 100)));
    }
    SampleFilter filter;
    filter.task = task;
    filter.problem_id = id;
    filter.index = static_cast<int>(*index);
    filter.parts = SampleParts::kAll;
    Json sample = Json::MakeObject(
        {{"index", *index},
         {"error", absl::StrFormat("run %s does not hold this sample (any more)", run.id)}});
    RETURN_IF_ERROR(
        input.store->ForEachSample(run.id, filter, [&](const StoredSample& stored) -> absl::Status {
          sample = SampleJson(run.id, stored, asked->problem, *manifest);
          return absl::OkStatus();
        }));
    if (sample.Find("error") == nullptr) {
      ASSIGN_OR_RETURN(const std::vector<Verdict> history,
                       input.store->VerdictHistory(run.id, task, id, static_cast<int>(*index)));
      if (history.size() > 1) sample.Set("history", HistoryJson(history));
    }
    if (text.back() != '[') text += ',';
    text += sample.Dump();
    if (text.size() >= limits_.bytes) break;
  }
  return text + "]}";
}

// The ids of problems in whose prompts or samples the text occurs.
absl::StatusOr<std::string> View::SearchText(const ViewQuery& query) const {
  ASSIGN_OR_RETURN(const Parameters parameters, Parameters::Read(query, {"run", "task", "q"}));
  ASSIGN_OR_RETURN(const std::string task, parameters.One("task"));
  ASSIGN_OR_RETURN(const std::string wanted, parameters.One("q"));
  if (wanted.size() > kQueryBytes) {
    return InvalidArgument("a search is for up to %d bytes, found %d", kQueryBytes, wanted.size());
  }
  const std::string lowered = ToLowerAscii(wanted);
  const auto until = std::chrono::steady_clock::now() + limits_.search;
  const auto may_go_on = [&]() -> absl::Status {
    if (stopped_) return absl::CancelledError("assay view is ending");
    if (std::chrono::steady_clock::now() < until) return absl::OkStatus();
    return absl::DeadlineExceededError(
        absl::StrFormat("the search was given up after %d s: it read too much text",
                        std::chrono::duration_cast<std::chrono::seconds>(limits_.search).count()));
  };
  std::set<std::string> found;
  Runs runs;
  for (const std::string& key : parameters.All("run")) {
    size_t database = 0;
    ASSIGN_OR_RETURN(const ReportInput input, FindRun(key, &runs, &database));
    const std::string& id = input.run.manifest.id;
    if (FindTask(input.run.manifest, task) == nullptr) continue;
    RETURN_IF_ERROR(input.store->ForEachProblem(
        id, task, [&](const Problem& problem, const Prompt& prompt) -> absl::Status {
          for (const Message& message : prompt.messages) {
            if (HoldsText(message.text, lowered)) found.insert(problem.id);
          }
          return may_go_on();
        }));
    SampleFilter filter;
    filter.task = task;
    filter.parts = SampleParts::kAll;
    RETURN_IF_ERROR(
        input.store->ForEachSample(id, filter, [&](const StoredSample& stored) -> absl::Status {
          const Sample& sample = stored.sample;
          if (!found.contains(sample.problem_id) && SampleHolds(sample, lowered)) {
            found.insert(sample.problem_id);
          }
          return may_go_on();
        }));
  }
  Json list = Json::MakeArray();
  for (const std::string& id : found) list.Append(id);
  return Json::MakeObject({{"problems", std::move(list)}}).Dump();
}

}  // namespace assay
