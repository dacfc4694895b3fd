// What rendering costs: a prompt over a dataset row, a chat template over a conversation, and
// parsing both.
#include <benchmark/benchmark.h>

#include <string>

#include "harness/status.h"
#include "harness/template.h"

namespace assay {
namespace {

constexpr std::string_view kChoicePrompt =
    "{{ question | trim }}\n"
    "{% for choice in choices %}\n"
    "({{ 'ABCDEFGHIJ'[loop.index0] }}) {{ choice }}\n"
    "{% endfor %}\n\n"
    "Please reason step by step, and put the letter of your answer within \\boxed{}.";

constexpr std::string_view kChat =
    "{%- if messages[0]['role'] == 'system' %}\n"
    "    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"
    "{%- endif %}\n"
    "{%- for message in messages %}\n"
    "    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}\n"
    "        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\n"
    "    {%- elif message.role == 'assistant' %}\n"
    "        {%- set content = message.content %}\n"
    "        {%- if '</think>' in content %}\n"
    "            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n"
    "        {%- endif %}\n"
    "        {{- '<|im_start|>assistant\\n' + content + '<|im_end|>\\n' }}\n"
    "    {%- endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}\n";

Template Parsed(std::string_view source) {
  absl::StatusOr<Template> parsed = Template::Parse(source, "bench");
  CHECK(parsed.ok());
  return *std::move(parsed);
}

Json Row() {
  return *ParseJson(
      R"({"question": " Which of these numbers is prime, and the sum of two squares? ",
                        "choices": ["21", "29", "33", "39"], "answer": "B", "subject": "number theory"})");
}

Json Conversation(int turns) {
  Json messages = Json::MakeArray();
  messages.Append(
      Json::MakeObject({{"role", "system"}, {"content", "You are a helpful assistant."}}));
  for (int i = 0; i < turns; ++i) {
    messages.Append(Json::MakeObject(
        {{"role", "user"},
         {"content", "What is the sum of the first " + std::to_string(i) + " odd numbers?"}}));
    messages.Append(Json::MakeObject(
        {{"role", "assistant"},
         {"content", "<think>\n" + std::string(2000, 'x') + "\n</think>\n\nIt is \\boxed{" +
                         std::to_string(i * i) + "}."}}));
  }
  return Json::MakeObject({{"messages", std::move(messages)}, {"add_generation_prompt", true}});
}

void Render(benchmark::State& state, std::string_view source, const Json& context) {
  const Template parsed = Parsed(source);
  size_t bytes = 0;
  for (auto _ : state) {
    const absl::StatusOr<std::string> text = parsed.Render(context);
    CHECK(text.ok());
    bytes += text->size();
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

void BM_RenderQuestion(benchmark::State& state) {
  Render(state,
         "{{ question }}\nPlease reason step by step, and put your final answer within \\boxed{}.",
         Row());
}
BENCHMARK(BM_RenderQuestion);

void BM_RenderChoicePrompt(benchmark::State& state) { Render(state, kChoicePrompt, Row()); }
BENCHMARK(BM_RenderChoicePrompt);

void BM_RenderChat(benchmark::State& state) {
  Render(state, kChat, Conversation(static_cast<int>(state.range(0))));
}
BENCHMARK(BM_RenderChat)->Arg(1)->Arg(10)->Arg(100);

void BM_Parse(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(Parsed(state.range(0) == 0 ? kChoicePrompt : kChat));
}
BENCHMARK(BM_Parse)->Arg(0)->Arg(1);

}  // namespace
}  // namespace assay
