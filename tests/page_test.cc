// The report's page in a real browser: numbers, filters, links, hostile texts, access. Skipped
// where chromium is not installed; scripts/packages installs it.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_format.h"
#include "harness/text.h"
#include "http/server.h"
#include "reports/view.h"
#include "tests/browser/browser.h"
#include "tests/report_runs.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::Browser;
using testing_support::ProgramEnd;
using testing_support::ReadWholeFile;
using testing_support::ReportRunSpec;
using testing_support::RunAssay;
using testing_support::WriteReportRun;

std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(text, &quoted);
  return quoted;
}

// Each would set `window.hacked`, load something, or break the page, if it were not a text.
std::vector<std::string> HostileTexts() {
  return {
      "<script>window.hacked=1</script><img src=x onerror=\"window.hacked=1\">",
      "</script><script>window.hacked=1</script>",
      "<!--<script>window.hacked=1//-->",
      "<svg onload=window.hacked=1><style>*{display:none}</style>",
      "<style>body{background:url(http://example.invalid/a.png)}</style><link rel=stylesheet "
      "href=http://example.invalid/a.css>",
      "<iframe src=javascript:window.hacked=1></iframe><base href=http://example.invalid/>",
      "<meta http-equiv=refresh content='0;url=http://example.invalid/'>",
      "\\(\\href{javascript:window.hacked=1}{x}\\) $\\url{http://example.invalid}$ "
      "$\\includegraphics{http://example.invalid/a.png}$",
      "$\\htmlStyle{position:fixed;inset:0;background:url(http://example.invalid)}{x}$ "
      "\\(\\htmlId{main}{x}\\) \\[\\htmlData{a=b}{x}\\]",
      "$\\def\\a{\\a\\a}\\a$ $\\rule{99999em}{99999em}$ \\[\\kern{99999em}x\\] $\\text{</span>"
      "<script>window.hacked=1</script>}$",
      "$\\unicode{x} \\color{red;background:url(http://example.invalid)} x$",
      "```html\n<script>window.hacked=1</script><img src=x onerror=window.hacked=1>\n```",
      "```\"><script>window.hacked=1</script>\nx\n```\n```python\nprint('</script><b>')\n```",
      "line\xe2\x80\xa8separator\xe2\x80\xa9paragraph \xe2\x80\xaeright to left\xe2\x81\xa6 "
      "isolate",
      std::string("nul\0escape\x1b[31m bell\x07", 22),
      "ill-formed \xff\xfe\xc0\xaf\xed\xa0\x80 utf-8",
      "'; window.hacked=1; // \" onmouseover=\"window.hacked=1\" `${window.hacked=1}`",
      "javascript:window.hacked=1",
      "__proto__",
      std::string(200000, 'W'),
      std::string(3000, '{') + "\\boxed{" + std::string(3000, '{'),
      "{{script}}{{chunks}}{{policy}} $& $1 $` $'",
  };
}

class Page : public testing::Test {
 protected:
  void SetUp() override {
    if (Browser::Program().empty()) GTEST_SKIP() << "skipped: chromium is not installed";
    absl::StatusOr<std::unique_ptr<Browser>> started = Browser::Start();
    ASSERT_OK(started.status());
    browser_ = *std::move(started);
  }

  // A page of these runs; its path.
  std::string Write(std::vector<std::string> words) {
    const std::string path = directory_.Path("page.html");
    words.insert(words.begin(), "report");
    words.insert(words.end(), {"--db", database_, "-o", path});
    const ProgramEnd end = RunAssay(words);
    EXPECT_EQ(end.status, 0) << end.err;
    return path;
  }

  // Twelve problems; B gains p2 and p3 and loses p1.
  std::string WritePair(std::vector<std::string> more = {}) {
    WriteReportRun(database_, {.name = "early",
                               .outcomes = {"CC", "CC", "II", "IN", "CI", "II", "CC", "CC", "IT",
                                            "CC", "II", "CC"}});
    WriteReportRun(database_, {.name = "late",
                               .outcomes = {"CC", "II", "CC", "CC", "CI", "II", "CC", "CC", "IU",
                                            "CC", "II", "CC"}});
    std::vector<std::string> words = {"early", "late"};
    words.insert(words.end(), more.begin(), more.end());
    return Write(words);
  }

  Json Ask(std::string_view expression) {
    absl::StatusOr<Json> value = browser_->Evaluate(expression);
    EXPECT_OK(value.status());
    return value.ok() ? *value : Json();
  }
  std::string Text(std::string_view selector) {
    const Json text = Ask("(document.querySelector(" + Quoted(selector) +
                          ") || {textContent: '(nothing)'}).textContent");
    return text.is_string() ? text.AsString() : "";
  }
  int64_t Count(std::string_view selector) {
    return Ask("document.querySelectorAll(" + Quoted(selector) + ").length").AsInteger();
  }
  // What the list of problems holds.
  std::string Listed() {
    return Ask("[...document.querySelectorAll('.problem-id')].map(n => n.textContent).join(' ')")
        .AsString();
  }
  void Select(std::string_view name, std::string_view value) {
    Ask(
        absl::StrFormat("(() => { const s = document.querySelector('select[name=\"%s\"]'); s.value "
                        "= %s; s.dispatchEvent(new Event('change', {bubbles: true})); })()",
                        name, Quoted(value)));
    ASSERT_OK(browser_->WaitFor("document.body.dataset.drawn === (location.hash || '#')"));
  }
  void ExpectNothingWentWrong() {
    EXPECT_THAT(browser_->complaints(), IsEmpty());
    EXPECT_THAT(browser_->requests(), IsEmpty());
  }

  // Opens each problem of the page that is open; what lies in its texts does nothing.
  void ReadEveryHostileProblem() {
    for (size_t at = 0; at < HostileTexts().size(); ++at) {
      Ask(absl::StrFormat("(async () => go({problem: (await loadTask('sums')).problems[%d].id}))()",
                          at));
      ASSERT_OK(browser_->WaitFor(absl::StrFormat(
          "document.querySelector('.detail-head h3') && document.querySelector('.detail-head "
          "h3').textContent.startsWith('p%03d') && document.body.dataset.drawn === location.hash",
          at)));
      Ask("document.querySelectorAll('details').forEach(d => { d.open = true; })");
      // What is drawn when it is seen has been seen.
      Ask("new Promise(r => setTimeout(r, 60))");
      EXPECT_EQ(Ask("window.hacked === undefined"), Json(true)) << at;
      EXPECT_EQ(
          Count("main script, main img, main iframe, main object, main embed, main link, main "
                "base, main meta, main style, main [onerror], main [onload], main "
                "[onmouseover], main a[href^='javascript'], main a[href^='http']"),
          0)
          << at;
      EXPECT_EQ(Ask("document.querySelectorAll('#main').length").AsInteger(), 1) << at;
      EXPECT_LT(Ask("document.documentElement.scrollWidth - innerWidth").AsInteger(), 2)
          << at << ": wider than the window";
      EXPECT_THAT(browser_->complaints(), IsEmpty()) << at;
    }
  }

  // What has no name for those who do not see it.
  std::string Nameless() {
    return Ask("[...document.querySelectorAll('a, button, input, select, textarea, [role=img], "
               "table, "
               "nav, summary')].filter(n => { const label = n.closest('label'); return "
               "!(n.ariaLabel || "
               "n.getAttribute('aria-label') || (label && label.textContent.trim()) || (n.tagName "
               "=== "
               "'TABLE' ? n.caption : n.tagName !== 'INPUT' && n.tagName !== 'SELECT' && "
               "n.textContent.trim())); }).map(n => n.outerHTML.slice(0, 200))")
        .Dump();
  }
  // WCAG 2.1: 4.5 for texts; what is decoration or shut off is left out.
  std::string PoorContrasts() {
    return Ask("(() => { const lum = c => { const v = c.map(x => { x /= 255; return x <= 0.03928 ? "
               "x / "
               "12.92 : Math.pow((x + 0.055) / 1.055, 2.4); }); return 0.2126 * v[0] + 0.7152 * "
               "v[1] + "
               "0.0722 * v[2]; }; const rgb = s => (s.match(/[\\d.]+/g) || []).map(Number); const "
               "ground = "
               "n => { for (; n; n = n.parentElement) { const c = "
               "rgb(getComputedStyle(n).backgroundColor); "
               "if (c.length >= 3 && (c.length === 3 || c[3] > 0.99)) return c.slice(0, 3); } "
               "return [255, "
               "255, 255]; }; const bad = []; for (const n of document.querySelectorAll('header *, "
               "main "
               "*')) "
               "{ if (![...n.childNodes].some(c => c.nodeType === 3 && c.textContent.trim())) "
               "continue; if "
               "(n.closest('title, .katex, .off, .unseen, .faint, option')) continue; const style "
               "= "
               "getComputedStyle(n); const color = n.closest('svg') ? style.fill : style.color; "
               "const a = "
               "lum(rgb(color).slice(0, 3)), b = lum(ground(n)); const r = (Math.max(a, b) + 0.05) "
               "/ "
               "(Math.min(a, b) + 0.05); if (r < 4.5) bad.push(r.toFixed(2) + ' ' + n.className + "
               "' ' + "
               "n.textContent.slice(0, 40)); } return bad; })()")
        .Dump();
  }

  testing_support::TemporaryDirectory directory_;
  std::string database_ = directory_.Path("runs.db");
  std::unique_ptr<Browser> browser_;
};

// Of the browser itself: what is waited for may come many pages later.
TEST_F(Page, WaitingGoesOnFromPageToPage) {
  const std::string path = directory_.Path("hops.html");
  std::ofstream(path) << "<body><script>const hops = Number(location.search.slice(1));"
                         "if (hops < 100) { location.replace('?' + (hops + 1)); }"
                         "else { document.body.dataset.ready = document.body.dataset.drawn = 1; }"
                         "</script>";
  ASSERT_OK(browser_->Open(path));
  EXPECT_EQ(Ask("location.search").AsString(), "?100");
}

TEST_F(Page, EveryPartLoadsInSilence) {
  const std::string page = WritePair();
  for (const char* part : {"", "#tab=curves", "#tab=problems", "#tab=problems&flip=any",
                           "#tab=runs", "#tab=nonsense", "#problem=%3Cb%3E&tab=problems"}) {
    ASSERT_OK(browser_->Open(page, part)) << part;
    EXPECT_GT(Ask("document.querySelector('main').textContent.length").AsInteger(), 200) << part;
    ExpectNothingWentWrong();
  }
}

TEST_F(Page, NumbersAreThoseOfJson) {
  const std::string page = WritePair();
  const ProgramEnd end =
      RunAssay({"report", "early", "late", "--db", database_, "--format", "json"});
  ASSERT_EQ(end.status, 0) << end.err;
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(end.out));
  ASSERT_OK(browser_->Open(page));
  const std::string text = Ask("document.querySelector('main').innerText").AsString();
  const Json& difference = json.Find("comparisons")->AsArray()[0].Find("tasks")->AsArray()[0];
  // By hand: B gains 2, loses 1 of 12 problems, and half a problem on p3: +1 +1 -1 +0 ... = 1/12.
  EXPECT_NEAR(*difference.Find("difference")->FindNumber("value"), 1.0 / 12, 1e-12);
  for (const char* field : {"shown", "interval", "p_shown", "detectable_shown"}) {
    EXPECT_THAT(text, HasSubstr(*difference.FindString(field))) << field;
  }
  for (const Json& run : json.Find("runs")->AsArray()) {
    const Json& row = run.Find("tasks")->AsArray()[0].Find("table")->AsArray()[0];
    EXPECT_THAT(text, HasSubstr(*row.FindString("shown")));
    EXPECT_THAT(text, HasSubstr(*row.FindString("interval")));
  }
  EXPECT_EQ(Ask("report.comparisons[0].tasks[0].p").AsNumber(), *difference.FindNumber("p"));
  EXPECT_EQ(Text(".four tbody tr:nth-child(1) td:nth-of-type(1)"), "5");
  EXPECT_EQ(Text(".four tbody tr:nth-child(1) td:nth-of-type(2)"), "1");
  EXPECT_EQ(Text(".four tbody tr:nth-child(2) td:nth-of-type(1)"), "2");
  EXPECT_EQ(Text(".four tbody tr:nth-child(2) td:nth-of-type(2)"), "4");
}

TEST_F(Page, FlipsAreAClickAway) {
  ASSERT_OK(browser_->Open(WritePair()));
  ASSERT_OK(browser_->Click(".four tbody tr:nth-child(2) td:nth-of-type(1) a"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.side').length === 2"));
  EXPECT_EQ(Listed(), "p2 p3");
  EXPECT_EQ(Text(".detail-head h3"), "p2");
  EXPECT_THAT(Text(".asked"), HasSubstr("What is the sum of problem number 2?"));
  EXPECT_THAT(Text(".side:nth-child(1) .sample-verdict"), HasSubstr("incorrect"));
  EXPECT_THAT(Text(".side:nth-child(1) .why"), HasSubstr("7 is not 8"));
  EXPECT_THAT(Text(".side:nth-child(2) .sample-verdict"), HasSubstr("correct"));
  EXPECT_THAT(Text(".side:nth-child(2) mark"), HasSubstr("7"));
  // The other way, by the list of flips.
  Select("flip", "loss");
  EXPECT_EQ(Listed(), "p1");
  // Thinking is folded until it is asked for.
  EXPECT_EQ(Count(".thinking .reading"), 0);
  ASSERT_OK(browser_->Click(".side .thinking summary"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.thinking .reading').length === 1"));
  EXPECT_THAT(Text(".thinking .reading"), HasSubstr("I think about problem 1."));
  EXPECT_THAT(Text(".check .command code"), HasSubstr("assay verify --grader exact"));
  ExpectNothingWentWrong();
}

TEST_F(Page, FiltersAndSearch) {
  ASSERT_OK(browser_->Open(WritePair(), "#tab=problems"));
  EXPECT_THAT(Text(".list [role=status]"), HasSubstr("12 of 12"));
  Select("outcome", "truncated");
  EXPECT_EQ(Listed(), "p8");
  Select("run", "B");
  EXPECT_EQ(Listed(), "");
  Select("outcome", "undecided");
  EXPECT_EQ(Listed(), "p8");
  ASSERT_OK(browser_->Click(".clear"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.problem').length === 12"));
  Select("tag", "level:odd");
  EXPECT_EQ(Listed(), "p1 p3 p5 p7 p9 p11");
  Select("tag", "");
  Select("tier", "numbers");
  EXPECT_EQ(Listed(), "p1 p2 p3 p4 p5 p8 p10");
  Select("tier", "");
  // In the thinking of one problem only, typed with the keyboard.
  ASSERT_OK(browser_->Click("input[name=q]"));
  ASSERT_OK(browser_->Type("think about problem 11"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.problem').length === 1"));
  EXPECT_EQ(Listed(), "p11");
  EXPECT_EQ(Ask("document.activeElement.name"), Json("q"));
  ExpectNothingWentWrong();
}

TEST_F(Page, LengthsFilter) {
  ASSERT_OK(browser_->Open(WritePair(), "#tab=problems&min=1100&max=1199"));
  // Thinking of 100 (p + 1) + i tokens and an answer of 10.
  EXPECT_EQ(Listed(), "p10");
  ASSERT_OK(browser_->Open(directory_.Path("page.html"), "#tab=problems&max=111"));
  EXPECT_EQ(Listed(), "p0");
}

TEST_F(Page, TheAddressKeepsTheView) {
  const std::string page = WritePair();
  ASSERT_OK(browser_->Open(page, "#tab=problems&flip=gain&problem=p3&pick=A%3A1"));
  EXPECT_EQ(Text(".detail-head h3"), "p3");
  EXPECT_EQ(Listed(), "p2 p3");
  EXPECT_THAT(Text(".side:nth-child(1) .sample-number"), HasSubstr("sample 2"));
  EXPECT_THAT(Text(".side:nth-child(1) .sample-verdict"), HasSubstr("no answer"));
  // A click changes the address, the way back restores it.
  ASSERT_OK(browser_->Click(".problem"));
  ASSERT_OK(browser_->WaitFor("document.querySelector('.detail-head h3').textContent === 'p2'"));
  EXPECT_THAT(Ask("location.hash").AsString(), HasSubstr("problem=p2"));
  Ask("history.back()");
  ASSERT_OK(browser_->WaitFor("document.querySelector('.detail-head h3').textContent === 'p3'"));
  EXPECT_THAT(Ask("location.hash").AsString(), HasSubstr("problem=p3"));
  ExpectNothingWentWrong();
}

TEST_F(Page, TranscriptsAreThoseAskedFor) {
  const std::string page = WritePair({"--transcripts", "none"});
  ASSERT_OK(browser_->Open(page, "#tab=problems&problem=p2"));
  EXPECT_EQ(Count(".answer-text"), 0);
  EXPECT_THAT(Text(".side .sample"), HasSubstr("Its text is not in this page"));
  EXPECT_THAT(Text(".side .command code"), HasSubstr("assay show"));
  EXPECT_THAT(Text(".side .command code"), HasSubstr("--problem p2 --sample 1"));
  Write({"early", "late", "--transcripts", "flips"});
  ASSERT_OK(browser_->Open(page, "#tab=problems&problem=p2"));
  EXPECT_EQ(Count(".answer-text"), 2);
  ASSERT_OK(browser_->Open(page, "#tab=problems&problem=p5"));
  EXPECT_EQ(Count(".answer-text"), 0);
  EXPECT_EQ(Ask("report.transcripts.samples").AsInteger(), 12);
  EXPECT_EQ(Ask("report.transcripts.of").AsInteger(), 48);
}

TEST_F(Page, EarlierVerdictsAreToldInAFileToo) {
  const std::string id = WriteReportRun(database_, {.name = "run", .outcomes = {"I", "C"}});
  {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(database_, StoreMode::kReadWrite));
    Store::NewVerdict verdict{"sums", "p0", 0, {}, {}};
    verdict.verdict.outcome = Outcome::kCorrect;
    verdict.verdict.grader = "exact";
    verdict.verdict.grader_version = 2;
    ASSERT_OK(store->PutVerdicts(id, {verdict}));
  }
  const std::string page = Write({"run"});
  ASSERT_OK(browser_->Open(page, "#tab=problems&problem=p0"));
  EXPECT_THAT(Text(".sample-verdict"), HasSubstr("✓ correct"));
  EXPECT_THAT(Text(".earlier"), HasSubstr("exact, version 1"));
  EXPECT_THAT(Text(".earlier"), HasSubstr("incorrect: 7 is not 8"));
  ASSERT_OK(browser_->Open(page, "#tab=problems&problem=p1"));
  EXPECT_EQ(Count(".earlier"), 0);
}

TEST_F(Page, MissingSamplesAreNotWrongOnes) {
  WriteReportRun(database_, {.name = "part", .outcomes = {"CC-", "CII"}});
  const std::string page = Write({"part"});
  ASSERT_OK(browser_->Open(page, "#tab=problems&problem=p0"));
  EXPECT_EQ(Text(".side-head .about"), "2 of 2 right, 1 missing");
  EXPECT_EQ(Ask("document.querySelector('.tally-count').title").AsString(), "1 missing");
  ASSERT_OK(browser_->Open(page, "#tab=problems&problem=p1"));
  EXPECT_EQ(Text(".side-head .about"), "1 of 3 right");
}

TEST_F(Page, FlipsHaveAnAddressOfTheirOwn) {
  const std::string page = WritePair();
  ASSERT_OK(browser_->Open(page, "#tab=flips"));
  EXPECT_EQ(Text("nav [aria-current]"), "Flips");
  EXPECT_EQ(Listed(), "p1 p2 p3");
}

TEST_F(Page, LargeNumbersKeepTheirDigits) {
  ReportRunSpec spec;
  spec.name = "seeded";
  spec.outcomes = {"C"};
  spec.sampling = Json::MakeObject({{"max_tokens", 1000},
                                    {"seed", Json(uint64_t{18446744073709551615u})},
                                    {"other", Json(int64_t{-9007199254740993})}});
  spec.with_sample = [](StoredSample& stored) {
    stored.sample.completion.seed = 18446744073709551615u;
    stored.sample.verdict.detail.Set("count", Json(int64_t{9007199254740993}));
  };
  WriteReportRun(database_, spec);
  const std::string page = Write({"seeded"});
  ASSERT_OK(browser_->Open(page, "#tab=runs"));
  EXPECT_THAT(Text("main"), HasSubstr("18446744073709551615"));
  EXPECT_THAT(Text("main"), HasSubstr("-9007199254740993"));
  EXPECT_EQ(Ask("typeof report.runs[0].manifest.tasks[0].sampling.max_tokens"), Json("number"));
  ASSERT_OK(browser_->Open(page, "#tab=problems&problem=p0"));
  EXPECT_THAT(Text(".sample"), HasSubstr("18446744073709551615"));
  EXPECT_THAT(Text(".sample"), HasSubstr("9007199254740993"));
}

TEST_F(Page, OneRunAndManyRuns) {
  WriteReportRun(database_, {.name = "alone", .outcomes = {"CC", "CI"}});
  ASSERT_OK(browser_->Open(Write({"alone"})));
  EXPECT_THAT(Text(".verdict"), HasSubstr("75.0"));
  EXPECT_EQ(Count(".four"), 0);
  ExpectNothingWentWrong();
  for (int i = 0; i < 4; ++i) {
    WriteReportRun(database_, {.name = absl::StrFormat("step-%d", 100 * i),
                               .outcomes = {"CC", i > 1 ? "CC" : "II", "CI"}});
  }
  ASSERT_OK(browser_->Open(Write({"step-0", "step-100", "step-200", "step-300", "--x", "step"})));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.charts figure circle').length > 3"));
  EXPECT_THAT(Text("main"), HasSubstr("Over the training run"));
  EXPECT_EQ(Count(".verdict"), 3);
  ExpectNothingWentWrong();
}

// ---- hostile texts ----

constexpr char kHostileName[] = "<img src=x onerror=window.hacked=1>";
constexpr char kOtherHostileName[] = "</title><script>window.hacked=1</script>";

void WriteHostileRuns(const std::string& database) {
  const std::vector<std::string> texts = HostileTexts();
  ReportRunSpec spec;
  spec.outcomes = std::vector<std::string>(texts.size(), "CI");
  spec.with_problem = [&](Problem& problem, Prompt& prompt) {
    const size_t at = static_cast<size_t>(*ParseInt(problem.id.substr(1)));
    const std::string& text = texts[at];
    prompt.messages = {{"system", text}, {"user", text}};
    prompt.reply_prefix = Shorten(text, 500);
    problem.reference = text;
    problem.choices = {text, "b"};
    problem.tags = {"t:" + Shorten(ToValidUtf8(text), 100)};
    problem.id = absl::StrFormat("p%03d %s", at, Shorten(ToValidUtf8(text), 60));
  };
  spec.with_sample = [&](StoredSample& stored) {
    Sample& sample = stored.sample;
    const size_t at = static_cast<size_t>(*ParseInt(sample.problem_id.substr(1)));
    const std::string& text = texts[at];
    sample.problem_id = absl::StrFormat("p%03d %s", at, Shorten(ToValidUtf8(text), 60));
    sample.completion.reasoning = text;
    sample.completion.answer = text;
    sample.completion.raw = text;
    sample.extraction.answer = sample.extraction.strict = text;
    sample.extraction.lenient = "other";
    sample.extraction.rule = Shorten(ToValidUtf8(text), 60);
    sample.extraction.begin = 1;
    sample.extraction.end = text.size() - 1;
    sample.verdict.why = text;
    sample.verdict.detail = Json::MakeObject(
        {{"tier", Shorten(ToValidUtf8(text), 60)}, {"answer", text}, {"__proto__", text}});
  };
  for (const char* name : {kHostileName, kOtherHostileName}) {
    spec.name = name;
    spec.model = "\"><script>window.hacked=1</script>";
    WriteReportRun(database, spec);
  }
}

TEST_F(Page, HostileTextsAreTexts) {
  WriteHostileRuns(database_);
  const std::string page = Write({kHostileName, kOtherHostileName, "--transcripts", "all"});
  // In the file itself nothing of theirs stands as markup.
  const std::string file = ReadWholeFile(page);
  EXPECT_FALSE(Contains(file, "<script>window.hacked")) << "texts lie in the page compressed";
  EXPECT_FALSE(Contains(file, "<img src=x"));
  EXPECT_TRUE(Contains(file, "&lt;img src=x")) << "and titles escaped";
  for (const char* part : {"", "#tab=curves", "#tab=runs", "#tab=problems&flip=any"}) {
    ASSERT_OK(browser_->Open(page, part)) << part;
    ExpectNothingWentWrong();
  }
  ASSERT_OK(browser_->Open(page, "#tab=problems&all=1"));
  ReadEveryHostileProblem();
  EXPECT_THAT(browser_->requests(), IsEmpty());
}

// ---- the page that `assay view` serves ----

class ServedPages : public Page {
 protected:
  void Serve() {
    view_ = std::make_unique<View>(std::vector<std::string>{database_});
    absl::StatusOr<std::unique_ptr<http::LocalServer>> started =
        http::LocalServer::Start(0, {}, [this](const http::ServedRequest& asked) {
          ViewAnswer answer = view_->Answer(asked.path, asked.query);
          return http::ServedReply{answer.status, answer.content_type, answer.body, answer.policy,
                                   answer.location};
        });
    ASSERT_OK(started.status());
    server_ = *std::move(started);
  }
  std::string Address(std::string_view target) { return server_->address() + std::string(target); }
  // All that was asked for was asked of the server itself.
  void ExpectOnlyItsOwnServerWasAsked() {
    EXPECT_THAT(browser_->complaints(), IsEmpty());
    for (const std::string& request : browser_->requests()) {
      EXPECT_TRUE(request.starts_with(server_->address() + "/")) << request;
    }
  }

  std::unique_ptr<View> view_;
  std::unique_ptr<http::LocalServer> server_;
};

TEST_F(ServedPages, EveryTranscriptIsAClickAway) {
  // Of the same runs, a file without transcripts has none to show.
  const std::string file = WritePair({"--transcripts", "none"});
  ASSERT_OK(browser_->Open(file, "#tab=problems&problem=p5"));
  EXPECT_EQ(Count(".answer-text"), 0);
  Serve();
  ASSERT_OK(browser_->Open(Address("/report?run=early&run=late"), "#tab=problems"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.answer-text').length === 2"));
  ASSERT_OK(browser_->Click(".problems li:nth-child(6) a"));
  ASSERT_OK(
      browser_->WaitFor("document.querySelector('.detail-head h3').textContent === 'p5' && "
                        "document.querySelectorAll('.answer-text').length === 2"));
  EXPECT_THAT(Text(".asked"), HasSubstr("What is the sum of problem number 5?"));
  EXPECT_THAT(Text(".side:nth-child(1) .sample-verdict"), HasSubstr("incorrect"));
  EXPECT_THAT(Text(".side:nth-child(1) .why"), HasSubstr("7 is not 8"));
  EXPECT_THAT(Text(".side:nth-child(1) mark"), HasSubstr("7"));
  EXPECT_THAT(Text(".check .command code"), HasSubstr("assay verify --grader exact"));
  ASSERT_OK(browser_->Click(".side .thinking summary"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.thinking .reading').length === 1"));
  EXPECT_THAT(Text(".thinking .reading"), HasSubstr("I think about problem 5."));
  // The second sample of one run; then all of both.
  ASSERT_OK(browser_->Click(".side:nth-child(2) .chip:nth-child(2)"));
  ASSERT_OK(
      browser_->WaitFor("document.querySelector('.side:nth-child(2) .sample-number') && "
                        "document.querySelector('.side:nth-child(2) .sample-number')"
                        ".textContent === 'sample 2'"));
  EXPECT_EQ(Count(".answer-text"), 2);
  ASSERT_OK(browser_->Click("input[name=all]"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.answer-text').length === 4"));
  EXPECT_FALSE(browser_->requests().empty());
  ExpectOnlyItsOwnServerWasAsked();
}

TEST_F(ServedPages, DeepLinksSearchAndTheListWork) {
  WritePair({"--transcripts", "none"});
  Serve();
  ASSERT_OK(browser_->Open(Address("/report?run=early&run=late"),
                           "#tab=problems&flip=gain&problem=p3&pick=A%3A1"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.answer-text').length === 2"));
  EXPECT_EQ(Text(".detail-head h3"), "p3");
  EXPECT_EQ(Listed(), "p2 p3");
  EXPECT_THAT(Text(".side:nth-child(1) .sample-number"), HasSubstr("sample 2"));
  ExpectOnlyItsOwnServerWasAsked();
  // In the thinking of one problem only, which the server reads.
  ASSERT_OK(browser_->Open(Address("/report?run=early&run=late"), "#tab=problems"));
  ASSERT_OK(browser_->Click("input[name=q]"));
  ASSERT_OK(browser_->Type("Think About problem 11"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.problem').length === 1"));
  EXPECT_EQ(Listed(), "p11");
  ExpectOnlyItsOwnServerWasAsked();
  // The list of runs: mark both, compare.
  ASSERT_OK(browser_->Open(Address("/")));
  EXPECT_THAT(browser_->complaints(), IsEmpty());
  EXPECT_EQ(Count("tbody tr"), 2);
  ASSERT_OK(browser_->Click("tbody tr:nth-child(1) input"));
  ASSERT_OK(browser_->Click("tbody tr:nth-child(2) input"));
  ASSERT_OK(browser_->Click("button[type=submit]"));
  ASSERT_OK(browser_->WaitFor("location.pathname === '/report' && document.body.dataset.ready"));
  EXPECT_EQ(Ask("report.runs.map(run => run.name).join()").AsString(), "early,late");
  ASSERT_OK(browser_->Click(".all-runs"));
  ASSERT_OK(browser_->WaitFor("location.pathname === '/' && document.readyState === 'complete'"));
  EXPECT_THAT(browser_->complaints(), IsEmpty());
}

TEST_F(ServedPages, AnotherBaselineIsAChoiceAway) {
  WritePair({"--transcripts", "none"});
  Serve();
  ASSERT_OK(browser_->Open(Address("/report?run=early&run=late")));
  EXPECT_NEAR(Ask("report.comparisons[0].tasks[0].difference.value").AsNumber(), 1.0 / 12, 1e-12);
  Ask("(() => { const s = document.querySelector('select[name=baseline]'); s.value = "
      "report.served.B; s.dispatchEvent(new Event('change')); })()");
  ASSERT_OK(
      browser_->WaitFor("location.search.includes('baseline=') && "
                        "document.body.dataset.ready && report.runs[0].name === 'late'"));
  EXPECT_NEAR(Ask("report.comparisons[0].tasks[0].difference.value").AsNumber(), -1.0 / 12, 1e-12);
  EXPECT_THAT(browser_->complaints(), IsEmpty());
  // The transcripts follow: A is the later run now.
  Ask("go({tab: 'problems', problem: 'p1'})");
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.answer-text').length === 2"));
  EXPECT_THAT(Text(".side:nth-child(1) .sample-verdict"), HasSubstr("incorrect"));
  EXPECT_THAT(Text(".side:nth-child(2) .sample-verdict"), HasSubstr("✓ correct"));
}

TEST_F(ServedPages, WhatCannotBeHadIsSaidInThePage) {
  WritePair({"--transcripts", "none"});
  Serve();
  ASSERT_OK(browser_->Open(Address("/report?run=early&run=late"), "#tab=problems"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.answer-text').length === 2"));
  std::filesystem::rename(database_, database_ + ".away");
  Ask("go({problem: 'p4'})");
  ASSERT_OK(browser_->WaitFor("document.querySelector('.detail .warning')"));
  EXPECT_THAT(Text(".detail .warning"), HasSubstr("runs.db"));
  EXPECT_EQ(Count(".answer-text"), 0);
  EXPECT_THAT(Text(".detail-head h3"), HasSubstr("p4"));
  // It is back: the next problem is read again, and so is this one.
  std::filesystem::rename(database_ + ".away", database_);
  Ask("go({problem: 'p5'})");
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.answer-text').length === 2"));
  Ask("go({problem: 'p4'})");
  ASSERT_OK(
      browser_->WaitFor("document.querySelector('.detail-head h3').textContent === 'p4' && "
                        "document.querySelectorAll('.answer-text').length === 2"));
  server_.reset();
  Ask("go({problem: 'p6'})");
  ASSERT_OK(browser_->WaitFor("document.querySelector('.detail .warning')"));
  EXPECT_THAT(Text(".detail .warning"), HasSubstr("does not answer"));
  Ask("go({q: 'anything'})");
  ASSERT_OK(browser_->WaitFor("document.querySelector('.list .warning')"));
  EXPECT_THAT(Text(".list .warning"), HasSubstr("Not searched"));
}

TEST_F(ServedPages, AVerdictGivenSinceIsToldWithItsHistory) {
  WritePair({"--transcripts", "none"});
  Serve();
  ASSERT_OK(browser_->Open(Address("/report?run=late"), "#tab=problems"));
  ASSERT_OK(browser_->WaitFor("document.querySelectorAll('.answer-text').length === 1"));
  {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(database_, StoreMode::kReadWrite));
    ASSERT_OK_AND_ASSIGN(const RunSummary run, store->FindRun("late"));
    Store::NewVerdict verdict{"sums", "p1", 0, {}, {}};
    verdict.verdict.outcome = Outcome::kUndecided;
    verdict.verdict.grader = "exact";
    verdict.verdict.grader_version = 2;
    ASSERT_OK(store->PutVerdicts(run.manifest.id, {verdict}));
  }
  Ask("go({problem: 'p1'})");
  ASSERT_OK(browser_->WaitFor("document.querySelector('.sample .warning')"));
  EXPECT_THAT(Text(".sample .warning"), HasSubstr("graded otherwise since"));
  EXPECT_THAT(Text(".earlier summary"), HasSubstr("Its earlier verdict"));
  EXPECT_THAT(Text(".earlier"), HasSubstr("exact, version 1"));
  EXPECT_THAT(Text(".earlier"), HasSubstr("incorrect: 7 is not 8"));
  ExpectOnlyItsOwnServerWasAsked();
}

TEST_F(ServedPages, ARunThatIsStillGoingIsReadAgain) {
  const std::string id = WriteReportRun(database_, {.name = "going", .outcomes = {"C-", "--"}});
  ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(database_, StoreMode::kReadWrite));
  ASSERT_OK_AND_ASSIGN(const auto writer, store->ResumeRun(id));
  Serve();
  ASSERT_OK(browser_->Open(Address("/report?run=going")));
  EXPECT_THAT(Text(".runs"), HasSubstr("1 sample · running"));
  EXPECT_THAT(Text(".running"), HasSubstr("still going"));
  StoredSample landed;
  landed.task = "sums";
  landed.key = "sums/1/0";
  landed.sample.problem_id = "p1";
  landed.sample.completion.answer = landed.sample.completion.raw = "landed just now";
  ASSERT_OK(writer->PutSample(landed));
  ASSERT_OK(writer->Flush());
  ASSERT_OK(browser_->Click(".running button"));
  ASSERT_OK(
      browser_->WaitFor("document.body.dataset.ready && "
                        "document.querySelector('.runs').textContent.includes('2 samples')"));
  Ask("go({tab: 'problems', problem: 'p1'})");
  ASSERT_OK(browser_->WaitFor("document.querySelector('.answer-text')"));
  EXPECT_THAT(Text(".answer-text"), HasSubstr("landed just now"));
  EXPECT_THAT(Text(".sample-verdict"), HasSubstr("not graded"));
  ExpectOnlyItsOwnServerWasAsked();
}

TEST_F(ServedPages, TheListIsReadableNamedAndFits) {
  WritePair({"--transcripts", "none"});
  Serve();
  const std::string report = Address("/report?run=early&run=late");
  const std::vector<std::string> addresses = {Address("/"), report, Address("/report?run=nobody")};
  for (const char* scheme : {"light", "dark"}) {
    ASSERT_OK(browser_->Prefer(scheme));
    for (const std::string& address : addresses) {
      ASSERT_OK(browser_->Open(address));
      EXPECT_EQ(PoorContrasts(), "[]") << scheme << " " << address;
      EXPECT_EQ(Nameless(), "[]") << address;
      EXPECT_EQ(Count("th:not([scope])"), 0) << address;
    }
  }
  ASSERT_OK(browser_->Resize(400, 800));
  for (const std::string& address : addresses) {
    ASSERT_OK(browser_->Open(address));
    EXPECT_LE(Ask("document.documentElement.scrollWidth").AsInteger(), 400) << address;
  }
  // With the keyboard alone: mark both, compare.
  ASSERT_OK(browser_->Open(Address("/")));
  for (int row = 0; row < 2; ++row) {
    Ask(absl::StrFormat("document.querySelectorAll('tbody input')[%d].focus()", row));
    ASSERT_OK(browser_->Press(" ", 32));
  }
  ASSERT_EQ(Count("tbody input:checked"), 2);
  Ask("document.querySelector('button').focus()");
  ASSERT_OK(browser_->Press("Enter", 13));
  ASSERT_OK(browser_->WaitFor("location.pathname === '/report' && document.body.dataset.ready"));
  EXPECT_EQ(Ask("report.runs.length").AsInteger(), 2);
}

TEST_F(ServedPages, HostileTextsAreTextsHereToo) {
  WriteHostileRuns(database_);
  Serve();
  // The list of runs, first.
  ASSERT_OK(browser_->Open(Address("/")));
  EXPECT_EQ(Ask("window.hacked === undefined"), Json(true));
  EXPECT_EQ(Count("script, img, [onerror]"), 0);
  EXPECT_EQ(Count("tbody tr"), 2);
  ExpectOnlyItsOwnServerWasAsked();
  ASSERT_OK(browser_->Click("tbody tr:nth-child(1) input"));
  ASSERT_OK(browser_->Click("tbody tr:nth-child(2) input"));
  ASSERT_OK(browser_->Click("button[type=submit]"));
  ASSERT_OK(browser_->WaitFor("location.pathname === '/report' && document.body.dataset.ready"));
  const std::string page = Ask("location.href").AsString();
  for (const char* part : {"", "#tab=curves", "#tab=runs", "#tab=problems&flip=any"}) {
    ASSERT_OK(browser_->Open(page, part)) << part;
    ExpectOnlyItsOwnServerWasAsked();
  }
  ASSERT_OK(browser_->Open(page, "#tab=problems&all=1"));
  ReadEveryHostileProblem();
  EXPECT_FALSE(browser_->requests().empty());
  ExpectOnlyItsOwnServerWasAsked();
  // Errors quote what was asked for, as text.
  ASSERT_OK(browser_->Open(Address("/report?run=%3Cscript%3Ewindow.hacked%3D1%3C%2Fscript%3E")));
  EXPECT_THAT(Text("main"), HasSubstr("there is no run '<script>window.hacked=1</script>'"));
  EXPECT_EQ(Count("script"), 0);
}

TEST_F(ServedPages, ThePageMayAskNobodyElse) {
  WritePair({"--transcripts", "none"});
  Serve();
  ASSERT_OK(browser_->Open(Address("/report?run=early&run=late")));
  EXPECT_EQ(Ask("fetch('http://127.0.0.1:9/').then(() => 'asked', () => 'refused')"),
            Json("refused"));
  EXPECT_THAT(browser_->complaints(), Not(IsEmpty()));
  EXPECT_THAT(browser_->complaints()[0], HasSubstr("connect-src"));
}

TEST_F(Page, TheFileAllowsItsOwnScriptOnly) {
  const std::string page = WritePair();
  std::string file = ReadWholeFile(page);
  EXPECT_THAT(file, HasSubstr("default-src 'none'; script-src 'sha256-"));
  EXPECT_THAT(file, Not(HasSubstr("'unsafe-eval'")));
  // A script that is put in is not run, and is complained about: the test above can fail.
  const std::string with_script =
      ReplaceAll(file, "<main id", "<script>window.hacked=1</script><main id");
  testing_support::WriteWholeFile(page, with_script);
  ASSERT_OK(browser_->Open(page));
  EXPECT_EQ(Ask("window.hacked === undefined"), Json(true));
  EXPECT_THAT(browser_->complaints(), testing::SizeIs(1));
  // So is an image from elsewhere.
  testing_support::WriteWholeFile(
      page, ReplaceAll(file, "<main id", "<img src='http://example.invalid/a.png'><main id"));
  ASSERT_OK(browser_->Open(page));
  EXPECT_THAT(browser_->complaints(), Not(IsEmpty()));
}

// ---- access ----

TEST_F(Page, TheKeyboardReachesEverything) {
  ASSERT_OK(browser_->Open(WritePair(), "#tab=problems"));
  ASSERT_OK(browser_->Press("Tab", 9));
  EXPECT_EQ(Ask("document.activeElement.className"), Json("skip"));
  Ask("document.querySelector('.problem').focus()");
  ASSERT_OK(browser_->Press("ArrowDown", 40));
  EXPECT_EQ(Ask("document.activeElement.querySelector('.problem-id').textContent"), Json("p1"));
  ASSERT_OK(browser_->Press("Enter", 13));
  ASSERT_OK(browser_->WaitFor("document.querySelector('.detail-head h3').textContent === 'p1'"));
}

TEST_F(Page, EverythingHasAName) {
  const std::string page = WritePair();
  for (const char* part : {"", "#tab=curves", "#tab=problems", "#tab=runs"}) {
    ASSERT_OK(browser_->Open(page, part));
    Ask("new Promise(r => setTimeout(r, 150))");
    EXPECT_EQ(Nameless(), "[]") << part;
    EXPECT_EQ(Count("th:not([scope])"), 0) << part;
    EXPECT_EQ(Count("main"), 1);
    EXPECT_EQ(Count("header"), 1);
  }
}

TEST_F(Page, ContrastIsEnough) {
  const std::string page = WritePair();
  for (const char* scheme : {"light", "dark"}) {
    ASSERT_OK(browser_->Prefer(scheme));
    for (const char* part : {"", "#tab=curves", "#tab=problems&problem=p8", "#tab=runs"}) {
      ASSERT_OK(browser_->Open(page, part));
      Ask("new Promise(r => setTimeout(r, 150))");
      EXPECT_EQ(PoorContrasts(), "[]") << scheme << " " << part;
    }
  }
  // The button turns one into the other.
  ASSERT_OK(browser_->Open(page));
  const std::string before = Ask("getComputedStyle(document.body).backgroundColor").AsString();
  ASSERT_OK(browser_->Click("#theme"));
  EXPECT_NE(Ask("getComputedStyle(document.body).backgroundColor").AsString(), before);
}

TEST_F(Page, FitsANarrowWindow) {
  const std::string page = WritePair();
  ASSERT_OK(browser_->Resize(400, 800));
  for (const char* part : {"", "#tab=curves", "#tab=problems&problem=p2", "#tab=runs"}) {
    ASSERT_OK(browser_->Open(page, part));
    Ask("new Promise(r => setTimeout(r, 150))");
    EXPECT_LE(Ask("document.documentElement.scrollWidth").AsInteger(), 400) << part;
  }
}

}  // namespace
}  // namespace assay
