// Puts the parts together: styles and scripts embedded at build time, and the report's data.
#include "reports/page/page.h"

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "harness/build_info.h"
#include "harness/hash.h"
#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"
#include "re2/re2.h"
#include "reports/page/chunks.h"

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

std::string Policy(const std::string& script) {
  const std::string digest = absl::Base64Escape(absl::HexStringToBytes(Sha256Hex(script)));
  return absl::StrFormat(
      "default-src 'none'; script-src 'sha256-%s'; style-src 'unsafe-inline'; font-src data:; "
      "img-src data:; base-uri 'none'; form-action 'none'",
      digest);
}

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : ToValidUtf8(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
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
  for (const std::string& line : report.verdicts) text += "<p>" + Escaped(line) + "</p>";
  for (const std::string& line : report.notes) text += "<p>Note: " + Escaped(line) + "</p>";
  return text + "<p>The rest of this page needs its script.</p></noscript>";
}

Json Data(const Report& report, const std::vector<PageTask>& tasks, PackedTranscripts* packed) {
  Json data = ReportToJson(report);
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

}  // namespace

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
  const std::vector<PageTask> tasks = JoinTasks(report);
  std::string chunks;
  for (size_t i = 0; i < tasks.size(); ++i) {
    chunks += ChunkElement(absl::StrFormat("p%d", i), ProblemsText(report, tasks[i]));
    for (const PageTask::Side& side : tasks[i].sides) {
      chunks += ChunkElement(absl::StrFormat("c%d%s", i, report.runs[side.run].letter),
                             ColumnsText(report, tasks[i], side));
    }
  }
  const std::string& script = Script();
  std::map<std::string, std::string> parts = {
      {"policy", Policy(script)},
      {"title", Escaped(Title(report))},
      {"style", KatexStyle() + Ours("page.css")},
      {"noscript", WithoutScript(report)},
      {"script", script},
      {"chunks", ""},
  };
  // The data's own size is known only when the transcripts are: a generous guess of it, and of the
  // places of transcripts in it.
  PackedTranscripts none;
  int64_t used =
      static_cast<int64_t>(chunks.size() + script.size() + parts["style"].size() +
                           ChunkElement("data", Data(report, tasks, &none).Dump()).size() + 20000);
  for (const PageTask& task : tasks) used += static_cast<int64_t>(8 * task.problems.size());
  ASSIGN_OR_RETURN(PackedTranscripts packed,
                   PackTranscripts(report, tasks, options, options.max_bytes - used));
  std::string transcripts;
  for (const std::string& element : packed.elements) transcripts += element;
  parts["chunks"] =
      ChunkElement("data", Data(report, tasks, &packed).Dump()) + chunks + transcripts;
  return Fill(Ours("page.html"), parts);
}

}  // namespace assay
