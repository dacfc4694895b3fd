// Puts the parts together: styles and scripts embedded at build time, and the report's data.
#include "reports/page/page.h"

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "harness/build_info.h"
#include "harness/hash.h"
#include "harness/json.h"
#include "harness/status.h"
#include "harness/template_text.h"
#include "harness/text.h"
#include "re2/re2.h"
#include "reports/page/chunks.h"
#include "reports/page/transcripts.h"

namespace assay {

// Written by cmake/embed.cmake: ours by path, packaged ones by name; fonts are in base64.
const std::map<std::string, std::string>& PageFiles();
const std::map<std::string, std::string>& PagePackages();

namespace {

const std::string& Ours(const std::string& name) {
  const auto found = PageFiles().find("reports/page/" + name);
  CHECK(found != PageFiles().end());
  return found->second;
}

const std::string& Packaged(const std::string& name) {
  const auto found = PagePackages().find(name);
  CHECK(found != PagePackages().end());
  return found->second;
}

// KaTeX's style sheet names three files for each font; the page holds one of them itself.
std::string KatexStyle() {
  static const RE2 kSource(R"re(src:url\(fonts/([A-Za-z0-9_-]+\.woff2)\)[^;}]*)re");
  const std::string& css = Packaged("katex.min.css");
  std::string style;
  size_t done = 0;
  re2::StringPiece rest(css);
  re2::StringPiece match[2];
  while (kSource.Match(rest, done, css.size(), RE2::UNANCHORED, match, 2)) {
    const auto begin = static_cast<size_t>(match[0].data() - css.data());
    style += css.substr(done, begin - done);
    style += "src:url(data:font/woff2;base64," +
             Packaged(std::string(match[1].data(), match[1].size())) + ") format(\"woff2\")";
    done = begin + match[0].size();
  }
  style += css.substr(done);
  return style;
}

// highlight.js's core and languages are CommonJS modules; each is given the `module` it writes to.
std::string HighlighterScript() {
  std::string script =
      "const hljs = (() => { const module = {exports: {}}, exports = module.exports;\n" +
      Packaged("highlight.js") + "\nreturn module.exports; })();\n";
  for (const auto& [name, text] : PagePackages()) {
    if (!name.starts_with("language/")) continue;
    script += absl::StrFormat(
        "hljs.registerLanguage('%s', (() => { const module = {exports: {}};\n%s\nreturn "
        "module.exports; })());\n",
        name.substr(9), text);
  }
  return script;
}

const std::string& Script() {
  static const auto* script = [] {
    auto* text = new std::string(Packaged("katex.min.js") + "\n" + Packaged("d3.min.js") + "\n" +
                                 HighlighterScript());
    for (const char* name :
         {"base.js", "charts.js", "overview.js", "curves.js", "samples.js", "main.js"}) {
      *text += Ours(name);
    }
    return text;
  }();
  return *script;
}

// A file asks for nothing; a served page may ask the server that it came from.
std::string Policy(const std::string& script, bool served) {
  const std::string digest = absl::Base64Escape(absl::HexStringToBytes(Sha256Hex(script)));
  return absl::StrFormat(
      "default-src 'none'; script-src 'sha256-%s'; style-src 'unsafe-inline'; font-src data:; "
      "img-src data:; base-uri 'none'; form-action 'none'%s",
      digest, served ? "; connect-src 'self'" : "");
}

std::string Title(const Report& report) {
  std::string title;
  for (const RunReport& run : report.runs) {
    if (report.runs.size() > 4 && run.letter == "D") {
      return title + absl::StrFormat(" and %d more", report.runs.size() - 3);
    }
    title += (title.empty() ? "" : " · ") + Printable(Shorten(run.input.run.manifest.name, 60));
  }
  return title;
}

std::string WithoutScript(const Report& report) {
  std::string text = "<noscript>";
  for (const std::string& line : report.verdicts) text += "<p>" + EscapeHtml(line) + "</p>";
  for (const std::string& line : report.notes) text += "<p>Note: " + EscapeHtml(line) + "</p>";
  return text + "<p>The rest of this page needs its script.</p></noscript>";
}

// `keys`: of each run, where the page is served.
Json Data(const Report& report, const std::vector<PageTask>& tasks, PackedTranscripts* packed,
          const std::vector<std::string>& keys) {
  Json data = ExactInBrowser(ReportToJson(report));
  data.Set("title", Title(report));
  data.Set("assay", AssayVersion());
  Json list = Json::MakeArray();
  for (const PageTask& task : tasks) {
    Json sides = Json::MakeArray();
    for (const PageTask::Side& side : task.sides) sides.Append(report.runs[side.run].letter);
    list.Append(Json::MakeObject({{"name", task.name}, {"runs", std::move(sides)}}));
  }
  data.Set("tasks", std::move(list));
  data.Set("transcripts", Json::MakeObject({{"samples", packed->samples},
                                            {"of", packed->of},
                                            {"where", std::move(packed->where)}}));
  if (keys.empty()) return data;
  Json served = Json::MakeObject();
  for (size_t i = 0; i < keys.size(); ++i) served.Set(report.runs[i].letter, keys[i]);
  data.Set("served", std::move(served));
  return data;
}

// What the skeleton holds, replaced once, from the left: nothing that is put in is looked at again.
std::string Fill(const std::string& skeleton, const std::map<std::string, std::string>& parts) {
  std::string page;
  size_t at = 0;
  while (true) {
    const size_t begin = skeleton.find("{{", at);
    if (begin == std::string::npos) return page + skeleton.substr(at);
    const size_t end = skeleton.find("}}", begin);
    CHECK(end != std::string::npos);
    const auto part = parts.find(skeleton.substr(begin + 2, end - begin - 2));
    CHECK(part != parts.end());
    page += skeleton.substr(at, begin - at) + part->second;
    at = end + 2;
  }
}

// All of a page but its data and transcripts.
class PageParts {
 public:
  PageParts(const Report& report, std::vector<std::string> keys)
      : report_(report), keys_(std::move(keys)), tasks_(JoinTasks(report)) {
    for (size_t i = 0; i < tasks_.size(); ++i) {
      chunks_ += ChunkElement(absl::StrFormat("p%d", i), ProblemsText(report, tasks_[i]));
      for (const PageTask::Side& side : tasks_[i].sides) {
        chunks_ += ChunkElement(absl::StrFormat("c%d%s", i, report.runs[side.run].letter),
                                ColumnsText(report, tasks_[i], side));
      }
    }
    parts_ = {
        {"policy", Policy(Script(), !keys_.empty())},
        {"title", EscapeHtml(Title(report))},
        {"style", KatexStyle() + Ours("page.css")},
        {"noscript", WithoutScript(report)},
        {"script", Script()},
    };
  }

  const std::vector<PageTask>& tasks() const { return tasks_; }
  int64_t bytes() const {
    return static_cast<int64_t>(chunks_.size() + Script().size() + parts_.at("style").size());
  }
  std::string DataChunk(PackedTranscripts* packed) const {
    return ChunkElement("data", Data(report_, tasks_, packed, keys_).Dump());
  }
  std::string Whole(PackedTranscripts* packed) {
    std::string chunks = DataChunk(packed) + chunks_;
    for (const std::string& element : packed->elements) chunks += element;
    parts_["chunks"] = std::move(chunks);
    return Fill(Ours("page.html"), parts_);
  }

 private:
  const Report& report_;
  const std::vector<std::string> keys_;
  const std::vector<PageTask> tasks_;
  std::string chunks_;
  std::map<std::string, std::string> parts_;
};

}  // namespace

std::string EscapeHtml(std::string_view text) { return jinja::EscapeHtml(ToValidUtf8(text)); }

absl::StatusOr<Transcripts> TranscriptsFromName(std::string_view name) {
  static const std::map<std::string, Transcripts, std::less<>> kNames = {
      {"fit", Transcripts::kFitting}, {"flips", Transcripts::kFlips},
      {"wrong", Transcripts::kWrong}, {"all", Transcripts::kAll},
      {"none", Transcripts::kNone},
  };
  if (const auto found = kNames.find(name); found != kNames.end()) return found->second;
  const std::vector<std::string> names = {"fit", "flips", "wrong", "all", "none"};
  return InvalidArgument("--transcripts: expected fit, flips, wrong, all or none, found '%s'%s",
                         name, DidYouMean(name, names));
}

absl::StatusOr<std::string> MakePage(const Report& report, const PageOptions& options) {
  PageParts page(report, {});
  // The data's own size is known only when the transcripts are: a generous guess of it, and of the
  // places of transcripts in it.
  PackedTranscripts none;
  int64_t used = page.bytes() + static_cast<int64_t>(page.DataChunk(&none).size()) + 20000;
  for (const PageTask& task : page.tasks()) used += static_cast<int64_t>(8 * task.problems.size());
  ASSIGN_OR_RETURN(PackedTranscripts packed,
                   PackTranscripts(report, page.tasks(), options, options.max_bytes - used));
  return page.Whole(&packed);
}

absl::StatusOr<ServedPage> MakeServedPage(const Report& report,
                                          const std::vector<std::string>& keys) {
  CHECK(keys.size() == report.runs.size());
  PageParts page(report, keys);
  PageOptions options;
  options.transcripts = Transcripts::kNone;
  ASSIGN_OR_RETURN(PackedTranscripts none, PackTranscripts(report, page.tasks(), options, 0));
  return ServedPage{page.Whole(&none), Policy(Script(), true)};
}

PlainPage MakePlainPage(const std::string& title, const std::string& body) {
  const std::string policy =
      "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
      "form-action 'self'";
  return {Fill(Ours("plain.html"), {{"policy", policy},
                                    {"title", EscapeHtml(title)},
                                    {"style", Ours("page.css")},
                                    {"body", body}}),
          policy};
}

}  // namespace assay
