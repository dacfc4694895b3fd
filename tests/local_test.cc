// The backend `local`: that a sample hangs on (checkpoint, sampling, seed, problem, index) alone,
// what it says of bad input, and that a killed run resumes to the same samples.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_format.h"
#include "harness/keys.h"
#include "harness/loglikelihood.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "harness/text.h"
#include "harness/token_logprobs.h"
#include "inference/engine/chat.h"
#include "inference/engine/cpu.h"
#include "inference/engine/cuda/open.h"
#include "inference/engine/engine.h"
#include "inference/engine/request.h"
#include "inference/engine/scheduler.h"
#include "tests/engine_models.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::BinaryPath;
using testing_support::ProgramEnd;
using testing_support::RunAssay;
using testing_support::SourcePath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

std::string Model() { return SourcePath("tests/data/tiny_llama"); }

CompletionRequest MakeRequest(int problem, std::vector<int> indices) {
  CompletionRequest request;
  request.task = "test";
  request.problem_id = "p" + std::to_string(problem);
  std::string question = absl::StrFormat("Question %d:", problem);
  for (int i = 0; i < problem * 5; ++i) question += " and the number";
  request.prompt.messages = {{"user", question}};
  request.sampling.temperature = 0.8;
  request.sampling.top_p = 0.95;
  request.sampling.max_tokens = 20 + 15 * (problem % 4);
  request.sampling.seed = 11;
  for (const int index : indices) {
    request.draws.push_back({index, SampleSeed(11, "test", request.problem_id, index)});
  }
  return request;
}

std::vector<int> Indices(int count) {
  std::vector<int> indices(count);
  for (int i = 0; i < count; ++i) indices[i] = i;
  return indices;
}

std::vector<CompletionRequest> MakeRequests(int problems, int samples) {
  std::vector<CompletionRequest> requests;
  for (int i = 0; i < problems; ++i) requests.push_back(MakeRequest(i, Indices(samples)));
  return requests;
}

using SampleId = std::pair<std::string, int>;
struct Landed {
  std::map<SampleId, Completion> completions;
  std::map<SampleId, std::string> failures;
  absl::Status status;

  std::map<SampleId, std::string> texts() const {
    std::map<SampleId, std::string> texts;
    for (const auto& [id, completion] : completions) texts[id] = completion.raw;
    return texts;
  }
};

absl::StatusOr<std::unique_ptr<CompletionSource>> Open(Json options,
                                                       const std::string& model = Model()) {
  const absl::StatusOr<const Backend*> backend = FindBackend("local");
  EXPECT_OK(backend);
  BackendConfig config;
  config.model = model;
  config.options = std::move(options);
  EXPECT_TRUE((*backend)->claims(config));
  return (*backend)->open(config);
}

// Stops once `most` samples have landed.
Landed Complete(CompletionSource& source, std::vector<CompletionRequest> requests,
                size_t most = SIZE_MAX) {
  BackendCounters counters;
  Landed landed;
  size_t next = 0;
  CompletionFlow flow;
  flow.counters = &counters;
  flow.stopping = [&] { return landed.completions.size() >= most; };
  flow.next = [&]() -> std::optional<CompletionRequest> {
    if (next == requests.size()) return std::nullopt;
    return requests[next++];
  };
  flow.done = [&](const CompletionRequest& request, const Draw& draw,
                  absl::StatusOr<Completion> completion) {
    const SampleId id(request.problem_id, draw.index);
    EXPECT_EQ(landed.completions.count(id) + landed.failures.count(id), 0u) << "done twice";
    if (completion.ok()) {
      EXPECT_EQ(completion->seed, draw.seed);
      landed.completions[id] = *std::move(completion);
    } else {
      landed.failures[id] = std::string(completion.status().message());
    }
  };
  landed.status = source.Run(flow);
  return landed;
}

Landed CompleteWith(Json options, std::vector<CompletionRequest> requests) {
  auto source = Open(std::move(options));
  EXPECT_OK(source);
  Landed landed = Complete(**source, std::move(requests));
  EXPECT_OK(landed.status);
  return landed;
}

// --- a sample is itself, whatever runs beside it ---

TEST(LocalExact, OrderBatchThreadsAndChunksChangeNothing) {
  std::vector<CompletionRequest> requests = MakeRequests(6, 8);
  const std::map<SampleId, std::string> expected = CompleteWith({}, requests).texts();
  ASSERT_EQ(expected.size(), 48u);
  std::mt19937 random(3);
  const std::vector<Json> settings = {
      Json::MakeObject({{"batch", 1}, {"threads", 1}}),
      Json::MakeObject({{"batch", 5}, {"threads", 2}, {"prefill_chunk", 7}}),
      Json::MakeObject({{"batch", 64}, {"threads", 1}, {"prefill_chunk", 1}}),
      Json::MakeObject({{"batch", 17}, {"threads", 3}}),
  };
  for (const Json& options : settings) {
    std::shuffle(requests.begin(), requests.end(), random);
    for (CompletionRequest& request : requests)
      std::shuffle(request.draws.begin(), request.draws.end(), random);
    EXPECT_EQ(CompleteWith(options, requests).texts(), expected) << options.Dump();
  }
}

TEST(LocalExact, OneOfSixtyFourIsTheOneDrawnAlone) {
  const Landed all = CompleteWith({}, MakeRequests(2, 64));
  ASSERT_EQ(all.completions.size(), 128u);
  std::set<std::string> distinct;
  for (const auto& [id, text] : all.texts()) distinct.insert(text);
  EXPECT_GT(distinct.size(), 120u) << "samples must differ from each other";
  for (const int index : {0, 31, 63}) {
    const Landed one = CompleteWith({}, {MakeRequest(1, {index})});
    EXPECT_EQ(one.completions.begin()->second.raw, all.completions.at({"p1", index}).raw);
  }
}

TEST(LocalExact, SwappingChangesNothing) {
  const std::vector<CompletionRequest> requests = MakeRequests(6, 8);
  const std::map<SampleId, std::string> expected = CompleteWith({}, requests).texts();
  // 16 KiB a page: six pages, and each sample wants two or three.
  const Json tight = Json::MakeObject({{"kv_memory", "0.1MB"}, {"context", 200}});
  EXPECT_EQ(CompleteWith(tight, requests).texts(), expected);
}

TEST(LocalExact, StoppingAndAskingForTheRestChangesNothing) {
  const std::vector<CompletionRequest> requests = MakeRequests(5, 10);
  const std::map<SampleId, std::string> expected = CompleteWith({}, requests).texts();
  std::map<SampleId, std::string> found;
  for (int round = 0; found.size() < expected.size(); ++round) {
    ASSERT_LT(round, 60);
    std::vector<CompletionRequest> rest;
    for (CompletionRequest request : requests) {
      std::erase_if(request.draws, [&](const Draw& draw) {
        return found.contains({request.problem_id, draw.index});
      });
      if (!request.draws.empty()) rest.push_back(request);
    }
    auto source = Open(Json::MakeObject({{"batch", 3 + round}}));
    ASSERT_OK(source);
    for (const auto& [id, text] : Complete(**source, rest, 7).texts()) found[id] = text;
  }
  EXPECT_EQ(found, expected);
}

TEST(LocalExact, SeedTaskAndProblemEachChangeTheSample) {
  const CompletionRequest request = MakeRequest(1, {0});
  CompletionRequest seed = request, task = request, problem = request;
  seed.sampling.seed = 12;
  task.task = "other";
  problem.problem_id = "q";
  std::set<std::string> texts;
  for (const CompletionRequest& one : {request, seed, task, problem}) {
    texts.insert(CompleteWith({}, {one}).completions.begin()->second.raw);
  }
  EXPECT_EQ(texts.size(), 4u);
}

TEST(LocalExact, TheReproductionKeyNamesWhatCounts) {
  const auto key = [](Json options, const std::string& model) {
    auto source = Open(std::move(options), model);
    EXPECT_OK(source);
    const BackendIdentity identity = (*source)->identity();
    EXPECT_EQ(identity.model_hash.size(), 64u);
    EXPECT_EQ(identity.endpoint, "local:" + *identity.options.FindString("reproduction_key"));
    return *identity.options.FindString("reproduction_key");
  };
  const std::string plain = key({}, Model());
  EXPECT_EQ(key(Json::MakeObject({{"batch", 3}, {"threads", 1}, {"kv_memory", "1MB"}}), Model()),
            plain);
  EXPECT_NE(key(Json::MakeObject({{"device", "reference"}}), Model()), plain);
  EXPECT_NE(key(Json::MakeObject({{"think", "always"}}), Model()), plain);
  EXPECT_NE(key({}, SourcePath("tests/data/tiny_qwen3")), plain);
}

// --- what a completion holds ---

TEST(Local, CountsItsTokensAndSaysHowItEnded) {
  const Landed landed = CompleteWith({}, MakeRequests(4, 4));
  int lengths = 0;
  for (const auto& [id, completion] : landed.completions) {
    EXPECT_EQ(completion.tokens.source, TokenSource::kMeasured);
    EXPECT_GT(completion.tokens.prompt, 5);
    const int64_t tokens = completion.tokens.reasoning + completion.tokens.answer;
    const int most = 20 + 15 * ((id.first[1] - '0') % 4);
    EXPECT_LE(tokens, most);
    if (completion.finish == FinishReason::kLength) {
      EXPECT_EQ(tokens, most);
      ++lengths;
    }
    EXPECT_EQ(completion.served_model, "tiny_llama");
  }
  EXPECT_GT(lengths, 0);
}

TEST(Local, AStopStringEndsTheTextBeforeIt) {
  CompletionRequest request = MakeRequest(2, {0});
  request.sampling.max_tokens = 60;
  auto source = Open({});
  ASSERT_OK(source);
  const Completion whole = Complete(**source, {request}).completions.begin()->second;
  ASSERT_GT(whole.raw.size(), 40u);
  int tried = 0;
  // Any one to three letters, wherever token borders fall; a random model writes much that is no
  // text, and what became U+FFFD cannot be a stop string.
  for (size_t at = 0; at + 3 < whole.raw.size(); ++at) {
    const std::string stop = whole.raw.substr(at, 1 + at % 3);
    if (std::any_of(stop.begin(), stop.end(), [](char c) { return c < 'A' || c > 'z'; })) continue;
    CompletionRequest stopped = request;
    stopped.sampling.stop = {"\x01never", stop};
    const Completion cut = Complete(**source, {stopped}).completions.begin()->second;
    EXPECT_EQ(cut.raw, whole.raw.substr(0, whole.raw.find(stop))) << stop;
    EXPECT_EQ(cut.finish, FinishReason::kStop);
    ++tried;
  }
  EXPECT_GT(tried, 5);
}

TEST(Local, AnOpenThinkBlockIsReasoning) {
  const Landed landed = CompleteWith(Json::MakeObject({{"think", "always"}}), MakeRequests(1, 2));
  for (const auto& [id, completion] : landed.completions) {
    EXPECT_TRUE(completion.unclosed_reasoning);  // a random model closes nothing
    EXPECT_EQ(completion.answer, "");
    EXPECT_EQ(completion.tokens.answer, 0);
    EXPECT_TRUE(completion.truncated());
  }
}

// --- bad input ---

TEST(LocalBadInput, OptionsAreRefusedByName) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {Json::MakeObject({{"device", "gpu"}}), "a GPU is asked for by device=cuda"},
      {Json::MakeObject({{"device", "cuda:1"}}), "CUDA_VISIBLE_DEVICES says which"},
      {Json::MakeObject({{"mode", "quick"}}), "mode: expected exact or fast, found \"quick\""},
      {Json::MakeObject({{"device", "tpu"}}),
       "device: expected auto, cpu, cuda or reference, found \"tpu\""},
      {Json::MakeObject({{"thread", 2}}), "knows no 'thread'; did you mean 'threads'?"},
      {Json::MakeObject({{"threads", -1}}), "threads: expected a number from 0 to 1024, found -1"},
      {Json::MakeObject({{"batch", "x"}}), "batch: expected a number"},
      {Json::MakeObject({{"think", "maybe"}}), "think: expected auto, always or never"},
      {Json::MakeObject({{"dtype", "int8"}}), "dtype: expected auto, bf16 or f32"},
      {Json::MakeObject({{"kv_memory", "lots"}}), "kv_memory: expected a size such as 4GB"},
      {Json::MakeObject({{"kv_memory", "900000GB"}}), "kv_memory: 900000.00 GB is asked for"},
      {Json::MakeObject({{"kv_memory", "0.02MB"}}),
       "needs 0.00 GB of key-value cache, and --model-args: kv_memory"},
      {Json::MakeObject({{"context", 100000}}), "context: 100000 positions are asked for"},
      {Json::MakeObject({{"chat_template_kwargs", 3}}), "chat_template_kwargs: expected an object"},
  };
  for (const auto& [options, message] : cases) {
    EXPECT_THAT(std::string(Open(options).status().message()), HasSubstr(message))
        << options.Dump();
  }
}

TEST(LocalBadInput, TooLittleMemoryIsSaidBeforeAnythingIsSampled) {
  ModelConfig config;
  config.max_positions = 1000;
  constexpr double kPage = 1e6;
  const auto plan = [&](double weights, double available, std::optional<int> context,
                        std::optional<double> kv_memory) {
    EngineOptions options;
    options.batch = 4;
    options.context = context;
    options.kv_memory_bytes = kv_memory;
    return PlanMemory(config, "DIR", options, {weights, kPage}, available);
  };
  const auto error = [&](auto... values) {
    return std::string(plan(values...).status().message());
  };
  EXPECT_THAT(error(2e9, 1e9, std::nullopt, std::nullopt),
              HasSubstr("DIR: the weights need 2.00 GB of memory, and 1.00 GB is available"));
  EXPECT_THAT(
      error(1e9, 1.1e9, std::nullopt, 2e8),
      HasSubstr("kv_memory: 0.20 GB is asked for, and beside the weights of DIR only 0.10"));
  EXPECT_THAT(error(1e9, 2e9, 1001, std::nullopt),
              HasSubstr("1001 positions are asked for, and DIR/config.json: field "
                        "'max_position_embeddings' is 1000"));
  EXPECT_THAT(error(1e9, 1.02e9, 1000, std::nullopt),
              HasSubstr("one sequence of 1000 positions needs 0.02 GB of key-value cache, and 50 % "
                        "of the memory that is left is 0.01 GB"));
  // What fits: four full sequences of 16 pages and one to copy into each, or as much as there is.
  const absl::StatusOr<MemoryPlan> whole = plan(1e9, 2e9, std::nullopt, std::nullopt);
  ASSERT_OK(whole);
  EXPECT_EQ(whole->pages, 4 * 17);
  EXPECT_EQ(whole->context, 1000);
  const absl::StatusOr<MemoryPlan> cut = plan(1e9, 1.024e9, std::nullopt, std::nullopt);
  ASSERT_OK(cut);
  EXPECT_EQ(cut->context, 11 * 64);  // twelve pages
  EXPECT_THAT(cut->bound, HasSubstr("the key-value cache of 0.01 GB"));
}

TEST(LocalBadInput, SamplingIsRefusedByName) {
  auto source = Open({});
  ASSERT_OK(source);
  const auto refused = [&](const std::function<void(Sampling*)>& change) {
    CompletionRequest request = MakeRequest(0, {0});
    change(&request.sampling);
    const Landed landed = Complete(**source, {request});
    EXPECT_TRUE(landed.completions.empty());
    return std::string(landed.status.message());
  };
  EXPECT_THAT(refused([](Sampling* s) { s->max_tokens = 4096; }),
              HasSubstr("task test: sampling field 'max_tokens': 4096 tokens are asked for, and"));
  EXPECT_THAT(refused([](Sampling* s) { s->max_tokens = 4096; }),
              HasSubstr("config.json: field 'max_position_embeddings'"));
  EXPECT_THAT(refused([](Sampling* s) { s->top_p = 0; }),
              HasSubstr("'top_p': expected above 0 and at most 1, found 0"));
  EXPECT_THAT(refused([](Sampling* s) { s->temperature = -1; }), HasSubstr("'temperature'"));
  EXPECT_THAT(refused([](Sampling* s) { s->min_p = 2; }), HasSubstr("'min_p'"));
  EXPECT_THAT(refused([](Sampling* s) { s->top_k = -2; }), HasSubstr("'top_k'"));
  EXPECT_THAT(refused([](Sampling* s) { s->repetition_penalty = 0; }),
              HasSubstr("'repetition_penalty'"));
  EXPECT_THAT(
      refused([](Sampling* s) {
        s->extra = Json::MakeObject({{"ignore_eo", true}});
      }),
      HasSubstr("'ignore_eo': the embedded engine does not know it; did you mean 'ignore_eos'?"));
}

TEST(LocalBadInput, ACheckpointThatNeverEndsNeedsAStop) {
  const TemporaryDirectory directory;
  const std::string model = directory.Path("model");
  std::filesystem::copy(Model(), model);
  std::filesystem::remove(model + "/generation_config.json");
  for (const auto& [file, field] : {std::pair("config.json", "eos_token_id"),
                                    std::pair("tokenizer_config.json", "eos_token")}) {
    Json config = testing_support::ReadJsonFile(model + "/" + file);
    config.Set(field, Json());
    WriteWholeFile(model + "/" + file, config.Dump());
  }
  auto source = Open({}, model);
  ASSERT_OK(source);
  CompletionRequest request = MakeRequest(0, {0});
  const Landed refused = Complete(**source, {request});
  EXPECT_TRUE(refused.completions.empty());
  EXPECT_THAT(std::string(refused.status.message()),
              HasSubstr("name no end-of-sequence id, and the sampling no stop"));
  for (const Json& extra : {Json::MakeObject({{"ignore_eos", true}}),
                            Json::MakeObject({{"stop_token_ids", Json::Array{Json(3)}}})}) {
    request.sampling.extra = extra;
    const Landed landed = Complete(**source, {request});
    EXPECT_OK(landed.status);
    EXPECT_EQ(landed.completions.size(), 1u);
  }
}

TEST(LocalBadInput, APromptThatIsTooLongFailsAlone) {
  CompletionRequest longest = MakeRequest(1, {0, 1});
  longest.problem_id = "long";
  for (int i = 0; i < 600; ++i) longest.prompt.messages[0].text += " number";
  const Landed landed = CompleteWith({}, {MakeRequest(0, {0}), longest, MakeRequest(2, {0})});
  EXPECT_EQ(landed.completions.size(), 2u);
  ASSERT_EQ(landed.failures.size(), 2u);
  EXPECT_THAT(landed.failures.begin()->second,
              HasSubstr("task test, problem 'long': the prompt has"));
  EXPECT_THAT(landed.failures.begin()->second, HasSubstr("leaves a sequence 512 positions"));
}

TEST(LocalBadInput, ADirectoryWithoutATokenizerIsRefused) {
  const TemporaryDirectory directory;
  testing_support::WriteBf16Copy("tiny_llama", directory.Path());
  ASSERT_OK(Open({}, directory.Path()));
  std::filesystem::remove(directory.Path("tokenizer.json"));
  EXPECT_THAT(std::string(Open({}, directory.Path()).status().message()),
              HasSubstr("tokenizer.json"));
}

// --- the program ---

TEST(LocalProgram, DoctorDescribesACheckpoint) {
  const TemporaryDirectory directory;
  const ProgramEnd end = RunAssay({"doctor", "--model", Model(), "--db", directory.Path("a.db")});
  EXPECT_THAT(end.out, testing::Not(HasSubstr("problem  model"))) << end.err;
  for (const char* said : {"llama, 2 layers", "rope       Llama 3", "<|eot_id|>",
                           "first 20:", "last 20:", "tokens/s alone", "reproduction key",
                           "template", "key-value cache of"}) {
    EXPECT_THAT(end.out, HasSubstr(said));
  }
  const ProgramEnd refused = RunAssay({"doctor", "--model", Model(), "--model-args", "device=cuda",
                                       "--db", directory.Path("a.db")});
  std::string why;
  if (cuda::OpenDevice(&why) != nullptr) {
    EXPECT_THAT(refused.out, HasSubstr("cuda: bf16"));
  } else {
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.out, HasSubstr("--model-args: device=cuda: "));
  }
}

TEST(LocalProgram, ATemplateThatShowsNothingIsToldBeforeAnythingIsSampled) {
  const TemporaryDirectory directory;
  const std::string model = directory.Path("model"), database = directory.Path("a.db");
  std::filesystem::copy(Model(), model);
  for (const auto& [source, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "chat_template.jinja: the chat template is empty"},
           {"hello", "chat_template.jinja: the chat template never shows the user's text"}}) {
    WriteWholeFile(model + "/chat_template.jinja", source);
    const ProgramEnd doctor = RunAssay({"doctor", "--model", model, "--db", database});
    EXPECT_EQ(doctor.status, 1) << doctor.out;
    EXPECT_THAT(doctor.out, HasSubstr(why));
    const ProgramEnd run =
        RunAssay({"run", "--model", model, "--tasks", "basics_numbers", "--db", database});
    EXPECT_EQ(run.status, 1);
    EXPECT_THAT(run.err, HasSubstr(why));
    EXPECT_FALSE(std::filesystem::exists(database));
  }
}

// `assay` in a process of its own, killed after `milliseconds`; whether the kill came in time.
bool RunAndKill(const std::vector<std::string>& words, int milliseconds) {
  const pid_t child = fork();
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 1);
    dup2(nowhere, 2);
    std::string program = BinaryPath("bin/assay");
    std::vector<char*> arguments = {program.data()};
    std::vector<std::string> copies = words;
    for (std::string& word : copies) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execv(program.c_str(), arguments.data());
    _exit(127);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

// What was stored of a run, by problem and index.
std::map<std::string, std::string> Exported(const std::string& database, const std::string& file) {
  const ProgramEnd end = RunAssay({"export", "last", "--db", database, "--output", file});
  EXPECT_EQ(end.status, 0) << end.err;
  std::map<std::string, std::string> samples;
  for (const Json& row : testing_support::ReadJsonLinesFile(file)) {
    const std::string id = *row.FindString("problem_id") + "/" + row.Find("index")->ToText();
    EXPECT_TRUE(samples.emplace(id, *row.FindString("raw")).second);
  }
  return samples;
}

TEST(LocalProgram, AKilledRunResumesToTheSameSamples) {
  const TemporaryDirectory directory;
  const auto words = [&](const std::string& database) {
    return std::vector<std::string>{
        "run", "--model",      Model(),        "--tasks",        "basics_numbers", "--samples",
        "8",   "--max-tokens", "48",           "--db",           database,         "--limit",
        "60",  "--quiet",      "--gen-kwargs", "temperature=0.9"};
  };
  const std::string whole = directory.Path("whole.db"), killed = directory.Path("killed.db");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(RunAssay(words(whole)).status, 0);
  // In parts of what a whole run takes on this machine, now.
  const auto took = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                         std::chrono::steady_clock::now() - begin)
                                         .count());
  const std::map<std::string, std::string> expected =
      Exported(whole, directory.Path("whole.jsonl"));
  ASSERT_EQ(expected.size(), 480u);
  // One that ends before it is killed is begun anew, and killed earlier.
  int patience = took / 2;
  while (!RunAndKill(words(killed), patience)) {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(killed + end);
    ASSERT_GT(patience, 0) << "nothing was killed: the test tests nothing";
    patience /= 2;
  }
  for (int round = 0; round < 4 && std::filesystem::exists(killed); ++round) {
    RunAndKill({"resume", "--db", killed, "--quiet"}, took * (round + 2) / 8);
  }
  const std::vector<std::string> rest =
      std::filesystem::exists(killed) &&
              RunAssay({"show", "last", "--db", killed, "--allow-partial"}).status == 0
          ? std::vector<std::string>{"resume", "--db", killed, "--quiet"}
          : words(killed);
  const ProgramEnd end = RunAssay(rest);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(Exported(killed, directory.Path("killed.jsonl")), expected);
}

// As when a run that a GPU began is resumed on a CPU.
TEST(LocalProgram, ARunIsNotResumedUnderAnotherKey) {
  const TemporaryDirectory directory;
  const std::string model = directory.Path("model"), database = directory.Path("a.db");
  std::filesystem::copy(Model(), model);
  EXPECT_EQ(RunAssay({"run", "--model", model, "--tasks", "basics_numbers", "--limit", "3",
                      "--max-tokens", "8", "--db", database, "--quiet"})
                .status,
            0);
  EXPECT_EQ(RunAssay({"resume", "--db", database, "--quiet"}).status, 0);
  const std::map<std::string, std::string> before = Exported(database, directory.Path("a.jsonl"));
  const std::string config = testing_support::ReadWholeFile(model + "/config.json");
  testing_support::WriteWholeFile(model + "/config.json",
                                  ReplaceAll(config, "\"rope_theta\": ", "\"rope_theta\": 1"));
  ASSERT_NE(testing_support::ReadWholeFile(model + "/config.json"), config);
  const ProgramEnd refused = RunAssay({"resume", "--db", database, "--quiet"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("was begun under reproduction key"));
  EXPECT_THAT(refused.err, HasSubstr("(cpu: "));
  EXPECT_THAT(refused.err, HasSubstr("Nothing was changed"));
  EXPECT_EQ(Exported(database, directory.Path("b.jsonl")), before);
}

// --- log-probabilities of given texts ---

TEST(LocalScore, LogProbabilitiesAreThoseOfTheLogits) {
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<const Checkpoint> checkpoint,
                       Checkpoint::Open(Model()));
  ASSERT_OK_AND_ASSIGN(const auto chat,
                       ChatFormat::Make("", "", checkpoint->tokenizer(), ChatOptions()));
  CompletionRequest request = MakeRequest(2, {0});
  request.prompt.continuations = {" the answer", " 7", " two numbers and x"};
  const Json options = Json::MakeObject({{"chat_template", "none"}});
  const Landed landed =
      CompleteWith(options, {MakeRequest(1, {0}), request, MakeRequest(3, {0, 1})});
  ASSERT_EQ(landed.completions.size(), 4u);
  const auto scored = ContinuationsFromReply(landed.completions.at({"p2", 0}).raw);
  ASSERT_TRUE(scored.has_value());
  ASSERT_EQ(scored->size(), 3u);
  // By hand, from the whole text's logits.
  CpuOptions cpu;
  cpu.weights = BestFormat(checkpoint->config().dtype);
  const int usable = checkpoint->tokenizer()->size();
  const auto runner = MakeCpuRunner(
      checkpoint, {.decode_rows = 64, .prefill_rows = 256, .pages = 20, .max_positions = 512},
      usable, cpu);
  ASSERT_OK_AND_ASSIGN(const RenderedPrompt context, chat->Render(request.prompt));
  for (size_t i = 0; i < scored->size(); ++i) {
    Prompt prompt = request.prompt;
    prompt.reply_prefix = request.prompt.continuations[i];
    ASSERT_OK_AND_ASSIGN(const RenderedPrompt whole, chat->Render(prompt));
    const auto logits = testing_support::LogitsAfter(runner.get(), whole.ids);
    double sum = 0;
    for (size_t at = context.ids.size(); at < whole.ids.size(); ++at) {
      double total = 0;
      for (int id = 0; id < usable; ++id) total += std::exp(double{logits[at - 1][id]});
      sum += logits[at - 1][whole.ids[at]] - std::log(total);
    }
    EXPECT_NEAR((*scored)[i].logprob, sum, 1e-6) << i;
    EXPECT_EQ((*scored)[i].tokens, static_cast<int>(whole.ids.size() - context.ids.size()));
    EXPECT_EQ((*scored)[i].text, request.prompt.continuations[i]);
  }
}

// Those of drawn tokens are those that `Score` gives the same tokens, and asking changes no token.
TEST(LocalScore, DrawnTokensHaveTheLogProbabilitiesThatScoringGives) {
  const Json options = Json::MakeObject({{"chat_template", "none"}});
  std::vector<CompletionRequest> requests = MakeRequests(4, 3);
  const Landed plain = CompleteWith(options, requests);
  for (CompletionRequest& request : requests) request.sampling.top_logprobs = 5;
  const Landed logged = CompleteWith(options, requests);
  EXPECT_EQ(logged.texts(), plain.texts());
  for (const auto& [id, completion] : plain.completions) EXPECT_EQ(completion.logprobs, "");

  ASSERT_OK_AND_ASSIGN(EngineOptions engine_options, ReadEngineOptions(options));
  ASSERT_OK_AND_ASSIGN(const Engine engine, OpenEngine(Model(), engine_options));
  const Tokenizer& tokenizer = *engine.checkpoint->tokenizer();
  std::map<SampleId, FinishedSample> drawn;
  Scheduler scheduler(engine.runner.get(), [&](FinishedSample sample) {
    const SampleId id(requests[sample.tag].problem_id, sample.sample);
    drawn[id] = std::move(sample);
  });
  std::vector<RenderedPrompt> prompts;
  for (const CompletionRequest& request : requests) {
    ASSERT_OK_AND_ASSIGN(prompts.emplace_back(), engine.chat->Render(request.prompt));
    ASSERT_OK_AND_ASSIGN(
        const ResolvedSampling sampling,
        ResolveSampling(request.sampling, engine.checkpoint->config(), engine.memory.context, ""));
    GroupRequest group;
    group.tag = prompts.size() - 1;
    group.prompt = prompts.back().ids;
    group.plan = sampling.plan;
    group.key = ProblemKey(request.sampling.seed, request.task, request.problem_id);
    group.samples = Indices(3);
    group.stop_ids = sampling.stop_ids;
    group.max_tokens = sampling.max_tokens;
    ASSERT_OK(scheduler.Submit(std::move(group)));
  }
  while (true) {
    ASSERT_OK_AND_ASSIGN(const bool worked, scheduler.Step());
    if (!worked) break;
  }
  int compared = 0;
  for (const auto& [id, sample] : drawn) {
    // The whole sample up to each of its tokens: differences are the tokens' own.
    ScoreRequest score = {prompts[sample.tag].ids, {}};
    for (size_t size = 1; size <= sample.ids.size(); ++size) {
      score.continuations.emplace_back(sample.ids.begin(),
                                       sample.ids.begin() + static_cast<ptrdiff_t>(size));
    }
    ASSERT_OK_AND_ASSIGN(const auto scores, scheduler.Score({&score, 1}));
    double before = 0;
    size_t at = 0;
    ASSERT_OK(ForEachLoggedToken(
        logged.completions.at(id).logprobs, [&](const LoggedToken& token) -> absl::Status {
          CHECK(at < sample.ids.size());
          EXPECT_EQ(token.drawn.text, tokenizer.TokenBytes(sample.ids[at]));
          const double sum = scores[0][at++].logprob;
          EXPECT_NEAR(token.drawn.logprob, sum - before, 1e-4) << id.first << " token " << at;
          before = sum;
          EXPECT_EQ(token.top.size(), 5u);
          for (size_t i = 1; i < token.top.size(); ++i) {
            EXPECT_GE(token.top[i - 1].logprob, token.top[i].logprob);
          }
          EXPECT_GE(token.top[0].logprob, token.drawn.logprob);
          ++compared;
          return absl::OkStatus();
        }));
    EXPECT_EQ(at, sample.ids.size());
  }
  EXPECT_GT(compared, 200);
}

TEST(LocalProgram, LogprobsAreStoredExportedShownAndImported) {
  const TemporaryDirectory directory;
  const std::string database = directory.Path("a.db"), file = directory.Path("a.jsonl");
  const auto run = [&](const std::string& gen_kwargs, const std::string& into) {
    return RunAssay({"run", "--model", Model(), "--tasks", "basics_numbers", "--samples", "2",
                     "--max-tokens", "12", "--db", into, "--limit", "3", "--quiet", "--gen-kwargs",
                     gen_kwargs});
  };
  ASSERT_EQ(run("logprobs=2", database).status, 0);
  ASSERT_EQ(RunAssay({"export", "last", "--db", database, "--output", file}).status, 0);
  const auto rows = testing_support::ReadJsonLinesFile(file);
  ASSERT_EQ(rows.size(), 6u);
  for (const Json& row : rows) {
    const Json* logprobs = row.Find("logprobs");
    ASSERT_NE(logprobs, nullptr) << row.Dump();
    const Json::Array& content = logprobs->Find("content")->AsArray();
    const Json& tokens = *row.Find("tokens");
    EXPECT_EQ(static_cast<int64_t>(content.size()),
              *tokens.FindInteger("reasoning") + *tokens.FindInteger("answer"));
    for (const Json& token : content) {
      EXPECT_TRUE(token.FindString("token").has_value());
      EXPECT_LE(*token.FindNumber("logprob"), 0);
      EXPECT_EQ(token.Find("top_logprobs")->size(), 2u);
    }
  }
  const ProgramEnd shown =
      RunAssay({"show", "last", "--db", database, "--json", "--limit", "1", "--sample", "1"});
  ASSERT_EQ(shown.status, 0) << shown.err;
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(shown.out));
  EXPECT_EQ(*json.Find("samples")->AsArray()[0].Find("completion")->Find("logprobs"),
            *rows[0].Find("logprobs"));
  // Back through a recording, as it was.
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"import", file, "--task", "basics_numbers", "--db", directory.Path("b.db"), "-q"},
           {"run", "--model", "replay:" + file, "--tasks", "basics_numbers", "--samples", "2",
            "--limit", "3", "--db", directory.Path("b.db"), "--quiet"}}) {
    const ProgramEnd end = RunAssay(words);
    EXPECT_NE(end.status, 2) << end.err;
    const std::string again = directory.Path("b.jsonl");
    ASSERT_EQ(
        RunAssay({"export", "last", "--db", directory.Path("b.db"), "--output", again}).status, 0);
    size_t found = 0;
    for (const Json& row : testing_support::ReadJsonLinesFile(again)) {
      for (const Json& before : rows) {
        if (row.Find("raw") == nullptr || *row.Find("problem_id") != *before.Find("problem_id") ||
            *row.Find("index") != *before.Find("index")) {
          continue;
        }
        ASSERT_NE(row.Find("logprobs"), nullptr) << words[0];
        EXPECT_EQ(*row.Find("logprobs"), *before.Find("logprobs"));
        ++found;
      }
    }
    EXPECT_EQ(found, 6u) << words[0];
    std::filesystem::remove(directory.Path("b.db"));
  }
  // Without the option nothing is there, and the samples are the same.
  ASSERT_EQ(run("logprobs=false", directory.Path("c.db")).status, 0);
  EXPECT_EQ(Exported(directory.Path("c.db"), directory.Path("c.jsonl")),
            Exported(database, directory.Path("d.jsonl")));
  EXPECT_THAT(testing_support::ReadWholeFile(directory.Path("c.jsonl")),
              testing::Not(HasSubstr("logprob\"")));
  EXPECT_THAT(run("logprobs=21", directory.Path("c.db")).err,
              HasSubstr("logprobs: expected a number of alternatives from 0 to 20, true or false"));
}

TEST(LocalScore, AccAndAccNormMayDiffer) {
  const std::vector<ScoredContinuation> scored = {
      {" yes", -3, 1, false}, {" certainly not", -6, 4, false}, {" no", -3, 1, false}};
  EXPECT_EQ(MostLikely(scored, LengthNorm::kNone), 0);        // the first of equals
  EXPECT_EQ(MostLikely(scored, LengthNorm::kCharacters), 1);  // -6 / 13 > -3 / 3
  EXPECT_EQ(MostLikely(scored, LengthNorm::kTokens), 1);
  EXPECT_EQ(MostLikely({}, LengthNorm::kNone), -1);
  const auto back = ContinuationsFromReply(ContinuationsToReply(scored));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(MostLikely(*back, LengthNorm::kCharacters), 1);
  EXPECT_FALSE(ContinuationsFromReply("The answer is A.").has_value());
  EXPECT_FALSE(ContinuationsFromReply("{\"continuations\": [{\"text\": \"a\"}]}").has_value());
}

TEST(LocalScore, ATaskIsRunByLogProbability) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("pick.jsonl"),
                 "{\"q\": \"The sum is\", \"c\": [\"seven\", \"the number\", \"x\"], \"a\": 0}\n"
                 "{\"q\": \"Then x is\", \"c\": [\"one\", \"an apple\", \"2\"], \"a\": 2}\n");
  WriteWholeFile(
      directory.Path("pick.yaml"),
      "name: pick\nversion: \"1\"\ndataset:\n  file: pick.jsonl\n"
      "fields:\n  choices: {field: c, shuffle: false}\n  reference_index: a\n"
      "prompt: \"{{ q }}\"\nloglikelihood: {of: choices, delimiter: \" \"}\n"
      "extract: {name: loglikelihood, options: {normalize: characters}}\ngrader: choice\n");
  const std::string database = directory.Path("a.db");
  const ProgramEnd end =
      RunAssay({"run", "--model", Model(), "--model-args", "chat_template=none", "--tasks",
                directory.Path("pick.yaml"), "--db", database, "--quiet"});
  EXPECT_EQ(end.status, 0) << end.out << end.err;
  const std::map<std::string, std::string> stored = Exported(database, directory.Path("a.jsonl"));
  ASSERT_EQ(stored.size(), 2u);
  for (const auto& [id, raw] : stored) {
    const auto scored = ContinuationsFromReply(raw);
    ASSERT_TRUE(scored.has_value()) << raw;
    EXPECT_EQ(scored->size(), 3u);
    for (const ScoredContinuation& one : *scored) EXPECT_LT(one.logprob, 0);
  }
  // An endpoint cannot: it is refused before anything is asked, by a dry run too.
  for (const std::string kind : {"--quiet", "--dry-run"}) {
    const ProgramEnd refused =
        RunAssay({"run", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--tasks",
                  directory.Path("pick.yaml"), "--db", database, kind});
    EXPECT_NE(refused.status, 0) << kind;
    EXPECT_THAT(refused.err, HasSubstr("task pick: loglikelihood asks for log-probabilities"));
  }
  const ProgramEnd checked = RunAssay({"tasks", "check", directory.Path("pick.yaml")});
  EXPECT_EQ(checked.status, 0) << checked.out << checked.err;
}

}  // namespace
}  // namespace assay
