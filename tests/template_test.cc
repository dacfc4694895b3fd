// The template engine: what jinja2 rendered, what is refused and how it says so, and the limits
// that hold a hostile template.
#include "harness/template.h"

#include <thread>

#include "absl/strings/str_format.h"
#include "harness/hash.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing_support::ReadJsonFile;
using testing_support::ReadWholeFile;
using testing_support::SharedPath;
using testing_support::SourcePath;

// The time that tests/make_template_goldens.py gave to jinja2.
constexpr int64_t kGoldenNow = 1721997296;

absl::StatusOr<std::string> Rendered(std::string_view source, const Json& context = {},
                                     TemplateLimits limits = {}) {
  absl::StatusOr<Template> parsed = Template::Parse(source, "t");
  if (!parsed.ok()) return parsed.status();
  limits.now_unix_seconds = kGoldenNow;
  return parsed->Render(context, limits);
}

std::string ErrorOf(std::string_view source, const Json& context = {},
                    const TemplateLimits& limits = {}) {
  const absl::StatusOr<std::string> text = Rendered(source, context, limits);
  return text.ok() ? "rendered: " + *text : std::string(text.status().message());
}

Json Parsed(std::string_view json) {
  absl::StatusOr<Json> value = ParseJson(json);
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *value : Json();
}

TEST(Template, RendersOurOwnTemplatesAsJinja2Does) {
  const Json cases = ReadJsonFile(SourcePath("tests/template_goldens/own.json"));
  ASSERT_GE(cases.size(), 100u);
  for (const Json& one : cases.AsArray()) {
    SCOPED_TRACE(*one.FindString("name"));
    const Json* context = one.Find("context");
    const absl::StatusOr<std::string> text =
        Rendered(*one.FindString("template"), context != nullptr ? *context : Json());
    if (const auto want = one.FindString("want")) {
      ASSERT_OK(text);
      EXPECT_EQ(*text, *want);
    } else {
      EXPECT_FALSE(text.ok()) << "jinja2 raises " << *one.FindString("error") << ", we write "
                              << *text;
      EXPECT_THAT(std::string(text.status().message()), StartsWith("t:1: "));
    }
  }
}

// "LENGTH SHA256", as the goldens keep long texts.
std::string Digest(std::string_view text) {
  return absl::StrFormat("%d %s", text.size(), Sha256Hex(text));
}

TEST(Template, RendersTheSharedChatTemplatesAsJinja2Does) {
  SKIP_WITHOUT_SHARED("data/chat_templates");
  const Json conversations = ReadJsonFile(SourcePath("tests/template_goldens/conversations.json"));
  const Json goldens = ReadJsonFile(SourcePath("tests/template_goldens/shared.json"));
  ASSERT_EQ(goldens.size(), 17u);
  int rendered = 0, refused = 0;
  for (const auto& [file, rows] : goldens.AsMembers()) {
    const std::string source = ReadWholeFile(SharedPath("data/chat_templates/" + file));
    ASSERT_OK_AND_ASSIGN(const Template parsed, Template::Parse(source, file));
    for (const auto& [name, conversation] : conversations.AsMembers()) {
      for (const bool prompt : {false, true}) {
        const std::string row = name + (prompt ? ", with prompt" : ", without prompt");
        SCOPED_TRACE(file + ": " + row);
        Json context = conversation;
        context.Set("add_generation_prompt", prompt);
        const absl::StatusOr<std::string> text =
            parsed.Render(context, {.now_unix_seconds = kGoldenNow});
        const Json* golden = rows.Find(row);
        ASSERT_NE(golden, nullptr);
        if (const auto want = golden->FindString("want")) {
          ASSERT_OK(text);
          EXPECT_EQ(Digest(*text), *want) << *text;
          ++rendered;
        } else {
          EXPECT_FALSE(text.ok()) << "jinja2 raises " << *golden->FindString("error");
          ++refused;
        }
      }
    }
  }
  EXPECT_GE(rendered, 600);
  EXPECT_GE(refused, 100);  // system turns for gemma, contents that are lists, ...
}

TEST(Template, AnErrorSaysTheNameAndTheLine) {
  EXPECT_EQ(ErrorOf("one\ntwo {{ x.y.z }}\nthree", Parsed(R"({"x": {}})")),
            "t:2: 'y' is undefined");
  EXPECT_EQ(ErrorOf("{% if true %}\n\n{{ 1 +\n nothing }}\n{% endif %}"),
            "t:3: 'nothing' is undefined");
  EXPECT_EQ(ErrorOf("\n\n{{ raise_exception('roles must alternate') }}"),
            "t:3: the template raised an exception: roles must alternate");
  EXPECT_EQ(ErrorOf("{# two\nlines #}\n{%- set x = '\n' -%}\n\n{{ 1 // 0 }}"),
            "t:6: division by zero");
}

TEST(Template, AnErrorWithinAMacroSaysTheMacrosLine) {
  EXPECT_EQ(ErrorOf("{% macro f(x) %}\n{{ x + 1 }}\n{% endmacro %}\n\n{{ f('a') }}"),
            "t:2: unsupported operand type(s) for +: 'str' and 'int'");
}

TEST(Template, WhatIsNotSupportedIsRefusedWhenParsedByNameAndLine) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"{% if false %}\n{{ x | xmlattr }}{% endif %}",
       "t:2: the filter 'xmlattr' is not supported"},
      {"{{ x | uper }}", "t:1: there is no filter 'uper'; did you mean 'upper'?"},
      {"\n{{ x is strin }}", "t:2: there is no test 'strin'; did you mean 'string'?"},
      {"{% include 'x' %}", "t:1: the tag 'include' is not supported"},
      {"{% block a %}{% endblock %}", "t:1: the tag 'block' is not supported"},
      {"{% fro x in y %}", "t:1: unknown tag 'fro'; did you mean 'for'?"},
      {"{% if x %}\n{% endfi %}",
       "t:2: unknown tag 'endfi' (within a block that wants 'endif'); did you mean 'endif'?"},
      {"{{ lipsum() }}", "t:1: the function 'lipsum' is not supported"},
      {"{{ 99999999999999999999 }}",
       "t:1: an integer outside 64 bits is not supported: 99999999999999999999"},
      {"{{ '\\N{BULLET}' }}", "t:1: \\N{...} in a string is not supported"},
  };
  for (const auto& [source, message] : cases) {
    const absl::StatusOr<Template> parsed = Template::Parse(source, "t");
    ASSERT_FALSE(parsed.ok()) << source;
    EXPECT_EQ(std::string(parsed.status().message()), message);
  }
}

TEST(Template, WhatOnlyWeLackIsAnErrorThatSaysSo) {
  EXPECT_EQ(ErrorOf("{{ 'a'.encode() }}"), "t:1: str.encode is not supported");
  EXPECT_THAT(ErrorOf("{{ 9223372036854775807 + 1 }}"), HasSubstr("outside 64 bits"));
  EXPECT_THAT(ErrorOf("{{ [1] | map('string') }}"), HasSubstr("cannot print a generator"));
  EXPECT_THAT(ErrorOf("{{ 'a'.upper }}"), HasSubstr("cannot print a method"));
}

TEST(Template, ATemplateIsNotUtf8IsRefusedWithItsLine) {
  EXPECT_EQ(ErrorOf("fine\n\xff"), "t:2: not valid UTF-8");
}

TEST(Template, AContextThatIsNoObjectIsRefused) {
  EXPECT_EQ(ErrorOf("x", Json::MakeArray()), "t:1: the context must be an object, found array");
  EXPECT_EQ(*Rendered("x{{ y }}", Json()), "x");
}

TEST(Template, NamesReadAreThoseThatTheContextMustHave) {
  const std::pair<std::string_view, std::vector<std::string>> cases[] = {
      {"no tags", {}},
      {"{{ question }} {{ question }} {{ a.b.c }}", {"a", "question"}},
      {"{% for c in choices %}{{ loop.index }}{{ c ~ sep }}{% endfor %}", {"choices", "sep"}},
      {"{% set x = y %}{{ x }}{% set p, q = r %}{{ p + q }}", {"r", "y"}},
      {"{{ hint | default('none') }}{{ range(n) | join(d) }}", {"d", "n"}},
      {"{% if tools is defined %}{{ tools }}{% endif %}{{ tool }}", {"tool"}},
      {"{% macro f(a, b=z) %}{{ a ~ b ~ w }}{% endmacro %}{{ f(b=v) }}", {"v", "w", "z"}},
      {"{# {{ gone }} #}{% raw %}{{ kept }}{% endraw %}{{ '{{ text }}' }}", {}},
      {"{% with a = b %}{{ a }}{% endwith %}{{ x[i:j] if k else [l, {m: n}] }}",
       {"b", "i", "j", "k", "l", "m", "n", "x"}},
      {"{% set ns = namespace(v=u) %}{% set ns.v = t %}{% filter replace(o, p) %}{% endfilter %}",
       {"o", "p", "t", "u"}},
  };
  for (const auto& [source, names] : cases) {
    ASSERT_OK_AND_ASSIGN(const Template parsed, Template::Parse(source, "t"));
    EXPECT_EQ(parsed.NamesRead(), names) << source;
  }
}

TEST(Template, MembersReadAreThoseThatANameMustHave) {
  const std::pair<std::string_view, std::vector<std::string>> cases[] = {
      {"{{ row['a b'] }}{{ row.c }}{{ other.d }}{{ e }}{{ rows.f }}", {"a b", "c"}},
      {"{{ row['a'] | trim }}{{ f(row.b, x=row.c) }}{% if row.d %}x{% endif %}",
       {"a", "b", "c", "d"}},
      {"{{ row.a.b }}{{ row['c'][0].d }}{{ x.row.e }}", {"a", "c"}},
      {"{{ row.get('a') }}{{ row.get(row.b) }}{% for k, v in row.items() %}{{ v }}{% endfor %}",
       {"b"}},
      {"{{ row[key] }}{{ row[0] }}{{ row }}", {}},
      {"{% if row['a'] is defined %}{{ row['a'] }}{% endif %}{{ row.b is undefined }}", {}},
      {"{{ row['a'] | default('-') }}{{ row.b | d }}{{ row.c | default(row.d) }}", {"d"}},
      {"{% if 'a' in row and 'b' not in row %}{{ row.a }}{% endif %}{{ 'c' in x }}{{ row.c }}",
       {"c"}},
      {"{% for row in rows %}{{ row.a }}{% endfor %}{{ row.b }}", {}},
      {"{% set row = x %}{{ row.a }}", {}},
      {"no tags", {}},
  };
  for (const auto& [source, members] : cases) {
    ASSERT_OK_AND_ASSIGN(const Template parsed, Template::Parse(source, "t"));
    EXPECT_EQ(parsed.MembersRead("row"), members) << source;
  }
}

// What is undefined or null leaves a hole, or the word None: forbidden where rows become prompts.
TEST(Template, HolesCanBeForbiddenInTheOutput) {
  const Json row = Parsed(R"({"question": "Why?", "nil": null, "deep": {"field": "x", "no": null},
                              "list": [{"a": null}]})");
  const Json context = Json::MakeObject({{"row", row}, {"nil", Json()}, {"question", "Why?"}});
  const TemplateLimits strict = {.write_holes = false};
  const std::pair<std::string_view, std::string_view> wrong[] = {
      {"a\n{{ row.quesion }}", "t:2: 'row.quesion' is undefined; did you mean 'question'?"},
      {"{{ row['quesion'] | trim }}", "t:1: 'row.quesion' is undefined; did you mean 'question'?"},
      {"{{ row.deep.feld }}", "t:1: 'row.deep.feld' is undefined; did you mean 'field'?"},
      {"{{ 'Q: ' ~ quesion }}", "t:1: 'quesion' is undefined"},
      {"{{ nil }}", "t:1: 'nil' is null, and it would be written as the word None"},
      {"{{ nil | trim | upper }}", "t:1: 'nil' is null"},
      {"{{ 'Q: ' ~ row.nil }}", "t:1: 'row.nil' is null"},
      {"{{ row['deep']['no'] | replace('a', 'b') }}", "t:1: 'row.deep.no' is null"},
      {"{{ row.list[0].a }}", "t:1: 'row.list.0.a' is null"},
      {"{{ row.get('gone') }}", "t:1: a null would be written as the word None"},
      {"{% set x = nil %}{{ x }}", "t:1: 'x' is null"},
      {"{{ 'Q: %s' % nil }}", "t:1: 'nil' is null"},
      {"{{ '%s %s' % (question, row.nil) }}", "t:1: 'row.nil' is null"},
      {"{{ '%s' | format(nil) }}", "t:1: 'nil' is null"},
      {"{{ '{} {}'.format(question, nil) }}", "t:1: 'nil' is null"},
  };
  for (const auto& [source, message] : wrong) {
    EXPECT_THAT(ErrorOf(source, context, strict), testing::StartsWith(std::string(message)))
        << source;
    EXPECT_OK(Rendered(source, context).status()) << source;
  }
  const std::pair<std::string_view, std::string_view> right[] = {
      {"{{ question }}{{ hint | default('-') }}{% if hint %}x{% endif %}", "Why?-"},
      {"{% if nil %}{{ nil }}{% endif %}{{ nil or 'n' }}{{ nil | default('d', true) }}", "nd"},
      {"{{ nil is none }}{{ row.gone is defined }}{{ row.get('gone', 'g') }}", "TrueFalseg"},
      {"[{{ question if nil }}]", "[]"},
      {"{{ nil | tojson }}{{ row.deep.no | tojson }}", "nullnull"},
      {"{{ row.list }}", "[{'a': None}]"},
      {"{{ '%s %s' % (question, 1) }}{{ '%s' | format(question) }}{{ '{}'.format(2) }}",
       "Why? 1Why?2"},
      {"{{ 'a b'.split(nil) | join('-') }}{{ 7 % 4 }}", "a-b3"},
      {"{{ '' }}{{ ' ' | trim }}", ""},
  };
  for (const auto& [source, text] : right) {
    EXPECT_EQ(*Rendered(source, context, strict), text) << source;
  }
  EXPECT_EQ(*Rendered("[{{ quesion }}{{ nil }}]", context), "[None]");
}

TEST(Template, BlankValuesThatWereWrittenAreNamed) {
  const Json row = Parsed(R"({"empty": "", "blank": " \n", "full": "x", "no": null})");
  const std::pair<std::string_view, std::vector<std::string>> cases[] = {
      {"{{ full }}{{ 'text' }}", {}},
      {"{{ empty }}{{ blank | trim }}{{ full }}{{ empty }}", {"empty", "blank", "empty"}},
      {"{% if empty %}{{ empty }}{% endif %}{{ empty or full }}", {}},
      {"{{ empty | default('') }}{{ '' }}{{ empty ~ full }}", {}},
  };
  for (const auto& [source, names] : cases) {
    ASSERT_OK_AND_ASSIGN(const Template parsed, Template::Parse(source, "t"));
    std::vector<std::string> blank;
    EXPECT_OK(parsed.Render(row, {}, &blank).status());
    EXPECT_EQ(blank, names) << source;
  }
}

TEST(Template, TheGenerationTagOfHuggingFaceWritesItsBody) {
  EXPECT_EQ(
      *Rendered("{% for m in 'ab' %}{% generation %}<{{ m }}>{% endgeneration %}{% endfor %}"),
      "<a><b>");
}

TEST(Template, ATemplateIsOneForManyThreads) {
  ASSERT_OK_AND_ASSIGN(
      const Template shared,
      Template::Parse("{% for x in range(n) %}{{ x ~ ',' }}{% endfor %}{{ 'É' | lower }}", "t"));
  std::vector<std::string> texts(4);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < texts.size(); ++i) {
      threads.emplace_back([&texts, i, copy = shared] {
        Json context;
        context.Set("n", static_cast<int64_t>(i));
        for (int round = 0; round < 50; ++round) texts[i] = *copy.Render(context);
      });
    }
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"é", "0,é", "0,1,é", "0,1,2,é"}));
}

// ---- hostile templates ----

TEST(TemplateLimits, StepsAreCounted) {
  EXPECT_EQ(ErrorOf("{% for i in range(1000) %}{% for j in range(1000) %}x{% endfor %}{% endfor %}",
                    {}, {.max_steps = 10'000}),
            "t:1: the template takes more than 10000 steps");
  EXPECT_OK(Rendered("{% for i in range(1000) %}x{% endfor %}", {}, {.max_steps = 10'000}));
}

TEST(TemplateLimits, OutputIsCounted) {
  EXPECT_EQ(
      ErrorOf("{% for i in range(100) %}0123456789{% endfor %}", {}, {.max_output_bytes = 999}),
      "t:1: the template writes more than 999 bytes");
  EXPECT_OK(
      Rendered("{% for i in range(100) %}0123456789{% endfor %}", {}, {.max_output_bytes = 1000}));
}

TEST(TemplateLimits, WhatGrowsMemoryStopsAtTheLimit) {
  const TemplateLimits limits = {.max_memory_bytes = 1 << 20};
  for (const std::string_view source : {
           "{{ 'x' * 10000000 }}",
           "{{ ('ab' * 1000000) | length }}",
           "{{ [0] * 10000000 }}",
           "{{ 'ab' * 9223372036854775807 }}",
           "{{ 'x'.center(1000000000) }}",
           "{{ 'x' | indent(2000000000, true) }}",
           "{{ ('x' * 1000).replace('', 'y' * 10000) | length }}",
           "{{ ('a' * 100000).split('a') | length }}",
           "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% "
           "endfor %}",
           "{% set ns = namespace(s=[1]) %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% "
           "endfor %}",
           "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% "
           "endfor %}",
           "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}0123456789{% endmacro "
           "%}{{ f(20) }}",
           "{{ ([0] * 10000) | map('string') | join('x' * 1000) }}",
       }) {
    const absl::StatusOr<std::string> text = Rendered(source, {}, limits);
    ASSERT_FALSE(text.ok()) << source << " wrote " << text->size();
    EXPECT_EQ(text.status().code(), absl::StatusCode::kResourceExhausted) << text.status();
  }
}

TEST(TemplateLimits, ValuesThatSharePartsDoNotPrintForever) {
  // 2^64 leaves, a few hundred bytes.
  const std::string doubling =
      "{% set ns = namespace(v=[1]) %}{% for i in range(64) %}{% set ns.v = [ns.v, ns.v] %}{% "
      "endfor %}";
  for (const std::string_view end :
       {"{{ ns.v }}", "{{ ns.v | tojson }}", "{{ ns.v == [ns.v, 1][0] }}",
        "{{ ns.v | string | length }}", "{{ [ns.v, ns.v] | sort }}"}) {
    const absl::StatusOr<std::string> text =
        Rendered(doubling + std::string(end), {}, {.max_steps = 100'000});
    ASSERT_FALSE(text.ok()) << end;
    EXPECT_EQ(text.status().code(), absl::StatusCode::kResourceExhausted) << text.status();
  }
}

TEST(TemplateLimits, ANamespaceThatHoldsItselfIsAnErrorToPrint) {
  EXPECT_THAT(
      ErrorOf("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me.me is defined }}{{ ns }}"),
      HasSubstr("nested deeper"));
}

TEST(TemplateLimits, DeepSourceIsRefused) {
  const auto repeated = [](std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  for (const std::string& source : {
           "{{ " + repeated("(", 10'000) + "1" + repeated(")", 10'000) + " }}",
           "{{ " + repeated("[", 10'000) + repeated("]", 10'000) + " }}",
           "{{ " + repeated("not ", 10'000) + "1 }}",
           "{{ " + repeated("-", 10'001) + " 1 }}",
           "{{ " + repeated("1 if ", 10'000) + "1 }}",
           "{{ " + repeated("1 if 1 else ", 10'000) + "1 }}",
           "{{ x" + repeated(".x", 10'000) + " }}",
           "{{ x" + repeated("|upper", 10'000) + " }}",
           "{{ x" + repeated(" + x", 10'000) + " }}",
           "{{ x" + repeated(" and x", 10'000) + " }}",
           "{{ x" + repeated("[0]", 10'000) + " }}",
           repeated("{% if 1 %}", 10'000),
           repeated("{% for x in y %}", 10'000),
       }) {
    const std::string error = ErrorOf(source);
    EXPECT_TRUE(Contains(error, "nested deeper than") || Contains(error, "parts in a row"))
        << Shorten(source, 40) << ": " << Shorten(error, 200);
  }
  EXPECT_EQ(*Rendered("{{ " + repeated("(", 90) + "1" + repeated(")", 90) + " }}"), "1");
  EXPECT_EQ(*Rendered("{{ 1" + repeated(" + 1", 300) + " }}"), "301");
  EXPECT_EQ(*Rendered("{% if 0 %}" + repeated("{% elif 0 %}", 10'000) + "{% else %}x{% endif %}"),
            "x");
}

TEST(TemplateLimits, EndlessRecursionEnds) {
  EXPECT_THAT(ErrorOf("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
              HasSubstr("nested deeper"));
  EXPECT_THAT(ErrorOf("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"),
              HasSubstr("nested deeper"));
  EXPECT_THAT(ErrorOf("{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{{ caller() }}{% "
                      "endmacro %}{{ f() }}"),
              HasSubstr("nested deeper"));
}

TEST(TemplateLimits, AGreatContextCostsOnlyWhatIsUsed) {
  // A thousand long messages: only their walk is charged, no copies.
  Json messages = Json::MakeArray();
  for (int i = 0; i < 1000; ++i) {
    Json message;
    message.Set("content", std::string(100'000, 'x'));
    messages.Append(std::move(message));
  }
  Json context;
  context.Set("messages", std::move(messages));
  const absl::StatusOr<std::string> text =
      Rendered("{% for m in messages %}{{ m.content[:3] }}{% endfor %}", context,
               {.max_memory_bytes = 1 << 20});
  ASSERT_OK(text);
  EXPECT_EQ(text->size(), 3000u);
}

TEST(TemplateLimits, TheClockIsTheCallers) {
  EXPECT_EQ(*Rendered("{{ strftime_now('%Y-%m-%d %H:%M:%S') }}"), "2024-07-26 12:34:56");
  EXPECT_THAT(ErrorOf("{{ strftime_now('%Ez') }}"), HasSubstr("unsupported directive"));
}

}  // namespace
}  // namespace assay
